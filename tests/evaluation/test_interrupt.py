"""Ctrl-C once ends every run after its task, twice ends at once; both go on. Real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from errands import ROOT, finish
from held import study as held_study
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.manager import start_new_kernel

from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger

SPEC = f"""
[study]
name = "held"
lm = {{ use = "Held" }}
seeds = 1
code = ["{ROOT / "tests" / "held.py"}"]

[stream]
use = "Errands"
tasks = 150
delay = 3

[[arms]]
name = "m"
memory = "Retrieval"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.toml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def environment(folder: Path, after: int = 10**9) -> dict[str, str]:
    own = {"HELD_AFTER": str(after), "HELD_UNTIL": str(folder / "go"), "PYTHONPATH": str(ROOT / "tests")}
    return os.environ | own | {"TOOLKIT_LEDGER": str(folder / "ledger")}


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "toolkit", "run", str(folder), *more]


def begun(folder: Path, *more: str) -> subprocess.Popen[str]:
    """A real ``toolkit run`` whose model holds its 41st answer back."""
    child = subprocess.Popen(
        command(folder, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder, after=40),
    )
    assert child.stdout is not None
    assert any(line == "held\n" for line in child.stdout)
    return child


def heard(child: subprocess.Popen[str], told: str) -> None:
    """Read what a process says until it says ``told``."""
    assert child.stderr is not None
    assert any(told in line for line in child.stderr)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the run that nobody interrupts."""
    return finish(held_study(Ledger(tmp_path_factory.mktemp("whole")))).records()[0].hash


def resumed(folder: Path) -> str:
    """The hash that going on comes to."""
    (record,) = finish(held_study(Ledger(folder / "ledger"))).records()
    assert record.replayed >= 40
    return record.hash


def episodes(folder: Path) -> int:
    return int(Ledger(folder / "ledger").sql("SELECT count(*) AS n FROM episodes").n[0])


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_once_finishes_the_task_and_stops(folder: Path, executor: str, whole: str) -> None:
    with begun(folder, "--executor", executor) as child:
        child.send_signal(signal.SIGINT)
        heard(child, "stopping: every run ends after its current task, all of it is kept; Ctrl-C again ends at once")
        assert child.poll() is None
        (folder / "go").touch()
        heard(child, "toolkit: stopped; everything recorded is kept, and running it again goes on")
        assert child.wait() == 130
    # Another process looks 20 times a second, and these tasks take a millisecond: it may be in the middle of some more.
    assert episodes(folder) == 41 if executor == "threads" else 41 <= episodes(folder) < 150
    assert record(folder)["status"] == "stopped"
    if executor == "threads":
        subprocess.run(command(folder), env=environment(folder), capture_output=True, check=True)
        assert record(folder)["status"] == "finished"
    assert resumed(folder) == whole


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_twice_ends_at_once_and_goes_on(folder: Path, executor: str, whole: str) -> None:
    with begun(folder, "--executor", executor) as child:
        child.send_signal(signal.SIGINT)
        heard(child, "stopping: ")
        child.send_signal(signal.SIGINT)
        heard(child, "ended at once: what was recorded is kept")
        assert child.wait() == 130  # although the model never answers
    assert episodes(folder) == 40
    assert left(folder) == []
    assert resumed(folder) == whole


def record(folder: Path) -> dict[str, object]:
    path = next((folder / "ledger" / "studies" / "held" / "runs").glob("*/run.json"))
    found: dict[str, object] = json.loads(path.read_text(encoding="ascii"))
    return found


def left(folder: Path) -> list[str]:
    """Processes that still work below a folder."""
    held = []
    for files in Path("/proc").glob("[0-9]*/fd"):
        try:
            held += [os.readlink(file) for file in files.iterdir()]
        except OSError:
            continue  # gone meanwhile, or another user's
    return [path for path in held if path.startswith(str(folder / "ledger"))]


# In a notebook's kernel.


@pytest.fixture
def kernel(folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(kernel_name="python3", env=environment(folder, after=40))
    try:
        client.execute(f"from held import study\nmade = study({str(folder / 'ledger')!r})", reply=True, timeout=300)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def shown(client: BlockingKernelClient, told: str) -> None:
    """Read what a cell prints until it prints ``told``."""
    while told not in str(client.get_iopub_msg(timeout=300)["content"].get("text", "")):
        pass


def asked(client: BlockingKernelClient, code: str) -> str:
    """What an expression comes to in the kernel."""
    reply = client.execute("", user_expressions={"found": code}, reply=True, timeout=300)
    found = reply["content"]["user_expressions"]["found"]
    return str(found["data"]["text/plain"] if found["status"] == "ok" else found)


def test_in_a_kernel_once_finishes_and_running_again_goes_on(folder: Path, kernel, whole: str) -> None:
    manager, client = kernel
    cell = client.execute("made.run()", stop_on_error=False)
    shown(client, "held")
    manager.interrupt_kernel()
    shown(client, "stopping: every run ends after its current task")
    (folder / "go").touch()
    assert client._recv_reply(cell, timeout=300)["content"]["ename"] == "KeyboardInterrupt"
    assert asked(client, "[one.status for one in made.records()]") == "['stopped']"
    assert asked(client, "len(made.episodes())") == "41"
    threads = asked(client, "[t.name for t in __import__('threading').enumerate() if t.name.startswith('run')]")
    assert threads == "[]"
    assert asked(client, "made.run()[0].hash") == repr(whole)


def test_in_a_kernel_twice_ends_the_cell_at_once_and_running_again_goes_on(folder: Path, kernel, whole: str) -> None:
    manager, client = kernel
    cell = client.execute("made.run()", stop_on_error=False)
    shown(client, "held")
    manager.interrupt_kernel()
    shown(client, "stopping: ")
    manager.interrupt_kernel()
    shown(client, "ended at once")
    assert client._recv_reply(cell, timeout=300)["content"]["ename"] == "EndedAtOnce"
    assert asked(client, "len(made.episodes())") == "40"
    (folder / "go").touch()  # what was under way comes to its end, and is waited for
    assert asked(client, "made.run()[0].hash") == repr(whole)


def test_without_a_terminal_a_study_still_ends_by_stop(folder: Path, whole: str) -> None:
    made: Study = held_study(Ledger(folder / "ledger"))
    made.start(watch=lambda run, episode: made.pause() if episode.t == 10 else None)
    made.stop()
    assert made.wait()
    assert {one.status for one in made.records()} <= {"stopped"}
    assert finish(made).records()[0].hash == whole
