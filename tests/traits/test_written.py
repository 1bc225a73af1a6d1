"""Memories that a model writes: what is kept of what it says, what holds, what is forgotten, and at what cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.checks import HOSTILE
from toolkit.errors import AnswerError, Outage
from toolkit.records import Experience, Feedback, Step, Task
from toolkit.traits.memory import Bounded, Facts, Lessons, LinkedNotes, MemoryPolicy, RunningSummary, Workflows
from toolkit.traits.memory.extraction import stated, written
from toolkit.traits.memory.written import keywords, prose, short, words

TEXTS = st.text(alphabet=st.sampled_from("ab'’s |;:,.?\n 1-<>\x00\u202eé"), max_size=80)


class Scribe:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(self, says: Callable[..., str] | str = "ask for the number") -> None:
        self.says, self.asked = says, list[tuple[str, dict[str, str]]]()

    def __call__(self, step: Step, **inputs: str) -> str:
        self.asked.append((step.name, inputs))
        return self.says if isinstance(self.says, str) else self.says(step, **inputs)


Policy = TypeVar("Policy", bound=MemoryPolicy)


def begun(policy: Policy, scribe: Callable[..., str] | None = None) -> Policy:
    policy.check()
    policy.reset(np.random.default_rng(0), scribe or Scribe())
    return policy


def seen(number: int, text: str, answer: str = "a", user: str = "", session: str = "") -> Experience:
    return Experience(f"stream/{number}", Task(f"t{number}", {"text": text}, ("a", "b"), user, session, number), answer)


def ask(text: str, user: str = "", session: str = "") -> Task:
    return Task("q", {"text": text}, ("a", "b"), user, session, 99.0)


def tell(policy: MemoryPolicy, *texts: str, user: str = "", first: int = 0) -> None:
    for place, text in enumerate(texts, first):
        policy.observe(seen(place, text, user=user))


def failing(*_: object, **__: str) -> str:
    raise AnswerError("unparsed", "nonsense")


# facts


def test_a_new_value_ends_the_old_one_which_is_kept() -> None:
    policy = begun(Facts(extract="rule"))
    tell(policy, "Mara's locker code is 5821.", "Ben's dog is Rex.", "The Mara's locker  CODE is now 7001!")
    assert [(one.fields["value"], one.until) for one in policy.memories()] == [
        ("5821", 2.0),
        ("Rex", None),
        ("7001", None),
    ]
    notes = policy.recall(ask("what is mara's locker code?")).notes
    assert "7001" in notes
    assert "5821" not in notes
    with_past = begun(Facts(extract="rule", history=True))
    tell(with_past, "Mara's code is 5821.", "Mara's code is 7001.")
    assert "Mara's code is 5821 (until 1)" in with_past.recall(ask("Mara's code")).notes


def test_a_fact_told_again_is_not_written_again() -> None:
    policy = begun(Facts(extract="rule"))
    tell(policy, "Mara's code is 5821.", "mara's code is 5821", "Mara's code is 7001.", "Mara's code is 5821.")
    assert [(one.fields["value"], one.until) for one in policy.memories()] == [
        ("5821", 2.0),
        ("7001", 3.0),
        ("5821", None),
    ]


def test_facts_that_hold_are_found_behind_any_number_that_do_not() -> None:
    policy = begun(Facts(k=2, extract="rule"))
    tell(policy, *(f"Mara's code is {number}." for number in range(30)), "Ben's dog is Rex.")
    assert [one.fields["value"] for one in policy.read(ask("Mara's code"))] == ["29", "Rex"]


def test_users_do_not_end_one_anothers_facts_where_the_scope_is_theirs() -> None:
    policy = begun(Facts(extract="rule", scope="user"))
    tell(policy, "My code is 1.", user="mara")
    tell(policy, "My code is 2.", user="ben", first=1)
    assert [one.until for one in policy.memories()] == [None, None]
    assert policy.recall(ask("my code", "mara")).notes == "- mara's code is 1"


def test_what_a_forgotten_users_facts_ended_holds_again() -> None:
    policy = begun(Facts(extract="rule"))
    tell(policy, "The office's code is 1.", user="ben")
    tell(policy, "The office's code is 2.", "The office's code is 3.", user="mara", first=1)
    found = policy.forget("mara")
    assert found.removed == ("fact/1", "fact/2")
    assert [(one.fields["value"], one.until) for one in policy.memories()] == [("1", None)]
    tell(policy, "The office's code is 4.", first=3)
    assert [(one.fields["value"], one.until) for one in policy.memories()] == [("1", 3.0), ("4", None)]


def test_what_is_dropped_for_room_does_not_bring_the_old_value_back() -> None:
    policy = begun(Facts(extract="rule"))
    tell(policy, "Mara's code is 1.", "Mara's code is 2.")
    policy.drop(["fact/1"])
    policy.forget("nobody")
    assert policy.recall(ask("Mara's code")).notes == ""


def test_others_that_call_a_forgotten_user_by_name_are_told() -> None:
    policy = begun(Facts(extract="rule"))
    tell(policy, "Mara's code is 1.", user="ben")
    (told,) = policy.forget("mara").could_not
    assert "'mara'" in told
    assert "fact/0" in told


def test_an_open_correction_and_words_are_read_and_a_choice_is_not() -> None:
    scribe = Scribe("none")
    policy = begun(Facts(), scribe)
    policy.observe(replace(seen(0, "hi"), feedback=Feedback(0.0, "b")))
    assert scribe.asked == []
    policy.observe(replace(seen(0, "where does Mara live?"), feedback=Feedback(0.0, "Oslo", "Mara's city is Oslo")))
    assert [inputs["text"] for _, inputs in scribe.asked] == [
        "where does Mara live? The answer is: Oslo",
        "Mara's city is Oslo",
    ]


def test_what_the_model_makes_up_is_no_fact() -> None:
    said = "Mara | code | 5821; Ann | phone number | 12; Mara | dog | Rex; a|b; 2. Mara's city is Oslo"
    policy = begun(Facts(), Scribe(said))
    tell(policy, "Mara's code is 5821, and she lives in Oslo.")
    assert [one.text for one in policy.memories()] == ["Mara's code is 5821", "Mara's city is Oslo"]
    assert policy.unusable == 0
    tell(policy, "lamp broken", first=1)
    assert policy.unusable == 1


@given(TEXTS, TEXTS)
def test_any_text_and_any_answer_give_facts_of_the_text_or_none(said: str, text: str) -> None:
    for fact in written(said, text, "mara"):
        assert set(words(fact.value)) <= set(words(text))
        assert set(words(fact.subject)) <= {*words(text), "mara"}
    for fact in stated(text):
        assert all(words(part) and part.isprintable() for part in (fact.subject, fact.attribute, fact.value))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Remember: Mara's favourite tea is green tea.", ["Mara's favourite tea is green tea"]),
        ("Is Mara's code 5?", []),
        ("What is Mara's code? Ben's code is 7; Eva’s code is now 8", ["Ben's code is 7", "Eva's code is 8"]),
        ("'s x is y. Mara's is blue.", []),
    ],
)
def test_sentences_that_state_a_fact(text: str, found: list[str]) -> None:
    assert [str(fact) for fact in stated(text)] == found


# summaries


def test_a_summary_is_written_every_so_many_tasks_from_the_old_one_and_the_news() -> None:
    scribe = Scribe(lambda step, known, new: f"seen so far {len(new)}")
    policy = begun(RunningSummary(every=2), scribe)
    for number in range(5):
        policy.observe(seen(number, f"ticket {number}"))
        policy.observe(replace(seen(number, f"ticket {number}"), feedback=Feedback(0.0, "b")))
    assert [inputs["new"] for _, inputs in scribe.asked] == [
        "- ticket 0: b (not a) - ticket 1: b (not a)",
        "- ticket 2: b (not a) - ticket 3: b (not a)",
    ]
    assert scribe.asked[1][1]["known"] == policy._store.get("summary/0").text
    assert len(policy.memories()) == 1


def test_a_summary_keeps_to_its_length_and_outlives_nonsense() -> None:
    says = iter([" ".join(f"word{n}x" for n in range(400)), "1. 2. 3. 4.", ""])
    policy = begun(RunningSummary(max_tokens=10, every=1), lambda step, **_: next(says))
    tell(policy, "a", "b")
    (first,) = policy.memories()
    assert len(first.text) <= 40
    tell(policy, "c", "d", first=2)
    assert [one.text for one in policy.memories()] == [first.text]
    assert policy.unusable == 2


def test_late_feedback_is_news_and_a_bare_score_is_not() -> None:
    scribe = Scribe()
    policy = begun(RunningSummary(every=1), scribe)
    tell(policy, "lamp", "parcel")
    policy.observe(replace(seen(0, "lamp"), feedback=Feedback(0.5)))
    assert len(scribe.asked) == 1
    policy.observe(replace(seen(0, "lamp"), feedback=Feedback(0.0, "b")))
    tell(policy, "door", first=2)
    assert scribe.asked[-1][1]["new"] == "- lamp: b (not a)"


def test_forgetting_a_user_drops_a_summary_they_are_in_and_no_other() -> None:
    shared = begun(RunningSummary(every=1), Scribe(lambda step, known, new: f"so far {new}"))
    tell(shared, "zebra", user="mara")
    tell(shared, "lamp", "door", user="ben", first=1)
    assert "lamp" in str(shared.recall(ask("x")))
    assert shared.forget("mara").removed == ("summary/0",)
    assert not shared.recall(ask("x"))
    tell(shared, "bell", user="ben", first=3)
    assert "zebra" not in shared.recall(ask("x")).notes
    apart = begun(RunningSummary(every=1, scope="user"), Scribe(lambda step, known, new: f"so far {new}"))
    tell(apart, "zebra", "stripes", user="mara")
    tell(apart, "lamp", "door", user="ben", first=2)
    apart.forget("mara")
    assert "lamp" in apart.recall(ask("x", "ben")).notes
    assert "zebra" not in str(apart.memories()) + str(apart.state())


# notes


def test_what_is_linked_comes_along() -> None:
    scribe = Scribe(lambda step, text: "locker" if "5821" in text else "gym" if "gym" in text else "other")
    policy = begun(LinkedNotes(k=1, links=1), scribe)
    tell(policy, "reset my password", "the gym locker opens with 5821", "the gym moved to Harbour Street")
    assert [one.id for one in policy.read(ask("5821"))] == ["note/stream/1", "note/stream/2"]
    alone = begun(LinkedNotes(k=1, links=0), scribe)
    tell(alone, "reset my password", "the gym locker opens with 5821", "the gym moved to Harbour Street")
    assert [one.id for one in alone.read(ask("5821"))] == ["note/stream/1"]


def test_feedback_revises_a_note_without_a_call() -> None:
    scribe = Scribe("parcel, late")
    policy = begun(LinkedNotes(), scribe)
    tell(policy, "where is it?")
    policy.observe(replace(seen(0, "where is it?"), feedback=Feedback(0.0, "b")))
    assert [one.text for one in policy.memories()] == ["where is it? Answer: b (parcel, late)"]
    assert len(scribe.asked) == 1


@given(st.lists(st.sampled_from(["parcel late", "lamp broken", "card lost", "door shut"]), max_size=12), st.data())
def test_links_are_mutual_bounded_and_lead_somewhere(texts: list[str], data: st.DataObject) -> None:
    policy = begun(LinkedNotes(links=1), Scribe("x"))
    tell(policy, *texts)
    if texts:
        policy.drop([data.draw(st.sampled_from([one.id for one in policy.memories()]))])
    kept = {one.id: one for one in policy.memories()}
    for one in kept.values():
        assert len(one.links) <= 2
        assert all(one.id in kept[name].links for name in one.links)


@given(TEXTS)
def test_keywords_are_few_and_short(said: str) -> None:
    found = keywords(said)
    assert len(found) <= 5
    assert all(words(one) and len(one) <= 40 and one.isprintable() for one in found)


# lessons and workflows


def test_a_lesson_comes_of_success_and_of_failure_once() -> None:
    scribe = Scribe("ask for the number first")
    policy = begun(Lessons(), scribe)
    tell(policy, "parcel late", "lamp broken", "card lost")
    assert scribe.asked == []
    policy.observe(replace(seen(0, "parcel late"), feedback=Feedback(0.0, "b", "too fast")))
    policy.observe(replace(seen(1, "lamp broken"), feedback=Feedback(1.0)))
    policy.observe(replace(seen(2, "card lost"), feedback=Feedback(text="hm")))
    policy.observe(replace(seen(0, "parcel late"), feedback=Feedback(0.0, "b", "too fast")))
    assert [inputs["outcome"] for _, inputs in scribe.asked[:2]] == ["wrong, the right answer is: b. too fast", "right"]
    assert [(one.id, one.fields["outcome"]) for one in policy.memories()] == [
        ("lesson/stream/0", "failure"),
        ("lesson/stream/1", "success"),
    ]


def test_a_lesson_that_only_repeats_the_case_is_none() -> None:
    policy = begun(Lessons(), Scribe("1. The parcel is late."))
    policy.observe(replace(seen(0, "the parcel is late"), feedback=Feedback(1.0)))
    assert policy.memories() == ()
    assert policy.unusable == 1


def test_a_procedure_comes_of_what_was_solved() -> None:
    policy = begun(Workflows(threshold=0.5))
    for number, score in enumerate((0.4, 0.5, 1.0)):
        policy.observe(replace(seen(number, f"case {number}"), feedback=Feedback(score)))
    policy.observe(replace(seen(3, "case 3"), feedback=Feedback(correction="b")))
    assert [one.id for one in policy.memories()] == ["workflow/stream/1", "workflow/stream/2"]


# all of them


ALL = (Facts(), LinkedNotes(), Lessons(), RunningSummary(every=1), Workflows())


@pytest.mark.parametrize("policy", ALL, ids=lambda one: type(one).__name__)
def test_an_answer_that_is_none_ends_no_run_and_is_counted_and_an_outage_does(policy: MemoryPolicy) -> None:
    def lived(lost: MemoryPolicy) -> MemoryPolicy:
        for number in range(3):
            lost.observe(seen(number, "lamp"))
            lost.observe(replace(seen(number, "lamp"), feedback=Feedback(1.0)))
        return lost

    lost = lived(begun(policy.clone(), failing))
    assert lost.state()["unusable"] > 0
    assert not [one for one in lost.memories() if one.kind != "note"]

    def away(*_: object, **__: str) -> str:
        raise Outage("gone")

    with pytest.raises(Outage):
        lived(begun(policy.clone(), away))


@pytest.mark.parametrize("policy", ALL, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("echo", [False, True])
def test_hostile_texts_stay_on_their_line(policy: MemoryPolicy, echo: bool) -> None:
    scribe = Scribe((lambda step, **inputs: next(iter(inputs.values()))) if echo else "Mara | code | X. Do as I say!")
    kept = begun(policy.clone(), scribe)
    for number, text in enumerate(HOSTILE):
        kept.observe(seen(number, text, text))
        kept.observe(replace(seen(number, text, text), feedback=Feedback(1.0, text=text)))
    for _, inputs in scribe.asked:
        assert all(one.isprintable() and len(one) <= 2_000 for one in inputs.values())
    assert all(one.text.isprintable() and len(one.text) <= 1_000 for one in kept.memories())
    notes = kept.recall(ask("pirate")).notes
    assert len(notes.splitlines()) == len(kept.recall(ask("pirate")).sources)


def test_a_long_life_stays_bounded() -> None:
    facts = begun(Bounded(Facts(extract="rule"), size=50))
    page = begun(RunningSummary(every=50, scope="user"))
    for number in range(20_000):
        one = seen(number, f"Mara's code {number % 90} is {number}.", user=f"user {number % 400}")
        if number % 10 == 0:
            facts.observe(one)
        page.observe(one)
    assert len(facts.memories()) == 50
    assert len(page.memories()) <= 256
    assert len(page.state()["news"]) <= 256


@given(TEXTS)
def test_prose_has_words_and_is_what_was_said(said: str) -> None:
    found = prose(said)
    assert not found or (len(words(found)) >= 3 and prose(found) == found)
    assert len(short(said, 20)) <= 20
