"""Statistics of paired, streamed experiments: arrays in, estimates out. Imports no other part of the toolkit."""

from toolkit.stats.cost import BreakEven, break_even, front, ratio
from toolkit.stats.curves import CurveBand, curve_band, prequential_mean, slope_last_third
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

__all__ = [
    "BreakEven",
    "ConfidenceSequence",
    "Crossing",
    "CurveBand",
    "Effect",
    "Effects",
    "Estimate",
    "break_even",
    "confidence_sequence",
    "crossed_bootstrap",
    "crosses",
    "curve_band",
    "front",
    "holm",
    "main_effects",
    "prequential_mean",
    "ratio",
    "running_difference",
    "shapley",
    "sign_flip",
    "slope_last_third",
    "split_alpha",
    "standardised",
    "two_way",
    "worst_case",
]
