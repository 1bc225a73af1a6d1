"""Putting logs on the disk without holding up the runs that write them: one thread a process does all the waiting."""

from __future__ import annotations

import os
import threading
import time

ROWS, SECONDS = 64, 1.0
"""What a power cut may cost a run: so many rows at most, none of them written longer ago."""


class Sync:
    """One file's way to the disk, begun once half of `ROWS` are new or most of `SECONDS` after the first of them.

    Whoever writes goes on meanwhile, and waits only where more than `ROWS` would be at risk.

    Parameters
    ----------
    descriptor
        Of a file that stays open until `close` has returned.

    Examples
    --------
    >>> import tempfile
    >>> file = tempfile.TemporaryFile()
    >>> sync = Sync(file.fileno())
    >>> sync.room()
    >>> _ = file.write(b"a row")
    >>> sync.wrote()
    >>> sync.close()
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._new = self._under_way = 0  # rows
        self._closed = False
        self._error: OSError | None = None

    def room(self) -> None:
        """Wait until a further row may be written.

        Raises
        ------
        OSError
            What the disk answered to an earlier one: rows that were handed over may not be there.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._new + self._under_way < ROWS or self._error)
            self._check()

    def wrote(self) -> None:
        """Count a row in that was written."""
        with self._changed:
            self._new += 1
            if self._new == 1:
                _syncer.soon(self)
            elif self._new == ROWS // 2:
                _syncer.now(self)

    def close(self) -> None:
        """Put everything on the disk. Raises as `room`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
            if self._closed:
                return
            self._closed = True
        self._check()
        os.fdatasync(self._descriptor)

    def carry_out(self) -> None:
        """What is due: for the thread that does the waiting."""
        with self._changed:
            if self._closed or not self._new or self._error:
                return
            self._new, self._under_way = 0, self._new
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._error = error  # raised where the next row is written
        with self._changed:
            self._under_way = 0
            self._changed.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class Syncer:
    """Carries syncs out when they are due, in a thread that begins with the first of them.

    A process that was forked has none of its parent's threads, so it begins one of its own.
    """

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._due: list[Sync] = []
        self._later: dict[Sync, float] = {}  # the earliest first, since all wait equally long
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def now(self, sync: Sync) -> None:
        """Have it carried out as soon as those before it are."""
        with self._changed:
            self._later.pop(sync, None)
            self._due.append(sync)
            self._changed.notify()

    def soon(self, sync: Sync) -> None:
        """Have it carried out in good time, if nobody asks for it before."""
        with self._changed:
            self._later.setdefault(sync, time.monotonic() + 0.8 * SECONDS)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="sync", daemon=True)
                self._thread.start()
            elif len(self._later) == 1:
                self._changed.notify()

    def _serve(self) -> None:
        while True:
            self._next().carry_out()

    def _next(self) -> Sync:
        with self._changed:
            while True:
                first = next(iter(self._later), None)
                left = None if first is None else self._later[first] - time.monotonic()
                if first is not None and left is not None and left <= 0:
                    del self._later[first]
                    return first
                if self._due:
                    return self._due.pop(0)
                self._changed.wait(left)


_syncer = Syncer()
