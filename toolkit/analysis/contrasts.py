"""Each arm of a study against its baseline, from what its runs recorded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from toolkit.analysis import looked
from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.doubts import doubts, notes
from toolkit.analysis.recorded import OWN, RUN, found, plan
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only, planned_tasks, scores
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import two_way, worst_case

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_PAIRING = [*RUN, "phase", "task"]


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
    study
        A `Study`, or the name of one in ``ledger``.
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
    told = (*looked.notes(planned, runs, level), *computed)
    return compared(name, planned, frame, runs, baseline=baseline, level=level, told=told)


def compared(
    name: str,
    planned: Row,
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    baseline: str,
    level: float,
    told: tuple[str, ...] = (),
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
    rows = tuple(_row(frame, runs, arm, baseline, level, wanted[arm], tasks[arm]) for arm in arms)
    return Comparison(name, baseline, rows, level, (*notes(planned, runs, level), *told))


def _row(
    frame: pd.DataFrame, runs: pd.DataFrame, arm: str, baseline: str, level: float, wanted: int, tasks: int
) -> ArmRow:
    """One arm's row; ``wanted`` runs of ``tasks`` tasks in all were planned."""
    own = frame[frame.arm == arm]
    ran = runs[runs.arm == arm]
    unit = "session" if bool((own.unit != own.task).any()) else "task"
    score = two_way(own.score, _runs(own), own.unit, level=level, unit=unit)
    difference, bounds, missing, pairs = None, (math.nan, math.nan), 0, 0
    if arm != baseline:
        other = frame[frame.arm == baseline]
        both = own.merge(other, on=_PAIRING, how="outer", suffixes=("", "_base"))
        gap = both.score - both.score_base
        pairs = int(gap.notna().sum())
        missing = tasks - pairs
        units = both.unit.fillna(both.unit_base)
        difference = two_way(gap, _runs(both), units, level=level, unit=unit)
        bounds = worst_case(difference.value, pairs, missing) if pairs else (-1.0, 1.0)
    first = ran.iloc[0]
    return ArmRow(
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
        doubts=tuple(doubts(own, ran, score, difference, missing, pairs, bounds, wanted)),
    )


def _runs(frame: pd.DataFrame) -> list[str]:
    """Which run each row belongs to, the same for all arms."""
    return [f"{stream} {order} {seed}" for stream, order, seed in frame[RUN].itertuples(index=False)]
