"""What a ledger does where the system takes no more: a full disk, a folder that may only be read."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import ToolkitError


class Unwritable(ToolkitError):
    """The ledger takes nothing more (a full disk, a read-only one); what it holds is whole and can be gone on with."""


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """What the system refuses to write below ``where`` becomes an error that says what to do.

    Raises
    ------
    Unwritable
        In place of an `OSError`.

    Examples
    --------
    >>> with writing(Path("ledger")):  # doctest: +ELLIPSIS
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    toolkit.ledger.disk.Unwritable: ledger cannot be written: ...
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        out = "make room" if full else "make it writable, or choose another ledger (--ledger, $TOOLKIT_LEDGER)"
        told = error.strerror or str(error)
        raise Unwritable(
            f"{where} cannot be written: {told}; {out}, then run it again: what was recorded is kept and it goes on"
        ) from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it; the system releases it when its process ends, however it ends.

    Two threads of one process exclude each other as two processes do.
    """
    with writing(path):
        try:
            file = open(path, "ab")  # noqa: SIM115  (closed below)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "ab")  # noqa: SIM115
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
