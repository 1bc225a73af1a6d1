"""docs/how-to/sql.md: it names every view of the ledger and every column, and no other."""

from __future__ import annotations

import re

import pytest
from errands import ROOT

from toolkit.ledger.store import Ledger

PAGE = (ROOT / "docs" / "how-to" / "sql.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([a-z, ]+)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE))
VIEWS = tuple(view for title in SECTIONS for view in title.split(", "))
NESTED = {"study", "run", "arm", "seed", "phase", "t"}
COSTS = ("calls", "input_tokens", "output_tokens", "reused_tokens", "reasoning_tokens", "seconds", "dollars")


def told(view: str) -> set[str]:
    """The columns that the page says a view has."""
    title, section = next((title, text) for title, text in SECTIONS.items() if view in title.split(", "))
    rows = [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("|")]
    if ", " in title:  # a row for each view, its columns in the last cell
        [cell] = [row[-1] for row in rows if row[0] == f"`{view}`"]
        return _names(cell) | (NESTED if "turns" in title else set())
    if not rows:
        return _names(section)
    found = set().union(*(_names(row[0]) for row in rows))
    kinds = re.findall(r"`(\w+)_…`", section)
    return found | {f"{kind}_{cost}" for kind in kinds for cost in COSTS}


def _names(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", cell))


def there(ledger: Ledger, view: str) -> set[str]:
    return set(ledger.sql(f"DESCRIBE {view}").column_name)


def test_every_view_is_there_and_named(ledger: Ledger) -> None:
    assert set(VIEWS) == set(ledger.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").view_name)


@pytest.mark.parametrize("view", VIEWS)
def test_columns_are_those_of_the_view(ledger: Ledger, view: str) -> None:
    assert told(view) == there(ledger, view)
