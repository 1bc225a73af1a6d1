"""Every query that a view shows can be copied, and asks again what it asked."""

from __future__ import annotations

from html import escape

from toolkit.analysis.shown import visible
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page


def queried(view: Page, ledger: Ledger) -> None:
    assert view.queries
    for one in view.queries:
        assert escape(visible(one.code)) in view.html
        given = [list(each) if isinstance(each, tuple) else each for each in one.parameters]
        again = eval(one.code, {"ledger": ledger})
        first = ledger.sql(one.sql, *given)
        rows = [sorted(map(str, frame.itertuples(index=False))) for frame in (again, first)]  # not every one is ordered
        assert rows[0] == rows[1]
