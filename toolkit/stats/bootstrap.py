"""The crossed bootstrap: whole runs and, independently, whole sessions are drawn anew. Beside `two_way` as a check.

Scores are often discrete: right or wrong, hence differences of -1, 0 and 1. Sessions with equal sums are then
exchangeable in a resample, so that only how many of each class are drawn matters: a multinomial draw over a few classes
in the place of thousands of picks. With few runs that are equally full nothing need be drawn at all, see
`toolkit.stats.resampled`. It is the same distribution, not an approximation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Codes, Estimate, Floats, aligned, draft
from toolkit.stats.inference import tables, two_way
from toolkit.stats.resampled import distribution

_BLOCK = 200_000  # weights held at once: what a processor keeps near
_CLASS = 8  # a class costs about as much to draw as so many single picks
_PATTERN = 4  # resamples that must share a choice of runs before it pays to look at that choice by itself
_DIGITS = 12  # sums that differ by less than 1e-12 of the largest are the same: they were added up in another order


def crossed_bootstrap(
    values: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
    unit: str = "session",
) -> Estimate:
    """Mean with a percentile interval from resampling whole runs and, independently, whole sessions (or tasks).

    Parameters
    ----------
    values, run, cluster, level, unit
        As in `two_way`.
    rng : numpy.random.Generator
        The only source of chance.
    draws : int, at least 100
        Resamples, where any are drawn. The smallest p value that can come out is ``2 / (draws + 1)``.

    Returns
    -------
    Estimate
        `df` is NaN. NaN bounds with a reason as in `two_way`. Percentiles of a few runs lie too close together when
        runs differ much (5 such runs: .86 where .95 is claimed); then the interval is narrower than that of `two_way`
        and `reason` says so.

    Raises
    ------
    ValueError
        As `two_way`, and for fewer than 100 draws.

    Notes
    -----
    Each draw weighs an observation by (times its run was drawn) x (times its cluster was drawn). With the cell sums
    S, the cell counts N and one row of weights per draw, all means are ``((W_run @ S) * W_cluster).sum(1)`` over the
    same with N. It errs towards wide: noise of single cells is counted more than once [1]_.

    Where scores lie on a grid and up to six runs are equally full, the distribution of the means is computed and not
    drawn: as if draws were endless. Else, where clusters fall in few classes of equal columns of S and N, or do so
    once the runs are drawn, W_cluster is drawn class by class, multinomially; else cluster by cluster.

    References
    ----------
    .. [1] Owen & Eckles (2012), Bootstrapping data arrays of arbitrary order, Ann. Appl. Stat. 6(3).
    .. [2] Davezies, D'Haultfoeuille & Guyonvarch (2021), Empirical process results for exchangeable arrays,
       Ann. Stat. 49(2).

    Examples
    --------
    >>> scores = [[1, 0, 1, 1], [0, 0, 1, 1], [1, 0, 1, 0]]
    >>> run, session = np.repeat([1, 2, 3], 4), np.tile([1, 2, 3, 4], 3)
    >>> found = crossed_bootstrap(np.ravel(scores), run, session, rng=np.random.default_rng(1))
    >>> print(f"{found.value:.2f}", found.low < found.value < found.high)
    0.58 True
    """
    if draws < 100:
        raise ValueError(f"draws must be at least 100, not {draws}; 2000 is usual")
    kept, runs, clusters = aligned(values, run, cluster)
    start = draft(kept, runs, clusters, level, "crossed bootstrap, percentile", unit)
    if start.reason:
        return start
    means, shares = _resampled(kept - start.value, runs, clusters, rng, draws)
    empty = int(np.isnan(means).sum())  # a draw may hit only empty cells
    if empty > 0.01 * draws:
        why = f"{empty} of {draws} resamples hold no value; the {unit}s of the runs hardly overlap"
        return replace(start, reason=why)
    low, high = (bound + start.value for bound in _quantiles(means, shares, level))
    if low == high:
        return replace(start, reason=f"all resamples have the same mean; add runs and {unit}s")
    tie = 1e-12 * float(np.abs(kept).max())  # a mean of 0 may come out with some last bits
    tails = (shares[means + start.value <= tie].sum(), shares[means + start.value >= -tie].sum())
    p_value = min(1.0, 2 * (float(min(tails)) * draws + 1) / (draws + 1))
    robust = two_way(kept, runs, clusters, level=level, unit=unit)
    doubt = ""
    if high - low < 0.9 * (robust.high - robust.low):
        doubt = f"narrower than the two-way t interval: few runs or {unit}s carry the spread; trust that one"
    return replace(start, low=low, high=high, p_value=p_value, reason=doubt)


def _resampled(
    values: Floats, runs: Codes, clusters: Codes, rng: np.random.Generator, draws: int
) -> tuple[Floats, Floats]:
    """Means of resamples (NaN where one is empty) and the share of each."""
    sums, counts = tables(values, runs, clusters)
    scale = float(np.abs(sums).max())
    sums /= scale  # largest 1, so that rounding means the same whatever the unit
    first, times = _distinct(np.concatenate([sums, counts]), np.ones(sums.shape[1], dtype=np.intp))
    if exact := distribution(sums[:, first], counts[:, first], times):
        return exact[0] * scale, exact[1]
    means = _drawn(sums, counts, first, times, rng, draws) * scale
    return means, np.full(draws, 1 / max(1, int((~np.isnan(means)).sum())))


def _quantiles(means: Floats, shares: Floats, level: float) -> tuple[float, float]:
    """Bounds that leave out half of the rest at either end."""
    ends = (1 - level) / 2, (1 + level) / 2
    if shares[0] == shares[-1] and not np.ptp(shares):
        low, high = np.nanquantile(means, ends)
    else:
        low, high = means[np.searchsorted(np.cumsum(shares), ends)]
    return float(low), float(high)


def _drawn(sums: Floats, counts: Floats, first: Codes, times: Codes, rng: np.random.Generator, draws: int) -> Floats:
    """Means of `draws` resamples in the quickest way; the classes of clusters are at `first`, each so many `times`."""
    size = sums.shape[1]
    by_run = _weights(len(sums), draws, rng)
    patterns, which = np.unique(_keys(by_run), return_inverse=True)
    if len(patterns) * _PATTERN <= draws:
        return _by_pattern(by_run, which, sums[:, first], counts[:, first], times, rng)
    if len(times) * _CLASS <= size:
        return _weighted(by_run, sums[:, first], counts[:, first], rng.multinomial(size, times / size, size=draws))
    return _picked(by_run, sums, counts, rng)


def _by_pattern(
    by_run: Floats, which: Codes, sums: Floats, counts: Floats, times: Codes, rng: np.random.Generator
) -> Floats:
    """Choice by choice of runs: once they are drawn, a cluster is a single sum and a single count."""
    means = np.full(len(by_run), math.nan)
    order = np.argsort(which, kind="stable")
    size = int(times.sum())
    block = max(1, _BLOCK // size)
    room = np.empty((block, size), dtype=np.intp), np.empty((block, size))  # made once: new memory costs as much
    few_values = len(np.unique(np.round(sums, _DIGITS))) * _CLASS <= size
    for rows in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
        chosen = by_run[rows[:1]]
        both = np.concatenate([chosen @ sums, chosen @ counts])
        first, often = _distinct(both, times) if few_values else (times, times)
        if len(often) * _CLASS <= size:
            total, weight = (rng.multinomial(size, often / size, size=len(rows)) @ both[:, first].T).T
        else:
            total, weight = _gathered(np.repeat(both, times, 1), rng, room, len(rows))
        np.divide(total, weight, out=total, where=weight > 0)
        means[rows] = np.where(weight > 0, total, math.nan)
    return means


def _gathered(both: Floats, rng: np.random.Generator, room: tuple[Codes, Floats], draws: int) -> tuple[Floats, Floats]:
    """Sums over as many clusters as there are, drawn one by one, block by block; ``room`` holds a block's picks."""
    size, block = both.shape[1], len(room[0])
    found = np.empty((2, draws))
    equal = not np.ptp(both[1])
    for begin in range(0, draws, block):
        part = slice(begin, min(begin + block, draws))
        rows = part.stop - begin
        picked, values = room[0][:rows], room[1][:rows]
        _pick(picked, size, rng)
        found[0, part] = both[0].take(picked, out=values, mode="clip").sum(1)  # "raise" would copy: none is outside
        found[1, part] = size * both[1, 0] if equal else both[1].take(picked, out=values, mode="clip").sum(1)
    return found[0], found[1]


