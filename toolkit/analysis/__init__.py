"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from toolkit.analysis.abstentions import Abstentions, abstentions
from toolkit.analysis.across import Across
from toolkit.analysis.alarms import Detections, Watching, detections
from toolkit.analysis.attribution import Attribution, attribution
from toolkit.analysis.catching import CatchUp, catch_up
from toolkit.analysis.comparing import compare
from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.cost import payoff
from toolkit.analysis.cost_table import Payoff, PayoffRow
from toolkit.analysis.courses import drifts, learning_curves, recovery, regret, slopes
from toolkit.analysis.effects import main_effects
from toolkit.analysis.initiative import Initiative, InitiativeRow, initiative
from toolkit.analysis.judged import Corrected, Judged, Preferred
from toolkit.analysis.probe_scores import ProbeScores, probe_scores
from toolkit.analysis.rated import Rated
from toolkit.analysis.readers import read_results
from toolkit.analysis.recorded import episodes, plan
from toolkit.analysis.retention import day_one, transfer
from toolkit.analysis.role_matrix import RoleMatrix, role_matrix
from toolkit.analysis.second import SecondPass, second_pass
from toolkit.analysis.utility import Utility, UtilityRow, utility
from toolkit.analysis.versions import Versions, versions
from toolkit.analysis.violations import Violations
from toolkit.analysis.wordings import WordingEffect, wording_effect
from toolkit.analysis.worth import TraitEffect, TraitEffects

__all__ = [
    "Abstentions",
    "Across",
    "ArmRow",
    "Attribution",
    "CatchUp",
    "Comparison",
    "Corrected",
    "Detections",
    "Initiative",
    "InitiativeRow",
    "Judged",
    "Payoff",
    "PayoffRow",
    "Preferred",
    "ProbeScores",
    "Rated",
    "RoleMatrix",
    "SecondPass",
    "TraitEffect",
    "TraitEffects",
    "Utility",
    "UtilityRow",
    "Versions",
    "Violations",
    "Watching",
    "WordingEffect",
    "abstentions",
    "attribution",
    "catch_up",
    "compare",
    "day_one",
    "detections",
    "drifts",
    "episodes",
    "initiative",
    "learning_curves",
    "main_effects",
    "payoff",
    "plan",
    "probe_scores",
    "read_results",
    "recovery",
    "regret",
    "role_matrix",
    "second_pass",
    "slopes",
    "transfer",
    "utility",
    "versions",
    "wording_effect",
]
