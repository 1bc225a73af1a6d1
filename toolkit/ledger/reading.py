"""Questions as people type them: one statement that reads one ledger, and errors that say what would do."""

from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import quoted

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_ATTEMPTS = 5  # a log may be turned into Parquet between listing and reading
_ONE_AT_A_TIME = threading.Lock()
"""In place of cursors: each has settings of its own, and those of a locked connection can no longer be made."""

_VIEW = re.compile(r'Table with name "?(.+?)"? does not exist')
_COLUMN = re.compile(r'(?:Referenced column|does not have a column named) "(.+?)"(?: not found|$)', re.MULTILINE)
_END = re.compile(r"(;\s*(--[^\n]*(\n\s*|$))*)+$")  # of a statement: semicolons, comments after them
_WRITES = "the ledger can only be read, with SELECT, but {}; what it holds, runs alone write"
_PLACE = re.compile(r"\n\nLINE (\d+): .*", re.DOTALL)


def read(ledger: Ledger, query: str, limit: int | None = None) -> pd.DataFrame:
    """The answer to one SELECT, as a data frame; nothing but this ledger can be read, and nothing written.

    Parameters
    ----------
    ledger
        What the views show.
    query
        One statement that reads: ``SELECT``, ``FROM``, ``WITH``, ``VALUES``, ``DESCRIBE``, ``SUMMARIZE``.
    limit
        How many rows at most, from the first; None = all.

    Raises
    ------
    LedgerError
        If the query is no such statement, names what is not there, or reads another file; with the nearest names.

    Examples
    --------
    >>> import tempfile
    >>> ledger = Ledger(tempfile.mkdtemp())
    >>> read(ledger, "SELECT count(*) AS n FROM episodes").n[0].item()
    0
    >>> read(ledger, "SELECT scor FROM episodes")
    Traceback (most recent call last):
        ...
    toolkit.ledger.log.LedgerError: no column is called 'scor'; did you mean 'score' or 'scores'?
    """
    import duckdb

    try:
        for _ in range(_ATTEMPTS - 1):
            try:
                return _answered(ledger, query, limit)
            except duckdb.IOException:
                continue
        return _answered(ledger, query, limit)
    except duckdb.Error as error:
        raise LedgerError(_told(error, query, columns(ledger))) from error


def columns(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    """The columns of each view, in their order; views by name."""
    asked = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY 1, column_index"
    with _ONE_AT_A_TIME:
        found = _locked(ledger.root.resolve(), os.getpid()).execute(asked).fetchall()
    views: dict[str, tuple[str, ...]] = {}
    for view, column in found:
        views[view] = (*views.get(view, ()), column)
    return views


def _answered(ledger: Ledger, query: str, limit: int | None) -> pd.DataFrame:
    with _ONE_AT_A_TIME:
        con = _locked(ledger.root.resolve(), os.getpid())
        alone = _only_reading(con.extract_statements(query))
        inner = f"SELECT * FROM ({alone}\n)"
        con.execute(f"EXPLAIN {inner}")  # refused for WITH ... AS (COPY ...), a SELECT that writes
        return con.execute(alone if limit is None else f"{inner} LIMIT {limit}").df()


def _only_reading(found: list[duckdb.Statement]) -> str:
    """The text of the one statement, if it is of a kind that reads."""
    import duckdb

    if len(found) != 1:
        raise LedgerError(f"one statement is read at a time but there are {len(found)}")
    (one,) = found
    if one.type == duckdb.StatementType.MULTI:
        raise LedgerError("PIVOT must name its columns here, as in: PIVOT runs ON arm IN ('static', 'memory')")
    if one.type != duckdb.StatementType.SELECT:
        raise LedgerError(_WRITES.format(f"this is {one.type.name}"))
    return _END.sub("", one.query)


@lru_cache(maxsize=4)
def _locked(root: Path, process: int) -> duckdb.DuckDBPyConnection:
    """The views of a ledger on a connection that opens no file outside it, whatever it is told later."""
    con = Ledger(root).connect()
    con.execute(f"SET allowed_directories = ['{quoted(root)}']")
    for setting in ("python_enable_replacements = false", "enable_external_access = false"):
        con.execute(f"SET {setting}")
    con.execute("SET lock_configuration = true")
    return con


atexit.register(_locked.cache_clear)  # a connection that outlives the interpreter is complained of


def _told(error: duckdb.Error, query: str, views: dict[str, tuple[str, ...]]) -> str:
    """What was wrong with a query, in one sentence, and what would do."""
    import duckdb

    text = str(error)
    if isinstance(error, duckdb.PermissionException):
        return "nothing but the ledger's own files can be read here; read other files with pandas, and join there"
    if "WITH clause containing" in text:  # COPY, INSERT, UPDATE or DELETE
        return _WRITES.format("a WITH clause here writes")
    if missing := _VIEW.search(text):
        return f"no view is called {missing[1]!r}; {nearest(missing[1], views)}"
    if missing := _COLUMN.search(text):
        there = re.findall(r'"(.+?)"', text.partition("Candidate bindings: ")[2].partition("\n")[0])
        return f"no column is called {missing[1]!r}; {nearest(missing[1], {*there, *_in(query, views)})}"
    place = _PLACE.search(text)
    plain = " ".join(_PLACE.sub("", text).split())
    return f"{plain} (line {place[1]})" if place else plain


def _in(query: str, views: dict[str, tuple[str, ...]]) -> Iterable[str]:
    """The columns of the views that a query names."""
    words = {word.lower() for word in re.findall(r"\w+", query)}
    return {column for view, there in views.items() if view in words for column in there}
