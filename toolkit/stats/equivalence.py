"""Whether two sets of paired results are the same but for a margin: two one-sided tests, runs and sessions crossed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Estimate, aligned, t_quantile
from toolkit.stats.inference import two_way

Verdict = Literal["equivalent", "different", "not shown"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What two one-sided tests say of a mean difference.

    Parameters
    ----------
    verdict
        ``"equivalent"``: it lies within the margin; ``"different"``: not shown to be within, and its interval excludes
        0; ``"not shown"``: neither, for want of data.
    margin
        The difference up to which results count as the same, in the unit of the values.
    p_value
        The larger of the two one-sided p values; NaN where there is no interval.
    estimate
        The mean difference with its two-sided interval at level ``1 - alpha``.
    inner
        The same at level ``1 - 2 alpha``, which lies within the margin exactly if both tests reject.
    reason
        Why the verdict should be read with care; empty when all is well.
    """

    verdict: Verdict
    margin: float
    p_value: float
    estimate: Estimate
    inner: Estimate
    reason: str = ""


def equivalence(
    values: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    margin: float,
    alpha: float = 0.05,
    unit: str = "session",
) -> Equivalence:
    """Two one-sided tests [1]_ on the two-way cluster-robust estimate of a mean difference.

    Parameters
    ----------
    values, run, cluster, unit
        As of `two_way`.
    margin
        Above 0.
    alpha
        Chance of saying "equivalent" where the difference is as large as the margin, in (0, 0.5).

    Returns
    -------
    Equivalence
        Where every single difference is 0 the verdict is ``"equivalent"`` for these very tasks, and the reason says
        that nothing was estimated. Where there is no interval for another cause it is ``"not shown"``.

    Raises
    ------
    ValueError
        For a margin or alpha out of range, and as `two_way`.

    References
    ----------
    .. [1] Schuirmann (1987), A comparison of the two one-sided tests procedure and the power approach, J.
       Pharmacokinet. Biopharm. 15(6).

    Examples
    --------
    >>> gap = np.tile([0.0, 0.01, -0.01, 0.0], 5) + np.repeat([0.0, 0.002, -0.002, 0.001, -0.001], 4)
    >>> equivalence(gap, np.repeat(range(5), 4), np.tile(range(4), 5), margin=0.05).verdict
    'equivalent'
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be above 0 but is {margin}; 0.05 means five points of a score in [0, 1]")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must be between 0 and 0.5, not {alpha}; 0.05 is usual")
    outer = two_way(values, run, cluster, level=1 - alpha, unit=unit)
    inner = two_way(values, run, cluster, level=1 - 2 * alpha, unit=unit)
    kept, _, _ = aligned(values, run, cluster)
    if len(kept) and not kept.any():
        why = f"all {len(kept)} pairs have the same score: nothing was estimated, and nothing is said of other {unit}s"
        return Equivalence("equivalent", margin, math.nan, outer, inner, why)
    if math.isnan(inner.low) or math.isnan(outer.low):
        return Equivalence("not shown", margin, math.nan, outer, inner, outer.reason or inner.reason)
    verdict: Verdict = "not shown"
    if -margin < inner.low and inner.high < margin:
        verdict = "equivalent"
    elif outer.excludes_zero:
        verdict = "different"
    larger = max(one_sided(inner, -margin, "greater"), one_sided(inner, margin, "less"))
    return Equivalence(verdict, margin, larger, outer, inner, outer.reason)


def one_sided(estimate: Estimate, bound: float, side: Literal["greater", "less"]) -> float:
    """P value of the one-sided t test that a mean lies beyond a bound.

    Parameters
    ----------
    estimate
        With an interval of `two_way`.
    bound
        Null value, in the unit of the values: 0, or minus the margin for a test of non-inferiority.
    side
        ``"greater"``: what is claimed is a mean above the bound; ``"less"``: one below.

    Returns
    -------
    float
        In [0, 1]; NaN where there is no interval.

    Examples
    --------
    >>> found = two_way([1, 0, 1, 1, 0, 1], run=[1, 1, 1, 2, 2, 2], cluster=["a", "b", "c", "a", "b", "c"])
    >>> round(one_sided(found, 0.0, "greater"), 3), round(found.p_value / 2, 3)
    (0.092, 0.092)
    """
    from scipy.special import stdtr  # type: ignore[import-untyped, unused-ignore]

    if math.isnan(estimate.low):
        return math.nan
    error = (estimate.high - estimate.value) / float(t_quantile(estimate.level, np.float64(estimate.df)))
    ratio = (estimate.value - bound) / error
    return float(stdtr(estimate.df, -ratio if side == "greater" else ratio))
