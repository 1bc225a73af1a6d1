"""Learning curves: running scores of each run, their mean over runs with a band, and the slope at the end.

Everything here takes scores as runs x episodes in the order they were met; NaN marks an episode without a score,
which keeps its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.stats.estimate import Estimate, Floats, check_level, t_quantile, t_two_sided

_TARGET = "new orders of these tasks"
_BLOCK = 2**17  # values: 1 MB
_ALIKE = "all runs agree there: no spread to estimate a band from"
_ONE_RUN = "one run: a band needs runs with other seeds (5 or more are advised)"


@dataclass(frozen=True, slots=True, repr=False)
class CurveBand:
    """Mean curve of several runs with a pointwise interval.

    Parameters
    ----------
    t : ndarray of int, shape (T,)
        Episodes met so far: 1 .. T.
    mean, low, high : ndarray of float, shape (T,)
        Mean over the runs that have a value there, and its bounds; NaN where there is none. Bounds hold for each t
        by itself, not for the whole curve at once.
    n_runs : ndarray of int, shape (T,)
        Runs behind each point.
    level : float
        Nominal coverage at each t.
    target : str
        What the band generalises to.
    reason : str
        Empty when all is well; else why the band is missing, and the way out.
    """

    t: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    n_runs: NDArray[np.int64]
    level: float
    target: str
    reason: str = ""

    def __repr__(self) -> str:
        if not len(self.t):
            return "CurveBand(no episodes)"
        end = f"{self.mean[-1]:.4g} [{self.low[-1]:.4g}, {self.high[-1]:.4g}]"
        alike = math.isnan(self.low[-1]) and self.n_runs[-1] > 1
        told = self.reason or (_ALIKE if alike else self.target)
        return f"CurveBand(after {self.t[-1]} episodes: {end}, {self.n_runs[-1]} runs; {told})"


def prequential_mean(scores: ArrayLike, *, window: int | None = None, fading: float | None = None) -> Floats:
    """Mean score so far at each episode: of all, of the last `window`, or with older ones fading.

    Parameters
    ----------
    scores : array_like of float, shape (..., T)
        In the order the episodes were met. NaN = no score: left out of the means, and the others keep their place.
    window : int, at least 1, optional
        Episodes looked back on, this one included. The first ones look back on what there is.
    fading : float, in (0, 1], optional
        Weight of an episode relative to the next; .99 remembers about 100 episodes, 1 gives the plain mean.

    Returns
    -------
    ndarray of float, shape (..., T)
        NaN where no score has come yet, or none within the window.

    Raises
    ------
    ValueError
        For a `window` or `fading` out of range, both at once, or scores without an axis.

    Notes
    -----
    With fading a, the value at t is ``sum(a**(t - i) * x_i) / sum(a**(t - i))`` over the scores x_i seen up to t,
    computed in one pass [1]_. Time is linear in T in all three forms.

    References
    ----------
    .. [1] Gama, Sebastiao & Rodrigues (2013), On evaluating stream learning algorithms, Mach. Learn. 90(3).

    Examples
    --------
    >>> prequential_mean([1, 0, float("nan"), 1]).round(2).tolist()
    [1.0, 0.5, 0.5, 0.67]
    >>> prequential_mean([1, 0, 0, 1], window=2).tolist()
    [1.0, 0.5, 0.0, 0.5]
    """
    numbers = np.asarray(scores, dtype=float)
    _check_form(numbers, window, fading)
    there = ~np.isnan(numbers)
    filled = np.where(there, numbers, 0.0)
    if fading is not None and fading < 1:
        total, weight = _faded(filled, fading), _faded(there.astype(float), fading)
    else:
        total, weight = (_trailing(part, window) for part in (filled, there.astype(float)))
    enough = weight > 1e-290  # a long gap fades every weight to nothing: then there is no recent score
    means: Floats = np.divide(total, weight, out=np.full(numbers.shape, math.nan), where=enough)
    return means


def curve_band(
    scores: ArrayLike, *, level: float = 0.95, window: int | None = None, fading: float | None = None
) -> CurveBand:
    """Mean prequential curve of several runs with a pointwise t interval over runs.

    Parameters
    ----------
    scores : array_like of float, shape (R, T)
        One row per run, or the difference of two arms in it; NaN = no score. Runs of unequal length are padded with
        NaN at the end: the padding carries no value, as a run that has ended says nothing about later episodes.
    level : float, in (0, 1)
        Nominal coverage at each t.
    window, fading
        As in `prequential_mean`.

    Returns
    -------
    CurveBand
        The bounds are NaN where fewer than two runs have a value, or where all runs have the same one: agreement of
        a few runs is no proof of certainty.

    Raises
    ------
    ValueError
        As `prequential_mean`, for a `level` not within (0, 1), or scores that are not two-dimensional.

    Notes
    -----
    At each t: mean over runs, plus or minus t(R - 1) * sd / sqrt(R). The runs share their tasks, so the band speaks
    of new orders of these tasks, not of new tasks; for those see `two_way`.

    Examples
    --------
    >>> band = curve_band([[0, 1, 1], [0, 0, 1], [1, 1, 1]], window=2)
    >>> band.mean.round(2).tolist(), band.high.round(2).tolist()
    ([0.33, 0.5, 0.83], [1.77, 1.74, 1.55])
    """
    check_level(level)
    numbers = _table(scores)
    curves = np.empty_like(numbers)
    _check_form(curves[:0], window, fading)
    for rows in _blocks(*numbers.shape):
        part = numbers[rows]
        ahead = np.logical_or.accumulate(~np.isnan(part[:, ::-1]), axis=1)[:, ::-1]
        curves[rows] = np.where(ahead, prequential_mean(part, window=window, fading=fading), math.nan)
    return band_of(curves, level=level, rounding=1e-9 * _largest(numbers))


def band_of(curves: Floats, *, level: float, rounding: float) -> CurveBand:
    """Mean over runs of curves that are made already, with a pointwise t interval; see `curve_band`.

    Parameters
    ----------
    curves : ndarray of float, shape (R, T)
        One row per run; NaN where it has no value.
    rounding : float
        Runs that differ by no more at some t count as equal there.
    """
    length = curves.shape[1]
    mean, half, count = np.empty(length), np.empty(length), np.empty(length, dtype=np.int64)
    for columns in _blocks(length, len(curves)):
        mean[columns], half[columns], count[columns], _ = _t_over_runs(curves[:, columns], level, rounding)
    t = np.arange(1, length + 1)
    return CurveBand(t, mean, mean - half, mean + half, count, level, _TARGET, _why_missing(half, count))


def slope_last_third(scores: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Score gained per episode over the last third of the runs: whether learning still goes on at the end.

    Parameters
    ----------
    scores : array_like of float, shape (R, T)
        As in `curve_band`: raw scores, not running means (whose slope lags behind).
    level : float, in (0, 1)
        Nominal coverage.

    Returns
    -------
    Estimate
        Mean over runs of the least-squares slopes, with a t interval over runs; `n` counts the scores used,
        `clusters` is 0. NaN with a reason when T is below 6, when no run has two scores there, when only one has,
        or when all slopes are equal.

    Raises
    ------
    ValueError
        As `curve_band`.

    Notes
    -----
    The last third are the last ``T // 3`` episodes. A slope per run makes the runs independent repeats, so that
    dependence along the stream does no harm.

    Examples
    --------
    >>> found = slope_last_third([[0] * 6 + [0, 1, 1], [0] * 6 + [0, 0, 1], [0] * 6 + [1, 1, 1]])
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
    0.33 [-0.38, 1.05]
    """
    check_level(level)
    numbers = _table(scores)
    length = numbers.shape[1]
    last = numbers[:, length - length // 3 :]
    slopes = _slopes(last)
    reason = ""
    if length < 6:
        reason = f"{length} episodes: a slope over their last third needs 6 or more; use a longer stream"
    elif np.isnan(slopes).all():
        reason = "no run has two scores in the last third; see which episodes failed"
    used = int((~np.isnan(last[~np.isnan(slopes)])).sum())
    return over_runs(slopes, "slopes", used, level=level, rounding=1e-12 * _largest(last), reason=reason)


def over_runs(
    values: Floats, what: str, n: int, *, level: float, rounding: float, target: str = _TARGET, reason: str = ""
) -> Estimate:
    """Mean over runs of a figure that each run has one of, with a t interval over runs.

    Parameters
    ----------
    values : ndarray of float, shape (R,)
        NaN = the run has none.
    what : str
        What the figures are called.
    n : int
        Observations behind them.
    level : float, in (0, 1)
        Nominal coverage.
    rounding : float
        Runs that differ by no more count as equal, which is no proof of certainty: then there are no bounds.
    target : str
        What the interval generalises to.
    reason : str
        Why there is no interval, if that is known already.
    """
    mean, half, count, error = (part[0] for part in _t_over_runs(values[:, None], level, rounding))
    reason = reason or _why_missing(half[None], count[None])
    half = math.nan if reason else half
    p_value = math.nan if reason else t_two_sided(float(mean / error), float(count - 1))
    return Estimate(
        float(mean), float(mean - half), float(mean + half), level, p_value, n, int(count), 0,
        math.nan if reason else float(count - 1), f"t over the {what} of the runs", target, reason,
    )  # fmt: skip


def cumulative_band(differences: ArrayLike, *, level: float = 0.95) -> CurveBand:
    """Sum so far of each run's differences, its mean over runs and a pointwise t interval: regret, or its opposite.

    Parameters
    ----------
    differences : array_like of float, shape (R, T)
        One row per run, in the order its tasks were met. NaN = not made, or without a score: a sum over it is not
        known, so that the run's curve ends before it.
    level : float, in (0, 1)
        Nominal coverage at each t.

    Returns
    -------
    CurveBand
        As `curve_band`, in units of score. A reason is given where curves end early.

    Raises
    ------
    ValueError
        For infinite differences, a `level` not within (0, 1), or an array that is not two-dimensional.

    Examples
    --------
    >>> band = cumulative_band([[1, 0, 1], [1, 1, 1], [0, 0, 1]])
    >>> band.mean.round(2).tolist(), band.low.round(2).tolist()
    ([0.67, 1.0, 2.0], [-0.77, -1.48, -0.48])
    """
    check_level(level)
    numbers = _table(differences)
    _check_form(numbers, None, None)
    sums = np.cumsum(numbers, axis=1)
    band = band_of(sums, level=level, rounding=1e-9 * _largest(sums))
    gaps = int((np.isnan(sums) & ~np.isnan(numbers)).any(axis=1).sum())
    told = f"{gaps} of {len(numbers)} runs have a task without a score: their sums end before it; see which failed"
    return replace(band, reason=band.reason or (told if gaps else ""))


def _check_form(scores: Floats, window: int | None, fading: float | None) -> None:
    if scores.ndim == 0:
        raise ValueError(f"scores must have an axis of episodes, not be the single number {scores}; pass a list")
    if np.isinf(scores).any():
        raise ValueError("scores must be finite, but one is infinite; write NaN for a missing one")
    if window is not None and fading is not None:
        raise ValueError(f"give window or fading, not both (window={window}, fading={fading}); leave one out")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1 episode, not {window}; None takes all episodes so far")
    if fading is not None and not 0 < fading <= 1:
        raise ValueError(f"fading must be in (0, 1], not {fading}; .99 remembers about 100 episodes")


def _table(scores: ArrayLike) -> Floats:
    numbers = np.asarray(scores, dtype=float)
    if numbers.ndim != 2:
        raise ValueError(f"scores must be runs x episodes, not of shape {numbers.shape}; one run is [scores]")
    return numbers


def _largest(scores: Floats) -> float:
    """Of the absolute values; 0 where there is none."""
    return max((float(np.fmax.reduce(np.abs(row), initial=0.0)) for row in scores), default=0.0)


def _blocks(number: int, size: int) -> Iterator[slice]:
    """Slices of `number` rows or columns of `size` values each, so that a block stays in the processor's cache."""
    step = max(1, _BLOCK // max(1, size))
    return (slice(start, start + step) for start in range(0, number, step))


def _trailing(values: Floats, window: int | None) -> Floats:
    """Sums of the last `window` values up to each place, or of all."""
    sums = np.cumsum(values, axis=-1)
    if window is not None and window < values.shape[-1]:
        sums[..., window:] -= sums[..., :-window]  # numpy copies where the two overlap
    return sums


def _faded(values: Floats, fading: float) -> Floats:
    """Sums in which a value loses the factor `fading` with every step."""
    # Slow to import, and needed by this form alone.
    from scipy.signal import lfilter  # type: ignore[import-untyped, unused-ignore]

    return np.asarray(lfilter([1.0], [1.0, -fading], values, axis=-1), dtype=float)


def _t_over_runs(values: Floats, level: float, rounding: float) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
    """Mean over rows, half width, number of rows and standard error, per column; NaN where they cannot be had.

    Rows that differ by no more than `rounding` count as equal: sums taken in another order differ in the last bits.
    """
    there = ~np.isnan(values)
    count = there.sum(axis=0).astype(np.int64)
    filled = np.where(there, values, 0.0)
    mean = np.divide(filled.sum(axis=0), count, out=np.full(len(count), math.nan), where=count > 0)
    squares = np.where(there, (values - mean) ** 2, 0.0).sum(axis=0)
    most = np.where(there, values, -math.inf).max(axis=0, initial=-math.inf)
    least = np.where(there, values, math.inf).min(axis=0, initial=math.inf)
    sound = (count > 1) & (most - least > rounding)
    error = np.full(len(count), math.nan)
    error[sound] = np.sqrt(squares[sound] / (count[sound] - 1) / count[sound])
    df = np.where(sound, count - 1.0, math.nan)
    return mean, t_quantile(level, df) * error, count, error


def _why_missing(half: Floats, count: NDArray[np.int64]) -> str:
    if not count.any():
        return "no scores: all are missing, or none were given; see which episodes failed"
    if count.max() == 1:
        return _ONE_RUN
    if np.isnan(half).all():
        return "all runs agree to the last bit: no spread to estimate a band from; add runs or tasks"
    return ""


def _slopes(scores: Floats) -> Floats:
    """Least-squares slope of each row on its position; NaN with fewer than two scores."""
    there = ~np.isnan(scores)
    count = there.sum(axis=1, keepdims=True)
    place = np.where(there, np.arange(scores.shape[1], dtype=float), 0.0)
    centred = np.where(there, place - place.sum(axis=1, keepdims=True) / np.maximum(count, 1), 0.0)
    squares = (centred**2).sum(axis=1)
    products = (centred * np.where(there, scores, 0.0)).sum(axis=1)
    slopes: Floats = np.divide(products, squares, out=np.full(len(scores), math.nan), where=squares > 0)
    return slopes
