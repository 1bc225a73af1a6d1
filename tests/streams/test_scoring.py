"""The scorers that are shipped, and those that users make."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest

from toolkit import component
from toolkit.component import registered
from toolkit.errors import SpecError
from toolkit.records import Key, Task
from toolkit.streams.scoring import (
    Exact,
    Normalised,
    Numeric,
    Scorer,
    SetMatch,
    normal,
    number_in,
    scorer,
    scorer_by_name,
)

TASK = Task("t7", {"text": "q"})


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Scorers that a test defines are unknown to the next."""
    before = dict(component._registry["scorer"])
    yield
    component._registry["scorer"] = before


def test_exact():
    key = Key(("Lima", "Callao"))
    assert [Exact()(TASK, answer, key) for answer in ("Lima", "Callao", "lima", "Lima ", "")] == [1, 1, 0, 0, 0]
    assert Exact()(TASK, "e\u0301", Key(("\u00e9",))) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Eiffel Tower.", "eiffel tower"),
        ("card_arrival", "Card-Arrival"),
        ("U.S.", "us"),
        ("don't", "don\u2019t"),
        ("STRASSE", "straße"),
        ("\uff21\uff22", "ab"),
        ("e\u0301", "\u00e9"),
        ("a\tb\n c", "b c"),
        ("“quoted”", "quoted"),
        ("A", "a"),
        ("COVID-19", "covid 19"),
        ("It is 5.", "it is 5"),
        ("\u22125", "-5"),
    ],
)
def test_normalised_ignores_form(one, other):
    assert Normalised()(TASK, one, Key(("?", other))) == Normalised()(TASK, other, Key((one,))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5", "5"),
        ("1.5", "15"),
        (".5", "5"),
        ("3:45", "345"),
        ("10-12", "1012"),
        ("a", "b"),
        ("a", "the"),
        ("C++", "C"),
        ("!", "?"),
        ("", "x"),
        ("theatre", "atre"),
    ],
)
def test_normalised_keeps_what_matters(one, other):
    assert Normalised()(TASK, one, Key((other,))) == Normalised()(TASK, other, Key((one,))) == 0


def test_normal_leaves_something():
    assert (normal("?!"), normal("  The "), normal("")) == ("?!", "the", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        (" +5 ", 5),
        ("-0.50", Decimal("-0.5")),
        ("1,000", 1000),
        ("12,345,678.9", Decimal("12345678.9")),
        ("$5", 5),
        ("-$5", -5),
        ("5 €", 5),
        ("£1,000.", 1000),
        ("1e3", 1000),
        ("1E-2", Decimal("0.01")),
        (".5", Decimal("0.5")),
        ("\u22125", -5),
        ("\uff15", 5),
        ("0", 0),
        ("007", 7),
        ("0e9999", 0),
    ],
)
def test_numbers_that_are_read(text, value):
    assert number_in(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "5 apples",
        "apples",
        "50%",
        "1,5",
        "1,00",
        "10,00,000",
        "0,123",
        ",5",
        "1.000,5",
        "1_000",
        "1/2",
        "0x10",
        "nan",
        "inf",
        "1e999",
        "5 6",
        "5$6",
        "$5$",
        "$$5",
        "",
        ".",
        "-",
        "$",
        "1 000",
        "--5",
        "- 5",
        "1.2.3",
        "5 or 7",
        "\u0665",
    ],
)
def test_texts_that_are_no_number(text):
    assert number_in(text) is None
    assert Numeric()(TASK, text, Key(("5",))) == 0


def test_numeric_tolerances():
    key = Key(("100", "7"))
    assert [Numeric()(TASK, text, key) for text in ("100.0", "$7", "100.0000000001", "100.00000001")] == [1, 1, 1, 0]
    assert [Numeric(tolerance=0.5)(TASK, text, key) for text in ("100.5", "100.51", "6.5")] == [1, 0, 1]
    assert [Numeric(relative=0.1)(TASK, text, key) for text in ("90", "89.9", "7.6")] == [1, 0, 1]
    assert Numeric()(TASK, "-100", key) == 0


def test_numeric_is_exact_where_floats_are_not():
    assert Numeric()(TASK, "9007199254740993", Key(("9007199254740992",))) == 0
    assert Numeric(tolerance=0)(TASK, "9007199254740993", Key(("9,007,199,254,740,993",))) == 1


def test_numeric_without_a_numeric_reference_is_unscored():
    assert math.isnan(Numeric()(TASK, "5", Key(("five",))))
    assert Numeric()(TASK, "5", Key(("five", "5"))) == 1


