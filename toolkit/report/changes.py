"""The section of a report about changes of the truth on the way; nothing where a stream declares none."""

from __future__ import annotations

import math

from toolkit.analysis import recovery, regret
from toolkit.report.facts import Facts, plain, signed
from toolkit.report.page import Html, element, paragraphs, table
from toolkit.stats import CurveBand, Recovery

_WINDOW = 20


def change_section(facts: Facts) -> Html:
    """After each change: how many tasks every arm took to be back at its level, and what it lost to the baseline."""
    if facts.comparison is None or not facts.changes:
        return Html("")
    rows, base = [], str(facts.planned["baseline"])
    for at in facts.changes:
        window = min(_WINDOW, at)
        back = recovery(facts.name, at, window=window, ledger=facts.ledger)
        lost = regret(facts.name, since=at, ledger=facts.ledger) if base in back else {}
        rows += [[str(at), arm, _times(one), _back(one), _lost(lost.get(arm))] for arm, one in back.items()]
    told = (
        f"Recovery: tasks until the mean of the last {_WINDOW} (fewer where the change came earlier) is what it was "
        f"before, the median over runs. Regret: score lost to {base} from the change to the end, summed; below 0, won."
    )
    head = ("after so many tasks", "arm", "recovery", "runs back", "regret since")
    return Html(element("h3", "After the truth changed") + table(head, rows) + paragraphs(told))


def _times(one: Recovery) -> str:
    if math.isnan(one.low):
        return f"n/a: {one.reason}" if one.reason else "n/a"
    high = "∞" if math.isinf(one.high) else f"{one.high:g}"
    middle = "not back" if math.isnan(one.median) else f"{one.median:g}"
    return f"{middle} [{one.low:g}, {high}]"


def _back(one: Recovery) -> str:
    return f"{one.reached} of {one.runs}"


def _lost(band: CurveBand | None) -> str:
    if band is None or not len(band.t):
        return "n/a"
    value, low, high = (float(part[-1]) for part in (band.mean, band.low, band.high))
    return signed(value) if math.isnan(low) else f"{signed(value)} [{plain(low)}, {plain(high)}]"
