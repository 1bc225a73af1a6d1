"""Conducting a study: every run that is not finished yet, on some executor, until all are done or someone stops it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from toolkit.episode import Episode
from toolkit.evaluation import budget
from toolkit.evaluation.design import Run
from toolkit.evaluation.executors import Shipment, opened
from toolkit.evaluation.plan import describe
from toolkit.evaluation.reuse import adopt
from toolkit.evaluation.run import Control
from toolkit.evaluation.stopping import Lookout, halted
from toolkit.evaluation.unchanged import refuse_changed
from toolkit.ledger.alone import alone
from toolkit.ledger.disk import writing
from toolkit.ledger.rows import RunRecord

if TYPE_CHECKING:
    from types import FrameType

    from toolkit.evaluation.study import Study

Watcher = Callable[[Run, Episode], None]

_LOOK = 0.2  # seconds between two looks at whether someone has pressed Ctrl-C
_ONCE = "\nstopping: every run ends after its current task, all of it is kept; Ctrl-C again ends at once\n"
_TWICE = "\nended at once: what was recorded is kept; run it again to go on\n"


class EndedAtOnce(KeyboardInterrupt):
    """Ctrl-C was pressed a second time: calls that were under way were not waited for."""


def conduct(
    study: Study, *, watch: Watcher | None, executor: Executor | str | None, begun: Callable[[], None]
) -> list[RunRecord]:
    """Carry out what is left of a study; what each run came to. See `Study.run`.

    Parameters
    ----------
    begun
        Called when the study is this process's own and has been described.
    """
    runs = study.runs
    with writing(study.folder):
        (study.folder / "locks").mkdir(parents=True, exist_ok=True)
    with alone(study.folder), study.tracking.during() as begin_tracking:
        refuse_changed(study)
        control = Control(study.folder / "control.json")
        with writing(study.folder):
            control.write("run")
            adopt(study, runs)
            describe(study, runs)
        begun()
        finished, waiting = _split(study, runs)
        lookout = Lookout(study)
        if waiting and (why := lookout.look()):  # by what was recorded before: it is not watched away by going on
            finished, waiting = finished + halted(study, waiting, why), []
        if waiting and study.budget:
            budget.tally(study.ledger, study.name)
        with opened(executor, study, waiting, watch) as pool:
            begin_tracking(bool(waiting))
            if not waiting:
                return finished
            try:
                return finished + _results([pool.submit(run) for run in waiting], control, pool, lookout)
            except BaseException:
                _stop(control)
                raise


def _results(
    futures: Sequence[Future[RunRecord]], control: Control, pool: Shipment, lookout: Lookout
) -> list[RunRecord]:
    with _interrupts() as pressed:
        left = set(futures)
        told = met = False
        while left:
            done, left = wait(left, timeout=_LOOK)
            for future in done:
                future.result()  # what no run should raise ends the study
            if len(pressed) > 1:
                pool.abandon()
                sys.stderr.write(_TWICE)
                raise EndedAtOnce
            if pressed and not told:
                _stop(control)
                sys.stderr.write(_ONCE)
                sys.stderr.flush()
                told = True
            if not (told or met) and (why := lookout.look()):
                control.write("stop", why)
                met = True
    if pressed:
        raise KeyboardInterrupt
    return [future.result() for future in futures]


def _stop(control: Control) -> None:
    with suppress(OSError):  # where nothing can be written any more, the runs find out by themselves
        control.write("stop")


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Ctrl-C is counted in place of raised, wherever the main thread is just then; elsewhere nothing arrives."""
    pressed: list[int] = []

    def count(number: int, frame: FrameType | None) -> None:
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        yield pressed
        return
    before = signal.signal(signal.SIGINT, count)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _split(study: Study, runs: Sequence[Run]) -> tuple[list[RunRecord], list[Run]]:
    finished, waiting = [], []
    for run in runs:
        record = study.ledger.record(study.folder / "runs" / run.folder)
        if record is not None and record.status == "finished":
            finished.append(record)
        else:
            waiting.append(run)
    # Seed by seed, so that whatever is stopped early holds whole pairs; the costly arms of a seed first.
    return finished, sorted(waiting, key=lambda run: (run.seed, not run.arm.decider.uses_model, not run.arm.on))
