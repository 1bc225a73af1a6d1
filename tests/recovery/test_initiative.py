"""Measures of initiative: planted rates lie in their intervals at the nominal rate, in runs crossed with tasks.

Tasks differ in how much happens in them and in how easy they are, runs in how well the agent does. Quick and seeded;
with ``-m validate`` more sizes and 2,000 studies each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.stats import ask_f1, break_even_cost, f1, pass_hat, pooled, utilities
from toolkit.stats.initiative import pass_estimate

Counts = NDArray[np.float64]
HIT, ALARM, NEED, EVENTS = 0.7, 0.3, 0.4, 6.0
TP, FP, FN = HIT * NEED * EVENTS, ALARM * (1 - NEED) * EVENTS, (1 - HIT) * NEED * EVENTS
ASKED, SPAM, BLOCKERS = 0.6, 0.5, 2.0
BREAK_EVEN = TP / FP
TRUTH = {
    "precision": TP / (TP + FP),
    "recall": HIT,
    "false_alarms": FP / (TP + FP),
    "f1": 2 * TP / (2 * TP + FP + FN),
    "utility": 100 * (TP - 0.5 * FP - 0.25 * FN) / EVENTS,
    "ask_f1": 2 * ASKED * BLOCKERS / ((ASKED + 1) * BLOCKERS + SPAM),
    "break_even": BREAK_EVEN,
}


@dataclass(frozen=True)
class Played:
    """What a simulated agent did in every task of every run."""

    run: NDArray[np.intp]
    task: NDArray[np.intp]
    hits: Counts
    alarms: Counts
    misses: Counts
    silences: Counts
    found: Counts
    questions: Counts
    blockers: Counts


def play(runs: int, tasks: int, rng: np.random.Generator) -> Played:
    """An agent with planted rates: of acting where there is need, and where there is none, and of asking."""

    def rate(middle: float) -> Counts:
        """Moved by the task and by the run, in the mean the middle."""
        return middle + rng.uniform(-0.15, 0.15, tasks) + rng.uniform(-0.08, 0.08, (runs, 1))

    events = rng.integers(3, 10, tasks)
    need = np.broadcast_to(rng.binomial(events, NEED), (runs, tasks))
    rest = events - need
    hits, alarms = rng.binomial(need, rate(HIT)), rng.binomial(rest, rate(ALARM))
    blockers = np.broadcast_to(rng.integers(1, 4, tasks), (runs, tasks))
    found = rng.binomial(blockers, rate(ASKED))
    spam = rng.poisson(rate(SPAM))
    counts = (hits, alarms, need - hits, rest - alarms, found, found + spam, blockers)
    labels = np.repeat(np.arange(runs), tasks), np.tile(np.arange(tasks), runs)
    return Played(*labels, *(one.ravel().astype(float) for one in counts))


def intervals(one: Played) -> dict[str, tuple[float, float]]:
    offers, need = one.hits + one.alarms, one.hits + one.misses
    share = (0.0, 1.0)
    made = {
        "precision": pooled(one.hits, offers, why="", span=share),
        "recall": pooled(one.hits, need, why="", span=share),
        "false_alarms": pooled(one.alarms, offers, why="", span=share),
        "f1": f1(one.hits, one.alarms, one.misses),
        "utility": utilities(one.hits, one.alarms, one.misses, one.silences, [0.5], missed=0.25)[0],
        "ask_f1": ask_f1(one.found, one.questions, one.found, one.blockers),
    }
    found = {name: each.estimate(one.run, one.task) for name, each in made.items()}
    found["break_even"] = break_even_cost(one.hits, one.alarms, one.run, one.task)
    return {name: (each.low, each.high) for name, each in found.items()}


def coverage(runs: int, tasks: int, studies: int, seed: int) -> dict[str, float]:
    """Of each measure the share of studies whose interval holds what was planted."""
    rng = np.random.default_rng(seed)
    held = dict.fromkeys(TRUTH, 0)
    for _ in range(studies):
        for name, (low, high) in intervals(play(runs, tasks, rng)).items():
            held[name] += low <= TRUTH[name] <= high
    return {name: count / studies for name, count in held.items()}


def test_planted_rates_are_covered_as_often_as_claimed() -> None:
    """300 studies put the Monte-Carlo error at .0126; three of them are allowed at either end."""
    found = coverage(6, 30, 300, seed=1)
    assert all(0.91 <= share <= 0.99 for share in found.values()), found


@pytest.mark.validate
@pytest.mark.parametrize(("runs", "tasks"), [(5, 30), (5, 100), (10, 50), (20, 60)])
def test_every_promised_size_is_covered(runs: int, tasks: int) -> None:
    found = coverage(runs, tasks, 2000, seed=2)
    assert all(0.925 <= share <= 0.985 for share in found.values()), found


def test_a_large_study_finds_what_was_planted() -> None:
    one = play(60, 3000, np.random.default_rng(3))
    even = break_even_cost(one.hits, one.alarms, one.run, one.task)
    assert even.value == pytest.approx(BREAK_EVEN, rel=0.05)
    asked = ask_f1(one.found, one.questions, one.found, one.blockers)
    assert asked.value == pytest.approx(TRUTH["ask_f1"], abs=0.015)


def test_the_break_even_cost_is_where_the_utility_over_silence_and_its_interval_meet_zero() -> None:
    one = play(6, 40, np.random.default_rng(4))
    even = break_even_cost(1.5 * one.hits, one.alarms, one.run, one.task)
    costs = [even.low, even.value, even.high]
    acted = utilities(one.hits, one.alarms, one.misses, one.silences, costs, missed=0.5)
    none = np.zeros_like(one.hits)
    silent = utilities(none, none, one.hits + one.misses, one.alarms + one.silences, costs, missed=0.5)
    low, middle, high = (a.minus(s).estimate(one.run, one.task) for a, s in zip(acted, silent, strict=True))
    assert middle.value == pytest.approx(0, abs=1e-9)
    assert low.low == pytest.approx(0, abs=0.5)  # to first order: the sum of events is an estimate too
    assert high.high == pytest.approx(0, abs=0.5)
    assert low.value > 0 > high.value


def passes(runs: int, tasks: int, k: int, studies: int, seed: int) -> float:
    """Coverage of pass^k where a task's chance is even over [0, 1]: its truth is 1 / (k + 1)."""
    rng = np.random.default_rng(seed)
    task = np.tile(np.arange(tasks), runs)
    held = 0
    for _ in range(studies):
        passed = rng.random((runs, tasks)) < rng.random(tasks)
        values, _ = pass_hat(passed.ravel(), task, k)
        found = pass_estimate(values, np.arange(tasks), k, unit="task")
        held += found.low <= 1 / (k + 1) <= found.high
    return held / studies


@pytest.mark.parametrize("k", [1, 3])
def test_pass_hat_k_is_covered_as_often_as_claimed(k: int) -> None:
    assert 0.92 <= passes(5, 50, k, 600, seed=5) <= 0.98


@pytest.mark.validate
@pytest.mark.parametrize("k", [1, 2, 4, 8])
@pytest.mark.parametrize("tasks", [50, 200])
def test_pass_hat_k_is_covered_at_every_size(tasks: int, k: int) -> None:
    least = 0.905 if (tasks, k) == (50, 8) else 0.925  # few tasks pass so often: skewed, as its docstring says
    assert least <= passes(8, tasks, k, 4000, seed=6) <= 0.975
