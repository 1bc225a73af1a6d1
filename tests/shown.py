"""What MLflow shows, read back through its own client; and a server of its, to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri, registry_uri=uri)


def runs(uri: str, study: str) -> dict[str, Any]:
    """MLflow's runs by name; two of one name are a mistake."""
    there = client(uri)
    experiment = there.get_experiment_by_name(study)
    found = list(there.search_runs([experiment.experiment_id], max_results=1000)) if experiment else []
    named = {run.info.run_name: run for run in found}
    assert len(named) == len(found), sorted(run.info.run_name for run in found)
    return named


def history(uri: str, run: Any, metric: str) -> list[tuple[int, float]]:
    """Steps and values of a metric, in order."""
    return [(point.step, point.value) for point in client(uri).get_metric_history(run.info.run_id, metric)]


def traces(uri: str, study: str) -> list[Any]:
    there = client(uri)
    return list(there.search_traces(locations=[there.get_experiment_by_name(study).experiment_id], max_results=500))


def everything(uri: str, study: str) -> dict[str, Any]:
    """All that a second export could have doubled or changed."""
    there, found = client(uri), dict[str, Any]()
    for name, run in runs(uri, study).items():
        points = {
            metric: [(p.step, p.value, p.timestamp) for p in there.get_metric_history(run.info.run_id, metric)]
            for metric in run.data.metrics
        }
        files = sorted(file.path for file in there.list_artifacts(run.info.run_id))
        times = (run.info.status, run.info.start_time, run.info.end_time)
        found[name] = (run.info.run_id, times, run.data.params, run.data.tags, points, files)
    for trace in traces(uri, study):
        found[trace.info.trace_id] = [(s.span_id, s.parent_id, s.name, s.inputs, s.outputs) for s in trace.data.spans]
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Server:
    """``mlflow server`` on a database, on a port of its own."""

    database: Path
    port: int

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self.database.parent / "files")]
        quiet, place = subprocess.DEVNULL, os.environ | Target("").environment()
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True, env=place)
        for _ in range(3000):
            if answers(self.uri):
                return self
            try:
                raise RuntimeError(f"the server ended with code {self.process.wait(0.2)}")
            except subprocess.TimeoutExpired:
                continue
        raise RuntimeError("the server does not answer")

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def served(ledger: Ledger, port: int) -> Iterator[subprocess.Popen[str]]:
    """``toolkit ui``, once it has told its address."""
    command = [sys.executable, "-m", "toolkit", "ui", "--port", str(port), "--ledger", str(ledger.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ui:
        try:
            assert ui.stdout is not None
            assert f"http://127.0.0.1:{port} " in ui.stdout.readline()
            yield ui
        finally:
            ui.terminate()
