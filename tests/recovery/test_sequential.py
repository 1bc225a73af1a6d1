"""Does the band keep its promise when it is looked at after every single step? Simulated studies, error counted once
if the band ever leaves out the running mean of the conditional expectations.

Seeded, so the figures are fixed. The proof gives at most .05; each test asserts that the error, plus four Monte-Carlo
standard errors, lies below that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from toolkit.evaluation.stopping import Condition, level_of, met
from toolkit.ledger.follow import PlannedRun
from toolkit.stats import confidence_sequence, crosses, running_difference

STUDIES = 2000
ALPHA = 0.05
NARROWED = 0.6  # a band of that share of the width errs too often: the cases are hard enough to tell
Streams = tuple[np.ndarray, np.ndarray]  # observations and what was expected of each given the past, studies x steps


def ever_wrong(values: np.ndarray, expected: np.ndarray, narrowed: float = NARROWED) -> tuple[float, float]:
    """Shares of studies in which some step's band, or a narrowed one, leaves out the running mean of the expected."""
    truth = np.cumsum(expected, axis=1) / np.arange(1, values.shape[1] + 1)
    wrong = np.zeros((len(values), 2), dtype=bool)
    for row, (seen, aim) in enumerate(zip(values, truth, strict=True)):
        band = confidence_sequence(seen, low=-1, high=1, level=1 - ALPHA)
        for column, share in enumerate((1, narrowed)):
            below = (band.low > -1) & (band.mean - share * (band.mean - band.low) > aim)
            above = (band.high < 1) & (band.mean + share * (band.high - band.mean) < aim)
            wrong[row, column] = (below | above).any()
    whole, narrow = wrong.mean(axis=0).tolist()
    return whole, narrow


def error(rate: float) -> float:
    """Monte-Carlo standard error, that of one hit at least."""
    return math.sqrt(max(rate, 1 / STUDIES) * (1 - rate) / STUDIES)


def differences(mean: np.ndarray, rng: np.random.Generator, spread: float = 0.5) -> np.ndarray:
    """-1, 0 or 1 with the given means; `spread` is the chance of -1 and 1 together, at least abs(mean)."""
    chance = rng.random(mean.shape)
    return np.where(chance < (spread + mean) / 2, 1.0, np.where(chance < spread, -1.0, 0.0))


def bernoulli(rng: np.random.Generator) -> Streams:
    """One run; both arms score 0 or 1 by chance alone, one of them .1 more often."""
    mean = np.full((STUDIES, 400), 0.1)
    return differences(mean, rng), mean


def shared_and_drifting(rng: np.random.Generator) -> Streams:
    """Four runs meet the same tasks, each of which moves all runs by .5 or -.5, while the mean drifts from 0 to .4."""
    values, mean, _ = drifting(rng)
    return values, mean


