"""What a live agent has met, in one DuckDB file: an event log and a tape, from which it is made anew when it is opened.

One process writes; what it has acknowledged is in the file, whole, however the process ends.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from toolkit.component import canonical
from toolkit.errors import ToolkitError
from toolkit.ledger.call import Call
from toolkit.ledger.disk import Unwritable, writing
from toolkit.ledger.events import Event, Stage, event_of, event_row, kept_call_row, numbered
from toolkit.ledger.log import LedgerError
from toolkit.ledger.migrations import migrate
from toolkit.ledger.rows import call_of
from toolkit.records import Usage

if TYPE_CHECKING:
    import duckdb

_LATER = 1_000_000  # calls that took the place of others stand behind them

Place: TypeAlias = tuple[int, str, int]
"""Where a call stands: the number of its event, its step, the how-manieth of that step there."""


class AgentBusy(ToolkitError):
    """Somebody else has this agent open for writing."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What living through a past again changes in a file.

    Parameters
    ----------
    lost
        Calls that are not made any more; what they cost stays.
    new
        Calls that are made in their place, each with its event's number and its stage.
    texts
        Marks of the texts that are still there; vectors of others are removed.
    vectors
        New ones, by embedder and mark of the text.
    """

    lost: Sequence[Place]
    new: Sequence[tuple[int, Stage, Call]]
    texts: Iterable[str]
    vectors: Mapping[tuple[str, str], bytes]


class AgentFile:
    """The file of one agent, held for as long as it is open.

    Parameters
    ----------
    path
        The DuckDB file; made if absent. Beside it stands ``<name>.lock``, which says who holds it.

    Raises
    ------
    AgentBusy
        If anybody holds it, in this process or another; says who.
    LedgerError
        If it is no agent's file, or a newer toolkit's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(path)
        try:
            self._con = _connect(path)
            self.migrated = migrate(self._con, str(path))
            if "purge" in self.meta():
                self.purge()  # it was killed between forgetting and writing the file anew
        except BaseException:
            self.close()
            raise

    def meta(self) -> dict[str, Any]:
        """What the agent is, by name."""
        return {name: json.loads(value) for name, value in self._all("SELECT name, value FROM meta")}

    def describe(self, values: Mapping[str, object]) -> None:
        """Set what the agent is; what is not named stays."""
        with self._transaction():
            self._describe(values)

    def append(
        self,
        events: Sequence[Event],
        values: Mapping[str, object] | None = None,
        vectors: Mapping[tuple[str, str], bytes] | None = None,
    ) -> list[Event]:
        """Write events with their calls and vectors in one transaction; once this returns they are on the disk.

        Returns
        -------
        list of Event
            The same with their numbers.

        Raises
        ------
        Unwritable
            If the file takes no more: then none of them is in it.
        """
        first = int(self._one("SELECT coalesce(max(seq) + 1, 0) FROM events"))
        written = [numbered(event, first + place) for place, event in enumerate(events)]
        with self._transaction():
            self._describe(values or {})
            self._insert("events", [event_row(event) for event in written])
            calls = [
                kept_call_row(event.seq, place, stage, call)
                for event in written
                for place, (stage, call) in enumerate(event.calls)
            ]
            self._insert("calls", calls)
            self._insert("vectors", [[*key, vector] for key, vector in (vectors or {}).items()])
        return written

    def events(self) -> Iterator[Event]:
        """Everything that was met, in order; without the calls, see `tape`."""
        found = self._con.cursor().execute(
            "SELECT seq, kind, phase, t, experience, moment, body FROM events ORDER BY seq"
        )
        while rows := found.fetchmany(4096):
            yield from map(event_of, rows)

    def tape(self, *, recalls: bool = False) -> list[Call]:
        """The calls that living through it again makes: those of learning, without prompts.

        Parameters
        ----------
        recalls
            Also those that recalling took, where recalling is done again.
        """
        also = " OR (stage = 'act' AND purpose = 'adapting')" if recalls else ""
        rows = self._all(f"SELECT body FROM calls WHERE stage = 'learn'{also} ORDER BY event, place")
        return [call_of({**json.loads(body), "prompt": ()}) for (body,) in rows]

    def passed(self, *, recalls: bool = False) -> dict[int, dict[str, int]]:
        """By event: how many calls of a step were made that are not made again, where the tape has that step too."""
        kept = " AND purpose <> 'adapting'" if recalls else ""
        found: dict[int, dict[str, int]] = {}
        query = (
            f"SELECT event, step, max(ordinal) + 1 FROM calls WHERE stage = 'act'{kept} AND step IN (SELECT DISTINCT "
            "step FROM calls WHERE stage = 'learn') GROUP BY event, step"
        )
        for event, step, number in self._all(query):
            found.setdefault(event, {})[json.loads(step)] = number
        return found

    def calls(self) -> Iterator[tuple[int, Stage, Call]]:
        """Every call with its event's number and its stage, in order, but for those that are gone."""
        found = self._con.cursor().execute(
            "SELECT event, stage, body FROM calls WHERE stage <> 'gone' ORDER BY event, place"
        )
        while rows := found.fetchmany(1024):
            yield from ((event, stage, call_of(json.loads(body))) for event, stage, body in rows)

    def count(self) -> int:
        """How many events there are."""
        return int(self._one("SELECT count(*) FROM events"))

    def spent(self) -> Usage:
        """What all calls have cost, also those whose words are gone; not those by which a bench judged."""
        numbers = {one.name: "DOUBLE" if one.type == "float" else "BIGINT" for one in fields(Usage)}
        # A price that is not known is null: then the sum is not known either.
        summed = (f"sum(CAST(body ->> '{name}' AS {kind}))" for name, kind in numbers.items())
        unknown = "count(*) FILTER (body ->> 'dollars' IS NULL)"
        *found, nameless = self._all(f"SELECT {', '.join([*summed, unknown])} FROM calls WHERE purpose <> 'judging'")[0]
        told = Usage(**{name: value or 0 for name, value in zip(numbers, found, strict=True)})
        return replace(told, dollars=math.nan) if nameless else told

    def rewrite(
        self,
        changed: Changed,
        *,
        gone: Iterable[int] = (),
        blank: Iterable[Place] = (),
        values: Mapping[str, object] | None = None,
        event: Event | None = None,
    ) -> None:
        """Change the past in one transaction, then write the file anew: nothing of what went stays on the disk.

        Parameters
        ----------
        changed
            What living through the events that are left has changed.
        gone
            Numbers of events that are removed with what their calls said.
        blank
            Calls of other events whose words are removed; that they were made stays.
        values
            What the agent is from now on, where that changes.
        event
            Says that there was more once.
        """
        last = int(self._one("SELECT coalesce(max(seq), -1) FROM events"))
        with self._transaction():
            for seq in gone:
                self._con.execute("DELETE FROM events WHERE seq = ?", [seq])
                self._silence("event = ?", [seq], gone=True)
            for place in changed.lost:
                self._silence("event = ? AND step = ? AND ordinal = ?", _key(place), gone=True)
            for place in blank:
                self._silence("event = ? AND step = ? AND ordinal = ?", _key(place), gone=False)
            rows = [
                kept_call_row(seq, _LATER + place, stage, call) for place, (seq, stage, call) in enumerate(changed.new)
            ]
            self._insert("calls", rows)
            self._describe({**(values or {}), "purge": True})
            self._con.execute(
                "DELETE FROM vectors WHERE text NOT IN (SELECT unnest(?::VARCHAR[]))", [list(changed.texts)]
            )
            self._insert("vectors", [[*key, vector] for key, vector in changed.vectors.items()])
            if event is not None:
                self._insert("events", [event_row(numbered(event, last + 1))])
        self.purge()

    def purge(self) -> None:
        """Write the file anew: what was deleted is still in the old one's free blocks."""
        fresh = self.path.with_suffix(".purged")
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
        self.copy(fresh)
        self._con.close()
        with writing(self.path):
            os.replace(fresh, self.path)
        self._con = _connect(self.path)
        self._con.execute("DELETE FROM meta WHERE name = 'purge'")

    def copy(self, to: Path) -> None:
        """A copy of the whole file, as it is now, that anybody may open.

        Raises
        ------
        LedgerError
            If there is a file already.
        """
        if to.exists():
            raise LedgerError(f"{to} is there already: remove it, or name another file")
        with writing(to):
            to.parent.mkdir(parents=True, exist_ok=True)
        name = str(self._one("SELECT current_database()")).replace('"', '""')
        quoted = str(to).replace("'", "''")
        self._con.execute(f"ATTACH '{quoted}' AS copied")
        try:
            self._con.execute(f'COPY FROM DATABASE "{name}" TO copied')
        finally:
            self._con.execute("DETACH copied")

    def close(self) -> None:
        """Let it go; closing it twice does nothing more."""
        if con := self.__dict__.get("_con"):
            con.close()
        self._lock.close()  # and with it the lock

    def vectors(self) -> dict[tuple[str, str], bytes]:
        """Vectors that were kept, by embedder and mark of the text."""
        return {(embedder, text): vector for embedder, text, vector in self._all("SELECT * FROM vectors")}

    def _describe(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            self._con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [name, json.dumps(value, ensure_ascii=True)])

    def _silence(self, which: str, values: Sequence[object], *, gone: bool) -> None:
        """Take the words out of calls; what they cost stays."""
        for rowid, body in self._con.execute(f"SELECT rowid, body FROM calls WHERE {which}", list(values)).fetchall():
            told = json.loads(body) | {"prompt": [], "answer": "", "response": "", "hash": "", "error": ""}
            change = "UPDATE calls SET body = ?, stage = CASE WHEN ? THEN 'gone' ELSE stage END WHERE rowid = ?"
            self._con.execute(change, [canonical(told), gone, rowid])

    def _insert(self, table: str, rows: list[list[object]]) -> None:
        if len(rows) > 100:
            import pandas as pd

            columns = [
                str(row[0]) for row in self._con.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
            ]
            self._con.append(table, pd.DataFrame(rows, columns=columns))
        elif rows:
            self._con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; on the disk when it ends."""
        import duckdb

        try:
            self._con.execute("BEGIN")
            try:
                yield
                self._con.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # a commit that failed has ended the transaction itself
                    self._con.execute("ROLLBACK")
                raise
        except (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException) as error:
            raise Unwritable(
                f"{self.path} cannot be written: {error}; make room or make it writable, then open the agent again: "
                "what was acknowledged is kept"
            ) from error

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._con.execute(query, list(values)).fetchall()

    def _one(self, query: str) -> Any:
        return self._all(query)[0][0]


def names(folder: Path) -> list[str]:
    """Names of the agents whose files lie in a folder."""
    return sorted(path.stem for path in folder.glob("*.duckdb"))


def _key(place: Place) -> list[object]:
    seq, step, ordinal = place
    return [seq, canonical(step), ordinal]


def _hold(path: Path) -> IO[str]:
    """Take the lock beside a file; the system releases it however the process ends."""
    with writing(path):
        file = open(path.with_suffix(".lock"), "a+", encoding="utf-8")  # noqa: SIM115  (held until `close`)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        by = file.read().strip() or "a process that does not say which"
        file.close()
        raise AgentBusy(
            f"one at a time may have the agent {path.stem!r} open, and {by} has: close it there (agent.close(), /quit, "
            f"or end the kernel), or look at a copy that it exports (agent.export('copy.duckdb'))"
        ) from error
    with writing(path):
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} (since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC)")
        file.flush()
    return file


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        con = duckdb.connect(str(path))
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise AgentBusy(
                f"another program has {path} open in DuckDB, which lets nobody write meanwhile: close it ({error})"
            ) from error
        raise LedgerError(f"{path} cannot be opened as an agent's file: {error}") from error
    except duckdb.Error as error:
        raise LedgerError(f"{path} cannot be opened as an agent's file: {error}") from error
    con.execute("SET enable_progress_bar = false")
    # A view in place of a table could read any file of this machine, a macro stand in for a function.
    query = "SELECT view_name FROM duckdb_views() WHERE NOT internal UNION ALL "
    query += "SELECT function_name FROM duckdb_functions() WHERE NOT internal"
    if strange := con.execute(query).fetchall():
        con.close()
        raise LedgerError(
            f"{path} holds {strange[0][0]!r}, a view or macro, which no agent's file does: do not open it"
        )
    return con
