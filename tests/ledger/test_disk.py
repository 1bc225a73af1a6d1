"""A disk that is full and a ledger that may only be read: a clear error, nothing broken, and it goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from errands import TABLES, Errands, finish, tables

from toolkit.agents.arm import Arm
from toolkit.cli import main
from toolkit.evaluation.study import Study
from toolkit.ledger.disk import Unwritable
from toolkit.ledger.log import Log, read_log
from toolkit.ledger.rows import SCHEMAS, line
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import pack, relabel, rows
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.traits.memory import Retrieval

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 320 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this machine mounts nothing: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-o", ",".join(["remount", *options]), folder], check=True)


def study(folder: Path, name: str = "full") -> Study:
    arms = [Arm.static(), Arm("m", memory=Retrieval())]
    return Study(name, Errands(tasks=120, delay=2), arms=arms, lm=Scripted(), seeds=2, ledger=folder / "ledger")


def fill(log: Log) -> None:
    for number in range(100):
        log.append({"n": number, "text": "x" * 10_007})


def hashes(made: Study) -> list[str]:
    return [record.hash for record in finish(made).records()]


@pytest.mark.usefixtures("form")
def test_a_full_disk_suspends_and_goes_on_when_there_is_room(small: Path, tmp_path: Path) -> None:
    made = study(small)
    records = made.run()
    cut = [record for record in records if record.status == "suspended"]
    assert cut
    assert {record.status for record in records} <= {"suspended", "finished"}
    assert all("No space left on device; make room, then run it again" in record.error for record in cut)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run_")]
    assert not list(small.rglob("*.part"))
    for log in small.rglob("*.jsonl"):
        assert log.read_bytes()[-1:] in (b"", b"\n")  # nothing torn
        list(read_log(log))
    remount(small, "size=64m")
    assert hashes(made) == hashes(study(tmp_path))
    assert made.ledger.sql("SELECT coalesce(sum(lines), 0) AS n FROM damage").n[0] == 0
    assert len(made.episodes()) == 4 * 120


def test_a_row_that_does_not_fit_leaves_no_half_and_no_successor(small: Path) -> None:
    log = Log(small / "calls.jsonl")
    with pytest.raises(Unwritable, match="make room"):
        fill(log)
    rows = [row["n"] for row in read_log(log.path)]
    assert rows == list(range(len(rows)))
    assert 0 < len(rows) < 100
    assert log.path.read_bytes().endswith(b"\n")
    remount(small, "size=64m")
    with pytest.raises(Unwritable):
        log.append({"n": -1})  # what was refused is missing: nothing may follow it
    log.close()


@pytest.mark.parametrize("room", [0, 20_480])
def test_a_disk_that_is_full_when_a_run_is_packed_suspends_it(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Everything was recorded when the disk is filled by others; what is left to do is done when there is room.

    There is room for no table, or for the first of the two.
    """
    remount(small, "size=64m")
    made = Study("full", Errands(tasks=120), arms=[Arm.static()], lm=Scripted(), seeds=1, ledger=small / "ledger")
    monkeypatch.setattr("toolkit.ledger.store.LONG", 120)

    def filled(folder: Path) -> None:
        used = sum(path.stat().st_size for path in small.rglob("*") if path.is_file())
        remount(small, f"size={used + 200_000}")
        with open(small / "other", "wb", buffering=0) as other, suppress(OSError):
            while other.write(bytes(4096)):
                pass
        os.truncate(small / "other", (small / "other").stat().st_size - room)
        pack(folder)

    with monkeypatch.context() as patch:
        patch.setattr("toolkit.ledger.store.pack", filled)
        [record] = made.run()
    assert record.status == "suspended"
    assert "No space left on device" in record.error
    assert "make room, then run it again: what was recorded is kept" in record.error
    [folder] = made.folder.glob("runs/*")
    assert tables(folder) == TABLES["logs"]
    assert not list(small.rglob("*.part"))
    remount(small, "size=64m")
    again: list[int] = []
    monkeypatch.setattr(ScriptedEngine, "complete", lambda *_: again.append(1))
    [record] = finish(made).records()
    assert (record.replayed, again) == (120, [])
    assert tables(folder) == TABLES["parquet"]
    other = Study("full", Errands(tasks=120), arms=[Arm.static()], lm=Scripted(), seeds=1, ledger=tmp_path / "ledger")
    monkeypatch.undo()
    assert record.hash == finish(other).records()[0].hash


@pytest.mark.parametrize("kept", ["logs", "parquet"])
def test_names_that_find_no_room_leave_the_old_table_and_nothing_else(small: Path, kept: str) -> None:
    folder = small / "run"
    folder.mkdir()
    for name in SCHEMAS:
        (folder / f"{name}.jsonl").write_bytes(b"".join(line({"t": t, "answer": f"{t}" * 100}) for t in range(200)))
    if kept == "parquet":
        pack(folder)
        for name in SCHEMAS:
            (folder / f"{name}.jsonl").unlink()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with open(small / "other", "wb", buffering=0) as other, suppress(OSError):
        while other.write(bytes(4096)):
            pass
    with pytest.raises(OSError, match="No space left on device"):
        relabel(folder, "episodes", {"arm": "other"})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (small / "other").unlink()
    relabel(folder, "episodes", {"arm": "other"})
    assert {row["arm"] for row in rows(folder, "episodes")} == {"other"}


SPEC = """
[study]
name = "typed"
lm = "scripted"
seeds = 1

[stream]
use = "Desk"
tasks = 8

[[arms]]
name = "static"
"""


def test_a_read_only_ledger_is_one_clear_message(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remount(small, "size=64m")
    (small / "study.toml").write_text(SPEC, encoding="utf-8")
    command = ["run", str(small), "--ledger", str(small / "ledger")]
    assert main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    remount(small, "ro")
    capsys.readouterr()
    assert main([*command, "--seeds", "2"]) == 2
    told = capsys.readouterr().err
    assert "toolkit: " in told
    assert "Read-only file system; make it writable, or choose another ledger (--ledger, $TOOLKIT_LEDGER)" in told
    assert "Traceback" not in told
    assert main(["ls", "--ledger", str(small / "ledger")]) == 0  # what is there can be read
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before
    remount(small, "rw")
    assert main([*command, "--seeds", "2"]) == 0


def test_a_ledger_that_becomes_read_only_under_way_suspends(small: Path, tmp_path: Path) -> None:
    remount(small, "size=64m")
    made = study(small)
    (made.folder / "runs").mkdir(parents=True)
    (small / "locked").mkdir()
    subprocess.run(["mount", "--bind", small / "locked", made.folder / "runs"], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", made.folder / "runs"], check=True)
        records = made.run()
        assert {record.status for record in records} == {"suspended"}
        assert all("Read-only file system" in record.error for record in records)
    finally:
        subprocess.run(["umount", made.folder / "runs"], check=True)
    assert hashes(made) == hashes(study(tmp_path))


def test_the_ledger_of_the_default_is_named(small: Path) -> None:
    remount(small, "ro")
    with pytest.raises(Unwritable, match="Read-only"):
        Ledger(small / "ledger").sql("SELECT 1")
