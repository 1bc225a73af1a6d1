"""The ledger: rows arrive at once, survive a kill, and are read by others while they are written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import ROOT, TABLES, finish, tables
from held import study as study_with_tape
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study, StudyBusy
from toolkit.ledger.call import Call
from toolkit.ledger.log import LedgerError, Log, read_log
from toolkit.ledger.rows import CALL, call_of, call_row, line
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import LONG, pack
from toolkit.records import Usage
from toolkit.traits.memory import Retrieval


def held(ledger: Path) -> subprocess.Popen[str]:
    """A process that runs a study and hangs in its 101st call."""
    command = [sys.executable, "-c", f"import held; held.study({str(ledger)!r}).run()"]
    place = {**os.environ, "HELD_AFTER": "100", "PYTHONPATH": str(ROOT / "tests")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=place)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def running(tmp_path: Path):
    process = held(tmp_path / "ledger")
    yield process
    process.kill()
    process.wait()


def test_a_second_process_sees_the_rows_of_a_running_study(running, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    rows = ledger.sql("SELECT count(*) AS n, max(t) AS last FROM episodes")
    assert rows.n[0] == 100
    assert rows["last"][0] == 99
    assert ledger.sql("SELECT status, episodes FROM runs").status[0] == "running"
    assert ledger.sql("SELECT * FROM damage").empty
    assert ledger.names() == ["held"]
    assert list(ledger.sql("SELECT episodes FROM studies").episodes) == [100]


def test_a_killed_run_keeps_its_rows_and_goes_on_to_the_same_hash(running, tmp_path: Path) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.sql("SELECT count(*) AS n FROM episodes").n[0] >= 100 - 64
    again = study_with_tape(ledger)
    [log] = again.folder.rglob("calls.jsonl")
    for path in (log, log.with_name("episodes.jsonl")):
        with open(path, "ab") as file:
            file.write(b'{"run": "torn')
    [record] = finish(again).records()
    assert record.replayed == 100
    [whole] = finish(study_with_tape(ledger, "whole")).records()
    assert record.hash == whole.hash
    assert record.replayed > whole.replayed == 0


def test_two_processes_cannot_run_one_study(running, tmp_path: Path) -> None:
    with pytest.raises(StudyBusy, match=str(running.pid)):
        study_with_tape(tmp_path / "ledger").run()


def test_finished_runs_keep_their_tables_and_are_not_run_again(study: Callable[..., Study], form: str) -> None:
    made = finish(study(Arm.static(), Arm("m", memory=Retrieval())))
    for run in made.runs:
        kept = sorted(path.name for path in (made.folder / "runs" / run.folder).iterdir())
        assert kept == [*TABLES[form], "run.json"]
    before = {path: path.stat().st_mtime_ns for path in made.folder.glob("runs/*/*")}
    finish(made)
    assert {path: path.stat().st_mtime_ns for path in made.folder.glob("runs/*/*")} == before


@pytest.mark.parametrize(("long", "kept"), [(24, "parquet"), (25, "logs")])
def test_a_run_of_as_many_episodes_as_count_as_long_becomes_parquet(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch, long: int, kept: str
) -> None:
    assert LONG == 2000
    monkeypatch.setattr("toolkit.ledger.store.LONG", long)
    made = finish(study(Arm.static(), seeds=1))
    assert len(made.episodes()) == 24
    [folder] = made.folder.glob("runs/*")
    assert tables(folder) == TABLES[kept]


def test_logs_that_lie_beside_their_parquet_are_not_read_twice(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed when it has noted a run as finished leaves both."""
    monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
    made = finish(study(Arm.static(), seeds=1))
    monkeypatch.undo()
    [folder] = made.folder.glob("runs/*")
    assert tables(folder) == sorted([*TABLES["logs"], *TABLES["parquet"]])
    assert made.ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 24
    assert made.ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 24
    assert made.ledger.sql("SELECT episodes FROM studies").episodes[0] == 24


