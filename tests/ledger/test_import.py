"""Another ledger's studies are taken in whole, or not at all; nothing that is here is overwritten."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import TABLES, Errands, finish, tables

from toolkit.agents.arm import Arm
from toolkit.cli import main
from toolkit.evaluation.study import Study
from toolkit.ledger.alone import StudyBusy, alone
from toolkit.ledger.log import LedgerError
from toolkit.ledger.merge import Merged, merge
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import count, table
from toolkit.ledger.tables import rows as rows_of
from toolkit.lm.scripted import Scripted
from toolkit.traits.memory import Retrieval

MEMORY = Arm("memory", memory=Retrieval())


@pytest.fixture
def theirs(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "theirs")


def made(ledger: Ledger, *arms: Arm, name: str = "joint", seeds: object = 2, **rest: object) -> Study:
    return Study(name, Errands(tasks=12), arms=arms or (Arm.static(), MEMORY), lm=Scripted(), seeds=seeds,
                 ledger=ledger, **rest)  # type: ignore[arg-type]  # fmt: skip


def stopped(study: Study, after: int = 5) -> Study:
    """A study whose first run was stopped on its way."""
    study.workers = 1
    seen: list[int] = []

    def watch(run: object, episode: object) -> None:
        seen.append(1)
        if len(seen) == after:
            study.stop()

    study.run(watch=watch)
    return study


def shortened(path: Path) -> None:
    """Take away the end of a file."""
    os.truncate(path, path.stat().st_size - 20)


def replanned(run: Path, told: dict[str, object]) -> None:
    """Say something else of the first run of a plan."""
    path = run.parents[1] / "plan.json"
    plan = json.loads(path.read_text(encoding="utf-8"))
    plan["runs"][0] |= told
    path.write_text(json.dumps(plan), encoding="utf-8")


def content(ledger: Ledger) -> dict[str, bytes]:
    return {
        path.relative_to(ledger.root).as_posix(): path.read_bytes()
        for path in (ledger.root / "studies").rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_a_new_study_is_copied_whole(
    ledger: Ledger, theirs: Ledger, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    there = finish(made(theirs))
    finish(made(ledger, name="own"))
    assert main(["import", str(theirs.root), "--ledger", str(ledger.root)]) == 0
    assert capsys.readouterr().out == "joint: new, 4 runs taken, 0 kept as they were\n"
    assert sorted(ledger.names()) == ["joint", "own"]
    here = Study.open("joint", ledger=ledger)
    assert [record.hash for record in here.run()] == [record.hash for record in there.records()]
    assert str(here.compare()) == str(there.compare())
    for run in here.runs:
        own, other = (made.folder / "runs" / run.folder for made in (here, there))
        assert tables(own) == TABLES[form]
        assert [(own / name).read_bytes() for name in tables(own)] == [
            (other / name).read_bytes() for name in tables(other)
        ]
    assert not (here.folder / "report.html").exists()
    assert list((ledger.root / "incoming").iterdir()) == [ledger.root / "incoming" / "lock"]


def test_one_study_of_several_and_another_name(ledger: Ledger, theirs: Ledger) -> None:
    finish(made(theirs))
    finish(made(theirs, name="other"))
    assert merge(theirs.root, ledger, studies=["other"], name="mine") == [Merged("mine", True, 4, 0)]
    here = Study.open("mine", ledger=ledger)
    assert {record.study for record in here.records()} == {"mine"}
    assert set(here.ledger.sql("SELECT study FROM runs").study) == {"mine"}
    assert merge(theirs.study("joint"), ledger) == [Merged("joint", True, 4, 0)]
    with pytest.raises(LedgerError, match="no study is called 'jiont'"):
        merge(theirs.root, ledger, studies=["jiont"])
    with pytest.raises(LedgerError, match="a new name is for one study"):
        merge(theirs.root, ledger, name="x")
    with pytest.raises(LedgerError, match="is no ledger"):
        merge(theirs.root / "studies" / "joint" / "runs", ledger)


def test_a_finished_run_wins_and_what_is_here_stays(ledger: Ledger, theirs: Ledger, form: str) -> None:
    here, there = stopped(made(ledger)), finish(made(theirs, seeds=3))
    [begun] = [record for record in here.records() if record.episodes]
    assert begun.status == "stopped"
    assert merge(theirs.root, ledger) == [Merged("joint", False, 6, 0, unplanned=2)]
    assert [tables(run) for run in here.folder.glob("runs/*")] == 6 * [TABLES[form]]
    assert len(here.episodes()) == 4 * 12
    assert here.ledger.sql("SELECT count(*) AS n FROM calls WHERE study = 'joint'").n[0] == 6 * 12
    assert [record.hash for record in here.records()] == [
        record.hash for record in there.records() if record.seed in (0, 1)
    ]
    before = content(ledger)
    assert merge(theirs.root, ledger) == [Merged("joint", False, 0, 6)]
    assert content(ledger) == before
    grown = here.extend(seeds=1)
    seen: list[str] = []
    assert len(grown.run(watch=lambda run, episode: seen.append(run.id))) == 6
    assert seen == []


def test_an_unfinished_run_of_theirs_is_gone_on_with_but_never_wins(ledger: Ledger, theirs: Ledger) -> None:
    there = stopped(made(theirs))
    assert merge(theirs.root, ledger)[0].new
    here = finish(made(ledger))
    [record] = [record for record in here.records() if record.replayed]
    assert record.replayed == 5
    before = content(ledger)
    assert merge(theirs.root, ledger) == [Merged("joint", False, 0, len(there.records()))]
    assert content(ledger) == before


@pytest.mark.usefixtures("form")
def test_a_folder_that_a_killed_run_left_empty_is_filled_by_a_finished_one_only(ledger: Ledger, theirs: Ledger) -> None:
    here, there = stopped(made(ledger)), stopped(made(theirs))
    [place] = [path.parent for path in here.folder.glob("runs/*/run.json")]
    (place / "run.json").unlink()
    tape = (place / "calls.jsonl").read_bytes()
    assert merge(theirs.root, ledger) == [Merged("joint", False, 0, 1)]
    assert (place / "calls.jsonl").read_bytes() == tape
    finish(there)
    assert merge(theirs.root, ledger) == [Merged("joint", False, 4, 0)]
    assert {record.status for record in here.records()} == {"finished"}


@pytest.mark.usefixtures("form")
def test_what_a_run_left_that_was_cut_off_while_finishing_is_not_taken_for_its_tables(
    ledger: Ledger, theirs: Ledger
) -> None:
    here, there = stopped(made(ledger)), finish(made(theirs))
    [place] = [path.parent for path in here.folder.glob("runs/*/run.json")]
    for name in ("episodes.parquet", "calls.parquet.part"):
        (place / name).write_bytes(b"PAR1 of its own")
    merge(theirs.root, ledger)
    assert tables(place) == tables(there.folder / "runs" / place.name)
    assert not (place / "calls.parquet.part").exists()
    assert rows_of(place, "episodes") == rows_of(there.folder / "runs" / place.name, "episodes")


def test_different_results_of_one_run_are_refused_and_both_shown(ledger: Ledger, theirs: Ledger) -> None:
    here, there = finish(made(ledger)), finish(made(theirs, seeds=3))
    record = there.records()[0]
    path = there.folder / "runs" / there.runs[0].folder / "run.json"
    path.write_text(path.read_text(encoding="ascii").replace(record.hash, "f" * 64), encoding="ascii")
    before = content(ledger)
    with pytest.raises(LedgerError) as refused:
        merge(theirs.root, ledger)
    told = str(refused.value)
    assert f"hash {record.hash[:16]} in {here.folder}" in told
    assert f"ffffffffffffffff in {there.folder}" in told
    assert "--as NAME" in told
    assert content(ledger) == before


def test_another_study_of_the_same_name_is_refused_with_the_way_out(ledger: Ledger, theirs: Ledger) -> None:
    finish(made(ledger))
    finish(made(theirs, Arm("b", repeat=1)))
    finish(made(theirs, name="fine"))
    before = content(ledger)
    with pytest.raises(LedgerError, match=r"another study is called 'joint' .*--as NAME"):
        merge(theirs.root, ledger)
    assert content(ledger) == before
    assert main(["import", str(theirs.root), "joint", "--as", "b", "--ledger", str(ledger.root)]) == 0
    assert sorted(ledger.names()) == ["b", "joint"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: table(run, "episodes").unlink(), "has no episodes, but its run is finished"),
        (lambda run: shortened(table(run, "calls")), r"calls\.(jsonl line 12 is damaged|parquet cannot be read)"),
        (lambda run: table(run, "calls").write_bytes(b"PAR1 no"), r"calls\.(jsonl line 1 is dam|parquet cannot be r)"),
        (lambda run: (run / "run.json").write_text("{", encoding="ascii"), "is damaged"),
        (lambda run: (run / "x").symlink_to("/etc/hostname"), "is a link"),
        (lambda run: os.mkfifo(run / "error.txt"), "is neither a file nor a folder"),
        (lambda run: os.mkfifo(run.parents[1] / "lock2"), "is neither a file nor a folder"),
        (lambda run: replanned(run, {"folder": "../../other/runs/a-" + "0" * 12}), "as the folder of a run, which no"),
        (lambda run: replanned(run, {"folder": 7}), "as the folder of a run, which no study makes"),
        (lambda run: (run.parents[1] / "plan.json").write_text("[" * 100_000), "plan.json is damaged: RecursionError"),
        (lambda run: run.rename(run.with_name("odd-" + "0" * 12)), "is not the folder of run"),
    ],
)
@pytest.mark.usefixtures("form")
def test_what_no_study_writes_is_refused(
    ledger: Ledger, theirs: Ledger, spoil: Callable[[Path], object], told: str
) -> None:
    there = finish(made(theirs))
    spoil(there.folder / "runs" / there.runs[0].folder)
    with pytest.raises(LedgerError, match=told):
        merge(theirs.root, ledger)
    assert ledger.names() == []


@pytest.mark.usefixtures("form")
def test_fewer_episodes_than_were_run_are_refused(ledger: Ledger, theirs: Ledger) -> None:
    there = finish(made(theirs))
    path = there.folder / "runs" / there.runs[0].folder / "run.json"
    row = json.loads(path.read_text(encoding="ascii"))
    path.write_text(json.dumps(row | {"episodes": 13}), encoding="ascii")
    with pytest.raises(LedgerError, match="has 12 episodes and should have 13"):
        merge(theirs.root, ledger)


def test_a_study_that_is_being_run_is_left_alone(ledger: Ledger, theirs: Ledger) -> None:
    there, here = finish(made(theirs)), stopped(made(ledger))
    with alone(there.folder), pytest.raises(StudyBusy, match=str(os.getpid())):
        merge(theirs.root, ledger)
    with alone(here.folder), pytest.raises(StudyBusy, match=str(os.getpid())):
        merge(theirs.root, ledger)


def test_nothing_but_what_a_study_is_made_of_comes_along(ledger: Ledger, theirs: Ledger) -> None:
    there = finish(made(theirs))
    (there.folder / "control.json").write_text('{"command": "stop"}', encoding="utf-8")
    (there.folder / "code").mkdir(exist_ok=True)
    (there.folder / "code" / "x.sh").write_text("", encoding="utf-8")
    (there.folder / "notes.txt").write_text("", encoding="utf-8")
    merge(theirs.root, ledger)
    found = {path.split("/", 2)[2] for path in content(ledger) if "/runs/" not in path}
    assert found == {"study.toml", "plan.json", "environment.json", "code/Errands.py"}


def test_code_that_comes_along_is_told_and_not_run(
    ledger: Ledger, theirs: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = finish(made(theirs))
    proof = tmp_path / "it ran"
    (there.folder / "code" / "evil.py").write_text(f"open({str(proof)!r}, 'w')", encoding="utf-8")
    spec = there.folder / "study.toml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("[study]\n", '[study]\ncode = ["evil.py", "/elsewhere/worse.py"]\n'), encoding="utf-8")
    assert main(["import", str(theirs.root), "--ledger", str(ledger.root)]) == 0
    told = capsys.readouterr().out
    assert "imports code of its author's (evil.py, /elsewhere/worse.py)" in told
    assert "so read it first" in told
    assert main(["report", "joint", "--ledger", str(ledger.root)]) == 0
    assert not proof.exists()


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import pyarrow.parquet
from toolkit.ledger.merge import merge
from toolkit.ledger.store import Ledger

theirs, place, points = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
left = 0

def counted(function):
    def call(*given, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return call

shutil.copyfile, os.unlink, os.mkdir = counted(shutil.copyfile), counted(os.unlink), counted(os.mkdir)
os.replace, os.rename, os.fsync = counted(os.replace), counted(os.rename), counted(os.fsync)
for point in range(points):
    child = os.fork()
    if not child:
        left = point
        merge(theirs, Ledger(place / f"at-{point}"))
        os._exit(0)
    print(os.WIFSIGNALED(os.waitpid(child, 0)[1]))
"""


