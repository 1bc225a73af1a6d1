"""The how-to on results made elsewhere runs as it stands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from errands import ROOT

import toolkit as tk
from toolkit.analysis.elsewhere import compare
from toolkit.analysis.readers import FORMATS
from toolkit.analysis.tidy import OPTIONAL, REQUIRED

TEXT = (ROOT / "docs" / "elsewhere.md").read_text(encoding="utf-8")
FIRST, *_ = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_first_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [(arm, n, rng.integers(0, 2)) for arm in ("zero-shot", "agent") for n in range(50)]
    pd.DataFrame(rows, columns=["arm", "task", "score"]).to_csv("results.csv", index=False)
    names: dict[str, Any] = {}
    exec(FIRST, names)
    shown = capsys.readouterr().out
    assert "difference to zero-shot" in shown
    assert "one run: its order and its chance are not in the interval" in shown
    renamed = names["frame"].rename(columns={"arm": "system", "task": "question_id", "score": "f1"}).assign(seed=1)
    [call] = re.findall(r"`tk\.(compare\(frame, arm=.*?\))`", TEXT)
    made = eval(call.replace("order=", "baseline='agent', order="), {"compare": tk.compare, "frame": renamed})
    assert made.baseline == "agent"


def test_every_column_and_format_is_documented() -> None:
    for name in (*REQUIRED, *OPTIONAL, *FORMATS):
        assert f"`{name}`" in TEXT
    assert {*REQUIRED, *OPTIONAL} < set(inspect.signature(compare).parameters)
