"""When runs did something that some of them never did: the median over runs, with bounds, and what is open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from toolkit.stats.estimate import Floats

_FEWEST = "bounds from order statistics need more runs ({least} at {level:g}% and better more)"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Censored:
    """Tasks until each run did something, and the median over runs with those that never did.

    Parameters
    ----------
    times : ndarray of float, shape (R,)
        By run: tasks until it did; ``inf`` = not within the tasks it was followed for; NaN = it says nothing.
    followed : ndarray of float, shape (R,)
        Tasks within which a run would have been seen to do it.
    median, low, high : float
        Median over runs and its interval. `median` is NaN where half of the runs or more did not; `high` is ``inf``
        where the data set no upper bound.
    level : float
        Coverage, at least, of the interval.
    runs, reached : int
        Runs that say anything, and how many of them did it.
    reason : str
        Empty when all is well; else what is missing or open, and why.
    """

    times: Floats
    followed: Floats
    median: float
    low: float
    high: float
    level: float
    runs: int
    reached: int
    reason: str = ""

    @property
    def bounds(self) -> str:
        """Median and interval in words."""
        if math.isnan(self.median):
            return "n/a"
        low, high = ("n/a" if math.isnan(one) else f"{one:g}" for one in (self.low, self.high))
        return f"{self.median:g} [{low}, {high}]"


class _Parts(TypedDict):
    times: Floats
    followed: Floats
    median: float
    low: float
    high: float
    level: float
    runs: int
    reached: int
    reason: str


def censored(times: Floats, followed: Floats, level: float, did: str, nobody: str) -> _Parts:
    """The parts of a `Censored`: ``did`` says in a word what runs have been, ``nobody`` why none says anything."""
    runs, reached = int((~np.isnan(times)).sum()), int(np.isfinite(times).sum())
    median, low, high, reason = _median(times, followed, level, did)
    return _Parts(
        times=times, followed=followed, median=median, low=low, high=high, level=level, runs=runs, reached=reached,
        reason=reason if runs else nobody,
    )  # fmt: skip


def _median(times: Floats, followed: Floats, level: float, did: str) -> tuple[float, float, float, str]:
    """Median over runs, its bounds by order statistics, and what is missing."""
    known = np.sort(times[~np.isnan(times)])
    runs = len(known)
    censored = followed[np.isinf(times)]
    shortest = float(censored.min()) if len(censored) else math.inf
    middle = _mean(known[(runs - 1) // 2], known[runs // 2]) if runs else math.nan
    place = _place(runs, level)
    low, high = (float(known[place]), float(known[runs - 1 - place])) if place >= 0 else (math.nan, math.nan)
    reason = _why(level, place, known, middle, did)
    if math.isfinite(middle) and shortest < middle:
        middle, low, high = math.nan, math.nan, math.nan
        reason = f"a run was followed for {shortest:g} tasks only, and not {did} by then: go on with it"
    elif math.isfinite(low) and shortest < low:
        low = math.nan
    elif math.isfinite(high) and shortest < high:
        high = math.inf
    return (middle if math.isfinite(middle) else math.nan), (low if math.isfinite(low) else math.nan), high, reason


def _why(level: float, place: int, known: Floats, middle: float, did: str) -> str:
    runs = len(known)
    if not runs:
        return ""
    were = f"{int(np.isfinite(known).sum())} of {runs} runs were {did}"
    if math.isinf(middle):
        return f"{were}: the median lies beyond the end; use a longer stream"
    if place < 0:
        least = next(number for number in range(1, 10_000) if _place(number, level) >= 0)
        return f"{runs} runs: " + _FEWEST.format(least=least, level=100 * level)
    if math.isinf(known[runs - 1 - place]):
        return f"{were}: the upper bound is open; use a longer stream, or more runs"
    return ""


def _place(runs: int, level: float) -> int:
    """Place of the lower bound among the sorted times; -1 where there are too few."""
    from scipy.special import bdtr  # type: ignore[import-untyped, unused-ignore]

    below = [float(bdtr(k, runs, 0.5)) for k in range((runs + 1) // 2)]
    return sum(chance <= (1 - level) / 2 for chance in below) - 1


def _mean(one: float, two: float) -> float:
    return float(one) if one == two else float((one + two) / 2)