def test_what_a_run_left_that_was_cut_off_while_finishing_is_not_shown_when_it_goes_on(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(Arm.static(), seeds=1)
    made.run(watch=lambda run, episode: made.stop())
    [folder] = made.folder.glob("runs/*")
    pack(folder)
    (folder / "calls.parquet.part").write_bytes(b"PAR1")
    seen: list[int] = []
    made.run(watch=lambda run, episode: seen.append(made.ledger.sql("SELECT count(*) AS n FROM episodes").n[0]))
    assert seen == list(range(1, 25))
    assert sorted(path.name for path in folder.iterdir()) == [*TABLES["logs"], "run.json"]


def test_the_views_of_short_and_of_long_runs_are_one(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two studies, equal but for the form of their tables; seconds differ from run to run."""
    for name, long in (("logs", 1000), ("parquet", 1)):
        monkeypatch.setattr("toolkit.ledger.store.LONG", long)
        made = finish(study(Arm.static(), Arm("m", memory=Retrieval()), name=name))
        assert {tuple(tables(run)) for run in made.folder.glob("runs/*")} == {tuple(TABLES[name])}
    for view in ("episodes", "turns", "calls", "memories"):
        columns = made.ledger.sql(f"SELECT * FROM {view} LIMIT 0").columns
        seconds = [f"NULL AS {column}" for column in columns if column.endswith("seconds")]
        changed = f"REPLACE ({', '.join(seconds)})" if seconds else ""
        query = f"SELECT * EXCLUDE (study) {changed} FROM {view} WHERE study = $1 ORDER BY ALL"
        logs, parquet = (made.ledger.sql(query, name) for name in ("logs", "parquet"))
        assert len(logs) > 0
        assert logs.equals(parquet), view
    assert made.ledger.sql("SELECT * FROM damage").empty


@pytest.mark.usefixtures("form")
def test_live_and_finished_rows_are_the_same(study: Callable[..., Study]) -> None:
    made = study(Arm("m", memory=Retrieval()), seeds=1)
    seen = []
    made.run(
        watch=lambda run, episode: seen.append(made.ledger.sql("SELECT * EXCLUDE (turns) FROM episodes ORDER BY t"))
    )
    finished = made.ledger.sql("SELECT * EXCLUDE (turns) FROM episodes ORDER BY t")
    assert len(seen[9]) == 10
    assert seen[-1].equals(finished)
    turns = made.ledger.sql("SELECT * FROM turns")
    assert len(turns) == 24
    assert made.ledger.sql("SELECT count(*) AS n FROM memories").n[0] == turns.recalled.map(len).sum() > 0


def test_damage_in_the_middle_is_counted_and_stops_a_resume(running, tmp_path: Path) -> None:
    running.kill()
    running.wait()
    ledger = Ledger(tmp_path / "ledger")
    [log] = (ledger.root / "studies").rglob("calls.jsonl")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:5], b"not a row\n", *lines[5:]]))
    assert list(ledger.sql("SELECT lines FROM damage").lines) == [1]
    with pytest.raises(LedgerError, match=r"calls\.jsonl line 6 is damaged"):
        list(read_log(log))


def test_an_unknown_study_names_the_nearest(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static(), seeds=1, name="alpha"))
    with pytest.raises(LedgerError, match="did you mean 'alpha'"):
        made.ledger.find("alhpa")


TEXT = st.text(max_size=60)
CALLS = st.builds(
    Call,
    phase=st.just("stream"),
    t=st.integers(0, 10**6),
    step=TEXT,
    ordinal=st.integers(0, 9),
    purpose=st.sampled_from(["acting", "adapting", "judging"]),
    hash=TEXT,
    status=st.sampled_from(["ok", "truncated", "overflow", "error"]),
    answer=TEXT,
    prompt=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    response=TEXT,
    usage=st.builds(Usage, calls=st.integers(0, 9), input_tokens=st.integers(0, 10**9), seconds=st.floats(0, 1e6)),
    seed=st.integers(0, 2**31),
    memo=st.booleans(),
    error=TEXT,
)


@given(st.lists(CALLS, max_size=8), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_whatever_is_logged_is_read_back_and_a_torn_tail_is_cut(tmp_path_factory, calls: list[Call], torn: int) -> None:
    path = tmp_path_factory.mktemp("log") / "calls.jsonl"
    log = Log(path)
    for call in calls:
        log.append(call_row(call, "r"))
    log.close()
    with open(path, "ab") as file:
        file.write(line(call_row(CALLS_EXAMPLE, "r"))[:torn])
    assert [call_of(row) for row in read_log(path)] == calls
    reopened = Log(path)
    reopened.append(call_row(CALLS_EXAMPLE, "r"))
    reopened.close()
    assert [call_of(row) for row in read_log(path)] == [*calls, CALLS_EXAMPLE]


CALLS_EXAMPLE = Call("stream", 1, "decide", 0, "acting", "h", "ok", "é\n", (("user", "ü"),), "{}", Usage(1, 2, 3))


def test_a_call_row_has_every_column() -> None:
    assert list(call_row(CALLS_EXAMPLE, "r")) == list(CALL)
    assert json.loads(line(call_row(CALLS_EXAMPLE, "r")))["answer"] == "é\n"
