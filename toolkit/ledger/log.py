"""Append-only logs of JSON lines: what a run writes while it is under way, and how it is read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import ToolkitError
from toolkit.ledger.disk import Unwritable, writing
from toolkit.ledger.rows import Row, line
from toolkit.ledger.syncing import Sync


class LedgerError(ToolkitError):
    """A ledger or a run's folder cannot be used as it is."""


class Log:
    """A file of rows. A row reaches the system at once, and the disk soon: see `toolkit.ledger.syncing`.

    A torn last line (the process was killed in mid-write) is cut off when the file is opened. Once a row could not be
    written, every further one is refused: no row may stand behind a gap.

    Parameters
    ----------
    path
        The file; created if absent.
    derived
        Whether its rows follow from another log's, and so need not be on the disk before it is closed.
    """

    def __init__(self, path: Path, *, derived: bool = False) -> None:
        self.path = path
        _cut_torn_tail(path)
        self._file: BinaryIO = open(path, "ab", buffering=0)  # noqa: SIM115  (closed by close())
        self._end = self._file.tell()
        self._sync, self._derived = Sync(self._file.fileno()), derived
        self._broken: Unwritable | None = None

    def append(self, row: Row) -> None:
        """Write one row.

        Raises
        ------
        Unwritable
            If the disk would not take this row, or those before it.
        """
        self.check()
        text = line(row)
        if not self._derived:
            with writing(self.path):
                self._sync.room()
        try:
            with writing(self.path):
                rest = text[self._file.write(text) :]
                while rest:  # a disk that is nearly full takes the beginning of a row
                    rest = rest[self._file.write(rest) :]
        except Unwritable as error:
            self._broken = error
            self._file.truncate(self._end)
            raise
        self._end += len(text)
        if not self._derived:
            self._sync.wrote()

    def check(self) -> None:
        """Raise what an earlier row met with, if it could not be written: whoever swallowed it hears it again."""
        if self._broken is not None:
            raise self._broken

    def close(self) -> None:
        """Close, once everything is on the disk."""
        if self._file.closed:
            return
        with self._file, writing(self.path):
            self._sync.close()


def read_log(path: Path, *, ended: bool = False) -> Iterator[Row]:
    """The rows of a log.

    Parameters
    ----------
    ended
        Whether nobody writes it any more, so that a torn last line is damage too.

    Raises
    ------
    LedgerError
        If a line before the last is damaged: such a log is not what a run wrote.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        for number, text in enumerate(file, start=1):
            if not ended and not text.endswith(b"\n"):
                return  # torn: the process died while writing it
            yield _row(text, f"{path} line {number}")


def _row(text: bytes, where: str) -> Row:
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError(f"a row is an object but this is {found!r}")
    except ValueError as error:
        raise LedgerError(f"{where} is damaged: move the run's folder away to run it anew") from error
    return found


def _cut_torn_tail(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with open(path, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)
