"""The interval for results that hold one run only: tasks are drawn, the run is taken as it was."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Estimate, aligned, draft, t_quantile, t_two_sided

_FEW = 5  # clusters; with fewer a t interval rests on the shape of single ones


def one_way(values: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, unit: str = "task") -> Estimate:
    """Mean with a t interval that is robust to clustering by session (or task).

    With one observation per cluster it is the paired t interval of textbooks. What another run would have given, in
    another order or with other draws of the model, is not in it: use `two_way` wherever there are two runs.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        One number per observation, usually the difference of two arms on one task. NaN = missing: dropped.
    cluster : array_like, shape (n,)
        Labels of the session or task, of any kind.
    level : float, in (0, 1)
        Nominal coverage.
    unit : str
        What a cluster is, in the singular, for `target` and `reason`.

    Returns
    -------
    Estimate
        `runs` is 1. With one cluster, no data or no spread the bounds are NaN and `reason` names the way out.

    Raises
    ------
    ValueError
        When shapes differ, a value is infinite, a label is missing or `level` is not within (0, 1).

    Notes
    -----
    With e the deviations from the mean and w the share of observations in a cluster, ::

        V = G/(G - 1) * sum over clusters of (sum of e in the cluster / n)**2,    G = 1 / sum(w**2)

    and G - 1 degrees of freedom: the cluster-robust variance of the mean [1]_ with the effective number of clusters in
    the place of their number; they are the same when clusters are of equal size.

    References
    ----------
    .. [1] Miller (2024), Adding error bars to evals, arXiv:2411.00640 (clustered errors, paired differences).
    .. [2] Carter, Schnepel & Steigerwald (2017), Asymptotic behavior of a t-test robust to cluster heterogeneity,
       Rev. Econ. Stat. 99(4) (the effective number of clusters).

    Examples
    --------
    >>> found = one_way([1, 0, 1, 1, 0, 1], cluster=["a", "b", "c", "d", "e", "f"])
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]", found.target)
    0.67 [0.12, 1.21] new tasks drawn like these, and this run only
    """
    kept, _, clusters = aligned(values, np.zeros(np.shape(values), dtype=int), cluster)
    # The clusters stand for runs too, so that the draft misses a spread where clusters are too few, and not runs.
    start = draft(kept, clusters, clusters, level, "one-way cluster-robust t", unit)
    start = replace(start, runs=min(1, len(kept)), target=f"new {unit}s drawn like these, and this run only")
    if start.clusters == 1:
        return replace(start, reason=f"one {unit}: nothing says how others would come out; add {unit}s")
    if start.reason:
        return start
    deviations = kept - start.value
    scale = float(np.abs(deviations).max())
    rounding = 8 * np.finfo(float).eps * float(np.abs(kept).max()) / scale
    sums, counts = np.bincount(clusters, weights=deviations / scale), np.bincount(clusters)
    effective = 1 / float(((counts / len(kept)) ** 2).sum())
    error = math.sqrt(float(((sums / len(kept)) ** 2).sum()) * effective / (effective - 1))
    if error <= rounding:
        return replace(start, reason=f"all {unit}s have the same mean: their spread cannot be estimated; add more")
    df = effective - 1
    half = float(t_quantile(level, np.float64(df))) * error * scale
    if not math.isfinite(half):
        return replace(start, df=df, reason=f"one {unit} holds nearly all values; balance the data")
    few = f"{start.clusters} {unit}s: with fewer than {_FEW} bounds can be too narrow; add more"
    doubt = few if start.clusters < _FEW else ""
    p_value = t_two_sided(start.value / (error * scale), df)
    return replace(start, low=start.value - half, high=start.value + half, p_value=p_value, df=df, reason=doubt)
