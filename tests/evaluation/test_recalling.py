"""A memory tried out: filled by the sample or by texts, asked by the policy's own recall, never by a model."""

from __future__ import annotations

import pytest

from toolkit.errors import SpecError
from toolkit.evaluation.adds import TASKS, Sample
from toolkit.evaluation.recalling import Recalling, kept_by, stands_in
from toolkit.lm.embedders import HostedEmbedder
from toolkit.records import Step
from toolkit.traits.memory import (
    Bounded,
    LatestWins,
    Layered,
    Lessons,
    MemoryPolicy,
    NoMemory,
    Retrieval,
    Shuffled,
    SlidingWindow,
    Weighed,
)
from toolkit.traits.memory.facts import Facts

LINES = ("the parcel is late -> post", "reset my password -> it", "  ", "the door is open")


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample(patience=600)


@pytest.mark.parametrize(
    "policy", [Retrieval(k=2), Retrieval(k=2, search="hybrid"), Weighed(k=2), Bounded(Retrieval(k=2), size=3)], ids=repr
)
def test_what_is_recalled_is_scored_in_order(policy: MemoryPolicy, sample: Sample) -> None:
    told = Recalling(policy, sample, LINES).ask("where is the parcel?")
    assert told.kept == 3
    scores = [one.score for one in told.found]
    assert None not in scores
    cases = [one.score for one in told.found if one.answer]  # before notes, whatever their scores
    assert cases == sorted(cases, reverse=True)
    assert "the parcel is late" in [one.text for one in told.found]


def test_the_block_is_what_stands_in_the_prompt(sample: Sample) -> None:
    told = Recalling(Retrieval(k=3), sample, LINES).ask("late parcel")
    texts = [one.text for one in told.block]
    assert {one.block for one in told.block} == {"memory"}
    assert texts[-1] == "Notes: - the door is open"  # cases stand above the question, notes in it
    assert texts[texts.index("Ticket: the parcel is late") + 1] == "post"
    assert [(one.text, one.answer) for one in told.found][-1] == ("the door is open", "")


def test_the_samples_tasks_fill_it_where_nothing_was_typed(sample: Sample) -> None:
    memory = Recalling(SlidingWindow(k=2), sample)
    first, second = memory.ask("a"), memory.ask("b")
    assert [one.id for one in first.found] == [f"stream/{TASKS - 1}", f"stream/{TASKS - 2}"]
    assert first.found == second.found  # asking changes nothing
    assert not first.scored
    assert first.found[0].score is None


def test_words_alone_are_scored_by_words(sample: Sample) -> None:
    told = Recalling(LatestWins(k=4), sample, LINES).ask("password")
    assert [one.text for one in told.found] == ["reset my password"]
    assert told.found[0].score is not None
    assert told.found[0].score > 0


def test_no_memory_recalls_nothing(sample: Sample) -> None:
    told = Recalling(NoMemory(), sample, LINES).ask("parcel")
    assert (told.found, told.block, told.kept, told.scored) == ((), (), 0, False)


def test_what_needs_a_model_is_not_tried(sample: Sample) -> None:
    with pytest.raises(SpecError, match=r"needs a model \(lesson\)"):
        Recalling(Layered(SlidingWindow(), Lessons()), sample)
    Recalling(Facts(extract="rule"), sample, ["Mara's locker code is 5821."])

    class Whispering(SlidingWindow):
        """Asks without having said so."""

        def reset(self, rng, think):
            super().reset(rng, think)
            self._ask = think

        def observe(self, experience):
            self._ask(Step("whisper", "Say something.", ("text",)), text="hello")

    for texts in ((), LINES):
        with pytest.raises(SpecError, match=r"it asks a model \(whisper\)"):
            Recalling(Whispering(), sample, texts)


def test_an_embedder_from_outside_is_not_asked(sample: Sample) -> None:
    policy = Shuffled(Retrieval(k=1, embedder=HostedEmbedder("nobody/at-home")))
    assert stands_in(policy) == "HostedEmbedder"
    assert stands_in(Retrieval()) == ""
    assert Recalling(policy.of, sample, LINES).ask("parcel").found[0].answer == "post"


def test_each_store_within_is_told(sample: Sample) -> None:
    memory = Recalling(Layered(SlidingWindow(k=3), Bounded(Retrieval(), size=5)), sample)
    kept = kept_by(memory.agent.memory)
    assert [(one.place, one.policy, one.total, one.limit) for one in kept] == [
        ("", "Layered", 5, 8),
        ("short", "SlidingWindow", 3, 3),
        ("long", "Bounded", 5, 5),
        ("long.of", "Retrieval", 5, None),
    ]
    assert dict(kept[1].parameters) == {"k": "3", "scope": "'shared'", "store": "None"}
