"""Speed as ratios, each pair measured side by side in one run: median and spread over repeats.

Run by ``make bench``. Absolute times depend on the machine; ratios should not.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dspy
import hosted
import numpy as np

from toolkit import Arm, Experience, Key, Retrieval, Scripted, Step, Stream, Study, Task
from toolkit.ledger.store import Log
from toolkit.lm.scripted import ScriptedEngine
from toolkit.traits.memory import store

REPEATS = 5


class Numbers(Stream):
    """Short texts that differ."""

    step = Step("decide", "Is it odd?", ("text",), "odd")

    def __init__(self, tasks: int = 1000) -> None:
        self.tasks = tasks

    def load(self) -> list[tuple[Task, Key]]:
        return [
            (Task(f"t{n}", {"text": f"number {n} of all the numbers there are"}, ("yes", "no")), Key(("yes",)))
            for n in range(self.tasks)
        ]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def row(name: str, goal: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Time both in turn, several times; print the ratio of ours to theirs."""
    ratios = []
    for _ in range(REPEATS):
        base = seconds(theirs)
        ratios.append(seconds(ours) / base)
    low, high = min(ratios), max(ratios)
    print(f"{name:<64} {statistics.median(ratios):8.2f}x   {low:.2f} to {high:.2f}   goal {goal}", flush=True)


def bare_predict(stream: Numbers) -> None:
    """DSPy alone on the same answers: persists nothing."""
    skill = Scripted()
    lm = dspy.LM("toolkit/bare", engine=ScriptedEngine(skill, list(stream.pairs())), cache=False)
    predict = dspy.Predict("text -> odd")
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter(), disable_history=True, trace=None):
        for task, _ in stream.pairs():
            predict(text=task.inputs["text"])


def durable(stream: Numbers) -> None:
    """The whole loop: recall, DSPy call, score, memory write, logged rows."""
    with tempfile.TemporaryDirectory() as folder:
        arms = [Arm("m", memory=Retrieval(k=4))]
        Study("bench", stream, arms=arms, lm=Scripted(), seeds=1, ledger=folder, tracking="off").run()


def ours_memory(count: int) -> None:
    kept = store.Store()
    for number in range(count):
        task = Task(f"t{number}", {"text": f"number {number} of all"})
        kept.nearest(task.text, 4)
        kept.put(Experience(task.id, task, "yes"))


def numpy_memory(count: int) -> None:
    matrix = np.zeros((count, len(store.embed("x"))), dtype=np.float32)
    for number in range(count):
        vector = store.embed(f"number {number} of all")
        if number:
            similar = matrix[:number] @ vector
            nearest = np.argpartition(-similar, min(4, number - 1))[:4]
            nearest[np.argsort(-similar[nearest])]
        matrix[number] = vector


def our_rows(folder: Path) -> None:
    log = Log(folder / "ours.jsonl")
    for number in range(2000):
        log.append({"n": number, "text": "x" * 200})
    log.close()


def synced_rows(folder: Path) -> None:
    with open(folder / "theirs.jsonl", "ab", buffering=0) as file:
        for _ in range(2000):
            file.write(b'{"n": 1, "text": "' + b"x" * 200 + b'"}\n')
            os.fdatasync(file.fileno())


def python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main() -> None:
    """Print every row."""
    print(f"{'work':<64} {'ours / peer':>9}   spread over {REPEATS} repeats")
    short = Numbers(1000)
    for number in range(20_000):
        store.embed(f"number {number} of all")  # embedding is the same for both sides: measure the search
    row("a durable episode, 1k memories / dspy.Predict", "<= 1.6", lambda: durable(short), lambda: bare_predict(short))
    for count in (5000, 20_000):
        name = f"insert + query, {count} memories / numpy exact"
        row(name, "<= 1.1", lambda n=count: ours_memory(n), lambda n=count: numpy_memory(n))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        row("a logged row / a row with fdatasync", "<= 0.033", lambda: our_rows(place), lambda: synced_rows(place))
    hosted.measure()
    row("import toolkit / import dspy", "", lambda: python("import toolkit"), lambda: python("import dspy"))
    row("toolkit --help / nothing", "", lambda: python("import toolkit.cli as c; c._parser()"), lambda: python(""))
    row("first result of a scripted study / import dspy", "", durable_cold, lambda: python("import dspy"))


def durable_cold() -> None:
    """A study of 20 tasks from a cold process, with its table."""
    code = (
        "import tempfile, toolkit as tk;"
        "s = tk.Study('cold', tk.Desk(tasks=20), arms=[tk.Arm.static()], lm='scripted', seeds=2,"
        " ledger=tempfile.mkdtemp(), tracking='off');"
        "s.run(); print(s.compare())"
    )
    python(code)


if __name__ == "__main__":
    main()
