"""The section of a report about goals and initiative; nothing where no episode was in a world."""

from __future__ import annotations

from toolkit.figures import Drawn
from toolkit.report.facts import Facts
from toolkit.report.page import Html, element, figure, listed, paragraphs, table

_FIGURE = 5


def initiative_section(facts: Facts, drawing: Drawn) -> Html:
    """How arms acted, asked and stayed silent, as `toolkit.initiative` tells it, and what it was worth."""
    found = facts.initiative
    if found is None or facts.comparison is None:
        return Html("")
    usual = set(facts.comparison.notes)
    told = table(*found.table()) + listed(note for note in found.notes if note not in usual)
    return Html(element("h3", "Goals and initiative") + told + _worth(facts, drawing, usual | set(found.notes)))


def _worth(facts: Facts, drawing: Drawn, known: set[str]) -> Html:
    found = facts.utility
    if found is None:
        return Html("")
    caption = (
        f"What acting unprompted is worth per 100 events, in hits, by what a false alarm costs. Bands: "
        f"{100 * found.level:g} % at each cost by itself. Marked: where an arm is worth what silence is."
    )
    others = "Other costs of a miss, or over another arm: toolkit.utility(study, missed=..., over=...)."
    return Html(
        element("h3", "Does initiative pay?")
        + table(*found.table())
        + listed(note for note in found.notes if note not in known)
        + paragraphs(others)
        + figure(drawing, _FIGURE, "utility", caption)
    )
