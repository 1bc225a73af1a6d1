"""Whole studies on the real embedded model: everything parses, and everything repeats to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from errands import DATA, ROOT, finish

from toolkit.agents.arm import Arm
from toolkit.evaluation.spec import load
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm import tape
from toolkit.streams.desk import Desk
from toolkit.streams.table import table
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval

STATIC, MEMORY, DEMOS = Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("demos", learning=DemoBuffer(size=2))


def hashes(folder: Path, *arms: Arm, executor: str = "threads", **settings: object) -> dict[tuple[str, int], str]:
    tape._memos.clear()  # the model itself must answer, not what it answered before
    made = Study("bits", Desk(tasks=4, queues=6), arms=arms, seeds=2, ledger=Ledger(folder), **settings)
    made.run(executor=executor)
    assert {record.status for record in made.records()} == {"finished"}
    assert set(made.episodes().status) == {"ok"}
    return {(record.arm, record.seed): record.hash for record in made.records()}


def test_a_study_repeats_to_the_bit_in_any_order_of_arms(tmp_path: Path) -> None:
    first = hashes(tmp_path / "1", STATIC, MEMORY, DEMOS)
    assert hashes(tmp_path / "2", DEMOS, MEMORY, STATIC, workers=3) == first
    assert hashes(tmp_path / "3", STATIC, MEMORY, DEMOS, executor="processes") == first
    assert len(set(first.values())) == 6


@pytest.mark.parametrize("adapter", ["turns", "completion"])
@pytest.mark.parametrize("deciding", ["likelihood", "grammar"])
def test_every_choice_is_an_option(tmp_path: Path, adapter: str, deciding: str) -> None:
    model = {"use": "Embedded", "adapter": adapter}
    stream = Desk(tasks=5, draw=3)
    made = finish(Study("c", stream, arms=[MEMORY], lm=model, seeds=1, deciding=deciding, ledger=Ledger(tmp_path)))
    rows = made.episodes()
    assert set(rows.status) == {"ok"}
    assert set(rows.answer) <= set(stream.pairs()[0][0].options)


@pytest.mark.parametrize("number", [True, False])
def test_every_number_and_every_line_parses(tmp_path: Path, number: bool) -> None:
    rows = [{"question": f"What is {n} plus {n + 1}?", "answer": str(2 * n + 1)} for n in range(6)]
    stream = table(rows, inputs="question", answer="answer", number=number, instruction="Answer the question.")
    made = finish(Study("n", stream, arms=[STATIC, MEMORY], seeds=1, ledger=Ledger(tmp_path)))
    found = made.episodes()
    assert set(found.status) <= {"ok", "truncated"}
    assert (found.answer != "").all()
    if number:
        assert found.answer.map(float).notna().all()


@pytest.mark.parametrize("name", ["first-study", "banking77"])
def test_the_experiments_can_be_run(tmp_path: Path, name: str) -> None:
    if name == "banking77" and not (DATA / "banking77").exists():
        pytest.skip("the BANKING77 files are not beside the project")
    study = load(ROOT / "experiments" / name, seeds=1, tasks=2, ledger=tmp_path, lm="scripted")
    assert study.baseline == "static"
    finish(study)


def test_the_example_of_a_program_of_ones_own_runs(tmp_path: Path) -> None:
    import runpy

    arms = runpy.run_path(str(ROOT / "experiments" / "own-program" / "study.py"))["arms"]
    made = finish(Study("own", Desk(tasks=4), arms=arms, lm="scripted", seeds=1, ledger=Ledger(tmp_path)))
    calls = made.episodes().groupby("arm").acting_calls.mean()
    assert calls["triage"] == 2
    assert calls["static"] == 1
