"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from toolkit.analysis.across import Across
from toolkit.analysis.comparing import compare
from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.courses import learning_curves
from toolkit.analysis.readers import read_results
from toolkit.analysis.recorded import episodes, plan

__all__ = ["Across", "ArmRow", "Comparison", "compare", "episodes", "learning_curves", "plan", "read_results"]
