"""Alarms judged: delays are found, misses are not passed over, false alarms are counted where they can be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.stats import detection_delays, false_alarms, steepest_fall


@given(st.lists(st.integers(1, 30), min_size=1, max_size=15))
def test_of_runs_that_all_ring_the_delay_is_the_median(waits: list[int]) -> None:
    [found] = detection_delays([[10 + wait, 45] for wait in waits], [10], [60] * len(waits))
    assert found.times.tolist() == waits
    assert found.median == np.median(waits)
    assert (found.runs, found.reached, found.missed) == (len(waits), len(waits), 0)


def test_each_alarm_counts_for_the_change_before_it_and_one_at_a_change_for_what_was_before() -> None:
    first, second = detection_delays([[10, 30], [25, 31], [5]], [10, 30], [50, 50, 50])
    assert first.times.tolist() == [20, 15, math.inf]
    assert second.times.tolist() == [math.inf, 1, math.inf]
    assert math.isnan(second.median)
    assert "1 of 3 runs were alarmed: the median lies beyond the end" in second.reason


def test_misses_count_as_later_than_all_and_runs_that_never_came_so_far_do_not_count() -> None:
    alarms = [[12], [13], [14], [15], [16], [], [17], []]
    [found] = detection_delays(alarms, [10], [40] * 7 + [9])
    assert (found.median, found.low, found.high) == (5, 2, math.inf)
    assert (found.runs, found.reached, found.missed) == (7, 6, 1)
    assert math.isnan(found.times[-1])
    [none] = detection_delays([[]], [10], [10])
    assert (none.runs, none.reason) == (0, "no run has met the change; go on with the study")


def test_false_alarms_are_those_before_a_change_and_those_after_its_first() -> None:
    found = false_alarms([[5, 10, 14, 20, 40], []], [10, 30], [50, 50])
    assert found.n == (10 + (30 - 14) + (50 - 40)) + 10
    assert found.value == pytest.approx(1000 * 3 / found.n)
    assert found.low < found.value < found.high
    silent = false_alarms([[]] * 4, [], [250] * 4)
    assert (silent.value, silent.low) == (0, 0)
    assert silent.high == pytest.approx(-math.log(0.025))  # of none in 1000
    nowhere = false_alarms([[]], [], [0])
    assert math.isnan(nowhere.value)
    assert "nowhere to look" in nowhere.reason


def test_the_rate_is_covered_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        alarms = [np.flatnonzero(rng.random(400) < 0.005).tolist() for _ in range(3)]
        found = false_alarms(alarms, [], [400] * 3)
        covered += found.low <= 5 <= found.high
    assert covered >= 0.95 * 300 - 3 * math.sqrt(300 * 0.95 * 0.05)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 1), st.floats(-1, 0))
def test_the_place_of_a_step_down_is_exact(before: int, after: int, high: float, low: float) -> None:
    assert steepest_fall([high] * before + [low] * after) == after


def test_a_rise_is_no_fall() -> None:
    assert steepest_fall([0] * 10 + [1] * 30 + [0] * 5) == 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(([[]], [10], []), "1 and 0"), (([[]], [10, 10], [20]), "ascending numbers"), (([[]], [0], [20]), "at least 1")],
)
def test_what_cannot_be_is_refused(arguments: tuple[object, ...], told: str) -> None:
    for judge in (detection_delays, false_alarms):
        with pytest.raises(ValueError, match=told):
            judge(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two values or more"):
        steepest_fall([1])
