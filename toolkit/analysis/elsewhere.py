"""Arms against a baseline from results made elsewhere: a frame with an arm, a task and a score in each row."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrast import Gap, OneRun, decisive
from toolkit.analysis.contrasts import beside, labels, over_all
from toolkit.analysis.doubts import FEW_RUNS
from toolkit.analysis.recorded import unit_of
from toolkit.analysis.tidy import OPTIONAL, tidy
from toolkit.errors import SpecError, nearest
from toolkit.stats import Estimate, one_way, two_way, worst_case

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("static", "baseline")  # arms that are the baseline unless another is named


def compare(
    source: object,
    *,
    arm: str = "arm",
    task: str = "task",
    order: str = "",
    score: str = "score",
    baseline: str = "",
    session: str = "",
    stream: str = "",
    model: str = "",
    tokens: str = "",
    dollars: str = "",
    seed: str = "",
    level: float = 0.95,
) -> Comparison:
    """Each arm of a frame against its baseline, paired by task and run.

    With two runs or more per arm the interval is that of a study (`toolkit.stats.two_way`, runs crossed with tasks; one
    order or seed on two streams is two runs).
    With one run it rests on the tasks alone (`toolkit.stats.one_way`): it speaks of new tasks for this one run, and
    the row says so. Rows without a score count as missing, never as 0.

    Parameters
    ----------
    source
        A pandas or Polars frame, whatever else has ``to_pandas``, a dictionary of columns, or the path of a .csv,
        .parquet or .jsonl file: one row per arm, run and task.
    arm, task, score
        Columns. Scores are numbers or booleans of any scale, higher = better; empty = missing.
    order, seed
        Columns that tell the runs of an arm apart, the same label for runs that belong together. An arm without any
        label in them ran once, and is set against every run of the others.
    session
        Column of what tasks come in, where they are not independent of each other; it becomes the cluster.
    stream, model
        Columns of what the tasks were drawn from, and of what answered.
    tokens, dollars
        Columns of what a task cost. Of the columns from ``order`` on, one that is called like its part is used without
        being named, and the notes say so.
    baseline
        The arm that others are compared with; empty = one called ``static`` or ``baseline``.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Comparison
        `ArmRow.failed` counts rows without a score; labels, calls and seconds are NaN. Where scores leave [0, 1], the
        worst-case bounds take the range of all scores seen.

    Raises
    ------
    SpecError
        Listing what is wrong with the frame: columns, scores, duplicate rows, a single arm, no such baseline, arms
        that share no task.

    Examples
    --------
    >>> rows = {"arm": ["a", "a", "a", "b", "b", "b"], "task": [1, 2, 3, 1, 2, 3], "score": [0, 1, 0, 1, 1, 1]}
    >>> found = compare(rows, baseline="a").row("b")
    >>> print(f"{found.difference.value:.2f} on {found.difference.n} pairs, {found.difference.method}")
    0.67 on 3 pairs, one-way cluster-robust t
    """
    columns = {"arm": arm, "task": task, "score": score, "order": order, "seed": seed, "session": session}
    columns |= {"stream": stream, "model": model, "tokens": tokens, "dollars": dollars}
    frame = tidy(source, columns)
    arms = list(frame.arm.unique())
    chosen = _baseline(baseline, arms)
    if not 0 < level < 1:
        raise SpecError([f"level must be between 0 and 1 but is {level}; write 0.95 for 95 %"])
    _check_overlap(frame, arms, chosen)
    span = _span(frame)
    groups = {name: own for name, own in frame.groupby("arm", sort=False)}
    ordered = [chosen, *(name for name in arms if name != chosen)]
    pairs = {name: _pairs(groups[name], groups[chosen]) for name in ordered[1:]}
    rows = over_all([_row(groups[name], chosen, pairs.get(name), span, level) for name in ordered])
    called = Path(source).stem if isinstance(source, str | os.PathLike) else "results"
    told = "" if baseline else f"Baseline: {chosen!r}, because it is called so; another: baseline=..."
    notes = (*_notes(frame, rows, span, level), *filter(None, [told]))
    return Comparison(called, chosen, rows, level, notes, (), {name: gap for name, (gap, _) in pairs.items()})


def _baseline(wanted: str, arms: list[str]) -> str:
    """The arm to compare with; never chosen by guessing."""
    if wanted in arms:
        return wanted
    if wanted:
        raise SpecError([f"the baseline {wanted!r} is no arm; {nearest(wanted, arms)}"])
    for name in USUAL:
        if name in arms:
            return name
    shown = ", ".join(map(repr, arms[:10])) + (", ..." if len(arms) > 10 else "")
    raise SpecError([f"say which arm the others are compared with: baseline=...; the arms are {shown}"])


def _check_overlap(frame: pd.DataFrame, arms: list[str], baseline: str) -> None:
    """Refuse frames in which nothing can be paired: ids were written in different ways."""
    own = {name: set(zip(part.stream, part.task, strict=True)) for name, part in frame.groupby("arm")}
    others = [name for name in arms if name != baseline]
    if not any(own[name] & own[baseline] for name in others):
        first, base = min(own[others[0]])[1], min(own[baseline])[1]
        raise SpecError(
            [
                f"no arm shares a task with the baseline {baseline!r}, e.g. {others[0]!r} has {first!r} and "
                f"{baseline!r} has {base!r}; the same task needs the same id in all arms"
            ]
        )


def _span(frame: pd.DataFrame) -> tuple[float, float]:
    """The range of a score: [0, 1], or what was seen where scores leave that."""
    low, high = float(frame.score.min()), float(frame.score.max())
    return (0.0, 1.0) if math.isnan(low) or (low >= 0 and high <= 1) else (low, high)


def _row(
    own: pd.DataFrame, baseline: str, paired: tuple[Gap, str] | None, span: tuple[float, float], level: float
) -> ArmRow:
    name = str(own.arm.iloc[0])
    score = _estimate(own, level)
    difference, bounds, missing = None, (math.nan, math.nan), 0
    if paired is None:
        found = _doubts(own, score, None, 0, bounds, "")
    else:
        gap, alone = paired
        difference = gap.estimate(level)
        missing = len(gap.values) - difference.n
        bounds = _bounds(difference, missing, span[1] - span[0])
        found = [*_doubts(own, score, difference, missing, bounds, alone), *decisive(gap, difference)]
    row = ArmRow(
        arm=name,
        on=(),
        model=str(own.model.iloc[0]),
        score=score,
        difference=difference,
        bounds=bounds,
        episodes=len(own),
        runs=_passes(own.stream, own.run),
        failed=int(own.score.isna().sum()),
        tokens=float(own.tokens.mean(skipna=False)),
        adapting_tokens=math.nan,
        calls=math.nan,
        seconds=math.nan,
        dollars=float(own.dollars.mean(skipna=False)),
        labels=math.nan,
        doubts=tuple(found),
    )
    return row if paired is None else beside(row, paired[0], baseline, level)


def _pairs(own: pd.DataFrame, base: pd.DataFrame) -> tuple[Gap, str]:
    """An arm's rows beside the baseline's, all of both; and the arm that ran once while the other has several runs."""
    lone = [part for part in (own, base) if bool((part.run == "").all())]
    keys = ["stream", "task"] if len(lone) == 1 else ["stream", "run", "task"]
    kept = ["stream", "run", "task", "unit", "score"]
    both = own[kept].merge(base[kept], on=keys, how="outer", suffixes=("", "_base"))
    units = both.unit.fillna(both.unit_base)
    runs = both.run_base if len(lone) == 1 and lone[0] is own else both.run
    gap = (both.score - both.score_base).to_numpy(dtype=float)
    there = runs[~np.isnan(gap)]
    kind = OneRun if _passes(both.stream[there.index], there) < 2 else Gap
    found = kind(gap, labels(both.stream + " " + runs.fillna("")), labels(units), labels(both.stream), unit_of(own))
    return found, str(lone[0].arm.iloc[0]) if len(lone) == 1 else ""


def _passes(streams: pd.Series[Any], runs: pd.Series[Any]) -> int:
    """How many runs there are that are independent of each other: a seed on two streams is two, as in a study.

    Rows without any label were not said to be of several runs, whatever they were drawn from: those are one.
    """
    return (streams + " " + runs).nunique() if bool((runs != "").any()) else min(1, len(runs))


def _estimate(own: pd.DataFrame, level: float) -> Estimate:
    """An arm's mean score with the interval that its runs allow."""
    rows = own[own.score.notna()]
    units = _codes(rows.unit)
    if _passes(rows.stream, rows.run) < 2:
        return one_way(rows.score, units, level=level, unit=unit_of(own))
    return two_way(rows.score, _codes(rows.stream + " " + rows.run), units, level=level, unit=unit_of(own))


