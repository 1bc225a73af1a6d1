"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrasts import compare
from toolkit.analysis.cost import payoff
from toolkit.analysis.cost_table import Payoff, PayoffRow
from toolkit.analysis.courses import learning_curves
from toolkit.analysis.recorded import episodes, plan

__all__ = ["ArmRow", "Comparison", "Payoff", "PayoffRow", "compare", "episodes", "learning_curves", "payoff", "plan"]
