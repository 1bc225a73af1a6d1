"""What a gain costs: ratios of paired means with intervals, the Pareto front, the task from which a gain has paid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.stats.estimate import Codes, Estimate, Floats, both_there, check_level
from toolkit.stats.inference import two_way

_METHOD = "Fieller interval from the two-way cluster-robust t"
_DOUBLINGS = 60


def ratio(
    gain: ArrayLike,
    cost: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "session",
    of: str = "cost",
) -> Estimate:
    """Mean gain divided by mean cost, both paired differences of two arms, with an interval.

    Parameters
    ----------
    gain, cost : array_like of float, shape (n,)
        Per pair what one arm scored more than another, and what it cost more. A pair that misses either is left out.
    run, cluster, level, unit
        As in `two_way`.
    of : str
        What the cost is, in the plural or as a mass, for `reason`.

    Returns
    -------
    Estimate
        `value` in points of score for one unit of cost. Its p value is that of the gain, since the ratio is 0 where
        the gain is. Where the interval of the mean cost covers 0 the ratio may be anything: value and bounds are NaN,
        and `reason` gives that interval. With one run or one cluster, or gains without spread, the value stands alone.

    Raises
    ------
    ValueError
        As `two_way`.

    Notes
    -----
    The interval holds each r for which the two-way cluster-robust test of a mean of 0 for ``gain - r * cost`` does
    not reject [1]_, [2]_: Fieller's, with the variance of crossed runs and sessions. So it excludes 0 exactly where
    the interval of the gain does, and it is finite because the cost's excludes 0. A cost that is the same for every
    pair is taken as known: the interval is then the gain's, divided by it. The value is a ratio of means, not a mean
    of ratios: all gained over all spent.

    References
    ----------
    .. [1] Fieller (1954), Some problems in interval estimation, J. R. Stat. Soc. B 16(2).
    .. [2] Willan & O'Brien (1996), Confidence intervals for cost-effectiveness ratios: an application of Fieller's
       theorem, Health Econ. 5(4).

    Examples
    --------
    >>> gain = [1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1]
    >>> cost = [2, 3, 2, 2, 3, 2, 2, 3, 3, 2, 3, 2, 3, 2, 2, 2]
    >>> run, session = np.repeat([1, 2, 3, 4], 4), np.tile(["a", "b", "c", "d"], 4)
    >>> found = ratio(gain, cost, run, session)
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
    0.29 [0.16, 0.43]
    >>> ratio(gain, [1, -1] * 8, run, session, of="tokens").reason
    'the extra tokens are 0 on average: no ratio'
    """
    gains, paid, runs, clusters = both_there(gain, cost, run, cluster, "gain and cost")
    won = two_way(gains, runs, clusters, level=level, unit=unit)
    spent = two_way(paid, runs, clusters, level=level, unit=unit)
    nothing = replace(won, value=math.nan, low=math.nan, high=math.nan, df=math.nan, method=_METHOD)
    if not won.n:
        return nothing
    if abs(spent.value) <= 1e-12 * float(np.abs(paid).max()):
        return replace(nothing, p_value=math.nan, reason=f"the extra {of} are 0 on average: no ratio")
    if spent.low <= 0 <= spent.high:
        why = f"the interval of the extra {of}, [{spent.low:.3g}, {spent.high:.3g}], covers 0: the ratio is unbounded"
        return replace(nothing, p_value=math.nan, reason=why)
    alone = replace(nothing, value=won.value / spent.value)
    if math.isnan(won.low):
        return alone
    if math.isnan(spent.low) and not _constant(paid):
        return replace(alone, p_value=math.nan, reason=f"extra {of}: {spent.reason}")
    return _bounded(alone, gains, paid, runs, clusters, unit)


def _constant(values: Floats) -> bool:
    return float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max())


def balance(
    gains: Floats, costs: Floats, runs: Codes, clusters: Codes, level: float, unit: str
) -> tuple[Callable[[float], Estimate], float, float]:
    """Gain less cost at a ratio, estimated in units where both are about 1; and these units, of cost and of gain.

    It is 0 at the ratio of the totals. Where it is not told from 0 lies Fieller's set; see `fieller_end`.
    """
    sign = math.copysign(1.0, float(costs.mean()))
    size, least = float(np.abs(costs).max()), float(np.abs(gains).max())

    def found(at: float) -> Estimate:
        rest = sign * (gains / least - at * costs / size)
        return two_way(rest, runs, clusters, level=level, unit=unit)

    return found, size, least


def _bounded(alone: Estimate, gains: Floats, costs: Floats, runs: Codes, clusters: Codes, unit: str) -> Estimate:
    """The ratio with the ends of the set of those that are not rejected."""
    found, size, least = balance(gains, costs, runs, clusters, alone.level, unit)
    centre = alone.value * size / least
    start = found(centre)
    step = (start.high - start.value) * size / abs(float(costs.mean()))
    step = step if step > 0 else abs(centre) + 1.0
    low, high = (fieller_end(found, centre, way * step) * least / size for way in (-1.0, 1.0))
    if math.isnan(low + high):
        return replace(alone, reason="the set of ratios that are not rejected has no end; balance the data")
    if high - low <= 1e-9 * abs(alone.value):
        why = f"gain and cost are in one proportion: no spread to estimate an interval from; add {unit}s"
        return replace(alone, p_value=math.nan, reason=why)
    return replace(alone, low=low, high=high)


def fieller_end(found: Callable[[float], Estimate], centre: float, step: float) -> float:
    """Where the test begins to reject, going one way from the ratio of means; NaN if it never does."""
    from scipy.optimize import brentq  # type: ignore[import-untyped, unused-ignore]

    def left(at: float) -> float:
        """How far the interval still reaches beyond 0, against the direction its mean is moving in."""
        here = found(at)
        if math.isnan(here.low):  # no spread at all: an interval of no width
            return math.copysign(1.0, step) * here.value
        return here.high if step > 0 else -here.low

    inner = centre
    for doubling in range(_DOUBLINGS):
        outer = centre + step * 2.0**doubling
        if left(outer) < 0:
            edge = left(inner) > 0
            return float(brentq(left, inner, outer, xtol=1e-12 * (1 + abs(centre)), rtol=1e-10)) if edge else inner
        inner = outer
    return math.nan


def front(score: ArrayLike, cost: ArrayLike) -> NDArray[np.bool_]:
    """Which of several arms no other beats: none scores as much for less, or more for as little.

    Parameters
    ----------
    score, cost : array_like of float, shape (arms,)
        Means of each arm, more score and less cost being better. NaN = not known: such an arm is not on the front and
        keeps no other off it.

    Returns
    -------
    ndarray of bool, shape (arms,)
        True for arms on the Pareto front; equal arms are on it together. Means alone decide: two arms whose intervals
        overlap may change places with other runs.

    Raises
    ------
    ValueError
        When shapes differ or are not flat.

    References
    ----------
    .. [1] Kung, Luccio & Preparata (1975), On finding the maxima of a set of vectors, J. ACM 22(4).

    Examples
    --------
    >>> front([.2, .5, .4, .6], [10, 20, 30, 90]).tolist()
    [True, True, False, True]
    """
    scores, costs = np.asarray(score, dtype=float), np.asarray(cost, dtype=float)
    if scores.ndim != 1 or scores.shape != costs.shape:
        raise ValueError(f"score and cost must be flat and as long, not {scores.shape} and {costs.shape}; one per arm")
    known = ~(np.isnan(scores) | np.isnan(costs))
    as_good = (scores >= scores[:, None]) & (costs <= costs[:, None])
    better = as_good & ((scores > scores[:, None]) | (costs < costs[:, None]))
    return np.asarray(known & ~(better & known).any(axis=1))


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From which task on a gain has paid for itself.

    Parameters
    ----------
    tasks
        Per run the task, counted from 1, from which on the net gain stays above 0 to the run's end; NaN = never.
    median, low, high
        Over runs, those that never break even counting as later than all others. The bounds are those of the median
        for new orders. NaN where the place in question is held by a run that never breaks even, or there is none.
    level
        Nominal coverage; that of the bounds is at least this.
    runs, reached
        Runs with any pair, and those of them that break even.
    reason
        Empty when all is well; else what is missing, why, and the way out.
    """

    tasks: tuple[float, ...]
    median: float
    low: float
    high: float
    level: float
    runs: int
    reached: int
    reason: str = ""


