"""How many tasks runs need to reach a level: when each does, and the median over runs with those that never do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.censored import Censored, censored
from toolkit.stats.drift import first_reach
from toolkit.stats.estimate import Floats, check_level


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Reaching(Censored):
    """Tasks until runs reached a level, with those that never did.

    Parameters
    ----------
    times, followed, median, low, high, level, runs, reached, reason
        As of `Censored`: tasks met when a run had reached the level; a run is left out that has no score.
    rule : str
        When a run counts as having reached it.
    """

    rule: str

    def __repr__(self) -> str:
        told = f"; {self.reason}" if self.reason else ""
        return f"Reaching({self.bounds} tasks, {self.reached} of {self.runs} runs: {self.rule}{told})"


def reaching_time(scores: ArrayLike, target: float, *, window: int = 20, level: float = 0.95) -> Reaching:
    """Tasks until the mean of each run's last `window` scores is at a target or above, and the median over runs.

    Parameters
    ----------
    scores : array_like of float, shape (R, T)
        One row per run, in the order its tasks were met; NaN = no score, left out of the means.
    target : float
        The level to be reached; taken as known.
    window : int, at least 1
        Tasks that a mean is taken over: nothing is reached before so many.
    level : float, in (0, 1)
        Coverage of the interval, at least.

    Returns
    -------
    Reaching
        A run that never reaches it counts, as later than all, in the median and its bounds.

    Raises
    ------
    ValueError
        For a window below 1, a target that is not finite, or scores that are not two-dimensional.

    Notes
    -----
    Medians and bounds as in `toolkit.stats.recovery_time`: order statistics, with runs that were not followed long
    enough as censored [1]_. Noise brings a mean of few tasks across a line early: take wide windows.

    References
    ----------
    .. [1] Conover (1999), Practical nonparametric statistics, 3rd ed., section 3.2.

    Examples
    --------
    >>> reaching_time([[0] * wait + [1] * (30 - wait) for wait in (2, 4, 4, 5, 6, 9)], 0.8, window=5)
    Reaching(8.5 [6, 13] tasks, 6 of 6 runs: mean of the last 5 tasks at the target or above)
    """
    numbers = _checked(scores, target, level)
    if window < 1:
        raise ValueError(f"window must be at least 1 task, not {window}; 20 is usual")
    there = ~np.isnan(numbers)
    last = np.where(there.any(1), numbers.shape[1] - np.argmax(there[:, ::-1], axis=1), 0) if numbers.size else 0
    followed = np.broadcast_to(np.asarray(last, dtype=float), len(numbers))
    times = np.array([first_reach(row, target, window) if len(row) >= window else math.inf for row in numbers])
    times = np.where(followed > 0, times, math.nan)
    return _summary(times, followed, level, f"mean of the last {window} tasks at the target or above")


def exam_time(scores: ArrayLike, at: ArrayLike, target: float, *, hold: int = 2, level: float = 0.95) -> Reaching:
    """Tasks until a run's exams are at a target or above, `hold` of them in a row, and the median over runs.

    Parameters
    ----------
    scores : array_like of float, shape (R, E)
        Mean score of each run in each exam; NaN = not asked.
    at : array_like of float, shape (E,)
        Tasks met before each exam, ascending.
    target : float
        The level to be reached; taken as known.
    hold : int, at least 1
        Exams in a row that must be there; the moment is the first of them. The last exams can only confirm.
    level : float, in (0, 1)
        Coverage of the interval, at least.

    Returns
    -------
    Reaching
        As `reaching_time`; times are those of exams: what was reached between two of them counts for the later.

    Raises
    ------
    ValueError
        As `reaching_time`; also for exams that do not ascend.

    Examples
    --------
    >>> exams = [[0.1, 0.6, 0.2, 0.7, 0.8], [0.2, 0.7, 0.9, 0.6, 0.9]]
    >>> found = exam_time(exams, [0, 10, 20, 30, 40], 0.5)
    >>> found.times.tolist(), found.followed.tolist(), found.median
    ([30.0, 10.0], [30.0, 30.0], 20.0)
    """
    numbers, places = _checked(scores, target, level), np.asarray(at, dtype=float)
    if places.shape != numbers.shape[1:] or (np.diff(places) <= 0).any():
        raise ValueError(f"at must hold one ascending number of tasks per exam, not {places.tolist()[:20]}")
    if hold < 1:
        raise ValueError(f"hold must be at least 1 exam, not {hold}; 2 asks for a second one that confirms the first")
    found = [_first_exam(row, places, target, hold) for row in numbers]
    times, followed = (np.array([one[part] for one in found], dtype=float) for part in (0, 1))
    rule = "an exam at the target or above" if hold == 1 else f"{hold} exams in a row at the target or above"
    return _summary(times, followed, level, rule)


def _first_exam(row: Floats, places: Floats, target: float, hold: int) -> tuple[float, float]:
    asked = ~np.isnan(row)
    own, at = row[asked], places[asked]
    if len(own) < hold:
        return math.nan, 0.0
    up = np.lib.stride_tricks.sliding_window_view(own >= target - 1e-9, hold).all(axis=1)
    return (float(at[int(np.argmax(up))]) if up.any() else math.inf), float(at[len(own) - hold])


def _checked(scores: ArrayLike, target: float, level: float) -> Floats:
    check_level(level)
    numbers = np.asarray(scores, dtype=float)
    if numbers.ndim != 2:
        raise ValueError(f"scores must be two-dimensional, one row per run, not of shape {numbers.shape}")
    if not math.isfinite(target):
        raise ValueError(f"target must be finite, not {target}; see why the level to be reached is unknown")
    return numbers


def _summary(times: Floats, followed: Floats, level: float, rule: str) -> Reaching:
    nobody = "no run has scores enough; see which episodes failed"
    return Reaching(**censored(times, followed, level, "there", nobody), rule=rule)
