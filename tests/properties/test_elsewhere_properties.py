"""Whatever frame or file is given: a comparison, or an error of the toolkit's own that names what is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toolkit as tk
from toolkit.errors import ToolkitError

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["a", "b", 0, 1, 0.5, pd.NA, pd.NaT, np.float64(0.25)]),
    st.decimals(allow_nan=False),  # pandas itself fails at a signalling one
    st.dates(),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=2),
)
NAMES = ["arm", "task", "score", "order", "seed", "session", "stream", "model", "tokens", "dollars", "x"]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Results as they should be, then spoilt: columns of junk, single cells of junk, rows doubled or lost."""
    runs, tasks = draw(st.integers(0, 3)), draw(st.integers(1, 4))
    index = pd.MultiIndex.from_product([["a", "b", "c"][: draw(st.integers(1, 3))], range(max(1, runs)), range(tasks)])
    frame = index.to_frame(index=False, name=["arm", "order", "task"]).astype(object)
    frame["score"] = [draw(st.floats(0, 1) | st.integers(0, 1)) for _ in range(len(frame))]
    frame = frame if runs else frame.drop(columns="order")
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=1)):
        cells = draw(st.sampled_from([JUNK, st.sampled_from(["a", "b"]), st.floats(), st.floats(0, 1), st.just(1)]))
        frame[name] = pd.Series(draw(st.lists(cells, min_size=len(frame), max_size=len(frame))), dtype=object)
    if draw(st.integers(0, 3)) == 3:
        frame = frame.astype({"score": object})
        frame.loc[draw(st.integers(0, len(frame) - 1)), draw(st.sampled_from(list(frame)))] = draw(JUNK)
    places = st.lists(st.integers(0, len(frame) - 1), max_size=len(frame), unique=draw(st.booleans()))
    kept = draw(places) if draw(st.integers(0, 3)) == 3 else None
    frame = frame if kept is None else frame.iloc[kept]
    return frame.infer_objects() if draw(st.booleans()) else frame


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(frames(), st.sampled_from(["a", "a", "a", "b", ""]), st.floats() | st.floats(0.01, 0.99))
def test_any_frame_is_compared_or_refused(frame: pd.DataFrame, baseline: str, level: float) -> None:
    for chosen in (0.95, level):
        try:
            found = tk.compare(frame, baseline=baseline, level=chosen)
        except ToolkitError:
            continue
        else:
            assert len(found.rows) == frame.arm.nunique()
            assert str(found)
            assert len(found.frame) == len(found.rows)


@st.composite
def grids(draw: st.DrawFn) -> pd.DataFrame:
    """Well-formed results: two arms, some runs and tasks, some scores and rows missing."""
    runs, tasks = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    scale = draw(st.sampled_from([1.0, 100.0, 1e-9, 1e50]))
    index = pd.MultiIndex.from_product([["a", "b"], range(runs), range(tasks)])
    frame = index.to_frame(index=False, name=["arm", "order", "task"])
    values = st.sampled_from([0.0, 0.5, 1.0, math.nan])
    frame["score"] = [draw(values) * scale for _ in range(len(frame))]
    kept = draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame)))
    return frame[np.array(kept) | (frame.task == 0)]


@settings(max_examples=25)
@given(grids(), st.randoms(use_true_random=False))
def test_well_formed_results_have_bounds_around_the_difference_and_no_order(frame: pd.DataFrame, chance: Any) -> None:
    row = tk.compare(frame, baseline="a").row("b")
    assert row.difference
    if row.difference.n:
        both = frame.pivot(index=["order", "task"], columns="arm", values="score")
        gap = (both.b - both.a).dropna()
        slack = 1e-9 * max(1.0, float(frame.score.max()))
        assert row.difference.n == len(gap)
        assert row.difference.value == pytest.approx(gap.mean(), rel=1e-9, abs=1e-12)
        assert math.isnan(row.bounds[0]) or row.bounds[0] - slack <= row.difference.value <= row.bounds[1] + slack
    places = list(range(len(frame)))
    chance.shuffle(places)
    again = tk.compare(frame.iloc[places], baseline="a").row("b").difference
    assert again
    expected = [row.difference.value, row.difference.low, row.difference.high, row.difference.p_value]
    assert [again.value, again.low, again.high, again.p_value] == pytest.approx(
        expected, rel=1e-9, abs=1e-12, nan_ok=True
    )
    swapped = tk.compare(frame, baseline="b").row("a").difference
    assert swapped
    assert swapped.value == pytest.approx(-row.difference.value, abs=1e-12, nan_ok=True)


FIELDS = [
    "doc_id",
    "doc_hash",
    "filter",
    "metrics",
    "acc",
    "eval_id",
    "eval",
    "version",
    "id",
    "epoch",
    "score_x",
    "samples",
]
FIELDS += [
    "label_text",
    "output_pred",
    "is_correct",
    "instance_id",
    "reward",
    "run_traces",
    "baseline_trace",
    "rubrics",
]
FIELDS += [
    "idx",
    "score",
    "metadata",
    "task_id",
    "time_step",
    "seed",
    "run_index",
    "model",
    "num_input_tokens",
    "result",
]
FIELDS += ["instance_outcomes", "scores", "value", "model_usage", "total_tokens", "trace", "summary", "task", "name"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.sampled_from(["a", "acc", "C", "", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(OBJECTS, min_size=1, max_size=4), st.sampled_from(["", "inspect", "lm-eval", "streambench", "cl-bench"])
)
def test_any_lines_are_read_or_refused(tmp_path: Path, rows: list[dict[str, Any]], kind: str) -> None:
    lined, whole = tmp_path / "some.jsonl", tmp_path / "some.json"
    lined.write_text("\n".join(map(json.dumps, rows)))
    whole.write_text(json.dumps(rows))
    for path in (lined, whole):
        for metric in ("", "score", "acc,a"):
            try:
                frame = tk.read_results(path, kind, metric=metric)
            except ToolkitError:
                continue
            else:
                assert frame.score.dtype == float or not len(frame)
