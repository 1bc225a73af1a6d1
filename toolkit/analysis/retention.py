"""What arms can do at the very beginning, and what they still can of what they once could."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.recorded import OWN, RUN, found, plan
from toolkit.ledger.planned import only
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, backward_transfer, two_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

UNLEARNED = ("exam", "frozen")
"""Phases in which tasks are met with all updating off.

The ``t`` of an ``exam`` says how many tasks of the stream had been met before it; a ``frozen`` pass follows the whole.
"""


def transfer(
    study: Study | str, *, ledger: Ledger | None = None, stream: str = "", level: float = 0.95
) -> dict[str, Estimate]:
    """Backward transfer of each arm: how much better it does a task at the end than just after it had met it.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    stream
        Only this one of several streams.
    level
        Coverage, in (0, 1).

    Returns
    -------
    dict
        Per arm an `Estimate`; below 0, the arm has forgotten. A task counts in a run that met it in the stream and at
        least twice after that: in exams, in a frozen pass, or again in the stream. Else it is NaN with a reason.

    See Also
    --------
    toolkit.stats.backward_transfer : the formula and its source.
    """
    frame, arms = _met(study, ledger, stream)
    return {arm: backward_transfer(*again(frame[frame.arm == arm]), level=level) for arm in arms}


def again(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Scores of tasks when they were met for the first time after their first time, and for the last: runs × tasks.

    Parameters
    ----------
    frame
        Episodes of one arm with ``stream``, ``order``, ``seed``, ``phase``, ``t``, ``task`` and ``score``.

    Returns
    -------
    soon, late : ndarray of float, shape (R, K)
        NaN where a task was not met in the stream, or not twice after it.
    """
    import pandas as pd

    keys = [*RUN, "task"]
    rows = frame[frame.phase.isin(["stream", *UNLEARNED])].assign(
        end=frame.phase == "frozen", learns=(frame.phase == "stream").astype(int)
    )
    rows = rows.sort_values(["end", "t", "learns"], kind="stable")  # an exam at t comes before the task at t
    before = rows.groupby(keys).learns.cumsum() - rows.learns
    seen = rows[(before > 0) & rows.score.notna()].groupby(keys).score.agg(["first", "last", "size"])
    seen = seen[seen["size"] > 1]
    if seen.empty:
        return np.empty((0, 0)), np.empty((0, 0))
    runs = pd.MultiIndex.from_frame(rows[RUN].drop_duplicates())
    soon, late = (seen[name].unstack("task").reindex(runs).to_numpy(dtype=float) for name in ("first", "last"))
    return soon, late


def day_one(
    study: Study | str, *, first: int = 20, ledger: Ledger | None = None, stream: str = "", level: float = 0.95
) -> dict[str, Estimate]:
    """What each arm scores before it has learned anything from the stream.

    Parameters
    ----------
    first
        Where there was no pass before the stream: so many of the first tasks that each run met stand for it. They
        may have taught the arm something already, and the method of the estimate says that they were taken.
    study, ledger, stream, level
        As in `transfer`.

    Returns
    -------
    dict
        Per arm an `Estimate` with the two-way interval over runs × tasks, of all exams at t = 0 if there are any: a
        pass with all updating off before the first task.
    """
    frame, arms = _met(study, ledger, stream)
    estimates = {}
    for arm in arms:
        own = frame[frame.arm == arm]
        before = own[(own.phase == "exam") & (own.t == 0)]
        used = before if len(before) else own[(own.phase == "stream") & (own.t < first)]
        runs = [f"{one} {order} {seed}" for one, order, seed in used[RUN].itertuples(index=False)]
        estimate = two_way(used.score, runs, used.task, level=level, unit="task")
        how = "a pass before the stream" if len(before) else f"the first {first} tasks of each run, with updating on"
        estimates[arm] = replace(estimate, method=f"{estimate.method}; {how}")
    return estimates


def _met(study: Study | str, ledger: Ledger | None, stream: str) -> tuple[pd.DataFrame, list[str]]:
    """Every episode with a score to look at, and the arms that have any."""
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    ids = [run["id"] for run in planned["runs"]]
    query = f'SELECT arm, stream, "order", seed, phase, t, task, score FROM episodes WHERE {OWN}'
    frame = ledger.sql(query, ids, name)
    return frame, [arm for arm in planned["arms"] if arm in set(frame.arm)]
