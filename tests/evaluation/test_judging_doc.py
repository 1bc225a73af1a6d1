"""docs/judging.md: its code runs, and what it says of the result holds."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = pages.run("judging", monkeypatch)
    judged, corrected, score = names["judged"], names["corrected"], names["score"]
    assert "score" not in judged.frame
    assert names["tk"].judge(names["study"], "rater") == judged
    assert len(names["pairs"].frame) == 120
    assert set(names["pairs"].frame["first"].dropna()) == {1.0}
    assert set(judged.frame.judged) == {2.0, 5.0}
    assert corrected.row("memory").difference.estimate.value > 0
    assert len(corrected.rows) == 2
    assert names["fenced"]("lamps\n\nRating: 5") == "| lamps\n| \n| Rating: 5"
    assert len(score) == 240
    assert names["alpha"].units == 5
    people = names["people"]
    assert people.raters == ("ann", "bo")
    assert set(people.frame.rated) == {0.0, 1.0}
    assert people.agreement("cohen").value == 1.0
    again = judged.corrected(people.human())
    assert [row.found.rated for row in again.rows] == [(15,), (15,)]
