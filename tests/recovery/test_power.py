"""Is the power that a plan promises the power that studies have? Simulated studies of the same design.

Seeded, so the figures are fixed. 4,000 studies put the Monte-Carlo error of a power of .5 at .008; 20,000 at .0035.
"""

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from toolkit.stats import two_way
from toolkit.stats.power import detectable_effect, planned_power
from toolkit.stats.variance import Components, variance_components

MIXES = {
    "tasks differ most": Components(run=0.0, cluster=0.2, cell=0.1),
    "single cells differ most": Components(run=0.0, cluster=0.02, cell=0.4),
    "runs differ too": Components(run=0.01, cluster=0.05, cell=0.3),
    "all alike": Components(run=0.003, cluster=0.1, cell=0.3),
    "runs differ most": Components(run=0.02, cluster=0.0, cell=0.1),
}
RUN_SD = 0.03
GRID = [(runs, clusters) for runs in (5, 10, 20) for clusters in (50, 150)]


def normal(
    parts: Components, effect: float, shape: tuple[int, int], studies: int, rng: np.random.Generator
) -> np.ndarray:
    """Differences of so many studies, shape (studies, runs, clusters)."""
    runs, clusters = shape
    run = rng.normal(0, parts.run**0.5, (studies, runs, 1))
    cluster = rng.normal(0, parts.cluster**0.5, (studies, 1, clusters))
    return effect + run + cluster + rng.normal(0, parts.cell**0.5, (studies, runs, clusters))


