"""The crossed bootstrap beside scipy's paired bootstrap: 10,000 draws, 2,000 tasks, a percentile interval of the mean.

Ours draws runs as well as tasks; scipy's draws tasks only, since it knows one factor. It is given each task's mean over
the runs of both arms, the smallest data it could work on.
"""

from __future__ import annotations

import measure
import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from toolkit.stats import crossed_bootstrap

DRAWS, TASKS, RUNS = 10_000, 2_000, 5
Table = NDArray[np.float64]


def difference(one: Table, other: Table, axis: int = -1) -> Table:
    """The statistic as scipy wants it."""
    return np.asarray(one.mean(axis=axis) - other.mean(axis=axis))


def scipys(one: Table, other: Table, batch: int | None) -> object:
    """Its paired bootstrap of the tasks' means."""
    rng = np.random.default_rng(1)
    given = {"paired": True, "vectorized": True, "n_resamples": DRAWS, "method": "percentile", "batch": batch}
    return bootstrap((one.mean(0), other.mean(0)), difference, rng=rng, **given)


def ours(one: Table, other: Table) -> object:
    """Runs and tasks."""
    run, task = np.repeat(np.arange(RUNS), TASKS), np.tile(np.arange(TASKS), RUNS)
    return crossed_bootstrap((one - other).ravel(), run, task, rng=np.random.default_rng(1), draws=DRAWS, unit="task")


def measure_bootstrap() -> None:
    """Scores that are right or wrong, and scores of any size; scipy as it comes, and with the batch that suits it."""
    rng = np.random.default_rng(0)
    right = [(rng.random((RUNS, TASKS)) < share).astype(float) for share in (0.6, 0.5)]
    any_size = [rng.normal(mean, 1, (RUNS, TASKS)) for mean in (0.6, 0.5)]
    for kind, goal, (one, other) in (("right or wrong", "<= 0.02", right), ("of any size", "<= 0.33", any_size)):
        for batch in (None, 1000):
            name = f"crossed bootstrap, scores {kind} / scipy, paired" + (f", batch {batch}" if batch else "")
            aim = goal if batch is None else ""
            measure.row(name, aim, lambda: ours(one, other), lambda batch=batch: scipys(one, other, batch))  # type: ignore[misc]  # noqa: B023
