"""A model that is trained beforehand, without torch: form, refusals, labels, costs, replay. The border is faked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from dspy.lm15 import Message, Request, Response, Usage
from pages import text_of

import toolkit as tk
from toolkit.errors import MissingExtra, SpecError
from toolkit.lm import finetuned, tape
from toolkit.lm.finetuned import FineTuned
from toolkit.lm.metered import request_hash
from toolkit.lm.model import model
from toolkit.lm.training import Trained
from toolkit.records import Key, Step, Task
from toolkit.streams.stream import Stream

WORDS = {"red": "stop", "green": "go", "amber": "wait"}


class Lamps(Stream):
    """Which lamp means what; the pool teaches it."""

    step = Step("decide", "Say what the lamp means.", ("lamp",), "meaning")

    def __init__(self, tasks: int = 6, pooled: int = 6) -> None:
        self.tasks, self.pooled = tasks, pooled

    def load(self):
        return [self._pair(f"t{place}", place, f"{place} posts on") for place in range(self.tasks)]

    def pool(self):
        return [self._pair(f"p{place}", place, "here") for place in range(self.pooled)]

    def _pair(self, name, place, where):
        word = list(WORDS)[place % 3]
        return Task(name, {"lamp": f"a {word} lamp {where}"}, tuple(WORDS.values())), Key((WORDS[word],))


class Fake:
    """An engine as `TunedEngine` is one; it knows what a case of the same colour had, untaught it says "wait"."""

    made: ClassVar[list[Fake]] = []
    supported_params = frozenset({"temperature", "max_tokens", "seed"})

    def __init__(self, cases: Sequence[tuple[Request, str]] = (), weights: str = "") -> None:
        self.cases, self.weights, self.asked = tuple(cases), weights, list[Request]()
        Fake.made.append(self)

    def taught(self, cases, weights):
        return Fake(cases, weights)

    def trained(self):
        before = any(one.cases and one is not self and one.asked for one in Fake.made)
        return Trained("c0ffee" * 10, len(self.cases), 700, 12.5, (1.5, 0.25)), not before

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        text = request.messages[-1].text
        knows = {word for word in WORDS if f"a {word} lamp" in text.rpartition("Lamp:")[2]}
        right = [
            answer for asked, answer in self.cases for word in knows if f"a {word} lamp" in asked.messages[-1].text
        ]
        used = Usage(input_tokens=10, output_tokens=1, total_tokens=11)
        return Response(None, request.model, Message.assistant(right[0] if right else "wait"), "stop", used)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setattr(Fake, "made", [])
    tape.forget()
    monkeypatch.setattr(FineTuned, "engine", lambda self, stream: Fake())
    return Fake


def study(folder: Path, seeds: int = 2) -> tk.Study:
    arms = [
        tk.Arm("static", lm=FineTuned(examples=0)),
        tk.Arm("tuned", lm=FineTuned(examples=3)),
        tk.Arm("few-shot", learning=tk.FixedExamples(4), lm=FineTuned(examples=3)),
    ]
    return tk.Study("lamps", arms=arms, stream=Lamps(), lm=FineTuned(examples=0), seeds=seeds, ledger=folder, workers=1)


def test_form_and_identity() -> None:
    one = model({"use": "FineTuned", "examples": 16, "epochs": 2})
    assert one == FineTuned(examples=16, epochs=2) == one.clone()
    assert FineTuned(examples=0).fingerprint() == FineTuned(examples=0, epochs=9, seed=5).fingerprint()
    assert len({FineTuned(examples=n, seed=s).fingerprint() for n in (0, 16, 64) for s in (0, 1)}) == 5
    assert FineTuned().adapter == "completion"
    assert FineTuned().labels == 64


def test_an_absent_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuned, "find_spec", lambda name: None if name == "peft" else object())
    with pytest.raises(MissingExtra, match=r"needs peft: .*\[finetune\]"):
        FineTuned().engine(Lamps())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base": "smollm2"}, "no weights are called 'smollm2'; did you mean 'smollm2-135m'"),
        ({"examples": -1}, "examples must be an integer of at least 0 but is -1"),
        ({"epochs": 0}, "epochs must be an integer of at least 1"),
        ({"rate": float("nan")}, "rate must be a number above 0 but is nan"),
        ({"adapter": "chat"}, "adapter must be 'turns' or 'completion' but is 'chat'"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FineTuned(**wrong).check()


def test_a_study_without_labels_to_train_on_is_refused_before_it_begins(tmp_path: Path) -> None:
    def made(stream: Stream) -> tk.Study:
        return tk.Study("lamps", arms=[tk.Arm("a", lm=FineTuned(examples=7))], stream=stream, ledger=tmp_path)

    with pytest.raises(SpecError, match=r"wants 7 labelled tasks but the pool of .* has 6: lower it"):
        made(Lamps())
    with pytest.raises(SpecError, match="has 0: lower it"):
        made(Lamps(pooled=0))
    with pytest.raises(ValueError, match="which is trained beforehand, has an arm of its own"):
        tk.Several((FineTuned(examples=0), FineTuned(examples=4))).check()


@pytest.mark.usefixtures("faked")
def test_labels_tokens_and_seconds_of_the_training_are_charged(tmp_path: Path) -> None:
    made = study(tmp_path)
    made.run()
    before = {record.arm: record.labels_before for record in made.records()}
    assert before == {"static": 0, "tuned": 3, "few-shot": 4}  # they see the same ones: 3 of them are in the weights
    calls = made.ledger.sql("SELECT c.*, r.arm FROM calls c JOIN runs r USING (study, run) WHERE step = 'train'")
    assert set(calls.arm) == {"tuned", "few-shot"}
    assert len(calls) == 4
    assert set(calls.phase) == {"prepare"}
    assert set(calls.purpose) == {"adapting"}
    assert set(calls.input_tokens) == {700}
    assert calls.memo.sum() == 3  # trained once, then kept; charged in every run
    episodes = made.ledger.sql(
        "SELECT arm, sum(adapting_input_tokens) AS tokens, sum(adapting_seconds) AS seconds "
        "FROM episodes WHERE study = 'lamps' GROUP BY arm"
    ).set_index("arm")
    assert episodes.tokens["tuned"] == 2 * 700
    assert episodes.tokens["static"] == 0
    assert episodes.seconds["tuned"] == 25.0


@pytest.mark.usefixtures("faked")
def test_it_is_trained_on_the_very_prompts_that_are_asked(tmp_path: Path) -> None:
    study(tmp_path, seeds=1).run()
    [plain] = [one for one in Fake.made if one.asked and not one.cases]
    [taught] = [
        one for one in Fake.made if one.asked and one.cases and one.asked[0].messages[-1].text.count("Lamp:") == 1
    ]
    case, right = taught.cases[0]
    asked = next(one for one in taught.asked if "red" in one.messages[-1].text)
    where = asked.messages[-1].text.rpartition(" lamp ")[2].partition(" on")[0] + " on"
    same = replace(asked, messages=(Message.user(asked.messages[-1].text.replace(where, "here")),))
    bare = [replace(one, config=replace(one.config, seed=None, temperature=None)) for one in (same, case)]
    assert request_hash(bare[0]) == request_hash(bare[1])
    assert right == "stop"
    assert plain.asked[0].messages[-1].text in {one.messages[-1].text for one in taught.asked}


@pytest.mark.usefixtures("faked")
def test_the_tape_replays_without_anything_that_could_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(tmp_path, seeds=1)
    made.run()
    monkeypatch.setattr(FineTuned, "engine", lambda self, stream: pytest.fail("the model was asked"))
    found = made.replay()
    assert found.identical, str(found)
    assert (found.runs, found.calls) == (3, 20)  # 6 answers an arm, and two trainings


@pytest.mark.usefixtures("faked")
def test_a_run_that_goes_on_is_taught_with_the_weights_of_its_tape(tmp_path: Path) -> None:
    from toolkit.agents.decision import Decision
    from toolkit.lm.tape import Recorder, TapeError

    pairs = [(task, key.answers[0]) for task, key in Lamps().pool()]
    calls: list = []
    one = FineTuned(examples=3)
    Decision(one, "likelihood", Recorder(one, Fake(), (0,), calls.append)).train(Lamps.step, pairs[:3])
    Fake.made.clear()
    again = Recorder(one, Fake(), (0,), calls.append, tuple(calls))
    Decision(one, "likelihood", again).train(Lamps.step, pairs[:3])
    assert [(len(fake.cases), fake.weights) for fake in Fake.made] == [(0, ""), (3, "c0ffee" * 10)]
    assert again.replayed == 1
    with pytest.raises(TapeError, match="another request at prepare, task 0, step 'train'"):
        Decision(one, "likelihood", Recorder(one, Fake(), (0,), calls.append, tuple(calls))).train(
            Lamps.step, pairs[1:4]
        )


@pytest.mark.usefixtures("faked")
def test_a_plan_counts_the_labels_and_every_epoch(tmp_path: Path) -> None:
    told = {arm.arm: arm for arm in study(tmp_path).plan().arms}
    assert told["tuned"].calls == told["static"].calls + 2
    assert told["tuned"].tokens > told["static"].tokens
    assert Fake.made == []


def test_the_study_of_the_page_can_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    first = re.findall(r"```python\n(.*?)```", text_of("finetuning"), re.DOTALL)[0]
    exec(first, {})
    assert "tuned-64" in capsys.readouterr().out
