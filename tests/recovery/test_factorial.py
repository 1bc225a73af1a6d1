"""Planted effects of traits are recovered inside their intervals as often as these claim, and an absent one is not.

Seeded, so the figures are fixed; 400 studies put the Monte-Carlo error of a rate of .05 at .011.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.agents.designs import factorial
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.stats import main_effects
from toolkit.stats.factorial import Effects
from toolkit.streams.desk import Desk
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval
from toolkit.traits.role import Role

FACTORS = ("role", "memory", "goals", "learning")
LEVELS = np.indices((2,) * 4).reshape(4, -1).T * 2 - 1
STUDIES, RUNS, TASKS = 400, 8, 40
# The difference of differences is -.1: beside learning, memory gains .15, without it .25. An interaction is half of it.
PLANTED = {"role": 0.05, "memory": 0.2, "goals": 0.0, "learning": 0.0, "memory x learning": -0.05}


def simulated(rng: np.random.Generator, levels: np.ndarray) -> Effects:
    """Binary scores of crossed runs and tasks.

    A task is as hard for all cells and runs, an order as lucky for all; and what memory and goals are worth differs
    from task to task around the planted mean, which is what makes tasks a source of chance of a contrast.
    """
    cells = np.arange(len(levels))
    run, task, cell = (axis.ravel() for axis in np.indices((RUNS, TASKS, len(cells))))
    role, memory, goals, learning = levels.T
    chance = 0.5 + (0.05 * role + 0.2 * memory - 0.05 * memory * learning)[cell] / 2
    chance += rng.uniform(-0.08, 0.08, TASKS)[task] + rng.uniform(-0.03, 0.03, RUNS)[run]
    chance += rng.uniform(-0.05, 0.05, TASKS)[task] * memory[cell] + rng.uniform(-0.15, 0.15, TASKS)[task] * goals[cell]
    assert 0 <= chance.min() <= chance.max() <= 1
    scores = (rng.random(len(chance)) < chance).astype(float)
    return main_effects(scores, run, task, levels[cell], factors=FACTORS)


@pytest.mark.parametrize("half", [False, True])
def test_planted_effects_are_covered_and_null_ones_declared_at_the_nominal_rate(half: bool) -> None:
    levels = LEVELS[LEVELS.prod(1) == 1] if half else LEVELS
    rng = np.random.default_rng(30)
    found = [simulated(rng, levels) for _ in range(STUDIES)]
    for row in found[0].rows:
        planted = PLANTED.get(row.name, PLANTED.get(row.alias, 0.0))
        estimates = [one.row(row.name).estimate for one in found]
        assert not any(one.reason for one in estimates)
        error = np.std([one.value for one in estimates]) / STUDIES**0.5
        assert abs(np.mean([one.value for one in estimates]) - planted) < 4 * error, row.name
        covered = np.mean([one.low <= planted <= one.high for one in estimates])
        assert covered >= 0.93, row.name
        if row.name in ("memory", "goals"):  # where tasks do not differ in the effect, the interval errs towards wide
            assert covered <= 0.98, row.name
        if planted == 0:
            assert np.mean([one.excludes_zero for one in estimates]) <= 0.07, row.name
    memory = [one.row("memory").estimate for one in found]
    assert np.mean([one.excludes_zero and one.value > 0 for one in memory]) > 0.95


def test_intervals_of_single_scores_would_cover_less() -> None:
    """The simulation tells a wrong interval from a right one: what memory and goals are worth differs among tasks."""
    rng = np.random.default_rng(31)
    goals = [simulated(rng, LEVELS).row("goals").estimate for _ in range(STUDIES)]
    half = 1.96 * (0.25 * 4 / (len(LEVELS) * RUNS * TASKS)) ** 0.5  # of two means of independent scores around .5
    assert np.mean([abs(one.value) <= half for one in goals]) < 0.9
    assert np.mean([one.low <= 0 <= one.high for one in goals]) > 0.92


def chances(made: Study) -> pd.DataFrame:
    """Every episode of a study with the scripted model, with the chance of the right answer that its prompt gave."""
    query = "SELECT e.*, c.prompt FROM episodes e JOIN calls c ON c.run = e.run AND c.t = e.t AND c.purpose = 'acting'"
    frame = made.ledger.sql(query)
    skill, found = made.lm, []
    for prompt, right in zip(frame.prompt, frame.correction, strict=True):
        system, *turns, _ = [turn["text"] for turn in prompt]
        found.append(skill.p_example if right in turns[1::2] else skill.p)
        found[-1] += skill.role_gain * ("You are: " in system)
    return frame.assign(chance=found)


@pytest.mark.parametrize("half", [False, True])
def test_a_study_of_a_design_recovers_what_the_prompts_were_worth(study: Callable[..., Study], half: bool) -> None:
    full = Arm("full", role=Role("Clerk"), memory=Retrieval(), learning=DemoBuffer(), transcript=False)
    design = factorial(full, half=half)
    lm = Scripted(p=0.2, p_example=0.7, role_gain=0.15)
    frame = chances(finish(study(*design.arms, stream=Desk(tasks=60, queues=8), lm=lm, seeds=8)))
    levels = [design.levels[arm] for arm in frame.arm]
    together = 1 - 0.05 / len(levels[0]) / 2  # .95 for all 3 or 6 intervals at once (Bonferroni)
    found, planted = (
        main_effects(
            scores, frame.seed, frame.task, levels, factors=design.factors, cluster=frame.session, level=together
        )
        for scores in (frame.score, frame.chance)
    )
    assert (found.pairs, found.left_out) == (8 * 60, 0)
    assert len(found.rows) == (3 if half else 6)
    for row in found.rows:
        true = planted.row(row.name).estimate.value
        assert row.estimate.low <= true <= row.estimate.high, row.name
    if not half:
        assert planted.row("role").estimate.value == pytest.approx(0.15)
        assert planted.row("role x memory").estimate.value == pytest.approx(0, abs=0.001)
        assert planted.row("memory x learning").estimate.value < -0.05  # either brings the example that the other does
        for name in ("role", "memory", "learning", "memory x learning"):
            assert found.row(name).estimate.excludes_zero, name
