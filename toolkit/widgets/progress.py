"""How far a study has come: per arm a curve with its band, and what it has cost, from episodes as they are recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.looked import EARLY
from toolkit.ledger.course import differences
from toolkit.ledger.follow import Follower, Glimpse
from toolkit.stats import confidence_sequence, running_difference, split_alpha
from toolkit.stats.curves import band_of
from toolkit.widgets.pace import Pace
from toolkit.widgets.running import RunScores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from toolkit.ledger.follow import PlannedRun
    from toolkit.stats import ConfidenceSequence, CurveBand

POINTS = 120
"""Most points of a curve that are sent to a browser: more than it has columns to draw them in."""

LATEST = 8
"""Episodes that are told of as the latest."""

_POINTS = 1000  # of all curves and differences together: many arms have fewer points each
_FAILURES = 5
_GAPS = 6  # differences that are drawn at most: beyond, nobody tells them apart, and a frame would grow
_SPENT = "budget stop: "  # as `toolkit.evaluation.budget` says why it stopped a run
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
    """Keeps a study's scores as they come; a look costs what is new, and the points that are drawn.

    Parameters
    ----------
    follower
        Reads the study's files.
    tasks
        Of the longest run; more if the study is extended.
    level
        Nominal coverage of the bands, in (0, 1).
    """

    def __init__(self, follower: Follower, tasks: int, level: float = 0.95) -> None:
        self.follower, self.tasks, self.level = follower, tasks, level
        self._runs: dict[str, RunScores] = {}
        self._paces: dict[str, Pace] = {}
        self._known: dict[str, ArmProgress] = {}
        self._gaps: dict[tuple[str, str, float], tuple[tuple[int, ...], Gap]] = {}
        self._latest: list[tuple[int, int, Glimpse]] = []
        self._looks, self._points = 0, POINTS

    def look(self) -> bool:
        """Take in what was recorded since the last look; whether anything was, or a run's status has changed."""
        before = {run: record.status for run, record in self.follower.records.items()}
        new = [one for one in self.follower.poll() if one.phase == "stream"]
        for one in new:
            self._take(one)
        self._keep_latest(new)
        after = {run: record.status for run, record in self.follower.records.items()}
        runs = self.follower.runs
        self.tasks = max([self.tasks, *(run.tasks for run in runs)])
        changed = {one.arm for one in new} | {run.arm for run in runs if before.get(run.id) != after.get(run.id)}
        for arm in changed | self._thinned(runs):
            self._known[arm] = self._arm(arm, [run for run in runs if run.arm == arm])
        return bool(new) or before != after

    def arms(self) -> tuple[ArmProgress, ...]:
        """Every arm of the plan, in its order."""
        runs = self.follower.runs
        for arm in {run.arm for run in runs} - self._known.keys():
            self._known[arm] = self._arm(arm, [run for run in runs if run.arm == arm])
        return tuple(self._known[arm] for arm in dict.fromkeys(run.arm for run in runs))

    def gaps(self, planned: Mapping[str, Any]) -> tuple[Gap, ...]:
        """Differences to look at, as a plan has it: of the arms in its conditions, else of each arm to the baseline.

        What may go wrong is split among them, so that all bands together hold as often as one alone would.
        """
        told = planned.get("stop_when", {})
        pairs = [tuple(text.replace("<", ">").split(">")) for text in told.get("conditions", ())]
        pairs = pairs or [(arm, planned["baseline"]) for arm in planned["arms"] if arm != planned["baseline"]]
        pairs = list(dict.fromkeys(pairs))
        level = told["level"] if told.get("conditions") else 1 - split_alpha(1 - self.level, max(1, len(pairs)))[0]
        return tuple(self._gap(one, two, level) for one, two in pairs[:_GAPS])

    def left(self, arm: str) -> float | None:
        """Seconds until an arm's runs are finished, if they are under way; see `Pace`."""
        records, lacking, going = self.follower.records, list[int](), 0
        for run in self.follower.runs:
            record = records.get(run.id)
            if run.arm != arm or (record is not None and record.status != "running"):
                continue
            going += record is not None
            done = self._runs[run.id].done if run.id in self._runs else 0
            lacking.append(max(0, run.tasks - done))
        return self._paces.get(arm, Pace()).left(lacking, going)

    def latest(self) -> tuple[Glimpse, ...]:
        """The last `LATEST` episodes, the newest first.

        Records hold no clock times: what a later look has found is newer, and of one look the later task of a run.
        """
        return tuple(one for _, _, one in self._latest)

    def failures(self) -> tuple[str, ...]:
        """What went wrong with runs, the last few: which, and why."""
        found = []
        for run in self.follower.runs:
            record = self.follower.records.get(run.id)
            if record is not None and record.status in ("failed", "suspended"):
                found.append(f"{self.follower.named(run)}: {record.status}: {record.error}")
        more = len(found) - _FAILURES
        return (*found[:_FAILURES], f"… and {more} more runs") if more > 0 else tuple(found)

    def ended_early(self) -> str:
        """Which condition, or which limit of a budget, has ended the study; empty if none has."""
        told = {record.error for record in self.follower.records.values() if record.status == "stopped"}
        return next(iter(sorted(one for one in told if one.startswith((EARLY, _SPENT)))), "")

    def finished(self) -> bool:
        """Whether every planned run is."""
        runs, records = self.follower.runs, self.follower.records
        return bool(runs) and all(run.id in records and records[run.id].status == "finished" for run in runs)

    def _take(self, one: Glimpse) -> None:
        if one.run not in self._runs:
            self._runs[one.run] = RunScores(self.tasks)
            self._paces.setdefault(one.arm, Pace())
        self._runs[one.run].take(one)
        self._paces[one.arm].take(one)

    def _keep_latest(self, new: Sequence[Glimpse]) -> None:
        self._looks += bool(new)
        found = ((self._looks, one.t, one) for one in new)
        self._latest = nlargest(LATEST, (*self._latest, *found), key=lambda one: one[:2])

    def _thinned(self, runs: Sequence[PlannedRun]) -> set[str]:
        """Arms that must be drawn anew, with fewer points: those known, where the study has more arms than before."""
        arms = len({run.arm for run in runs})
        points = max(2, min(POINTS, _POINTS // max(1, arms + min(_GAPS, arms))))
        anew = set(self._known) if points != self._points else set[str]()
        self._points = points
        return anew

    def _arm(self, arm: str, runs: Sequence[PlannedRun]) -> ArmProgress:
        begun = [self._runs[run.id] for run in runs if run.id in self._runs]
        means = [run.mean for run in begun if run.last]
        records = self.follower.records
        dollars = math.fsum(run.dollars for run in begun)
        return ArmProgress(
            arm=arm,
            done=sum(run.done for run in begun),
            total=sum(run.tasks for run in runs),
            finished=sum(run.id in records and records[run.id].status == "finished" for run in runs),
            runs=len(runs),
            score=float(np.mean(means)) if means else None,
            tokens=sum(run.tokens for run in begun),
            dollars=None if math.isnan(dollars) else dollars,
            failed=sum(run.failed for run in begun),
            curve=self._curve(begun),
        )

    def _curve(self, begun: Sequence[RunScores]) -> tuple[Point, ...]:
        """The curve up to the task that every run begun has passed: beyond it, runs would drop out of the mean."""
        passed = min((run.last for run in begun), default=0)
        if passed == 0:
            return ()
        places = _shown(passed, self._points)
        means = np.array([run.means(places) for run in begun])
        band = band_of(means, level=self.level, rounding=1e-9 * max(run.largest for run in begun))
        return tuple(_point(place + 1, band, nth) for nth, place in enumerate(places))

    def _gap(self, arm: str, other: str, level: float) -> Gap:
        """A difference; what was known of it, while the slowest run has come no further."""
        ours, theirs = ({_place(run): run for run in self.follower.runs if run.arm == one} for one in (arm, other))
        runs = [side[place] for place in ours.keys() & theirs.keys() for side in (ours, theirs)]
        passed = min((len(self._runs[run.id].scores()) if run.id in self._runs else 0 for run in runs), default=0)
        state, key = (passed, len(runs), self._points), (arm, other, level)
        if key not in self._gaps or self._gaps[key][0] != state:
            self._gaps[key] = state, Gap(arm, other, level, self._difference(runs, arm, other, level))
        return self._gaps[key][1]

    def _difference(self, runs: Sequence[PlannedRun], arm: str, other: str, level: float) -> tuple[Point, ...]:
        scores = {run.id: self._runs[run.id].scores() for run in runs if run.id in self._runs}
        matrix = differences(runs, scores, arm, other)
        if not matrix.size:
            return ()
        band = confidence_sequence(running_difference(matrix), low=-1, high=1, level=level)
        return tuple(_point(place + 1, band, place) for place in _shown(len(band.t), self._points))


def _place(run: PlannedRun) -> tuple[str, str, int]:
    """What two runs that are compared have in common."""
    return run.stream, run.order, run.seed


def _point(t: int, band: CurveBand | ConfidenceSequence, place: int) -> Point:
    return t, _plain(band.mean[place]), _plain(band.low[place]), _plain(band.high[place])


def _shown(length: int, most: int) -> list[int]:
    """Places of the points that are drawn of a longer curve, the last one always."""
    places: list[int] = np.unique(np.linspace(0, length - 1, min(most, length)).round().astype(int)).tolist()
    return places


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