def drifting(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Averages over runs, what is expected given the past, and what is expected given the task to come as well."""
    mean = np.tile(0.4 * (1 - np.exp(-np.arange(300) / 60)), (STUDIES, 1))
    task = rng.choice([-0.5, 0.5], mean.shape)
    return np.mean([differences(mean + task, rng, spread=0.9) for _ in range(4)], axis=0), mean, mean + task


def adversary(rng: np.random.Generator) -> Streams:
    """Sees all past and sets the next mean and skewness by it, so as to drive the surprises out of the band.

    While they sum up to less than 0 it lets them sink by small steps that show little spread, at the risk of a large
    one upward; above 0 it gambles more evenly, to get back.
    """
    surprise = np.zeros(STUDIES)
    values, expected = np.empty((2, STUDIES, 300))
    for t in range(values.shape[1]):
        chance = np.where(surprise < 0, 0.1, 0.3)
        values[:, t] = np.where(rng.random(STUDIES) < chance, 1.0, -1.0)
        expected[:, t] = 2 * chance - 1
        surprise += values[:, t] - expected[:, t]
    return values, expected


def rare_losses(rng: np.random.Generator) -> Streams:
    """All tasks are won but one in twenty, which is lost: many bands are drawn before any spread is seen."""
    return np.where(rng.random((STUDIES, 300)) < 0.05, -1.0, 1.0), np.full((STUDIES, 300), 0.9)


@pytest.mark.parametrize("case", [bernoulli, shared_and_drifting, adversary, rare_losses])
def test_looking_after_every_step_errs_no_more_often_than_it_says(case: Callable[..., Streams]) -> None:
    values, expected = case(np.random.default_rng(30))
    assert np.abs(values).max() <= 1
    assert values.mean() == pytest.approx(expected.mean(), abs=0.005), "the simulation knows its own truth"
    whole, narrowed = ever_wrong(values, expected)
    assert whole + 4 * error(whole) <= ALPHA
    assert narrowed - 4 * error(narrowed) > ALPHA


def test_the_task_to_come_may_count_as_known() -> None:
    """What tasks add is then no surprise, and the band wider than it need be."""
    values, _, expected = drifting(np.random.default_rng(31))
    whole, narrowed = ever_wrong(values, expected, narrowed=0.3)
    assert whole + 4 * error(whole) <= ALPHA
    assert narrowed - 4 * error(narrowed) > ALPHA


def test_an_interval_for_a_fixed_number_of_steps_errs_far_more_often_when_watched() -> None:
    """The simulation tells a right band from a wrong one; looked at once, the same interval is sound."""
    values, expected = bernoulli(np.random.default_rng(30))
    t = np.arange(1, values.shape[1] + 1)
    mean = np.cumsum(values, axis=1) / t
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((np.cumsum(values**2, axis=1) / t - mean**2) / (t - 1))
        wrong = np.abs(mean - expected) > stats.t.ppf(1 - ALPHA / 2, t - 1) * spread
    assert 0.035 <= wrong[:, -1].mean() <= 0.065
    assert wrong[:, 20:].any(axis=1).mean() > 0.2


def study(truth: float, rng: np.random.Generator, runs: int = 20, tasks: int = 200) -> np.ndarray:
    """Runs x tasks, each run in an order of its own through tasks that help or hurt all runs alike by .3."""
    effect = rng.permuted(np.repeat([-0.3, 0.3], tasks // 2))
    orders = rng.permuted(np.tile(np.arange(tasks), (runs, 1)), axis=1)
    return differences(truth + effect[orders], rng, spread=0.6)


def test_a_rule_that_stops_where_the_band_excludes_zero_seldom_stops_for_nothing() -> None:
    rng = np.random.default_rng(32)
    bands = [confidence_sequence(running_difference(study(0.0, rng)), low=-1, high=1) for _ in range(STUDIES)]
    stopped = float(np.mean([crosses(band) is not None for band in bands]))
    assert stopped + 4 * error(stopped) <= ALPHA


def test_a_true_difference_is_found_and_early() -> None:
    rng = np.random.default_rng(33)
    found = [crosses(confidence_sequence(running_difference(study(0.2, rng)), low=-1, high=1)) for _ in range(300)]
    stopped = [one for one in found if one is not None]
    assert len(stopped) >= 0.95 * len(found)
    assert {one.direction for one in stopped} == {"above"}
    assert np.median([one.t for one in stopped]) < 100


def stopped_at(gaps: np.ndarray, texts: tuple[str, ...], rng: np.random.Generator) -> int:
    """After how many tasks the driver's own rule ends a study, looking after every one; 0 = never."""
    runs = [PlannedRun(f"{arm}{seed}", "", arm, seed) for seed in range(len(gaps)) for arm in ("memory", "static")]
    tied = rng.random(gaps.shape) < 0.5  # both right, or both wrong
    scores = {f"memory{seed}": np.where(row == 0, tied[seed], row > 0) for seed, row in enumerate(gaps)}
    scores |= {f"static{seed}": np.where(row == 0, tied[seed], row < 0) for seed, row in enumerate(gaps)}
    scores = {run: list(map(float, row)) for run, row in scores.items()}
    conditions, level = [Condition.of(text) for text in texts], level_of(len(texts))
    for t in range(1, gaps.shape[1] + 1):
        seen = {run: row[:t] for run, row in scores.items()}
        if any(met(condition, runs, seen, level) for condition in conditions):
            return t
    return 0


@pytest.mark.parametrize("studies", [60, pytest.param(STUDIES, marks=pytest.mark.validate)])
def test_the_rule_that_ends_studies_seldom_ends_one_for_nothing(studies: int) -> None:
    """Both sides watched after every task; all looking together has .025."""
    rng = np.random.default_rng(34)
    ended = [
        stopped_at(study(0.0, rng, runs=5, tasks=100), ("memory>static", "memory<static"), rng) for _ in range(studies)
    ]
    rate = float(np.mean([at > 0 for at in ended]))
    print(f"ended for nothing: {rate:.4f} of {studies} studies, each looked at after every task; at most 0.025")
    assert rate <= 0.025 + (4 * math.sqrt(0.025 * 0.975 / studies) if studies < STUDIES else 0)


def test_the_rule_that_ends_studies_ends_one_with_a_difference() -> None:
    rng = np.random.default_rng(35)
    ended = [stopped_at(study(0.3, rng, runs=5, tasks=200), ("memory>static",), rng) for _ in range(10)]
    assert sum(0 < at < 200 for at in ended) >= 9
