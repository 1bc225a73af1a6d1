"""What surrounds a contrast: correction for several tests, bounds for missing pairs, an effect size without a unit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Estimate, Floats, aligned, draft
from toolkit.stats.inference import two_way


def holm(p_values: ArrayLike) -> Floats:
    """P values adjusted so that the chance of any false rejection among them is held at the level they are read at.

    Parameters
    ----------
    p_values : array_like of float, shape (m,)
        In [0, 1]. NaN = the test could not be made: it stays NaN and still counts among the m, as a test that was
        planned must not make the others easier by failing.

    Returns
    -------
    ndarray of float, shape (m,)
        In the order given; never below the raw values, in the same order of size.

    Raises
    ------
    ValueError
        For values outside [0, 1] or a shape that is not flat.

    Notes
    -----
    The i-th smallest of m is multiplied by m - i + 1, raised to the largest before it, and capped at 1 [1]_. Valid
    whatever the dependence between the tests.

    References
    ----------
    .. [1] Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6(2).

    Examples
    --------
    >>> holm([.01, .04, .03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p_values, dtype=float)
    if raw.ndim != 1:
        raise ValueError(f"p_values must be flat, not of shape {raw.shape}; correct one family at a time")
    outside = (raw < 0) | (raw > 1)
    if outside.any():
        raise ValueError(f"p_values must be in [0, 1], not {raw[outside][0]}; NaN stands for a test that was not made")
    order = np.argsort(raw, kind="stable")  # NaN comes last
    steps = np.arange(len(raw), 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * steps), 1)
    return adjusted


def worst_case(
    value_on_joint: float, n_joint: int, n_missing: int, low: float = -1.0, high: float = 1.0
) -> tuple[float, float]:
    """Range in which the mean over all pairs must lie, whatever the missing ones would have been.

    It bounds the observed mean only; chance is not in it.

    Parameters
    ----------
    value_on_joint : float, in [low, high]
        Mean over the pairs that both arms completed; not read when `n_joint` is 0.
    n_joint, n_missing : int
        Pairs completed by both arms, and the others.
    low, high : float
        Smallest and largest value a pair can have: -1 and 1 for differences of scores in [0, 1].

    Returns
    -------
    tuple of float
        Lower and upper bound; ``(low, high)`` when nothing was completed.

    Raises
    ------
    ValueError
        For negative counts, bounds out of order, or a mean outside of them.

    References
    ----------
    .. [1] Horowitz & Manski (2000), Nonparametric analysis of randomized experiments with missing covariate and
       outcome data, J. Am. Stat. Assoc. 95(449).

    Examples
    --------
    >>> worst_case(.25, n_joint=80, n_missing=20)
    (0.0, 0.4)
    """
    if not low < high:
        raise ValueError(f"low must be below high, not {low} and {high}; give the range of one pair's difference")
    if n_joint < 0 or n_missing < 0:
        raise ValueError(f"counts must not be negative: n_joint is {n_joint}, n_missing {n_missing}; count pairs")
    if n_joint == 0:
        return float(low), float(high)
    slack = 1e-9 * (high - low)  # a mean of many equal scores may pass its bound in the last bits
    if not low - slack <= value_on_joint <= high + slack:
        raise ValueError(f"value_on_joint is {value_on_joint}, outside [{low}, {high}]; give the range of a pair")
    total = n_joint + n_missing
    least, most = ((value_on_joint * n_joint + bound * n_missing) / total for bound in (low, high))
    return least, most


def standardised(
    values: ArrayLike, run: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, unit: str = "session"
) -> Estimate:
    """Paired effect size: the mean difference divided by the standard deviation of the differences.

    The deviation (divisor n - 1) is that of single observations around the mean of all, runs and sessions taken
    together. So the size says how far a difference stands out from task to task, not how sure it is; it depends on
    the scorer's grain and compares contrasts within one stream rather than between streams.

    Parameters
    ----------
    values, run, cluster, level, unit
        As in `two_way`.

    Returns
    -------
    Estimate
        `value` in standard deviations, with a two-way cluster-robust interval. Equal values have no deviation: the
        size and its bounds are NaN with a reason. With one run or one cluster the size is given without bounds.

    Raises
    ------
    ValueError
        As `two_way`.

    Notes
    -----
    The interval is that of `two_way` for the linearised size [2]_: observation i stands for
    ``d + (x_i - m) / s - d / 2 * ((x_i - m)**2 / s**2 - (n - 1) / n)``, whose mean is d = m / s and whose spread is,
    to first order, what each observation adds to d, through the mean and through the deviation.

    References
    ----------
    .. [1] Cohen (1988), Statistical power analysis for the behavioral sciences, 2nd ed., section 2.3.5 (d_z).
    .. [2] Deville (1999), Variance estimation for complex statistics and estimators, Surv. Methodol. 25(2).

    Examples
    --------
    >>> found = standardised([1, 0, 1, 1, 0, 1], run=[1, 1, 1, 2, 2, 2], cluster=["a", "b", "c", "a", "b", "c"])
    >>> print(f"{found.value:.2f}")
    1.29
    """
    method = "two-way cluster-robust t, linearised"
    kept, runs, clusters = aligned(values, run, cluster)
    start = draft(kept, runs, clusters, level, method, unit)
    n = len(kept)
    scaled = kept / max(float(np.abs(kept).max(initial=0.0)), np.finfo(float).tiny)  # a size has no unit
    spread = float(scaled.std(ddof=1)) if n > 1 else 0.0
    if spread <= 8 * np.finfo(float).eps:
        return replace(start, value=math.nan, reason=start.reason or "values differ by rounding only: no deviation")
    size = float(scaled.mean()) / spread
    if start.reason:
        return replace(start, value=size)
    deviations = (scaled - scaled.mean()) / spread
    linear = size + deviations - size / 2 * (deviations**2 - (n - 1) / n)
    return replace(two_way(linear, runs, clusters, level=level, unit=unit), value=size, method=method)
