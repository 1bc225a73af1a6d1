"""The record every estimate comes in, and the checks and quantiles that all estimators share."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with what is needed to judge it.

    Parameters
    ----------
    value : float
        The estimate, in the unit of the values; NaN without data.
    low, high : float
        Bounds of the interval at `level`; NaN where none can be given, and then `reason` says why.
    level : float
        Nominal coverage, in (0, 1).
    p_value : float
        Two-sided, against a true value of 0; NaN together with the bounds.
    n : int
        Observations used; missing ones are not in it.
    runs, clusters : int
        Distinct runs and distinct clusters (sessions or tasks) among the observations used. `clusters` is 0 where
        they are taken as given, not as drawn.
    df : float
        Degrees of freedom of the t distribution; NaN where none is used.
    method : str
        How the interval was made.
    target : str
        What the interval generalises to.
    reason : str
        Empty when all is well; else why the bounds are missing, or to be doubted, and the way out.
    """

    value: float
    low: float
    high: float
    level: float
    p_value: float
    n: int
    runs: int
    clusters: int
    df: float
    method: str
    target: str
    reason: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of 0; False when there is no interval."""
        return self.low > 0 or self.high < 0


def t_quantile(level: float, df: ArrayLike) -> Floats:
    """Half width, in standard errors, of a two-sided t interval; `df` above 0, of any shape (NaN gives NaN)."""
    # A tenth of the import time of scipy.stats.
    from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]

    return np.asarray(stdtrit(df, (1 + level) / 2), dtype=float)


def t_two_sided(ratio: float, df: float) -> float:
    """Two-sided p value of a t ratio."""
    from scipy.special import stdtr  # type: ignore[import-untyped, unused-ignore]

    return float(2 * stdtr(df, -abs(ratio)))


def check_level(level: float) -> None:
    """Raise ValueError unless `level` is within (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}; write 0.95 for 95 %")


def aligned(values: ArrayLike, run: ArrayLike, cluster: ArrayLike) -> tuple[Floats, Codes, Codes]:
    """Values that are there, and their labels as codes 0, 1, ... without gaps."""
    numbers = np.asarray(values, dtype=float)
    labels = {"run": np.asarray(run), "cluster": np.asarray(cluster)}
    if numbers.ndim != 1:
        raise ValueError(f"values must be flat, one per observation, not of shape {numbers.shape}; use ravel()")
    for name, array in labels.items():
        if array.shape != numbers.shape:
            raise ValueError(f"{name} must hold one label per value ({len(numbers)}), not shape {array.shape}")
    if np.isinf(numbers).any():
        where = int(np.flatnonzero(np.isinf(numbers))[0])
        raise ValueError(f"values must be finite, but values[{where}] is {numbers[where]}; write NaN for missing")
    there = ~np.isnan(numbers)
    return numbers[there], _codes(labels["run"][there], "run"), _codes(labels["cluster"][there], "cluster")


def both_there(
    one: ArrayLike, other: ArrayLike, run: ArrayLike, cluster: ArrayLike, names: str
) -> tuple[Floats, Floats, Codes, Codes]:
    """Two values of each observation and its labels, where neither is missing.

    Raises
    ------
    ValueError
        If they are not of one shape, calling them by ``names``, such as ``"gain and cost"``; else as `aligned`.
    """
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"{names} must be of one shape, not {first.shape} and {second.shape}; pair them first")
    there = ~(np.isnan(first) | np.isnan(second))
    kept, runs, clusters = aligned(np.where(there, second, math.nan), run, cluster)
    return first[there], kept, runs, clusters


def _codes(labels: NDArray[Any], name: str) -> Codes:
    """Labels as integers; of mixed or unsortable kinds in the order of appearance."""
    if labels.dtype.kind in "iu" and len(labels):
        low, span = labels.min(), int(labels.max()) - int(labels.min())
        if span <= 4 * len(labels):  # numbers close together need not be sorted
            there = np.zeros(span + 1, dtype=bool)
            there[labels - low] = True
            return np.asarray((np.cumsum(there) - 1)[labels - low], dtype=np.intp)
    if labels.dtype == object:
        seen: dict[Hashable, int] = {}
        codes = np.fromiter((seen.setdefault(label, len(seen)) for label in labels), np.intp, len(labels))
        missing = any(label is None or label != label for label in seen)
    else:
        found, codes = np.unique(labels, return_inverse=True)
        missing = bool((found != found).any())  # NaN and NaT
    if missing:
        raise ValueError(f"{name} labels must not be missing (None or NaN); name each one, or drop those rows")
    return codes


def draft(kept: Floats, runs: Codes, clusters: Codes, level: float, method: str, unit: str) -> Estimate:
    """The estimate without bounds; its reason is empty when there is enough data to go on."""
    check_level(level)
    n_runs, n_clusters = (int(codes.max()) + 1 if len(kept) else 0 for codes in (runs, clusters))
    reason = ""
    if not len(kept):
        reason = "no values: all are missing, or none were given; see which episodes failed"
    elif n_runs == 1:
        reason = "one run: order and chance cannot be told apart; add runs with other seeds (5 or more are advised)"
    elif n_clusters == 1:
        reason = f"one {unit}: nothing says how others would come out; add {unit}s"
    elif (kept == kept[0]).all():
        reason = f"all {len(kept)} values are {kept[0]:g}: no spread to estimate an interval from; add {unit}s"
    return Estimate(
        float(kept.mean()) if len(kept) else math.nan, math.nan, math.nan, level, math.nan, len(kept), n_runs,
        n_clusters, math.nan, method, f"new orders of new {unit}s drawn like these", reason,
    )  # fmt: skip
