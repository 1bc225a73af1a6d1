"""What later learning does to earlier tasks: backward transfer, and its opposite, forgetting."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.curves import over_runs
from toolkit.stats.estimate import Estimate, check_level


def backward_transfer(soon: ArrayLike, late: ArrayLike, *, level: float = 0.95) -> Estimate:
    """How much better tasks are done at the end than just after they were learned; below 0 they were forgotten.

    Parameters
    ----------
    soon : array_like of float, shape (R, K)
        By run and task (or block of tasks): the score when it was first asked after it had been learned. NaN = not.
    late : array_like of float, shape (R, K)
        The score of the same when it was asked last, after all the others.
    level : float, in (0, 1)
        Nominal coverage.

    Returns
    -------
    Estimate
        Mean over runs of each run's mean over its tasks, with a t interval over runs; `n` counts the tasks that have
        both scores. NaN bounds with a reason where no task has, where there is one run, or where all runs agree.

    Raises
    ------
    ValueError
        For arrays that are not two-dimensional and of one shape, or a `level` not within (0, 1).

    Notes
    -----
    With R[i, j] the score on task j after learning task i of K, backward transfer is
    ``sum over j < K of (R[K, j] - R[j, j]) / (K - 1)`` [1]_; `soon` holds R[j, j] and `late` R[K, j]. The last task
    has no later learning: leave it out, or make it NaN. A maximum over earlier passes in place of R[j, j], as some
    take for forgetting, is above 0 by noise alone and is not used here.

    References
    ----------
    .. [1] Lopez-Paz & Ranzato (2017), Gradient episodic memory for continual learning, NeurIPS 30, arXiv:1706.08840.

    Examples
    --------
    >>> found = backward_transfer([[1, 1, 1], [1, 1, 0], [1, 0, 1]], [[0, 1, 0], [1, 0, 0], [1, 0, 0]])
    >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]", found.n)
    -0.44 [-0.92, 0.03] 9
    """
    check_level(level)
    first, last = np.asarray(soon, dtype=float), np.asarray(late, dtype=float)
    if first.ndim != 2 or first.shape != last.shape:
        raise ValueError(f"soon and late must be runs x tasks of one shape, not {first.shape} and {last.shape}")
    gain = last - first
    there = ~np.isnan(gain)
    count = there.sum(axis=1)
    sums = np.where(there, gain, 0.0).sum(axis=1)
    means = np.divide(sums, count, out=np.full(len(gain), math.nan), where=count > 0)
    reason = (
        "" if there.any() else "no task was asked twice after it was learned: ask tasks again, or use a longer stream"
    )
    return over_runs(
        means, "mean gains", int(count.sum()), level=level, rounding=1e-12, reason=reason,
        target="new orders of these tasks",
    )  # fmt: skip


def forgetting(soon: ArrayLike, late: ArrayLike, *, level: float = 0.95) -> Estimate:
    """How much worse tasks are done at the end than just after they were learned: minus the backward transfer.

    Parameters
    ----------
    soon, late, level
        As in `backward_transfer`, where everything is said.

    Examples
    --------
    >>> forgetting([[1.0, 1.0], [1.0, 0.5]], [[0.5, 1.0], [1.0, 0.0]]).value
    0.25
    """
    found = backward_transfer(soon, late, level=level)
    return replace(found, value=0.0 - found.value, low=0.0 - found.high, high=0.0 - found.low)
