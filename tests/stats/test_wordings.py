"""Wordings of a text as a random factor: what the numbers come to by hand, and where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.stats import two_way, wording_contrast
from toolkit.stats.estimate import t_quantile

RUN, TASK = np.repeat([1, 2, 3], 4), np.tile([1, 2, 3, 4], 3)
NOISE = np.random.default_rng(5).normal(0, 1, (2, 3, 12))


def test_wordings_that_differ_by_constants_give_the_variance_of_their_means() -> None:
    """Nothing is mixed with runs or tasks: V is that of the differences and that of the wordings, added up."""
    base, first, second = NOISE[0, 0], np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0])
    found = wording_contrast(base + first[:, None], 0 * base + second[:, None], RUN, TASK)
    whole = two_way(base + first.mean() - second.mean(), RUN, TASK)
    assert found.fixed.value == pytest.approx(whole.value)
    assert found.fixed.low == pytest.approx(whole.low)
    parts = [
        ((whole.high - whole.low) / 2 / float(t_quantile(0.95, whole.df))) ** 2,
        first.var(ddof=1) / 3,
        second.var(ddof=1) / 2,
    ]
    df = sum(parts) ** 2 / sum(part**2 / free for part, free in zip(parts, (whole.df, 2, 1), strict=True))
    half = float(t_quantile(0.95, df)) * math.sqrt(sum(parts))
    assert (found.estimate.df, found.estimate.high - found.estimate.value) == pytest.approx((df, half))
    assert found.first.sd == pytest.approx(first.std(ddof=1))
    assert "; 2 wordings of a text" in found.estimate.reason


@settings(max_examples=25)
@given(st.floats(-5, 5), st.floats(0.1, 10), st.permutations(range(3)))
def test_it_moves_with_units_and_not_with_the_order_of_wordings(shift: float, scale: float, order: list[int]) -> None:
    plain = wording_contrast(*NOISE, RUN, TASK).estimate
    moved = wording_contrast(shift + scale * NOISE[0][order], scale * NOISE[1], RUN, TASK).estimate
    assert moved.value == pytest.approx(shift + scale * plain.value)
    assert moved.high - moved.low == pytest.approx(scale * (plain.high - plain.low))
    back = wording_contrast(NOISE[1], NOISE[0], RUN, TASK).estimate
    assert (back.value, back.low) == pytest.approx((-plain.value, -plain.high))


def test_one_wording_says_nothing_of_others_and_missing_scores_leave_a_pair_out() -> None:
    one = wording_contrast(NOISE[0][:1], NOISE[1], RUN, TASK)
    assert math.isnan(one.estimate.low)
    assert math.isnan(one.estimate.p_value)
    assert "add paraphrases" in one.estimate.reason
    assert one.estimate.value == one.fixed.value
    assert math.isnan(one.first.sd)
    assert one.second.sd >= 0
    gone = NOISE[0].copy()
    gone[1, 3] = math.nan
    found = wording_contrast(gone, NOISE[1], RUN, TASK)
    there = np.arange(12) != 3
    assert found.left_out == 1
    assert found.estimate.value == pytest.approx((NOISE[0].mean(0) - NOISE[1].mean(0))[there].mean())


def test_what_has_no_interval_over_runs_and_tasks_has_none_over_wordings() -> None:
    for first, second in ((NOISE[0] * 0 + 1, NOISE[1] * 0), (NOISE[0] * math.nan, NOISE[1])):
        found = wording_contrast(first, second, RUN, TASK)
        assert math.isnan(found.estimate.low)
        assert found.estimate.reason
    assert math.isnan(wording_contrast(np.empty((0, 12)), NOISE[1], RUN, TASK).estimate.value)
    assert "one run" in wording_contrast(*NOISE, RUN * 0, TASK).estimate.reason
    with pytest.raises(ValueError, match="same columns"):
        wording_contrast(NOISE[0][:, :5], NOISE[1], RUN, TASK)
    with pytest.raises(ValueError, match=r"one wording is \[scores\]"):
        wording_contrast(NOISE[0][0], NOISE[1], RUN, TASK)
