"""The queries behind a view: a ledger that notes what it was asked, and how that is shown so that it can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis.shown import visible
from toolkit.ledger.store import Ledger

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Query:
    """One query as it was asked.

    Parameters
    ----------
    sql
        The text.
    parameters
        What took the place of its ``$1`` or ``?``; lists are tuples.

    Examples
    --------
    >>> print(Query("SELECT 1 AS one WHERE $1 = 'a'", ("a",)).code)
    ledger.sql(
        \"\"\"
        SELECT 1 AS one WHERE $1 = 'a'
        \"\"\",
        'a',
    )
    """

    sql: str
    parameters: tuple[object, ...] = ()

    @property
    def code(self) -> str:
        """The call that asks it again, where ``ledger`` is the ledger."""
        lines = [line for line in self.sql.strip("\n").rstrip().split("\n")]
        given = [f"    {(list(one) if isinstance(one, tuple) else one)!r}," for one in self.parameters]
        return "\n".join(
            ["ledger.sql(", '    """', *(f"    {line}".rstrip() for line in _flush(lines)), '    """,', *given, ")"]
        )


class Noted(Ledger):
    """A ledger that notes what it is asked; it reads the same files.

    Parameters
    ----------
    of
        The ledger, or its folder; None = the usual one.

    Attributes
    ----------
    asked
        Every query since `begin`, in order, each once.
    """

    def __init__(self, of: Ledger | str | Path | None = None) -> None:
        super().__init__(of.root if isinstance(of, Ledger) else of)
        self.asked: dict[Query, None] = {}

    def begin(self) -> None:
        """Note anew."""
        self.asked = {}

    def sql(self, query: str, *parameters: object) -> pd.DataFrame:
        """As `Ledger.sql`."""
        told = tuple(tuple(one) if isinstance(one, list) else one for one in parameters)
        self.asked[Query(query, told)] = None
        return super().sql(query, *parameters)


def disclosure(queries: Sequence[Query], guided: bool) -> str:
    """What was asked, folded away, as HTML; with a kernel there is a button that copies it."""
    if not queries:
        return ""
    copy = '<button type="button" data-copy>Copy</button>' if guided else ""
    told = "".join(f"<div>{copy}<pre>{escape(visible(one.code))}</pre></div>" for one in queries)
    return f'<details class="sql" data-key="sql"><summary>SQL</summary>{told}</details>'


def _flush(lines: Sequence[str]) -> list[str]:
    """Lines without the blanks that all of them begin with."""
    full = [line for line in lines if line.strip()]
    left = min((len(line) - len(line.lstrip()) for line in full), default=0)
    return [line[left:] for line in lines]
