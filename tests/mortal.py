"""A process that carries out studies in forks of itself and kills them where it is told to.

Run as a program it reads one JSON object a line and answers each with one. It has imported everything beforehand, so a
life costs what the study costs, and it has no threads of its own that a fork could lose.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from errands import ROOT, Errands
from proposer import Proposer

from toolkit.agents.arm import Arm
from toolkit.evaluation import run as carrying
from toolkit.evaluation.study import Study
from toolkit.ledger import log, store
from toolkit.ledger.tables import LONG, pack
from toolkit.lm.model import Model
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.traits.learning import DemoBuffer, Tuned
from toolkit.traits.memory import Retrieval

TOUCHES = {"open", "write", "fdatasync", "fsync", "replace", "unlink", "truncate", "mkdir", "flush", "close"}


def study(ledger: Path | str, lm: Model | str = "", tasks: int = 24, second: int = 0) -> Study:
    """Two runs of one arm with a memory, a learner and late feedback; answers are drawn by each call's seed."""
    arms = [Arm("both", memory=Retrieval(), learning=DemoBuffer(size=3))]
    stream = Desk(tasks=tasks, queues=8, delay=2) if lm else Errands(tasks=tasks, delay=3)
    seeds = 1 if lm else 2
    passes = Errands(tasks=second, second="post") if second else ""
    rest = {"seeds": seeds, "ledger": ledger, "workers": 1, "second_pass": passes}
    return Study("mortal", stream, arms=arms, lm=lm or Scripted(), **rest)


def tuned(ledger: Path | str, optimiser: Any) -> Study:
    """One run of an arm whose prompts an optimiser compiles on the way."""
    arm = Arm("tuned", learning=Tuned(optimiser, every=8, window=12, budget=12, trial=5, risk=1.0), transcript=False)
    return Study("mortal", Desk(tasks=16, queues=6), arms=[arm], lm=Proposer(), seeds=1, ledger=ledger, workers=1)


def die() -> None:
    """Now, without a word: no handler, no buffer, no lock is seen to."""
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts what happens in the threads of runs: function calls, and those that touch files; dies at the one named."""

    def __init__(self, kind: str, number: int) -> None:
        self.calls = self.touches = 0
        self.packing: list[int] = []  # which touches are of packing; DuckDB's own are not seen, but see `cut_off`
        self._at = {"call": -1, "touch": -1, kind: number}

    def __call__(self, frame: FrameType, event: str, what: object) -> None:
        """Python's profiler hook."""
        if threading.current_thread().name == "sync":  # comes when it comes: no two lives would count alike
            return
        if event == "c_call" and getattr(what, "__name__", "") in TOUCHES:
            self.touches += 1
            if frame.f_code is pack.__code__:
                self.packing.append(self.touches)
            if self.touches == self._at["touch"]:
                die()
        elif event == "call":
            self.calls += 1
            if self.calls == self._at["call"]:
                die()


class CutShort(io.FileIO):
    """A log of which one write in all reaches the file only in part, and is the last thing that happens."""

    written, last, share = 0, -1, 0.5

    def write(self, data: Any) -> int:
        """Write all of it, or the beginning and die."""
        CutShort.written += 1
        if CutShort.written == self.last:
            super().write(data[: int(self.share * len(data))])
            die()
        return super().write(data)


def cut_off(size: int) -> Callable[[Path], None]:
    """As `pack`, but the system ends the process where a file would grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

    def packed(folder: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        pack(folder)

    return packed


def life(order: dict[str, Any]) -> dict[str, Any]:
    """Run or go on with the study, to its end or to the moment named; what came out of it."""
    steps = Steps(order.get("kind", "call"), order.get("number", -1))
    CutShort.written, CutShort.share = 0, order.get("share", 0.5)
    CutShort.last = order["number"] if order.get("kind") == "write" else -1
    store.LONG = order.get("long", LONG)  # type: ignore[misc]
    carrying._LOOK = 0.0  # at every episode: what is counted must not hang on how fast a life is
    plain: Callable[..., Any] = open
    log.open = lambda path, mode="r", **rest: (  # type: ignore[attr-defined]
        CutShort(path, "a") if mode == "ab" else plain(path, mode, **rest)
    )
    store.pack = cut_off(order["number"]) if order.get("kind") == "size" else pack
    if order.get("kind") in ("call", "touch", "count"):
        threading.setprofile(steps)
    if "optimiser" in order:
        made = tuned(order["ledger"], order["optimiser"])
    else:
        made = study(order["ledger"], order.get("lm", ""), order.get("tasks", 24), order.get("second", 0))
    records = made.run()
    return {
        "hashes": {str(record.seed): record.hash for record in records if record.status == "finished"},
        "errors": [record.error for record in records if record.error],
        "replayed": sum(record.replayed for record in records),
        "call": steps.calls,
        "touch": steps.touches,
        "packing": steps.packing,
        "write": CutShort.written,
    }


def serve() -> None:
    """Answer each order with what a life came to, or with the signal that ended it."""
    import duckdb  # noqa: F401

    from toolkit.agents import agent, decision  # noqa: F401  (what a first run would import)
    from toolkit.evaluation.environment import environment
    from toolkit.traits.memory.embedding import embed

    environment(), embed("warm")
    for order in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            try:
                answer = life(json.loads(order))
            except BaseException as error:
                answer = {"hashes": {}, "errors": [f"{type(error).__name__}: {error}"]}
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            told = json.loads(pipe.read() or "{}")
        _, status = os.waitpid(child, 0)
        print(json.dumps({**told, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}), flush=True)


class Mortal:
    """The process, as a test speaks to it."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])  # this tree, wherever the toolkit is installed from
        place = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / "tests" / "mortal.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=place, cwd=ROOT
        )

    def live(self, ledger: Path, **order: object) -> dict[str, Any]:
        """One life of the study in ``ledger``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ledger": str(ledger), **order}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        """The process goes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


if __name__ == "__main__":
    serve()
