"""The loop: what an episode costs beside a bare call of DSPy, whether that grows, and what a replay costs."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dspy
import measure
from dspy.lm15 import Message, Request, Response, Usage

from toolkit import Arm, Key, Retrieval, Step, Stream, Study, Task
from toolkit.agents.decision import Decision  # noqa: F401  (loaded before anything is timed)
from toolkit.ledger.store import Ledger
from toolkit.lm.model import Engine, Model
from toolkit.traits.memory.embedding import embed

STREAMS, STEPS, LATENCY = 64, 30, 0.2
_MEMORY, _STATIC = Arm("memory", memory=Retrieval(k=4)), Arm("plain", transcript=False)


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


class Instant(Model):
    """Says yes, at once or after a while.

    Parameters
    ----------
    latency
        Seconds.
    """

    parallel = STREAMS

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency

    def open(self) -> Engine:
        return Saying("yes", self.latency)


class Saying:
    """An engine with one answer."""

    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed"})

    def __init__(self, text: str, latency: float = 0.0) -> None:
        self._text, self._latency, self.calls = text, latency, 0

    def complete(self, request: Request) -> Response:
        self.calls += 1
        if self._latency:
            time.sleep(self._latency)
        used = Usage(input_tokens=20, output_tokens=1, total_tokens=21)
        return Response(
            id=None, model=request.model, message=Message.assistant(self._text), finish_reason="stop", usage=used
        )


def bare_lm(latency: float = 0.0) -> dspy.LM:
    """What DSPy's default adapter can read."""
    return dspy.LM("toolkit/bare", engine=Saying("[[ ## odd ## ]]\nyes\n\n[[ ## completed ## ]]", latency), cache=False)


def bare_predict(count: int) -> None:
    """DSPy alone: persists nothing."""
    predict = dspy.Predict("text -> odd")
    with dspy.context(lm=bare_lm(), adapter=dspy.ChatAdapter(), disable_history=True, trace=None):
        for number in range(count):
            predict(text=f"number {number} of all the numbers there are")


def evaluate(count: int) -> None:
    """DSPy's own evaluation on one thread: persists nothing."""
    examples = [
        dspy.Example(text=f"number {n} of all the numbers there are", odd="yes").with_inputs("text")
        for n in range(count)
    ]
    run = dspy.Evaluate(
        devset=examples, metric=lambda gold, found, trace=None: float(gold.odd == found.odd), num_threads=1
    )
    with dspy.context(lm=bare_lm(), adapter=dspy.ChatAdapter(), disable_history=True, trace=None):
        run(dspy.Predict("text -> odd"))


def durable(stream: Stream, arm: Arm = _MEMORY) -> None:
    """The whole study: recall, DSPy call, score, memory write, logged rows, Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        [record] = study(stream, arm, folder).run()
        if record.status != "finished":
            raise RuntimeError(record.error)


def study(stream: Stream, arm: Arm, folder: str, *, latency: float = 0.0, seeds: int = 1) -> Study:
    """One arm without MLflow."""
    return Study("bench", stream, arms=[arm], lm=Instant(latency), seeds=seeds, ledger=folder, tracking="off")


def measure_episodes() -> None:
    """An episode against a bare call, at two sizes of memory, and whether it grows with the run."""
    streams = {count: Numbers(count) for count in (1000, 10_000, 16_000)}
    for stream in streams.values():
        stream.fingerprint()
    for task, _ in streams[10_000].pairs():
        embed(task.text)  # is the same for whoever searches: measured elsewhere
    durable(Numbers(50))
    name = "a durable episode, {} memories / dspy.Predict"
    measure.row(name.format("1k"), "<= 1.6", lambda: durable(streams[1000]), lambda: bare_predict(1000), repeats=7)
    big = lambda: durable(streams[10_000])  # noqa: E731
    measure.row(name.format("10k"), "<= 2", big, lambda: bare_predict(10_000), repeats=3)
    logging.getLogger("dspy.evaluate.evaluate").setLevel(logging.ERROR)
    measure.row(
        "  dspy.Evaluate, 1k, nothing kept / dspy.Predict", "", lambda: evaluate(1000), lambda: bare_predict(1000)
    )
    plain = {count: (lambda s=stream: durable(s, _STATIC)) for count, stream in streams.items()}
    measure.row("overhead of an episode, 16k / 1k", "<= 1.1", plain[16_000], plain[1000], scale=1 / 16, repeats=3)
    measure.row(
        "  dspy.Evaluate, 16k / 1k", "", lambda: evaluate(16_000), lambda: evaluate(1000), scale=1 / 16, repeats=1
    )


def measure_replay(count: int = 4000) -> None:
    """A run with every call on its tape, killed at its last episode, gone on with: no call reaches the engine."""
    rates = []
    for _ in range(measure.REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            whole, again = Path(folder, "whole"), Path(folder, "again")
            made = study(Numbers(count), _STATIC, str(whole))

            def last(run: object, episode: object, whole: Path = whole, again: Path = again) -> None:
                if getattr(episode, "t", 0) == count - 1:
                    shutil.copytree(whole, again)

            [first] = made.run(watch=last)
            resumed = study(made.stream, _STATIC, str(again))
            _, own = measure.spent(resumed.run)
            [record] = resumed.records()
            if (record.replayed, record.hash) != (count, first.hash):
                raise RuntimeError(f"replayed {record.replayed} of {count} calls: {record}")
            rates.append(count / own)
    measure.show("replay from a tape, one-call episodes / second of one processor", ">= 1000", rates, unit="/s")


def measure_streams() -> None:
    """64 runs on a model in this process that takes 200 ms, over what the latency alone would take."""
    ideal = STEPS * LATENCY
    ours = _over(ideal, _studied)
    measure.show(f"{STREAMS} runs x {STEPS} steps at {LATENCY * 1000:.0f} ms, wall / ideal", "<= 1.03", ours)
    measure.show("  threads on dspy.Predict, nothing kept, wall / ideal", "", _over(ideal, _threads))


def _over(ideal: float, work: Callable[[], None]) -> list[float]:
    return [measure.spent(work)[0] / ideal for _ in range(3)]


def _studied() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = study(Numbers(STEPS), _MEMORY, folder, latency=LATENCY, seeds=STREAMS)
        if {record.status for record in made.run()} != {"finished"}:
            raise RuntimeError([record.error for record in Ledger(folder).sql("SELECT error FROM runs").error])


def _threads() -> None:
    lm = bare_lm(LATENCY)

    def course(number: int) -> None:
        predict = dspy.Predict("text -> odd")
        with dspy.context(lm=lm, adapter=dspy.ChatAdapter(), disable_history=True, trace=None):
            for step in range(STEPS):
                predict(text=f"course {number}, step {step}")

    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(course, range(STREAMS)))
