"""Tests for the simple case: one score for each task and arm, tasks independent. For results that come so.

They know one source of chance, the tasks. Where runs go over the same tasks in several orders, `two_way` counts both.
Which form of a test is taken is settled by how many tasks tell the arms apart, as ``mlflow.genai.compare_evaluations``
settles it, so that both give the same p values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Floats

_CHI_SQUARED = 25  # from so many tasks that tell the arms apart
_NORMAL = 50  # beyond so many


@dataclass(frozen=True, slots=True)
class Simple:
    """What a simple paired test says.

    Parameters
    ----------
    statistic
        Of the test, as scipy defines it; NaN where the test could not be made.
    p_value
        Two-sided.
    difference
        Mean difference of the pairs.
    n
        Complete pairs.
    method
        Which test.
    reason
        Why there is no p value; empty when all is well.
    """

    statistic: float
    p_value: float
    difference: float
    n: int
    method: str
    reason: str = ""


def mcnemar(one: ArrayLike, other: ArrayLike, *, exact: bool | None = None) -> Simple:
    """McNemar's test: among the tasks that just one arm got right, is it one arm more often than the other?

    Parameters
    ----------
    one, other : array_like of float, shape (n,)
        Scores of two arms on the same tasks, each 0 or 1; NaN = missing: the pair is dropped.
    exact
        True: binomial, the statistic is the smaller of the two counts. False: chi-squared with Edwards' correction.
        None: binomial for fewer than 25 tasks that just one arm got right.

    Returns
    -------
    Simple
        NaN with a reason where no task tells the arms apart.

    Raises
    ------
    ValueError
        For other scores, or shapes that differ.

    References
    ----------
    .. [1] McNemar (1947), Note on the sampling error of the difference between correlated proportions, Psychometrika
       12(2).
    .. [2] Edwards (1948), Note on the correction for continuity in testing the significance of the difference between
       correlated proportions, Psychometrika 13(3).

    Examples
    --------
    >>> round(mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]).p_value, 4)
    0.0625
    """
    from scipy.stats import binomtest, chi2  # type: ignore[import-untyped, unused-ignore]

    gaps, pairs = _gaps(one, other)
    strange = ~np.isin(pairs, (0, 1))
    if strange.any():
        raise ValueError(f"McNemar's test takes scores of 0 and 1, not {pairs[strange][0]:g}; use wilcoxon or paired_t")
    up, down = int((gaps > 0).sum()), int((gaps < 0).sum())
    exact = up + down < _CHI_SQUARED if exact is None else exact
    method = "McNemar, exact" if exact else "McNemar, chi-squared with continuity correction"
    if not up + down:
        return _none(gaps, method, "no task tells the arms apart")
    if exact:
        return _found(gaps, method, min(up, down), float(binomtest(up, up + down).pvalue))
    statistic = max(abs(up - down) - 1, 0) ** 2 / (up + down)
    return _found(gaps, method, statistic, float(chi2.sf(statistic, 1)))


def wilcoxon(one: ArrayLike, other: ArrayLike) -> Simple:
    """Wilcoxon's signed-rank test by `scipy.stats.wilcoxon`: tasks on which the arms tie are left out.

    Up to 50 others the null distribution is enumerated, as if no two differences were of one size (if some are, the p
    value is on the safe side); beyond, it is taken for normal. scipy by itself draws at random for some sizes.

    Parameters
    ----------
    one, other : array_like of float, shape (n,)
        Scores of two arms on the same tasks; NaN = missing: the pair is dropped.

    Returns
    -------
    Simple
        NaN with a reason where all pairs are ties.

    Raises
    ------
    ValueError
        For shapes that differ, or values that are infinite.

    References
    ----------
    .. [1] Wilcoxon (1945), Individual comparisons by ranking methods, Biometrics Bull. 1(6).

    Examples
    --------
    >>> wilcoxon([.9, .8, .7, .6, .5], [.4, .4, .4, .4, .4]).p_value
    0.0625
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    gaps, _ = _gaps(one, other)
    if not gaps.any():
        return _none(gaps, "Wilcoxon signed rank", "no task tells the arms apart")
    apart = gaps[gaps != 0]
    exact = len(apart) <= _NORMAL
    found = stats.wilcoxon(apart, method="exact" if exact else "asymptotic")
    method = f"Wilcoxon signed rank, {'exact' if exact else 'normal'}"
    return _found(gaps, method, float(found.statistic), float(found.pvalue))


def paired_t(one: ArrayLike, other: ArrayLike) -> Simple:
    """Student's paired t test by `scipy.stats.ttest_rel`.

    Parameters
    ----------
    one, other : array_like of float, shape (n,)
        Scores of two arms on the same tasks; NaN = missing: the pair is dropped.

    Returns
    -------
    Simple
        NaN with a reason for fewer than two pairs, or differences that are all equal.

    Raises
    ------
    ValueError
        For shapes that differ, or values that are infinite.

    References
    ----------
    .. [1] Student (1908), The probable error of a mean, Biometrika 6(1).

    Examples
    --------
    >>> round(paired_t([.9, .8, .6], [.4, .4, .4]).p_value, 4)
    0.0533
    """
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    gaps, pairs = _gaps(one, other)
    if len(gaps) < 2:
        return _none(gaps, "paired t", f"{len(gaps)} pairs: a deviation needs two")
    if float(np.ptp(gaps)) <= 8 * np.finfo(float).eps * float(np.abs(pairs).max()):
        return _none(gaps, "paired t", f"all differences are {gaps[0]:g}: no spread to test against")
    found = stats.ttest_rel(pairs[0], pairs[1])
    return _found(gaps, "paired t", float(found.statistic), float(found.pvalue))


def _gaps(one: ArrayLike, other: ArrayLike) -> tuple[Floats, Floats]:
    """Differences of the complete pairs, and the pairs, of shape (2, pairs)."""
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"both arms need one score per task, flat, but have shapes {first.shape} and {second.shape}")
    pairs = np.stack([first, second])
    if np.isinf(pairs).any():
        raise ValueError(f"scores must be finite, not {pairs[np.isinf(pairs)][0]}; write NaN for missing")
    pairs = pairs[:, ~np.isnan(pairs).any(0)]
    return pairs[0] - pairs[1], pairs


def _none(gaps: Floats, method: str, reason: str) -> Simple:
    why = reason if len(gaps) else "no complete pairs: all are missing, or none were given"
    return Simple(math.nan, math.nan, float(gaps.mean()) if len(gaps) else math.nan, len(gaps), method, why)


def _found(gaps: Floats, method: str, statistic: float, p_value: float) -> Simple:
    return Simple(float(statistic), p_value, float(gaps.mean()), len(gaps), method)
