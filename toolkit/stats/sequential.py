"""Bands that may be looked at after every step: for rules that stop a study early, or let it run on.

An interval for a fixed number of steps covers as often as it says when it is looked at once. Looked at after every
step until it excludes 0, it will exclude 0 far too often. A confidence sequence holds at all steps at once, so that
it may be watched, and a study ended, at any time and for any cause.

The band shows what went on in the steps made; `two_way` speaks of new orders of new sessions. A rule that looks, and
an interval at the planned end, share their chance of error by `split_alpha`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.stats.estimate import Floats, check_level

_METHOD = "empirical Bernstein, gamma-exponential mixture"
_TARGET = "mean, over the steps so far, of what each was expected to be given all before it; at all steps at once"
_NOTHING = "no step: some run has passed none yet, or its first value is missing; wait for it"
_SLACK = 1e-9  # of the range: a mean of many equal values may pass its bound in the last bits
_NEWTON = 100  # about 6 are needed


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """A running mean with a band that holds at all steps at once.

    Parameters
    ----------
    t : ndarray of int, shape (T,)
        Steps made so far: 1 .. T.
    mean, low, high : ndarray of float, shape (T,)
        Mean of the values up to t, and the bounds at t, which stay within `span`. All in the unit of the values.
    level : float
        Chance, at least, that the bounds hold at every t, in (0, 1).
    span : tuple of float
        Smallest and largest value that an observation could have.
    method : str
        How the band was made.
    target : str
        What the band bounds.
    reason : str
        Empty when all is well; else why there is no step, and the way out.
    """

    t: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    level: float
    span: tuple[float, float]
    method: str
    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a band first excluded a value.

    Parameters
    ----------
    t : int
        Steps made by then, at least 1.
    direction : str
        ``"above"``: the whole band lay above the value; ``"below"``: below it.
    """

    t: int
    direction: Literal["above", "below"]


def confidence_sequence(
    values: ArrayLike, *, low: float, high: float, level: float = 0.95, tight_at: float = 4.0
) -> ConfidenceSequence:
    """Running mean of bounded observations with a band that may be looked at after every one.

    What is bounded at step t is the mean of E[X_i | all before i] over i = 1 .. t: how large the observations made so
    far were expected to be, each given its past. It may move with t, as learning and drift make it do. Observations
    need be neither independent nor alike: each may depend in any way on those before it.

    Parameters
    ----------
    values : array_like of float, shape (T,)
        Observations in the order they were made, each within [low, high]. Of several runs: `running_difference`.
    low, high : float
        Smallest and largest value that an observation *could* have, known beforehand: -1 and 1 for differences of
        scores in [0, 1]. Not the smallest and largest of those seen, which would void the guarantee.
    level : float, in (0, 1)
        Chance, at least, that the band holds at every step, however many are made.
    tight_at : float, above 0
        Sum of squared prediction errors, in squared widths of the range, for which the band is tuned. Any value gives
        a valid band, provided that it was fixed before the first look; the width depends on it weakly. The default
        suits some hundred tasks in 5 to 20 runs.

    Returns
    -------
    ConfidenceSequence
        Without values its arrays are empty and `reason` says so: a rule may ask before the first step is made.

    Raises
    ------
    ValueError
        For values that are missing or outside [low, high], not flat, or a range, `level` or `tight_at` that is none.

    Notes
    -----
    Theorem 4 of [1]_. With c = high - low and predictions p_i that use earlier observations only, here
    ``p_i = ((low + high) / 2 + x_1 + ... + x_(i-1)) / i``, ::

        V_t  = sum over i <= t of (x_i - p_i)**2
        band = mean of x_1 .. x_t  -/+  u(V_t) / t,      u(v) = the s at which m(s, v) = 2 / (1 - level)

    u is the gamma-exponential mixture boundary of [1]_: with k = (v + r) / c**2,
    z = (c * s + v + r) / c**2 and P the regularised lower incomplete gamma function, ::

        m(s, v) = h(k, z) / h(r / c**2, r / c**2),       h(k, z) = exp(z) * z**-k * gamma(k) * P(k, z)

    m is the mean of ``exp(a * s - v * (-log(1 - c * a) - c * a) / c**2)`` over a in (0, 1/c), with a density that is
    proportional to ``(1 - c * a)**(r / c**2 - 1) * exp(r * a / c)``. For each a, with s the sum of what the x_i exceed
    their conditional means by, it is at most a martingale by lemma 4.1 of [2]_, whatever those means are; Ville's
    inequality bounds the chance that the mixture ever reaches 2 / (1 - level), once for either side. r is the one
    that makes a *normal* mixture lowest at v = `tight_at`, as [1]_ advise; this boundary is lowest somewhat before.

    Bounds of different steps must not be intersected: they bound a mean that may move. A past may hold more than
    past observations: what was known before step i, such as the task to come, may be counted in, and the same band
    holds for the expectations given that.

    References
    ----------
    .. [1] Howard, Ramdas, McAuliffe & Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences,
       Ann. Stat. 49(2), arXiv:1810.08240.
    .. [2] Fan, Grama & Liu (2015), Exponential inequalities for martingales with applications, Electron. J. Probab.
       20.

    Examples
    --------
    >>> band = confidence_sequence([0.2, 0.1, 0.3, 0.2] * 25, low=-1, high=1)
    >>> print(f"{band.mean[-1]:.2f} [{band.low[-1]:.2f}, {band.high[-1]:.2f}]", crosses(band))
    0.20 [0.10, 0.30] Crossing(t=47, direction='above')
    """
    check_level(level)
    if not (math.isfinite(tight_at) and tight_at > 0):
        raise ValueError(f"tight_at must be above 0 and finite, not {tight_at}; leave it out where in doubt")
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1:
        raise ValueError(f"values must be flat, not of shape {numbers.shape}; see running_difference for several runs")
    numbers = _within(numbers, low, high, "values")
    if np.isnan(numbers).any():
        where = int(np.flatnonzero(np.isnan(numbers))[0])
        raise ValueError(f"values must not be missing, but values[{where}] is nan; score it, or end before it")
    width = high - low
    t = np.arange(1, len(numbers) + 1)
    share = (numbers - low) / width  # all else is done on [0, 1], so that the unit is of no account
    total = np.cumsum(share)
    predicted = (0.5 + total - share) / t
    mean = low + width * (total / t)
    half = width * _boundary(np.cumsum((share - predicted) ** 2), level, tight_at) / t
    return ConfidenceSequence(
        t, mean, np.maximum(mean - half, low), np.minimum(mean + half, high), level, (float(low), float(high)),
        _METHOD, _TARGET, "" if len(numbers) else _NOTHING,
    )  # fmt: skip


