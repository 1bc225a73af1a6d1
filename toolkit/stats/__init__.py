"""Statistics of paired, streamed experiments: arrays in, estimates out. Imports no other part of the toolkit."""

from toolkit.stats.agreement import Agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha
from toolkit.stats.alarms import Delay, detection_delays, false_alarms, steepest_fall
from toolkit.stats.averaged import average
from toolkit.stats.bootstrap import crossed_bootstrap
from toolkit.stats.cost import BreakEven, break_even, front, ratio
from toolkit.stats.curves import CurveBand, cumulative_band, curve_band, prequential_mean, slope_last_third
from toolkit.stats.drift import Recovery, recovery_time
from toolkit.stats.effects import holm, standardised, worst_case
from toolkit.stats.estimate import Estimate
from toolkit.stats.factorial import Effect, Effects, main_effects, shapley
from toolkit.stats.inference import sign_flip, two_way
from toolkit.stats.initiative import Pooled, ask_f1, break_even_cost, f1, pass_hat, pooled, utilities
from toolkit.stats.power import Planned, detectable_effect, needed, planned_power, sign_flip_limit, smallest_p
from toolkit.stats.predicted import Predicted, predicted_difference, predicted_mean
from toolkit.stats.reaching import Reaching, exam_time, reaching_time
from toolkit.stats.sequential import (
    ConfidenceSequence,
    Crossing,
    confidence_sequence,
    crosses,
    running_difference,
    split_alpha,
)
from toolkit.stats.signs import sign_test
from toolkit.stats.single import one_way
from toolkit.stats.transfer import backward_transfer, forgetting
from toolkit.stats.variance import Components, binary_prior, variance_components
from toolkit.stats.wordings import Spread, WordingContrast, wording_contrast

__all__ = [
    "Agreement",
    "BreakEven",
    "Components",
    "ConfidenceSequence",
    "Crossing",
    "CurveBand",
    "Delay",
    "Effect",
    "Effects",
    "Estimate",
    "Planned",
    "Pooled",
    "Predicted",
    "Reaching",
    "Recovery",
    "Spread",
    "WordingContrast",
    "ask_f1",
    "average",
    "backward_transfer",
    "binary_prior",
    "break_even",
    "break_even_cost",
    "cohen_kappa",
    "confidence_sequence",
    "crossed_bootstrap",
    "crosses",
    "cumulative_band",
    "curve_band",
    "detectable_effect",
    "detection_delays",
    "exam_time",
    "f1",
    "false_alarms",
    "fleiss_kappa",
    "forgetting",
    "front",
    "holm",
    "krippendorff_alpha",
    "main_effects",
    "needed",
    "one_way",
    "pass_hat",
    "planned_power",
    "pooled",
    "predicted_difference",
    "predicted_mean",
    "prequential_mean",
    "ratio",
    "reaching_time",
    "recovery_time",
    "running_difference",
    "shapley",
    "sign_flip",
    "sign_flip_limit",
    "sign_test",
    "slope_last_third",
    "smallest_p",
    "split_alpha",
    "standardised",
    "steepest_fall",
    "two_way",
    "utilities",
    "variance_components",
    "wording_contrast",
    "worst_case",
]
