"""What a model decides of what is kept: which facts a new one ends, which notes are linked and written anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.records import Experience, Feedback, Memory, Step, Task
from toolkit.traits.memory import Facts, LinkedNotes, MemoryPolicy
from toolkit.traits.memory.choosing import CONTEXT, decision, numbered, picked, rewritten
from toolkit.traits.memory.written import READ, words

SAID = st.text(alphabet=st.sampled_from("adeptu nosmle12390²٣.,:;(|\n"), max_size=40)
DECISIONS = st.sampled_from(["add", "update 1", "update 2", "delete 1", "delete 2", "nothing", "update", "well, add"])
Policy = TypeVar("Policy", bound=MemoryPolicy)


class Model:
    """Answers each step with what is said of it, a text or a function of the inputs, and notes what it was asked."""

    def __init__(self, **says: str | Callable[..., str]) -> None:
        self.says, self.asked = says, list[tuple[str, dict[str, str]]]()

    def __call__(self, step: Step, **inputs: str) -> str:
        self.asked.append((step.name, inputs))
        said = self.says.get(step.name.split("-")[0], "")
        return said if isinstance(said, str) else said(**inputs)


def begun(policy: Policy, **says: str | Callable[..., str]) -> tuple[Policy, Model]:
    policy.check()
    model = Model(**says)
    policy.reset(np.random.default_rng(0), model)
    return policy, model


def tell(policy: MemoryPolicy, text: str, user: str = "", number: int | None = None) -> None:
    place = len(policy.memories()) if number is None else number
    policy.observe(Experience(f"stream/{place}", Task(f"t{place}", {"text": text}, (), user, "", place), "a"))


def held(policy: MemoryPolicy) -> list[tuple[str, float | None]]:
    return [(one.fields["value"], one.until) for one in policy.memories()]


def ask(policy: MemoryPolicy, text: str) -> str:
    return policy.recall(Task("q", {"text": text}, time=99.0)).notes


def of(what: str, part: str) -> Callable[..., str]:
    """Decides for the known fact that has a word in it: ``update 2``."""
    return lambda known, new: f"{what} {[part in one for one in known.split('; ')].index(True) + 1}"


# facts


def test_a_contradiction_in_other_words_is_merged_by_the_model_and_not_by_the_rule() -> None:
    by_model, model = begun(Facts(extract="rule", merge="model"), merge="add")
    by_rule, unasked = begun(Facts(extract="rule"))
    for policy in (by_model, by_rule):
        tell(policy, "Ben's dog is Rex.")
        tell(policy, "Mara's city is Oslo.")
        model.says["merge"] = of("update", "Oslo")
        tell(policy, "Mara's new home is Rome.")
    assert held(by_rule) == [("Rex", None), ("Oslo", None), ("Rome", None)]
    assert held(by_model) == [("Rex", None), ("Oslo", 2.0), ("Rome", None)]
    assert by_model.memories()[1].links == ("fact/2",)
    assert "Oslo" in ask(by_rule, "Where does Mara live?")
    assert "Oslo" not in ask(by_model, "Where does Mara live?")
    assert not unasked.asked


def test_a_new_fact_is_one_call_and_none_where_nothing_holds_or_it_is_known() -> None:
    policy, model = begun(Facts(extract="rule", merge="model", k=1), merge="add")
    tell(policy, "Mara's city is Oslo.")
    tell(policy, "mara's CITY is oslo!")
    assert model.asked == []
    tell(policy, "Ben's dog is Rex.", "ben")
    assert model.asked == [("merge-fact", {"known": "1. Mara's city is Oslo", "new": "Ben's dog is Rex"})]
    own, model = begun(Facts(extract="rule", merge="model", scope="user"), merge="delete 1")
    tell(own, "My city is Oslo.", "mara")
    tell(own, "My city is Rome.", "ben")
    assert model.asked == []


def test_of_one_property_the_model_may_keep_several_values_and_the_rule_then_ends_them_all() -> None:
    policy, model = begun(Facts(extract="rule", merge="model"), merge="add")
    for text in ("Mara's drink is tea.", "Mara's drink is coffee.", "Mara's drink is tea."):
        tell(policy, text, number=0)
    assert held(policy) == [("tea", None), ("coffee", None)]
    model.says["merge"] = "update"
    tell(policy, "Mara's drink is milk.", number=3)
    assert held(policy) == [("tea", 3.0), ("coffee", 3.0), ("milk", None)]
    assert policy.unusable == 1


def test_what_is_known_is_not_kept_and_what_is_over_is_kept_but_holds_no_more() -> None:
    policy, model = begun(Facts(extract="rule", merge="model", history=True), merge="nothing")
    tell(policy, "Mara's city is Oslo.", "ben")
    tell(policy, "Mara's home is Oslo.", "ben")
    assert held(policy) == [("Oslo", None)]
    model.says["merge"] = "delete 1"
    tell(policy, "Mara's city is unknown.", "mara", number=1)
    assert [(one.kind, one.until, one.links) for one in policy.memories()] == [
        ("fact", 1.0, ("fact/1",)),
        ("retraction", 1.0, ()),
    ]
    assert ask(policy, "Mara's city") == "- Mara's city is Oslo (until 1)"
    assert policy.forget("mara").removed == ("fact/1",)
    assert held(policy) == [("Oslo", None)]
    tell(policy, "Mara's city is Oslo.", number=5)
    assert held(policy) == [("Oslo", None)]


def test_forgetting_who_told_what_the_model_merged_lets_the_old_fact_hold_again() -> None:
    policy, model = begun(Facts(extract="rule", merge="model"), merge=of("update", "city"))
    tell(policy, "Mara's city is Oslo.", "ben")
    tell(policy, "Mara's new home is Rome.", "mara")
    model.says["merge"] = of("update", "home")
    tell(policy, "Mara's town is Bergen.", "eva")
    assert held(policy) == [("Oslo", 1.0), ("Rome", 2.0), ("Bergen", None)]
    policy.forget("mara")
    assert held(policy) == [("Oslo", 2.0), ("Bergen", None)]
    assert "Rome" not in str(policy.memories()) + str(policy.state())
    policy.forget("eva")
    assert held(policy) == [("Oslo", None)]


@pytest.mark.parametrize("said", ["", "update 9", "I would update 1", "add, update 1, delete 1, nothing", "1", "!?"])
def test_nonsense_changes_nothing_but_the_count(said: str) -> None:
    by_model, _ = begun(Facts(extract="rule", merge="model"), merge=said)
    by_rule, _ = begun(Facts(extract="rule"))
    for policy in (by_model, by_rule):
        for text in ("Mara's city is Oslo.", "Mara's city is Rome.", "Mara's dog is Rex."):
            tell(policy, text)
    assert by_model.memories() == by_rule.memories()
    assert (by_model.unusable, by_rule.unusable) == (2, 0)


@given(st.lists(st.tuples(st.sampled_from(["city", "home", "dog"]), st.sampled_from("xyz"), DECISIONS), max_size=12))
def test_whatever_is_decided_no_fact_is_lost_and_each_that_ended_says_what_ended_it(
    told: list[tuple[str, str, str]],
) -> None:
    policy, model = begun(Facts(extract="rule", merge="model", k=2))
    ever = list[str]()
    for place, (attribute, value, said) in enumerate(told):
        model.says["merge"] = said
        tell(policy, f"My {attribute} is {value}.", "ben" if place % 3 else "mara", number=place)
        assert [one.id for one in policy.memories()][: len(ever)] == ever
        ever = [one.id for one in policy.memories()]
    kept = {one.id: one for one in policy.memories()}
    for one in kept.values():
        assert (one.until is None) == (not one.links and one.kind == "fact")
        assert all(kept[name].time == one.until for name in one.links)
    holding = {one.id for one in kept.values() if one.until is None}
    assert {name for names in policy._holds.values() for name in names} == holding
    policy.forget("mara")
    left = policy.memories()
    assert {one.id for one in left} == {name for name, one in kept.items() if one.user == "ben"}
    assert all(name in {one.id for one in left} for one in left for name in one.links)
    assert {name for names in policy._holds.values() for name in names} == {one.id for one in left if one.until is None}


@given(SAID, st.integers(1, 12))
def test_a_decision_names_a_fact_that_is_shown_where_it_needs_one(said: str, of: int) -> None:
    found = decision(said, of)
    if found is not None:
        what, number = found
        assert what in words(said) or {"none", "noop"} & set(words(said))
        assert (1 <= number <= of) if what in ("update", "delete") else number == 0


@given(
    st.sampled_from(["add", "nothing", "update", "delete"]),
    st.integers(0, 12),
    st.sampled_from(["", ".", ": so", " (x)"]),
)
def test_a_decision_is_read_whatever_its_case_and_explanation(what: str, number: int, after: str) -> None:
    needs = what in ("update", "delete")
    said = f"{what.upper()} {number}" if needs else what.upper()
    assert decision(f" {said}{after}", 10) == (None if needs and not 1 <= number <= 10 else (what, number * needs))


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(1, 300)), min_size=1, max_size=10))
def test_all_that_is_numbered_is_seen(given: list[tuple[str, int]]) -> None:
    texts = [text * times for text, times in [*given, ("word ", 500)][-10:]]
    shown = numbered(texts)
    assert len(shown) <= READ
    assert all(f"{place}. " in shown for place in range(1, len(texts) + 1))


# notes


def test_the_model_chooses_what_is_linked() -> None:
    def fitting(notes: str, new: str) -> str:
        return ", ".join(one.partition(".")[0] for one in notes.split("; ") if "gym" in one and "gym" in new) or "none"

    chosen, model = begun(LinkedNotes(links=2, links_by="model"), keywords="x", link=fitting)
    nearest, _ = begun(LinkedNotes(links=2), keywords="x")
    for policy in (chosen, nearest):
        for text in ("the gym opens at six", "my parcel is late", "my parcel is lost", "a parcel of the gym"):
            tell(policy, text)
    assert [one.links for one in chosen.memories()] == [("note/stream/3",), (), (), ("note/stream/0",)]
    assert len(nearest.memories()[-1].links) == 2
    assert [name for name, _ in model.asked].count("link-note") == 3
    assert chosen.unusable == 0


@pytest.mark.parametrize("said", ["", "9", "the first one", "1 to 3", "-"])
def test_nonsense_about_links_and_rewriting_changes_nothing_but_the_count(said: str) -> None:
    asked, _ = begun(LinkedNotes(links_by="model", rewrite=True), keywords="x", link=said, rewrite=said)
    plain, _ = begun(LinkedNotes(), keywords="x")
    for policy in (asked, plain):
        for text in ("parcel late", "parcel lost", "lamp broken"):
            tell(policy, text)
    assert asked.memories() == plain.memories()
    assert (asked.unusable, plain.unusable) == (2 + 3, 0)


def told_of_the_depot(policy: LinkedNotes) -> Memory:
    tell(policy, "where is my parcel", "ben")
    tell(policy, "the zebra depot burnt", "mara")
    return policy.memories()[0]


BURNT = "A parcel was at the zebra depot | parcel, fire"


def test_an_old_note_is_rewritten_in_the_light_of_a_new_one_and_found_by_it() -> None:
    policy, model = begun(LinkedNotes(k=1, links=1, rewrite=True), keywords="x", rewrite=BURNT)
    note = told_of_the_depot(policy)
    assert note.text == "where is my parcel Answer: a (A parcel was at the zebra depot; parcel, fire)"
    assert note.sources == ("stream/0", "stream/1")
    assert note.links == ("note/stream/1",)
    assert model.asked[-1] == (
        "rewrite-note",
        {"old": "where is my parcel Answer: a (x)", "new": "the zebra depot burnt Answer: a (x)"},
    )
    task = Task("t0", {"text": "where is my parcel"}, (), "ben", "", 0)
    policy.observe(Experience("stream/0", task, "a", Feedback(0.0, "b")))
    assert policy.memories()[0] == replace(note, answer="b", known=True, text=note.text.replace(": a", ": b"))
    model.says["rewrite"] = "same"
    tell(policy, "where is my parcel please", "ben")
    assert policy.memories()[0].sources == ("stream/0", "stream/1")
    assert policy.unusable == 0


@pytest.mark.parametrize("drop", [False, True])
def test_forgetting_a_user_takes_back_what_others_notes_were_rewritten_to(drop: bool) -> None:
    policy, _ = begun(LinkedNotes(links=1, rewrite=True), keywords="x", rewrite=BURNT)
    told_of_the_depot(policy)
    if drop:  # as for want of room: what was written in its light is still there
        policy.drop(["note/stream/1"])
    found = policy.forget("mara")
    assert found.removed == (() if drop else ("note/stream/1",))
    (left,) = policy.memories()
    assert (left.text, left.sources, left.links) == ("where is my parcel Answer: a (x)", ("stream/0",), ())
    assert "zebra" not in str(policy.memories()) + str(policy.state())


def test_forgetting_a_user_keeps_the_notes_in_whose_light_theirs_were_rewritten() -> None:
    policy, _ = begun(LinkedNotes(links=1, rewrite=True), keywords="x", rewrite=BURNT)
    told_of_the_depot(policy)
    assert policy.forget("ben").removed == ("note/stream/0",)
    assert [one.id for one in policy.memories()] == ["note/stream/1"]


def test_a_note_that_is_rewritten_for_ever_begins_anew_and_stays_bounded() -> None:
    policy, model = begun(LinkedNotes(links=1, rewrite=True), keywords="x", rewrite=BURNT)
    tell(policy, "where is my parcel", "ben")
    lengths = []
    for number in range(1, 7):
        tell(policy, "the depot burnt", f"user {number}", number=number)
        policy.drop([f"note/stream/{number}"])  # so that the next is linked with the first again
        lengths.append(len(policy.memories()[0].sources))
        assert len(policy._lit["note/stream/0"]) == lengths[-1]
    assert lengths == [2, 3, 2, 3, 2, 3]
    first = "where is my parcel Answer: a (x)"
    again = [inputs["old"] == first for name, inputs in model.asked if name == "rewrite-note"]
    assert again == [True, False, True, False, True, False]
    policy.drop(["note/stream/0"])
    assert policy._lit == {}


@given(st.lists(st.tuples(st.sampled_from(["parcel late", "lamp broken", "card lost"]), SAID), max_size=10), st.data())
def test_links_are_mutual_whatever_is_chosen(told: list[tuple[str, str]], data: st.DataObject) -> None:
    by_model = data.draw(st.booleans())
    policy, model = begun(LinkedNotes(links=2, links_by="model" if by_model else "similarity"), keywords="x")
    for text, said in told:
        model.says["link"] = said
        tell(policy, text)
    kept = {one.id: one for one in policy.memories()}
    for one in kept.values():
        assert len(one.links) == len(set(one.links)) <= 4
        assert all(one.id in kept[name].links for name in one.links)


def test_links_stay_mutual_where_a_new_note_is_linked_with_two_of_which_one_lets_go_of_the_other() -> None:
    policy, _ = begun(LinkedNotes(links=2), keywords="x")
    lamp, late, card, broken = "parcel lamp", "parcel late", "card lost", "lamp broken"
    for text in (lamp, late, card, late, broken, late, card, card, lamp, broken, late, lamp):
        tell(policy, text)
    kept = {one.id: one for one in policy.memories()}
    assert all(one.id in kept[name].links for one in kept.values() for name in one.links)


@given(SAID, st.integers(1, 10))
def test_what_is_picked_is_there_and_none_twice(said: str, of: int) -> None:
    found = picked(said, of)
    if found is not None:
        assert len(set(found)) == len(found)
        assert all(1 <= number <= of for number in found)
        assert found or words(said)[0] in ("none", "nothing")


@given(st.lists(st.integers(1, 12), min_size=1), st.sampled_from([", ", " and ", " ", "; "]))
def test_a_list_of_numbers_is_read(numbers: list[int], between: str) -> None:
    fit = tuple(dict.fromkeys(number for number in numbers if number <= 10))
    assert picked(between.join(map(str, numbers)) + ". Because", 10) == (fit or None)


@given(st.text(alphabet=st.sampled_from("ab |,.\n 1\x00é"), max_size=60))
def test_what_is_rewritten_is_a_line_of_meaning_and_keywords(said: str) -> None:
    found = rewritten(said)
    if found is not None and found != ("", ""):
        assert len(words(found[0])) >= 3
        assert len(found[0]) <= CONTEXT
        assert words(found[1])
        assert (found[0] + found[1]).isprintable()
        assert said.count("|") == 1
