"""Measures of initiative: identities of their arithmetic, and reasons where there is nothing to compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.stats import ask_f1, break_even_cost, f1, pass_hat, pooled, utilities
from toolkit.stats.initiative import mean, pass_estimate

Floats = NDArray[np.float64]
SHARE = (0.0, 1.0)
COUNTS = st.lists(st.tuples(*[st.integers(0, 4)] * 4), min_size=1, max_size=30)
RUN, TASK = np.repeat([0, 1, 2], 4), np.tile([0, 1, 2, 3], 3)


def columns(rows: list[tuple[int, ...]]) -> list[Floats]:
    return list(np.asarray(rows, dtype=float).T)


@given(COUNTS)
def test_precision_recall_and_f1_are_what_they_are_called(rows: list[tuple[int, ...]]) -> None:
    tp, fp, fn, _ = columns(rows)
    p, r = pooled(tp, tp + fp, why="", span=SHARE).value, pooled(tp, tp + fn, why="", span=SHARE).value
    false = pooled(fp, tp + fp, why="", span=SHARE).value
    both = f1(tp, fp, fn).value
    assert math.isnan(p) or (0 <= p <= 1 and p + false == pytest.approx(1))
    if math.isnan(p) or math.isnan(r) or p + r == 0:
        assert math.isnan(both) or both == 0
    else:
        assert both == pytest.approx(2 * p * r / (p + r))
        assert min(p, r) - 1e-12 <= both <= max(p, r) + 1e-12


@given(COUNTS)
def test_ask_f1_is_the_harmonic_mean_and_its_values_have_it_for_their_mean(rows: list[tuple[int, ...]]) -> None:
    useful, wasted, found, rest = columns(rows)
    asked = ask_f1(useful, useful + wasted, found, found + rest)
    p, r = pooled(useful, useful + wasted, why="").value, pooled(found, found + rest, why="").value
    if not math.isnan(asked.value):
        assert asked.value == pytest.approx(2 * p * r / (p + r) if p and r and p + r > 0 else 0)
        assert float(asked.values.mean()) == pytest.approx(asked.value)


@given(COUNTS, st.floats(0, 5), st.floats(0, 5), st.floats(0, 3))
def test_utility_falls_with_the_cost_and_silence_is_worth_what_it_misses(
    rows: list[tuple[int, ...]], first: float, second: float, missed: float
) -> None:
    tp, fp, fn, tn = columns(rows)
    low, high = sorted((first, second))
    cheap, dear = (one.value for one in utilities(tp, fp, fn, tn, [low, high], missed=missed))
    if tp.sum() + fp.sum() + fn.sum() + tn.sum():
        assert cheap >= dear - 1e-9
        none = np.zeros_like(tp)
        silent = utilities(none, none, tp + fn, fp + tn, [high], missed=missed)[0].value
        assert silent == pytest.approx(-100 * missed * (tp + fn).sum() / (tp + fp + fn + tn).sum())
    else:
        assert math.isnan(cheap)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=40))
def test_pass_hat_1_is_the_mean_of_tasks_and_more_runs_are_never_easier(rows: list[tuple[str, bool]]) -> None:
    task, passed = np.array([name for name, _ in rows]), np.array([won for _, won in rows], dtype=float)
    values, first = pass_hat(passed, task, 1)
    assert values == pytest.approx([passed[task == name].mean() for name in task[first]])
    for k in (2, 3, 4):
        more, _ = pass_hat(passed, task, k)
        known = ~np.isnan(more)
        assert (more[known] <= values[known] + 1e-12).all()
        values = more


def test_what_an_episode_adds_is_the_slope_in_how_often_it_counts() -> None:
    rng = np.random.default_rng(2)
    counts = [rng.integers(0, 4, 12) + 0.5 for _ in range(4)]
    makers = {
        "pooled": lambda a, b, c, d: pooled(a, a + b, why=""),
        "f1": lambda a, b, c, d: f1(a, b, c),
        "ask_f1": lambda a, b, c, d: ask_f1(a, a + 3 * b, c, c + d / 4),
        "utility": lambda a, b, c, d: utilities(a, b, c, d, [0.7], missed=0.4)[0],
    }
    for name, make in makers.items():
        whole, step = make(*counts), 1e-6
        for place in (0, 5, 11):
            more = np.ones(12)
            more[place] += step
            slope = (make(*(one * more for one in counts)).value - whole.value) / step
            assert slope * 12 == pytest.approx(whole.values[place] - whole.value, rel=1e-3), name


def test_an_interval_is_that_of_a_mean_where_every_episode_counts_the_same() -> None:
    right = np.array([1, 0, 2, 1, 2, 2, 0, 1, 1, 2, 0, 2.0])
    as_mean = mean(right / 2, span=SHARE).estimate(RUN, TASK)
    as_ratio = pooled(right, np.full(12, 2.0), why="", span=SHARE).estimate(RUN, TASK)
    assert (as_ratio.low, as_ratio.value, as_ratio.high) == pytest.approx((as_mean.low, as_mean.value, as_mean.high))


def test_bounds_are_cut_where_no_share_can_lie_and_differences_may_reach_below_nothing() -> None:
    right = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0.0])
    own, other = (pooled(one, np.ones(12), why="", span=SHARE) for one in (right, right[::-1]))
    assert own.estimate(RUN, TASK).high == 1
    assert own.minus(other).estimate(RUN, TASK).low < 0


def test_what_cannot_be_computed_says_why() -> None:
    none, some = np.zeros(12), np.array([1, 2, 1, 0, 1, 1, 3, 0, 1, 1, 2, 1.0])
    silent = pooled(none, none, why="no offer was made").estimate(RUN, TASK)
    assert math.isnan(silent.value)
    assert silent.reason == "no offer was made"
    always = pooled(some, some, why="").estimate(RUN, TASK)
    assert always.value == 1
    assert math.isnan(always.low)
    assert "no spread" in always.reason
    assert f1(none, none, some).value == 0
    assert ask_f1(none, none, none, some).value == 0
    assert ask_f1(some, some, none, none).reason == "nothing had to be asked for"
    assert "no event" in utilities(none, none, none, none, [1.0])[0].reason
    assert "no values" in pooled(np.full(12, math.nan), some, why="").estimate(RUN, TASK).reason


@pytest.mark.parametrize(
    ("gain", "alarms", "value", "why"),
    [
        (0.0, 0.0, math.nan, "as much gained"),
        (1.0, 0.0, math.nan, "pays at every cost"),
        (-1.0, 0.0, math.nan, "pays at no cost"),
        (0.0, 1.0, 0.0, "pays at no cost"),
        (1.0, 2.0, 0.5, "no spread"),
        (-1.0, 2.0, -0.5, "no spread"),
        (math.nan, 1.0, math.nan, "no values"),
    ],
)
def test_where_breaking_even_is_no_question_the_reason_says_so(
    gain: float, alarms: float, value: float, why: str
) -> None:
    found = break_even_cost(np.full(12, gain), np.full(12, alarms), RUN, TASK)
    assert found.value == pytest.approx(value, nan_ok=True)
    assert math.isnan(found.low)
    assert why in found.reason


def test_one_false_alarm_sets_no_upper_bound() -> None:
    rare = np.array([1.0] + [0.0] * 11)
    found = break_even_cost(np.array([1, 2, 1, 1, 2, 1, 1, 2, 1, 2, 1, 1.0]), rare, RUN, TASK)
    assert found.value == 16
    assert 0 < found.low < 16
    assert found.high == math.inf
    assert "no upper bound" in found.reason


def test_fewer_hits_and_fewer_alarms_pay_above_the_same_cost() -> None:
    gain = np.array([1, 2, 1, 1, 2, 1, 1, 2, 1, 2, 1, 1.0])
    alarms = np.array([1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 2.0])
    more, fewer = break_even_cost(gain, alarms, RUN, TASK), break_even_cost(-gain, -alarms, RUN, TASK)
    assert (more.value, more.low, more.high) == pytest.approx((fewer.value, fewer.low, fewer.high))


def test_pass_hat_k_needs_k_runs() -> None:
    values, first = pass_hat([1, 1, 1, 0, math.nan], ["a", "a", "b", "b", "b"], 3)
    found = pass_estimate(values, np.array(["a", "b"])[first // 2], 3, unit="task")
    assert math.isnan(found.value)
    assert found.reason == "k = 3 needs 3 runs of a task or more; add runs"
    with pytest.raises(ValueError, match="k must be at least 1 but is 0"):
        pass_hat([1], ["a"], 0)
    with pytest.raises(ValueError, match=r"passed must be 0 or 1 but one is 0\.5"):
        pass_hat([0.5], ["a"], 1)


def test_wrong_input_is_told() -> None:
    with pytest.raises(ValueError, match="counts must be flat"):
        pooled([1, 2], [1], why="")
    with pytest.raises(ValueError, match="costs are multiples"):
        utilities([1], [1], [1], [1], [-1.0])
    with pytest.raises(ValueError, match="pair them first"):
        break_even_cost([1], [1, 2], [1], [1])
