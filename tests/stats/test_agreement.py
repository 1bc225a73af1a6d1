"""Agreement of raters: the published worked example, the formulas pair by pair, and where there is no number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.stats import Agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha

NONE = None
EXAMPLE = [  # Krippendorff (2011): four observers, twelve units; the last was rated once
    *([1, 1, NONE, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4]),
    *([4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [NONE, 5, 5, 5], [NONE, NONE, 1, 1], [NONE, 3, NONE, NONE]),
]


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_worked_example_is_what_was_published(scale: str, published: float) -> None:
    found = krippendorff_alpha(EXAMPLE, scale, rng=rng())  # type: ignore[arg-type]
    assert round(found.value, 3) == published
    assert (found.units, found.raters, found.ratings, found.left_out) == (11, 4, 40, 1)
    assert found.low < found.value < found.high <= 1
    assert "fewer than 30" in found.reason
    assert "\n" not in str(found)
    assert str(found).startswith(f"Krippendorff's alpha ({scale}) {published:.3f} [")


def by_pairs(table: list[list[int | None]], scale: str) -> float:
    """Alpha as it is defined: every pair of ratings by itself."""
    units = [[one for one in row if one is not None] for row in table]
    units = [row for row in units if len(row) > 1]
    whole = [one for row in units for one in row]
    counts = {one: whole.count(one) for one in set(whole)}

    def gap(a: int, b: int) -> float:
        if scale == "nominal":
            return float(a != b)
        if scale == "interval":
            return float(a - b) ** 2
        a, b = min(a, b), max(a, b)
        return (sum(n for one, n in counts.items() if a <= one <= b) - (counts[a] + counts[b]) / 2) ** 2

    n = len(whole)
    observed = sum(sum(gap(a, b) for a, b in itertools.permutations(row, 2)) / (len(row) - 1) for row in units) / n
    expected = sum(gap(a, b) for a, b in itertools.permutations(whole, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected else math.nan


TABLES = st.lists(st.lists(st.none() | st.integers(-2, 4), min_size=3, max_size=3), min_size=3, max_size=12)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_that_of_its_pairs(table: list[list[int | None]], scale: str) -> None:
    found = krippendorff_alpha(table, scale, rng=rng(), draws=100)  # type: ignore[arg-type]
    units = sum(sum(one is not None for one in row) > 1 for row in table)
    assert found.units == units
    assert found.units + found.left_out == len(table)
    if units < 2:
        assert math.isnan(found.value)
        assert "units were rated" in found.reason
        return
    assert found.value == pytest.approx(by_pairs(table, scale), abs=1e-9, nan_ok=True)
    assert math.isnan(found.value) <= math.isnan(found.low) == math.isnan(found.high)
    assert found.reason or found.low <= found.high


@settings(max_examples=25, deadline=None)
@given(TABLES, st.randoms())
def test_neither_order_nor_names_matter(table: list[list[int | None]], shuffle: object) -> None:
    words = [[None if one is None else f"label {one}" for one in row] for row in table]
    shuffle.shuffle(words)  # type: ignore[attr-defined]
    for row in words:
        shuffle.shuffle(row)  # type: ignore[attr-defined]
    plain, named = (krippendorff_alpha(one, rng=rng(), draws=100) for one in (table, words))
    assert named.value == pytest.approx(plain.value, nan_ok=True)
    assert krippendorff_alpha(table, rng=rng(), draws=100) == pytest.approx(plain) or math.isnan(plain.low)


@pytest.mark.parametrize("function", [cohen_kappa, fleiss_kappa])
def test_resamples_are_weighed_by_the_formula_of_the_estimate(function: Callable[..., Agreement]) -> None:
    """The value is statsmodels', the resamples are ours: of doubled units both are the same."""
    draw = np.random.default_rng(3)
    first = draw.integers(0, 3, 30)
    table = np.stack([first, np.where(draw.random(30) < 0.6, first, draw.integers(0, 3, 30))], 1)
    found = function(table, rng=rng())
    agree, (a, b) = np.mean(table[:, 0] == table[:, 1]), ([np.mean(table[:, i] == k) for k in range(3)] for i in (0, 1))
    chance = sum(x * y for x, y in zip(a, b, strict=True))
    if function is fleiss_kappa:
        chance = sum((x + y) ** 2 / 4 for x, y in zip(a, b, strict=True))
    assert found.value == pytest.approx((agree - chance) / (1 - chance))
    assert found.low < found.value < found.high
    assert found.reason == ""
    doubled = function(np.repeat(table, 40, axis=0), rng=rng())
    assert doubled.value == pytest.approx(found.value)
    assert doubled.high - doubled.low < (found.high - found.low) / 4
    assert (doubled.low + doubled.high) / 2 == pytest.approx(found.value, abs=0.03)  # resamples lie about the estimate


def test_ratings_that_are_missing_leave_units_out() -> None:
    table = [["a", "a", "b"], ["a", "b", None], ["b", "b", "b"], ["a", math.nan, "a"], ["b", "b", "a"]]
    found = fleiss_kappa(table, rng=rng())
    assert (found.units, found.left_out, found.ratings) == (3, 2, 9)
    assert krippendorff_alpha(table, rng=rng()).units == 5


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([["a", "b"]], "1 units were rated"),
        ([["a", None], [None, "b"]], "0 units were rated"),
        ([["a", "a"], ["a", "a"]], "all ratings are 'a'"),
        ([["a", "a"], ["b", "b"]], "agree on every unit"),
        ([[1, 2]] * 30, "all resamples come out alike"),
        ([], "units x raters"),
    ],
)
def test_too_little_is_told(table: list[list[object]], reason: str) -> None:
    for function in (cohen_kappa, fleiss_kappa, krippendorff_alpha):
        if not table:
            with pytest.raises(ValueError, match=reason):
                function(table, rng=rng())
            continue
        found = function(table, rng=rng())
        assert reason in found.reason
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert math.isnan(found.value) == ("agree" not in reason and "alike" not in reason)
        assert ("n/a" in str(found)) == math.isnan(found.value)


def test_one_rater_agrees_with_nobody() -> None:
    found = krippendorff_alpha([[1], [2], [3]], "interval", rng=rng())
    assert math.isnan(found.value)
    assert found.left_out == 3
    assert "0 units were rated" in fleiss_kappa([[1], [2]], rng=rng()).reason
    with pytest.raises(ValueError, match="needs 2 raters but the table has 3"):
        cohen_kappa([[1, 1, 1]], rng=rng())


def test_bad_input_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="scale must be one of nominal, ordinal, interval but is 'ratio'"):
        krippendorff_alpha([[1, 2]], "ratio", rng=rng())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be numbers but one is 'bad'"):
        krippendorff_alpha([["good", "bad"], ["bad", "bad"]], "ordinal", rng=rng())
    with pytest.raises(ValueError, match="draws must be at least 100"):
        fleiss_kappa([[1, 2], [2, 2]], rng=rng(), draws=9)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        fleiss_kappa([[1, 2], [2, 2]], rng=rng(), level=95)


def test_the_same_seed_gives_the_same_bounds() -> None:
    first, second = (krippendorff_alpha(EXAMPLE, "ordinal", rng=rng()) for _ in range(2))
    assert first == second
    assert first.low != krippendorff_alpha(EXAMPLE, "ordinal", rng=np.random.default_rng(8)).low
