"""How far a study has come: per arm a curve with its band, and what it has cost, from episodes as they are recorded."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.ledger.follow import Follower, Glimpse
from toolkit.stats import curve_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 120
"""Most points of a curve that are sent to a browser: more than it has columns to draw them in."""

_FAILURES = 5
Point = tuple[int, float | None, float | None, float | None]


@dataclass(frozen=True)
class ArmProgress:
    """One arm so far.

    Parameters
    ----------
    done, total
        Episodes recorded, and planned.
    finished, runs
        Runs that are finished, and planned.
    score
        Mean over runs of their mean scores so far; None before the first.
    tokens, dollars
        Spent, all purposes together; dollars are None where a price is not known.
    failed
        Episodes without a usable answer.
    curve
        At most `POINTS` points: tasks met, mean score so far over runs, and the bounds of its pointwise interval.
    """

    arm: str
    done: int
    total: int
    finished: int
    runs: int
    score: float | None
    tokens: int
    dollars: float | None
    failed: int
    curve: tuple[Point, ...]


class Progress:
    """Keeps a study's scores as they come.

    Parameters
    ----------
    follower
        Reads the study's files.
    tasks
        Of the longest run.
    level
        Nominal coverage of the bands, in (0, 1).
    """

    def __init__(self, follower: Follower, tasks: int, level: float = 0.95) -> None:
        self.follower, self.tasks, self.level = follower, tasks, level
        self._scores: dict[str, NDArray[np.float64]] = {}
        self._cost: dict[str, tuple[int, int, float, int]] = {}
        self._known: dict[str, ArmProgress] = {}

    def look(self) -> bool:
        """Take in what was recorded since the last look; whether anything was, or a run's status has changed."""
        before = {run: record.status for run, record in self.follower.records.items()}
        new = [one for one in self.follower.poll() if one.phase == "stream"]
        for one in new:
            self._take(one)
        after = {run: record.status for run, record in self.follower.records.items()}
        for arm in {one.arm for one in new} | {
            r.arm for r in self.follower.runs if before.get(r.id) != after.get(r.id)
        }:
            self._known[arm] = self._arm(arm)
        return bool(new) or before != after

    def arms(self) -> tuple[ArmProgress, ...]:
        """Every arm of the plan, in its order."""
        names = dict.fromkeys(run.arm for run in self.follower.runs)
        return tuple(self._known[arm] if arm in self._known else self._arm(arm) for arm in names)

    def failures(self) -> tuple[str, ...]:
        """What went wrong with runs, the last few: which, and why."""
        found = []
        for run in self.follower.runs:
            record = self.follower.records.get(run.id)
            if record is not None and record.status in ("failed", "suspended"):
                found.append(f"{self.follower.named(run)}: {record.status}: {record.error}"[:300])
        more = len(found) - _FAILURES
        return (*found[:_FAILURES], f"… and {more} more runs") if more > 0 else tuple(found)

    def finished(self) -> bool:
        """Whether every planned run is."""
        runs, records = self.follower.runs, self.follower.records
        return bool(runs) and all(run.id in records and records[run.id].status == "finished" for run in runs)

    def running(self) -> bool:
        """Whether any run says that it is under way."""
        return any(record.status == "running" for record in self.follower.records.values())

    def _take(self, one: Glimpse) -> None:
        scores = self._scores.setdefault(one.run, np.full(self.tasks, math.nan))
        if one.t < self.tasks:
            scores[one.t] = one.score
        done, tokens, dollars, failed = self._cost.get(one.run, (0, 0, 0.0, 0))
        bad = one.status not in ("ok", "truncated")
        self._cost[one.run] = done + 1, tokens + one.tokens, dollars + one.dollars, failed + bad

    def _arm(self, arm: str) -> ArmProgress:
        runs = [run for run in self.follower.runs if run.arm == arm]
        begun = [run for run in runs if run.id in self._cost]
        costs = [self._cost[run.id] for run in begun]
        table = np.array([self._scores[run.id] for run in begun]) if begun else np.empty((0, self.tasks))
        means = [float(np.nanmean(row)) for row in table if not np.isnan(row).all()]
        records = self.follower.records
        dollars = math.fsum(cost[2] for cost in costs)
        return ArmProgress(
            arm=arm,
            done=sum(cost[0] for cost in costs),
            total=sum(run.tasks for run in runs),
            finished=sum(run.id in records and records[run.id].status == "finished" for run in runs),
            runs=len(runs),
            score=float(np.mean(means)) if means else None,
            tokens=sum(cost[1] for cost in costs),
            dollars=None if math.isnan(dollars) else dollars,
            failed=sum(cost[3] for cost in costs),
            curve=self._curve(table),
        )

    def _curve(self, table: NDArray[np.float64]) -> tuple[Point, ...]:
        """The curve up to the task that every run begun has passed: beyond it, runs would drop out of the mean."""
        if not len(table) or np.isnan(table).all():
            return ()
        passed = min(int(np.flatnonzero(~np.isnan(row))[-1]) + 1 if not np.isnan(row).all() else 0 for row in table)
        if passed == 0:
            return ()
        band = curve_band(table[:, :passed], level=self.level)
        places = np.unique(np.linspace(0, passed - 1, min(POINTS, passed)).round().astype(int))
        return tuple((int(band.t[i]), _plain(band.mean[i]), _plain(band.low[i]), _plain(band.high[i])) for i in places)


def as_plain(arms: tuple[ArmProgress, ...]) -> list[dict[str, object]]:
    """Arms as a browser is sent them."""
    return [asdict(arm) for arm in arms]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
