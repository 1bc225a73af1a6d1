"""Recovery after a change: planted times are found, and runs that never come back are not passed over."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.stats import recovery_time


def lost(wait: int, rng: np.random.Generator, runs: int = 11, tasks: int = 400) -> np.ndarray:
    """.8 before task 200, .2 for so many tasks after it, .9 to the end."""
    mean = np.concatenate([np.full(200, 0.8), np.full(wait, 0.2), np.full(tasks - 200 - wait, 0.9)])
    return (rng.random((runs, tasks)) < mean).astype(float)


@pytest.mark.parametrize("wait", [20, 60, 120])
def test_a_planted_time_is_found(wait: int) -> None:
    found = recovery_time(lost(wait, np.random.default_rng(wait)), 200, window=25, tolerance=0.05)
    assert found.reached == found.runs == 11
    assert wait <= found.median <= wait + 35, "the window lies wholly after the loss, but for chance"
    assert found.low <= found.median <= found.high


def test_without_a_change_it_takes_the_window_and_little_more() -> None:
    rng = np.random.default_rng(1)
    found = recovery_time((rng.random((40, 400)) < 0.8).astype(float), 200, window=25, tolerance=0.1)
    assert 25 <= found.median <= 35


@given(st.lists(st.integers(0, 30), min_size=1, max_size=15), st.integers(1, 6))
def test_of_certain_scores_the_time_is_the_wait_and_the_window(waits: list[int], window: int) -> None:
    scores = [[1] * 6 + [0] * wait + [1] * (40 - wait) for wait in waits]
    found = recovery_time(scores, 6, window=window)
    np.testing.assert_array_equal(found.times, np.array(waits) + window)
    assert found.median == np.median(found.times)
    assert found.reached == found.runs == len(waits)


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        waits = np.minimum(rng.geometric(0.05, size=12), 100)  # median 14
        found = recovery_time([[1] + [0] * wait + [1] * (101 - wait) for wait in waits], 1, window=1)
        covered += found.low <= 14 + 1 <= found.high
    assert covered >= 0.95 * 400 - 4 * math.sqrt(0.95 * 0.05 * 400)


def test_runs_that_are_not_back_count_as_later_than_all() -> None:
    waits = (5, 6, 7, 8, 9, 100, 100)
    found = recovery_time([[1] * 5 + ([0] * wait + [1] * 50)[:50] for wait in waits], 5, window=5)
    assert (found.median, found.low, found.high) == (13, 10, math.inf)
    assert (found.reached, found.runs) == (5, 7)
    assert "5 of 7 runs were back: the upper bound is open" in found.reason
    found = recovery_time([[1] * 5 + ([0] * wait + [1] * 50)[:50] for wait in (5, 100, 100)], 5, window=5)
    assert math.isnan(found.median)
    assert "the median lies beyond the end" in found.reason


def test_a_run_that_was_cut_off_leaves_open_what_it_might_have_told() -> None:
    scores = np.array([[1.0] * 5 + [0] * wait + [1] * (50 - wait) for wait in (5, 6, 20, 21, 22, 23, 24)])
    scores[0, 15:] = math.nan  # back at task 10 after the change, and seen to be
    scores[2, 17:] = math.nan  # not back after 12 tasks: no more is known
    found = recovery_time(scores, 5, window=5)
    assert math.isinf(found.times[2])
    assert math.isnan(found.median)
    assert "followed for 12 tasks only" in found.reason


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.full((3, 20), math.nan), "no run has a score"),
        (np.empty((0, 20)), "no run has a score"),
        (np.ones((3, 20)), r"3 runs: bounds from order statistics need more runs \(6 at 95% and better more\)"),
    ],
)
def test_too_little_is_no_certainty(scores: np.ndarray, told: str) -> None:
    found = recovery_time(scores, 10, window=5)
    assert math.isnan(found.low)
    assert re.search(told, found.reason)


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="at must be at least window"):
        recovery_time([[1, 0]], 1, window=2)
    with pytest.raises(ValueError, match="tolerance must be"):
        recovery_time([[1, 0]], 1, window=1, tolerance=-1)
    with pytest.raises(ValueError, match="runs x episodes"):
        recovery_time([1, 0], 1, window=1)
