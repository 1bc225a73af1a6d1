"""The section of a report that says whether memory was used, and whether it helped; nothing where nobody was asked."""

from __future__ import annotations

from toolkit.analysis.attribution import attribution, striking
from toolkit.ledger.log import LedgerError
from toolkit.report.facts import Facts
from toolkit.report.page import Html, element, folded, listed, paragraphs, table


def use_section(facts: Facts) -> Html:
    """What arms would have answered without their memories, as `toolkit.attribution` tells it, and any alarm."""
    if facts.comparison is None or not facts.planned.get("counterfactuals"):
        return Html("")
    try:
        found = attribution(facts.name, ledger=facts.ledger)
    except LedgerError:  # nothing was recalled yet
        return Html("")
    head, body = found.table()
    cells = [[cell.replace(" [", "\n[") for cell in line] for line in body]
    alarms = [element("div", paragraphs(f"Negative transfer. {one}."), class_="warn") for one in found.alarms]
    single = [[arm, text or memory, str(often), f"{gain:+.2f}"] for arm, memory, text, often, gain in striking(found)]
    shown = table(("arm", "memory", "left out", "mean gain"), single)
    return Html(
        element("h3", "Was it memory?")
        + "".join(alarms)
        + table(head, cells)
        + listed(found.notes)
        + (folded("The most helpful and the most harmful memories", shown) if single else "")
    )
