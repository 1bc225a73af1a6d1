"""Every registered component of the toolkit, crossed with every contract check."""

from __future__ import annotations

import sys

import pytest

import toolkit.evaluation.spec  # noqa: F401  (its imports register every component that a file can name)
from toolkit.checks import Check, ContractError, check, checks
from toolkit.component import Component, is_shipped, kinds, registered
from toolkit.lm.hosted import Hosted
from toolkit.lm.scripted import Scripted
from toolkit.lm.turns import TakingTurns
from toolkit.records import Feedback, Recall
from toolkit.streams.channel import Channel, FullLabel, OneBit, Scalar
from toolkit.streams.channels import Adversarial, Delayed, Implicit, Missing, Noisy, ShuffledFeedback
from toolkit.streams.table import Table
from toolkit.traits.memory import (
    Bounded,
    Facts,
    Layered,
    Lessons,
    MemoryPolicy,
    PermutedLabels,
    Retrieval,
    Shuffled,
    SlidingWindow,
)
from toolkit.traits.role import Role

WITH = {
    "Noisy": Noisy(FullLabel(), rate=0.4),
    "Adversarial": Adversarial(Scalar(), share=0.8),
    "Missing": Missing(Noisy(OneBit(), rate=0.5), share=0.3),
    "Delayed": Delayed(Missing(FullLabel()), by=2),
    "ShuffledFeedback": ShuffledFeedback(FullLabel()),
    "Implicit": Implicit(p_retry=0.5, p_correct=0.0),
    "Hosted": Hosted("openai/m", api_base="http://127.0.0.1:1/v1", dollars_in=1, dollars_out=2, options={"top_k": 3}),
    "Role": Role("Clerk", objective="Sorts.", rules=("Be brief.",), examples=({"inputs": {"x": "1"}, "answer": "a"},)),
    "Bounded": Bounded(Retrieval(k=2), size=5, drop="decayed"),
    "Facts": Facts(extract="rule", history=True),
    "Layered": Layered(SlidingWindow(k=2), Lessons(), consolidate="session"),
    "TakingTurns": TakingTurns((Scripted(p=0.2), Scripted(p=0.6))),
    "Shuffled": Shuffled(Retrieval(k=2)),
    "PermutedLabels": PermutedLabels(Retrieval(k=3, store="correct")),
}
BY_DATA = {
    "Banking77",
    "ChatLog",
    "Gguf",
    "Locomo",
    "LongMemEval",
    "OwnEmbedder",
    "Table",
    "Wrapped",
}  # identified by content: tested where the content is


def shipped() -> list[Component]:
    classes = [cls for kind in kinds() for cls in registered(kind).values() if is_shipped(cls)]
    classes = [cls for cls in classes if hasattr(sys.modules[cls.__module__], cls.__name__)]  # not a docstring's
    return [WITH.get(cls.__name__) or cls() for cls in classes if cls.__name__ not in BY_DATA]


def around(inner: Channel) -> list[Channel]:
    """Every wrapper around a channel that the bench speaks for."""
    lying = [Noisy(inner, rate=0.5), Adversarial(inner, share=0.5), ShuffledFeedback(inner)]
    return [Missing(inner, share=0.3), Delayed(inner, by=3), *(lying if not inner.asks_person else [])]


CASES = [(component, one) for component in shipped() for one in checks(component)]


@pytest.mark.parametrize(("component", "one"), CASES, ids=[f"{type(c).__name__}:{one.__name__}" for c, one in CASES])
def test_contract(component: Component, one: Check) -> None:
    one(component)


def test_every_kind_is_crossed() -> None:
    kinds_known = {"channel", "decider", "embedder", "goals", "learning", "lm", "memory", "role", "scorer", "stream"}
    assert {c.kind for c in shipped()} == kinds_known
    assert "Table" in registered("stream")
    assert Table is registered("stream")["Table"]


class Forgetful(MemoryPolicy):
    """Keeps its list over a reset."""

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def reset(self, rng, think):
        self.kept = getattr(self, "kept", [])

    def observe(self, experience):
        self.kept.append(experience)

    def recall(self, task):
        return Recall(tuple(e.example(e.answer) for e in self.kept[-self.k :]))


class Eager(MemoryPolicy):
    """Recalls before anything has happened."""

    def recall(self, task):
        return Recall(notes="always there")


class Restless(MemoryPolicy):
    """Draws from a generator of its own."""

    def recall(self, task):
        import random

        return Recall(notes=str(random.random()))


class Worn(MemoryPolicy):
    """Forgets what was recalled."""

    def reset(self, rng, think):
        self._kept = []

    def observe(self, experience):
        self._kept = [one for one in self._kept if one.id != experience.id] + [experience]

    def recall(self, task):
        return Recall((self._kept.pop(0).example("a"),)) if self._kept else Recall()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Forgetful(), "remembers what happened before reset"),
        (Eager(), "before anything"),
        (Restless(), "equal seeds|before reset"),
        (Worn(), "changes by recalling"),
    ],
)
def test_a_broken_policy_is_found(broken: MemoryPolicy, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        check(broken)


@pytest.mark.parametrize("inner", [one for one in shipped() if isinstance(one, Channel)], ids=repr)
def test_every_wrapper_around_every_channel_keeps_the_contract(inner: Channel) -> None:
    for wrapped in around(inner):
        check(wrapped)


class Gossip(Channel):
    """Tells what it should not, and says that it does not."""

    def feedback(self, task, answer, key, score, rng):
        return Feedback(text=f"It was {key.answers[0]}.")


class Elephant(Channel):
    """Never forgets a run."""

    def feedback(self, task, answer, key, score, rng):
        self.heard = getattr(self, "heard", 0) + 1
        return Feedback(text=f"answer number {self.heard}")


class Careless(Channel):
    """Corrects with whatever comes to mind."""

    def feedback(self, task, answer, key, score, rng):
        return Feedback(correction="whatever")


@pytest.mark.parametrize(
    ("broken", "told"),
    [(Gossip(), "reveals no label"), (Elephant(), "before reset"), (Careless(), "none of"),
     (Missing(Gossip()), "reveals no label"), (ShuffledFeedback(Gossip()), "reveals no label")],
)  # fmt: skip
def test_a_broken_channel_is_found(broken: Channel, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        check(broken)
