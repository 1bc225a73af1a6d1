"""docs/roles-measured.md: its code runs, and what it says of the result holds."""

from __future__ import annotations

import math
from pathlib import Path

import pages
import pytest


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = pages.run("roles-measured", monkeypatch)
    words, caught, matrix, broken = (names[name] for name in ("words", "caught", "matrix", "broken"))
    assert words.estimate.low <= 0.4 <= words.estimate.high
    assert words.estimate.n == 3 * 15
    assert caught.target.low <= 0.7 <= caught.target.high
    assert caught.found.runs == 3
    assert matrix.row("clerk").gain.excludes_zero
    assert not matrix.row("clerk").elsewhere.excludes_zero
    assert broken.row("clerk", names["rule"].text).applied > 0
    assert not math.isnan(broken.row("static").estimate.value)