def running_difference(matrix: ArrayLike, *, low: float = -1.0, high: float = 1.0) -> Floats:
    """Average over runs at each step, up to the last step that all runs have passed.

    One average is one observation for `confidence_sequence`: it lies within the same bounds, and whatever the runs
    share (tasks, their order, an outage) is within it. So the band bounds, up to the step that all runs have passed,
    the expected difference given the past, averaged over steps and over these runs.

    Parameters
    ----------
    matrix : array_like of float, shape (R, T)
        One row per run: differences of two arms in the order the run met its tasks. NaN = not made yet, or missing.
        Only the steps before the first NaN of any run count. A gap in the middle of a run therefore holds back all
        that is behind it: to leave out a step for want of a value would choose among observations by what came of
        them. Score a failed task, for example with 0, rather than leaving it out.
    low, high : float
        Smallest and largest value a difference can have.

    Returns
    -------
    ndarray of float, shape (t,)
        t is the number of steps that all runs have passed; 0 where some run has made none.

    Raises
    ------
    ValueError
        For a matrix without runs or not of two dimensions, or a value outside [low, high].

    Notes
    -----
    The runs must be those planned: with a run added or left out half-way, the averages are another sequence, which
    has no claim to the level that the first was watched at.

    Examples
    --------
    >>> running_difference([[1, 0, 0.5, 1], [0, 0, -0.5, float("nan")]]).tolist()
    [0.5, 0.0, 0.0]
    """
    numbers = np.asarray(matrix, dtype=float)
    if numbers.ndim != 2 or not len(numbers):
        raise ValueError(f"matrix must be runs x tasks with at least one run, not of shape {numbers.shape}; add rows")
    numbers = _within(numbers, low, high, "matrix")
    missing = np.isnan(numbers).any(axis=0)
    passed = int(np.argmax(missing)) if missing.any() else numbers.shape[1]
    averages: Floats = numbers[:, :passed].mean(axis=0)
    return averages


def crosses(sequence: ConfidenceSequence, at: float = 0.0) -> Crossing | None:
    """The first step at which the band excludes a value, and on which side of the value it lies.

    Parameters
    ----------
    sequence
        From `confidence_sequence`.
    at : float
        Within the range of the observations; outside of it every band would exclude it before anything is known.

    Returns
    -------
    Crossing or None
        None while the band holds the value. The chance of any wrong crossing at all, in a sequence of any length,
        is at most ``1 - level``. A later band may hold the value again, as the mean it bounds may move.

    Raises
    ------
    ValueError
        For a value outside of the range.

    Examples
    --------
    >>> band = confidence_sequence([0.5] * 40, low=-1, high=1)
    >>> crosses(band), crosses(band, at=0.5)
    (Crossing(t=19, direction='above'), None)
    """
    least, most = sequence.span
    if not least <= at <= most:
        raise ValueError(f"at must be within [{least}, {most}], the range of the observations, but is {at}; 0 is usual")
    above = sequence.low > at
    outside = np.flatnonzero(above | (sequence.high < at))
    if not len(outside):
        return None
    first = int(outside[0])
    return Crossing(int(sequence.t[first]), "above" if above[first] else "below")


