"""Results made elsewhere: the same numbers as a study's, one run told from several, and every mistake named."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from errands import Errands
from scipy import stats

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.stats import holm


def grid(arms: str = "ab", runs: int = 3, tasks: int = 20, seed: int = 0) -> pd.DataFrame:
    """A frame in which every arm has every task in every run."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([list(arms), range(runs), [f"t{n}" for n in range(tasks)]])
    frame = index.to_frame(index=False, name=["arm", "order", "task"])
    return frame.assign(score=rng.integers(0, 2, size=len(frame)).astype(float))


def numbers(row: Any) -> list[float]:
    return [
        x for e in (row.score, row.difference) if e for x in (e.value, e.low, e.high, e.p_value, e.df, e.n, e.clusters)
    ]


@pytest.mark.parametrize("settings", [{}, {"streams": [Errands(tasks=7)]}], ids=["one stream", "two streams"])
def test_a_studys_episodes_give_the_studys_numbers(study: Callable[..., Study], settings: dict[str, Any]) -> None:
    made = study(tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=3)), seeds=3, **settings)
    made.run()
    theirs, ours = tk.compare(made), tk.compare(made.episodes())
    assert ours.baseline == theirs.baseline == "static"
    for arm in ("static", "memory"):
        assert numbers(ours.row(arm)) == pytest.approx(numbers(theirs.row(arm)), abs=1e-12, nan_ok=True)
        assert ours.row(arm).bounds == pytest.approx(theirs.row(arm).bounds, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("streams", range(1, 7))
def test_runs_of_pooled_streams_are_counted_as_a_studys(study: Callable[..., Study], streams: int) -> None:
    """Each order of each stream is drawn by itself: one seed on several streams is as many runs."""
    drawn = [Errands(tasks=6 + place) for place in range(streams)]
    for seeds in (1, 2, 3):
        memory = tk.Arm("memory", memory=tk.Retrieval(k=3))
        made = study(tk.Arm.static(), memory, stream=drawn[0], streams=drawn[1:], seeds=seeds, name=f"of{seeds}")
        made.run()
        theirs, ours = tk.compare(made).row("memory"), tk.compare(made.episodes()).row("memory")
        assert theirs.difference
        assert ours.difference
        assert ours.difference.runs == theirs.difference.runs == ours.runs == theirs.runs == streams * seeds
        if streams * seeds == 1:  # the one place where a frame says more than a study: of this run alone
            assert math.isnan(theirs.difference.low)
            assert ours.difference.method.startswith("one-way")
            continue
        for part in ("score", "difference", "size"):
            one, other = getattr(ours, part), getattr(theirs, part)
            assert (one.method, one.target) == (other.method, other.target)
            assert [one.value, one.low, one.high, one.p_value, one.df] == pytest.approx(
                [other.value, other.low, other.high, other.p_value, other.df], abs=1e-12, nan_ok=True
            )
        if streams * seeds <= 12:  # every pattern of signs is tried: nothing is drawn
            assert ours.permutation_p == pytest.approx(theirs.permutation_p, abs=1e-12)


def test_streams_without_runs_are_one_run() -> None:
    frame = grid(runs=1).assign(stream=lambda f: f.task.str[-1]).drop(columns="order")
    row = tk.compare(frame, baseline="a").row("b")
    assert row.difference
    assert row.difference.method.startswith("one-way")


def test_several_arms_are_one_family(study: Callable[..., Study]) -> None:
    arms = [tk.Arm("memory", memory=tk.Retrieval(k=3)), tk.Arm("short", memory=tk.Retrieval(k=1))]
    made = study(tk.Arm.static(), *arms, seeds=3)
    made.run()
    theirs, ours = tk.compare(made), tk.compare(made.episodes())
    for found in (theirs, ours):
        rows = [found.row(arm.name) for arm in arms]
        raw = [row.difference.p_value for row in rows if row.difference]
        assert [row.adjusted_p for row in rows] == pytest.approx(holm(raw).tolist(), abs=1e-12)
        assert [row.registered for row in rows] == ["exploratory"] * 2
        assert math.isnan(found.row("static").adjusted_p)
        assert "Holm" in str(found.contrast("memory"))
    assert ours.row("memory").adjusted_p == pytest.approx(theirs.row("memory").adjusted_p, abs=1e-12)


def test_one_run_is_a_paired_t_test_over_tasks_and_says_so() -> None:
    frame = grid(runs=1, tasks=200).drop(columns="order")
    found = tk.compare(frame, baseline="a")
    row = found.row("b")
    wide = frame.pivot(index="task", columns="arm", values="score")
    theirs = stats.ttest_rel(wide.b, wide.a)
    assert row.difference
    assert [row.difference.low, row.difference.high] == pytest.approx(list(theirs.confidence_interval()), abs=1e-12)
    assert row.difference.p_value == pytest.approx(theirs.pvalue, abs=1e-12)
    assert "one run: its order and its chance are not in the interval" in row.doubts
    assert "new tasks" in row.difference.target
    assert any("not of another run" in note for note in found.notes)
    assert not any("two-way" in note for note in found.notes)


def test_several_runs_cross_with_tasks() -> None:
    row = tk.compare(grid(runs=6), baseline="a").row("b")
    assert row.difference
    assert row.difference.method.startswith("two-way")
    assert (row.difference.runs, row.difference.clusters, row.runs) == (6, 20, 6)
    assert row.doubts == ()


def test_an_arm_that_ran_once_is_set_against_every_run() -> None:
    frame = grid(runs=4)
    frame["order"] = frame["order"].astype(object)
    once = frame[(frame.arm == "b") | (frame["order"] == 0)].copy()
    once.loc[once.arm == "a", "order"] = None
    row = tk.compare(once, baseline="a").row("b")
    assert row.difference
    assert (row.difference.n, row.difference.runs) == (80, 4)
    base = once[once.arm == "a"].set_index("task").score
    own = once[once.arm == "b"]
    assert row.difference.value == pytest.approx(float((own.score - own.task.map(base)).mean()), abs=1e-12)
    assert any("'a' ran once and is set against every run" in doubt for doubt in row.doubts)
    swapped = tk.compare(once, baseline="b").row("a").difference
    assert swapped
    assert (swapped.n, swapped.runs) == (80, 4)
    assert [swapped.value, swapped.high] == pytest.approx([-row.difference.value, -row.difference.low], abs=1e-12)


def test_missing_scores_and_missing_rows_are_counted_and_bounded() -> None:
    frame = grid(runs=5)
    frame.loc[frame.index[frame.arm == "b"][:4], "score"] = math.nan
    frame = frame.drop(frame.index[frame.arm == "a"][-6:])
    row = tk.compare(frame, baseline="a").row("b")
    assert row.difference
    assert (row.difference.n, row.failed) == (90, 4)
    low, high = row.bounds
    assert high - low == pytest.approx(2 * 10 / 100, abs=1e-12)
    assert any(doubt.startswith("10 of 100 pairs missing") for doubt in row.doubts)
    assert "4 rows without a score" in row.doubts


def test_other_scales_are_bounded_by_the_range_seen() -> None:
    frame = grid(runs=5)
    frame["score"] = frame.score * 40 - 10
    frame.loc[0, "score"] = math.nan
    found = tk.compare(frame, baseline="a")
    low, high = found.row("b").bounds
    assert high - low == pytest.approx(2 * 40 / 100)
    assert any("-10 to 30" in note for note in found.notes)


def test_the_baseline_is_one_that_is_called_so_or_is_asked_for() -> None:
    frame = grid().replace({"arm": {"a": "static"}})
    found = tk.compare(frame)
    assert found.baseline == found.rows[0].arm == "static"
    assert any("because it is called so" in note for note in found.notes)
    assert not any("because it is called so" in note for note in tk.compare(frame, baseline="static").notes)


def test_columns_that_are_called_like_their_part_are_used_and_told() -> None:
    frame = grid().assign(tokens=10, model="m", dollars=0.5)
    found = tk.compare(frame, baseline="a")
    assert (found.row("b").tokens, found.row("b").dollars, found.row("b").model) == (10, 0.5, "m")
    assert "Used beside arm, task and score: order, model, tokens, dollars." in found.notes
    assert math.isnan(found.row("b").labels)
    assert "n/a" in str(found)


def test_sessions_are_the_clusters() -> None:
    frame = grid(runs=5).assign(thread=lambda f: f.task.str[-1])
    row = tk.compare(frame, baseline="a", session="thread").row("b")
    assert row.difference
    assert row.difference.clusters == 10
    assert "session" in row.difference.target


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".jsonl", "dict", "rows", "arrow"])
def test_whatever_holds_a_table_is_taken(kind: str, tmp_path: Path) -> None:
    frame = grid()
    path = tmp_path / f"mine{kind}"
    given: Any = path
    if kind == ".csv":
        frame.to_csv(path, index=False)
    elif kind == ".parquet":
        frame.to_parquet(path)
    elif kind == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif kind == "arrow":
        given = __import__("pyarrow").Table.from_pandas(frame)
    else:
        given = frame.to_dict("list" if kind == "dict" else "records")
    found = tk.compare(given, baseline="a")
    assert numbers(found.row("b")) == pytest.approx(numbers(tk.compare(frame, baseline="a").row("b")), abs=1e-12)
    if kind.startswith("."):
        assert found.study == "mine"
        assert str(tk.compare(str(path), baseline="a")) == str(found)


