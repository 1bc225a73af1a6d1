"""Replay: a finished study comes out the same from its tapes with no model there, or the first difference is shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import ROOT, TABLES, Errands, finish, rewrite, tables
from serving import Stub, serving

from toolkit.agents.arm import Arm, floors
from toolkit.cli import main
from toolkit.evaluation.replay import replay
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import SCHEMAS
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import rows as rows_of
from toolkit.lm.embedded import Gguf
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import Model
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.streams.desk import Desk
from toolkit.traits.learning import FixedExamples
from toolkit.traits.memory import Retrieval

TAPE = ROOT / "experiments" / "first-study" / "tape.zip"


@pytest.fixture
def desk(study: Callable[..., Study]) -> Study:
    """A finished study that a file can say."""
    arms = [Arm.static(), Arm("m", memory=Retrieval()), Arm("few", learning=FixedExamples(2)), *floors()]
    return finish(study(*arms, stream=Desk(tasks=8), name="desk"))


def edit(folder: Path, arm: str, name: str, change: Callable[[list[dict[str, object]]], None]) -> Path:
    """Change the rows of one run's table; the run's folder."""
    run = sorted(folder.glob(f"runs/{arm}-*"))[0]
    rewrite(run, name, change)
    return run


def test_a_finished_study_is_identical_and_no_model_is_asked(
    form: str, desk: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(ScriptedEngine, "complete", asked)
    monkeypatch.setattr(Scripted, "engine", asked)
    before = {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    assert [tables(run) for run in desk.folder.glob("runs/*")] == 14 * [TABLES[form]]
    done = replay(desk.ledger, "desk")
    assert done.identical, done
    assert (done.runs, done.episodes) == (14, 112)
    assert done.calls == desk.ledger.sql("SELECT count(*) AS n FROM calls").n[0] > 0
    assert str(done).startswith("identical: desk: 14 runs, 112 episodes")
    assert "it is no reproduction" in str(done)
    assert {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("form")
def test_late_feedback_and_the_study_itself(study: Callable[..., Study]) -> None:
    made = finish(study(Arm("m", memory=Retrieval()), stream=Errands(delay=3)))
    assert made.replay().identical


def test_a_wrapped_program_replays_where_it_lives(study: Callable[..., Study], capsys) -> None:
    made = finish(study(Arm.wrap(lambda task: task.options[0], name="first"), seeds=1))
    assert made.replay().identical
    assert main(["replay", "test", "--ledger", str(made.ledger.root)]) == 2
    assert "build the study there and call its replay()" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("answer", "elsewhere"),
        ("score", 0.5),
        ("correction", None),
        ("acting_input_tokens", 7),
        ("acting_seconds", 9.0),
    ],
)
@pytest.mark.usefixtures("form")
def test_the_first_changed_episode_is_shown(desk: Study, column: str, value: object) -> None:
    def change(rows: list[dict[str, object]]) -> None:
        rows[5][column] = rows[6][column] = value

    folder = edit(desk.folder, "m", "episodes", change)
    found = replay(desk.ledger, "desk").difference
    assert found is not None
    assert (found.run, found.t, found.column, found.recorded) == (folder.name, 5, column, repr(value))
    task = rows_of(folder, "episodes")[5]["task"]
    assert f"run {folder.name}, task 5 ({task}), {column}: recorded {value!r}" in str(found)


@pytest.mark.usefixtures("form")
def test_an_answer_changed_on_the_tape_is_shown_where_it_was_given(desk: Study) -> None:
    def change(rows: list[dict[str, object]]) -> None:
        told = json.loads(str(rows[3]["response"]))
        [part] = told["message"]["parts"]
        part["text"] = next(one for one in desk.stream.pairs()[0][0].options if one != part["text"])
        rows[3]["response"] = json.dumps(told)

    folder = edit(desk.folder, "m", "calls", change)
    found = replay(desk.ledger, "desk").difference
    assert found is not None
    assert (found.run, found.t, found.column) == (folder.name, 3, "answer")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.pop(), "the tape ends before stream, task 7"),
        (lambda rows: rows[4].update(hash="0" * 64), "the tape holds another request at stream, task 4"),
    ],
)
@pytest.mark.usefixtures("form")
def test_a_tape_that_ends_or_holds_another_request(desk: Study, change: Callable, told: str) -> None:
    folder = edit(desk.folder, "static", "calls", change)
    found = replay(desk.ledger, "desk").difference
    assert found is not None
    assert (found.run, found.column) == (folder.name, "(the run)")
    assert told in found.replayed


def test_a_hash_and_a_table_that_do_not_fit_are_shown(desk: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sorted(desk.folder.glob("runs/m-*/run.json"))[0]
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "hash": "f" * 64}))
    found = replay(desk.ledger, "desk").difference
    assert found is not None
    assert (found.run, found.column, found.recorded) == (path.parent.name, "hash", repr("f" * 64))
    path.write_text(json.dumps(record))
    real = sys.modules["toolkit.analysis.contrasts"].two_way
    drift = iter(range(100))
    monkeypatch.setattr(
        "toolkit.analysis.contrasts.two_way",
        lambda values, *rest, **more: real(values + 1e-6 * next(drift), *rest, **more),
    )
    found = replay(desk.ledger, "desk").difference
    assert found is not None
    assert (found.run, found.column) == ("", "static: score")


def test_unfinished_runs_are_left_out_and_named(desk: Study) -> None:
    path = sorted(desk.folder.glob("runs/m-*/run.json"))[0]
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "suspended"}))
    done = replay(desk.ledger, "desk")
    assert done.identical
    assert done.left_out == (path.parent.name,)
    assert f"left out, not finished: {path.parent.name}" in str(done)
    for one in desk.folder.glob("runs/*/run.json"):
        one.write_text(json.dumps({**json.loads(one.read_text()), "status": "running"}))
    with pytest.raises(LedgerError, match="no run of 'desk' is finished"):
        replay(desk.ledger, "desk")


def test_a_gguf_model_whose_file_is_gone(
    study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "model.gguf"
    weights.write_bytes(b"GGUF" + bytes(100))
    engine = Scripted().engine(Desk(tasks=6))
    monkeypatch.setattr(Gguf, "engine", lambda self, stream: engine)
    monkeypatch.setattr("toolkit.lm.embedded._engine_version", lambda: "1")
    arms = [Arm.static(), Arm("other", lm=Gguf(str(weights), context=2048))]
    made = finish(study(*arms, stream=Desk(tasks=6), name="desk", lm=Gguf(str(weights))))
    weights.unlink()
    monkeypatch.undo()
    monkeypatch.setattr(Model, "engine", lambda self, stream: pytest.fail("a model was asked"))
    monkeypatch.setattr("toolkit.lm.embedded._engine_version", lambda: "2")
    done = replay(made.ledger, "desk")
    assert done.identical, done
    assert done.calls == 24


def test_a_hosted_model_without_its_key_or_server(study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-planted-0123456789abcdefghij")
    with serving(Stub()) as address:
        lm = Hosted("openai/stub", api_base=address, key_env="STUB_KEY")
        made = finish(study(Arm.static(), stream=Desk(tasks=4), name="desk", lm=lm, seeds=1))
    monkeypatch.delenv("STUB_KEY")
    done = replay(made.ledger, "desk")
    assert done.identical, done
    assert done.calls == 4


def test_an_older_plan_says_how_to_renew_it(desk: Study) -> None:
    path = desk.folder / "plan.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in told.items() if name != "taped"}))
    with pytest.raises(LedgerError, match="'toolkit run' on the study writes it anew"):
        replay(desk.ledger, "desk")


def test_other_tasks_than_then_are_refused(desk: Study) -> None:
    path = desk.folder / "study.toml"
    path.write_text(path.read_text().replace("draw = 0", "draw = 1"))
    with pytest.raises(ValueError, match="are not those that 'desk' ran on"):
        replay(desk.ledger, "desk")


@pytest.mark.usefixtures("form")
def test_the_rows_that_are_compared_are_the_ledgers(desk: Study) -> None:
    run = next(desk.folder.glob("runs/m-*"))
    for name, schema in SCHEMAS.items():
        rows = rows_of(run, name)
        assert len(rows) == 8
        assert [list(row) for row in rows] == 8 * [list(schema)]


def test_a_study_whose_runs_are_of_both_forms_is_identical(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is replayed has the form that its length gives it now, whatever that of the recorded run is."""
    made = finish(study(Arm("m", memory=Retrieval()), stream=Desk(tasks=8), name="desk", seeds=1))
    monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    assert replay(made.ledger, "desk").identical
    grown = finish(made.extend(seeds=1))
    assert sorted(tables(run) for run in grown.folder.glob("runs/*")) == [TABLES["logs"], TABLES["parquet"]]
    monkeypatch.undo()
    done = replay(made.ledger, "desk")
    assert done.identical, done
    assert (done.runs, done.calls) == (2, 16)


