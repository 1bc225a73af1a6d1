"""Means of human ratings when few episodes have one and a judge has rated all: prediction-powered inference.

A judge's mean is an opinion; the mean of a few human ratings is true but wide. The judge's mean, corrected by how far
it was off where humans rated as well, is true however wrong the judge is, and narrower the better it follows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.stats.estimate import Estimate, Floats, check_level, t_quantile, t_two_sided
from toolkit.stats.inference import two_way

LEAST = 10
"""Episodes that humans must have rated: with fewer the correction itself is not known."""

_METHOD = "prediction-powered, two-way cluster-robust t"


@dataclass(frozen=True, slots=True)
class Predicted:
    """A mean of human ratings, or a difference of two, with a judge's help.

    Parameters
    ----------
    estimate : Estimate
        In the unit of the human ratings; `Estimate.n` are the episodes that count, rated by humans or not.
    alone : Estimate
        The same from the human ratings alone, by the same road.
    weights : tuple of float
        Lambda of each arm: how much of the judge is believed; 0 = nothing. It is the slope of the human ratings on the
        judge's, so it also turns one scale into the other.
    rated : tuple of int
        Episodes of each arm that humans rated.
    n : int
        Episodes that the judge rated (of each arm, the same for both of a difference).
    """

    estimate: Estimate
    alone: Estimate
    weights: tuple[float, ...]
    rated: tuple[int, ...]
    n: int

    @property
    def gain(self) -> float:
        """What the judge is worth: as if so many times the episodes had been rated by humans; NaN without intervals."""
        wide, narrow = (_error(one) for one in (self.alone, self.estimate))
        return (wide / narrow) ** 2 if narrow > 0 else math.nan

    def __str__(self) -> str:
        one, humans = self.estimate, " and ".join(map(str, self.rated))
        bounds = "" if math.isnan(one.low) else f" [{one.low:.3f}, {one.high:.3f}]"
        value = "n/a" if math.isnan(one.value) else f"{one.value:.3f}"
        weights = ", ".join(f"{weight:.2f}" for weight in self.weights)
        told = f"{value}{bounds}, {humans} of {self.n} episodes rated by humans, lambda {weights}"
        told += "" if math.isnan(self.gain) else f", worth {self.gain:.1f} times the human ratings"
        return f"{told} ({one.reason})" if one.reason else told


@dataclass(frozen=True, slots=True)
class _Arm:
    """One arm's figures in the form of a mean: what each episode adds, with a judge (`values`) and without."""

    values: Floats
    alone: Floats
    weight: float
    rated: int
    exact: bool


def predicted_mean(
    judged: ArrayLike,
    human: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "task",
) -> Predicted:
    """The mean that humans would give, had they rated every episode that the judge did.

    Parameters
    ----------
    judged : array_like of float, shape (n,)
        The judge's rating of each episode. NaN = it gave none: the episode does not count.
    human : array_like of float, shape (n,)
        Human ratings, on any scale; NaN = not rated. Those rated must be a random sample of all: that is what the
        correction rests on, and nothing in the data can show it.
    run, cluster, level, unit
        As in `two_way`.

    Returns
    -------
    Predicted
        NaN with a reason for fewer than 10 human ratings, and wherever `two_way` gives none.

    Raises
    ------
    ValueError
        As `two_way`.

    Notes
    -----
    With the judge's f on all N episodes, human y on n of them and r = y - lambda f there, the estimate is ::

        lambda * mean(f over N) + mean(r over n)

    which has the mean of y for any lambda [1]_. Its variance is least at lambda = cov(y, f) / var(f), taken from the
    n episodes: the power tuning of [2]_, written for a judge's mean over all N, those rated by humans among them.
    It is also the regression estimator of survey sampling [3]_. Lambda is not held within [0, 1].

    The estimate is the mean over N of ``estimate + lambda (f - mean f) + (N/n) (r - mean r)``, the last term only where
    humans rated. These values, linear in each episode, go through `two_way`, so that runs crossed with tasks count as
    anywhere else; deviations r - mean r are stretched by sqrt(n / (n - 2)) for the mean and the slope that were
    fitted, and the degrees of freedom are at most n - 2 and the rated clusters less one.

    In simulations (``tests/recovery/test_predicted.py``: 1500 studies of 5 runs of 40 tasks, with 10, 20, 40 or 100
    human ratings) a nominal .95 covers .946 to .963 where runs and tasks shift the ratings, whether the judge is
    biased, useless or perfect. Where they do not it covers .969 to .991: wider than it need be, as `two_way` is there.

    References
    ----------
    .. [1] Angelopoulos, Bates, Fannjiang, Jordan & Zrnic (2023), Prediction-powered inference, Science 382.
    .. [2] Angelopoulos, Duchi & Zrnic (2023), PPI++: efficient prediction-powered inference, arXiv:2311.01453.
    .. [3] Cochran (1977), Sampling techniques, 3rd ed., Wiley, chapter 7.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> run, task = np.repeat(range(5), 40), np.tile(range(40), 5)
    >>> true = rng.normal(0.5, 0.2, 200)
    >>> judge, human = true + 0.3, np.where(rng.random(200) < 0.2, true + rng.normal(0, 0.05, 200), np.nan)
    >>> found = predicted_mean(judge, human, run, task)
    >>> print(found.estimate.low < 0.5 < found.estimate.high, f"{judge.mean():.2f}", found.gain > 2)
    True 0.79 True
    """
    check_level(level)
    f, y, there = _counted((judged, human))
    runs, clusters = np.asarray(run)[there], np.asarray(cluster)[there]
    arm = _linear(f, y)
    return _predicted((arm,), arm.values, arm.alone, (y,), runs, clusters, level, unit)