def test_scores_may_be_booleans_decimals_or_nullable() -> None:
    frame = grid()
    expected = numbers(tk.compare(frame, baseline="a").row("b"))
    for column in (
        frame.score.astype(bool),
        frame.score.map(Decimal),
        frame.score.astype("Int64"),
        frame.score.astype(object),
    ):
        assert numbers(tk.compare(frame.assign(score=column), baseline="a").row("b")) == expected


def changed(**columns: Any) -> pd.DataFrame:
    return grid().assign(**columns)


SCORE = grid().score
MISTAKES = {
    "no such column": (grid().rename(columns={"score": "scores"}), {}, "no column 'score'; did you mean 'scores'"),
    "named, not there": (grid(), {"session": "thread"}, "there is no column 'thread'"),
    "text": (changed(score=SCORE.astype(object).where(SCORE.index != 3, "good")), {}, "row 3 has 'good'"),
    "digits as text": (changed(score=SCORE.astype(str)), {}, "must hold numbers but row 0"),
    "infinite": (changed(score=SCORE.where(SCORE.index != 5, math.inf)), {}, "row 5 has inf"),
    "dates": (changed(score=pd.Timestamp("2026-01-01")), {}, "must hold numbers"),
    "complex": (changed(score=1j), {}, "must hold numbers"),
    "twice": (grid().drop(columns="order"), {}, "'a', 't0': 3 rows"),
    "one arm": (grid("a"), {}, "needs two arms"),
    "unknown baseline": (grid(), {"baseline": "A"}, "no arm; did you mean 'a'"),
    "no baseline": (grid("abc"), {"baseline": ""}, "baseline=...; the arms are 'a', 'b', 'c'"),
    "no arm": (changed(arm=["a"] * 119 + [None]), {}, "arm is missing in 1 rows, first in row 119"),
    "disjoint": (changed(task=lambda f: f.task.where(f.arm == "a", f.task + "x")), {}, "shares a task"),
    "no rows": (grid().head(0), {}, "no rows"),
    "one column for two parts": (grid(), {"task": "arm"}, "must be different columns"),
    "columns twice": (pd.concat([grid(), grid().score], axis=1), {}, "2 columns are called 'score'"),
    "a run per row": (changed(order=range(120)), {}, "must name the run"),
    "some orders": (changed(order=lambda f: f["order"].where(f.index != 0)), {}, "some rows of arm 'a' have no order"),
    "models": (changed(model=["x", "y"] * 60), {}, "ran on several models ('x', 'y')"),
    "level": (grid(), {"level": 95}, "level must be between 0 and 1"),
    "uneven": ({"arm": ["a"], "task": [1, 2], "score": [1]}, {}, "make no table"),
    "no file": (Path("nowhere.csv"), {}, "no file nowhere.csv"),
    "other file": (Path("nowhere.xlsx"), {}, "must end in .csv"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_way_out(case: str) -> None:
    given, named, told = MISTAKES[case]
    with pytest.raises(SpecError) as caught:
        tk.compare(given, **({"baseline": "a"} | named))
    assert told in str(caught.value)


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        tk.compare(pd.DataFrame({"x": [1]}))
    assert len(caught.value.mistakes) == 3


def test_a_single_arm_without_common_runs_has_no_number_and_a_way_out() -> None:
    frame = grid("abc")
    frame["order"] = frame["order"].where(frame.arm != "c", frame["order"] + 10)
    row = tk.compare(frame, baseline="a").row("c")
    assert row.difference
    assert math.isnan(row.difference.value)
    assert "number them 0, 1" in row.doubts[0]
    assert row.bounds == (-1, 1)
    assert tk.compare(frame, baseline="a").row("b").difference.n == 60


@pytest.mark.parametrize("scores", [[1.0] * 40, [7.0] * 40, [math.nan] * 40], ids=["ones", "sevens", "nothing"])
def test_without_spread_there_is_no_interval(scores: list[float]) -> None:
    frame = grid(runs=1).assign(score=scores)
    row = tk.compare(frame, baseline="a").row("b")
    assert row.difference
    assert math.isnan(row.difference.low)
    assert row.doubts


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a study, its name, a frame"):
        tk.compare(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="metric"):
        tk.compare(grid(), metric="x")  # type: ignore[call-overload]


def test_a_row_is_a_plain_record() -> None:
    row = tk.compare(grid(), baseline="a").row("b")
    assert dataclasses.replace(row) == row
    assert list(tk.compare(grid(), baseline="a").frame.arm) == ["a", "b"]