def chances(
    effect: float, shape: tuple[int, int], studies: int, rng: np.random.Generator, *, skew: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Of two arms scored 0 or 1: the baseline's chance by task, and what the other adds to it, by task and run.

    Skew: rare successes, most differences 0, and the gain is cut where a chance would leave [0, 1].
    """
    runs, clusters = shape
    base = rng.beta(1, 9, (studies, 1, clusters)) * 0.6 if skew else rng.uniform(0.2, 0.6, (studies, 1, clusters))
    gain = effect + rng.uniform(-0.1, 0.1, (studies, 1, clusters)) * (not skew)
    return base, np.clip(gain + rng.normal(0, RUN_SD, (studies, runs, 1)), -base, 1 - base)


def true_gain(effect: float, rng: np.random.Generator, *, skew: bool) -> float:
    """The mean of what `chances` adds: the effect itself, unless it is cut."""
    if not skew:
        return effect
    run, base = RUN_SD * ndtri((np.arange(400) + 0.5) / 400), rng.beta(1, 9, (20_000, 1)) * 0.6
    return float(np.clip(effect + run, -base, 1 - base).mean())


def binary(base: np.ndarray, gain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Differences -1, 0, 1 drawn with such chances."""
    return (rng.random(gain.shape) < base + gain).astype(float) - (rng.random(gain.shape) < base)


def excludes_zero(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """What `two_way` says of each of many balanced studies, without going through them one by one."""
    _, runs, clusters = values.shape
    mean, of_run, of_cluster = values.mean((1, 2)), values.mean(2), values.mean(1)
    by_run, by_cluster = of_run.var(1, ddof=1) / runs, of_cluster.var(1, ddof=1) / clusters
    rest = values - of_run[:, :, None] - of_cluster[:, None, :] + mean[:, None, None]
    by_cell = (rest**2).sum((1, 2)) / ((runs - 1) * (clusters - 1) * runs * clusters)
    variance = np.maximum(by_run + by_cluster - by_cell, np.maximum(by_run, by_cluster))
    df = 1 / ((by_run / variance) ** 2 / (runs - 1) + (by_cluster / variance) ** 2 / (clusters - 1))
    return np.asarray(np.abs(mean) > stdtrit(df, (1 + level) / 2) * np.sqrt(variance))


def simulated(parts: Components, effect: float, shape: tuple[int, int], studies: int, seed: int) -> float:
    rng, parts_of = np.random.default_rng(seed), max(1, studies // 500)
    found = [excludes_zero(normal(parts, effect, shape, 500, rng)) for _ in range(parts_of)]
    return float(np.mean(found))


def flat(study: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    run, cluster = np.indices(study.shape)
    return study.ravel(), run.ravel(), cluster.ravel()


def test_the_quick_way_is_the_test_itself() -> None:
    rng = np.random.default_rng(40)
    studies = normal(MIXES["runs differ too"], 0.15, (5, 20), 150, rng)
    assert excludes_zero(studies).tolist() == [two_way(*flat(study)).excludes_zero for study in studies]
    assert 0.1 < excludes_zero(studies).mean() < 0.9


@pytest.mark.parametrize("runs", [5, 10, 20])
@pytest.mark.parametrize("mix", MIXES)
def test_planned_power_is_simulated_power(mix: str, runs: int) -> None:
    parts = MIXES[mix]
    effect = detectable_effect(parts, runs=runs, clusters=50, power=0.6).effect
    assert abs(simulated(parts, effect, (runs, 50), 4000, seed=41) - 0.6) < 0.03


def test_the_usual_short_cut_would_not_do() -> None:
    """The simulation tells a wrong promise from a right one: a noncentral t with the expected df."""
    from scipy.stats import nct, t

    parts = MIXES["single cells differ most"]
    effect = detectable_effect(parts, runs=5, clusters=50, power=0.5).effect
    run, cluster, cell = parts.terms(5, 50)
    variance = run + cluster - cell
    df = 1 / ((run / variance) ** 2 / 4 + (cluster / variance) ** 2 / 49)
    short = nct.sf(t.ppf(0.975, df), df, effect / variance**0.5)
    assert short - simulated(parts, effect, (5, 50), 4000, seed=42) > 0.03


def test_sessions_of_several_tasks_are_planned_for() -> None:
    """Twice the tasks in a session is no twice the sessions."""
    parts = Components(run=0.002, cluster=0.05, cell=0.05, task=0.1, residual=0.3)
    rng, shape, tasks = np.random.default_rng(43), (5, 40), 4
    means = Components(parts.run, parts.cluster + parts.task / tasks, parts.cell + parts.residual / tasks)
    effect = detectable_effect(parts, runs=5, clusters=40, tasks=tasks).effect
    assert effect == pytest.approx(detectable_effect(means, runs=5, clusters=40).effect)
    found = [excludes_zero(normal(means, effect, shape, 500, rng)) for _ in range(8)]
    assert abs(np.mean(found) - 0.8) < 0.03


def test_scores_of_a_pilot_plan_the_study() -> None:
    """From differences of -1, 0, 1 to the power of such a study, with components that a long pilot shows."""
    rng = np.random.default_rng(44)
    parts = variance_components(*flat(binary(*chances(0.05, (60, 3000), 1, rng), rng)[0]))
    planned = planned_power(parts, 0.05, runs=10, clusters=150)
    found = [excludes_zero(binary(*chances(0.05, (10, 150), 500, rng), rng)) for _ in range(8)]
    assert 0.3 < planned.power < 0.95
    assert abs(np.mean(found) - planned.power) < 0.03


def test_no_effect_is_shown_at_the_nominal_rate() -> None:
    assert planned_power(MIXES["runs differ most"], 0.0, runs=10, clusters=150).power == pytest.approx(0.05, abs=0.01)


def test_components_are_recovered() -> None:
    rng = np.random.default_rng(45)
    found = []
    for _ in range(200):
        values, run, cluster = flat(normal(Components(0.02, 0.1, 0.3), 0.1, (10, 60), 1, rng)[0])
        values[rng.random(len(values)) < 0.1] = np.nan
        found.append(variance_components(values, run, cluster))
    for name, truth in (("run", 0.02), ("cluster", 0.1), ("cell", 0.3)):
        assert np.mean([getattr(one, name) for one in found]) == pytest.approx(truth, rel=0.05), name


def test_components_of_tasks_within_sessions_are_recovered() -> None:
    truth = Components(run=0.01, cluster=0.1, cell=0.05, task=0.2, residual=0.4)
    rng, runs, sessions, tasks, found = np.random.default_rng(46), 8, 60, 5, []
    run, session, task = (index.ravel() for index in np.indices((runs, sessions, tasks)))
    for _ in range(100):
        values = rng.normal(0, truth.run**0.5, runs)[run] + rng.normal(0, truth.cluster**0.5, sessions)[session]
        values += rng.normal(0, truth.cell**0.5, (runs, sessions))[run, session]
        values += rng.normal(0, truth.task**0.5, (sessions, tasks))[session, task]
        values += rng.normal(0, truth.residual**0.5, len(values))
        found.append(variance_components(values, run, session, session * tasks + task))
    for name in ("run", "cluster", "cell", "task", "residual"):
        assert np.mean([getattr(one, name) for one in found]) == pytest.approx(getattr(truth, name), rel=0.1), name


@pytest.mark.validate
def test_planned_power_is_simulated_power_all_over_the_grid(capsys: pytest.CaptureFixture[str]) -> None:
    worst = []
    for seed, (name, parts) in enumerate(MIXES.items()):
        for shape in [*GRID, (2, 50), (3, 50), (4, 50)]:
            for wanted in (0.5, 0.8):
                effect = detectable_effect(parts, runs=shape[0], clusters=shape[1], power=wanted).effect
                off = simulated(parts, effect, shape, 20_000, seed=100 + seed) - wanted
                worst.append((abs(off), f"{name}, {shape[0]} runs x {shape[1]} clusters, power {wanted}: {off:+.4f}"))
    with capsys.disabled():
        print(f"\nnormal scores, {len(worst)} designs; the farthest off: {max(worst)[1]}")
    assert max(worst)[0] < 0.03


@pytest.mark.validate
@pytest.mark.parametrize(("skew", "effect"), [(False, 0.05), (False, 0.1), (True, 0.02), (True, 0.03)])
def test_planned_power_is_simulated_power_for_binary_scores(
    skew: bool, effect: float, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, worst = np.random.default_rng(110), []
    base, gain = chances(effect, (400, 5000), 1, rng, skew=skew)
    parts, truth = variance_components(*flat(binary(base, gain, rng)[0])), true_gain(effect, rng, skew=skew)
    for shape in GRID:
        planned = planned_power(parts, truth, runs=shape[0], clusters=shape[1]).power
        found = [excludes_zero(binary(*chances(effect, shape, 500, rng, skew=skew), rng)) for _ in range(40)]
        off = float(np.mean(found)) - planned
        worst.append((abs(off), f"{shape[0]} runs x {shape[1]} clusters, power {planned:.2f}: {off:+.4f}"))
    with capsys.disabled():
        print(f"\nscores of -1, 0, 1, effect {truth:.3f}{' (rare successes)' * skew}: {max(worst)[1]}")
    assert max(worst)[0] < 0.03
