"""The ledger: files are the truth, DuckDB is the lens. Any number of processes may read while one writes a run."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from toolkit.component import canonical, digest
from toolkit.errors import ToolkitError, nearest
from toolkit.ledger.disk import Unwritable, writing
from toolkit.ledger.parquet import replace_parquet, write_parquet
from toolkit.ledger.rows import (
    RESCORED,
    RUN,
    SCHEMAS,
    Row,
    RunRecord,
    call_of,
    call_row,
    content,
    line,
    run_record,
)
from toolkit.ledger.syncing import Sync
from toolkit.ledger.views import from_lines, quoted, views
from toolkit.records import Call

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

SYNC_ROWS, SYNC_SECONDS = 64, 1.0
_packing = threading.Lock()  # runs that end together only get in one another's way: one at a time takes three quarters
_EMPTY = Path(
    "schema", digest([SCHEMAS, RUN, RESCORED])[:12], "runs", "none"
)  # named by the schemas: new columns, new files


class LedgerError(ToolkitError):
    """A ledger or a run's folder cannot be used as it is."""


class Log:
    """An append-only file of JSON lines. A row reaches the system at once; every 64 rows or second all go to the disk.

    They do so while the run goes on, which waits only if the disk is a whole such round behind. A torn last line (the
    process was killed in mid-write) is cut off when the file is opened. Once a row could not be written, every further
    one is refused: no row may stand behind a gap.

    Parameters
    ----------
    path
        The file; created if absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _cut_torn_tail(path)
        self._file: BinaryIO = open(path, "ab", buffering=0)  # noqa: SIM115  (closed by close())
        self._sync = Sync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()
        self._broken: Unwritable | None = None

    def append(self, row: Row, before_sync: Callable[[], None] | None = None) -> None:
        """Write one row; ``before_sync`` is called first if this row takes everything to the disk.

        Raises
        ------
        Unwritable
            If the disk would not take this row, or those before it.
        """
        self.check()
        text, start = line(row), os.fstat(self._file.fileno()).st_size
        try:
            with writing(self.path):
                while text:  # a disk that is nearly full takes the beginning of a row
                    text = text[self._file.write(text) :]
        except Unwritable as error:
            self._broken = error
            self._file.truncate(start)
            raise
        self._unsynced += 1
        if self._unsynced >= SYNC_ROWS or time.monotonic() - self._synced_at >= SYNC_SECONDS:
            if before_sync is not None:
                before_sync()
            self.sync()

    def check(self) -> None:
        """Raise what an earlier row met with, if it could not be written: whoever swallowed it hears it again."""
        if self._broken is not None:
            raise self._broken

    def sync(self) -> None:
        """Have everything put on the disk. Whatever asks for it later gets there later."""
        if self._unsynced:
            with writing(self.path):
                self._sync.begin()
        self._unsynced, self._synced_at = 0, time.monotonic()

    def close(self, *, synced: bool = True) -> None:
        """Wait until everything is on the disk, and close; without ``synced`` only until nothing is under way."""
        if self._file.closed:
            return
        with self._file, writing(self.path):
            if synced:
                self._sync.now()
            else:
                self._sync.wait()


def read_log(path: Path) -> Iterator[Row]:
    """The rows of a log.

    Raises
    ------
    LedgerError
        If a line before the last is damaged: such a log is not what a run wrote.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith(b"\n"):
                return  # torn: the process died while writing it
            try:
                yield json.loads(text)
            except ValueError as error:
                raise LedgerError(
                    f"{path} line {number} is damaged: move the run's folder away to run it anew"
                ) from error


