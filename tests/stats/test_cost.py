"""Ratios of paired means, the Pareto front, breaking even: planted ones are found, degenerate ones have a reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.stats import break_even, front, ratio, two_way

Floats = NDArray[np.float64]


def crossed(runs: int, tasks: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Labels of runs and tasks of a full table, as it is raveled."""
    return np.repeat(np.arange(runs), tasks), np.tile(np.arange(tasks), runs)


def planted(rng: np.random.Generator, runs: int, tasks: int, gain: float, cost: float) -> tuple[Floats, Floats]:
    """Gains and costs with effects of runs and of tasks, and costs that go with gains."""
    won = gain + rng.normal(0, 0.05, runs)[:, None] + rng.normal(0, 0.2, tasks) + rng.normal(0, 0.4, (runs, tasks))
    paid = cost + rng.normal(0, 5, runs)[:, None] + rng.normal(0, 15, tasks) + 20 * (won - gain)
    return won.ravel(), (paid + rng.normal(0, 30, (runs, tasks))).ravel()


def covered(studies: int, runs: int, tasks: int) -> float:
    """Share of simulated studies whose interval holds the planted ratio."""
    rng, hits = np.random.default_rng(11), 0
    labels = crossed(runs, tasks)
    for _ in range(studies):
        found = ratio(*planted(rng, runs, tasks, 0.2, 50.0), *labels)
        hits += found.low <= 0.2 / 50 <= found.high
    return hits / studies


def test_a_planted_ratio_lies_in_its_interval_at_the_nominal_rate() -> None:
    assert 0.90 <= covered(200, 6, 40) <= 0.99  # 3 standard errors are .046


@pytest.mark.validate
@pytest.mark.parametrize(("runs", "tasks"), [(5, 50), (10, 100), (20, 200)])
def test_coverage_of_ratios_in_long_simulations(runs: int, tasks: int) -> None:
    assert 0.93 <= covered(2000, runs, tasks) <= 0.97


def test_a_ratio_excludes_zero_exactly_where_the_gain_does() -> None:
    rng, labels, seen = np.random.default_rng(3), crossed(6, 30), set()
    for _ in range(40):
        gain, cost = planted(rng, 6, 30, 0.1, 50.0)
        found, won = ratio(gain, cost, *labels), two_way(gain, *labels)
        assert found.excludes_zero == won.excludes_zero
        assert found.p_value == won.p_value
        seen.add(found.excludes_zero)
    assert seen == {True, False}


def test_a_constant_cost_divides_the_interval_of_the_gain() -> None:
    labels = crossed(6, 30)
    gain, _ = planted(np.random.default_rng(4), 6, 30, 0.1, 1.0)
    won, found = two_way(gain, *labels), ratio(gain, np.full(180, 4.0), *labels)
    assert (found.value, found.low, found.high) == pytest.approx((won.value / 4, won.low / 4, won.high / 4))


def test_units_of_gain_and_cost_only_rescale() -> None:
    labels = crossed(6, 30)
    gain, cost = planted(np.random.default_rng(5), 6, 30, 0.2, 50.0)
    one, other = ratio(gain, cost, *labels), ratio(gain * 1e3, -cost * 1e-9, *labels)
    assert [-x * 1e-12 for x in (other.value, other.high, other.low)] == pytest.approx([one.value, one.low, one.high])


@pytest.mark.parametrize(
    ("gain", "cost", "why"),
    [
        ([1, 0, 1, 0], [1, -1, 1, -1], "the extra tokens are 0 on average"),
        ([1, 0, 1, 1], [9, -8, 7, -7], "covers 0: the ratio is unbounded"),
        ([1, 1, 1, 1], [999, 1000, 1001, 1000], "all 4 values are 1: no spread"),
        ([math.nan] * 4, [1, 2, 1, 3], "no values"),
    ],
)
def test_what_has_no_interval_says_why(gain: list[float], cost: list[float], why: str) -> None:
    found = ratio(gain, cost, *crossed(2, 2), of="tokens")
    assert math.isnan(found.low)
    assert why in found.reason


def test_one_run_leaves_the_value_alone() -> None:
    found = ratio([1, 0, 1, 1], [3, 1, 2, 2], [0] * 4, range(4))
    assert math.isnan(found.low)
    assert "one run" in found.reason
    assert found.value == pytest.approx(3 / 8)


