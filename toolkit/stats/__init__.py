"""Statistics of paired, streamed experiments: arrays in, estimates out. Imports no other part of the toolkit."""

from toolkit.stats.curves import CurveBand, curve_band, prequential_mean, slope_last_third
from toolkit.stats.effects import holm, standardised, worst_case
from toolkit.stats.estimate import Estimate
from toolkit.stats.factorial import Effect, Effects, main_effects, shapley
from toolkit.stats.inference import crossed_bootstrap, sign_flip, two_way

__all__ = [
    "CurveBand",
    "Effect",
    "Effects",
    "Estimate",
    "crossed_bootstrap",
    "curve_band",
    "holm",
    "main_effects",
    "prequential_mean",
    "shapley",
    "sign_flip",
    "slope_last_third",
    "standardised",
    "two_way",
    "worst_case",
]
