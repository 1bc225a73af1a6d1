"""Intervals and tests for the mean of paired differences when runs and sessions are crossed.

Every run of a study takes the same sessions in its own order. A hard session is hard in all runs, a lucky order is
lucky in all its sessions: two sources of chance that cross. Resampling sessions anew within each run treats the
shared ones as if they were independent, and its interval covers far less often than it says. What is here counts
both sources.

`two_way` is the headline, `crossed_bootstrap` stands beside it as a check that assumes less about shapes, and
`sign_flip` is a test for which only the orders are random.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Codes, Estimate, Floats, aligned, draft, t_quantile, t_two_sided

_EXACT_RUNS = 12  # up to 2**12 sign vectors are enumerated, beyond that they are drawn
_FEW = 4  # with 2 or 3 runs that differ much, a nominal .95 was seen to cover .87 to .93


def two_way(
    values: ArrayLike, run: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, unit: str = "session"
) -> Estimate:
    """Mean with a t interval that is robust to clustering by run and by session (or task), crossed.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        One number per observation, usually the difference of two arms on one task of one run. NaN = missing: dropped.
    run, cluster : array_like, shape (n,)
        Labels of the run (order, seed) and of the session or task, of any kind; the same cluster label in two runs
        means the same session.
    level : float, in (0, 1)
        Nominal coverage.
    unit : str
        What a cluster is, in the singular, for `target` and `reason`.

    Returns
    -------
    Estimate
        With one run, one cluster or no data the bounds are NaN and `reason` names the way out; with two or three of
        either they are given and doubted. They are NaN as well
        when the values show no spread (all equal, or all runs and all clusters with one mean): an interval of width
        zero would claim a certainty that nothing in the data supports.

    Raises
    ------
    ValueError
        When shapes differ, a value is infinite, a label is missing or `level` is not within (0, 1).

    Notes
    -----
    With e the deviations from the mean and w the share of observations in a group, ::

        V_run     = G/(G - 1) * sum over runs of (sum of e in the run / n)**2,    G = 1 / sum(w**2)
        V_cluster   likewise over clusters
        V_cell    = N/(N - k) * sum over cells of (sum of residuals in the cell / n)**2
        V         = max(V_run + V_cluster - V_cell, V_run, V_cluster)

    A cell is one cluster in one run, N the number of cells seen, and the residuals are what a weighted fit of run
    plus cluster effects, with k free parameters, leaves. This is the estimator of [1]_, [2]_ with the cell term freed
    of what runs and clusters explain; on balanced data it equals the two-way analysis of variance. G, the effective
    number of groups, is their number when they are of equal size and less otherwise. The degrees of freedom are
    those of [3]_ with G - 1 for each part. Where N = k (each run has sessions of its own) the cell term of [1]_ is
    taken and V is the variance clustered by the coarser factor. Cells are held as a dense runs x clusters table.

    In simulations (``tests/recovery/test_hard_coverage.py``) a nominal .95 covers .93 to .97 with 5 to 20 runs.
    Where neither runs nor sessions have any effect of their own it errs towards wide, up to .99 with 5 runs: V may
    not fall below its parts. Degrees of freedom that take that back cost more than they give: six null arms of 5
    runs then showed a false finding in .08 of studies, by Holm at .05, in place of .04.

    References
    ----------
    .. [1] Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering, J. Bus. Econ. Stat. 29(2).
    .. [2] Miller (2024), Adding error bars to evals, arXiv:2411.00640 (clustered errors, paired differences).
    .. [3] Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics 2(6).

    Examples
    --------
    >>> found = two_way([1, 0, 1, 1, 0, 1], run=[1, 1, 1, 2, 2, 2], cluster=["a", "b", "c", "a", "b", "c"])
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]", found.excludes_zero)
    0.67 [-0.77, 2.10] False
    >>> two_way([1, 0, 1], run=[1, 1, 1], cluster=["a", "b", "c"]).reason
    'one run: order and chance cannot be told apart; add runs with other seeds (5 or more are advised)'
    """
    kept, runs, clusters = aligned(values, run, cluster)
    start = draft(kept, runs, clusters, level, "two-way cluster-robust t", unit)
    if start.reason:
        return start
    deviations = kept - start.value
    scale = float(np.abs(deviations).max())  # squares neither overflow nor vanish, whatever the unit
    error, df = _two_way_error(deviations / scale, runs, clusters)
    rounding = 8 * np.finfo(float).eps * float(np.abs(kept).max()) / scale
    if error <= rounding:
        why = f"all runs and all {unit}s have the same mean: the spread between them cannot be estimated; add more"
        return replace(start, reason=why)
    half = float(t_quantile(level, np.float64(df))) * error * scale
    if not math.isfinite(half):
        return replace(start, df=df, reason=f"one run or one {unit} holds nearly all values; balance the data")
    p_value = t_two_sided(start.value / (error * scale), df)
    doubt = ""
    if min(start.runs, start.clusters) < _FEW:
        doubt = (
            f"{start.runs} runs, {start.clusters} {unit}s: with fewer than {_FEW} bounds can be too narrow; add more"
        )
    return replace(start, low=start.value - half, high=start.value + half, p_value=p_value, df=df, reason=doubt)


def sign_flip(values: ArrayLike, run: ArrayLike, *, rng: np.random.Generator, draws: int = 10_000) -> float:
    """Two-sided p value of a permutation test in which whole runs change sign.

    The run is the exchangeable unit: were the arms alike, all differences of a run might as well have come out with
    the opposite sign. Sessions are taken as given, so the answer holds for new orders of these tasks.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Differences of two arms; NaN = missing: dropped.
    run : array_like, shape (n,)
        Labels of the runs.
    rng : numpy.random.Generator
        Used only with more than 12 runs.
    draws : int, at least 100
        Sign vectors drawn with more than 12 runs.

    Returns
    -------
    float
        In (0, 1], or NaN without data. The smallest value that R runs can reach is ``2**(1 - R)`` up to 12 runs
        (5 runs: .0625, 6: .03125, so five can never show p < .05), and ``1 / (draws + 1)`` beyond.

    Raises
    ------
    ValueError
        When shapes differ, a value is infinite, a label is missing or draws are below 100.

    Notes
    -----
    Up to 12 runs all ``2**R`` sign vectors are enumerated and the p value is exact; beyond, the observed one is
    counted among those drawn [1]_.

    References
    ----------
    .. [1] Phipson & Smyth (2010), Permutation p-values should never be zero, Stat. Appl. Genet. Mol. Biol. 9(1).

    Examples
    --------
    >>> sign_flip([.1, .2, .3, .2, .1], run=[1, 2, 3, 4, 5], rng=np.random.default_rng(1))
    0.0625
    """
    if draws < 100:
        raise ValueError(f"draws must be at least 100, not {draws}; 10000 is usual")
    kept, runs, _ = aligned(values, run, run)
    if not len(kept):
        return math.nan
    totals = np.bincount(runs, weights=kept)
    exact = len(totals) <= _EXACT_RUNS
    if exact:
        signs = (np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals)) & 1) * 2.0 - 1
    else:
        signs = rng.integers(0, 2, size=(draws, len(totals)), dtype=np.int8) * 2.0 - 1
    slack = 1e-12 * float(np.abs(totals).sum())  # sums in another order differ in the last bits, and are ties
    extreme = int(np.count_nonzero(np.abs(signs @ totals) >= abs(float(totals.sum())) - slack))
    return extreme / len(signs) if exact else (extreme + 1) / (draws + 1)


def tables(values: Floats, runs: Codes, clusters: Codes) -> tuple[Floats, Floats]:
    """Sum and number of the values in each cell, both of shape (runs, clusters)."""
    shape = int(runs.max()) + 1, int(clusters.max()) + 1
    cell = runs * shape[1] + clusters
    size = shape[0] * shape[1]
    sums = np.bincount(cell, weights=values, minlength=size).astype(np.float64)
    return sums.reshape(shape), np.bincount(cell, minlength=size).astype(np.float64).reshape(shape)


def _two_way_error(deviations: Floats, runs: Codes, clusters: Codes) -> tuple[float, float]:
    """Standard error of the mean and its degrees of freedom."""
    sums, counts = tables(deviations, runs, clusters)
    by_run, df_run = _one_way(sums.sum(1), counts.sum(1))
    by_cluster, df_cluster = _one_way(sums.sum(0), counts.sum(0))
    variance = float(max(by_run + by_cluster - _cell_term(sums, counts), by_run, by_cluster))
    if not variance:
        return 0.0, math.nan
    # Shares first: squares of very small variances would vanish.
    df = 1 / ((by_run / variance) ** 2 / df_run + (by_cluster / variance) ** 2 / df_cluster)
    return math.sqrt(variance), df


def _one_way(sums: Floats, counts: Floats) -> tuple[float, float]:
    """Variance of the mean clustered by one factor, and the effective number of groups less one."""
    n = counts.sum()
    effective = 1 / float(((counts / n) ** 2).sum())
    return float(((sums / n) ** 2).sum()) * effective / (effective - 1), effective - 1


def _cell_term(sums: Floats, counts: Floats) -> float:
    """The part of the variance that both one-way terms hold, and that must be taken off once."""
    if len(sums) > len(sums[0]):
        sums, counts = sums.T, counts.T  # the equations have the size of the smaller factor
    rows, columns = counts.sum(1), counts.sum(0)
    shares = counts / columns
    # Weighted least squares on row and column effects, columns eliminated; rank falls by one per connected part.
    effects, _, rank, _ = np.linalg.lstsq(
        np.diag(rows) - shares @ counts.T, sums.sum(1) - shares @ sums.sum(0), rcond=1e-10
    )
    free = np.count_nonzero(counts) - len(columns) - int(rank)
    if free <= 0:
        there = counts > 0
        return _one_way(sums[there], counts[there])[0]
    fitted = effects[:, None] + (sums.sum(0) - effects @ counts) / columns
    rest = (sums - counts * fitted) / rows.sum()
    return float((rest**2).sum()) * np.count_nonzero(counts) / free