class RunFolder:
    """One run's files: the tape (synced first), the episodes, and ``run.json``.

    Parameters
    ----------
    folder
        Created if absent.
    record
        What is known of the run beforehand.
    """

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self.folder, self.record = folder, record
        self._logs: list[Log] = []
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def open(self) -> list[Call]:
        """Open the logs for writing; the calls recorded earlier by this run, if it was cut off.

        The episodes are derived, so their log starts anew and is written again while the tape is read.
        """
        calls, episodes = self.folder / "calls.jsonl", self.folder / "episodes.jsonl"
        with writing(self.folder):
            for name in SCHEMAS:  # left by a run that was cut off while finishing; its logs are whole
                (self.folder / f"{name}.parquet").unlink(missing_ok=True)
                (self.folder / f"{name}.parquet.part").unlink(missing_ok=True)
            _cut_torn_tail(calls)
            tape = [call_of(row) for row in read_log(calls)]
            self._logs.append(Log(calls))
            episodes.unlink(missing_ok=True)
            self._logs.append(Log(episodes))
        self._calls, self._episodes = self._logs
        self._contents, self._any = hashlib.sha256(b"[["), False
        return tape

    def call(self, call: Call) -> None:
        """Record a call."""
        self._calls.append(call_row(call, self.record.run))

    def episode(self, row: Row) -> None:
        """Record an episode; the calls it rests on are on the disk no later than it."""
        self._calls.check()
        self._contents.update((", " * self._any + canonical(content(row))).encode())
        self._any = True
        self._episodes.append(row, before_sync=self._calls.sync)

    def note(self, record: RunRecord) -> None:
        """Replace ``run.json``."""
        self.record = record
        with writing(self.folder):
            write_atomically(self.folder / "run.json", json.dumps(asdict(record), ensure_ascii=True) + "\n")

    def hash(self, state: str) -> str:
        """sha256 over everything that came out of the run; never times, paths or names."""
        whole = self._contents.copy()
        whole.update(f"], {canonical(state)}]".encode())
        return whole.hexdigest()  # as `digest` of the list of contents and the state, which need not be kept

    def close(self, *, synced: bool = True) -> None:
        """Sync and close the logs; they stay."""
        with ExitStack() as all_of_them:
            for log in self._logs:
                all_of_them.callback(log.close, synced=synced)

    def finish(self, record: RunRecord) -> None:
        """Turn the logs into Parquet: written aside, renamed, noted as finished; only then are the logs removed."""
        self.close(synced=False)  # they go once the Parquet files are on the disk
        try:
            with writing(self.folder):
                for name, schema in SCHEMAS.items():
                    log, part = self.folder / f"{name}.jsonl", self.folder / f"{name}.parquet.part"
                    with _packing:
                        write_parquet(read_log(log), part, schema)
                    with open(part, "rb") as file:
                        os.fsync(file.fileno())
        except Unwritable:
            for name in SCHEMAS:  # half a shard would only take room
                (self.folder / f"{name}.parquet.part").unlink(missing_ok=True)
            raise
        for name in SCHEMAS:
            os.replace(self.folder / f"{name}.parquet.part", self.folder / f"{name}.parquet")
        self.note(record)
        for name in SCHEMAS:
            (self.folder / f"{name}.jsonl").unlink()


class Ledger:
    """All that happened, in one folder, read with SQL.

    Views: ``studies``, ``runs``, ``episodes``, ``turns``, ``calls``, ``memories`` (what was recalled when),
    ``rescored`` (figures computed later from recorded answers), and ``damage`` (lines that are no valid rows; a torn
    last line of a running log is not damage).

    Parameters
    ----------
    root
        The folder; created on first use. Default: ``$TOOLKIT_LEDGER``, else ``./ledger``.

    Examples
    --------
    >>> import tempfile
    >>> Ledger(tempfile.mkdtemp()).sql("select count(*) as n from episodes").n[0].item()
    0
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root or os.environ.get("TOOLKIT_LEDGER") or "ledger").expanduser()

    def study(self, name: str) -> Path:
        """The folder of a study, which need not exist."""
        return self.root / "studies" / name

    def names(self) -> list[str]:
        """Names of the studies, the latest first."""
        folders = [path for path in (self.root / "studies").glob("*") if (path / "plan.json").exists()]
        return [path.name for path in sorted(folders, key=lambda path: -(path / "plan.json").stat().st_mtime)]

    def find(self, name: str) -> Path:
        """The folder of a study that exists.

        Raises
        ------
        LedgerError
            If there is none, with the nearest names.
        """
        if name not in self.names():
            raise LedgerError(f"no study is called {name!r} in {self.root}; {nearest(name, self.names())}")
        return self.study(name)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """An in-memory connection with the views; every query reads what is there at that moment."""
        import duckdb

        self._ensure()
        con = duckdb.connect()
        con.execute("SET enable_progress_bar = false")
        for statement in views(self.root.resolve()):
            con.execute(statement)
        return con

    def sql(self, query: str, *parameters: object) -> pd.DataFrame:
        """The answer to one query, as a data frame."""
        import duckdb

        for attempt in range(5):
            with self.connect() as con:
                try:
                    return con.execute(query, list(parameters)).df()
                except duckdb.IOException:
                    if attempt == 4:
                        raise  # not just a log that was turned into Parquet between listing and reading
        raise AssertionError("unreachable")

    def record(self, folder: Path) -> RunRecord | None:
        """What a run's folder says of itself; None if it has not begun."""
        path = folder / "run.json"
        if not path.exists():
            return None
        return run_record(json.loads(path.read_text(encoding="ascii")))

    def _ensure(self) -> None:
        """Empty files with the schemas, so that a view has something to read before the first study."""
        folder = self.root / _EMPTY
        if (folder / "run.json").exists():
            return
        import duckdb

        with writing(self.root), duckdb.connect() as con:
            folder.mkdir(parents=True, exist_ok=True)
            for name, schema in SCHEMAS.items():
                (folder / f"{name}.jsonl").touch()
                part = folder / f"{name}.{os.getpid()}.part"
                query = from_lines([str(folder / f"{name}.jsonl")], schema)
                con.execute(f"COPY ({query}) TO '{quoted(part)}' (FORMAT parquet)")
                os.replace(part, folder / f"{name}.parquet")
        replace_parquet([], folder / "rescored.parquet", RESCORED)
        (folder / "run.json").touch()


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file aside, then rename: a reader sees the old one or the new one."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
