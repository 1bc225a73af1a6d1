"""Prediction-powered means: what they come to by hand, and where they are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.stats import predicted_difference, predicted_mean, two_way

RUN, TASK = np.repeat(np.arange(4), 15), np.tile(np.arange(15), 4)
DRAW = np.random.default_rng(9)
TRUE = DRAW.normal(0, 1, 60)
SAID = 2 * TRUE + 1 + DRAW.normal(0, 0.5, 60)
NONE = np.full(60, np.nan)
HUMAN = np.where(np.arange(60) % 3 == 0, TRUE, np.nan)


def test_it_is_the_regression_estimator() -> None:
    there = ~np.isnan(HUMAN)
    slope = np.polyfit(SAID[there], TRUE[there], 1)[0]
    found = predicted_mean(SAID, HUMAN, RUN, TASK)
    assert found.weights == pytest.approx((slope,))
    assert found.estimate.value == pytest.approx(TRUE[there].mean() + slope * (SAID.mean() - SAID[there].mean()))
    assert found.alone.value == pytest.approx(TRUE[there].mean())
    assert (found.rated, found.n, found.estimate.n) == ((20,), 60, 60)
    assert found.gain > 1
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert "\n" not in str(found)
    assert "20 of 60 episodes rated by humans, lambda 0." in str(found)


def test_all_rated_by_humans_is_the_plain_estimate_or_a_little_wider() -> None:
    found, plain = predicted_mean(SAID, TRUE, RUN, TASK).estimate, two_way(TRUE, RUN, TASK)
    assert found.value == pytest.approx(plain.value)
    assert plain.high - plain.low <= (found.high - found.low) * 1.0001 < (plain.high - plain.low) * 1.1


@settings(max_examples=25)
@given(st.floats(-5, 5), st.floats(0.2, 5) | st.floats(-5, -0.2))
def test_the_judges_scale_does_not_matter(shift: float, scale: float) -> None:
    plain, other = (predicted_mean(said, HUMAN, RUN, TASK) for said in (SAID, shift + scale * SAID))
    assert other.estimate.low == pytest.approx(plain.estimate.low, abs=1e-8)
    assert other.weights[0] * scale == pytest.approx(plain.weights[0])


def test_a_judge_who_always_says_the_same_is_believed_nothing() -> None:
    found = predicted_mean(np.full(60, 3.0), HUMAN, RUN, TASK)
    assert found.weights == (0.0,)
    assert found.estimate.value == pytest.approx(found.alone.value)
    assert found.gain == pytest.approx(1, abs=0.15)


def test_a_judge_without_a_fault_is_doubted() -> None:
    found = predicted_mean(TRUE, HUMAN, RUN, TASK).estimate
    assert found.value == pytest.approx(TRUE.mean())
    assert "that up to 15% may differ is not in the bounds" in found.reason


def test_a_difference_is_that_of_the_arms_and_a_shared_bias_is_gone() -> None:
    base = np.where(np.arange(60) % 4 == 0, TRUE - 0.5, np.nan)
    found = predicted_difference(SAID, HUMAN, SAID + 7, base, RUN, TASK)
    one, other = predicted_mean(SAID, HUMAN, RUN, TASK), predicted_mean(SAID + 7, base, RUN, TASK)
    assert found.estimate.value == pytest.approx(one.estimate.value - other.estimate.value)
    assert found.weights == (*one.weights, *other.weights)
    assert found.rated == (20, 15)
    assert found.estimate.low < 0.5 < found.estimate.high


def test_few_are_refused_and_missing_ones_do_not_count() -> None:
    nine = np.where(np.arange(60) < 9, TRUE, np.nan)
    found = predicted_mean(SAID, nine, RUN, TASK)
    assert found.estimate.reason == "humans rated 9 episodes: at least 10 are needed, drawn at random"
    assert math.isnan(found.estimate.value)
    assert math.isnan(found.gain)
    assert "n/a" in str(found)
    ten = np.where(np.arange(60) < 10, TRUE, np.nan)
    assert not math.isnan(predicted_mean(SAID, ten, RUN, TASK).estimate.low)
    gone = np.where(np.arange(60) == 3, np.nan, SAID)
    assert predicted_mean(gone, ten, RUN, TASK).rated == (9,)
    both = predicted_difference(SAID, ten, SAID, nine, RUN, TASK).estimate
    assert "humans rated 10 and 9 episodes: at least 10 of each arm" in both.reason
    assert "one run" in predicted_mean(SAID, HUMAN, RUN * 0, TASK).estimate.reason
    assert "all 60 values" in predicted_mean(SAID, HUMAN * 0 + 1, RUN, TASK).estimate.reason
    assert predicted_mean([], [], [], []).n == 0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="must be flat and as many"):
        predicted_mean(SAID, HUMAN[:-1], RUN, TASK)
    with pytest.raises(ValueError, match="must be finite"):
        predicted_mean(SAID, HUMAN * math.inf, RUN, TASK)
    with pytest.raises(ValueError, match="level must be"):
        predicted_mean(SAID, HUMAN, RUN, TASK, level=95)
