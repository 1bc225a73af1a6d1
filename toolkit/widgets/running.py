"""One run's scores as they come: means so far at any task, without going over the whole past at each look."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from toolkit.ledger.follow import Glimpse


_USABLE = ("ok", "truncated")


class RunScores:
    """What a run of a study has scored and spent so far.

    Parameters
    ----------
    tasks
        How many it is expected to meet; it may meet more.

    Attributes
    ----------
    done, tokens, dollars, failed
        Episodes of the stream so far, what they cost, and how many have no usable answer.

    Examples
    --------
    >>> run = RunScores(2)
    >>> for t, score in enumerate([1.0, float("nan"), 0.0]):
    ...     run.score(t, score)
    >>> run.means([0, 1, 2]).tolist(), run.last
    ([1.0, 1.0, 0.5], 3)
    """

    def __init__(self, tasks: int) -> None:
        self.done, self.tokens, self.dollars, self.failed = 0, 0, 0.0, 0
        self._new: list[tuple[int, float]] = []
        self._last, self._largest, self._met, self._added = 0, 0.0, 0, 0
        self._scores = np.full(max(1, tasks), math.nan)
        self._sums, self._counts = np.zeros(len(self._scores) + 1), np.zeros(len(self._scores) + 1)

    def take(self, one: Glimpse) -> None:
        """The next episode of its stream."""
        self.score(one.t, one.score)
        self.done += 1
        self.tokens += one.tokens
        self.dollars += one.dollars
        self.failed += one.status not in _USABLE

    def score(self, t: int, score: float) -> None:
        """A task's score; NaN = none."""
        self._new.append((t, score))

    @property
    def last(self) -> int:
        """Tasks up to the last one that has a score."""
        self._settle()
        return self._last

    @property
    def largest(self) -> float:
        """The largest absolute score."""
        self._settle()
        return self._largest

    @property
    def mean(self) -> float:
        """Mean score so far; NaN before the first."""
        return float(self.means([self._met - 1])[0]) if self.last else math.nan

    def scores(self) -> NDArray[np.float64]:
        """From the first task on without a gap, as `toolkit.ledger.course.differences` takes them."""
        self._settle()
        return self._scores[: min(self.done, self._met)]

    def means(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Mean scores so far after the tasks at some places that were met; NaN where none has a score yet."""
        self._settle()
        ends = np.asarray(places, dtype=int) + 1
        counts = self._counts[ends]
        return np.where(counts > 0, self._sums[ends] / np.maximum(counts, 1), math.nan)

    def _settle(self) -> None:
        """Add what is new to the sums, from the first new task on."""
        if not self._new:
            return
        places = np.array([t for t, _ in self._new])
        scores = np.array([score for _, score in self._new], dtype=float)
        first, self._met = int(places.min()), max(self._met, int(places.max()) + 1)
        first = min(first, self._added)
        self._grow(self._met)
        self._scores[places] = scores
        part, ends = self._scores[first : self._met], slice(first + 1, self._met + 1)
        scored = np.flatnonzero(~np.isnan(part))
        self._sums[ends] = self._sums[first] + np.nancumsum(part)
        self._counts[ends] = self._counts[first] + np.cumsum(~np.isnan(part))
        if len(scored):
            self._last = max(self._last, first + int(scored[-1]) + 1)
            self._largest = max(self._largest, float(np.abs(part[scored]).max()))
        self._added, self._new = self._met, []

    def _grow(self, tasks: int) -> None:
        more = tasks - len(self._scores)
        if more > 0:
            more += tasks  # doubled, so that growing by one task at a time stays cheap
            self._scores = np.append(self._scores, np.full(more, math.nan))
            self._sums, self._counts = (np.append(part, np.zeros(more)) for part in (self._sums, self._counts))
