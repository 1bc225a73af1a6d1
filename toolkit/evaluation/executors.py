"""Where runs are carried out: threads of this process, processes of their own, a cluster.

What is shipped is a run: a picklable specification goes out, a summary comes back, rows are written into the run's own
folder by whoever carries it out.
"""

from __future__ import annotations

import io
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.episode import Episode
from toolkit.errors import MissingExtra, SpecError, ToolkitError, nearest
from toolkit.evaluation.design import Run
from toolkit.evaluation.judge import judges_of
from toolkit.evaluation.run import carry_out, give_up
from toolkit.evaluation.worker import Setting, carry
from toolkit.ledger.rows import RunRecord

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from toolkit.evaluation.study import Study

KINDS = ("threads", "processes", "dask")
Watcher = Callable[[Run, Episode], None]

ATTEMPTS = 3
"""How often a run is begun, or gone on with, whose worker dies."""

_IN_FLIGHT = 512  # runs that a cluster is given at a time: each is waited for by a thread


class Shipment(Protocol):
    """Carries runs out."""

    def submit(self, run: Run) -> Future[RunRecord]:
        """Begin it when there is room."""
        ...

    def abandon(self) -> None:
        """Wait for nothing more; what can be ended from here is ended."""
        ...


@contextmanager
def opened(
    asked: Executor | str | None, study: Study, waiting: Sequence[Run], watch: Watcher | None
) -> Iterator[Shipment]:
    """What carries out a study's waiting runs; closed, and everything that belongs to it, at the end.

    Raises
    ------
    SpecError
        For an executor that is none, or a run that cannot leave this process.
    MissingExtra
        If Dask is asked for and absent.
    """
    kind, _, address = (asked or "threads").partition(":") if not isinstance(asked, Executor) else ("own", "", "")
    if kind == "own":
        yield _Own(asked, study, watch)  # type: ignore[arg-type]
        return
    if kind not in KINDS or (address and kind != "dask"):
        known = "threads, processes, dask or dask:ADDRESS"
        raise SpecError([f"an executor is {known} but is {asked!r}; {nearest(kind, KINDS)}"])
    if kind != "threads":
        _check_travel(waiting, watch)
    with ExitStack() as all_of_it:
        if kind == "dask":
            client = all_of_it.enter_context(_client(address, _width(study, waiting)))
            crew = _Crew(min(len(waiting), _IN_FLIGHT), lambda: _Remote(client, setting(study)))
        else:
            crew = _Crew(*_manned(kind, study, waiting, watch))
        all_of_it.callback(crew.close)
        yield crew


def setting(study: Study) -> Setting:
    """What a study's runs need elsewhere."""
    code = tuple(path.resolve() for path in study.code)
    return Setting(study.folder.resolve(), study.budget, code, tuple(os.path.abspath(entry) for entry in sys.path))


def _manned(kind: str, study: Study, waiting: Sequence[Run], watch: Watcher | None) -> tuple[int, Callable[[], _Hand]]:
    if kind == "threads":
        served = [run.model.parallel for run in waiting if run.arm.decider.uses_model]
        served += [judge.model.parallel for run in waiting for judge in judges_of(run.scorers)]
        room = min(len(waiting), *(served or [8]))
        return study.workers or (len(waiting) if study.stop_when else room), lambda: _Here(study, watch)
    return _width(study, waiting), lambda: _Child(setting(study))


def _width(study: Study, waiting: Sequence[Run]) -> int:
    """How many processes. What ends a study early is a task that all runs have passed: there they go side by side."""
    room = len(waiting) if study.stop_when else max(2, os.cpu_count() or 2)
    return study.workers or max(1, min(len(waiting), room))


class _Hand(Protocol):
    """Does one run after the other for one thread of a crew."""

    def do(self, run: Run) -> RunRecord: ...

    def close(self) -> None: ...

    def kill(self) -> None: ...


class _Here:
    """Carries runs out in this process."""

    def __init__(self, study: Study, watch: Watcher | None) -> None:
        self._study, self._watch = study, watch

    def do(self, run: Run) -> RunRecord:
        return carry_out(run, self._study.folder, _told(self._watch, run), self._study.budget)

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass  # a thread cannot be ended: its run obeys control.json after the call that is under way


