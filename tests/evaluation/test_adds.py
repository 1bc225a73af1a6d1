"""What an arm adds: against the static arm, on the same tasks, without a model, whatever a trait does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.agents.arm import Arm
from toolkit.agents.decider import RandomChoice
from toolkit.agents.rivals import SelfConsistency
from toolkit.evaluation.adds import TASKS, Sample
from toolkit.lm.scripted import Scripted
from toolkit.records import Recall, Step
from toolkit.streams.desk import Desk
from toolkit.traits.goals import Agenda, Watch
from toolkit.traits.learning import Compiled, FixedExamples
from toolkit.traits.memory import Lessons, MemoryPolicy, NoMemory, Retrieval, SlidingWindow
from toolkit.traits.role import Role


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample(patience=600)


def test_the_static_arm_adds_nothing(sample: Sample) -> None:
    found = sample.adds(Arm("other-name", memory=NoMemory()))
    assert found.tokens.shape == (TASKS,)
    assert not found.tokens.any()
    assert not found.calls.any()
    assert found.blocks == ()
    assert [one.block for one in found.prompt] == ["instruction", "task"]
    assert "tokens a task: +0; calls a task: +0; writes no block of the prompt" in str(found)


def test_a_role_adds_its_own_tokens_to_every_task(sample: Sample) -> None:
    role = Role("Clerk", "Routes letters.", rules=("Ask first.",))
    found = sample.adds(Arm("role", role=role))
    assert len(set(found.tokens.tolist())) == 1
    assert abs(found.tokens[0] - role.tokens) <= 1
    assert found.blocks == ("role",)
    assert [one.text for one in found.prompt if one.block == "role"] == [role.text()]


def test_a_memory_grows_from_nothing_to_its_k_and_stands_in_the_prompt(sample: Sample) -> None:
    one, four = (sample.adds(Arm("memory", memory=SlidingWindow(k=k))) for k in (1, 4))
    assert one.tokens[0] == four.tokens[0] == 0
    assert four.tokens[-1] > one.tokens[-1] > 0
    assert not four.calls.any()
    assert four.recalled[:6] == (0, 1, 2, 3, 4, 4)
    assert sum(piece.block == "memory" for piece in four.prompt) == 8  # a question and an answer each
    assert four.task == sample.of(Arm("memory")).pairs()[TASKS - 1][0].id


def test_what_a_policy_asks_a_model_is_counted_and_said_to_be_made_up(sample: Sample) -> None:
    found = sample.adds(Arm("memory", memory=Lessons()))
    assert found.calls[-1] == 1
    assert any("lesson" in note and "made up" in note for note in found.notes)


def test_what_comes_before_the_first_task_stands_apart(sample: Sample) -> None:
    fixed, compiled = (sample.adds(Arm("x", learning=one)) for one in (FixedExamples(4), Compiled()))
    assert fixed.before == (0.0, 0.0, 4)
    assert compiled.before[0] > 0
    assert compiled.before[2] == 30
    assert not compiled.calls.any()
    assert fixed.blocks == compiled.blocks == ("learned",)


def test_an_arm_without_a_model_takes_less(sample: Sample) -> None:
    found = sample.adds(Arm("floor", decider=RandomChoice(), transcript=False))
    assert set(found.calls.tolist()) == {-1.0}
    assert found.prompt == ()


def test_an_arms_own_model_is_neither_asked_nor_compared_with_another(sample: Sample) -> None:
    class NeverAsked(Scripted):
        """A model that must not be asked."""

        def engine(self, stream):
            raise AssertionError("a rehearsal asks no model")

    found = sample.adds(Arm("own", lm=NeverAsked(adapter="chat")))
    assert found.trouble == ""
    assert not found.tokens.any()


def test_ticks_wake_whom_their_text_concerns(sample: Sample) -> None:
    every, none = (sample.adds(Arm("x", goals=Watch(words, judge=False))) for words in ((), ("no such word",)))
    assert every.waking is not None
    assert none.waking is not None
    assert every.waking.ticks == every.waking.woken > 0
    assert (none.waking.ticks, none.waking.woken) == (every.waking.ticks, 0)
    assert {woke for _, woke in none.waking.events} == {False}
    assert sample.adds(Arm("x", memory=Retrieval())).waking is None
    assert sample.adds(Arm("x", goals=Agenda())).blocks == ("goal",)


def test_a_trait_that_raises_is_told_by_name(sample: Sample) -> None:
    class Torn(MemoryPolicy):
        """Raises."""

        def recall(self, task):
            raise KeyError("<b>")

    found = sample.adds(Arm("x", memory=Torn()))
    assert found.trouble == "Torn raised KeyError: '<b>'"
    assert found.agent is None


def test_ones_own_is_tried_and_told(sample: Sample) -> None:
    class Motto(MemoryPolicy):
        """Always the same."""

        def recall(self, task):
            return Recall(notes="Be quick.", sources=("motto",))

    found = sample.adds(Arm("x", memory=Motto()))
    assert found.tokens[0] > 0
    assert [one.text for one in found.prompt if one.block == "memory"] == ["Notes: Be quick."]
    assert found.notes == ("not the toolkit's own, tried as it is: Motto",)


def test_a_program_of_ones_own_is_not_tried(sample: Sample) -> None:
    found = sample.adds(Arm.wrap(lambda task: pytest.fail("it was run"), name="own"))
    assert "program of one's own is not tried" in found.trouble


def test_what_is_slow_is_tried_on_few_tasks() -> None:
    found = Sample(patience=-1.0).adds(Arm("x", memory=SlidingWindow()))
    assert found.tokens.shape == (1,)
    assert found.notes == ("tried on 1 tasks only, since it is slow",)


def test_what_asks_without_end_is_told_and_not_waited_for(sample: Sample) -> None:
    found = sample.adds(Arm("x", decider=SelfConsistency(samples=10**9)))
    assert found.trouble == "one task of the sample asks the model more than 1,000 times"


def test_a_stream_that_cannot_be_loaded_is_told() -> None:
    found = Sample(Desk(tasks=0)).adds(Arm.static())
    assert found.trouble.startswith("the sample stream failed (SpecError")


def test_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    found = Sample(Desk(tasks=3)).adds(Arm("x", memory=SlidingWindow()))
    assert len(found.tokens) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_same_arm_comes_to_the_same(sample: Sample) -> None:
    one, two = (sample.adds(Arm("x", memory=Retrieval(k=2))) for _ in range(2))
    assert np.array_equal(one.tokens, two.tokens)
    assert one.prompt == two.prompt


def test_a_step_of_ones_own_that_asks_is_charged(sample: Sample) -> None:
    class Chatty(MemoryPolicy):
        """Asks without having said so."""

        def reset(self, rng, think):
            self._think = think

        def observe(self, experience):
            self._think(Step("chat", "Say something.", ("text",)), text="hello")

    assert sample.adds(Arm("x", memory=Chatty())).calls.max() == 2  # when answered, and when feedback came
