"""When runs reach a level: by trailing means and by exams, against plain loops and against what was planted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.stats import Estimate, average, exam_time, reaching_time
from toolkit.stats.estimate import t_quantile

SCORES = st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, math.nan]), min_size=8, max_size=8), min_size=1, max_size=5)


@settings(max_examples=40)
@given(SCORES, st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 4))
def test_trailing_means_agree_with_a_plain_loop(scores: list[list[float]], target: float, window: int) -> None:
    for row, time in zip(scores, reaching_time(scores, target, window=window).times, strict=True):
        ends = [t for t in range(window, 9) if np.isfinite(part := np.array(row[t - window : t])).any()
                and np.nanmean(part) >= target - 1e-9]  # fmt: skip
        assert time == (ends[0] if ends else math.inf) or (math.isnan(time) and np.isnan(row).all())


@settings(max_examples=40)
@given(SCORES, st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 3))
def test_exams_agree_with_a_plain_loop(scores: list[list[float]], target: float, hold: int) -> None:
    at = [5 * place for place in range(8)]
    for row, time in zip(scores, exam_time(scores, at, target, hold=hold).times, strict=True):
        asked = [(place, one >= target) for place, one in zip(at, row, strict=True) if not math.isnan(one)]
        starts = [asked[i][0] for i in range(len(asked) - hold + 1) if all(up for _, up in asked[i : i + hold])]
        assert time == (starts[0] if starts else math.inf) or (math.isnan(time) and len(asked) < hold)


def test_runs_that_never_get_there_leave_the_median_or_its_bound_open() -> None:
    exams = [[0, 1, 1, 1]] * 4 + [[0, 0, 0, 1]] * 2  # the last exam alone confirms nothing
    found = exam_time(exams, [0, 10, 20, 30], 0.5)
    assert (found.median, found.low, found.high) == (10.0, 10.0, math.inf)
    assert (found.reached, found.runs) == (4, 6)
    assert "upper bound is open" in found.reason
    never = reaching_time([[0.0] * 10] * 6, 0.5, window=5)
    assert math.isnan(never.median)
    assert "0 of 6 runs were there" in never.reason
    nothing = reaching_time([[math.nan] * 10], 0.5, window=5)
    assert (nothing.runs, nothing.reason) == (0, "no run has scores enough; see which episodes failed")
    with pytest.raises(ValueError, match="target must be finite"):
        exam_time(exams, [0, 10, 20, 30], math.nan)
    with pytest.raises(ValueError, match="ascending"):
        exam_time(exams, [0, 10, 10, 30], 0.5)


def test_the_interval_of_the_median_covers_what_was_planted() -> None:
    """Runs jump to the level after 15 to 65 tasks, median 40; exams every 5 tasks see it by the next exam."""
    rng, at, held = np.random.default_rng(71), np.arange(0, 101, 5), []
    for _ in range(200):
        jump = rng.uniform(15, 65, (8, 1))
        chance = np.where(at >= jump, 0.9, 0.3)
        found = exam_time(rng.binomial(40, chance) / 40, at, 0.7)
        held.append(found.low <= 42.5 <= found.high)  # seen 2.5 tasks late on average
    assert np.mean(held) >= 0.95


def test_the_mean_over_streams_covers_and_lacks_an_interval_where_one_of_them_does() -> None:
    rng, held = np.random.default_rng(72), []
    for _ in range(600):
        found = []
        for truth, sd in ((0.1, 0.1), (-0.2, 0.2), (0.3, 0.05)):
            own = rng.normal(truth, sd, 6)
            half = float(t_quantile(0.9, 5.0)) * own.std(ddof=1) / math.sqrt(6)
            found.append(Estimate(own.mean(), own.mean() - half, own.mean() + half, 0.9, 0.5, 6, 6, 6, 5.0, "t", ""))
        both = average(found)
        held.append(both.low <= 0.2 / 3 <= both.high)
    assert 0.93 <= np.mean(held) <= 0.98
    bare = Estimate(0.1, math.nan, math.nan, 0.9, math.nan, 6, 1, 6, math.nan, "t", "", "one run")
    mixed = average([*found, bare])
    assert (math.isnan(mixed.low), mixed.reason) == (True, "one run")
    assert average([]).reason == "no stream has a value"
