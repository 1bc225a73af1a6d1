"""Short-term and long-term memory in one: who gets what and when, what is recalled, and each half alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.records import Experience, Feedback, Recall, Task
from toolkit.traits.memory import (
    Facts,
    Layered,
    Lessons,
    MemoryPolicy,
    NoMemory,
    PoolRetrieval,
    Retrieval,
    SlidingWindow,
)


class Diary(MemoryPolicy):
    """Notes whatever it sees."""

    def reset(self, rng, think):
        self.seen = []

    def observe(self, experience):
        told = experience.feedback
        self.seen.append(f"{experience.id[7:]}{'' if told is None else '+'}")


def begun(policy: Layered) -> Layered:
    policy.check()
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "ask for the number first")
    return policy


def seen(number: int, session: str = "", user: str = "", text: str = "") -> Experience:
    task = Task(f"t{number}", {"text": text or f"ticket {number}"}, ("a", "b"), user, session, number)
    return Experience(f"stream/{number}", task, "a")


def told(one: Experience) -> Experience:
    return replace(one, feedback=Feedback(0.0, "b"))


def asked(text: str, user: str = "") -> Task:
    return Task("q", {"text": text}, ("a", "b"), user)


def test_short_sees_at_once_what_long_sees_when_it_leaves_the_window() -> None:
    policy = begun(Layered(Diary(), Diary(), consolidate="window", window=2))
    policy.observe(seen(0))
    policy.observe(told(seen(0)))
    for number in (1, 2):
        policy.observe(seen(number))
    assert policy.short.seen == ["0", "0+", "1", "2"]
    assert policy.long.seen == ["0", "0+"]
    policy.observe(told(seen(0)))  # late: it is long's now
    policy.observe(told(seen(2)))  # it waits, and takes it along
    assert policy.long.seen == ["0", "0+", "0+"]
    policy.observe(seen(3))
    policy.observe(seen(4))
    assert policy.long.seen == ["0", "0+", "0+", "1", "2", "2+"]


def test_a_session_is_consolidated_when_its_user_is_in_another() -> None:
    policy = begun(Layered(Diary(), Diary(), consolidate="session"))
    policy.observe(seen(0, "m/1", "mara"))
    policy.observe(seen(1, "b/1", "ben"))
    policy.observe(seen(2, "m/1", "mara"))
    assert policy.long.seen == []
    policy.observe(seen(3, "m/2", "mara"))
    assert policy.long.seen == ["0", "2"]
    nobody = begun(Layered(Diary(), Diary(), consolidate="session"))
    for number, session in enumerate(["s1", "s1", "s2", "", ""]):
        nobody.observe(seen(number, session))
    assert nobody.long.seen == ["0", "1", "2", "3"]


def test_sessions_that_never_end_do_not_wait_for_ever() -> None:
    policy = begun(Layered(NoMemory(), NoMemory(), consolidate="session"))
    for number in range(3_000):
        policy.observe(seen(number, f"s/{number}", f"user {number}"))
    assert len(policy.memories()) == 256
    assert policy.limit == 256


def test_what_both_recall_stands_once_and_what_is_recent_last() -> None:
    policy = begun(Layered(SlidingWindow(k=2), Retrieval(k=3)))
    for number, text in enumerate(["parcel late", "lamp broken", "parcel lost"]):
        policy.observe(seen(number, text=text))
    found = policy.recall(asked("my parcel"))
    assert [example.source for example in found.examples] == ["stream/0", "stream/1", "stream/2"]


def test_the_budget_goes_to_short_first() -> None:
    policy = begun(Layered(SlidingWindow(k=1), Lessons(k=2), max_tokens=25))
    for number, text in enumerate(["parcel late", "the lamp that I bought is broken", "card lost"]):
        policy.observe(seen(number, text=text))
        policy.observe(told(seen(number, text=text)))
    found = policy.recall(asked("card"))
    assert [example.answer for example in found.examples] == ["b"]
    assert found.notes == "- card lost [failure] ask for the number first"
    assert found.sources == ("lesson/stream/2",)
    found.without("lesson/stream/2")
    assert policy.clone().max_tokens == 25
    assert not begun(Layered(SlidingWindow(), Retrieval(), max_tokens=1)).recall(asked("card"))


@pytest.mark.parametrize("consolidate", ["at-once", "session", "window"])
def test_a_half_alone_is_that_policy(consolidate: str) -> None:
    alone = Retrieval(k=2)
    alone.reset(np.random.default_rng(0), lambda step, **inputs: "")
    first = begun(Layered(alone.clone(), NoMemory(), consolidate))
    second = begun(Layered(NoMemory(), alone.clone(), "at-once"))
    recalls: list[tuple[Recall, ...]] = []
    for number in range(6):
        for policy in (alone, first, second):
            policy.observe(seen(number, f"s{number // 2}"))
        recalls.append(tuple(policy.recall(asked(f"ticket {number}")) for policy in (alone, first, second)))
    assert all(one == two == three for one, two, three in recalls)
    assert Layered(NoMemory(), NoMemory()).stateless
    assert not Layered(NoMemory(), Retrieval()).stateless


def test_forgetting_reaches_both_and_what_waits() -> None:
    policy = begun(Layered(SlidingWindow(k=1), Facts(extract="rule"), consolidate="window", window=2))
    for number, user in enumerate(["mara", "ben", "mara", "ben"]):
        policy.observe(seen(number, user=user, text=f"{user}'s animal {number} is zebra{user}."))
    found = policy.forget("mara")
    assert set(found.removed) == {"fact/0", "stream/2"}
    for number in (4, 5, 6):
        policy.observe(seen(number, user="ben"))
    everything = f"{policy.memories()} {policy.state()} {policy.recall(asked('zebra'))}"
    assert "zebramara" not in everything
    assert "zebraben" in everything


def test_each_half_gets_the_labels_it_asked_for() -> None:
    policy = begun(Layered(SlidingWindow(k=4), PoolRetrieval(k=1, size=2)))
    assert policy.labels == 2
    for number in range(2):
        policy.observe(Experience(f"prepare/{number}", Task("p", {"text": "lamp"}), "", Feedback(1.0, "b")))
    assert len(policy.long.memories()) == 2
    assert policy.short.memories() == ()


@pytest.mark.parametrize("wrong", [{"consolidate": "never"}, {"window": 0}, {"max_tokens": 0}, {"short": 3}])
def test_what_it_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"Layered.{next(iter(wrong))}"):
        Layered(**wrong).check()