def break_even(gain: ArrayLike, cost: ArrayLike, value: float, *, level: float = 0.95) -> BreakEven:
    """The task from which on all gained so far, at what it is worth, stays above all spent so far.

    Parameters
    ----------
    gain, cost : array_like of float, shape (R, T)
        Per run (one row each) and task, in the order met: what one arm scored more than another, and what it cost
        more, adapting included. NaN = no pair: it adds nothing and keeps its place.
    value : float, above 0
        What one point of score (one right answer) is worth, in the unit of the cost.
    level : float, in (0, 1)
        Coverage of the bounds of the median.

    Returns
    -------
    BreakEven
        The median is NaN if half of the runs or more never break even within the stream.

    Raises
    ------
    ValueError
        For a `value` not above 0, a `level` not within (0, 1), or shapes that are not equal and two-dimensional.

    Notes
    -----
    The net gain after t tasks is ``sum of value * gain_i - cost_i`` over i up to t: the net benefit of [1]_, along
    the stream. It says nothing about tasks after the last one. The bounds are order statistics of the runs: the k-th
    and the k-th from the end hold the median with probability ``1 - 2 P(Bin(R, 1/2) < k)`` [2]_, for the largest k
    that keeps the level; at .95 that needs 6 runs.

    References
    ----------
    .. [1] Stinnett & Mullahy (1998), Net health benefits, Med. Decis. Making 18(2) suppl.
    .. [2] Thompson (1936), On confidence ranges for the median and other expectation distributions, Ann. Math. Stat.
       7(3).

    Examples
    --------
    >>> found = break_even([[0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1]], [[1, 1, 1, 1]] * 3, value=2)
    >>> found.tasks, found.median, found.reached
    ((3.0, nan, 1.0), 3.0, 2)
    """
    check_level(level)
    gains, costs = np.asarray(gain, dtype=float), np.asarray(cost, dtype=float)
    if gains.ndim != 2 or gains.shape != costs.shape:
        raise ValueError(f"gain and cost must be runs x tasks, not of shape {gains.shape} and {costs.shape}")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"value must be above 0, not {value}; give what one right answer is worth, in the cost's unit")
    net = value * gains - costs
    there = ~np.isnan(net)
    begun = there.any(axis=1)
    places = np.array([_stays_above(row) for row in np.where(there, net, 0.0)[begun]])
    return _over_runs(places, level)


