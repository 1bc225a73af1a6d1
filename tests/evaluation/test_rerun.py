"""Rerun: live again, paired with what was, with a verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.cli import main
from toolkit.evaluation.rerun import judged, rerun
from toolkit.evaluation.study import Study
from toolkit.lm import tape
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval


@pytest.fixture
def desk(study: Callable[..., Study]) -> Study:
    arms = [Arm.static(), Arm("m", memory=Retrieval())]
    return finish(study(*arms, stream=Desk(tasks=20), name="desk", seeds=4, lm=Scripted(p=0.5, p_example=0.5)))


def test_the_same_model_is_equivalent_with_all_answers_equal(desk: Study) -> None:
    asked = desk.ledger.sql("SELECT count(*) AS n FROM calls").n[0]
    found = rerun(desk.ledger, "desk")
    assert found.equivalent
    assert [row.same for row in found.rows] == [1.0, 1.0]
    assert "nothing was estimated" in str(found)
    assert "Replay is no rerun." in str(found)
    assert desk.ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 2 * asked


def test_another_model_is_different_where_it_is(desk: Study, study: Callable[..., Study]) -> None:
    better = Scripted(p=1.0, p_example=1.0)
    finish(study(*desk.arms, stream=desk.stream, name="desk-rerun", seeds=4, lm=better))
    found = judged(desk.ledger, "desk", "desk-rerun", "better", margin=0.05)
    assert {row.found.verdict for row in found.rows} == {"different"}
    assert all(row.after == 1.0 > row.before for row in found.rows)
    assert all(0 < row.same < 1 for row in found.rows)
    assert not found.equivalent


def test_another_seed_of_the_model_is_not_shown_with_so_few(desk: Study, study: Callable[..., Study]) -> None:
    other = Scripted(p=0.5, p_example=0.5, seed=1)
    finish(study(*desk.arms, stream=desk.stream, name="desk-rerun", seeds=4, lm=other))
    found = judged(desk.ledger, "desk", "desk-rerun", "other", margin=0.01)
    assert "not shown" in {row.found.verdict for row in found.rows}
    assert "not shown" in str(found)


def test_an_unfinished_rerun_is_no_equivalence(desk: Study, study: Callable[..., Study]) -> None:
    finish(study(*desk.arms, stream=desk.stream, name="desk-rerun", seeds=3, lm=desk.lm))
    found = judged(desk.ledger, "desk", "desk-rerun", "same", margin=0.05)
    assert "40 episodes of desk have no pair" in str(found)
    assert not found.equivalent


def test_a_memo_answers_no_rerun(desk: Study) -> None:
    memo = tape._memos.setdefault("planted", tape.Memo())
    memo.put("request", None, 1.0)  # type: ignore[arg-type]
    rerun(desk.ledger, "desk")
    assert memo.get("request") is None


def test_other_tasks_or_margins_are_refused(desk: Study) -> None:
    with pytest.raises(ValueError, match="margin must be above 0"):
        rerun(desk.ledger, "desk", margin=0)
    path = desk.folder / "study.toml"
    path.write_text(path.read_text().replace("draw = 0", "draw = 1"))
    with pytest.raises(ValueError, match="a rerun needs the same data"):
        rerun(desk.ledger, "desk")
    assert desk.ledger.names() == ["desk"]


def test_the_command(desk: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["rerun", "desk", "--ledger", str(desk.ledger.root), "--margin", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "equal answers" in shown
    assert "100.0%" in shown
    assert "±0.1" in shown