def test_gain_in_proportion_to_cost_is_no_certainty() -> None:
    _, cost = planted(np.random.default_rng(6), 6, 30, 0.2, 50.0)
    found = ratio(cost / 100, cost, *crossed(6, 30))
    assert math.isnan(found.low)
    assert "in one proportion" in found.reason


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="of one shape"):
        ratio([1, 2], [1], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="as long"):
        front([1, 2], [1])


numbers = st.one_of(st.integers(0, 5).map(float), st.just(math.nan))
arms = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


@given(arms)
def test_the_front_is_what_nothing_known_beats(points: list[tuple[float, float]]) -> None:
    found = front(*zip(*points, strict=True))
    known = [point for point in points if not any(map(math.isnan, point))]
    for point, on in zip(points, found, strict=True):
        assert on == (point in known and not any(beats(other, point) for other in known))
    if known:
        best = max(score for score, _ in known)
        assert any(on and point[0] == best for point, on in zip(points, found, strict=True))


@given(arms, st.randoms(use_true_random=False))
def test_the_front_does_not_hang_on_order_or_unit(points: list[tuple[float, float]], rng: object) -> None:
    shuffled = list(enumerate(points))
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    there = front([p[0] for _, p in shuffled], [p[1] * 1000 for _, p in shuffled])
    plain = front(*zip(*points, strict=True))
    assert {place for (place, _), on in zip(shuffled, there, strict=True) if on} == set(np.flatnonzero(plain))


def test_the_task_from_which_a_gain_has_paid() -> None:
    gain = np.zeros((7, 10))
    gain[:, 3] = 1  # worth 5: net is -1, -2, -3, +1, 0, -1 ... at a cost of 1 a task
    gain[:6, 6] = 1  # +3 after the seventh, 0 after the tenth
    gain[:5, 9] = 1
    found = break_even(gain, np.ones((7, 10)), value=5)
    assert found.tasks[:5] == (7.0,) * 5
    assert math.isnan(found.tasks[5])
    assert math.isnan(found.tasks[6])
    assert (found.median, found.low, found.runs, found.reached) == (7.0, 7.0, 7, 5)
    assert math.isnan(found.high)
    assert found.reason == "the upper bound lies beyond the stream"


def test_missing_pairs_add_nothing_and_keep_their_place() -> None:
    nothing = math.nan
    found = break_even([[nothing, 0, 2, nothing], [nothing] * 4], np.ones((2, 4)), value=1)
    assert found.runs == 1
    assert math.isnan(found.tasks[0])
    assert break_even([[nothing, 0, 3, nothing]], np.ones((1, 4)), value=1).tasks == (3.0,)
    assert "no pairs" in break_even([[nothing]], [[1.0]], value=1).reason


def test_never_breaking_even_is_told() -> None:
    found = break_even(np.zeros((6, 5)), np.ones((6, 5)), value=100)
    assert math.isnan(found.median)
    assert found.reason == "6 of 6 runs have not broken even by their last task"


def test_bounds_of_the_median_need_six_runs() -> None:
    gain, cost = np.ones((5, 4)), np.zeros((5, 4))
    found = break_even(gain, cost, value=1)
    assert (found.median, found.tasks) == (1.0, (1.0,) * 5)
    assert "5 runs: bounds of the median at 95 % need 6 or more" in found.reason
    assert break_even(gain[:4], cost[:4], value=1, level=0.8).low == 1.0


def test_bounds_of_the_median_hold_it_at_the_level() -> None:
    rng, runs, studies, hits = np.random.default_rng(8), 9, 400, 0
    for _ in range(studies):
        at = rng.integers(0, 1000, runs)  # the median of the places is 500
        gain = np.zeros((runs, 1000))
        gain[np.arange(runs), at] = 1
        found = break_even(gain, np.full((runs, 1000), 1e-6), value=1)
        hits += found.low <= 500.5 <= found.high
    assert hits / studies >= 0.93  # 9 runs: second smallest to second largest, .961


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=8), st.integers(1, 4))
def test_more_value_never_breaks_even_later_where_nothing_is_lost(rows: list[list[int]], cost: int) -> None:
    gain, paid = np.maximum(rows, 0), np.full((len(rows), 4), float(cost))
    cheap, dear = (break_even(gain, paid, value=value).tasks for value in (2.0, 3.0))
    assert all(math.isnan(a) or b <= a for a, b in zip(cheap, dear, strict=True))


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_right_answer_is_worth_something(value: float) -> None:
    with pytest.raises(ValueError, match="value must be above 0"):
        break_even([[1.0]], [[1.0]], value=value)
