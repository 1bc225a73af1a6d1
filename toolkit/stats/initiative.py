"""Acting, asking and staying silent in numbers: ratios of totals with intervals, pass^k, and what initiative is worth.

A precision is a ratio of totals: all right offers over all offers, whichever episodes they fell in. Its interval comes
from the same two-way cluster-robust t as everywhere, on the ratio made linear, so that runs and tasks stay crossed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.cost import balance, fieller_end
from toolkit.stats.estimate import Codes, Estimate, Floats, aligned, both_there
from toolkit.stats.inference import two_way
from toolkit.stats.single import one_way

_LINEAR = "two-way cluster-robust t on the linearised ratio of totals"
_FIELLER = "Fieller interval from the two-way cluster-robust t"
_ANY = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Pooled:
    """A number made of totals over episodes, and what each episode adds to it.

    Parameters
    ----------
    value : float
        The number; NaN where it is not defined, and then `reason` says why.
    values : ndarray of float, shape (n,)
        One per episode, `value` in the mean: its first-order expansion in that episode's counts. NaN = missing.
    span : tuple of float
        Where the number can lie at all; bounds of intervals are cut there.
    reason : str
        Why there is no number.
    method : str
        How its interval is made.
    """

    value: float
    values: Floats
    span: tuple[float, float] = _ANY
    reason: str = ""
    method: str = _LINEAR

    def estimate(self, run: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, unit: str = "session") -> Estimate:
        """The number with its interval; ``run``, ``cluster``, ``level`` and ``unit`` as in `two_way`."""
        found = two_way(self.values, run, cluster, level=level, unit=unit)
        if math.isnan(self.value):
            return replace(found, method=self.method, reason=self.reason or found.reason)
        low, high = (float(np.clip(bound, *self.span)) for bound in (found.low, found.high))
        return replace(found, value=self.value, low=low, high=high, method=self.method)

    def minus(self, other: Pooled) -> Pooled:
        """How much it is more than another one of the same episodes, counting only those that both have.

        The expansion of each stays that of all its episodes: pair them before where some are missing.
        """
        least, most = self.span[0] - other.span[1], self.span[1] - other.span[0]
        why = self.reason or other.reason
        return Pooled(self.value - other.value, self.values - other.values, (least, most), why, self.method)


def pooled(over: ArrayLike, under: ArrayLike, *, why: str, span: tuple[float, float] = (0.0, math.inf)) -> Pooled:
    """One total over another: sums first, then the ratio, so that an episode counts by how much happened in it.

    Parameters
    ----------
    over, under : array_like of float, shape (n,)
        Counts of each episode, those of ``under`` at least 0. NaN in either = missing: it counts in neither.
    why : str
        The reason that is given where the total of ``under`` is 0.
    span : tuple of float
        Where the ratio can lie.

    Returns
    -------
    Pooled
        See there for its interval.

    Raises
    ------
    ValueError
        When shapes differ or are not flat.

    Notes
    -----
    With R the ratio and u the mean of ``under``, an episode's value is ``R + (over - R * under) / u``: the delta
    method [1]_, [2]_. Its mean is R, and the variance of that mean is, to first order, that of R.

    References
    ----------
    .. [1] Cochran (1977), Sampling techniques, 3rd ed., chapter 6 (the ratio estimator).
    .. [2] Deng, Knoblich & Lu (2018), Applying the delta method in metric analytics, KDD, arXiv:1803.06336.

    Examples
    --------
    >>> found = pooled([2, 0, 1], [3, 0, 1], why="no offer was made")
    >>> print(found.value, found.values.mean().round(12))
    0.75 0.75
    """
    top, bottom = np.asarray(over, dtype=float), np.asarray(under, dtype=float)
    if top.ndim != 1 or top.shape != bottom.shape:
        raise ValueError(f"counts must be flat and one per episode, not of shape {top.shape} and {bottom.shape}")
    there = ~(np.isnan(top) | np.isnan(bottom))
    if not there.any() or not bottom[there].sum():
        return Pooled(math.nan, np.full(top.shape, math.nan), span, why if there.any() else "")
    value = float(top[there].sum() / bottom[there].sum())
    values = value + (top - value * bottom) / float(bottom[there].mean())
    return Pooled(value, np.where(there, values, math.nan), span)


def mean(values: ArrayLike, *, span: tuple[float, float] = (0.0, math.inf)) -> Pooled:
    """What there is in an episode, in the mean; NaN = missing."""
    numbers = np.asarray(values, dtype=float)
    known = numbers[~np.isnan(numbers)]
    value = float(known.mean()) if len(known) else math.nan
    return Pooled(value, numbers, span, method="two-way cluster-robust t")


def f1(hits: ArrayLike, false_alarms: ArrayLike, misses: ArrayLike) -> Pooled:
    """F1 of offers, ``2 TP / (2 TP + FP + FN)``: the harmonic mean of precision and recall, 0 for the ever silent."""
    right = 2 * np.asarray(hits, dtype=float)
    wrong = np.asarray(false_alarms, dtype=float) + np.asarray(misses, dtype=float)
    return pooled(right, right + wrong, why="nothing was offered and nothing was needed", span=(0.0, 1.0))


def ask_f1(useful: ArrayLike, questions: ArrayLike, found: ArrayLike, blockers: ArrayLike) -> Pooled:
    """Ask-F1 [1]_: the harmonic mean of question precision and blocker recall, both of totals.

    Parameters
    ----------
    useful, questions, found, blockers : array_like of float, shape (n,)
        Of each episode: questions whose answer was needed, all questions, needs that were found by asking, and all
        needs that only asking can find. NaN = missing.

    Returns
    -------
    Pooled
        0 where there were blockers and none was found, as for one who never asks; NaN where there were none.

    Notes
    -----
    With p the precision and r the recall it is ``2 p r / (p + r)``, and each episode's value adds those of p and r
    times the derivatives ``2 r**2 / (p + r)**2`` and ``2 p**2 / (p + r)**2``.

    References
    ----------
    .. [1] Elfeki, Trinh, Luu et al. (2026), HiL-Bench: Do agents know when to ask for help?, arXiv:2604.09408.

    Examples
    --------
    >>> round(ask_f1([1, 1], [1, 3], [1, 1], [1, 1]).value, 3)  # precision 0.5, recall 1
    0.667
    """
    p = pooled(useful, questions, why="no question was asked", span=(0.0, 1.0))
    r = pooled(found, blockers, why="nothing had to be asked for", span=(0.0, 1.0))
    if math.isnan(r.value) or (math.isnan(p.value) and r.value > 0):
        return replace(r, value=math.nan, values=np.full(r.values.shape, math.nan), reason=r.reason or p.reason)
    if not r.value or not p.value:
        return replace(r, value=0.0, values=np.where(np.isnan(r.values), math.nan, 0.0))
    both = p.value + r.value
    value = 2 * p.value * r.value / both
    by_p, by_r = 2 * (r.value / both) ** 2, 2 * (p.value / both) ** 2
    return replace(r, value=value, values=value + by_p * (p.values - p.value) + by_r * (r.values - r.value))


def pass_hat(passed: ArrayLike, task: ArrayLike, k: int) -> tuple[Floats, Codes]:
    """pass^k of each task [1]_: the chance that k runs of it, drawn from those that there are, all succeed.

    Parameters
    ----------
    passed : array_like of float, shape (n,)
        1 = the run succeeded at the task, 0 = it did not, NaN = missing.
    task : array_like, shape (n,)
        Labels of the tasks.
    k : int, at least 1
        Runs that must all succeed.

    Returns
    -------
    values : ndarray of float, shape (tasks,)
        ``C(c, k) / C(n, k)`` for c successes in n runs; NaN for a task with fewer than k runs.
    first : ndarray of int, shape (tasks,)
        Where in ``task`` each task is first met.

    Raises
    ------
    ValueError
        For k below 1, shapes that differ, or values other than 0 and 1.

    References
    ----------
    .. [1] Yao, Shinn, Razavi & Narasimhan (2024), tau-bench: A benchmark for tool-agent-user interaction in real-world
       domains, arXiv:2406.12045.

    Examples
    --------
    >>> pass_hat([1, 1, 1, 0], ["a", "a", "b", "b"], 2)[0].tolist()
    [1.0, 0.0]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1 but is {k}: so many runs must all succeed")
    numbers, labels = np.asarray(passed, dtype=float), np.asarray(task)
    aligned(numbers, labels, labels)  # for its checks: codes are wanted of tasks without values too
    _, codes, _ = aligned(np.zeros(numbers.shape), labels, labels)
    there = ~np.isnan(numbers)
    if not np.isin(numbers[there], (0, 1)).all():
        strange = numbers[there & ~np.isin(numbers, (0, 1))][0]
        raise ValueError(f"passed must be 0 or 1 but one is {strange:g}; compare a score with what counts as passed")
    size = int(codes.max(initial=-1)) + 1
    tried = np.bincount(codes[there], minlength=size)
    won = np.bincount(codes[there], weights=numbers[there], minlength=size).astype(int)
    values = [math.comb(c, k) / math.comb(n, k) if n >= k else math.nan for c, n in zip(won, tried, strict=True)]
    return np.asarray(values, dtype=float), np.unique(codes, return_index=True)[1]


