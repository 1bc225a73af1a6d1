"""A study and MLflow in processes of their own: whatever becomes of one, the other has all its episodes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from errands import ROOT, Errands, finish
from shown import Server, answers, everything, free_port, history, runs, served, traces

from toolkit.agents.arm import Arm
from toolkit.cli import main
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import read_state
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target, TrackingError
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


@pytest.fixture
def spec(typed: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("toolkit.cli._PATIENCE", 600.0)  # a busy machine is no failure
    return str(typed)


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port where connections are taken and nothing is ever answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])


def test_run_shows_its_runs_and_says_where(
    spec: str, own: Target, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", spec, "--tracking-uri", "ledger"]) == 0
    told = capsys.readouterr().out
    assert told.index("report: ") < told.index("mlflow: experiment 'typed' in the ledger's own database: toolkit ui")
    found = runs(own.uri, "typed")
    assert len(found) == 1 + 4
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    noted = ledger.study("typed") / "tracking.json"
    before = noted.stat().st_mtime_ns
    assert main(["run", spec, "--tracking-uri", "ledger"]) == 0
    assert noted.stat().st_mtime_ns == before  # nothing was new: no process was started
    assert "mlflow: experiment 'typed'" in capsys.readouterr().out


def test_no_mlflow_leaves_no_trace_of_it(spec: str, ledger: Ledger, monkeypatch, capsys) -> None:
    monkeypatch.delenv("TOOLKIT_TRACKING")
    assert main(["run", spec, "--no-mlflow"]) == 0
    shown = capsys.readouterr()
    assert "mlflow:" not in shown.out + shown.err
    assert not (ledger.root / "mlflow.db").exists()
    assert not list(ledger.study("typed").glob("tracking*"))


def test_a_server_killed_in_mid_study_costs_no_episode_and_ui_shows_them_all(
    study: Make, own: Target, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(ledger.root / "mlflow.db", free_port()).start()
    arms = Arm.static(), Arm("memory", memory=Retrieval())
    made = study(*arms, stream=Errands(tasks=12), workers=1, tracking=server.uri)
    places: list[int] = []

    def watch(run: object, episode: object) -> None:
        places.append(1)
        if len(places) == 20:
            shown = before_long(made.tracking._process, lambda: "static, seed 0" in runs(server.uri, "test"))
            assert shown, made.tracking.state
            server.kill()

    assert {record.status for record in made.run(watch=watch)} == {"finished"}
    assert len(made.episodes()) == len(places) == 4 * 12
    state = made.tracking.wait(600)
    assert state.state == "failed"
    assert "127.0.0.1" in state.why
    with served(ledger, server.port) as ui:
        assert main(["track", "test", "--ledger", str(ledger.root), "--tracking-uri", server.uri]) == 0
        assert f"mlflow: {server.uri}/#/experiments/" in capsys.readouterr().out
        found = runs(server.uri, "test")
        assert {run.info.status for run in found.values()} == {"FINISHED"}
        for name in found.keys() - {"study test"}:
            assert [step for step, _ in history(server.uri, found[name], "curve/score so far")] == list(range(1, 13))
        assert [len(trace.data.spans) for trace in traces(server.uri, "test")] == [3] * 10
        whole = everything(server.uri, "test")
        assert "report.html" in whole["study test"][-1]
        assert main(["track", "--all", "--ledger", str(ledger.root), "--tracking-uri", server.uri]) == 0
        assert everything(server.uri, "test") == whole
        assert main(["ui", "--port", str(server.port), "--ledger", str(ledger.root)]) == 2
        assert f"port {server.port} cannot be used" in capsys.readouterr().err
        group = subprocess.run(["pgrep", "-P", str(ui.pid)], capture_output=True, text=True, check=True).stdout.split()
        ui.send_signal(signal.SIGINT)
        assert ui.wait(600) == 0
        assert subprocess.run(["pgrep", "-g", group[0]], capture_output=True, text=True).stdout == ""
        assert not answers(server.uri)


def test_a_server_that_never_answers_holds_nothing_up(
    spec: str, deaf: int, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    arguments = ["run", spec, "--tracking-uri", f"http://ann:hush@127.0.0.1:{deaf}"]
    code = f"import sys; from toolkit.cli import main; print('code', main({arguments}), 'mlflow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert "report: " in shown.stdout
    assert "code 0 False" in shown.stdout  # the process of the episodes never met MLflow
    assert "mlflow: failed: " in shown.stderr
    assert "timed out" in shown.stderr
    assert "toolkit track typed --ledger" in shown.stderr
    assert ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 32
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert ledger.study("typed") / "tracking.log" in files
    assert [path for path in files if b"hush" in path.read_bytes()] == []
    assert "hush" not in shown.stdout + shown.stderr


def test_a_study_that_was_killed_is_shown_as_cut_off(tmp_path: Path, own: Target, ledger: Ledger) -> None:
    command = [sys.executable, str(ROOT / "tests" / "held.py"), str(ledger.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"HELD_AFTER": "40"}) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"held\n"
        exporter = [sys.executable, "-m", "toolkit", "track", "held", "--follow", "--ledger", str(ledger.root)]
        place = own.environment() | {"TOOLKIT_TRACKING": own.asked}
        with subprocess.Popen(exporter, stdin=subprocess.PIPE, env=place) as follower:
            shown = before_long(follower, lambda: "m, seed 0" in runs(own.uri, "held"))
            assert shown, read_state(ledger, "held")
            assert runs(own.uri, "held")["m, seed 0"].info.status == "RUNNING"
            driver.kill()
            driver.wait()
            assert follower.stdin is not None
            follower.stdin.close()  # as the system does for a driver that died
            assert follower.wait(300) == 0
    run = runs(own.uri, "held")["m, seed 0"]
    assert (run.info.status, run.data.tags["status"]) == ("KILLED", "cut off")
    assert len(history(own.uri, run, "curve/score so far")) == 40


def test_a_system_without_processes_to_give_stops_no_study(study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(Arm.static(), tracking="http://127.0.0.1:9")

    def refuses(*arguments: object, **settings: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr("toolkit.evaluation.track.subprocess.Popen", refuses)
    finish(made)
    assert made.tracking.state.state == "failed"
    assert "no more processes" in made.tracking.state.why


def test_an_exporter_that_dies_is_told_of(study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(Arm.static(), tracking="http://127.0.0.1:9")
    monkeypatch.setattr("toolkit.evaluation.track.sys.executable", shutil.which("false"))
    finish(made)
    state = made.tracking.wait(600)
    assert state.state == "failed"
    assert "ended with code 1: see" in state.why


def test_where_runs_are_shown_is_no_part_of_a_study(study: Make) -> None:
    one, other = study(Arm.static()), study(Arm.static(), tracking="http://127.0.0.1:9")
    assert one.config() == other.config()
    assert [run.id for run in one.runs] == [run.id for run in other.runs]
    with pytest.raises(TrackingError, match="begins with one of http"):
        study(Arm.static(), tracking="nowhere")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["track", "nothing", "--tracking-uri", "ledger"], "no study is called 'nothing'"),
        (["track", "--tracking-uri", "ledger"], "give the name of a study, see 'toolkit ls', or --all"),
        (["track", "typed"], "tracking is off"),
        (["track", "typed", "--tracking-uri", "nowhere"], "a tracking URI is 'off'"),
    ],
)
def test_mistakes_are_one_clear_message(spec: str, capsys, arguments: list[str], told: str) -> None:
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def before_long(exporter: subprocess.Popen, shown: Callable[[], bool]) -> bool:
    """Whether something is shown in good time, looking again while the exporter works."""
    for _ in range(2400):
        if shown():
            return True
        with suppress(subprocess.TimeoutExpired):
            exporter.wait(0.25)
            return shown()
    return False
