"""The crossed bootstrap without drawing: its distribution itself, for scores on a grid and few, equally full runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations_with_replacement, count

import numpy as np
from numpy.typing import NDArray

from toolkit.stats.estimate import Codes, Floats

_MOST_RUNS = 6  # 462 ways to draw six runs from six; of seven, 1716
_STEPS = 64  # a grid of more steps between the smallest and the largest sum is no grid to speak of
_LONGEST = 8192  # points of the distribution that are told apart
_NOUGHT = -46.0  # log of what is lost in rounding anyway
_BLOCK = 16_000  # coefficients at a time: what a processor keeps near


def distribution(sums: Floats, counts: Floats, times: Codes) -> tuple[Floats, Floats] | None:
    """All means that a resample can have, in order, and their probabilities.

    Once the runs are drawn, each cluster is one number y, and a resample's total is a sum of independent draws from the
    clusters. Its distribution is that of y, convolved with itself: a power of its Fourier transform. Over all ways to
    draw the runs, transforms add up.

    Parameters
    ----------
    sums, counts : ndarray of float, shape (runs, classes)
        Sums and numbers of the values in each cell, a class being clusters that are equal in all runs.
    times : ndarray of int, shape (classes,)
        How many clusters each class has.

    Returns
    -------
    tuple of ndarray, or None
        None where the mathematics does not allow it: more than 6 runs, cells that are not equally full, sums on no
        grid, or a distribution too wide.
    """
    runs, size = len(sums), int(times.sum())
    steps = _steps(sums)
    if runs > _MOST_RUNS or steps is None or (counts != counts[0, 0]).any():
        return None
    step, grid = steps
    ways, chances = _ways(runs)
    y = np.rint(ways @ grid).astype(np.intp)
    width = int(y.max()) + 1
    place = y + np.arange(len(ways))[:, None] * width
    weights = np.broadcast_to(times / size, y.shape)
    of_y = np.bincount(place.ravel(), weights=weights.ravel(), minlength=len(ways) * width).reshape(-1, width)
    found = _convolved(np.asarray(of_y, dtype=np.float64), chances, size)
    if found is None:
        return None
    totals, probabilities = found
    n = runs * size
    return (totals * step / n + float(sums.min())) / float(counts[0, 0]), probabilities


def _steps(sums: Floats) -> tuple[float, Floats] | None:
    """The grid's step, and the sums in steps above the smallest."""
    values = np.unique(np.round(sums, 12))
    if not 1 < len(values) <= _STEPS:
        return None
    span = float(np.ptp(sums))
    step = span / max(1.0, float(np.rint(span / np.diff(values).min())))
    grid = (sums - float(sums.min())) / step
    whole = np.rint(grid)
    fits = float(np.abs(grid - whole).max()) < 1e-6 and float(whole.max()) <= _STEPS
    return (step, np.asarray(whole)) if fits else None


@lru_cache(maxsize=8)
def _ways(runs: int) -> tuple[Floats, Floats]:
    """How often each run may be drawn, shape (ways, runs), and how likely that is."""
    drawn = np.array(list(combinations_with_replacement(range(runs), runs)))
    ways = (drawn[:, :, None] == np.arange(runs)).sum(1)
    factorials = np.array([math.factorial(one) for one in range(runs + 1)], dtype=float)
    return ways.astype(float), factorials[runs] / factorials[ways].prod(1) / float(runs) ** runs


def _convolved(of_y: Floats, chances: Floats, size: int) -> tuple[Floats, Floats] | None:
    """The mixture over ways of the sum of `size` draws from each way's distribution of y."""
    y = np.arange(of_y.shape[1])
    mean = of_y @ y
    sd = np.sqrt(np.maximum(of_y @ y**2 - mean**2, 0) * size)
    low, high = math.floor(float((mean * size - 9 * sd).min())), math.ceil(float((mean * size + 9 * sd).max()))
    points = _smooth(high - low + 2)
    if points > _LONGEST:
        return None
    mixed = np.concatenate(list(_blocks(of_y, chances, size, points)))
    probabilities = np.fft.irfft(mixed, points)
    totals = low + np.arange(points)
    probabilities = np.maximum(probabilities[totals % points], 0)
    return totals.astype(float), probabilities / probabilities.sum()


def _blocks(of_y: Floats, chances: Floats, size: int, points: int) -> Iterator[NDArray[np.complex128]]:
    """The mixture's Fourier coefficients, so many waves at a time that a processor keeps near what they need."""
    last, start, end = _last(of_y, size, points), 0, points // 2 + 1
    while start < end:
        ways = last >= start
        waves = range(start, min(end, start + max(1, _BLOCK // max(1, int(ways.sum())))))
        yield _waves(of_y[ways], chances[ways], size, points, waves)
        start = waves.stop


def _last(of_y: Floats, size: int, points: int) -> Codes:
    """For each way a wave beyond which its transform has vanished in the power, by a bound.

    The square of its modulus is ``1 - sum p_j p_k (1 - cos(angle (j - k)))`` over all pairs of values, of which those
    that are neighbours alone take away ``2 (1 - cos angle) sum p_j p_(j+1)``.
    """
    neighbours = 2 * (of_y[:, :-1] * of_y[:, 1:]).sum(1)
    needed = -math.expm1(2 * _NOUGHT / size)
    with np.errstate(divide="ignore"):
        angle = np.arccos(np.maximum(1 - needed / neighbours, -1.0))
    return np.asarray(np.ceil(angle / (2 * np.pi) * points), dtype=np.intp)


def _waves(of_y: Floats, chances: Floats, size: int, points: int, waves: range) -> NDArray[np.complex128]:
    """The mixture's Fourier coefficients at some of the waves."""
    angles = 2 * np.pi / points * (np.outer(np.arange(of_y.shape[1]), waves) % points)
    real, imaginary = of_y @ np.cos(angles), of_y @ np.sin(angles)
    squared = real * real + imaginary * imaginary
    way, wave = np.nonzero(squared > math.exp(2 * _NOUGHT / size))
    modulus = chances[way] * np.exp(size / 2 * np.log(squared[way, wave]))
    turn = -size * np.arctan2(
        imaginary[way, wave], real[way, wave]
    )  # in polar form: a complex power takes twice as long
    parts = [np.bincount(wave, modulus * part(turn), minlength=len(waves)) for part in (np.cos, np.sin)]
    return np.asarray(parts[0] + 1j * parts[1])


def _smooth(least: int) -> int:
    """The first number from ``least`` on without prime factors above 5: a Fourier transform of so many points is quick.

    Examples
    --------
    >>> _smooth(7), _smooth(2049)
    (8, 2160)
    """
    return next(number for number in count(least) if 60 ** number.bit_length() % number == 0)