def pass_estimate(
    values: ArrayLike, cluster: ArrayLike, k: int, *, level: float = 0.95, unit: str = "session"
) -> Estimate:
    """The mean of `pass_hat` over tasks, or of its differences between arms, tasks being drawn.

    Runs are alike but for chance here, as pass^k takes them to be; what an order does to all tasks of its run is not in
    the interval. It is skewed where few tasks pass: with 50 tasks and k = 8 a nominal .95 was seen to cover .91.
    """
    found = one_way(values, cluster, level=level, unit=unit)
    why = f"k = {k} needs {k} runs of a task or more; add runs" if not found.n else found.reason
    return replace(found, target=f"new {unit}s drawn like these, in runs like these", reason=why)


def utilities(
    hits: ArrayLike,
    false_alarms: ArrayLike,
    misses: ArrayLike,
    silences: ArrayLike,
    costs: Sequence[float],
    *,
    missed: float = 0.0,
) -> tuple[Pooled, ...]:
    """What initiative is worth per 100 events, in units of what a hit is worth, for several costs of a false alarm.

    Parameters
    ----------
    hits, false_alarms, misses, silences : array_like of float, shape (n,)
        Of each episode: events nobody prompted for that were acted upon rightly, or though there was no need, or let
        pass though there was one, or rightly. NaN = missing.
    costs : sequence of float, each at least 0
        c/b: what a false alarm costs, a hit being worth 1.
    missed : float, at least 0
        m/b: what a miss costs.

    Returns
    -------
    tuple of Pooled
        ``100 (TP - c/b FP - m/b FN) / (TP + FP + FN + TN)`` for each cost. Rightly silent is worth 0.

    Raises
    ------
    ValueError
        If a cost is below 0 or not finite.

    Examples
    --------
    >>> [round(one.value, 6) for one in utilities([2, 2], [1, 3], [0, 0], [2, 0], [0.0, 1.0, 2.0])]
    [40.0, 0.0, -40.0]
    """
    told = (*costs, missed)
    if not all(math.isfinite(one) and one >= 0 for one in told):
        raise ValueError(f"costs are multiples of what a hit is worth, at least 0, not {list(told)!r}")
    tp, fp, fn, tn = (np.asarray(one, dtype=float) for one in (hits, false_alarms, misses, silences))
    won, events = tp - missed * fn, tp + fp + fn + tn
    why = "no event that nobody prompted for"
    return tuple(pooled(100 * (won - cost * fp), events, why=why, span=_ANY) for cost in costs)