def test_the_command_says_identical_or_exits_with_1(desk: Study, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["replay", "desk", "--ledger", str(desk.ledger.root)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("identical: desk")
    edit(desk.folder, "m", "episodes", lambda rows: rows[0].update(answer="x"))
    assert main(arguments) == 1
    assert capsys.readouterr().out.startswith("different: run m-")
    assert main(["replay", "dessk", "--ledger", str(desk.ledger.root)]) == 2
    assert "did you mean 'desk'" in capsys.readouterr().err


def test_the_first_study_replays_from_its_tape_on_a_machine_without_weights(tmp_path: Path) -> None:
    shutil.copyfile(TAPE, tmp_path / "tape.zip")
    none = {"TOOLKIT_CACHE": str(tmp_path / "none"), "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path / "home")}
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('the network was asked for')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "sys.modules['xllamacpp'] = None\n"
        "from toolkit.cli import main\n"
        "sys.exit(main(['replay', 'tape.zip']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **none},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("identical: first-study: 20 runs, 600 episodes, 450 calls from tape, no model")
    assert {path.name for path in tmp_path.iterdir()} <= {"tape.zip", "home"}


def test_the_tape_of_the_first_study_is_small_and_names_nobody() -> None:
    from toolkit.ledger.archive import read_archive

    assert TAPE.stat().st_size < 2_000_000
    archive = read_archive(TAPE)
    assert archive.anonymous
    assert archive.study == "first-study"
    assert "commit" not in json.loads(archive.members["environment.json"])


def test_a_ledger_need_not_be_there_for_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "none.zip"), "--ledger", str(tmp_path / "none")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert Ledger(tmp_path / "none").names() == []
