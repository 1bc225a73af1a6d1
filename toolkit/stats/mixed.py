"""A cross-check by another road: paired differences in a mixed-effects model with crossed random runs and sessions."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Codes, Estimate, Floats, aligned, draft

LARGEST = 500
"""Observations times levels (runs and clusters), in thousands, up to which the model is fitted: about half a minute."""


def mixed_effects(
    values: ArrayLike, run: ArrayLike, cluster: ArrayLike, *, level: float = 0.95, unit: str = "session"
) -> Estimate:
    """Mean difference by restricted maximum likelihood, with random intercepts of runs and of sessions, crossed.

    It assumes what `two_way` does not: normal effects and errors of one variance. Where both agree, neither hangs on
    its assumptions; where they differ, trust `two_way` and look why.

    Parameters
    ----------
    values, run, cluster, level, unit
        As in `two_way`.

    Returns
    -------
    Estimate
        With a normal interval (Wald), too narrow with few runs; `df` is NaN. NaN bounds with a reason where there is
        too little spread, the fit does not converge, or the data are too large for its dense matrices.

    Raises
    ------
    ValueError
        As `two_way`.

    References
    ----------
    .. [1] Baayen, Davidson & Bates (2008), Mixed-effects modeling with crossed random effects for subjects and items,
       J. Mem. Lang. 59(4).
    .. [2] Seabold & Perktold (2010), statsmodels: econometric and statistical modeling with Python, SciPy.

    Examples
    --------
    >>> mixed_effects([1, 0, 1], run=[1, 1, 1], cluster=["a", "b", "c"]).reason
    'one run: order and chance cannot be told apart; add runs with other seeds (5 or more are advised)'
    """
    kept, runs, clusters = aligned(values, run, cluster)
    start = draft(kept, runs, clusters, level, "mixed-effects model, REML, Wald", unit)
    size = len(kept) * (start.runs + start.clusters)
    if start.reason:
        return start
    if size > LARGEST * 1000:
        why = f"{len(kept)} values of {start.runs + start.clusters} runs and {unit}s: more than its dense matrices bear"
        return replace(start, reason=f"{why}; give it one stream, or fewer tasks")
    return _fitted(start, kept, runs, clusters)


def _fitted(start: Estimate, kept: Floats, runs: Codes, clusters: Codes) -> Estimate:
    import pandas as pd
    from scipy.special import ndtr, ndtri  # type: ignore[import-untyped, unused-ignore]
    from statsmodels.regression.mixed_linear_model import MixedLM

    scale = float(np.abs(kept - start.value).max())
    frame = pd.DataFrame({"y": kept / scale, "run": runs, "cluster": clusters, "all": 0})
    crossed = {"run": "0 + C(run)", "cluster": "0 + C(cluster)"}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            fit = MixedLM.from_formula("y ~ 1", frame, groups="all", vc_formula=crossed, re_formula="0").fit(reml=True)
        except (np.linalg.LinAlgError, ValueError) as wrong:
            return replace(start, reason=f"the model could not be fitted: {wrong}; rely on the two-way interval")
    value, error = float(fit.params.iloc[0]) * scale, float(fit.bse.iloc[0]) * scale
    if not fit.converged or not math.isfinite(error) or error <= 0:
        why = next((str(one.message).splitlines()[0] for one in told), "no standard error")
        return replace(start, value=value, reason=f"the fit did not converge ({why}); rely on the two-way interval")
    half = float(ndtri((1 + start.level) / 2)) * error
    p_value = float(2 * ndtr(-abs(value / error)))
    return replace(start, value=value, low=value - half, high=value + half, p_value=p_value)