class _Child:
    """Carries runs out in a process of its own, which is replaced if it dies: a fresh interpreter, as by "spawn".

    It does not run the user's script again, as `multiprocessing` would, and hears no Ctrl-C: the study's own process
    does, and tells it through ``control.json``. When that process is gone, so is the pipe, and the child ends itself.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection
        self._killed = False

    def do(self, run: Run) -> RunRecord:
        pickled = pickle.dumps(run)
        for _ in range(ATTEMPTS):
            process = self._begun()
            try:
                self._pipe.send_bytes(pickled)
                answer = self._pipe.recv()
            except (EOFError, OSError):
                code = process.wait()
                self._pipe.close()
                if self._killed:
                    raise ToolkitError("the worker was ended") from None
                continue
            if isinstance(answer, RunRecord):
                return answer
            raise ToolkitError(f"arm {run.arm.name!r}, seed {run.seed}: {answer}")
        why = f"its worker process died {ATTEMPTS} times, the last time with code {code}: run the study again to go on"
        return give_up(run, self._setting.folder, self._setting.budget, why)

    def close(self) -> None:
        """Let the process end by itself."""
        if self._process is not None:
            with suppress(OSError):
                self._pipe.send_bytes(b"")
            self._process.wait()
            self._pipe.close()

    def kill(self) -> None:
        """End the process now."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def _begun(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._pipe, there = Pipe()
            with there:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "toolkit.evaluation.worker", str(there.fileno())],
                    pass_fds=[there.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._pipe.send_bytes(pickle.dumps(self._setting))
        return self._process


class _Crew:
    """Threads that take runs from one queue, each by a hand of its own.

    They are daemons, which a `ThreadPoolExecutor`'s threads are not: a call that never returns keeps no process alive.
    """

    def __init__(self, width: int, hand: Callable[[], _Hand]) -> None:
        self._waiting: queue.SimpleQueue[tuple[Run, Future[RunRecord]] | None] = queue.SimpleQueue()
        self._hands = [hand() for _ in range(width)]
        self._abandoned = False
        self._threads = [
            threading.Thread(target=self._work, args=(hand,), name=f"run_{number}", daemon=True)
            for number, hand in enumerate(self._hands)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, run: Run) -> Future[RunRecord]:
        future: Future[RunRecord] = Future()
        self._waiting.put((run, future))
        return future

    def abandon(self) -> None:
        self._abandoned = True
        for hand in self._hands:
            hand.kill()

    def close(self) -> None:
        """Wait until nothing is under way, unless it was abandoned."""
        for _ in self._threads:
            self._waiting.put(None)
        if not self._abandoned:
            for thread in self._threads:
                thread.join()

    def _work(self, hand: _Hand) -> None:
        try:
            while (item := self._waiting.get()) is not None and not self._abandoned:
                _fulfil(item[1], hand, item[0])
        finally:
            hand.close()


def _fulfil(future: Future[RunRecord], hand: _Hand, run: Run) -> None:
    try:
        future.set_result(hand.do(run))
    except BaseException as error:  # noqa: BLE001  (handed to whoever waits)
        future.set_exception(error)


class _Own:
    """The user's own executor."""

    def __init__(self, executor: Executor, study: Study, watch: Watcher | None) -> None:
        self._executor, self._study, self._watch = executor, study, watch

    def submit(self, run: Run) -> Future[RunRecord]:
        folder, budget = self._study.folder, self._study.budget
        return self._executor.submit(carry_out, run, folder, _told(self._watch, run), budget)

    def abandon(self) -> None:
        pass  # it is not ours to end


class _Remote:
    """Carries runs out on a Dask cluster: one run is one task, and a dead worker's tasks are given to others.

    A client's own futures are waited for, not those of its ``get_executor()``: these never end where a worker dies
    between a task's end and the fetching of its result.
    """

    def __init__(self, client: Any, setting: Setting) -> None:
        self._client, self._setting = client, setting

    def do(self, run: Run) -> RunRecord:
        begun = self._setting.folder / "locks" / f"{run.folder}.begun"
        begun.unlink(missing_ok=True)
        while True:
            try:
                task = self._client.submit(carry, self._setting, pickle.dumps(run), begun, pure=False)
                found: RunRecord = task.result()
                return found
            except Exception as error:
                if type(error).__name__ != "KilledWorker":
                    raise
                if begun.exists() and begun.stat().st_size >= ATTEMPTS:
                    why = f"the workers that carried it out died: {error}"
                    return give_up(run, self._setting.folder, self._setting.budget, why)
                # Else it was only waiting where others died, or may still be tried.

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass  # workers obey control.json; a cluster of the study's own is closed with its workers


@contextmanager
def _client(address: str, width: int) -> Iterator[Any]:
    """A client of a scheduler, or of a cluster on this machine that ends with it."""
    try:
        import dask
        import dask.distributed
    except ImportError as error:
        raise MissingExtra("dask[distributed]", "cluster", "--executor dask") from error
    theirs: Any = dask.distributed  # says nothing of its types
    if address:
        with theirs.Client(address) as client:
            yield client
        return
    # A worker that dies is begun anew by its nanny. Dask would give both up where that takes longer than 15 s, as on a
    # busy machine, and the study would wait for ever for a worker that nobody begins.
    patient: Any = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"})
    with (
        patient,
        # Its ports are open to every user of the machine, and what comes in is run: only who has its key may speak.
        theirs.LocalCluster(n_workers=width, threads_per_worker=1, dashboard_address=None, security=True) as local,
        theirs.Client(local) as client,
    ):
        yield client


def _check_travel(waiting: Sequence[Run], watch: Watcher | None) -> None:
    """Refuse what cannot leave this process, before anything is spent."""
    mistakes = []
    if watch is not None:
        mistakes.append("watch is told of threads of this process only: follow the study's files with study.live()")
    for arm, run in {run.arm.name: run for run in waiting}.items():
        pickler = _Pickler(io.BytesIO())
        try:
            pickler.dump(run)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            mistakes.append(f"arm {arm!r} cannot leave this process: {error}; put its parts into a Python file")
        mistakes += [
            f"arm {arm!r}: {name} is defined in this notebook or script and cannot go to another process: put it into "
            "a file named under code = [...], or into a module that can be imported"
            for name in pickler.bound
        ]
    if mistakes:
        raise SpecError(mistakes)


class _Pickler(pickle.Pickler):
    """Notes which classes and functions exist in this process only."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.bound: dict[str, None] = {}

    def reducer_override(self, given: object) -> Any:
        if isinstance(given, type | FunctionType) and given.__module__ == "__main__":
            self.bound[given.__qualname__] = None
        return NotImplemented


def _told(watch: Watcher | None, run: Run) -> Callable[[Episode], None] | None:
    if watch is None:
        return None
    return lambda episode: watch(run, episode)
