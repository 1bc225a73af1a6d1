"""Several studies in one table: what each said stays as it was, and new streams are spoken of only with enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from errands import Errands
from scipy import stats

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted

ARMS = (tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=3)))


def made_elsewhere(seed: int, model: str = "m", arms: tuple[str, str] = ("static", "memory")) -> tk.Comparison:
    rng = np.random.default_rng(seed)
    rows = [
        (arm, f"t{n}", float(rng.random() < 0.5 + 0.2 * (arm == arms[1])), model) for arm in arms for n in range(30)
    ]
    return tk.compare(pd.DataFrame(rows, columns=["arm", "task", "score", "model"]), baseline=arms[0])


def test_streams_of_studies_stand_side_by_side(study: Callable[..., Study]) -> None:
    one = study(*ARMS, name="one", streams=[Errands(tasks=7)])
    two = study(*ARMS, name="two", lm=Scripted(p=0.5), seeds=1)
    for made in (one, two):
        made.run()
    found = tk.compare([one, two])
    assert [(c.study, c.row.arm) for c in found.cells] == [
        *[("one", "static"), ("one", "memory")] * 2,
        ("two", "static"),
        ("two", "memory"),
    ]
    streams = list(dict.fromkeys(cell.stream for cell in found.cells))
    assert len(streams) == 2
    cell = found.cells[3]
    assert cell.row == tk.compare(one, stream=cell.stream).row("memory")
    assert str(found) == str(tk.compare(["one", "two"], ledger=one.ledger))
    assert list(found.frame.study) == [cell.study for cell in found.cells]
    assert "says nothing of new streams" in str(found)
    assert "SCRIPTED MODEL" in found.notes[-1]
    assert "<table>" in found._repr_html_()


def test_studies_of_one_name_in_two_ledgers_are_told_apart(study: Callable[..., Study], tmp_path: Path) -> None:
    one = study(*ARMS)
    two = Study("test", Errands(tasks=7), arms=ARMS, lm=Scripted(), seeds=2, ledger=tk.Ledger(tmp_path / "other"))
    for made in (one, two):
        made.run()
    assert list(dict.fromkeys(cell.study for cell in tk.compare([one, two]).cells)) == ["test [1]", "test [2]"]


def test_five_streams_speak_of_new_ones_and_four_do_not() -> None:
    parts = [made_elsewhere(seed) for seed in range(5)]
    gaps = [part.row("memory").difference.value for part in parts]
    [line] = tk.compare(parts).pooled
    theirs = stats.ttest_1samp(gaps, 0)
    low, high = theirs.confidence_interval()
    assert [line.difference.low, line.difference.high] == pytest.approx([low, high], abs=1e-12)
    assert line.difference.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert line.difference.target == "new streams drawn like these"
    assert "all 5 streams" in str(tk.compare(parts))
    [few] = tk.compare(parts[:4]).pooled
    assert few.difference.value == pytest.approx(np.mean(gaps[:4]))
    assert math.isnan(few.difference.low)
    assert "fewer than 5" in few.difference.reason


def test_arms_of_other_models_or_baselines_are_not_pooled() -> None:
    parts = [made_elsewhere(n, model) for n, model in enumerate("xxxyy")]
    assert [(line.model, line.difference.n) for line in tk.compare(parts).pooled] == [("x", 3), ("y", 2)]
    other = [made_elsewhere(0), made_elsewhere(1, arms=("plain", "memory"))]
    assert tk.compare(other).pooled == ()


def test_an_arm_on_another_model_than_its_baseline_is_doubted() -> None:
    rows = [(arm, n, n % 2, model) for arm, model in (("static", "small"), ("big", "large")) for n in range(9)]
    part = tk.compare(pd.DataFrame(rows, columns=["arm", "task", "score", "model"]))
    doubts = tk.compare([part]).cells[1].row.doubts
    assert "the baseline ran on small: arm and model differ at once" in doubts


def test_nothing_and_unlike_levels_are_refused() -> None:
    with pytest.raises(SpecError, match="at least one study"):
        tk.compare([])
    part = made_elsewhere(1)
    with pytest.raises(SpecError, match=r"intervals of 0.95, not 0.9; give level=0.95"):
        tk.compare([part], level=0.9)
