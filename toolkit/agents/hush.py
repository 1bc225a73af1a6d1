"""Silence for one run: optimisers print and log as they go along, and have no switch for it."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOUD = ("dspy", "gepa")  # loggers that tell of every step
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)  # goes along into the threads that an optimiser starts
_lock = threading.Lock()
_hushed = 0


class _Stream(io.TextIOBase):
    """An output that drops what is written where it is quiet, and passes on everything else."""

    def __init__(self, under: object) -> None:
        self.under = under

    def write(self, text: str) -> int:
        """Pass it on, unless it is quiet."""
        if not _quiet.get():
            self.under.write(text)  # type: ignore[attr-defined]
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.under, name)


def _passes(record: logging.LogRecord) -> bool:
    return not _quiet.get() or record.levelno >= logging.CRITICAL


@contextmanager
def hushed() -> Iterator[None]:
    """Within it nothing is printed, and what DSPy and GEPA log goes nowhere; other threads of the process go on.

    Examples
    --------
    >>> with hushed():
    ...     print("never seen")
    """
    _count(1)
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)
        _count(-1)


def _count(by: int) -> None:
    """Put filters in before the first who wants silence, and take them out after the last."""
    global _hushed
    with _lock:
        if not _hushed:
            sys.stdout, sys.stderr = _Stream(sys.stdout), _Stream(sys.stderr)  # type: ignore[assignment]
            for handler in _handlers():
                handler.addFilter(_passes)
        _hushed += by
        if not _hushed:
            sys.stdout, sys.stderr = _under(sys.stdout), _under(sys.stderr)
            for handler in _handlers():
                handler.removeFilter(_passes)


def _handlers() -> list[logging.Handler]:
    return [handler for name in ("", *_LOUD) for handler in logging.getLogger(name).handlers]


def _under(stream: object) -> object:
    return stream.under if isinstance(stream, _Stream) else stream
