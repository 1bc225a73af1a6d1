"""Fine-tuned models where torch is installed: served like the embedded engine, trained to the bit, by name for DSPy.

One base is loaded for the whole file: that is what takes its time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import dspy
import pytest
from dspy.lm15 import Config, ContextLengthError, Message, Request
from pages import run

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.lm.embedded import Embedded
from toolkit.lm.finetuned import PACKAGES, FineTuned
from toolkit.streams.benchmarks import Banking77
from toolkit.streams.desk import Desk

for package in PACKAGES:
    pytest.importorskip(package, reason=f"fine-tuning needs {package}: pip install 'adaptive-agents-toolkit[finetune]'")

REAL = Path(__file__).parents[2].parent / "shared/data/banking77"
INTENTS = ("card arrival", "lost or stolen card", "exchange rate", "top up failed")
ASKED = {
    "card arrival": ("My new card is not here yet", "When does the card come by post?"),
    "lost or stolen card": ("Somebody took my card", "I cannot find my card"),
    "exchange rate": ("What do I get for ten dollars?", "How do you convert pounds?"),
    "top up failed": ("My top up did not go through", "Why was the top up refused?"),
}


@pytest.fixture(autouse=True)
def _own_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained here is kept for one test; the base's weights stay where they are."""
    from toolkit.lm import lora, tuned_engine, weights

    place = weights.fetch("smollm2-135m")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(tuned_engine.weights, "fetch", lambda name: place)
    assert lora.place_of("a" * 64).is_relative_to(tmp_path)


def asked(text: str, options: Sequence[str] = INTENTS, kind: str = "choice", deciding: str = "likelihood") -> Request:
    said = {"answer": kind, "style": "completion"} | (
        {"options": list(options), "deciding": deciding} if options else {}
    )
    prompt = f"Choose the intent of the customer's query.\n\nQuery: {text}\nIntent:"
    config = Config(max_tokens=12, temperature=0.0, extensions=said)
    return Request(model="tuned", messages=(Message.user(prompt),), config=config)


CASES = [(asked(text), intent) for intent, texts in ASKED.items() for text in texts]


def test_the_same_prompt_is_weighed_as_by_the_embedded_engine() -> None:
    """The weights are the same bytes; llama.cpp rounds activations to 8 bits, torch does not."""
    ours, theirs = FineTuned(examples=0).engine(Desk(tasks=4)), Embedded().engine(Desk(tasks=4))
    away, agreed = [], 0
    for request, _ in CASES:
        mine, other = ours.likelihoods(request), theirs.likelihoods(request)
        away += [abs(mine[option] - other[option]) for option in INTENTS]
        agreed += max(mine, key=mine.__getitem__) == max(other, key=other.__getitem__)
    assert max(away) < 0.5, away  # measured: .32 at most, .08 on average, of 5 to 17 nats a token
    assert sum(away) / len(away) < 0.15, away
    assert agreed >= len(CASES) - 1
    mine, other = ours.complete(CASES[0][0]), theirs.complete(CASES[0][0])
    assert mine.usage.input_tokens == other.usage.input_tokens  # token for token the same prompt


def test_answers_do_not_hang_on_the_order_of_options_or_on_what_came_before() -> None:
    engine = FineTuned(examples=0).engine(Desk(tasks=4))
    first = engine.likelihoods(CASES[0][0])
    engine.complete(CASES[3][0])
    again = engine.likelihoods(asked(ASKED["card arrival"][0], INTENTS[::-1]))
    assert first == again
    alone = {option: engine.likelihoods(asked(ASKED["card arrival"][0], (option,)))[option] for option in INTENTS}
    assert all(abs(alone[option] - first[option]) < 1e-4 for option in INTENTS)  # as if it stood there alone


def test_a_line_a_number_and_a_grammar_keep_to_their_form() -> None:
    engine = FineTuned(examples=0).engine(Desk(tasks=4))
    line = engine.complete(asked("hello", (), "line")).text
    assert line
    assert "\n" not in line
    assert math.isfinite(float(engine.complete(asked("How many?", (), "number")).text))
    assert engine.complete(replace(CASES[0][0], config=asked("", INTENTS, deciding="grammar").config)).text in INTENTS
    with pytest.raises(ContextLengthError, match="but the context holds 2048"):
        engine.complete(asked("word " * 2100))
    with pytest.raises(SpecError, match="has not been trained"):
        FineTuned(examples=4).engine(Desk(tasks=4)).complete(CASES[0][0])


