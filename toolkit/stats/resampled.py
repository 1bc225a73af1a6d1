"""The crossed bootstrap without drawing: its distribution itself, for scores on a grid and few, equally full runs."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from toolkit.stats.estimate import Codes, Floats

_MOST_RUNS = 6  # 462 ways to draw six runs from six; of seven, 1716
_STEPS = 64  # a grid of more steps between the smallest and the largest sum is no grid to speak of
_LONGEST = 8192  # points of the distribution that are told apart
_NOUGHT = -46.0  # log of what is lost in rounding anyway


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
    points = 1 << (high - low + 1).bit_length()
    if points > _LONGEST:
        return None
    angles = 2 * np.pi / points * (np.outer(y, np.arange(points // 2 + 1)) % points)
    real, imaginary = of_y @ np.cos(angles), of_y @ np.sin(angles)
    way, wave = np.nonzero(real**2 + imaginary**2 > math.exp(2 * _NOUGHT / size))  # most vanish in the power
    powers = chances[way] * np.exp(size * np.log(real[way, wave] - 1j * imaginary[way, wave]))
    mixed = [np.bincount(wave, weights=part, minlength=points // 2 + 1) for part in (powers.real, powers.imag)]
    probabilities = np.fft.irfft(mixed[0] + 1j * mixed[1], points)
    totals = low + np.arange(points)
    probabilities = np.maximum(probabilities[totals % points], 0)
    return totals.astype(float), probabilities / probabilities.sum()