def whole(run: Path, record: RunRecord) -> bool:
    """Whether a run's folder holds what its record says: all it recorded, as a log or as Parquet.

    The tape of an unfinished run may be that of the finished one that was to take its place.
    """
    if record.status == "finished":
        return count(run, "episodes") == count(run, "calls") == 12
    return (run / "calls.jsonl").read_bytes().count(b"\n") in (record.episodes, 12)


@pytest.mark.parametrize("begun", [False, True])
def test_an_import_that_is_killed_leaves_a_whole_ledger_and_is_done_by_the_next(
    ledger: Ledger, theirs: Ledger, tmp_path: Path, begun: bool, form: str
) -> None:
    there = finish(made(theirs))
    if begun:
        stopped(made(ledger))
    ledger.root.mkdir(exist_ok=True)
    hashes, points = [record.hash for record in there.records()], 60
    for point in range(points):
        shutil.copytree(ledger.root, tmp_path / f"at-{point}")
    command = [sys.executable, "-c", KILLED, str(theirs.root), str(tmp_path), str(points)]
    killed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert killed.count("True") > 35
    assert killed[-1] == "False"
    for point in range(points):
        copy = Ledger(tmp_path / f"at-{point}")
        found = {path.parent: copy.record(path.parent) for path in copy.study("joint").glob("runs/*/run.json")}
        assert all(record is not None and whole(run, record) for run, record in found.items()), point
        assert {run for run in copy.study("joint").glob("runs/*")} == set(found), point
        assert begun or len(found) in (0, 4), point
        assert len(found) > 0 or not copy.study("joint").exists(), point
        merge(theirs.root, copy)
        # A process that was killed when the run had become a finished one leaves its old logs, which nobody reads.
        assert all(set(TABLES[form]) <= set(tables(run)) for run in copy.study("joint").glob("runs/*")), point
        here = Study("joint", there.stream, arms=there.arms, lm=there.lm, seeds=2, ledger=copy)
        assert [record.hash for record in here.records()] == hashes, point
