"""How often arms answered, how right they then were, and what answering less or more often would have brought."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.doubts import notes
from toolkit.analysis.recorded import OWN, crossed, found, plan
from toolkit.analysis.shown import ByArm
from toolkit.ledger.planned import only, scores
from toolkit.ledger.store import Ledger
from toolkit.records import ABSTAINED
from toolkit.stats import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_NUMBERS = ("coverage", "accuracy", "kept", "score")


@dataclass(frozen=True)
class AbstentionRow:
    """One arm.

    Parameters
    ----------
    arm
        Its name.
    coverage
        Share of the tasks that it did not abstain from; one that failed was not abstained from.
    accuracy
        Mean score where it did not abstain: one less the selective risk.
    kept
        What the answers that it kept would have scored: below ``accuracy``, if it keeps the right ones.
    score
        Mean score over all tasks, abstentions at what the metric takes them for.
    """

    arm: str
    coverage: Estimate
    accuracy: Estimate
    kept: Estimate
    score: Estimate


@dataclass(frozen=True, repr=False)
class Abstentions(ByArm[AbstentionRow]):
    """Arms that may abstain beside those that never do. Prints as a table; `frame` and `curve` have every number.

    Parameters
    ----------
    study
        Its name.
    curve
        Risk and coverage of each arm that weighs its answers; see `abstentions`.
    """

    study: str
    rows: tuple[AbstentionRow, ...]
    curve: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm and number: its value, interval, tasks, runs, and why it is missing."""
        import pandas as pd

        told = [(row.arm, name, getattr(row, name)) for row in self.rows for name in _NUMBERS]
        return pd.DataFrame([{"arm": arm, "number": name, **_flat(one)} for arm, name, one in told])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "answered", "accuracy where answered", "of what was kept", "score", "kept"]
        return head, [
            [row.arm, *(_told(getattr(row, name)) for name in _NUMBERS), str(row.kept.n)] for row in self.rows
        ]


def abstentions(
    study: Study | str, *, stream: str = "", level: float = 0.95, ledger: Ledger | None = None
) -> Abstentions:
    """Coverage, accuracy where answered, and the risk-coverage curve of each arm, by the study's main metric.

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
    Abstentions
        Means with two-way cluster-robust intervals, runs crossed with sessions (or tasks); NaN with a reason where
        there is nothing to estimate, such as the coverage of an arm that always answers. ``curve`` has, of each arm
        that weighs its answers (`toolkit.Abstaining`), up to ten rows: had it answered from ``threshold`` on, it
        would have covered ``coverage`` of the tasks with a mean score of ``accuracy`` (``low`` to ``high``); answers
        that were kept count with what they would have scored, so no arm's curve hangs on its own threshold.

    Raises
    ------
    LedgerError
        If there is no such study or stream.

    References
    ----------
    El-Yaniv & Wiener (2010), On the foundations of noise-free selective classification, JMLR 11: coverage and
    selective risk, and their curve.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    ids = [run["id"] for run in planned["runs"]]
    frame, told = scores(ledger, name, planned)
    weighed = ledger.sql(
        f"SELECT run, t, answer = '{ABSTAINED}' AS abstained, weighed.confidence AS confidence, "
        f"weighed.score AS meant FROM episodes WHERE {OWN} AND phase = 'stream'",
        ids,
        name,
    )
    frame = frame.merge(weighed, on=["run", "t"])
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    rows = tuple(_row(arm, frame[frame.arm == arm], level) for arm in arms)
    runs = ledger.sql(f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", ids, name)
    about = "Answered: share of tasks; a failure counts as answered. Of what was kept: what it would have scored."
    return Abstentions(name, rows, _curves(frame, arms, level), (about, *told, *notes(planned, runs, level)))


def _row(arm: str, own: pd.DataFrame, level: float) -> AbstentionRow:
    given, kept = own[~own.abstained], own[own.abstained]
    return AbstentionRow(
        arm,
        crossed(own, (~own.abstained).astype(float), level),
        crossed(given, given.score, level),
        crossed(kept, kept.meant, level),
        crossed(own, own.score, level),
    )


def _curves(frame: pd.DataFrame, arms: list[str], level: float) -> pd.DataFrame:
    import pandas as pd

    known = frame[frame.confidence.notna() & frame.meant.notna()]
    points = []
    for arm in arms:
        own = known[known.arm == arm]
        falling = np.sort(own.confidence.to_numpy())[::-1]
        places = {math.ceil(share * len(falling) / 10) - 1 for share in range(1, 11)} if len(falling) else set()
        for threshold in sorted({float(falling[place]) for place in places}, reverse=True):
            given = own[own.confidence >= threshold]
            one = crossed(given, given.meant, level)
            share = len(given) / int((frame.arm == arm).sum())
            told = {"accuracy": one.value, "low": one.low, "high": one.high, "n": one.n, "reason": one.reason}
            points.append({"arm": arm, "threshold": threshold, "coverage": share, **told})
    names = ["arm", "threshold", "coverage", "accuracy", "low", "high", "n", "reason"]
    return pd.DataFrame(points, columns=names)


def _flat(one: Estimate) -> dict[str, object]:
    numbers = {"value": one.value, "low": one.low, "high": one.high}
    return {**numbers, "n": one.n, "runs": one.runs, "reason": one.reason}


def _told(one: Estimate) -> str:
    value, low, high = ("n/a" if math.isnan(x) else format(x, ".3f") for x in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"
