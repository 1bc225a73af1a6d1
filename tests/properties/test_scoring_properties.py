"""What holds of scorers for any texts."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.records import Key, Task
from toolkit.streams.scoring import Exact, Normalised, Numeric, SetMatch, normal, number_in

UNTIMED = settings(deadline=None)
TASK = Task("t", {})
ALL = (Exact(), Normalised(), Numeric(), SetMatch())
TEXTS = st.text(max_size=40) | st.text("aA1,.-$% 'the\u2019\u00df\uff11", max_size=12)
KEYS = st.lists(TEXTS, min_size=1, max_size=3).map(lambda answers: Key(tuple(answers)))


@UNTIMED
@given(TEXTS, KEYS)
def test_scores_are_in_range_and_only_numbers_can_be_unscored(answer, key):
    for one in ALL:
        score = one(TASK, answer, key)
        assert 0 <= score <= 1 or (math.isnan(score) and isinstance(one, Numeric))


@UNTIMED
@given(KEYS)
def test_a_right_answer_is_right(key):
    for answer in key.answers:
        for one in (Exact(), Normalised(), SetMatch()):
            assert one(TASK, answer, key) == 1
        assert number_in(answer) is None or Numeric()(TASK, answer, key) == 1


@UNTIMED
@given(TEXTS, TEXTS)
def test_scorers_are_symmetric_between_two_texts(one, other):
    for each in (Exact(), Normalised(), SetMatch()):
        assert each(TASK, one, Key((other,))) == each(TASK, other, Key((one,)))


@UNTIMED
@given(TEXTS, KEYS)
def test_exact_is_the_strictest(answer, key):
    assert Exact()(TASK, answer, key) <= Normalised()(TASK, answer, key)
    assert Exact()(TASK, answer, key) <= SetMatch()(TASK, answer, key)


@UNTIMED
@given(TEXTS, KEYS, TEXTS)
def test_more_right_answers_never_hurt(answer, key, more):
    wider = Key((*key.answers, more))
    for one in ALL:
        before = one(TASK, answer, key)
        assert math.isnan(before) or one(TASK, answer, wider) >= before


@UNTIMED
@given(TEXTS)
def test_normal_forms_ignore_white_space_and_never_lose_everything(text):
    assert normal(text) == normal(f" {text}\n") == " ".join(normal(text).split())
    assert bool(normal(text)) == bool(text.strip())


@UNTIMED
@given(st.integers(-(10**30), 10**30))
def test_integers_are_read_in_every_spelling(value):
    for spelling in (f"{value}", f"{value:,}", f"${value}", f" {value}. "):
        assert number_in(spelling) == value


@UNTIMED
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_read_as_python_writes_them(value):
    found = number_in(repr(value))
    assert (found is None and 0 < abs(value) < 1e-307) or (found is not None and float(found) == value)


@UNTIMED
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(0, 100))
def test_tolerance_is_the_largest_difference(given_number, right, tolerance):
    near = Numeric(tolerance=tolerance)(TASK, str(given_number), Key((str(right),)))
    assert near == float(abs(given_number - right) <= tolerance)
