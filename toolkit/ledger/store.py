"""The ledger: files are the truth, DuckDB is the lens. Any number of processes may read while one writes a run."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.component import canonical, digest
from toolkit.errors import nearest
from toolkit.ledger.call import Call
from toolkit.ledger.disk import writing
from toolkit.ledger.log import LedgerError, Log, read_log
from toolkit.ledger.parquet import replace_parquet
from toolkit.ledger.rows import (
    RATING,
    RESCORED,
    RUN,
    SCHEMAS,
    Row,
    RunRecord,
    call_of,
    call_row,
    content,
    run_record,
)
from toolkit.ledger.tables import LONG, clear_parquet, pack
from toolkit.ledger.views import from_lines, quoted, views

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_QUIET = "SET enable_progress_bar = false"  # of each connection and cursor by itself
_EMPTY = Path(
    "schema", digest([SCHEMAS, RUN, RESCORED, RATING])[:12], "runs", "none"
)  # named by the schemas: new columns, new files


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
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                self._new = False
            else:
                self._new = True

    def open(self) -> list[Call]:
        """Open the logs for writing; the calls recorded earlier by this run, if it was cut off.

        The episodes are derived, so their log starts anew and is written again while the tape is read.
        """
        calls, episodes = self.folder / "calls.jsonl", self.folder / "episodes.jsonl"
        tape: list[Call] = []
        with writing(self.folder):
            if not self._new:
                clear_parquet(self.folder)  # left by a run that was cut off while finishing; its logs are whole
                tape = [call_of(row) for row in read_log(calls)]
                episodes.unlink(missing_ok=True)
            self._logs += [Log(calls), Log(episodes, derived=True)]
        self._calls, self._episodes = self._logs
        self._contents, self._any = hashlib.sha256(b"[["), False
        return tape

    def call(self, call: Call) -> None:
        """Record a call."""
        self._calls.append(call_row(call, self.record.run))

    def episode(self, row: Row) -> None:
        """Record an episode; it is derived from the calls, so that only they need be on the disk soon."""
        self._calls.check()
        self._contents.update((", " * self._any + canonical(content(row))).encode())
        self._any = True
        self._episodes.append(row)

    def note(self, record: RunRecord) -> None:
        """Replace ``run.json``; that a run has begun, or stopped, need not be on the disk before it goes on."""
        self.record = record
        text = json.dumps({name: getattr(record, name) for name in RUN}, ensure_ascii=True) + "\n"
        with writing(self.folder):
            write_atomically(self.folder / "run.json", text, synced=record.status == "finished")

    def hash(self, state: str) -> str:
        """sha256 over everything that came out of the run; never times, paths or names."""
        whole = self._contents.copy()
        whole.update(f"], {canonical(state)}]".encode())
        return whole.hexdigest()  # as `digest` of the list of contents and the state, which need not be kept

    def close(self) -> None:
        """Sync and close the logs; they stay."""
        with ExitStack() as all_of_them:
            for log in self._logs:
                all_of_them.callback(log.close)

    def finish(self, record: RunRecord) -> None:
        """Note that the run is finished, once its rows are on the disk: as its logs, or as Parquet if it was long."""
        self.close()
        if record.episodes < LONG:
            self.note(record)
            return
        with writing(self.folder):
            pack(self.folder)
        self.note(record)
        for name in SCHEMAS:
            (self.folder / f"{name}.jsonl").unlink()


class Ledger:
    """All that happened, in one folder, read with SQL.

    Views: ``studies``, ``runs``, ``episodes``, ``turns``, ``calls``, ``memories`` (what was recalled when),
    ``rescored`` (figures computed later from recorded answers), ``ratings`` (what people said of answers), and
    ``damage`` (lines that are no valid rows; a torn last line of a running log is not damage).

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

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
        self._ensure()
        return _opened(self.root.resolve())

    def sql(self, query: str, *parameters: object) -> pd.DataFrame:
        """The answer to one query, as a data frame."""
        import duckdb

        for attempt in range(5):
            self._ensure()
            with _viewed(self.root.resolve(), os.getpid()).cursor() as con:
                try:
                    con.execute(_QUIET)
                    return con.execute(query, list(parameters)).df()
                except duckdb.IOException:
                    if attempt == 4:
                        raise  # not just a log that was turned into Parquet between listing and reading
        raise AssertionError("unreachable")

    def record(self, folder: Path) -> RunRecord | None:
        """What a run's folder says of itself; None if it has not begun."""
        try:
            told = (folder / "run.json").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return run_record(json.loads(told)) if told else None  # empty: a power cut came when it had just begun

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
        with writing(self.root):
            ratings = folder.parents[1] / "rated" / "none" / "none.jsonl"
            ratings.parent.mkdir(parents=True, exist_ok=True)
            ratings.touch()
        (folder / "run.json").touch()


@lru_cache(maxsize=4)
def _viewed(root: Path, process: int) -> duckdb.DuckDBPyConnection:
    """The views of a ledger, made once in a process: that takes ten times as long as a small query."""
    return _opened(root)


def _opened(root: Path) -> duckdb.DuckDBPyConnection:
    """A connection with a ledger's views.

    A view is a query as it is written: nothing that it read is kept, so neither is what DuckDB would keep of files.
    """
    import duckdb

    con = duckdb.connect(config={"enable_external_file_cache": False})
    con.execute(_QUIET)
    for statement in views(root):
        con.execute(statement)
    return con


def write_atomically(path: Path, text: str | bytes, *, synced: bool = True) -> None:
    """Write a whole file aside, then rename: a reader sees the old one or the new one.

    Parameters
    ----------
    synced
        Whether it is on the disk before this returns.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
