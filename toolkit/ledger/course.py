"""The course of a run in numbers, as MLflow is given it: the same points for the same rows, however often asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from toolkit.component import digest
from toolkit.ledger.follow import Glimpse, PlannedRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN_POINTS = 1000
"""A longer run is shown at every so manieth task, so that a curve has about so many points."""

_PLACED = 40  # runs at least so long have a moving score over more tasks


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric: after how many tasks (``step``), and so many seconds of model time after the start."""

    name: str
    value: float
    step: int
    seconds: float


class Course:
    """What a run's episodes add up to.

    Parameters
    ----------
    tasks
        How many the run has in all; sets the window of the moving score and how densely points stand.

    Examples
    --------
    >>> course = Course(2)
    >>> course.add(Glimpse("r", "a", 0, "stream", 0, "ok", 0.5, 1, "", 1, 20, 2.0, 0.0))
    >>> [(point.name, point.value, point.step) for point in course.points(0)][:2]
    [('curve/score so far', 0.5, 1), ('spent/tokens so far', 20, 1)]
    """

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.window = 20 if tasks >= _PLACED else 5
        self.every = -(-tasks // SHOWN_POINTS)
        self._seen: list[Glimpse] = []
        self._apart: dict[str, list[Glimpse]] = {}

    @property
    def recorded(self) -> int:
        """Episodes of all phases."""
        return len(self._seen) + sum(map(len, self._apart.values()))

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, glimpse: Glimpse) -> None:
        """Take the next episode; what is no part of the stream is kept apart, by its phase."""
        (self._seen if glimpse.phase == "stream" else self._apart.setdefault(glimpse.phase, [])).append(glimpse)

    def points(self, since: int) -> Iterator[Point]:
        """Every point of every curve, for the episodes from place ``since`` on; NaN is left out."""
        scores = [glimpse.score for glimpse in self._seen]
        sums = [0.0, *accumulate(scores)]
        tokens = [*accumulate(glimpse.tokens for glimpse in self._seen)]
        labels = [*accumulate(glimpse.labels for glimpse in self._seen)]
        dollars = [*accumulate(glimpse.dollars for glimpse in self._seen)]
        seconds = [*accumulate(glimpse.seconds for glimpse in self._seen)]
        for t in range(since, len(scores)):
            done = t + 1
            if done % self.every and done != self.tasks:
                continue
            values: dict[str, float] = {"curve/score so far": sums[done] / done}
            if done >= self.window:
                values[f"curve/score of the last {self.window} tasks"] = (
                    sum(scores[done - self.window : done]) / self.window
                )
            values |= {"spent/tokens so far": tokens[t], "spent/labels so far": labels[t]}
            if dollars[t] > 0:
                values["spent/dollars so far"] = dollars[t]
            yield from (Point(name, v, done, seconds[t]) for name, v in values.items() if not math.isnan(v))

    def final(self, labels_before: int) -> Iterator[Point]:
        """What the run came to so far; nothing before the first episode.

        Step 0, which MLflow draws as bars; more episodes come later by a millisecond each at least.
        """
        number = len(self._seen)
        if not number:
            return
        values = {
            "final/score": sum(glimpse.score for glimpse in self._seen) / number,
            "final/tokens per task": sum(glimpse.tokens for glimpse in self._seen) / number,
            "final/calls per task": sum(glimpse.calls for glimpse in self._seen) / number,
            "final/model seconds per task": self.before(number) / number,
            "final/labels seen": labels_before + sum(glimpse.labels for glimpse in self._seen),
        }
        dollars = sum(glimpse.dollars for glimpse in self._seen)
        values |= {"final/dollars": dollars} if dollars > 0 else {}
        for phase, seen in self._apart.items():
            values[f"{phase}/score"] = sum(glimpse.score for glimpse in seen) / len(seen)
            values[f"{phase}/tokens per task"] = sum(glimpse.tokens for glimpse in seen) / len(seen)
        seconds = self.before(number) + number / 1000
        yield from (Point(name, v, 0, seconds) for name, v in values.items() if not math.isnan(v))

    def before(self, t: int) -> float:
        """Seconds of model time that passed before the episode at place ``t``."""
        return sum(glimpse.seconds for glimpse in self._seen[:t])

    def digest(self, number: int) -> str:
        """What the first episodes were, in few letters: equal for equal episodes."""
        told = [(glimpse.t, glimpse.status, str(glimpse.score), glimpse.tokens) for glimpse in self._seen[:number]]
        return digest(told)[:12]


def differences(
    runs: Sequence[PlannedRun],
    scores: Mapping[str, Sequence[float]] | Mapping[str, NDArray[np.float64]],
    arm: str,
    other: str,
    *,
    missing: float = math.nan,
) -> NDArray[np.float64]:
    """What one arm scored above another, task by task, in the runs that met the same tasks in the same order.

    Parameters
    ----------
    runs
        Of the study's plan. A pair of runs has the stream, order and seed in common.
    scores
        By run id, what each has recorded so far, from its first task on without a gap. NaN = no score.
    arm, other
        Names of two arms.
    missing
        Stands for a difference of which one score, or both, are NaN.

    Returns
    -------
    ndarray of float, shape (R, T)
        One row per pair of planned runs, as far as *all* of them have come: T is 0 until the last has begun.

    Examples
    --------
    >>> runs = [PlannedRun(f"{arm}{seed}", "", arm, seed) for arm in "ab" for seed in (0, 1)]
    >>> differences(runs, {"a0": [1, 1], "a1": [1, 0], "b0": [0, 1], "b1": [1]}, "a", "b").tolist()
    [[1.0], [0.0]]
    """
    import numpy as np

    def keyed(name: str) -> dict[tuple[str, str, int], str]:
        return {(run.stream, run.order, run.seed): run.id for run in runs if run.arm == name}

    ours, theirs = keyed(arm), keyed(other)
    pairs = [(ours[key], theirs[key]) for key in ours if key in theirs]
    passed = min((len(scores.get(run, ())) for pair in pairs for run in pair), default=0)
    found = np.array(
        [np.subtract(scores[one][:passed], scores[two][:passed]) for one, two in pairs if passed], dtype=float
    ).reshape(len(pairs), passed)
    return np.where(np.isnan(found), missing, found)