def predicted_difference(
    judged: ArrayLike,
    human: ArrayLike,
    judged_base: ArrayLike,
    human_base: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "task",
) -> Predicted:
    """How much higher humans would rate one arm than another on the same tasks of the same runs.

    Parameters
    ----------
    judged, human
        Ratings of the arm; see `predicted_mean`.
    judged_base, human_base
        Ratings of the other arm, in the same order: one element is one task of one run. It counts where the judge
        rated both; humans need not have rated the same episodes of both.
    run, cluster, level, unit
        As in `two_way`.

    Returns
    -------
    Predicted
        Each arm is corrected with a lambda of its own, for a judge may err in favour of one. NaN with a reason where
        humans rated fewer than 10 episodes of either.

    Raises
    ------
    ValueError
        As `two_way`.

    Notes
    -----
    The values of `predicted_mean` of one arm less those of the other, through `two_way`: what a task or a run does to
    both arms falls out.

    Examples
    --------
    >>> run, task = np.repeat(range(5), 8), np.tile(range(8), 5)
    >>> none = np.full(40, np.nan)
    >>> predicted_difference(np.ones(40), none, np.zeros(40), none, run, task).estimate.reason
    'humans rated 0 and 0 episodes: at least 10 of each arm are needed, drawn at random'
    """
    check_level(level)
    f, y, f_base, y_base, there = _counted((judged, human), (judged_base, human_base))
    runs, clusters = np.asarray(run)[there], np.asarray(cluster)[there]
    one, base = _linear(f, y), _linear(f_base, y_base)
    values, alone = one.values - base.values, one.alone - base.alone
    return _predicted((one, base), values, alone, (y, y_base), runs, clusters, level, unit)


def _counted(*pairs: tuple[ArrayLike, ArrayLike]) -> tuple[NDArray[Any], ...]:
    """The ratings of episodes that count, flat, and last which they are."""
    arrays = [np.asarray(one, dtype=float) for pair in pairs for one in pair]
    for one in arrays:
        if one.ndim != 1 or one.shape != arrays[0].shape:
            raise ValueError(f"ratings must be flat and as many as the judge's, not {one.shape}: one per episode")
        if np.isinf(one).any():
            raise ValueError("ratings must be finite; write NaN for one that is missing")
    there = ~np.isnan(np.array(arrays[::2])).any(0)
    return (*(one[there] for one in arrays), there)


def _linear(f: Floats, y: Floats) -> _Arm:
    """An arm's estimate as the mean of one value per episode."""
    rated = ~np.isnan(y)
    n, whole = int(rated.sum()), len(y)
    if n < LEAST:
        none = np.full(whole, math.nan)
        return _Arm(none, none, math.nan, n, False)
    own, said = y[rated], f[rated]
    spread = float(((said - said.mean()) ** 2).sum())
    flat = spread <= 1e-20 * n * max(1.0, float(np.abs(said).max()) ** 2)
    weight = 0.0 if flat else float(((said - said.mean()) * own).sum()) / spread
    rest = own - weight * said
    exact = bool(np.allclose(rest, rest.mean(), rtol=0, atol=1e-9 * (1 + float(np.abs(own).max()))))
    both = weight * f + rest.mean(), np.full(whole, own.mean())
    for values, deviations, fitted in ((both[0], rest - rest.mean(), 2), (both[1], own - own.mean(), 1)):
        values[rated] += whole / n * math.sqrt(n / (n - fitted)) * deviations
    return _Arm(*both, weight, n, exact)


def _predicted(
    arms: tuple[_Arm, ...],
    values: Floats,
    alone: Floats,
    human: tuple[Floats, ...],
    runs: NDArray[Any],
    clusters: NDArray[Any],
    level: float,
    unit: str,
) -> Predicted:
    counts = tuple(arm.rated for arm in arms)
    few = min(len(set(clusters[~np.isnan(one)].tolist())) - 1 for one in human)
    free = min(few, *(n - 2 for n in counts))
    found, humans = (_limited(two_way(one, runs, clusters, level=level, unit=unit), free) for one in (values, alone))
    found = replace(found, method=_METHOD)
    if min(counts) < LEAST:
        told, each = " and ".join(map(str, counts)), " of each arm" if len(counts) > 1 else ""
        why = f"humans rated {told} episodes: at least {LEAST}{each} are needed, drawn at random"
        found, humans = replace(found, reason=why), replace(humans, reason=why)
    elif any(arm.exact for arm in arms) and not found.reason:
        share = 3 / min(arm.rated for arm in arms if arm.exact)
        why = f"the judge and humans agree wherever both rated: that up to {share:.0%} may differ is not in the bounds"
        found = replace(found, reason=why)
    return Predicted(found, humans, tuple(arm.weight for arm in arms), counts, len(values))


def _limited(found: Estimate, free: int) -> Estimate:
    """The same with at most so many degrees of freedom."""
    if math.isnan(found.low) or free >= found.df:
        return found
    error = _error(found)
    half = float(t_quantile(found.level, free)) * error
    p_value = t_two_sided(found.value / error, free)
    return replace(found, low=found.value - half, high=found.value + half, df=float(free), p_value=p_value)


def _error(found: Estimate) -> float:
    """The standard error of a t interval."""
    return (found.high - found.low) / 2 / float(t_quantile(found.level, found.df))
