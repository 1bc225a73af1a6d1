"""What is said in words: true, about the answer, and no word of the right one that was not given."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Channel
from toolkit.streams.channels import Critique, Implicit, Noisy
from toolkit.streams.channels.words import RETRY, RIGHT, wrong

FREE, CLOSED = Task("t", {"text": "q"}), Task("t", {"text": "q"}, ("card lost", "card stolen", "pin blocked"))
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("task", "answer", "answers", "told"),
    [
        (CLOSED, "card stolen", ("card lost",), "1 of its words is right, 1 is missing; not right: 'stolen'"),
        (CLOSED, "pin blocked", ("card lost",), ""),
        (FREE, "12", ("90", "4"), "it is too high"),
        (FREE, "12", ("1200",), "it is far too low"),
        (FREE, "-12", ("12",), "it is far too low"),
        (FREE, "1", ("0",), "it is far too high"),
        (FREE, "twelve", ("12",), "a number is wanted"),
        (FREE, "$12", ("12",), "the number is right, but not its form"),
        (FREE, "May 7th", ("7th May", "spring"), "its words are right, but not their order or form"),
        (FREE, "7th", ("7th May", "spring"), "1 of its words is right, 1 is missing"),
        (FREE, "in May 1999", ("7th May", "spring"), "1 of its words is right, 1 is missing; not right: 'in', '1999'"),
        (FREE, "it was in spring", ("7th May", "spring"), "what was asked for is in it, but so are 3 words too many"),
    ],
)
def test_what_a_critique_says(task, answer, answers, told):
    expected = f"That is not right: {told}." if told else "That is not right."
    assert Critique().feedback(task, answer, Key(answers), 0.5, RNG) == Feedback(0.0, None, expected)


def test_a_right_answer_no_answer_no_option_and_no_score():
    assert Critique().feedback(FREE, "x", Key(("y",)), 1.0, RNG) == Feedback(1.0, None, RIGHT)
    assert Critique(scored=False).feedback(FREE, " ", Key(("y",)), 0.0, RNG) == Feedback(text="No answer was given.")
    assert wrong(CLOSED, "card", Key(("card lost",))) == "That is none of the options."
    assert Critique().feedback(FREE, "x", Key(("x",)), math.nan, RNG) is None
    told = Critique(reveals=True).feedback(FREE, "x", Key(("y z", "z")), 0.0, RNG)
    assert told.text == "That is not right. Right would have been: y z"


TEXTS = st.lists(st.sampled_from([f"w{n}" for n in range(8)]), max_size=6).map(" ".join)


@given(TEXTS, st.lists(TEXTS.filter(bool), min_size=1, max_size=3), st.booleans())
def test_a_critique_names_only_words_of_the_answer_that_are_wrong(answer, answers, closed):
    task = Task("t", {}, (answer, *answers) if closed else ())
    said = Critique().feedback(task, answer, Key(tuple(answers)), 0.0, RNG).text
    named = set(re.findall(r"w\d", said))
    assert named <= set(answer.split())
    assert all(any(word not in right.split() or answer.split().count(word) > right.split().count(word)
                   for right in answers) for word in named)  # fmt: skip


@given(st.integers(-9999, 9999), st.integers(-9999, 9999))
def test_a_number_is_called_too_high_where_it_is(given_number, right):
    said = wrong(FREE, str(given_number), Key((str(right),)))
    assert ("high" in said, "low" in said) == (given_number > right, given_number < right)


def reactions(user: Channel, answer: str, many: int = 2000) -> list[str]:
    user, rng = user.clone(), np.random.default_rng(1)
    user.reset(lambda question, answer: "")
    told = [user.feedback(FREE, answer, Key(("fig",)), float(answer == "fig"), rng) for _ in range(many)]
    assert all(one is None or (one.score is None and one.correction is None) for one in told)
    return ["" if one is None else one.text for one in told]


@given(st.sampled_from([(0.0, 0.0), (0.3, 0.1), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0)]))
def test_a_user_reacts_to_what_is_wrong_as_often_as_stated(chances):
    told = reactions(Implicit(*chances), "nut")
    for text, chance in zip((RETRY, "No, it is: fig"), chances, strict=True):
        assert abs(told.count(text) / 2000 - chance) <= 5 * math.sqrt(chance * (1 - chance) / 2000)
    assert set(reactions(Implicit(*chances), "fig")) == {""}


def test_a_user_is_mistaken_through_noise():
    told = reactions(Noisy(Implicit(1.0, 0.0), 0.2), "fig")
    assert told.count(RETRY) / 2000 == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("made", [Implicit(0.7, 0.4), Implicit(-0.1), Implicit(0.1, 2.0)])
def test_chances_that_are_none_are_refused(made):
    with pytest.raises(ValueError, match=r"Implicit\.p_\w+ .*must be .* but"):
        made.check()


def test_which_reveal_labels():
    made = [Critique(), Critique(reveals=True), Implicit(), Implicit(0.5, 0.0), Noisy(Critique(True))]
    assert [one.reveals_label for one in made] == [False, True, True, False, True]