@pytest.mark.parametrize("given", [{"tolerance": -1}, {"relative": math.nan}, {"tolerance": math.inf}])
def test_numeric_refuses_senseless_bounds(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        Numeric(**given)(TASK, "5", Key(("5",)))


@pytest.mark.parametrize(
    ("answer", "rights", "expected"),
    [
        ("red, green", ["green,red"], 1),
        ("red", ["red,green"], 2 / 3),
        ("red,red", ["Red"], 1),
        ("blue", ["red"], 0),
        ("", ["red"], 0),
        (",", [","], 1),
        ("a1,b1,c1", ["x1", "b1,c1,d1"], 2 / 3),
    ],
)
def test_set_match_is_f1_against_the_nearest(answer, rights, expected):
    assert SetMatch()(TASK, answer, Key(tuple(rights))) == pytest.approx(expected)


def test_set_match_has_a_separator():
    assert SetMatch(";")(TASK, "a1, b1; c1", Key(("c1;a1, b1",))) == 1
    with pytest.raises(ValueError, match="separator"):
        SetMatch("")(TASK, "a1", Key(("a1",)))


def test_names():
    assert [one.name for one in scorer_by_name(("exact", "normalised", "numeric", "set"))] == [
        "exact",
        "normalised",
        "numeric",
        "set",
    ]
    assert scorer_by_name("set") == (SetMatch(),)
    assert scorer_by_name([]) == ()

    class HTMLTagsOnly(Scorer):
        pass

    assert HTMLTagsOnly().name == "html_tags_only"
    with pytest.raises(NotImplementedError, match="define score"):
        HTMLTagsOnly()(TASK, "", Key(("",)))


def test_unknown_and_repeated_names_are_listed_together():
    with pytest.raises(SpecError) as caught:
        scorer_by_name(["exct", "exact", "exact", "numerc"])
    first, second, third = caught.value.mistakes
    assert "'exct'; did you mean 'exact'" in first
    assert "did you mean 'numeric'" in second
    assert "'exact' is named twice" in third


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(TypeError, match="'set' is that of SetMatch"):

        @scorer
        def set(task, answer, key):
            return 1.0

    with pytest.raises(TypeError, match="Exact"):

        @scorer
        def exact(task, answer, key):
            return 1.0

    assert scorer_by_name(["set", "exact"]) == (SetMatch(), Exact())


def test_a_function_is_a_scorer():
    @scorer
    def half_right(task, answer, key):
        """Half of it."""
        return 0.5

    assert isinstance(half_right, Scorer)
    assert half_right.name == "half_right"
    assert half_right.__doc__ == "Half of it."
    assert half_right(TASK, "x", Key(("y",))) == half_right.score(TASK, "x", Key(("y",))) == 0.5
    assert scorer_by_name("half_right") == (half_right,)
    assert Scorer.from_config(half_right.config()) == half_right == half_right.clone()
    assert "HalfRight" in registered("scorer")


def test_a_scorer_may_be_defined_again_and_the_last_counts():
    def make(value):
        @scorer
        def again(task, answer, key):
            return value

        return again

    make(0.0)
    make(1.0)
    assert scorer_by_name("again")[0](TASK, "", Key(("",))) == 1


def test_the_source_identifies_a_function():
    found = []
    for body in ("return 1.0", "return 0.0", "return 1.0"):
        space: dict = {"__name__": "notebook", "scorer": scorer}
        exec(f"@scorer\ndef mine(task, answer, key):\n    {body}\n", space)
        found.append(space["mine"].fingerprint())
    assert found[0] == found[2] != found[1]

    @scorer
    def one(task, answer, key):
        return 1.0

    first = one.fingerprint()

    @scorer
    def one(task, answer, key):
        return 1.0 - 0

    assert one.fingerprint() != first


@pytest.mark.parametrize("value", [True, np.True_, 1, np.float32(1), np.int64(1), 1.0])
def test_numbers_of_every_sort_are_scores(value):
    made = scorer(lambda_named(value))
    assert type(made(TASK, "", Key(("",)))) is float
    assert made(TASK, "", Key(("",))) == 1


def lambda_named(value):
    def gives(task, answer, key):
        return value

    return gives


def test_nan_means_unscored():
    assert math.isnan(scorer(lambda_named(math.nan))(TASK, "", Key(("",))))


@pytest.mark.parametrize("value", [1.5, -0.1, math.inf, None, "1", 1j, [1.0]])
def test_what_is_no_score_names_scorer_task_and_value(value):
    made = scorer(lambda_named(value))
    for call in (made, made.score):
        with pytest.raises(ValueError, match=r"'gives'.*'t7'") as caught:
            call(TASK, "", Key(("",)))
        assert repr(value) in str(caught.value)


def test_a_class_of_the_users_own_is_checked_too():
    class Wild(Scorer):
        def score(self, task, answer, key):
            return 2.0

    with pytest.raises(ValueError, match=r"'wild' must return a number in \[0, 1\] but gave 2.0 for task 't7'"):
        Wild()(TASK, "", Key(("",)))


def test_what_is_no_scoring_function_is_refused():
    with pytest.raises(TypeError, match="a function with a name"):
        scorer(lambda task, answer, key: 1.0)

    def short(answer, key):
        return 1.0

    with pytest.raises(TypeError, match=r"'short' must take \(task, answer, key\) but takes \(answer, key\)"):
        scorer(short)


@scorer
def at_the_top(task, answer, key):
    return 1.0


def test_scorers_travel_to_other_processes(monkeypatch):
    monkeypatch.setitem(sys.modules, at_the_top.__module__, sys.modules[__name__])
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top
    assert pickle.loads(pickle.dumps(Numeric(0.5))) == Numeric(0.5)
    with pytest.raises(pickle.PicklingError, match="'gives' is defined inside a function"):
        pickle.dumps(scorer(lambda_named(1.0)))
