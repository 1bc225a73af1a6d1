"""Holm's correction, bounds for missing pairs, effect sizes."""

import math

import numpy as np
import pytest

from toolkit.stats import holm, standardised, two_way, worst_case


def by_definition(p_values: list[float]) -> list[float]:
    """Smallest level at which the step-down procedure rejects each."""
    levels = []
    for own in p_values:
        smaller = sorted(p for p in p_values if p <= own)
        levels.append(min(1.0, max(p * (len(p_values) - rank) for rank, p in enumerate(smaller))))
    return levels


@pytest.mark.parametrize("p_values", [[0.01, 0.04, 0.03, 0.005], [0.5, 0.9], [0.2], [0.01, 0.01, 0.02]])
def test_holm_steps_down(p_values: list[float]) -> None:
    assert holm(p_values).tolist() == pytest.approx(by_definition(p_values))


def test_holm_keeps_tests_that_could_not_be_made_in_the_family() -> None:
    adjusted = holm([0.01, math.nan, 0.02])
    assert adjusted[[0, 2]].tolist() == pytest.approx([0.03, 0.04])
    assert math.isnan(adjusted[1])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(("p_values", "message"), [([0.1, 1.2], "not 1.2"), ([-0.1], "not -0.1"), ([[0.1]], "flat")])
def test_holm_refuses_what_is_no_p_value(p_values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        holm(p_values)


def test_worst_case_is_reached_by_the_worst_fillings() -> None:
    joint = np.array([0.5, -1.0, 1.0, 0.0])
    low, high = worst_case(joint.mean(), n_joint=4, n_missing=3)
    assert low == pytest.approx(np.append(joint, [-1] * 3).mean())
    assert high == pytest.approx(np.append(joint, [1] * 3).mean())
    assert worst_case(0.3, 10, 0) == pytest.approx((0.3, 0.3))
    assert worst_case(-1 - 1e-15, 10, 10) == pytest.approx((-1, 0)), "rounding is no error"
    assert worst_case(0.5, 1, 1, low=0, high=2) == pytest.approx((0.25, 1.25))


def test_worst_case_of_nothing_is_the_whole_range() -> None:
    assert worst_case(math.nan, 0, 5) == (-1.0, 1.0)
    assert worst_case(math.nan, 0, 0, low=0, high=1) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, -1, 0), "must not be negative"),
        ((0.5, 1, -2), "must not be negative"),
        ((1.5, 1, 0), "outside"),
        ((math.nan, 1, 0), "outside"),
        ((0.5, 1, 0, 1, -1), "low must be below high"),
    ],
)
def test_worst_case_names_what_is_wrong(arguments: tuple[float, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        worst_case(*arguments)


def crossed(seed: int, shift: float, runs: int = 8, clusters: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    run, cluster = np.repeat(np.arange(runs), clusters), np.tile(np.arange(clusters), runs)
    return shift + rng.normal(0, 0.6, clusters)[cluster] + rng.normal(0, 0.8, len(run)), run, cluster


def test_size_is_mean_by_deviation_whatever_the_unit() -> None:
    values, run, cluster = crossed(0, 0.4)
    found = standardised(values, run, cluster)
    assert found.value == pytest.approx(values.mean() / values.std(ddof=1))
    for unit in (1e-200, 1e200):
        scaled = standardised(values * unit, run, cluster)
        assert (scaled.value, scaled.low, scaled.high) == pytest.approx((found.value, found.low, found.high))
    assert standardised(-values, run, cluster).value == pytest.approx(-found.value)
    assert (found.low + found.high) / 2 == pytest.approx(found.value, abs=1e-12)
    assert found.method == "two-way cluster-robust t, linearised"


def test_size_near_zero_has_the_interval_of_the_mean() -> None:
    values, run, cluster = crossed(1, 0.0)
    values -= values.mean()
    found, mean = standardised(values, run, cluster), two_way(values, run, cluster)
    assert found.high == pytest.approx(mean.high / values.std(ddof=1), rel=1e-6)


def test_interval_of_a_large_size_counts_the_spread_of_the_deviation() -> None:
    """True size 3 (mean 3, variance .36 + .64): the interval covers it, which that of the mean alone would not."""
    hits, naive = [], []
    for seed in range(300):
        values, run, cluster = crossed(seed, 3.0)
        found, mean = standardised(values, run, cluster), two_way(values, run, cluster)
        hits.append(found.low <= 3 <= found.high)
        naive.append(abs(found.value - 3) <= (mean.high - mean.low) / 2 / values.std(ddof=1))
    assert np.mean(hits) > 0.91
    assert np.mean(naive) < 0.9


def test_size_without_spread_or_data_is_not_a_number() -> None:
    for values in ([0.3] * 4, [0.1 + 0.2, 0.3, 0.3, 0.3], [math.nan] * 4, [0.0] * 4):
        found = standardised(values, [1, 1, 2, 2], [1, 2, 1, 2])
        assert math.isnan(found.value)
        assert math.isnan(found.low)
        assert found.reason


def test_size_of_one_run_has_no_interval() -> None:
    found = standardised([1, 0, 1, math.nan], [1, 1, 1, 1], [1, 2, 3, 4])
    assert found.value == pytest.approx((2 / 3) / np.std([1, 0, 1], ddof=1))
    assert math.isnan(found.low)
    assert "one run" in found.reason
