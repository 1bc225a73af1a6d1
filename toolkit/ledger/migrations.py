"""Numbered migrations of an agent's file: each runs once, in one transaction with the record that it ran.

A migration that has been published is never edited: files exist that it made. What changes next gets the next number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from toolkit.ledger.log import LedgerError

if TYPE_CHECKING:
    import duckdb

Migration: TypeAlias = Callable[["duckdb.DuckDBPyConnection"], object]
"""Changes the tables; its name is its identity."""


def m001_events_calls_meta(con: duckdb.DuckDBPyConnection) -> None:
    """The event log, the tape, and what the agent is."""
    con.execute("CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)")
    con.execute(
        "CREATE TABLE events (seq BIGINT PRIMARY KEY, kind VARCHAR NOT NULL, phase VARCHAR NOT NULL, t BIGINT NOT "
        "NULL, experience VARCHAR NOT NULL, moment TIMESTAMP NOT NULL, body VARCHAR NOT NULL)"
    )
    con.execute(
        "CREATE TABLE calls (event BIGINT NOT NULL, place BIGINT NOT NULL, stage VARCHAR NOT NULL, purpose VARCHAR "
        "NOT NULL, step VARCHAR NOT NULL, ordinal BIGINT NOT NULL, body VARCHAR NOT NULL)"
    )


def m002_vectors(con: duckdb.DuckDBPyConnection) -> None:
    """Vectors that came from outside, by embedder and sha256 of the text, so that nothing is embedded twice."""
    con.execute(
        "CREATE TABLE vectors (embedder VARCHAR NOT NULL, text VARCHAR NOT NULL, vector BLOB NOT NULL, "
        "PRIMARY KEY (embedder, text))"
    )


ALL: tuple[Migration, ...] = (m001_events_calls_meta, m002_vectors)


def migrate(con: duckdb.DuckDBPyConnection, where: str, known: Sequence[Migration] = ALL) -> list[str]:
    """Bring a file to the latest version; the names of the migrations that ran now.

    Parameters
    ----------
    con
        An open connection, outside any transaction.
    where
        What to call the file in messages.
    known
        All migrations there are, in order.

    Raises
    ------
    LedgerError
        If the file has been through a migration that is not known here: it was written by a newer toolkit.
    """
    con.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, moment TIMESTAMP NOT NULL)")
    done = [str(row[0]) for row in con.execute("SELECT name FROM migrations ORDER BY name").fetchall()]
    names = [one.__name__ for one in known]
    if strange := [name for name in done if name not in names]:
        raise LedgerError(
            f"{where} was written by a newer toolkit (it has {strange[-1]}): update the toolkit to open it"
        )
    ran = []
    for one in known:
        if one.__name__ not in done:
            con.execute("BEGIN")
            try:
                one(con)
                con.execute("INSERT INTO migrations VALUES (?, (now() AT TIME ZONE 'UTC'))", [one.__name__])
            except BaseException:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")
            ran.append(one.__name__)
    return ran
