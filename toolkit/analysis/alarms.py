"""Drift detectors in a study: how long after each change they rang, whether at all, and how often for nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.courses import declared
from toolkit.analysis.recorded import OWN, found, plan
from toolkit.analysis.shown import ByArm
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import Delay, Estimate, detection_delays, false_alarms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from toolkit.evaluation.study import Study

_ABOUT = "Delay: tasks from the change to the first alarm before the next change, the median over runs [{level:g} %]."
_FALSE = "False alarms: before any change, or after a change's first alarm; bounds as of a Poisson number."


@dataclass(frozen=True, slots=True)
class Watching:
    """The detectors of one arm.

    Parameters
    ----------
    arm
        Its name.
    delays
        One for each change.
    false
        False alarms in 1000 tasks.
    alarms
        All alarms of its runs.
    """

    arm: str
    delays: tuple[Delay, ...]
    false: Estimate
    alarms: int


@dataclass(frozen=True, repr=False)
class Detections(ByArm[Watching]):
    """Arms that have a detector. Prints as a table; `frame` has every number.

    Parameters
    ----------
    study
        Its name.
    changes
        After how many tasks the truth changes, each time.
    """

    told_of: ClassVar[str] = "arm with an alarm"

    study: str
    changes: tuple[int, ...]
    rows: tuple[Watching, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm and change; without changes, one per arm."""
        import pandas as pd

        rows = []
        for row in self.rows:
            alone = {"arm": row.arm, "alarms": row.alarms, "false": row.false.value}
            alone |= {"false_low": row.false.low, "false_high": row.false.high, "false_n": row.false.n}
            for one in row.delays or (None,):
                told = ("at", "median", "low", "high", "level", "runs", "reached", "missed", "reason")
                rows.append(alone | ({name: getattr(one, name) for name in told} if one is not None else {}))
        return pd.DataFrame(rows)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "change at", "delay", "detected", "false alarms in 1000 tasks", "doubts"]
        body = []
        for row in self.rows:
            rate = _told(row.false.value, row.false.low, row.false.high)
            for place, one in enumerate(row.delays or (None,)):
                first = [row.arm if not place else "", "" if one is None else str(one.at)]
                rest = [_told(one.median, one.low, one.high), f"{one.reached} of {one.runs}"] if one else ["", ""]
                doubts = [one.reason if one else "", row.false.reason if not place else ""]
                body.append([*first, *rest, rate if not place else "", "; ".join(filter(None, doubts))])
        return head, body


def detections(
    study: Study | str, *, stream: str = "", level: float = 0.95, ledger: Ledger | None = None
) -> Detections:
    """How long after each change that the stream declares detectors rang, whether at all, and how often for nothing.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    stream
        Only this one of several streams.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Detections
        One row for each arm with a detector, whether its memory or its learner has it. A delay counts the tasks
        answered under the new truth before the alarm; feedback that is late makes it longer. See
        `toolkit.stats.detection_delays` and `toolkit.stats.false_alarms`. Where nothing drifts, all alarms are false.

    Raises
    ------
    LedgerError
        If there is no such study or stream, no arm has a detector, or several streams drift at different places.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    changes = declared(name, ledger, stream)
    ids = [run["id"] for run in planned["runs"]]
    query = f"SELECT run, t FROM changes WHERE {OWN} AND kind = 'drift' AND phase = 'stream' ORDER BY run, t"
    rang = ledger.sql(query, ids, name).groupby("run").t.apply(list).to_dict()
    query = f"SELECT run, max(t) + 1 AS n FROM episodes WHERE {OWN} AND phase = 'stream' GROUP BY run"
    met = ledger.sql(query, ids, name).set_index("run").n.to_dict()
    rows = []
    for arm in _watched(planned, set(rang)):
        runs = [run["id"] for run in planned["runs"] if run["arm"] == arm and run["id"] in met]
        alarms: list[Sequence[int]] = [[int(t) for t in rang.get(run, ())] for run in runs]
        tasks = [int(met[run]) for run in runs]
        delays = detection_delays(alarms, changes, tasks, level=level)
        rows.append(Watching(arm, delays, false_alarms(alarms, changes, tasks, level=level), sum(map(len, alarms))))
    if not rows:
        raise LedgerError(
            f"no arm of study {name!r} has a detector: give one a learner Watched(...), or a memory Renewed(...)"
        )
    where = (
        f"The truth changes after {', '.join(map(str, changes))} tasks."
        if changes
        else "No stream says that it drifts."
    )
    return Detections(name, changes, tuple(rows), (where, _ABOUT.format(level=100 * level), _FALSE))


def _watched(planned: Row, rang: set[str]) -> list[str]:
    """Arms that hold a detector, or tell of alarms of their own."""
    alarmed = {run["arm"] for run in planned["runs"] if run["id"] in rang}
    return [arm for arm, told in planned["arms"].items() if told.get("watched") or arm in alarmed]


def _told(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{value:.3g} [{_bound(low)}, {_bound(high)}]"


def _bound(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3g}"
