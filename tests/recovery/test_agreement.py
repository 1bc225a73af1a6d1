"""Raters with planted agreement: it is found, and intervals hold it as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.stats import cohen_kappa, fleiss_kappa, krippendorff_alpha

SHARES = np.array([0.5, 0.3, 0.2])
PLANTED = 0.6
Draw = np.random.Generator


def same_or_chance(units: int, raters: int, rng: Draw) -> np.ndarray:
    """Labels that a rater takes from the unit with chance sqrt(PLANTED), else at random: kappa and alpha are PLANTED.

    Two raters both look with chance PLANTED, and then agree; else they agree as chance has it.
    """
    true = rng.choice(3, units, p=SHARES)
    looked = rng.random((units, raters)) < np.sqrt(PLANTED)
    return np.where(looked, true[:, None], rng.choice(3, (units, raters), p=SHARES))


def shifted(units: int, raters: int, rng: Draw) -> np.ndarray:
    """Numbers with the unit's share PLANTED of the variance: interval alpha is PLANTED."""
    own = rng.normal(0, np.sqrt(1 - PLANTED), (units, raters))
    return rng.normal(0, np.sqrt(PLANTED), units)[:, None] + own


def holed(table: np.ndarray, rng: Draw, share: float = 0.2) -> np.ndarray:
    found = table.astype(object)
    found[rng.random(table.shape) < share] = None
    return found


def coverage(kind: str, units: int, studies: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    held = []
    for _ in range(studies):
        if kind == "cohen":
            found = cohen_kappa(same_or_chance(units, 2, rng), rng=rng, draws=400)
        elif kind == "fleiss":
            found = fleiss_kappa(same_or_chance(units, 4, rng), rng=rng, draws=400)
        elif kind == "nominal":
            found = krippendorff_alpha(holed(same_or_chance(units, 3, rng), rng), rng=rng, draws=400)
        else:
            found = krippendorff_alpha(holed(shifted(units, 3, rng), rng), "interval", rng=rng, draws=400)
        held.append(found.low <= PLANTED <= found.high)
    return float(np.mean(held))


@pytest.mark.parametrize("kind", ["cohen", "fleiss", "nominal", "interval"])
def test_planted_agreement_is_covered(kind: str) -> None:
    assert 0.90 <= coverage(kind, 50, 200, 31) <= 0.985  # 200 studies: a Monte-Carlo error of .016


@pytest.mark.validate
@pytest.mark.parametrize("units", [20, 50, 100])
@pytest.mark.parametrize("kind", ["cohen", "fleiss", "nominal", "interval"])
def test_planted_agreement_is_covered_as_often_as_it_says(kind: str, units: int) -> None:
    low = 0.88 if units < 50 else 0.91
    assert low <= coverage(kind, units, 1500, 32) <= 0.97


def test_ranks_do_not_care_how_far_numbers_lie_apart() -> None:
    table = np.round(3 * shifted(80, 3, np.random.default_rng(33)))
    one, other = (krippendorff_alpha(found, "ordinal", rng=np.random.default_rng(1)) for found in (table, table**3))
    assert one == other
    assert one.low < PLANTED < one.high


def test_raters_who_do_not_look_agree_by_chance_alone() -> None:
    rng = np.random.default_rng(34)
    found = [krippendorff_alpha(rng.choice(3, (60, 3), p=SHARES), rng=rng, draws=400) for _ in range(200)]
    assert 0.88 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 1
    assert abs(np.mean([one.value for one in found])) < 0.02
