"""Coverage where it is hard: binary, skewed, dependent scores, no effect at all; and errors of families of tests.

Each study has task effects that are shared between its runs. Quick and seeded; with ``-m validate`` every size in the
range that is promised, 4,000 studies each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from toolkit.stats import holm, sign_flip, two_way

Maker = Callable[[int, int, np.random.Generator], np.ndarray]
ALPHA = 0.05


def binary(runs: int, tasks: int, rng: np.random.Generator) -> np.ndarray:
    """Right or wrong, two arms: tasks differ in how hard they are, in what they gain, runs in how much."""
    hard, gain, run = rng.normal(0, 1.2, tasks), rng.normal(0.6, 0.6, tasks), rng.normal(0, 0.3, (runs, 1))
    arm, base = rng.random((runs, tasks)), rng.random((runs, tasks))
    return (arm < expit(hard + gain + run)).astype(float) - (base < expit(hard))


def skewed(runs: int, tasks: int, rng: np.random.Generator) -> np.ndarray:
    """Exponential effects of tasks and runs, exponential noise; mean 0.1."""
    effects = rng.exponential(0.3, tasks) - 0.3 + rng.exponential(0.05, (runs, 1)) - 0.05
    return 0.1 + effects + rng.exponential(0.5, (runs, tasks)) - 0.5


def dependent(runs: int, tasks: int, rng: np.random.Generator, rho: float = 0.8) -> np.ndarray:
    """Noise of a run follows the one before it in the run's own order: learning that comes and goes; mean 0.1."""
    noise = rng.normal(0, 0.4, (runs, tasks))
    for t in range(1, tasks):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    met = np.array([row[rng.permutation(tasks)] for row in noise])
    return 0.1 + rng.normal(0, 0.3, tasks) + met


def nothing(runs: int, tasks: int, rng: np.random.Generator) -> np.ndarray:
    """Coins: neither tasks nor runs differ; mean 0.1."""
    return rng.choice([-1.0, 0.0, 1.0], (runs, tasks), p=[0.15, 0.6, 0.25])


def _binary_truth() -> float:
    rng = np.random.default_rng(3)
    hard, gain, run = (rng.normal(mean, sd, 400_000) for mean, sd in ((0, 1.2), (0.6, 0.6), (0, 0.3)))
    return float((expit(hard + gain + run) - expit(hard)).mean())


TRUTH = {"binary": _binary_truth(), "skewed": 0.1, "dependent": 0.1, "nothing": 0.1}
KINDS: dict[str, Maker] = {"binary": binary, "skewed": skewed, "dependent": dependent, "nothing": nothing}


def coverage(kind: str, runs: int, tasks: int, studies: int, seed: int) -> float:
    """Share of studies whose interval holds the truth; a doubted one counts as told."""
    rng = np.random.default_rng(seed)
    run, task = np.repeat(np.arange(runs), tasks), np.tile(np.arange(tasks), runs)
    held = []
    for _ in range(studies):
        found = two_way(KINDS[kind](runs, tasks, rng).ravel(), run, task, unit="task")
        held.append(found.low <= TRUTH[kind] <= found.high)
    return float(np.mean(held))


@pytest.mark.parametrize(("runs", "tasks"), [(5, 50), (20, 60)])
@pytest.mark.parametrize("kind", ["binary", "skewed", "dependent"])
def test_hard_scores_are_covered_as_often_as_claimed(kind: str, runs: int, tasks: int) -> None:
    assert 0.92 <= coverage(kind, runs, tasks, 800, seed=40) <= 0.98


def test_without_any_effect_intervals_err_towards_wide_and_not_by_much() -> None:
    assert 0.94 <= coverage("nothing", 5, 50, 1000, seed=41) <= 0.995


@pytest.mark.validate
@pytest.mark.parametrize("tasks", [50, 150, 500])
@pytest.mark.parametrize("runs", [5, 10, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_every_promised_size_is_covered(kind: str, runs: int, tasks: int) -> None:
    """4,000 studies put the Monte-Carlo error at .0035; two of them are allowed at either end."""
    most = 0.995 if kind == "nothing" else 0.977
    assert 0.923 <= coverage(kind, runs, tasks, 4000, seed=42) <= most


def family(arms: int, runs: int, tasks: int, rng: np.random.Generator) -> list[float]:
    """P values of arms that are all like the baseline, which they share."""
    hard, run = rng.normal(0, 1.2, tasks), np.repeat(np.arange(runs), tasks)
    scores = rng.random((arms + 1, runs, tasks)) < expit(hard + rng.normal(0, 0.3, (arms + 1, runs, 1)))
    gaps = scores[1:].astype(float) - scores[0]
    return [two_way(gap.ravel(), run, np.tile(np.arange(tasks), runs), unit="task").p_value for gap in gaps]


def errors(arms: int, runs: int, tasks: int, studies: int) -> tuple[float, float, float]:
    """Of null studies: the share with any false finding by Holm, by raw p values, and of single contrasts."""
    rng = np.random.default_rng(43)
    raw = np.array([family(arms, runs, tasks, rng) for _ in range(studies)])
    adjusted = np.array([holm(row) for row in raw])
    return tuple(float(np.nanmean(one)) for one in ((adjusted < ALPHA).any(1), (raw < ALPHA).any(1), raw < ALPHA))


def test_families_of_null_arms_keep_their_level_by_holm_and_only_so() -> None:
    by_holm, by_none, single = errors(6, 5, 50, 500)
    assert by_holm <= 0.06
    assert by_none > 0.09
    assert 0.025 <= single <= 0.06


@pytest.mark.validate
@pytest.mark.parametrize("arms", [1, 3, 6])
@pytest.mark.parametrize("runs", [5, 10])
def test_families_keep_their_level(arms: int, runs: int) -> None:
    by_holm, _, single = errors(arms, runs, 100, 3000)
    assert by_holm <= 0.06
    assert 0.025 <= single <= 0.06


def test_sign_flips_of_whole_runs_keep_their_level_over_orders_of_given_tasks() -> None:
    """Tasks fixed, with effects of their own that cancel: only runs are random."""
    rng = np.random.default_rng(44)
    task = rng.normal(0, 0.3, 30)
    task -= task.mean()
    p_values = []
    for _ in range(800):
        table = task + rng.normal(0, 0.2, (8, 1)) + rng.choice([-1.0, 0.0, 1.0], (8, 30), p=[0.2, 0.6, 0.2])
        p_values.append(sign_flip(table.ravel(), np.repeat(np.arange(8), 30), rng=rng))
    assert 0.03 <= np.mean(np.array(p_values) <= ALPHA) <= 0.065