def split_alpha(alpha: float, parts: int | Sequence[float]) -> tuple[float, ...]:
    """Shares of a chance of error, so that all statements together err no more often than that (Bonferroni).

    Between several contrasts: ``split_alpha(0.05, 3)`` gives each band its share; its level is ``1 - share``. Between
    looking and the end: ``looking, final = split_alpha(0.05, [4, 1])``, where the sequence is watched at level
    ``1 - looking`` and the interval at the planned end, if it is reached, has level ``1 - final``. Where the rule
    stopped the study, only the sequence counts: an interval for a fixed number of steps does not hold at a step that
    was chosen by what was seen.

    Parameters
    ----------
    alpha : float, in (0, 1)
        Chance of any error.
    parts : int or sequence of float
        How many equal shares, or their weights, each above 0.

    Returns
    -------
    tuple of float
        One share each; they add up to `alpha`, and their bound holds whatever the dependence between the statements.

    Raises
    ------
    ValueError
        For an `alpha` not within (0, 1), no part, or a weight that is not above 0.

    References
    ----------
    .. [1] Dunn (1961), Multiple comparisons among means, J. Am. Stat. Assoc. 56(293).

    Examples
    --------
    >>> looking, final = split_alpha(0.05, [4, 1])
    >>> print(f"{looking:.2f} {final:.2f}", len(split_alpha(0.05, 3)))
    0.04 0.01 3
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}; 0.05 is usual")
    weights = [1.0] * parts if isinstance(parts, int) else [float(weight) for weight in parts]
    if not weights:
        raise ValueError(f"parts must be at least 1, or a list of weights, not {parts!r}; count the statements")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"weights of parts must be above 0, not {weight}; leave out what gets no share")
    whole = math.fsum(weights)
    return tuple(alpha * weight / whole for weight in weights)


def _within(numbers: Floats, low: float, high: float, name: str) -> Floats:
    """The numbers, NaN included, with what rounding added to the range cut off."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low must be below high and both finite, not {low} and {high}; -1 and 1 for differences")
    slack = _SLACK * (high - low)
    outside = np.argwhere((numbers < low - slack) | (numbers > high + slack))
    if len(outside):
        place = tuple(int(index) for index in outside[0])
        where = ", ".join(map(str, place))
        raise ValueError(
            f"{name} must be within [{low}, {high}], but {name}[{where}] is {numbers[place]}; give the range that"
            " every value is bound to have"
        )
    kept: Floats = np.clip(numbers, low, high)
    return kept


def _boundary(v: Floats, level: float, tight_at: float) -> Floats:
    """The s at which the mixture for c = 1 reaches 2 / (1 - level), for each v."""
    alpha = 1 - level  # of both sides; either has half of it
    spread = -2 * math.log(alpha)
    rho = tight_at / (spread + math.log1p(spread))  # for one side at alpha / 2
    threshold = math.log(2) - math.log(alpha)
    s = np.sqrt((v + rho) * (2 * threshold + np.log1p(v / rho)))  # near the root, on either side of it
    for _ in range(_NEWTON):
        # A log of means of exponentials is convex: a tangent meets the threshold right of the root, so that every
        # step, the last one too, ends on the safe side.
        value, slope = _log_mixture(s, v, rho)
        step = (value - threshold) / slope
        s = s - step
        if (np.abs(step) <= 1e-9 * s).all():
            break
    return s


def _log_mixture(s: Floats, v: Floats, rho: float) -> tuple[Floats, Floats]:
    """Logarithm of the gamma-exponential mixture for c = 1 at s >= 0, and its derivative by s."""
    # A tenth of the import time of scipy.stats.
    from scipy.special import gammainc, gammaln  # type: ignore[import-untyped, unused-ignore]

    def log_h(k: Floats, z: Floats) -> Floats:
        part: Floats = z - k * np.log(z) + gammaln(k) + np.log(gammainc(k, z))
        return part

    k = v + rho
    z = s + k
    start = np.asarray(rho, dtype=float)
    density = np.exp((k - 1) * np.log(z) - z - gammaln(k)) / gammainc(k, z)
    return log_h(k, z) - log_h(start, start), density + s / z
