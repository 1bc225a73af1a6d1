"""Drift detectors judged: how long after a change they ring, whether at all, and how often for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.censored import Censored, censored
from toolkit.stats.estimate import Estimate, Floats, check_level

_PER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Censored):
    """Tasks from one change to the first alarm after it, over runs.

    Parameters
    ----------
    times, followed, median, low, high, level, runs, reached, reason
        As of `Censored`: tasks met under the new truth before the alarm, at least 1, and those up to the next change or
        the end; a run is left out that never met the change.
    at : int
        The first task under the new truth.
    """

    at: int

    @property
    def missed(self) -> int:
        """Runs in which nothing rang."""
        return self.runs - self.reached


def steepest_fall(values: ArrayLike) -> int:
    """How many of the last values come after the place at which the mean falls most clearly.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        At least two, in their order.

    Returns
    -------
    int
        From 1 to n - 1. Of equals the shortest.

    Raises
    ------
    ValueError
        For fewer values, or one that is not finite.

    Notes
    -----
    Of all places, the one at which ``(m1 - m2) sqrt(k (n - k) / n)`` is greatest, m1 being the mean of the k values
    before it and m2 that of the others: for a fall, the split of least squares, and the most likely place where values
    are normal and of one variance [1]_.

    References
    ----------
    .. [1] Hinkley (1970), Inference about the change-point in a sequence of random variables, Biometrika 57(1).

    Examples
    --------
    >>> steepest_fall([1, 1, 0, 1, 1, 0, 0, 1, 0, 0])
    5
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise ValueError(f"a fall needs two values or more, flat and finite, but they are {values!r:.80}")
    before = np.arange(1, len(numbers))
    after = len(numbers) - before
    sums = np.cumsum(numbers)
    gap = sums[:-1] / before - (sums[-1] - sums[:-1]) / after
    clear = gap * np.sqrt(before * after / len(numbers))
    return int(after[np.flatnonzero(clear >= clear.max() - 1e-12)[-1]])


def detection_delays(
    alarms: Sequence[Sequence[int]], changes: Sequence[int], tasks: Sequence[int], *, level: float = 0.95
) -> tuple[Delay, ...]:
    """How long it took, after each change, until the first alarm.

    Parameters
    ----------
    alarms : sequence of sequences of int
        By run: how many tasks it had met when an alarm rang, ascending.
    changes : sequence of int
        How many tasks every run has met before each change, ascending.
    tasks : sequence of int
        By run: how many tasks it met in all.
    level : float, in (0, 1)
        Coverage of the intervals, at least.

    Returns
    -------
    tuple of Delay
        One for each change. An alarm counts for the change that came last before it, however late it is; one that rings
        just when a change comes counts for what was before.

    Raises
    ------
    ValueError
        For changes that do not ascend, or numbers of runs that differ.

    Notes
    -----
    The interval of the median needs no distribution: it runs between order statistics of the runs (`recovery_time`).

    Examples
    --------
    >>> [found] = detection_delays([[12], [15, 18], [], [3, 11], [14], [13], [19]], [10], [20] * 7)
    >>> found.median, found.low, found.high, found.reached, found.runs
    (4.0, 1.0, inf, 6, 7)
    """
    check_level(level)
    lengths = _checked(alarms, changes, tasks)
    found = []
    for start, end in pairwise([*changes, math.inf]):
        ends = np.minimum(lengths, end)
        followed = np.maximum(0, ends - start)
        times = np.array([_first(own, start, stop) for own, stop in zip(alarms, ends, strict=True)])
        times[followed == 0] = math.nan
        nobody = "no run has met the change; go on with the study"
        found.append(Delay(**censored(times, followed, level, "alarmed", nobody), at=int(start)))
    return tuple(found)


def false_alarms(
    alarms: Sequence[Sequence[int]], changes: Sequence[int], tasks: Sequence[int], *, level: float = 0.95
) -> Estimate:
    """False alarms in 1000 tasks: those before any change, and those after a change's first alarm.

    Parameters
    ----------
    alarms, changes, tasks, level
        As in `detection_delays`; without changes every alarm is false.

    Returns
    -------
    Estimate
        Alarms per 1000 tasks; `n` are the tasks that were looked at: those up to the first change, and those from the
        first alarm after a change to the next change. NaN where there are none.

    Raises
    ------
    ValueError
        As `detection_delays`.

    Notes
    -----
    The bounds are exact for a number of alarms that is Poisson [1]_: each alarm coming independently of the others.
    Runs that meet the same tasks are not wholly independent, so that the interval speaks of these tasks.

    References
    ----------
    .. [1] Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28.

    Examples
    --------
    >>> found = false_alarms([[3, 12], [15, 18]], [10], [20, 20])
    >>> round(found.value, 1), found.n
    (60.6, 33)
    """
    from scipy.special import gammaincinv  # type: ignore[import-untyped, unused-ignore]

    check_level(level)
    lengths = _checked(alarms, changes, tasks)
    count, looked = 0, 0
    for own, length in zip(alarms, lengths, strict=True):
        for start, end in pairwise([0, *changes, math.inf]):
            stop = min(float(length), end)
            rang = [place for place in own if start < place <= stop]
            since = 0.0 if not start else rang[0] if rang else stop
            looked += int(max(0.0, stop - since))
            count += len(rang) - bool(start and rang)
    edge, reason = (1 - level) / 2, ""
    low = high = value = math.nan
    if looked:
        value = _PER * count / looked
        low = _PER * float(gammaincinv(count, edge)) / looked if count else 0.0
        high = _PER * float(gammaincinv(count + 1, 1 - edge)) / looked
    else:
        reason = "no task came before a change or after its alarm: there is nowhere to look for false alarms"
    return Estimate(
        value, low, high, level, math.nan, looked, len(alarms), 0, math.nan, "exact Poisson",
        "alarms that come independently, on tasks like these", reason,
    )  # fmt: skip


def _checked(alarms: Sequence[Sequence[int]], changes: Sequence[int], tasks: Sequence[int]) -> Floats:
    """Tasks by run, as numbers."""
    if len(alarms) != len(tasks):
        raise ValueError(
            f"every run needs its alarms and its number of tasks, but there are {len(alarms)} and {len(tasks)}"
        )
    if any(later <= earlier for earlier, later in pairwise([0, *changes])):
        raise ValueError(f"changes must be ascending numbers of at least 1 but are {list(changes)!r}")
    return np.asarray(tasks, dtype=float)


def _first(own: Sequence[int], start: float, stop: float) -> float:
    return next((float(place - start) for place in sorted(own) if start < place <= stop), math.inf)
