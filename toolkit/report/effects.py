"""The section of a report that says what each trait is worth; nothing where the arms allow no such thing."""

from __future__ import annotations

from toolkit.analysis import main_effects
from toolkit.report.facts import Facts
from toolkit.report.page import Html, element, listed, table


def effects_section(facts: Facts) -> Html:
    """Effects of the policies that ran, as `toolkit.main_effects` tells them, with what must be said of them.

    Empty where nothing was recorded, or where fewer than two effects can be told: the contrasts say those already.
    """
    if facts.comparison is None or not (facts.folder / "study.toml").exists():
        return Html("")
    found = main_effects(facts.name, ledger=facts.ledger)
    if len(found.rows) < 2:
        return Html("")
    head, body = found.table()
    usual = set(facts.comparison.notes)
    cells = [[cell.replace("[n/a, n/a]", "n/a") for cell in line] for line in body]
    return Html(
        element("h3", "What each trait is worth")
        + table(head, cells)
        + listed(note for note in found.notes if note not in usual)
    )
