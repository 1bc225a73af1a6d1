"""The second pass: what of an arm's gains was learning on the way, what stays, and what carries over to other tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.doubts import notes
from toolkit.analysis.recorded import OWN, RUN, crossed, found, plan
from toolkit.analysis.shown import ByArm
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_PAIRING = [*RUN, "task"]


@dataclass(frozen=True)
class PassRow:
    """One arm over both passes.

    Parameters
    ----------
    plasticity
        Mean score on the stream, while it was updated.
    frozen
        Mean score of the second pass, with all updating off; on a held-out stream, this is its generalisation.
    stability
        Second pass less first, on the same tasks of the same runs; None where the second went over other tasks. Below
        0, the arm forgot; above, it knows by now what it did not know then.
    plasticity_gain, frozen_gain, stability_gain
        The same less the baseline's, paired by run and task; None for the baseline.
    """

    arm: str
    plasticity: Estimate
    frozen: Estimate
    stability: Estimate | None
    plasticity_gain: Estimate | None
    frozen_gain: Estimate | None
    stability_gain: Estimate | None


@dataclass(frozen=True, repr=False)
class SecondPass(ByArm[PassRow]):
    """Arms over both passes. Prints as a table; `frame` has every number.

    Parameters
    ----------
    study, baseline
        Their names.
    kind
        ``"same"`` where the second pass went over the tasks of the first, else what it went over.
    """

    left: ClassVar[int] = 6

    study: str
    baseline: str
    kind: str
    rows: tuple[PassRow, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm and number: its value, interval, pairs, runs, and why it is missing."""
        import pandas as pd

        told = [(row.arm, name, getattr(row, name)) for row in self.rows for name in _NUMBERS]
        return pd.DataFrame([_flat(arm, name, one) for arm, name, one in told if one is not None])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        second = "stability" if self.kind == "same" else "generalisation"
        shown = ["plasticity", "frozen", "stability"] if self.kind == "same" else ["plasticity", "frozen"]
        names = ["plasticity", "frozen score", second] if self.kind == "same" else ["plasticity", second]
        head = ["arm", *(word for name in names for word in (name, f"less {self.baseline}'s"))]
        body = [
            [row.arm, *(_told(getattr(row, one + end), one + end) for one in shown for end in ("", "_gain"))]
            for row in self.rows
        ]
        return head, body


_NUMBERS = ("plasticity", "frozen", "stability", "plasticity_gain", "frozen_gain", "stability_gain")


def second_pass(
    study: Study | str,
    *,
    baseline: str = "",
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> SecondPass:
    """What each arm scored while it was updated and, afterwards, with all updating off; and against the baseline.

    Parameters
    ----------
    study, ledger
        A `Study` with ``second_pass``, or the name of one in this ledger
        (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    baseline, metric, stream, level
        As in `toolkit.compare`.

    Returns
    -------
    SecondPass
        Estimates with two-way cluster-robust intervals, runs crossed with sessions; NaN with a reason where data are
        too few, or where both passes came out the same throughout.

    Raises
    ------
    LedgerError
        If there is no such study, it has no second pass, or none has been recorded yet.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    if not planned.get("second_pass"):
        raise LedgerError(f"study {name!r} has no second pass: run one with second_pass='same' or a held-out stream")
    first, told = scores(ledger, name, planned, metric)
    second, _ = scores(ledger, name, planned, metric, phase="frozen")
    arms = [arm for arm in planned["arms"] if arm in set(second.arm)]
    baseline = baseline or str(planned["baseline"])
    if baseline not in arms:
        hint = nearest(baseline, arms) if arms else "no run has come to its second pass yet"
        raise LedgerError(f"the baseline {baseline!r} has no second pass recorded; {hint}")
    kind = str(planned["second_pass"]["kind"])
    both = _both(first, second) if kind == "same" else None
    rows = tuple(_row(arm, baseline, first, second, both, level) for arm in arms)
    query = f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed"
    runs = ledger.sql(query, [run["id"] for run in planned["runs"]], name)
    over = "the same tasks in the same orders" if kind == "same" else f"{planned['second_pass']['label']} stream"
    about = f"Second pass: all updating off, pending feedback delivered before, sessions begun anew, over {over}."
    return SecondPass(name, baseline, kind, rows, (about, *told, *notes(planned, runs, level)))


def _both(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Second pass less first, task by task."""
    found = second.merge(first[["arm", *_PAIRING, "score"]], on=["arm", *_PAIRING], suffixes=("", "_first"))
    return found.assign(score=found.score - found.score_first)


def _row(
    arm: str, baseline: str, first: pd.DataFrame, second: pd.DataFrame, both: pd.DataFrame | None, level: float
) -> PassRow:
    frames = (first, second, both)
    means = [None if frame is None else _mean(frame[frame.arm == arm], level) for frame in frames]
    gains = [None if frame is None or arm == baseline else _gain(frame, arm, baseline, level) for frame in frames]
    return PassRow(arm, means[0], means[1], means[2], *gains)  # type: ignore[arg-type]  # the first two are never None


def _gain(frame: pd.DataFrame, arm: str, baseline: str, level: float) -> Estimate:
    own, other = frame[frame.arm == arm], frame[frame.arm == baseline]
    pairs = own.merge(other[[*_PAIRING, "score"]], on=_PAIRING, suffixes=("", "_base"))
    return crossed(pairs, pairs.score - pairs.score_base, level)


def _mean(own: pd.DataFrame, level: float) -> Estimate:
    return crossed(own, own.score, level)


def _flat(arm: str, name: str, one: Estimate) -> dict[str, object]:
    numbers = {"value": one.value, "low": one.low, "high": one.high, "p_value": one.p_value}
    return {"arm": arm, "number": name, **numbers, "pairs": one.n, "runs": one.runs, "reason": one.reason}


def _told(one: Estimate | None, name: str) -> str:
    if one is None:
        return "baseline"
    form = ".3f" if name in ("plasticity", "frozen") else "+.3f"
    value, low, high = ("n/a" if math.isnan(x) else format(x, form) for x in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"
