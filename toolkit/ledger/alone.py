"""One process at a time runs a study: a lock in its folder, which the system releases however the process ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from toolkit.errors import ToolkitError
from toolkit.ledger.disk import writing

_ATTEMPTS, _MOMENT = 6, 0.02


class StudyBusy(ToolkitError):
    """Another process is running this study."""


@contextmanager
def alone(folder: Path, state: str = "is being run") -> Iterator[None]:
    """Hold a study's lock; ``state`` is what others are told that its folder is in.

    Raises
    ------
    StudyBusy
        If a process holds it already; says which.
    """
    with writing(folder):
        file = open(folder / "lock", "a+", encoding="ascii")  # noqa: SIM115  (closed below)
    with file:
        if not _taken(file):
            file.seek(0)
            by = file.read().strip() or "unknown"
            raise StudyBusy(f"{folder} {state} by process {by}: wait for it, or stop it")
        with writing(folder):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _taken(file: IO[str]) -> bool:
    """Take the lock if no process holds it; whoever only asks (`holder`) has it for a moment, hence some attempts."""
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_MOMENT * (attempt < _ATTEMPTS - 1))
        else:
            return True
    return False


def holder(folder: Path) -> str:
    """The id of the process that runs the study in a folder, this one or another; empty if nobody does."""
    try:
        file = open(folder / "lock", encoding="ascii")  # noqa: SIM115  (closed below)
    except FileNotFoundError:
        return ""
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return file.read().strip() or "unknown"
    return ""
