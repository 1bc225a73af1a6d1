"""What each channel tells, and what it keeps to itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.component import registered
from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar

TASK, KEY = Task("t", {"text": "q"}), Key(("pear", "fig"), delay=3)
SHIPPED = (FullLabel, OneBit, Scalar, NoFeedback)


def told(channel: Channel, answer: str, score: float) -> Feedback | None:
    return channel.feedback(TASK, answer, KEY, score, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("channel", "answer", "score", "expected"),
    [
        (FullLabel(), "nut", 0.0, Feedback(0.0, "pear")),
        (FullLabel(), "fig", 1.0, Feedback(1.0, "fig")),
        (FullLabel(), "nut", math.nan, Feedback(None, "pear")),
        (OneBit(), "fig", 1.0, Feedback(1.0)),
        (OneBit(), "nut", 0.99, Feedback(0.0)),
        (OneBit(), "nut", math.nan, None),
        (Scalar(), "nut", 0.25, Feedback(0.25)),
        (Scalar(), "nut", math.nan, None),
        (NoFeedback(), "nut", 0.0, None),
    ],
)
def test_what_is_told(channel, answer, score, expected):
    assert told(channel, answer, score) == expected


@pytest.mark.parametrize("channel", [made() for made in SHIPPED if not made.reveals_label], ids=repr)
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_channel_that_reveals_no_label_holds_no_word_of_the_key(channel, score):
    secret = Key(("canary-7351",))
    assert "canary" not in repr(channel.feedback(TASK, "nut", secret, score, np.random.default_rng(0)))


def test_which_channels_reveal_labels():
    assert [made.reveals_label for made in SHIPPED] == [True, False, False, False]


@pytest.mark.parametrize("channel", [FullLabel(), OneBit(), Scalar()], ids=repr)
@pytest.mark.parametrize("score", [-0.1, 1.5, math.inf])
def test_a_score_out_of_range_is_refused(channel, score):
    with pytest.raises(ValueError, match=rf"{type(channel).__name__}: a score must be in \[0, 1\].*{score}.*'t'"):
        told(channel, "nut", score)


@pytest.mark.parametrize("made", SHIPPED, ids=lambda made: made.__name__)
def test_channels_are_found_by_name_and_use_no_chance(made):
    assert registered("channel")[made.__name__] is made
    assert Channel.from_config(made().config()) == made()
    rng = np.random.default_rng(0)
    made().feedback(TASK, "nut", KEY, 0.5, rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_a_channel_without_feedback_says_what_to_define():
    class Mute(Channel, abstract=True):
        pass

    with pytest.raises(NotImplementedError, match=r"Mute .*define feedback"):
        told(Mute(), "nut", 0.0)
