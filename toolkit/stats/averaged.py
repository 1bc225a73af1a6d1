"""The mean of estimates that do not hang on each other, such as an effect on several streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from toolkit.stats.estimate import Estimate, check_level, t_quantile, t_two_sided

_METHOD = "mean of independent estimates, t with Satterthwaite's df"


def average(found: Sequence[Estimate], *, level: float = 0.95, each: str = "stream") -> Estimate:
    """Mean of independent estimates, each counted once, with an interval that speaks of just these.

    Parameters
    ----------
    found : sequence of Estimate
        With t intervals (a ``df``); of any level. One without a value is left out.
    level : float, in (0, 1)
        Nominal coverage.
    each : str
        What an estimate is of, in the singular.

    Returns
    -------
    Estimate
        ``n``, ``runs`` and ``clusters`` are sums. The bounds are NaN with a reason where one of the estimates has none:
        an interval without it would be too narrow.

    Raises
    ------
    ValueError
        If `level` is not within (0, 1).

    Notes
    -----
    With S estimates of variances V_s the variance is ``sum(V_s) / S**2``, on Satterthwaite's degrees of freedom [1]_.
    How the effect differs between them is not in it: it does not speak of others.

    References
    ----------
    .. [1] Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics 2(6).

    Examples
    --------
    >>> one = Estimate(0.1, 0.0, 0.2, 0.95, 0.05, 40, 4, 10, 9.0, "t", "")
    >>> two = Estimate(-0.3, -0.4, -0.2, 0.95, 0.001, 40, 4, 10, 9.0, "t", "")
    >>> both = average([one, two])
    >>> print(f"{both.value:.2f} [{both.low:.3f}, {both.high:.3f}]", both.n, both.df)
    -0.10 [-0.166, -0.034] 80 18.0
    """
    check_level(level)
    there = [one for one in found if not math.isnan(one.value)]
    value = sum(one.value for one in there) / len(there) if there else math.nan
    target = f"these {len(there)} {each}s" if len(there) != 1 else f"this {each}"
    n, runs, clusters = (sum(getattr(one, name) for one in there) for name in ("n", "runs", "clusters"))
    bare = Estimate(
        value, math.nan, math.nan, level, math.nan, n, runs, clusters, math.nan, _METHOD, target,
        next((one.reason for one in there if math.isnan(one.low)), "") if there else f"no {each} has a value",
    )  # fmt: skip
    if not there or any(math.isnan(one.low) for one in there):
        return bare
    variances = [((one.high - one.low) / 2 / float(t_quantile(one.level, one.df))) ** 2 for one in there]
    total = sum(variances)
    df = 1 / sum((part / total) ** 2 / one.df for part, one in zip(variances, there, strict=True))
    error = math.sqrt(total) / len(there)
    half = float(t_quantile(level, df)) * error
    doubts = "; ".join(dict.fromkeys(one.reason for one in there if one.reason))
    p_value = t_two_sided(value / error, df)
    return replace(bare, low=value - half, high=value + half, p_value=p_value, df=df, reason=doubts)