def _pick(into: Codes, size: int, rng: np.random.Generator) -> None:
    """Fill rows with numbers below ``size``, all equally likely; two at a time, as one below its square, cost less."""
    if size >= 1 << 16:
        into[:] = rng.integers(0, size, into.shape)
        return
    half = -(-into.shape[1] // 2)
    pairs = rng.integers(0, size * size, (len(into), half), dtype=np.uint32)
    first = pairs // np.uint32(size)
    into[:, :half] = first
    into[:, half:] = (pairs - first * np.uint32(size))[:, : into.shape[1] - half]


def _picked(by_run: Floats, sums: Floats, counts: Floats, rng: np.random.Generator) -> Floats:
    """Cluster by cluster, block by block."""
    block = max(1, _BLOCK // max(sums.shape))
    parts = [by_run[begin : begin + block] for begin in range(0, len(by_run), block)]
    return np.concatenate([_weighted(one, sums, counts, _weights(sums.shape[1], len(one), rng)) for one in parts])


def _weighted(by_run: Floats, sums: Floats, counts: Floats, by_cluster: ArrayLike) -> Floats:
    drawn = np.asarray(by_cluster)
    weight, total = (np.einsum("ij,ij->i", by_run @ table, drawn) for table in (counts, sums))
    means = np.full(len(by_run), math.nan)
    np.divide(total, weight, out=means, where=weight > 0)
    return means


def _distinct(columns: Floats, times: Codes) -> tuple[Codes, Codes]:
    """A place of each distinct column, and how often it occurs, the rarest first: so a multinomial draw is fastest."""
    rounded = np.round(columns, _DIGITS)
    order = np.lexsort(rounded)
    ordered = rounded[:, order]
    starts = np.flatnonzero(np.r_[True, (ordered[:, 1:] != ordered[:, :-1]).any(0)])
    often = np.add.reduceat(times[order], starts)
    rising = np.argsort(often, kind="stable")
    return order[starts][rising], often[rising]


def _keys(by_run: Floats) -> Codes:
    """A number for each row of weights, the same for equal rows; with more runs than fit, all are taken to differ."""
    size = by_run.shape[1]
    if size * math.log2(size + 1) > 52:
        return np.arange(len(by_run))
    return np.asarray(by_run @ (float(size + 1) ** np.arange(size)), dtype=np.intp)


def _weights(size: int, draws: int, rng: np.random.Generator) -> Floats:
    """Multinomial weights, shape (draws, size): how often each of `size` things is drawn in `size` drawings."""
    picked = rng.integers(0, size, size=(draws, size))  # counting picks is many times faster than rng.multinomial
    picked += np.arange(draws)[:, None] * size
    return np.bincount(picked.ravel(), minlength=draws * size).reshape(draws, size).astype(float)