def _codes(labels: pd.Series[Any]) -> Any:
    """Labels as integers, which are compared in a fraction of the time."""
    import pandas as pd

    return pd.factorize(labels)[0]


def _bounds(difference: Estimate, missing: int, width: float) -> tuple[float, float]:
    if not width:  # all scores are one number, and nothing says what others there are
        return (difference.value, difference.value) if not missing else (math.nan, math.nan)
    return worst_case(difference.value, difference.n, missing, -width, width)


def _doubts(
    own: pd.DataFrame,
    score: Estimate,
    difference: Estimate | None,
    missing: int,
    bounds: tuple[float, float],
    alone: str,
) -> list[str]:
    shown = difference or score
    found = [shown.reason] if shown.reason else []
    if difference and not difference.n:
        found = ["shares no run and task with the baseline: ids, or labels of runs (number them 0, 1, ...), differ"]
    elif shown.runs == 1:
        found.append("one run: its order and its chance are not in the interval")
    elif shown.runs < FEW_RUNS and "run" not in shown.reason:
        found.append(f"only {shown.runs} runs")
    if alone and shown.runs > 1:
        found.append(f"{alone!r} ran once and is set against every run: its own chance is not in the interval")
    if missing:
        low, high = bounds
        so = "" if math.isnan(low) else f": the difference may be {low:+.2f} to {high:+.2f}"
        found.append(f"{missing} of {shown.n + missing} pairs missing{so}")
    gone = int(own.score.isna().sum())
    if gone:
        found.append(f"{gone} rows without a score")
    return found


