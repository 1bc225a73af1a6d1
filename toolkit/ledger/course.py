"""The course of a run in numbers, as MLflow is given it: the same points for the same rows, however often asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from toolkit.component import digest
from toolkit.ledger.follow import Glimpse

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

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, glimpse: Glimpse) -> None:
        """Take the next episode; what is no part of the stream is passed over."""
        if glimpse.phase == "stream":
            self._seen.append(glimpse)

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
        seconds = self.before(number) + number / 1000
        yield from (Point(name, v, 0, seconds) for name, v in values.items() if not math.isnan(v))

    def before(self, t: int) -> float:
        """Seconds of model time that passed before the episode at place ``t``."""
        return sum(glimpse.seconds for glimpse in self._seen[:t])

    def digest(self, number: int) -> str:
        """What the first episodes were, in few letters: equal for equal episodes."""
        told = [(glimpse.t, glimpse.status, str(glimpse.score), glimpse.tokens) for glimpse in self._seen[:number]]
        return digest(told)[:12]
