"""Statistics of paired, streamed experiments: arrays in, estimates out. Imports no other part of the toolkit."""

from toolkit.stats.curves import CurveBand, cumulative_band, curve_band, prequential_mean, slope_last_third
from toolkit.stats.drift import Recovery, recovery_time
from toolkit.stats.effects import holm, standardised, worst_case
from toolkit.stats.estimate import Estimate
from toolkit.stats.factorial import Effect, Effects, main_effects, shapley
from toolkit.stats.inference import crossed_bootstrap, sign_flip, two_way
from toolkit.stats.sequential import (
    ConfidenceSequence,
    Crossing,
    confidence_sequence,
    crosses,
    running_difference,
    split_alpha,
)
from toolkit.stats.transfer import backward_transfer, forgetting

__all__ = [
    "ConfidenceSequence",
    "Crossing",
    "CurveBand",
    "Effect",
    "Effects",
    "Estimate",
    "Recovery",
    "backward_transfer",
    "confidence_sequence",
    "crossed_bootstrap",
    "crosses",
    "cumulative_band",
    "curve_band",
    "forgetting",
    "holm",
    "main_effects",
    "prequential_mean",
    "recovery_time",
    "running_difference",
    "shapley",
    "sign_flip",
    "slope_last_third",
    "split_alpha",
    "standardised",
    "two_way",
    "worst_case",
]
