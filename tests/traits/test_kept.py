"""What is kept of a case, by what feedback tells: own answers with what was said of them, or only what was right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.component import digest
from toolkit.ledger.rows import _change
from toolkit.records import Change, Experience, Feedback, Learned, Memory, Recall, Task
from toolkit.traits.memory import Bounded, Layered, NoMemory, PermutedLabels, Retrieval
from toolkit.traits.memory.exchange import export_memories, read_memories
from toolkit.traits.memory.policy import MemoryPolicy, kept

SEEN = Experience("stream/0", Task("t0", {"text": "my card is gone"}, ("lost", "late")), "late")


def begun(policy: MemoryPolicy) -> MemoryPolicy:
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    return policy


def shown(policy: MemoryPolicy) -> list[tuple[str, str | None]]:
    return [(one.answer, one.feedback) for one in policy.recall(Task("q", {"text": "a card"})).examples]


@pytest.mark.parametrize(
    ("feedback", "all_", "correct", "said"),
    [
        (None, "late", None, None),
        (Feedback(1.0), "late", "late", ("late", "correct")),
        (Feedback(0.0), "late", None, ("late", "not correct")),
        (Feedback(0.5), "late", None, ("late", "not correct")),
        (Feedback(0.0, "lost"), "lost", "lost", ("late", "not correct")),
        (Feedback(None, "late"), "late", "late", ("late", "correct")),
        (Feedback(text="hm"), "late", None, None),
    ],
)
def test_which_answer_is_kept(
    feedback: Feedback | None, all_: str, correct: str | None, said: tuple[str, str] | None
) -> None:
    one = replace(SEEN, feedback=feedback)
    every, right, own = kept(one, "all"), kept(one, "correct"), kept(one, "feedback")
    assert every == Memory.of(one)
    assert every.answer == all_
    assert (right and right.answer) == correct
    assert (own and (own.answer, own.feedback)) == said
    assert own is None or own.known == (said == ("late", "correct"))


def test_an_answer_that_was_none_is_not_shown_with_what_was_said_of_it() -> None:
    assert kept(replace(SEEN, answer="", feedback=Feedback(0.0)), "feedback") is None


@given(st.lists(st.tuples(st.sampled_from(["lost", "late"]), st.sampled_from([0.0, 1.0, None])), max_size=12))
def test_only_what_was_told_is_recalled_and_as_it_was_told(life: list[tuple[str, float | None]]) -> None:
    own, right = begun(Retrieval(k=20, store="feedback")), begun(Retrieval(k=20, store="correct"))
    for number, (answer, score) in enumerate(life):
        met = Experience(f"stream/{number}", Task(f"t{number}", {"text": f"card {number}"}), answer)
        for policy in (own, right):
            policy.observe(met)
            if score is not None:
                policy.observe(replace(met, feedback=Feedback(score)))
    told = [(answer, score) for answer, score in life if score is not None]
    assert sorted(shown(own)) == sorted((a, "correct" if score == 1 else "not correct") for a, score in told)
    assert sorted(shown(right)) == sorted((a, None) for a, score in told if score == 1)


def test_what_was_said_survives_what_stands_around_a_policy() -> None:
    inner = Retrieval(k=2, store="feedback")
    for policy in (Bounded(inner, size=2), Layered(NoMemory(), inner), PermutedLabels(inner)):
        begun(policy)
        for one in (SEEN, replace(SEEN, feedback=Feedback(0.0))):
            policy.observe(one)
        assert shown(policy) == [("late", "not correct")], policy


def test_news_of_an_answer_is_another_state() -> None:
    policy = begun(Retrieval(store="feedback"))
    hashes = []
    for score in (0.0, 1.0):
        policy.observe(replace(SEEN, feedback=Feedback(score)))
        hashes.append(digest(policy.state()))
    assert len(policy.memories()) == 1
    assert hashes[0] != hashes[1]


def test_where_nothing_is_said_records_have_the_digest_that_they_had() -> None:
    before = {"inputs": {"text": "a"}, "answer": "b", "source": "stream/0"}
    example = Memory("stream/0", "a", fields={"text": "a"}, answer="b").example
    assert digest(Recall((example,)).examples[0]) == digest(before)
    assert digest(replace(example, feedback="correct")) != digest(before)
    row = _change(Change("version", learned=Learned(examples=(example,))))
    assert row["examples"] == '[{"answer": "b", "inputs": {"text": "a"}, "source": "stream/0"}]'


def test_it_goes_into_a_file_and_comes_back(tmp_path: Path) -> None:
    policy = begun(Retrieval(store="feedback"))
    policy.observe(replace(SEEN, feedback=Feedback(0.0)))
    export_memories(tmp_path / "m.jsonl", policy.memories())
    assert read_memories(tmp_path / "m.jsonl") == policy.memories()


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 'all', 'correct' or 'feedback' but is 'wrong'"):
        Retrieval(store="wrong").check()  # type: ignore[arg-type]
