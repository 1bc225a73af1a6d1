"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrasts import compare
from toolkit.analysis.courses import learning_curves
from toolkit.analysis.effects import main_effects
from toolkit.analysis.recorded import episodes, plan
from toolkit.analysis.second import SecondPass, second_pass
from toolkit.analysis.worth import TraitEffect, TraitEffects

__all__ = [
    "ArmRow",
    "Comparison",
    "SecondPass",
    "TraitEffect",
    "TraitEffects",
    "compare",
    "episodes",
    "learning_curves",
    "main_effects",
    "plan",
    "second_pass",
]