def test_a_few_steps_change_what_is_answered_and_repeat_to_the_bit(tmp_path: Path) -> None:
    from toolkit.lm import lora, tuned_engine

    plain, model = FineTuned(examples=0), FineTuned(examples=8, epochs=3, rank=4, batch=4)
    untouched = plain.engine(Desk(tasks=4))
    before = untouched.likelihoods(CASES[0][0])
    engine = model.engine(Desk(tasks=4)).taught(CASES, "")
    record, fresh = engine.trained()
    assert fresh
    assert record.losses[-1] < record.losses[0]
    assert record.tokens == 3 * sum(len(one.prompt) + len(one.answer) for one in (engine._lesson(0, *c) for c in CASES))
    assert engine.likelihoods(CASES[0][0])["card arrival"] > before["card arrival"]
    assert untouched.likelihoods(CASES[0][0]) == before  # one base serves both, and is left as it was
    # Another process takes it from the cache; a damaged file is trained anew, and comes out the same.
    host = tuned_engine._hosts[("smollm2-135m", 2048, 2)]
    for damage, made in ((False, False), (True, True)):
        host.known.clear()
        host.model.delete_adapter(next(iter(host.model.peft_config)))
        [file] = tmp_path.glob("finetuned/*.safetensors")
        if damage:
            file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
        assert lora.kept(file) is None or not damage
        again, fresh = model.engine(Desk(tasks=4)).taught(CASES, record.weights).trained()
        assert (again.weights, fresh) == (record.weights, made)
    with pytest.raises(SpecError, match="began with the weights beef"):
        model.engine(Desk(tasks=4)).taught(CASES, "beef").trained()


def test_a_study_with_both_replays(tmp_path: Path) -> None:
    arms = [tk.Arm.static(), tk.Arm("tuned", lm=FineTuned(examples=4, epochs=1, rank=2))]
    plain = FineTuned(examples=0)
    study = tk.Study("tuned", arms=arms, stream=Desk(tasks=4), lm=plain, seeds=1, ledger=tmp_path / "ledger")
    study.run()
    assert {record.arm: record.labels_before for record in study.records()} == {"static": 0, "tuned": 4}
    assert all(record.status == "finished" for record in study.records()), study.records()
    assert study.replay().identical


def test_bootstrap_finetune_trains_on_traces() -> None:
    from toolkit.lm.tuner import tunable

    class Teacher:
        """Answers rightly, in the layout of DSPy's chats."""

        supported_params = frozenset({"temperature", "max_tokens"})

        def complete(self, request: Request):
            right = next(i for i, texts in ASKED.items() for t in texts if t in request.messages[-1].text)
            from dspy.lm15 import Response, Usage

            said = Message.assistant(f"[[ ## intent ## ]]\n{right}\n\n[[ ## completed ## ]]")
            return Response(None, request.model, said, "stop", Usage())

    lm = tunable(epochs=1, rank=2)
    teacher, student = dspy.Predict("query -> intent"), dspy.Predict("query -> intent")
    teacher.set_lm(dspy.LM("toolkit/teacher", engine=Teacher(), cache=False))
    student.set_lm(lm)
    cases = [dspy.Example(query=t, intent=i).with_inputs("query") for i, texts in ASKED.items() for t in texts[:1]]
    made = dspy.BootstrapFinetune(metric=lambda case, found, trace=None: case.intent == found.intent, num_threads=1)
    with dspy.context(adapter=dspy.ChatAdapter()):
        tuned = made.compile(student, trainset=cases, teacher=teacher)
    [name] = lm.engine.records
    assert tuned.lm.model == f"toolkit/{name}"
    assert lm.engine.records[name].examples == 4
    ask = Request(model=tuned.lm.model, messages=(Message.user("hello"),), config=Config(max_tokens=4))
    assert lm.engine.complete(ask).text != ""
    with pytest.raises(dspy.lm15.InvalidRequestError, match="no model is called 'smollm2'"):
        lm.engine.complete(replace(ask, model="toolkit/smollm2"))


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = run("finetuning", monkeypatch)
    [record] = names["lm"].engine.records.values()
    assert record.examples == 2
    assert names["tuned"].model.startswith("toolkit/smollm2-135m-tuned-2-")


@pytest.mark.validate
@pytest.mark.skipif(not REAL.is_dir(), reason="BANKING77 is not on this machine")
def test_64_examples_of_banking_are_worth_much(tmp_path: Path) -> None:
    """How much, on which machine: see docs/finetuning.md."""
    arms = [tk.Arm.static(), tk.Arm("tuned", lm=FineTuned(examples=64))]
    stream, plain = Banking77(str(REAL), tasks=60), FineTuned(examples=0)
    study = tk.Study("banking", arms=arms, stream=stream, lm=plain, seeds=1, ledger=tmp_path / "ledger")
    study.run()
    found = study.ledger.sql("SELECT arm, avg(score) AS score FROM episodes GROUP BY arm").set_index("arm").score
    assert found["tuned"] > found["static"] + 0.1
