"""A limit of time for code that is not ours: who takes longer is given up, and the caller goes on.

Python cannot end a thread from outside. So the code runs in a daemon thread of its own, and the caller stops waiting
for it: that always holds. A loop in Python is then ended from within, by an exception that is raised in its thread; a
call that blocks in C is left behind until it returns, and does not keep the process from ending.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from toolkit.errors import ToolkitError

T = TypeVar("T")

_LOOK = 0.5
"""Seconds of one wait. An interrupt that comes when Python has looked for one and is about to wait ends no wait."""


class Hung(ToolkitError):
    """Something took longer than it may, and was given up."""


def within(seconds: float, function: Callable[[], T]) -> T:
    """What a function gives, if it does so in time.

    It runs in a thread of its own, in a copy of the caller's context (`contextvars`). A call costs little more than the
    start of a thread: some ten thousandths of a second.

    Parameters
    ----------
    seconds
        Of the clock, at least 0.
    function
        Takes nothing. What it raises is raised here, unchanged.

    Raises
    ------
    Hung
        If it takes longer. What it does after that is without effect here; its thread ends as soon as it runs Python
        code that does not catch `SystemExit`.
    ValueError
        If ``seconds`` is less than 0 or no number.

    Examples
    --------
    >>> within(1.0, lambda: 2 + 2)
    4
    >>> def forever():
    ...     while True:
    ...         pass
    >>> within(0.01, forever)
    Traceback (most recent call last):
    toolkit.streams.guard.Hung: forever took more than 0.01 s and was given up; allow more seconds if it is but slow
    """
    if not seconds >= 0:
        raise ValueError(f"seconds must be at least 0 but is {seconds!r}; math.inf waits without end")
    running = _Running(function)
    try:
        running.start()
        running.wait(seconds)
    except BaseException:  # an interrupt of the caller: nobody waits any more
        running.give_up()
        raise
    if running.give_up():
        name = getattr(function, "__name__", type(function).__name__)
        raise Hung(f"{name} took more than {seconds:g} s and was given up; allow more seconds if it is but slow")
    return running.result()


class _Running(threading.Thread, Generic[T]):
    """A call under way. Whoever takes ``verdict`` first, it or the caller, says whether it came in time."""

    def __init__(self, function: Callable[[], T]) -> None:
        super().__init__(name="within", daemon=True)
        self.function = function
        self.context = contextvars.copy_context()
        self.ended, self.verdict, self.told = threading.Lock(), threading.Lock(), threading.Event()
        self.ended.acquire()
        self.given: T | None = None
        self.raised: BaseException | None = None

    def run(self) -> None:
        """Call, keep what comes of it, and say that it has ended."""
        try:
            self.given = self.context.run(self.function)
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is the caller's
            self.raised = error
        with suppress(SystemExit):  # what ends it may come this late
            if self.verdict.acquire(blocking=False):
                self.ended.release()
            else:
                self.told.wait()  # else the number of this thread could be another's by the time it is raised in

    def wait(self, seconds: float) -> None:
        """Until it has ended, or so long. It looks up now and then: see `_LOOK`."""
        until = time.monotonic() + seconds
        while not self.ended.acquire(timeout=min(_LOOK, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                return

    def give_up(self) -> bool:
        """Whether it had not ended; then it is told to."""
        if not self.verdict.acquire(blocking=False):
            return False
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(SystemExit))
        self.told.set()
        return True

    def result(self) -> T:
        """What it gave, or raised."""
        if self.raised is not None:
            try:
                raise self.raised
            finally:
                self.raised = None  # or error and frame would hold each other
        return self.given  # type: ignore[return-value]  # where nothing was raised, it is what the function gave