def _notes(frame: pd.DataFrame, rows: tuple[ArmRow, ...], span: tuple[float, float], level: float) -> tuple[str, ...]:
    methods = {(row.difference or row.score).method for row in rows[1:]}
    used = [name for name in OPTIONAL if bool((frame[name] != "").any() and frame[name].notna().any())]
    streams = sorted(set(frame.stream) - {""})
    found = []
    if any(method.startswith("two-way") for method in methods):
        found.append(
            f"Intervals: two-way cluster-robust t, {level:.0%}, runs crossed with tasks (or sessions); they speak of "
            "new runs on new tasks like these."
        )
    if any(method.startswith("one-way") for method in methods):
        found.append(
            f"Intervals of arms with one run: paired t, {level:.0%}, over tasks (or sessions); they speak of new tasks "
            "like these for this very run, not of another run."
        )
    found.append("Made elsewhere: that all arms had the same tasks under the same conditions is taken on trust.")
    if used:
        found.append(f"Used beside arm, task and score: {', '.join(used)}.")
    if len(streams) > 1:
        found.append(f"Rows of {', '.join(streams[:10])} are pooled; each counts the same.")
    if span != (0.0, 1.0):
        found.append(f"Scores leave [0, 1]: bounds for missing pairs take the range seen, {span[0]:g} to {span[1]:g}.")
    return tuple(found)