def _stays_above(net: Floats) -> float:
    """The first task from which on the running sum is above 0 to the end, counted from 1; infinite if it is not."""
    total = np.cumsum(net)
    below = np.flatnonzero(total <= 1e-12 * np.abs(net).sum())  # sums of equal gain and cost differ in the last bits
    first = int(below[-1]) + 1 if len(below) else 0
    return math.inf if first == len(net) else first + 1.0


def _over_runs(places: Floats, level: float) -> BreakEven:
    runs, reached = len(places), int(np.isfinite(places).sum())
    tasks = tuple(float(place) if math.isfinite(place) else math.nan for place in places)
    ordered = np.sort(places)
    middle = float(ordered[[(runs - 1) // 2, runs // 2]].mean()) if runs else math.nan
    from_end = _place(runs, level)
    low, high = (ordered[from_end - 1], ordered[runs - from_end]) if from_end else (math.nan, math.nan)
    median, low, high = (float(bound) if math.isfinite(bound) else math.nan for bound in (middle, low, high))
    return BreakEven(tasks, median, low, high, level, runs, reached, _why(runs, reached, from_end, high, level))


def _place(runs: int, level: float) -> int:
    """The largest k whose order statistics hold the median at the level; 0 if there are too few runs for any."""
    outside, k = 0.0, 0
    while k < runs / 2:
        outside += 2 * math.comb(runs, k) / 2**runs
        if outside > 1 - level + 1e-12:
            break
        k += 1
    return k


def _why(runs: int, reached: int, from_end: int, high: float, level: float) -> str:
    if not runs:
        return "no pairs: nothing to add up; see which episodes failed"
    told = []
    if 2 * reached <= runs:
        told.append(f"{runs - reached} of {runs} runs have not broken even by their last task")
    if not from_end:
        least = math.ceil(1 - math.log2(1 - level) - 1e-9)
        told.append(f"{runs} runs: bounds of the median at {100 * level:g} % need {least} or more; see the runs' own")
    elif math.isnan(high) and 2 * reached > runs:
        told.append("the upper bound lies beyond the stream")
    return "; ".join(told)
