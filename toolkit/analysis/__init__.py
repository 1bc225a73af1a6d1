"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrasts import compare
from toolkit.analysis.courses import learning_curves, recovery, regret, slopes
from toolkit.analysis.probes import day_one, transfer
from toolkit.analysis.recorded import episodes, plan

__all__ = [
    "ArmRow",
    "Comparison",
    "compare",
    "day_one",
    "episodes",
    "learning_curves",
    "plan",
    "recovery",
    "regret",
    "slopes",
    "transfer",
]
