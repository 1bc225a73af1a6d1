"""The section of a report about the second pass; nothing where a study has none."""

from __future__ import annotations

from toolkit.analysis import second_pass
from toolkit.report.facts import Facts
from toolkit.report.page import Html, element, listed, table


def second_section(facts: Facts) -> Html:
    """What arms scored once all updating was off, as `toolkit.second_pass` tells it.

    Empty where no second pass was planned, or none of it has been recorded yet.
    """
    query = "SELECT count(*) AS n FROM episodes WHERE list_contains($1, run) AND study = $2 AND phase = 'frozen'"
    if facts.comparison is None or "second_pass" not in facts.planned:
        return Html("")
    if not int(facts.ledger.sql(query, facts.ids, facts.name).n[0]):
        return Html("")
    found = second_pass(facts.name, ledger=facts.ledger)
    head, body = found.table()
    usual = set(facts.comparison.notes)
    cells = [[cell.replace(" [", "\n[") for cell in line] for line in body]  # or the table is wider than a page
    told = listed(note for note in found.notes if note not in usual)
    return Html(element("h3", "The second pass, with all updating off") + table(head, cells) + told)
