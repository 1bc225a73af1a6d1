"""Preferences: the better of two answers, the agent's among them; silence where neither is."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from toolkit.component import canonical, digest
from toolkit.ledger.events import Event, event_of, event_row
from toolkit.ledger.rows import content
from toolkit.records import Experience, Feedback, Key, Task
from toolkit.streams.channels import Noisy, Preference

OPTIONS = ("nut", "pear", "fig", "plum")


def pairs(channel, answer, score=None, many: int = 1500):
    channel, rng = channel.clone(), np.random.default_rng(5)
    channel.reset(lambda question, answer: "")
    score = float(answer == "pear") if score is None else score
    return [channel.feedback(Task("t", {}, OPTIONS), answer, Key(("pear",)), score, rng) for _ in range(many)]


def test_a_right_answer_is_preferred_to_any_other_each_as_often():
    told = Counter(one.preferred for one in pairs(Preference(), "pear"))
    assert set(told) == {("pear", other) for other in ("nut", "fig", "plum")}
    assert all(count == pytest.approx(500, abs=95) for count in told.values())  # five standard errors


@pytest.mark.parametrize(("against", "share"), [("any", 1 / 3), ("right", 1.0)])
def test_a_wrong_answer_is_told_of_only_against_the_right_one(against, share):
    told = Counter(one and one.preferred for one in pairs(Preference(against), "nut"))
    assert set(told) <= {None, ("pear", "nut")}
    assert told["pear", "nut"] / 1500 == pytest.approx(share, abs=0.065)


def test_through_noise_the_worse_one_is_preferred_at_the_rate():
    told = Counter(one.preferred[0] for one in pairs(Noisy(Preference("right"), 0.2), "pear") if one)
    assert told["pear"] / 1500 == pytest.approx(0.8, abs=0.055)


def test_what_cannot_be_compared_is_not():
    rng = np.random.default_rng(0)
    judge = Preference()
    judge.reset(lambda question, answer: "")
    free = [judge.feedback(Task("t", {}), "six", Key((right,)), float(right == "six"), rng) for right in ("one", "six")]
    assert free == [None, Feedback(text="Better: six. Worse: one.", preferred=("six", "one"))]
    assert pairs(Preference(), "", many=1) == [None]
    assert pairs(Preference("right"), "nut", math.nan, 1)[0].preferred == ("pear", "nut")
    with pytest.raises(ValueError, match=r"Preference\.against must be 'any' or 'right' but is 'best'"):
        Preference("best").check()


def test_where_no_preference_is_told_digests_rows_and_events_are_what_they_were():
    plain, told = Feedback(0.5, "a", "b"), Feedback(preferred=("a", "b"))
    assert canonical(plain) == '{"correction": "a", "score": 0.5, "text": "b"}'
    assert digest(told) != digest(Feedback())
    assert content({"preferred": None, "answer": "x"}) == {"answer": "x"}
    for feedback in (plain, told):
        event = Event("feedback", "stream", 3, Experience("stream/1", Task("t", {}), "a", feedback))
        row = event_row(event)
        assert ("preferred" in str(row[-1]) or '["a", "b"]' in str(row[-1])) == (feedback is told)
        assert event_of((*row[:5], event.at, row[-1])).experience == event.experience
