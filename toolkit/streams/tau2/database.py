"""A database that many worlds share: what one of them writes stands in its own layer, above tables nobody touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from toolkit.component import digest
from toolkit.moves import Tool

Record: TypeAlias = dict[str, Any]
Tables: TypeAlias = Mapping[str, Mapping[str, Record]]


class Refused(Exception):
    """A tool does not do what was asked; the words say which rule stands against it. Nothing was changed."""


class Database:
    """Tables of records by id, of which only those that are written are copied.

    Parameters
    ----------
    tables
        What is shared: never written.

    Examples
    --------
    >>> shared = {"orders": {"#1": {"status": "pending"}, "#2": {"status": "delivered"}}}
    >>> database = Database(shared)
    >>> database.write("orders", "#1")["status"] = "cancelled"
    >>> database.changed(), shared["orders"]["#1"]
    ({'orders': {'#1': {'status': 'cancelled'}}}, {'status': 'pending'})
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._own: dict[str, dict[str, Record]] = {}

    def find(self, table: str, identity: str) -> Record | None:
        """A record to read, never to write; None where there is none."""
        own = self._own.get(table, {}).get(identity)
        return own if own is not None else self._tables.get(table, {}).get(identity)

    def read(self, table: str, identity: str) -> Record:
        """A record to read, never to write.

        Raises
        ------
        Refused
            If there is none.
        """
        found = self.find(table, identity)
        if found is None:
            raise Refused(f"there is no {table.removesuffix('s')} {identity!r}")
        return found

    def rows(self, table: str) -> Iterator[tuple[str, Record]]:
        """All records of a table by id, to read."""
        own, shared = self._own.get(table, {}), self._tables.get(table, {})
        yield from ((identity, own.get(identity, record)) for identity, record in shared.items())
        yield from ((identity, record) for identity, record in own.items() if identity not in shared)

    def write(self, table: str, identity: str) -> Record:
        """A record's own copy in this layer, to be changed in place."""
        own = self._own.setdefault(table, {})
        if identity not in own:
            own[identity] = deepcopy(self.read(table, identity))
        return own[identity]

    def put(self, table: str, identity: str, record: Record) -> None:
        """A record that is new, or takes the place of the old one."""
        self._own.setdefault(table, {})[identity] = record

    def changed(self) -> dict[str, dict[str, Record]]:
        """The records that differ from the shared ones, by table and id; nothing where a change was taken back."""
        found: dict[str, dict[str, Record]] = {}
        for table, rows in sorted(self._own.items()):
            shared = self._tables.get(table, {})
            differ = {identity: row for identity, row in sorted(rows.items()) if shared.get(identity) != row}
            if differ:
                found[table] = differ
        return found

    def branch(self) -> Database:
        """Another one that stands where this one does, and goes its own way."""
        found = Database(self._tables)
        found._own = deepcopy(self._own)
        return found

    def digest(self) -> str:
        """A hash of `changed`: equal for equal states above the same tables."""
        return digest(self.changed())


Call: TypeAlias = Callable[..., object]
"""A tool at work: takes the database and the call's arguments, returns what is told, or raises `Refused`."""


@dataclass(frozen=True, slots=True)
class Domain:
    """What can be done with a kind of database.

    Parameters
    ----------
    tools
        As an agent sees them.
    does
        What they do, by name.
    checks
        What a task may ask of the state in the end, by name: each takes the database and arguments and is true or not.
    starts
        What a task may let happen before it begins, beside the tools, by name.
    hears
        What the customer does when something is said to them, beside answering.
    private
        Tables of the customer's own, which are not part of what is compared in the end.
    """

    tools: tuple[Tool, ...]
    does: Mapping[str, Call]
    checks: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    starts: Mapping[str, Call] = field(default_factory=dict)
    hears: Callable[[Database], None] | None = None
    private: frozenset[str] = frozenset()

    @property
    def writes(self) -> frozenset[str]:
        """Names of the tools that change the database."""
        return frozenset(tool.name for tool in self.tools if tool.changes)
