"""The section of a report about roles: what each part is worth, over their wordings, and how often rules are broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.agents.controls import RoleArms
from toolkit.analysis.contrasts import paired
from toolkit.ledger.planned import scores
from toolkit.report.facts import Facts, plain, signed
from toolkit.report.page import Html, element, listed, paragraphs, table
from toolkit.stats import Estimate

_TOLD = (
    "The whole role less what stands in the row, on the same tasks of the same runs. A part is worth what the role "
    "loses without it; what a persona of equal length does as well was not the role's doing."
)


def role_section(facts: Facts) -> Html:
    """Each role beside its controls, the worth of its wording, and its rules; empty where there is none of these."""
    if facts.comparison is None:
        return Html("")
    parts = [part for role in facts.roles for part in _beside(facts, role)]
    parts += list(_wordings(facts))
    parts += list(_violations(facts))
    return Html(element("h3", "Roles") + "".join(parts)) if parts else Html("")


def _beside(facts: Facts, role: RoleArms) -> Iterator[Html]:
    """One role and its controls, as far as they were run."""
    frame, _ = scores(facts.ledger, facts.name, dict(facts.planned))
    there = set(frame.arm)
    if role.own not in there:
        return
    rows = [[role.own, "the role", plain(float(frame.score[frame.arm == role.own].mean())), "", ""]]
    for arm, what in _controls(role):
        if arm in there:
            gap = paired(frame, role.own, arm).estimate(0.95)
            rows.append([arm, what, plain(float(frame.score[frame.arm == arm].mean())), _interval(gap), str(gap.n)])
    if len(rows) > 1:
        yield table(("arm", "what it is", "score", f"{role.own} less this", "pairs"), rows)
        yield paragraphs(_TOLD)


def _controls(role: RoleArms) -> Iterator[tuple[str, str]]:
    if role.none:
        yield role.none, "no role"
    for part, arm in role.without.items():
        yield arm, "the same handbook without a persona" if part == "identity" else f"the role without {part}"
    if role.wrong:
        yield role.wrong, "a role made for something else"


def _wordings(facts: Facts) -> Iterator[Html]:
    for found in facts.wordings:
        yield element("h4", f"{found.rows[0].arm}: in other words")
        yield table(*found.table())
        yield listed(_new(facts, found.notes))


def _violations(facts: Facts) -> Iterator[Html]:
    found = facts.violations
    if found is None:
        return
    yield element("h4", "Rules that were broken")
    if isinstance(found, str):
        yield paragraphs(f"Rules were not checked: {found}")
        return
    head, body = found.table()
    yield table(head, [[cell.replace(" [", "\n[") for cell in line] for line in body])
    yield listed(_new(facts, found.notes))


def _new(facts: Facts, notes: Sequence[str]) -> list[str]:
    """Notes that the comparison has not told already."""
    usual = set(facts.comparison.notes) if facts.comparison else set()
    return [note for note in notes if note not in usual]


def _interval(gap: Estimate) -> str:
    if gap.low != gap.low:
        return f"{signed(gap.value)} (interval n/a: {gap.reason})"
    return f"{signed(gap.value)} [{signed(gap.low)}, {signed(gap.high)}]"
