"""Learners without an optimiser: what they keep, and what every prompt carries because of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.component import digest
from toolkit.records import Experience, Feedback, Task
from toolkit.traits.learning import DemoBuffer, Learner


def begun(learner: Learner, think=lambda step, **inputs: "") -> Learner:
    learner.check()
    learner.reset(np.random.default_rng(0), think)
    return learner


def told(number: int, answer: str = "a", right: str = "a", text: str = "") -> Experience:
    feedback = Feedback(float(answer == right), right, text)
    return Experience(f"stream/{number}", Task(f"t{number}", {"note": f"note {number}"}), answer, feedback)


def kept(buffer: Learner) -> list[str]:
    return [one.source.removeprefix("stream/") for one in buffer.learned().examples]


def lived(learner: Learner, cases: list[tuple[str, str]]) -> Learner:
    for number, (answer, right) in enumerate(cases):
        learner.observe(told(number, answer, right))
    return learner


# demonstrations

CASES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=20)


def test_the_buffer_of_the_latest_is_what_it_was() -> None:
    assert DemoBuffer(4).config() == {"use": "DemoBuffer", "size": 4}
    assert DemoBuffer(4).fingerprint() == digest(["learning", {"use": "DemoBuffer", "size": 4}, 1, "", []])
    assert kept(lived(begun(DemoBuffer(3)), [("a", "a")] * 5)) == ["2", "3", "4"]
    assert set(begun(DemoBuffer(3)).state()) == {"examples"}


@given(cases=CASES, size=st.integers(1, 6))
def test_coverage_keeps_the_latest_of_as_many_answers_as_there_is_room_for(
    cases: list[tuple[str, str]], size: int
) -> None:
    buffer = lived(begun(DemoBuffer(size, "coverage")), cases)
    shown = [one.answer for one in buffer.learned().examples]
    assert len(shown) == min(size, len(cases))
    assert len(set(shown)) == min(size, len({right for _, right in cases}))
    for answer in set(shown) if size >= 3 else ():
        last = max(number for number, (_, right) in enumerate(cases) if right == answer)
        assert str(last) in kept(buffer)


@given(cases=CASES, size=st.integers(1, 6))
def test_mistakes_stay_before_successes(cases: list[tuple[str, str]], size: int) -> None:
    buffer = lived(begun(DemoBuffer(size, "mistakes")), cases)
    wrong = [str(number) for number, (answer, right) in enumerate(cases) if answer != right]
    right = [str(number) for number, (answer, right) in enumerate(cases) if answer == right]
    room = max(0, size - len(wrong))
    assert kept(buffer) == sorted([*wrong[-size:], *(right[-room:] if room else [])], key=int)


def test_a_way_of_keeping_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="keep must be 'coverage', 'mistakes' or None but is 'best'"):
        DemoBuffer(2, "best").check()
