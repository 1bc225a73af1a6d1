"""The interval of one run: textbook where clusters are single, robust where they are not, silent where it must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from toolkit.stats import one_way


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_paired_t_test_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 2, size=(2, 40)).astype(float)
    ours, theirs = one_way(first - second, np.arange(40)), stats.ttest_rel(first, second)
    low, high = theirs.confidence_interval(0.95)
    assert [ours.low, ours.high, ours.p_value, ours.df] == pytest.approx([low, high, theirs.pvalue, 39], abs=1e-12)


def test_equal_clusters_give_the_t_interval_of_their_means() -> None:
    values = np.random.default_rng(1).normal(size=(12, 5))
    ours = one_way(values.ravel(), np.repeat(np.arange(12), 5))
    theirs = stats.ttest_1samp(values.mean(1), 0).confidence_interval(0.95)
    assert [ours.low, ours.high] == pytest.approx(list(theirs), abs=1e-12)


@pytest.mark.parametrize(
    ("values", "cluster", "reason"),
    [
        ([], [], "no values"),
        ([math.nan, math.nan], [1, 2], "no values"),
        ([1.0, 0.0], ["a", "a"], "one task"),
        ([1.0], ["a"], "one task"),
        ([0.5, 0.5, 0.5], [1, 2, 3], "no spread"),
        ([0.0, 1.0, 0.0, 1.0], [1, 1, 2, 2], "same mean"),
    ],
)
def test_too_little_gives_no_interval_and_says_why(values: list[float], cluster: list[object], reason: str) -> None:
    found = one_way(values, cluster)
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)
    assert not found.excludes_zero
    assert reason in found.reason


def test_few_clusters_are_doubted_and_missing_values_dropped() -> None:
    found = one_way([1.0, 0.0, math.nan, 1.0], ["a", "b", "c", "d"])
    assert (found.n, found.clusters, found.runs) == (3, 3, 1)
    assert "fewer than 5" in found.reason
    assert "this run only" in found.target


def _coverage(clusters: int, size: int, times: int) -> float:
    """Share of intervals that hold the truth, of skewed binary pairs that share cluster effects."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(times):
        hard = rng.normal(size=(clusters, 1))
        tilt = rng.normal(0.3, 0.5, size=(clusters, 1))
        draw = rng.normal(size=(2, clusters, size))
        gap = (draw[0] < hard + tilt).astype(float) - (draw[1] < hard)
        found = one_way(gap.ravel(), np.repeat(np.arange(clusters), size))
        held += found.low <= _TRUTH <= found.high
    return held / times


_RNG = np.random.default_rng(0)
_HARD, _TILT = _RNG.normal(size=400_000), _RNG.normal(0.3, 0.5, size=400_000)
_TRUTH = float((stats.norm.cdf(_HARD + _TILT) - stats.norm.cdf(_HARD)).mean())


def test_it_covers_what_it_says() -> None:
    assert _coverage(40, 6, 1000) == pytest.approx(0.95, abs=0.025)


def test_equal_arms_differ_at_the_nominal_rate() -> None:
    rng = np.random.default_rng(3)
    pairs = rng.integers(0, 2, size=(2000, 2, 60))
    found = [one_way(one[0] - one[1], np.arange(60)).excludes_zero for one in pairs]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


@pytest.mark.validate
@pytest.mark.parametrize(("clusters", "size"), [(20, 1), (50, 1), (500, 1), (20, 10), (100, 4)])
def test_it_covers_what_it_says_long(clusters: int, size: int) -> None:
    assert _coverage(clusters, size, 8000) == pytest.approx(0.95, abs=0.02)
