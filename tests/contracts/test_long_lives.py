"""Every memory policy over a long life: it keeps to its limit, its state stops growing or grows evenly, it can restart.

The contract checks live 300 tasks; here a policy lives 20,000 (``make validate``), asked before every eighth of them to
save time, with a scripted model that writes something usable in every step. Without ``-m validate`` a few policies live
short lives.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import toolkit.evaluation.spec  # noqa: F401  (its imports register every component that a file can name)
from toolkit.agents.diary import draws
from toolkit.component import digest, is_shipped, registered
from toolkit.records import Experience, Feedback, Recall, Step, Task
from toolkit.traits.memory import (
    Bounded,
    Facts,
    FullContext,
    LatestWins,
    Layered,
    Lessons,
    LinkedNotes,
    MemoryPolicy,
    NoMemory,
    PermutedLabels,
    Retrieval,
    RunningSummary,
    Shuffled,
    SlidingWindow,
    Weighed,
)

LONG, SHORT = 20_000, 1200
ASKED = 8
WORDS = ("parcel late", "password lost", "refund owed", "lamp broken", "window stuck", "bill wrong", "code unknown")
VARIANTS: tuple[MemoryPolicy, ...] = (
    Retrieval(store="correct", scope="user"),
    Retrieval(search="lexical"),
    SlidingWindow(k=3, scope="user"),
    SlidingWindow(k=3, scope="session"),
    FullContext(max_tokens=300, scope="session"),
    RunningSummary(every=2, scope="user"),
    Facts(extract="rule", history=True),
    Facts(scope="user"),
    LatestWins(scope="session"),
    Bounded(Retrieval(search="lexical"), size=50),
    Bounded(Retrieval(), size=50, drop="least-recent"),
    Bounded(LatestWins(), size=50, drop="least-useful"),
    Bounded(Weighed(), size=50, drop="decayed"),
    Bounded(Facts(extract="rule"), size=50, drop="least-useful"),
    Bounded(LinkedNotes(), size=50, drop="oldest"),
    Bounded(Lessons(), size=50, drop="least-recent"),
    Layered(SlidingWindow(k=3), Bounded(Retrieval(), size=50), consolidate="session"),
    Layered(SlidingWindow(k=3), Bounded(Facts(extract="rule"), size=50), consolidate="window", window=3),
    Layered(SlidingWindow(k=3), NoMemory(), consolidate="session"),
    Facts(extract="rule", merge="model"),
    LinkedNotes(links_by="model", rewrite=True),
    Bounded(LinkedNotes(links_by="model", rewrite=True), size=50),
)
WITH = {"Shuffled": Shuffled(Retrieval(k=2)), "PermutedLabels": PermutedLabels(Retrieval(k=3))}


def policies() -> list[MemoryPolicy]:
    """One of every registered policy as it comes, and the variants."""
    classes = [one for one in registered("memory").values() if is_shipped(one)]
    classes = [one for one in classes if hasattr(sys.modules[one.__module__], one.__name__)]  # not a docstring's
    found = [WITH.get(one.__name__) or one() for one in classes]
    return [*(one for one in found if isinstance(one, MemoryPolicy)), *VARIANTS]


def think(step: Step, **inputs: str) -> str:
    """What a model would write that follows every instruction, and never the same."""
    said = " ".join(inputs.values()).split()
    if step.name == "extract-facts":
        return f"{' '.join(said[:2])} | number | {said[-1]}"
    return {
        "rate": str(1 + len(said) % 10),
        "keywords": ", ".join(said[:3]),
        "merge-fact": ("update 1", "add", "nothing")[sum(map(ord, "".join(said))) % 3],
        "link-note": "2, 1",
        "rewrite-note": f"It has to do with {said[-1]} and is not yet over | {', '.join(said[:3])}",
    }.get(step.name, f"Ask first, then look it up and answer with {said[-1]} and {said[0]}.")


def task(number: int) -> Task:
    """Sixty users who come back, two tasks a session; a text that states a fact, whose value changes in time."""
    user = f"user{number // 2 % 60}"
    said = f"{WORDS[number % 7]}. {user}'s {WORDS[number % 5]} is {number // 300}. It is case {number}"
    return Task(f"t{number}", {"ticket": said}, ("a", "b", "c"), user, f"{user}/{number // 120}", float(number))


def life(policy: MemoryPolicy, tasks: int) -> Iterator[list[Experience]]:
    """A life, task by task, as a run leads it; gives what was observed, which is enough to live again."""
    policy.reset(np.random.default_rng(3), think)
    for number in range(tasks):
        recalled = policy.recall(task(number)).memories if number % ASKED == 0 else ()
        seen = Experience(f"stream/{number}", task(number), "abc"[number % 3], recalled=recalled)
        told = [seen]
        if number % 4 != 3:  # some feedback never comes
            told.append(replace(seen, feedback=Feedback(float(number % 2), "abc"[(number + number % 2 + 1) % 3])))
        for one in told:
            policy.observe(one)
        yield told


def again(policy: MemoryPolicy, past: list[Experience]) -> MemoryPolicy:
    """The policy that has met the same without being asked, unless it draws: how an agent is opened again."""
    found = policy.clone()
    found.reset(np.random.default_rng(3), think)
    for one in past:
        if draws(found) and one.feedback is None and one.task.time % ASKED == 0:
            found.recall(one.task)
        found.observe(one)
    return found


def answers(policy: MemoryPolicy) -> list[Recall]:
    return [policy.recall(task(number)) for number in range(8)]


def lived(policy: MemoryPolicy, tasks: int) -> str:
    """Live, look at four ages, live again; returns the figures."""
    past: list[Experience] = []
    halves: tuple[list[int], list[int]] = [], []
    ages, kept, sizes, seconds = [tasks * quarter // 4 for quarter in (1, 2, 3, 4)], [], [], [time.process_time()]
    for number, told in enumerate(life(policy, tasks), start=1):
        past += told
        if policy.limit is not None and number % (tasks // 40) == 0:  # room in a store comes and goes: often
            assert len(policy.memories()) <= policy.limit, f"{policy!r} keeps more than its limit at {number}"
            halves[number > tasks // 2].append(len(pickle.dumps(policy)))
        if number in ages:
            kept.append(len(policy.memories()))
            sizes.append(len(pickle.dumps(policy)))
            seconds.append(time.process_time())
    if policy.limit is None:  # evenly, and no more than a few for each task; room is doubled, hence the 2
        assert kept[-1] <= 8 * tasks
        assert kept[-1] - kept[1] <= 1.1 * (kept[1] or 1) + 8, f"{policy!r} keeps {kept} memories"
        assert sizes[-1] <= 2 * 4 * sizes[0], f"{policy!r} has {sizes} bytes at {ages}"
    else:
        assert max(kept) <= policy.limit, f"{policy!r} keeps {kept} of at most {policy.limit}"
        assert max(halves[1]) <= 1.5 * max(halves[0]) + 4000, f"{policy!r} has {sizes} bytes at {ages}"
    reopened = again(policy, past)
    assert digest(reopened.state()) == digest(policy.state()), f"{policy!r} is another one after a restart"
    assert answers(reopened) == answers(policy)
    took = [f"{1e6 * (end - start) / (tasks / 4):.0f}" for start, end in pairwise(seconds)]
    told = policy.limit if policy.limit is not None else "none"
    return f"limit {told}; kept {kept}; bytes {sizes}; us a task {', '.join(took)}"


@pytest.mark.validate
@pytest.mark.parametrize("policy", policies(), ids=repr)
def test_twenty_thousand_tasks(policy: MemoryPolicy) -> None:
    print(repr(policy), lived(policy, LONG))


@pytest.mark.parametrize("policy", [VARIANTS[3], VARIANTS[11], VARIANTS[16], PermutedLabels(Retrieval())], ids=repr)
def test_some_hundred_tasks(policy: MemoryPolicy) -> None:
    lived(policy, SHORT)


class Hoarder(SlidingWindow):
    """Keeps to its limit of memories, and hoards what it does not show."""

    def reset(self, rng, think):
        super().reset(rng, think)
        self._hoard = []

    def observe(self, experience):
        super().observe(experience)
        self._hoard.append(experience)


class Boundless(Retrieval):
    """Says that it has a limit, and has none."""

    limit = 5


@pytest.mark.parametrize(("policy", "told"), [(Hoarder(), "bytes at"), (Boundless(), "keeps more than its limit")])
def test_who_grows_is_found(policy: MemoryPolicy, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        lived(policy, SHORT)
