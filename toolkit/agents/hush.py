"""Silence for one thread: optimisers print and log as they go along, and have no switch for it."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOUD = ("dspy", "gepa")  # loggers that tell of every step
_quiet: set[int] = set()
_lock = threading.Lock()


class _Stream(io.TextIOBase):
    """An output that drops what quiet threads write, and passes on everything else."""

    def __init__(self, under: object) -> None:
        self.under = under

    def write(self, text: str) -> int:
        """Pass it on, unless it comes from a quiet thread."""
        if threading.get_ident() not in _quiet:
            self.under.write(text)  # type: ignore[attr-defined]
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.under, name)


def _passes(record: logging.LogRecord) -> bool:
    return record.thread not in _quiet or record.levelno >= logging.CRITICAL


@contextmanager
def hushed() -> Iterator[None]:
    """Within it, this thread prints nothing, and what DSPy and GEPA log from it goes nowhere; other threads go on.

    Examples
    --------
    >>> with hushed():
    ...     print("never seen")
    """
    me = threading.get_ident()
    with _lock:
        outermost = me not in _quiet
        if not _quiet:
            sys.stdout, sys.stderr = _Stream(sys.stdout), _Stream(sys.stderr)  # type: ignore[assignment]
            for handler in _handlers():
                handler.addFilter(_passes)
        _quiet.add(me)
    try:
        yield
    finally:
        with _lock:
            if outermost:
                _quiet.discard(me)
            if not _quiet:
                sys.stdout, sys.stderr = _under(sys.stdout), _under(sys.stderr)
                for handler in _handlers():
                    handler.removeFilter(_passes)


def _handlers() -> list[logging.Handler]:
    return [handler for name in ("", *_LOUD) for handler in logging.getLogger(name).handlers]


def _under(stream: object) -> object:
    return stream.under if isinstance(stream, _Stream) else stream
