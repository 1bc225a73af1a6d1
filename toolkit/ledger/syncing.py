"""Putting logs on the disk without holding up the runs that write them: one thread a process does all the waiting."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Syncer:
    """Carries out work in the order it was handed over, in a thread that begins with the first of it.

    A process that was forked has none of its parent's threads, so it begins one of its own.
    """

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Have ``work`` done soon; it must keep what it raises to itself."""
        with self._changed:
            self._waiting.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="sync", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                work = self._waiting.pop(0)
            work()


class Sync:
    """One file's way to the disk: at most one sync is under way, and whoever asks for the next waits for it.

    Parameters
    ----------
    descriptor
        Of a file that stays open until `wait` has returned.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._idle = threading.Event()
        self._idle.set()
        self._error: OSError | None = None

    def begin(self) -> None:
        """Put on the disk what has been written so far, while the caller goes on.

        Raises
        ------
        OSError
            What the last one met with: rows that were handed over may not be on the disk.
        """
        self.wait()
        self._idle.clear()
        _syncer.do(self._sync)

    def wait(self) -> None:
        """Until nothing is under way. Raises as `begin` does."""
        self._idle.wait()
        if self._error is not None:
            raise self._error

    def now(self) -> None:
        """Put everything on the disk before returning. Raises as `begin` does."""
        self.wait()
        os.fdatasync(self._descriptor)

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:  # raised where the next row is written
            self._error = error
        finally:
            self._idle.set()


_syncer = Syncer()
