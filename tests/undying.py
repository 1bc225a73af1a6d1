"""A process that lets a live agent work in forks of itself and kills them where it is told to.

As `mortal` for studies: run as a program it reads one JSON object a line and answers each with one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from errands import ROOT
from parrot import Parrot, Pondering

from toolkit.agents.agent import Agent
from toolkit.agents.arm import Arm
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval

POLICIES = {"retrieval": Retrieval(k=2), "pondering": Pondering()}


class Steps:
    """Counts calls of functions, Python's and those of C, and dies at the one named, before or after it."""

    def __init__(self, number: int) -> None:
        self.calls, self._last = 0, number

    def __call__(self, frame: FrameType, event: str, what: object) -> None:
        """Python's profiler hook."""
        self.calls += 1
        if self.calls == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def work(order: dict[str, Any]) -> dict[str, Any]:
    """Open the agent, or make it, and let it answer and hear; each thing acknowledged is told by a line of a file."""
    ledger, told = Path(order["ledger"]), os.open(order["told"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    arm = Arm("a", memory=POLICIES[order["policy"]], learning=DemoBuffer(2))
    agent = Agent.open("undying", arm=arm, lm=Parrot(), ledger=ledger)
    start = len(agent.history())
    steps = Steps(order.get("number", -1))
    if "size" in order:  # the system ends the process where the file would grow beyond so many bytes, in mid-write
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        files = [*(ledger / "agents").glob("undying.duckdb*")]
        size = max(file.stat().st_size for file in files) + order["size"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    sys.setprofile(steps if "number" in order else None)
    for number in range(start, start + order["tasks"]):
        answer = agent.answer(f"task {number} {'x' * order.get('long', 0)}", user=f"u{number % 3}")
        os.write(told, f"answer {answer.id}\n".encode())
        agent.feedback(answer, correction=f"right {answer.id}")
        os.write(told, f"feedback {answer.id}\n".encode())
    sys.setprofile(None)
    state = agent.state()
    agent.close()
    return {"calls": steps.calls, "state": state}


def serve() -> None:
    """Answer each order with what came of it, or with the signal that ended it."""
    import duckdb  # noqa: F401
    import pandas  # noqa: F401

    from toolkit.agents import decision, live, opening  # noqa: F401
    from toolkit.traits.memory.embedding import embed

    embed("warm")
    for order in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            try:
                answer = work(json.loads(order))
            except BaseException as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        if json.loads(order).get("hunted"):
            threading.Thread(target=_hunt, args=(child, json.loads(order))).start()
        with open(reading, "rb") as pipe:
            told = json.loads(pipe.read() or "{}")
        _, status = os.waitpid(child, 0)
        print(json.dumps({**told, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}), flush=True)


def _hunt(child: int, order: dict[str, Any]) -> None:
    """Kill from outside, as soon as so many bytes were acknowledged: wherever it is then."""
    while not Path(order["told"]).exists() or Path(order["told"]).stat().st_size < order["hunted"]:
        os.sched_yield()
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        return


class Undying:
    """The process, as a test speaks to it."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
        place = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / "tests" / "undying.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=place, cwd=ROOT
        )

    def work(self, ledger: Path, told: Path, **order: object) -> dict[str, Any]:
        """One life of the agent in ``ledger``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ledger": str(ledger), "told": str(told), **order}) + "\n")
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
