"""Scores of a two-level design in pairs: one score in every cell for each run and task, or the pair is left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.stats.estimate import Codes, Floats, aligned

_MOST = 10  # a table of 2**10 cells for each pair; no study has so many arms


@dataclass(frozen=True, eq=False)
class Paired:
    """The complete pairs of a design of k factors.

    Parameters
    ----------
    k : int
        Number of factors.
    cells : ndarray of int, shape (c,)
        The cells that have rows, as rows of `signs_of`.
    sign : int
        0 for a full design; for a half fraction the product of levels that its cells share.
    scores : ndarray of float, shape (pairs, c)
        Without NaN.
    runs, clusters : ndarray of int, shape (pairs,)
        Codes of each pair's run and cluster.
    left_out : int
        Pairs that miss a score.
    fault : str
        What is wrong with the design; empty when all is well.
    """

    k: int
    cells: Codes
    sign: int
    scores: Floats
    runs: Codes
    clusters: Codes
    left_out: int
    fault: str


def paired(scores: ArrayLike, run: ArrayLike, task: ArrayLike, levels: ArrayLike, cluster: ArrayLike) -> Paired:
    """The complete pairs of `toolkit.stats.factorial.main_effects`, whose parameters and errors these are."""
    numbers = np.asarray(scores, dtype=float)
    aligned(numbers, run, task)  # for its checks: codes are wanted of all rows, the missing ones too
    _, runs, tasks = aligned(np.zeros(numbers.shape), run, task)
    _, _, clusters = aligned(np.zeros(numbers.shape), run, cluster)
    signs = _checked(levels, len(numbers))
    k = signs.shape[1]
    codes = (signs > 0) @ (2 ** np.arange(k)[::-1])
    cells, columns = np.unique(codes, return_inverse=True)
    sign, fault = _design(cells, k)
    together = runs * (int(tasks.max(initial=0)) + 1) + tasks
    pairs, first, rows = np.unique(together, return_index=True, return_inverse=True)
    _check_rows(rows, columns, clusters, clusters[first], np.asarray(run), np.asarray(task))
    table = np.full((len(pairs), len(cells)), math.nan)
    table[rows, columns] = numbers
    whole = ~np.isnan(table).any(1)
    kept = first[whole]
    return Paired(k, cells, sign, table[whole], runs[kept], clusters[kept], int((~whole).sum()), fault)


def _checked(levels: ArrayLike, n: int) -> Floats:
    signs = np.asarray(levels, dtype=float)
    if signs.ndim != 2 or len(signs) != n:
        raise ValueError(f"levels must hold one row per score ({n}) and one column per factor, not shape {signs.shape}")
    if not 1 <= signs.shape[1] <= _MOST:
        raise ValueError(f"levels must have 1 to {_MOST} columns, not {signs.shape[1]}; give one per factor")
    strange = ~np.isin(signs, (-1, 1))
    if strange.any():
        raise ValueError(f"levels must be -1 (off) or 1 (on), not {signs[strange][0]:g}; recode them")
    return signs


def _check_rows(
    rows: Codes, columns: Codes, clusters: Codes, of_pair: Codes, run: NDArray[Any], task: NDArray[Any]
) -> None:
    """One score per pair and cell; one cluster per pair."""
    place = rows * (int(columns.max(initial=0)) + 1) + columns
    _, first, counts = np.unique(place, return_index=True, return_counts=True)
    if (counts > 1).any():
        at = int(first[counts > 1][0])
        raise ValueError(
            f"run {run[at]}, task {task[at]} has {counts.max()} scores in one cell; leave all but one out, "
            "or give repeats run labels of their own"
        )
    moved = np.flatnonzero(clusters != of_pair[rows])
    if len(moved):
        at = int(moved[0])
        raise ValueError(f"run {run[at]}, task {task[at]} has two cluster labels; give a task the same one in all arms")


def signs_of(k: int) -> Floats:
    """Levels of all 2^k cells, shape (2^k, k), by cell code: the first factor changes slowest."""
    return np.asarray(np.indices((2,) * k).reshape(k, -1).T * 2 - 1, dtype=np.float64)


def _design(cells: Codes, k: int) -> tuple[int, str]:
    """0 for a full design, else the sign of the half fraction; and what is wrong with it."""
    products = signs_of(k)[cells].prod(1)
    if len(cells) == 2**k:
        return 0, ""
    if k >= 3 and len(cells) == 2 ** (k - 1) and (products == products[0]).all():
        return int(products[0]), ""
    seen = f"{len(cells)} of the {2**k} cells have scores"
    return 0, f"{seen}: effects need all of them, or the half with one product of levels; run the missing arms"
