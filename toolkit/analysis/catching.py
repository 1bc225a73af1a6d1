"""How many tasks a generalist that learns needs to be where a role was on day one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from toolkit.analysis.doubts import notes
from toolkit.analysis.recorded import OWN, RUN, found, plan
from toolkit.analysis.retention import day_one
from toolkit.analysis.shown import Shown
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.matrix import matrices
from toolkit.ledger.planned import lengths, only
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, Reaching, exam_time, reaching_time, two_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_EXAMS = (
    "Copies of both arms sat the same tasks with all updating off: the role before the first task, the generalist "
    "before it and again and again."
)
_CURVE = "No exams of both arms that go on after day one: the generalist's own tasks, in windows, stand for them."


@dataclass(frozen=True, repr=False)
class CatchUp(Shown):
    """Tasks that a generalist needs to reach a role's day-one score. Prints as a table.

    Parameters
    ----------
    study, generalist, role
        Their names.
    target
        The role's day-one score, with its interval.
    found
        Tasks until the generalist was there, the target taken as known.
    if_low, if_high
        The same had the role scored what the lower or the upper bound of its interval says; None without an interval.
    """

    left: ClassVar[int] = 1

    study: str
    generalist: str
    role: str
    target: Estimate
    found: Reaching | None
    if_low: Reaching | None
    if_high: Reaching | None
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """A row for the role's day-one score and for either bound of it: tasks, interval, runs, and those there."""
        import pandas as pd

        return pd.DataFrame([_flat(*one) for one in self._lines()])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = [f"{self.role} on day one", "score", "tasks (median)", "interval", "runs there", "doubts"]
        return head, [_cells(*one) for one in self._lines()]

    def _lines(self) -> list[tuple[str, float, Reaching | None, str]]:
        lines = [("score", self.target.value, self.found, self.target.reason)]
        bounds = (("lower bound", self.target.low, self.if_low), ("upper bound", self.target.high, self.if_high))
        return lines + [(name, value, one, "") for name, value, one in bounds if one is not None]


def catch_up(
    study: Study | str,
    *,
    generalist: str,
    role: str,
    window: int = 20,
    hold: int = 2,
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> CatchUp:
    """How many tasks an arm that learns needs to reach what another, with a role, scored on day one.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    generalist
        The arm that learns.
    role
        The arm whose day-one score is the target: of its exams before the first task, see `toolkit.Exams`, on those
        tasks that are asked again later; without exams, of its first ``window`` tasks.
    window
        Without exams: tasks of the generalist's trailing mean.
    hold
        With exams: how many in a row must be at the target or above. The first of them is the moment, and the last
        ``hold - 1`` exams can only confirm.
    stream
        Which of several streams.
    level
        Coverage, at least, in (0, 1).

    Returns
    -------
    CatchUp
        The median over runs by order statistics, in which a run that never got there counts as later than all. What
        the target itself is not known by shows in the lines for its bounds.

    Raises
    ------
    LedgerError
        If there is no such study, stream or arm, or of several streams none is named.
    ValueError
        As `toolkit.stats.reaching_time` and `toolkit.stats.exam_time`.

    See Also
    --------
    toolkit.stats.exam_time, toolkit.stats.reaching_time : the rule and its source.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    _check(planned, (generalist, role), stream)
    ids = [run["id"] for run in planned["runs"]]
    query = f'SELECT arm, stream, "order", seed, t, task, score FROM episodes WHERE {OWN}'
    frame = ledger.sql(f"{query} AND phase = 'exam'", ids, name)
    target, exams = _target(frame[frame.arm == role], frame[frame.arm == generalist], level)
    if exams is None:
        told = day_one(name, first=window, ledger=ledger, stream=stream, level=level)
        own = matrices(ledger, name, planned)
        if gone := [arm for arm, there in ((role, told), (generalist, own)) if arm not in there]:
            raise LedgerError(f"arm {gone[0]!r} of study {name!r} has no episodes yet: run it first")
        target, curve = told[role], own[generalist]
    values = [target.value, target.low, target.high]
    times = [
        None
        if math.isnan(value)
        else exam_time(*exams, value, hold=hold, level=level)
        if exams is not None
        else reaching_time(curve, value, window=window, level=level)
        for value in values
    ]
    runs = ledger.sql(f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", ids, name)
    about = (_EXAMS if exams is not None else _CURVE, *_about(times[0], level), *notes(planned, runs, level))
    return CatchUp(name, generalist, role, target, times[0], times[1], times[2], about)


def _check(planned: Row, arms: Sequence[str], stream: str) -> None:
    known = list(planned["arms"])
    if strange := [arm for arm in arms if arm not in known]:
        raise LedgerError(f"study {planned['study']!r} has no arm {strange[0]!r}; {nearest(strange[0], known)}")
    streams = list(lengths(planned))
    if not stream and len(streams) > 1:
        raise LedgerError(f"study {planned['study']!r} has several streams: name one as stream=, of {streams}")


def _target(
    role: pd.DataFrame, own: pd.DataFrame, level: float
) -> tuple[Estimate, tuple[np.ndarray, np.ndarray] | None]:
    """The role's day-one score on what the generalist was asked again, and the generalist's exams on that."""
    again = set(own.task[own.t > 0])
    first = role[(role.t == 0) & role.task.isin(again)]
    runs = [f"{one} {order} {seed}" for one, order, seed in first[RUN].itertuples(index=False)]
    target = two_way(first.score, runs, first.task, level=level, unit="task")
    if not again or first.empty:
        return target, None
    asked = own[own.task.isin(set(first.task))]
    table = asked.groupby([*RUN, "t"]).score.mean().unstack("t")
    return replace(target, method=f"{target.method}; exams before the stream"), (
        table.to_numpy(dtype=float),
        table.columns.to_numpy(dtype=float),
    )


def _about(one: Reaching | None, level: float) -> list[str]:
    if one is None:
        return ["The role has no day-one score: there is nothing to reach."]
    return [
        f"Tasks: median over runs, with an interval of at least {100 * level:g} % from order statistics (Conover "
        f"1999), in which runs that never got there count as later than all. A run is there: {one.rule}.",
    ]


def _flat(name: str, value: float, one: Reaching | None, reason: str) -> dict[str, object]:
    if one is None:
        return {"day_one": name, "score": value, "reason": reason}
    numbers = {"tasks": one.median, "low": one.low, "high": one.high, "runs": one.runs, "there": one.reached}
    return {"day_one": name, "score": value, **numbers, "rule": one.rule, "reason": one.reason or reason}


def _cells(name: str, value: float, one: Reaching | None, reason: str) -> list[str]:
    shown = "n/a" if math.isnan(value) else f"{value:.3f}"
    if one is None:
        return [name, shown, "n/a", "n/a", "n/a", reason]
    median, _, bounds = one.bounds.partition(" ")
    return [name, shown, median, bounds or "n/a", f"{one.reached} of {one.runs}", one.reason or reason]
