"""Of what a paired difference is made up: parts of its variance that different repeats average out.

More runs do nothing about tasks that happen to favour one arm, more tasks nothing about lucky orders. A pilot tells the
parts apart (`variance_components`); without one, `binary_prior` assumes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from toolkit.stats.estimate import Codes, Floats, aligned
from toolkit.stats.inference import _cell_term, _one_way, tables

_FEW_PILOT = 5  # with fewer runs, the spread between runs is known to within a factor of two or worse


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of which one paired difference is made up, in squared units of the score.

    Parameters
    ----------
    run
        Between runs: how far the true mean difference of one order and seed lies from that of another.
    cluster
        Between clusters (sessions, or tasks where there are none), alike in every run.
    cell
        Of a cluster within a run, beyond both.
    task
        Between the tasks of a cluster, alike in every run; 0 where a cluster is one task, or tasks were not told apart.
    residual
        Of a single difference, beyond all of these; 0 where it is held by `cell`.
    source
        In words: what they rest on.
    reason
        Empty when all is well; else why they are missing (NaN) or to be doubted, and the way out.

    Examples
    --------
    >>> round(Components(run=.001, cluster=.1, cell=.2).mean_variance(runs=10, clusters=100), 4)
    0.0013
    """

    run: float
    cluster: float
    cell: float
    task: float = 0.0
    residual: float = 0.0
    source: str = ""
    reason: str = ""

    def mean_variance(self, runs: int, clusters: int, tasks: float = 1) -> float:
        """Variance of the mean difference over so many runs, clusters, and tasks in a cluster."""
        run, cluster, cell = self.terms(runs, clusters, tasks)
        return run + cluster - cell

    def terms(self, runs: int, clusters: int, tasks: float = 1) -> tuple[float, float, float]:
        """What V_run, V_cluster and V_cell of `two_way` are on average."""
        cell = (self.cell + self.residual / tasks) / (runs * clusters)
        return self.run / runs + cell, (self.cluster + self.task / tasks) / clusters + cell, cell


def binary_prior() -> Components:
    """Variance components to plan with where there is no pilot: two arms scored 0 or 1, nearly as bad as it gets.

    A difference of two 0/1 scores that are not negatively correlated has a variance of at most .25 + .25 = .5, at a
    success rate of one half in both arms and no correlation between them. All of it is taken to lie between tasks,
    alike in every run, so that more seeds do not average it out; half of that is shared by the tasks of a session.
    Runs are taken to differ by a standard deviation of .05. Arms on the same tasks are nearly always positively
    correlated: a pilot will say that fewer tasks do. Of scores within [0, 1] none vary more than 0/1 ones. Differences
    of negatively correlated ones could vary by up to 1.

    Examples
    --------
    >>> round(binary_prior().mean_variance(runs=10, clusters=200), 5)
    0.00275
    """
    return Components(run=0.05**2, cluster=0.25, cell=0.0, task=0.25, source="no pilot: the worst case")


def variance_components(
    values: ArrayLike, run: ArrayLike, cluster: ArrayLike, task: ArrayLike | None = None
) -> Components:
    """Variance components of paired differences, as a pilot shows them.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Differences of two arms on one task of one run. NaN = missing: dropped.
    run, cluster : array_like, shape (n,)
        Labels, as in `toolkit.stats.two_way`.
    task : array_like, shape (n,), optional
        Labels of the tasks, where a cluster holds several; needed to plan with another number of tasks in a cluster.
        Without it `cluster` and `cell` speak of clusters as large as these: plan with ``tasks=1``.

    Returns
    -------
    Components
        None below 0. NaN and a reason with fewer than two runs or two clusters.

    Raises
    ------
    ValueError
        As `toolkit.stats.two_way`.

    Notes
    -----
    By the method of moments from the terms of `two_way`, whose expectations on balanced data are ::

        V_run = run/R + cell/(R K),    V_cluster = cluster/K + cell/(R K),    V_cell = cell/(R K)

    (two-way analysis of variance with random effects [1]_; on unbalanced data with effective numbers, approximately).
    With tasks, once with tasks as clusters and once with clusters of m tasks: what the first calls `cluster` is
    cluster + task, what the second calls so is cluster + task/m; likewise for the cells. Negative ones are set to 0.

    References
    ----------
    .. [1] Searle, Casella & McCulloch (1992), Variance Components, ch. 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> run, task = np.repeat(np.arange(20), 200), np.tile(np.arange(200), 20)
    >>> values = rng.normal(0, .1, 20)[run] + rng.normal(0, .5, 200)[task] + rng.normal(0, 1, 4000)
    >>> found = variance_components(values, run, task)
    >>> f"{found.run:.3f} {found.cluster:.2f} {found.cell:.2f}"
    '0.007 0.23 1.01'
    """
    kept, runs, clusters = aligned(values, run, cluster)
    n_runs, n_clusters = (int(codes.max()) + 1 if len(kept) else 0 for codes in (runs, clusters))
    source = f"{len(kept)} differences, {n_runs} runs x {n_clusters} clusters"
    if min(n_runs, n_clusters) < 2:
        why = f"{n_runs} runs, {n_clusters} clusters: two of either are needed to tell the parts of the variance apart"
        return Components(math.nan, math.nan, math.nan, source=source, reason=why)
    doubt = f"spread between runs rests on {n_runs} runs: little is known of it" if n_runs < _FEW_PILOT else ""
    by_run, by_cluster, by_cell = _moments(kept, runs, clusters)
    found = Components(max(by_run, 0.0), max(by_cluster, 0.0), max(by_cell, 0.0), source=source, reason=doubt)
    if task is None:
        return found
    _, _, tasks = aligned(values, run, task)
    size = (int(tasks.max()) + 1) / n_clusters
    if size <= 1:
        return found
    _, of_task, single = _moments(kept, runs, tasks)
    share = 1 - 1 / size
    between, beyond = (max((one - mean) / share, 0.0) for one, mean in ((of_task, by_cluster), (single, by_cell)))
    return replace(
        found, cluster=max(by_cluster - between / size, 0.0), cell=max(by_cell - beyond / size, 0.0),
        task=between, residual=beyond,
    )  # fmt: skip


def _moments(values: Floats, runs: Codes, clusters: Codes) -> tuple[float, float, float]:
    """Components of run, cluster and cell, unbounded, from the terms of `two_way`."""
    sums, counts = tables(values - values.mean(), runs, clusters)
    (by_run, df_run), (by_cluster, df_cluster) = (
        _one_way(sums.sum(1), counts.sum(1)),
        _one_way(sums.sum(0), counts.sum(0)),
    )
    by_cell = _cell_term(sums, counts)
    share = float(((counts / counts.sum()) ** 2).sum())
    return (by_run - by_cell) * (df_run + 1), (by_cluster - by_cell) * (df_cluster + 1), by_cell / share
