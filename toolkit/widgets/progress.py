"""How far a study has come: per arm a curve with its band, and what it has cost, from episodes as they are recorded."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.looked import EARLY
from toolkit.ledger.course import differences
from toolkit.ledger.follow import Follower, Glimpse
from toolkit.stats import confidence_sequence, curve_band, running_difference, split_alpha

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from toolkit.stats import ConfidenceSequence, CurveBand

POINTS = 120
"""Most points of a curve that are sent to a browser: more than it has columns to draw them in."""

_FAILURES = 5
_GAPS = 6  # differences that are drawn at most: beyond, nobody tells them apart, and a frame would grow
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


@dataclass(frozen=True)
class Gap:
    """How far one arm is ahead of another so far, with a band that may be looked at all the time.

    Parameters
    ----------
    ahead, behind
        The arms.
    level
        At which the band holds at all tasks together.
    points
        At most `POINTS`: tasks that all runs of both arms have passed, mean difference so far, and the bounds of its
        confidence sequence. None before the last of these runs has begun.
    """

    ahead: str
    behind: str
    level: float
    points: tuple[Point, ...]


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

    def gaps(self, planned: Mapping[str, Any]) -> tuple[Gap, ...]:
        """Differences to look at, as a plan has it: of the arms in its conditions, else of each arm to the baseline.

        What may go wrong is split among them, so that all bands together hold as often as one alone would.
        """
        told = planned.get("stop_when", {})
        pairs = [tuple(text.replace("<", ">").split(">")) for text in told.get("conditions", ())]
        pairs = pairs or [(arm, planned["baseline"]) for arm in planned["arms"] if arm != planned["baseline"]]
        pairs = list(dict.fromkeys(pairs))
        level = told["level"] if told.get("conditions") else 1 - split_alpha(1 - self.level, max(1, len(pairs)))[0]
        return tuple(Gap(one, two, level, self._gap(one, two, level)) for one, two in pairs[:_GAPS])

    def _gap(self, arm: str, other: str, level: float) -> tuple[Point, ...]:
        scores = {run: self._scores[run][: cost[0]].tolist() for run, cost in self._cost.items()}
        matrix = differences(self.follower.runs, scores, arm, other)
        if not matrix.size:
            return ()
        band = confidence_sequence(running_difference(matrix), low=-1, high=1, level=level)
        return tuple(_point(band, place) for place in _shown(len(band.t)))

    def failures(self) -> tuple[str, ...]:
        """What went wrong with runs, the last few: which, and why."""
        found = []
        for run in self.follower.runs:
            record = self.follower.records.get(run.id)
            if record is not None and record.status in ("failed", "suspended"):
                found.append(f"{self.follower.named(run)}: {record.status}: {record.error}"[:300])
        more = len(found) - _FAILURES
        return (*found[:_FAILURES], f"… and {more} more runs") if more > 0 else tuple(found)

    def ended_early(self) -> str:
        """Which condition has ended the study, and by what; empty if none has."""
        told = {record.error for record in self.follower.records.values() if record.status == "stopped"}
        return next(iter(sorted(one for one in told if one.startswith(EARLY))), "")

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
        return tuple(_point(band, place) for place in _shown(passed))


def as_plain(parts: tuple[ArmProgress, ...] | tuple[Gap, ...]) -> list[dict[str, object]]:
    """Arms, or differences, as a browser is sent them."""
    return [asdict(part) for part in parts]


def _point(band: CurveBand | ConfidenceSequence, place: int) -> Point:
    return int(band.t[place]), _plain(band.mean[place]), _plain(band.low[place]), _plain(band.high[place])


def _shown(length: int) -> list[int]:
    """Places of the points that are drawn of a longer curve, the last one always."""
    places: list[int] = np.unique(np.linspace(0, length - 1, min(POINTS, length)).round().astype(int)).tolist()
    return places


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