def break_even_cost(
    gain: ArrayLike,
    alarms: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "session",
) -> Estimate:
    """What a false alarm may cost, in hits, before one is better off with the rival, or with silence.

    Parameters
    ----------
    gain : array_like of float, shape (n,)
        Of each episode what was won over the rival: hits more, and ``m/b`` times misses fewer. Over silence, which hits
        nothing and misses all that is needed, ``(1 + m/b) * hits``.
    alarms : array_like of float, shape (n,)
        False alarms more than the rival's; over silence all of them. NaN in either = missing.
    run, cluster, level, unit
        As in `two_way`.

    Returns
    -------
    Estimate
        c/b at which ``gain - c/b * alarms`` is 0: total gain over total alarms. Where alarms are more than the rival's
        it pays below that, else above. Below 0 it lies where it pays at no cost, or at every. NaN with a reason where
        there are as many alarms as the rival's. A bound is infinite where the alarms are so few, or differ so little,
        that no cost is rejected on that side.

    Raises
    ------
    ValueError
        As `two_way`.

    Notes
    -----
    ``U = b TP - c FP - m FN`` is linear in c, so the place where two arms are equal is a ratio of totals. Its interval
    is Fieller's [1]_: every cost at which the two-way test does not reject that the arms are worth the same.

    References
    ----------
    .. [1] Fieller (1954), Some problems in interval estimation, J. R. Stat. Soc. B 16(2).

    Examples
    --------
    >>> run, task = np.repeat([1, 2, 3], 4), np.tile([1, 2, 3, 4], 3)
    >>> hits, alarms = [1, 2, 1, 2, 2, 2, 1, 1, 1, 2, 2, 1], [2, 1, 1, 1, 2, 1, 2, 1, 1, 1, 2, 1]
    >>> found = break_even_cost(hits, alarms, run, task)
    >>> print(f"{found.value:.3f}", found.low < found.value < found.high)
    1.125 True
    >>> break_even_cost(hits, [0] * 12, run, task).reason
    'as many false alarms as the rival, and more gained: it pays at every cost'
    """
    won, more, runs, clusters = both_there(gain, alarms, run, cluster, "gain and alarms")
    start = two_way(won, runs, clusters, level=level, unit=unit)
    start = replace(start, value=math.nan, low=math.nan, high=math.nan, p_value=math.nan, df=math.nan, method=_FIELLER)
    if not len(more):
        return start
    gained = float(won.sum())
    if abs(float(more.sum())) <= 1e-12 * float(np.abs(more).sum()):
        then = "more gained: it pays at every cost" if gained > 0 else "less gained: it pays at no cost"
        return replace(start, reason=f"as many false alarms as the rival, and {then if gained else 'as much gained'}")
    start = replace(start, value=gained / float(more.sum()))
    if not won.any():
        return replace(start, reason="nothing was gained: it pays at no cost")
    return _between(start, won, more, runs, clusters, unit)


def _between(start: Estimate, gains: Floats, alarms: Floats, runs: Codes, clusters: Codes, unit: str) -> Estimate:
    """The break-even cost with the ends of the set of those that are not rejected."""
    worth, size, most = balance(gains, alarms, runs, clusters, start.level, unit)
    centre = start.value * size / most
    here = worth(centre)
    if math.isnan(here.low):
        return replace(start, reason=here.reason)
    step = (here.high - here.low) / 2 * size / abs(float(alarms.mean()))
    # Towards 0 the first look is at 0 itself, the test of the gain alone: what lies beyond may not be rejected again.
    down, up = (-centre if centre > 0 else -step), (-centre if centre < 0 else step)
    low, high = (fieller_end(worth, centre, way) * most / size for way in (down, up))
    open_ = [name for name, bound in (("lower", low), ("upper", high)) if math.isnan(bound)]
    why = f"no {' and no '.join(open_)} bound: too few false alarms, or too equal ones; add runs" if open_ else ""
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    return replace(start, low=low, high=high, reason=why or here.reason)
