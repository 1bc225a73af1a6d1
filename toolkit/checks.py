"""Contract checks for components, the toolkit's own and anyone's: what the bench relies on, tried out.

>>> from toolkit.traits.memory import SlidingWindow
>>> check(SlidingWindow(k=2))
['config_round_trip', 'clone_is_equal_and_apart', 'survives_pickling', 'new_life', 'same_seed_same_behaviour', \
'inputs_are_left_alone', 'nothing_at_first', 'feedback_revises', 'lives_again', 'state_is_plain']
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from toolkit.agents.diary import draws
from toolkit.component import Component, build, digest
from toolkit.records import Experience, Feedback, Learned, Recall, Step, Task
from toolkit.traits.learning import Learner
from toolkit.traits.memory.policy import MemoryPolicy
from toolkit.traits.trait import Trait

Check = Callable[[Component], None]


class ContractError(AssertionError):
    """A component does not keep to its contract; the message says to which part, and what was seen."""


def check(component: Component) -> list[str]:
    """Run every check that concerns a component.

    Returns
    -------
    list of str
        The names of the checks that were run.

    Raises
    ------
    ContractError
        At the first one that fails.
    """
    ran = []
    for one in checks(component):
        one(component)
        ran.append(one.__name__)
    return ran


def checks(component: Component) -> tuple[Check, ...]:
    """The checks that concern a component."""
    found: list[Check] = [config_round_trip, clone_is_equal_and_apart, survives_pickling]
    if isinstance(component, MemoryPolicy | Learner):
        found += [new_life, same_seed_same_behaviour, inputs_are_left_alone]
    if isinstance(component, MemoryPolicy):
        found += [nothing_at_first, feedback_revises, lives_again]
    if isinstance(component, Learner):
        found += [same_for_any_two_tasks]
    if isinstance(component, Trait):
        found += [state_is_plain]
    return tuple(found)


def config_round_trip(component: Component) -> None:
    """``config()`` describes it fully: the component made from it is equal and has the same fingerprint."""
    again = build(component.kind, component.config(), type(component).__name__)
    _insist(again == component, f"{component!r} comes back from its config as {again!r}")
    _insist(again.fingerprint() == component.fingerprint(), f"{component!r} changes its fingerprint on the way")


def clone_is_equal_and_apart(component: Component) -> None:
    """A clone is equal, and is another object."""
    clone = component.clone()
    _insist(clone == component and clone is not component, f"the clone of {component!r} is {clone!r}")


def survives_pickling(component: Component) -> None:
    """It can be pickled, so that a run can go to another process."""
    copied = pickle.loads(pickle.dumps(component))
    _insist(copied == component and hash(copied) == hash(component), f"{component!r} is not the same after pickling")


def new_life(component: Component) -> None:
    """After ``reset`` nothing of an earlier life is left."""
    fresh = _trace(component.clone(), seed=1)
    used = component.clone()
    _trace(used, seed=2)
    _insist(_trace(used, seed=1) == fresh, f"{component!r} remembers what happened before reset()")


def same_seed_same_behaviour(component: Component) -> None:
    """Equal seeds and experiences give equal behaviour."""
    first, second = _trace(component.clone(), seed=7), _trace(component.clone(), seed=7)
    _insist(first == second, f"{component!r} behaves differently under equal seeds: draw from the rng of reset() only")


def inputs_are_left_alone(component: Component) -> None:
    """Experiences and tasks are not changed by being seen."""
    past = list(_past())
    before = copy.deepcopy(past)
    _live(component.clone(), past, seed=3)
    _insist(past == before, f"{component!r} changes the experiences it is shown")


def nothing_at_first(component: Component) -> None:
    """Before the first experience nothing is recalled: law 1, one block at t = 0."""
    policy = _begun(component.clone(), seed=0)
    if not isinstance(policy, MemoryPolicy):
        raise TypeError(f"{policy!r} is no memory policy")
    found = policy.recall(_task(0))
    _insist(isinstance(found, Recall) and not found, f"{component!r} recalls {found!r} before anything has happened")


def feedback_revises(component: Component) -> None:
    """The same experience seen again with feedback does not count twice."""
    policy = component.clone()
    _live(policy, [e for e in _past() for _ in range(2)], seed=5)
    recalled = policy.recall(_task(3)) if isinstance(policy, MemoryPolicy) else Recall()
    sources = [example.source for example in recalled.examples]
    _insist(len(set(sources)) == len(sources), f"{component!r} recalls one experience twice: {sources}")


def lives_again(component: Component) -> None:
    """What has met the same without being asked recalls the same: an agent that is opened again is the one it was."""
    asked, told = component.clone(), component.clone()
    past = list(_past())
    _live(asked, past, seed=6)
    _begun(told, seed=6)
    if isinstance(asked, MemoryPolicy) and isinstance(told, MemoryPolicy):
        for experience in past:
            if draws(told):
                told.recall(experience.task)
            told.observe(experience)
        found = [[policy.recall(_task(number)) for number in range(4)] for policy in (asked, told)]
        same = found[0] == found[1] and digest(asked.state()) == digest(told.state())
        _insist(same, f"{component!r} changes by recalling: count in observe() what was used, or say draws = True")


def same_for_any_two_tasks(component: Component) -> None:
    """What is learned does not change between two updates: that would be memory."""
    learner = component.clone()
    _live(learner, list(_past()), seed=5)
    if isinstance(learner, Learner):
        first, second = learner.learned(), learner.learned()
        _insist(isinstance(first, Learned) and first == second, f"{component!r} changes what it learned by being asked")


def state_is_plain(component: Component) -> None:
    """The state can be hashed, and equal lives end in equal states."""
    hashes = []
    for _ in range(2):
        trait = component.clone()
        _live(trait, list(_past()), seed=4)
        hashes.append(digest(trait.state()) if isinstance(trait, Trait) else "")
    _insist(hashes[0] == hashes[1], f"{component!r} ends equal lives in different states")


def _insist(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(message)


def _task(number: int) -> Task:
    words = ("parcel late", "password lost", "refund owed", "lamp broken")
    return Task(f"t{number}", {"ticket": f"{words[number % 4]} number {number}"}, ("a", "b", "c"), time=number)


def _past() -> Iterator[Experience]:
    for number in range(12):
        seen = Experience(f"stream/{number}", _task(number), "abc"[number % 3])
        yield seen
        if number % 4 != 3:  # some feedback never comes
            yield replace(seen, feedback=Feedback(float(number % 2), "abc"[(number + number % 2 + 1) % 3]))


def _begun(component: Component, seed: int) -> Component:
    if isinstance(component, Trait):
        component.reset(np.random.default_rng(seed), _thought)
    return component


def _thought(step: Step, **inputs: str) -> str:
    return f"{step.name}: {sorted(inputs.values())}"[:40]


def _live(component: Component, past: list[Experience], seed: int) -> list[object]:
    _begun(component, seed)
    seen: list[object] = []
    for experience in past:
        if isinstance(component, MemoryPolicy):
            seen.append(component.recall(experience.task))
            component.observe(experience)
        elif isinstance(component, Learner):
            seen.append(component.learned())
            if experience.feedback is not None:
                component.observe(experience)
    return seen


def _trace(component: Component, seed: int) -> list[object]:
    return _live(component, list(_past()), seed)
