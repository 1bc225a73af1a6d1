"""How long runs take to get back to where they were, after the tasks have changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.censored import Censored, censored
from toolkit.stats.estimate import Floats, check_level


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Recovery(Censored):
    """Tasks until runs were back at their level before a change, with those that never were.

    Parameters
    ----------
    times, followed, median, low, high, level, runs, reached, reason
        As of `Censored`: tasks after the change; a run is left out whose level before is unknown.
    window : int
        Tasks that a level is taken over.
    """

    window: int

    def __repr__(self) -> str:
        told = f"; {self.reason}" if self.reason else ""
        return (
            f"Recovery(after {self.bounds} tasks, {self.reached} of {self.runs} runs by windows of {self.window}{told})"
        )


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
    >>> found.median, found.low, found.high, found.reached, found.runs
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
    nobody = "no run has a score both before and after the change; see which episodes failed"
    return Recovery(**censored(times, followed, level, "back", nobody), window=window)
