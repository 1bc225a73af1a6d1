"""The sections of a report about passes with all updating off; nothing where a study has none."""

from __future__ import annotations

from toolkit.analysis import day_one, second_pass, transfer
from toolkit.report.facts import Facts, with_interval
from toolkit.report.page import Html, element, listed, paragraphs, table
from toolkit.stats import Estimate


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


def exam_section(facts: Facts) -> Html:
    """What arms scored in exams: on day one, and how much of what they met they still knew at the end."""
    asked = facts.planned["runs"][0].get("exams") if facts.planned["runs"] else 0
    if facts.comparison is None or not asked:
        return Html("")
    early, kept = day_one(facts.name, ledger=facts.ledger), transfer(facts.name, ledger=facts.ledger)
    rows = [[arm, _told(early[arm]), _told(kept[arm])] for arm in facts.planned["arms"] if arm in early]
    told = (
        "Asked of a copy of each agent, with all updating off. Day one: before the first task of the stream. Kept: the "
        "score of tasks at the last exam less that at the first one after they were met; below 0, the arm forgot."
    )
    return Html(
        element("h3", "Day one, and what was kept") + table(("arm", "day one", "kept"), rows) + paragraphs(told)
    )


def _told(one: Estimate) -> str:
    return f"n/a: {one.reason}" if one.value != one.value else with_interval(one)
