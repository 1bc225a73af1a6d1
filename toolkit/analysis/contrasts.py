"""Each arm of a study against its baseline, from what its runs recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.analysis import looked
from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrast import Gap, Labels
from toolkit.analysis.doubts import doubts, notes, of_contrast, verdicts
from toolkit.analysis.recorded import OWN, PAIRING, found, plan, runs_of, unit_of
from toolkit.analysis.tested import Finding, family, judged, tried
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import as_recorded, only, planned_tasks, scores
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import holm, two_way, worst_case

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study


def compare(
    study: Study | str,
    *,
    baseline: str = "",
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Comparison:
    """Each arm of a study against its baseline, on the same tasks in the same orders.

    The interval is the two-way cluster-robust t interval: runs (orders) and sessions are crossed, since every order
    goes over the same sessions. It speaks of new orders and new sessions like these, of this stream and this model. Of
    several streams every episode counts the same; a seed on two streams is two runs, sessions of one name one cluster.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    baseline
        Another arm to compare with.
    metric
        Another than the main one: recorded beside it, or computed later (`toolkit rescore`), which then counts.
    stream
        Only this one of several streams, as it is called in the table ``episodes``.
    level
        Coverage of the intervals, in (0, 1). In a study that may be stopped early (``stop_when``) half of what may go
        wrong is spent on looking: then 0.95 gives intervals of 97.5%, and the notes say so.

    Raises
    ------
    LedgerError
        If there is no such study, or nothing has been recorded yet.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    baseline = baseline or str(planned["baseline"])
    ids = [run["id"] for run in planned["runs"]]
    frame, computed = scores(ledger, name, planned, metric)
    runs = ledger.sql(f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", ids, name)
    if frame.empty:
        raise LedgerError(f"study {name!r} has no episodes yet: run it first")
    level = looked.shared(planned, level)
    tested = () if stream else _tested(ledger, name, planned, level)
    recorded = computed == (as_recorded(metric),)
    shown = "" if recorded and metric == planned["scorers"][0] else metric
    told = [*verdicts(planned, metric or planned["scorers"][0]), *looked.notes(planned, runs, level), *computed]
    if stream and any(family(planned)):
        told.append("Hypotheses are about all streams together: here every contrast is exploratory.")
    return compared(
        name, planned, frame, runs, baseline=baseline, level=level, told=tuple(told), tested=tested, metric=shown
    )


def _tested(ledger: Ledger, name: str, planned: Row, level: float) -> tuple[Finding, ...]:
    """Every hypothesis of a plan, whatever baseline or metric is shown: they are one family."""
    frames: dict[str, pd.DataFrame] = {}
    done = []
    for row, registered, at in family(planned):
        metric = row.get("metric", "")
        if metric not in frames:
            there = not metric or metric in planned["scorers"]
            frames[metric] = scores(ledger, name, planned, metric if there else "")[0]
            frames[metric] = frames[metric] if there else frames[metric].head(0)
        done.append(tried(row, registered, at, paired(frames[metric], row["arm"], row["against"]), level))
    return judged(done, level)


def compared(
    name: str,
    planned: Row,
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    baseline: str,
    level: float,
    told: tuple[str, ...] = (),
    tested: tuple[Finding, ...] = (),
    metric: str = "",
) -> Comparison:
    """The arms of a plan side by side.

    Parameters
    ----------
    name
        What the comparison is called.
    planned
        What was set out to be done: its arms and runs.
    frame
        Episodes, as `toolkit.ledger.planned.scores` gives them.
    runs
        Rows of the view ``runs``.
    baseline, level
        As in `compare`.
    told
        Notes to put below the usual ones.
    tested
        The study's hypotheses, judged.
    metric
        Which metric ``frame`` holds; empty = the main one. Only hypotheses about it belong to a row.

    Raises
    ------
    LedgerError
        If the baseline has no episodes.
    """
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    if baseline not in arms:
        raise LedgerError(f"the baseline {baseline!r} has no episodes; {nearest(baseline, arms)}")
    wanted = {arm: sum(run["arm"] == arm for run in planned["runs"]) for arm in arms}
    tasks = {arm: planned_tasks(planned, arm) for arm in arms}
    gaps = {arm: paired(frame, arm, baseline) for arm in arms if arm != baseline}
    own = {one.arm: one for one in reversed(tested) if one.against == baseline and one.metric == metric}
    rows = tuple(
        _row(frame, runs, arm, baseline, level, wanted[arm], tasks[arm], gaps.get(arm), own.get(arm), bool(tested))
        for arm in arms
    )
    below = (*notes(planned, runs, level, tested, bool(gaps)), *told)
    rows = rows if tested else over_all(rows)
    return Comparison(name, baseline, rows, level, below, tested, gaps)


def paired(frame: pd.DataFrame, arm: str, baseline: str) -> Gap:
    """The differences of two arms on the same tasks in the same orders; NaN where one has no score."""
    own, other = frame[frame.arm == arm], frame[frame.arm == baseline]
    both = own.merge(other, on=PAIRING, how="outer", suffixes=("", "_base"))
    units = both.unit.fillna(both.unit_base)
    gap = (both.score - both.score_base).to_numpy(dtype=float)
    return Gap(gap, labels(runs_of(both)), labels(units), labels(both.stream), unit_of(own))


def _row(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    arm: str,
    baseline: str,
    level: float,
    wanted: int,
    tasks: int,
    gap: Gap | None,
    tested: Finding | None,
    confirmatory: bool,
) -> ArmRow:
    """One arm's row; ``wanted`` runs of ``tasks`` tasks in all were planned."""
    own = frame[frame.arm == arm]
    ran = runs[runs.arm == arm]
    score = two_way(own.score, runs_of(own), own.unit, level=level, unit=unit_of(own))
    difference = None if gap is None else gap.estimate(level)
    pairs = difference.n if difference else 0
    missing = tasks - pairs if gap is not None else 0
    bounds = (math.nan, math.nan)
    if difference:
        bounds = worst_case(difference.value, pairs, missing) if pairs else (-1.0, 1.0)
    found = doubts(own, ran, score, difference, missing, pairs, bounds, wanted)
    if gap is not None and difference is not None:
        found += of_contrast(gap, difference, ran, runs[runs.arm == baseline], _standing(tested), confirmatory)
    first = ran.iloc[0]
    row = ArmRow(
        arm=arm,
        on=tuple(first.traits),
        model=str(first.model),
        score=score,
        difference=difference,
        bounds=bounds,
        episodes=len(own),
        runs=int((ran.status == "finished").sum()),
        failed=int(own.failed.sum()),
        tokens=float(own.tokens.mean()),
        adapting_tokens=float(own.adapting_tokens.mean()),
        calls=float(own.calls.mean()),
        seconds=float(own.seconds.mean()),
        dollars=float(own.dollars.mean(skipna=False)),
        labels=float((own.labels.sum() + ran.labels_before.sum()) / max(1, len(ran))),
        doubts=tuple(found),
    )
    return row if gap is None else beside(row, gap, baseline, level, tested)


def beside(row: ArmRow, gap: Gap, baseline: str, level: float, tested: Finding | None = None) -> ArmRow:
    """A row with what stands beside its headline: the same by other roads, and its standing among the hypotheses."""
    permutation_p, exchangeable = gap.permutation([row.arm, baseline])
    return replace(
        row,
        bootstrap=gap.bootstrap(level, [row.arm, baseline]),
        permutation_p=permutation_p,
        exchangeable=exchangeable,
        size=gap.size(level),
        target=row.difference.target if row.difference else "",
        registered=_standing(tested),
        adjusted_p=tested.adjusted_p if tested else math.nan,
        verdict=str(tested) if tested else "",
    )


def over_all(rows: Sequence[ArmRow]) -> tuple[ArmRow, ...]:
    """Rows of a comparison for which nothing was set down: p values of all its contrasts are one family (Holm)."""
    contrasts = [row for row in rows if row.difference is not None]
    adjusted = holm([row.difference.p_value for row in contrasts if row.difference]) if contrasts else ()
    p_values = {row.arm: float(p) for row, p in zip(contrasts, adjusted, strict=True)}
    return tuple(replace(row, adjusted_p=p_values.get(row.arm, math.nan)) for row in rows)


def _standing(tested: Finding | None) -> str:
    return tested.registered if tested else "exploratory"


def labels(values: Sequence[Any] | pd.Series[Any]) -> Labels:
    """As an array of strings."""
    return np.asarray([str(one) for one in values], dtype=np.str_)
