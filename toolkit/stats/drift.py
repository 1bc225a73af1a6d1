"""How long runs take to get back to where they were, after the tasks have changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Floats, check_level

_FEWEST = "bounds from order statistics need more runs ({least} at {level:g}% and better more)"


@dataclass(frozen=True, slots=True, repr=False)
class Recovery:
    """Tasks until runs were back at their level before a change, with those that never were.

    Parameters
    ----------
    times : ndarray of float, shape (R,)
        By run: tasks after the change; ``inf`` = not back within the tasks it met; NaN = its level before is unknown.
    followed : ndarray of int, shape (R,)
        Tasks that each run met after the change.
    median, low, high : float
        Median over runs and its interval. `median` is NaN where half of the runs or more were not back; `high` is
        ``inf`` where the data set no upper bound.
    level : float
        Coverage, at least, of the interval.
    runs, recovered : int
        Runs whose level before is known, and how many of them came back.
    window : int
        Tasks that a level is taken over.
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
    recovered: int
    window: int
    reason: str = ""

    def __repr__(self) -> str:
        bounds = "n/a" if math.isnan(self.median) else f"{self.median:g} [{self.low:g}, {self.high:g}]"
        told = f"; {self.reason}" if self.reason else ""
        return f"Recovery(after {bounds} tasks, {self.recovered} of {self.runs} runs by windows of {self.window}{told})"


def recovery_time(
    scores: ArrayLike, at: int, *, window: int = 20, tolerance: float = 0.0, level: float = 0.95
) -> Recovery:
    """Tasks after a change until each run's windowed mean is back at its level before, and the median over runs.

    Parameters
    ----------
    scores : array_like of float, shape (R, T)
        One row per run; NaN = no score, left out of the means.
    at : int
        Tasks met before the change, at least `window`: the same in all runs.
    window : int, at least 1
        Tasks that a level is taken over: the last before the change; and after it such windows as hold no task from
        before. So a recovery takes at least `window` tasks, also where nothing was lost.
    tolerance : float, at least 0
        A run is back once it is no more than this below its level before.
    level : float, in (0, 1)
        Coverage of the interval, at least.

    Returns
    -------
    Recovery
        A run that is not back when its tasks end says only that it takes longer. It counts, as later than all, in the
        median and its bounds; these are NaN where such a run was followed for less than they come to.

    Raises
    ------
    ValueError
        For a parameter out of range, or scores that are not two-dimensional.

    Notes
    -----
    The interval runs from the k-th smallest to the k-th largest time, with the largest k for which a binomial count
    of R runs with chance 1/2 is below k with chance (1 - level) / 2 at most [1]_; it needs no distribution, and 6 runs
    for 95 %. Noise brings a windowed mean across a line early: compare arms at equal windows, and take wide ones.

    References
    ----------
    .. [1] Conover (1999), Practical nonparametric statistics, 3rd ed., section 3.2.

    Examples
    --------
    >>> lost = [[1] * 10 + [0] * wait + [1] * (30 - wait) for wait in (2, 4, 4, 5, 6, 9, 28)]
    >>> found = recovery_time(lost, 10, window=5)
    >>> found.median, found.low, found.high, found.recovered, found.runs
    (10.0, 7.0, inf, 6, 7)
    >>> recovery_time(lost[:6], 10, window=5)
    Recovery(after 9.5 [7, 14] tasks, 6 of 6 runs by windows of 5)
    """
    check_level(level)
    numbers = np.asarray(scores, dtype=float)
    if numbers.ndim != 2:
        raise ValueError(f"scores must be runs x episodes, not of shape {numbers.shape}; one run is [scores]")
    if not (window >= 1 and at >= window):
        raise ValueError(f"at must be at least window, and that at least 1, not {at} and {window}; shorten the window")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be at least 0 and finite, not {tolerance}; 0 where in doubt")
    there = ~np.isnan(numbers)
    last = np.where(there.any(axis=1), numbers.shape[1] - np.argmax(there[:, ::-1], axis=1), 0)
    followed = np.maximum(0, last - at).astype(float)
    times = np.array([_time(row, at, window, tolerance) for row in numbers])
    times[(followed < window) & ~np.isnan(times)] = math.inf
    return _summary(times, followed, window, level)


def _time(row: Floats, at: int, window: int, tolerance: float) -> float:
    before = row[at - window : at]
    return math.nan if np.isnan(before).all() else first_reach(row[at:], float(np.nanmean(before)) - tolerance, window)


def first_reach(scores: Floats, target: float, window: int) -> float:
    """Tasks at the end of the first window whose mean is at the target or above; ``inf`` where none is."""
    sums, count = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.nan_to_num(scores), ~np.isnan(scores)))
    total, number = sums[window:] - sums[:-window], count[window:] - count[:-window]
    means = np.divide(total, number, out=np.full(len(total), -math.inf), where=number > 0)
    there = np.flatnonzero(means >= target - 1e-9)  # sums in another order differ in last bits
    return float(there[0] + window) if len(there) else math.inf


def _summary(times: Floats, followed: Floats, window: int, level: float) -> Recovery:
    runs, recovered = int((~np.isnan(times)).sum()), int(np.isfinite(times).sum())
    median, low, high, reason = censored_median(times, followed, level, "back")
    if not runs:
        reason = "no run has a score both before and after the change; see which episodes failed"
    return Recovery(times, followed, median, low, high, level, runs, recovered, window, reason)


def censored_median(times: Floats, followed: Floats, level: float, did: str) -> tuple[float, float, float, str]:
    """Median of times over runs, its bounds by order statistics, and what is missing; ``inf`` = not within `followed`.

    ``did`` says in a word what runs have been by then: "back", "alarmed".
    """
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
        return "no run says anything"
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
