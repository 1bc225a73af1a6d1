"""Planted main effects and an interaction are found by `tk.main_effects` from the ledger, and the null is not declared.

What is planted hangs on texts in the prompt, which the traits below put there: so it is known to the digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm
from toolkit.agents.designs import factorial
from toolkit.analysis import TraitEffects, main_effects
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.records import Learned, Recall
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.learning import Learner
from toolkit.traits.memory import MemoryPolicy
from toolkit.traits.role import Role


class Diary(MemoryPolicy):
    """Writes something from the second task on."""

    def reset(self, rng, think):
        self.pages = 0

    def observe(self, experience):
        self.pages += experience.feedback is None

    def recall(self, task):
        return Recall(notes=f"Diary: {self.pages} pages") if self.pages else Recall()


class Plays(Learner):
    """Has a sentence in every prompt from the second task on."""

    def reset(self, rng, think):
        self.plays = 0

    def observe(self, experience):
        self.plays += 1

    def learned(self):
        return Learned(instruction="Playbook: name the errand.") if self.plays else Learned()


class Wishes(GoalPolicy):
    """Says what it wants, which this model does not care for."""

    def block(self, task):
        return "Goal: to be done by noon."


class Rewarding(Errands):
    """A stream on which every trait may be worth something."""

    rewards = ("role", "memory", "goals", "learning")


FULL = Arm("full", Role("Clerk"), Diary(), Wishes(), Plays(), transcript=False)
GAINS = {"You are: ": 0.05, "Diary: ": 0.3, "Playbook: ": 0.15, "Diary:  & Playbook: ": -0.2}
# A main effect is a mean over the other traits being on and off, an interaction half a difference of differences.
PLANTED = {"role": 0.05, "memory": 0.2, "goals": 0.0, "learning": 0.05, "memory x learning": -0.1, "role x memory": 0.0}


def crossed(make: Callable[..., Study], tasks: int, seeds: object, **rest: object) -> TraitEffects:
    """A full factorial in which no two arms share their luck."""
    arms = [replace(arm, repeat=number) for number, arm in enumerate(factorial(FULL).arms)]
    lm = Scripted(0.3, 0.3, gains=GAINS)
    made = finish(make(*arms, stream=Rewarding(tasks, sessions=False), lm=lm, seeds=seeds, **rest))
    return made.main_effects()


def held(found: TraitEffects, name: str, tasks: int) -> bool:
    """Whether an interval holds what was planted; the first prompt of a run holds neither diary nor playbook."""
    late = 1.0 if {"memory", "learning"}.isdisjoint(name.split(" x ")) else 1 - 1 / tasks
    estimate = found.row(name).estimate
    return estimate.low <= PLANTED[name] * late <= estimate.high


def test_planted_effects_are_recovered_inside_their_intervals_and_the_null_is_not_declared(
    study: Callable[..., Study],
) -> None:
    tasks = 50
    found = crossed(study, tasks, 5)
    for name in PLANTED:
        assert held(found, name, tasks), (name, found)
    memory, goals = found.row("memory"), found.row("goals")
    assert memory.estimate.excludes_zero
    assert memory.p_holm < 0.01
    assert found.row("learning x memory").estimate.high < 0
    assert not goals.estimate.excludes_zero
    assert goals.estimate.low < 0 < goals.estimate.high
    assert goals.p_holm > 0.05
    assert memory.estimate.n == 5 * tasks
    assert memory.estimate.high - memory.estimate.low < 0.15  # wide enough to hold anything would be no recovery
    assert memory.effect == "Diary()"


@pytest.mark.validate
def test_over_many_studies_the_intervals_cover_and_the_null_is_declared_at_the_nominal_rate(
    study: Callable[..., Study],
) -> None:
    tasks, studies = 40, 60
    covered, declared = dict.fromkeys(PLANTED, 0), 0
    for number in range(studies):
        found = crossed(study, tasks, 5, name=f"s{number}", study_seed=number)
        for name in PLANTED:
            covered[name] += held(found, name, tasks)
        declared += found.row("goals").estimate.excludes_zero
    # P(fewer than 51 of 60 at .95) = .003 for one effect; P(more than 8 of 60 at .05) = .003
    assert min(covered.values()) >= 51, covered
    assert declared <= 8, declared


def test_the_function_takes_a_name_and_a_ledger_too(study: Callable[..., Study]) -> None:
    made = finish(study(*factorial(FULL, half=True).arms, stream=Rewarding(12, sessions=False)))
    assert str(main_effects("test", ledger=made.ledger)) == str(made.main_effects())
