"""Short-term memory: by tasks and tokens, of everybody, each user, each session; feedback that comes late."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.records import Experience, Feedback, Task
from toolkit.traits.memory import FullContext, MemoryPolicy, SlidingWindow


def begun(policy: MemoryPolicy) -> MemoryPolicy:
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    return policy


def seen(number: int, user: str = "", session: str = "", text: str = "") -> Experience:
    return Experience(
        f"stream/{number}", Task(f"t{number}", {"text": text or f"text {number}"}, (), user, session), "a"
    )


def shown(policy: MemoryPolicy, user: str = "", session: str = "") -> list[str]:
    return [one.source for one in policy.recall(Task("q", {"text": "?"}, (), user, session)).examples]


def test_the_last_k_stand_oldest_first() -> None:
    policy = begun(SlidingWindow(k=2))
    for number in range(4):
        policy.observe(seen(number))
    assert shown(policy) == ["stream/2", "stream/3"]


@pytest.mark.parametrize(("scope", "mara"), [("user", ["stream/0", "stream/2"]), ("session", ["stream/2"])])
def test_each_user_or_session_has_its_own(scope: str, mara: list[str]) -> None:
    policy = begun(SlidingWindow(k=2, scope=scope))
    for number, (user, session) in enumerate([("mara", "m/1"), ("jan", "j/1"), ("mara", "m/2"), ("jan", "j/1")]):
        policy.observe(seen(number, user, session))
    assert shown(policy, "mara", "m/2") == mara
    assert shown(policy, "jan", "j/1") == ["stream/1", "stream/3"]
    assert shown(policy, "new", "n/1") == []


def test_feedback_revises_what_is_in_the_window_and_brings_nothing_back() -> None:
    policy = begun(SlidingWindow(k=1))
    old, new = seen(0), seen(1)
    policy.observe(old)
    policy.observe(new)
    for one in (old, new):
        policy.observe(replace(one, feedback=Feedback(0.0, "right")))
    assert [(one.id, one.answer, one.known) for one in policy.memories()] == [("stream/1", "right", True)]


def test_late_feedback_does_not_make_a_session_the_latest() -> None:
    policy = begun(SlidingWindow(k=1, scope="session"))
    experiences = [seen(number, session=f"s{number}") for number in range(256)]
    for one in experiences:
        policy.observe(one)
    policy.observe(replace(experiences[0], feedback=Feedback(1.0)))
    policy.observe(seen(256, session="s256"))
    assert shown(policy, session="s0") == []
    assert shown(policy, session="s1") == ["stream/1"]
    assert len(policy.memories()) == 256


def test_tokens_are_budgeted_from_the_latest_backwards() -> None:
    policy = begun(FullContext(max_tokens=10))  # 40 characters
    for number, length in enumerate([30, 18, 18]):
        policy.observe(seen(number, text="x" * length))
    assert shown(policy) == ["stream/1", "stream/2"]


def test_what_is_too_long_by_itself_is_there_while_it_is_the_latest() -> None:
    policy = begun(FullContext(max_tokens=1))
    policy.observe(seen(0, text="x" * 100))
    assert shown(policy) == ["stream/0"]
    policy.observe(seen(1, text="y"))
    assert shown(policy) == ["stream/1"]


def told(number: int, score: float, answer: str = "a") -> list[Experience]:
    """One task as it is met, and as one bit tells of it."""
    one = replace(seen(number), answer=answer)
    return [one, replace(one, feedback=Feedback(score))]


def test_a_window_of_what_was_told_right_or_wrong_holds_own_answers_and_comes_in_with_the_feedback() -> None:
    policy = begun(SlidingWindow(k=2, store="feedback"))
    for number, (score, answer) in enumerate([(1.0, "a"), (0.0, "b"), (1.0, "c")]):
        met, heard = told(number, score, answer)
        policy.observe(met)
        assert f"stream/{number}" not in shown(policy), "nobody has said anything yet"
        policy.observe(heard)
    found = policy.recall(Task("q", {"text": "?"})).examples
    assert [(one.source, one.answer, one.feedback) for one in found] == [
        ("stream/1", "b", "not correct"),
        ("stream/2", "c", "correct"),
    ]


def test_a_window_of_what_is_right_passes_over_the_rest() -> None:
    policy = begun(SlidingWindow(k=2, store="correct"))
    for number, score in enumerate([1.0, 1.0, 0.0, 1.0, 0.0]):
        for one in told(number, score):
            policy.observe(one)
    assert shown(policy) == ["stream/1", "stream/3"]
    assert {one.feedback for one in policy.recall(Task("q", {"text": "?"})).examples} == {None}


def test_a_window_as_it_was_is_the_component_that_it_was() -> None:
    assert SlidingWindow(k=3).config() == {"use": "SlidingWindow", "k": 3, "scope": "shared"}
    assert len({SlidingWindow(store=one).fingerprint() for one in (None, "correct", "feedback")}) == 3
    with pytest.raises(ValueError, match="'correct', 'feedback' or None but is 'all'"):
        SlidingWindow(store="all").check()  # type: ignore[arg-type]
