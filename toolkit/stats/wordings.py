"""What a text is worth when its wording is one of many: wordings drawn within each group, crossed with runs and tasks.

One wording of a text against one of its control is n = 1 wording: whatever else tells these two apart is taken for the
effect. Several of either are a sample of wordings, as stimuli are in psychology, and their spread belongs in the
interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.estimate import Codes, Estimate, Floats, aligned, t_quantile, t_two_sided
from toolkit.stats.inference import _cell_term, _one_way, tables, two_way

_FEW = 4  # with fewer wordings in a group its spread is known to within a factor of two or worse
_METHOD = "wordings nested in groups, crossed with runs and {unit}s; t with Satterthwaite's df"


@dataclass(frozen=True, slots=True)
class Spread:
    """How far wordings of one group differ, beyond chance.

    Parameters
    ----------
    sd : float
        Standard deviation between wordings of their true means, at least 0; NaN with fewer than two wordings.
    low, high : float
        Its interval at the level of the contrast; NaN where there is none.
    wordings : int
        How many there are.
    """

    sd: float
    low: float
    high: float
    wordings: int


@dataclass(frozen=True, slots=True)
class WordingContrast:
    """One group of wordings against another.

    Parameters
    ----------
    estimate : Estimate
        Mean of the first group less that of the second. Its interval speaks of other wordings, in new orders of new
        tasks.
    fixed : Estimate
        The same with the wordings taken as the only ones there are: the language-as-fixed-effect fallacy, if it is read
        as speaking of others.
    first, second : Spread
        Between the wordings of either group.
    left_out : int
        Pairs of run and task that miss the score of some wording.
    """

    estimate: Estimate
    fixed: Estimate
    first: Spread
    second: Spread
    left_out: int


def wording_contrast(
    first: ArrayLike,
    second: ArrayLike,
    run: ArrayLike,
    cluster: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "task",
    texts: tuple[str, str] = ("first text", "second text"),
) -> WordingContrast:
    """Mean over the wordings of one text less that over the wordings of another, with all that is random in it.

    Parameters
    ----------
    first, second : array_like of float, shape (W, n)
        One row per wording, one column per run and task: scores, in any unit. NaN = missing; a column counts where no
        row misses it.
    run, cluster : array_like, shape (n,)
        Labels of the columns, as in `two_way`.
    level : float, in (0, 1)
        Nominal coverage.
    unit : str
        What a cluster is, in the singular.
    texts : tuple of str
        What the two are called, for reasons.

    Returns
    -------
    WordingContrast
        With one wording in a group the bounds of ``estimate`` are NaN, and its reason says so; with two or three they
        are given and doubted.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, or as `two_way`.

    Notes
    -----
    With d the differences of the groups' means on each run and task, and s_g**2 the variance between the means of the
    W_g wordings of a group, ::

        V_fixed   = the variance of `two_way` on d
        V_wording = sum over groups of s_g**2 / W_g
        V_both    = sum over groups of the mean two-way variance of a wording's deviations from its group, / (W_g - 1)
        V         = max(V_fixed + V_wording - V_both, V_fixed, V_wording)

    V_both is what chance, and wordings that suit some runs or tasks better, put in either of the first two, and it is
    taken off once. On balanced data V is unbiased for wordings nested in groups and crossed with runs and tasks, all
    of them random (but for the bounds, which err towards wide): the variance of the quasi F ratio of [1]_ and of mixed
    models with random stimuli [2]_. Degrees of freedom are Satterthwaite's [3]_ with W_g - 1 for a group and those of
    `two_way`. The standard deviation between wordings is that of ``s_g**2 - W_g * V_both``; its bounds come from the
    chi-square distribution of s_g**2, V_both taken as known.

    In simulations (``tests/recovery/test_wordings.py``) a nominal .95 covers .94 to .99 with 5 wordings of either text,
    whether wordings differ or not. An interval over runs and tasks alone covered .68 where wordings differed by a
    standard deviation of .3, the noise of a score being .7, in 5 runs of 40 tasks.

    References
    ----------
    .. [1] Clark (1973), The language-as-fixed-effect fallacy, J. Verbal Learning Verbal Behav. 12(4).
    .. [2] Judd, Westfall & Kenny (2012), Treating stimuli as a random factor in social psychology, J. Pers. Soc.
       Psychol. 103(1); Westfall, Kenny & Judd (2014), J. Exp. Psychol. Gen. 143(5).
    .. [3] Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics 2(6).

    Examples
    --------
    >>> run, task = np.repeat([1, 2, 3], 4), np.tile([1, 2, 3, 4], 3)
    >>> base = np.array([1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0])
    >>> found = wording_contrast([base, base * 0 + 1, 1 - base], [base, base * 0], run, task)
    >>> print(f"{found.estimate.value:.2f}", found.estimate.low < found.fixed.low, found.first.wordings)
    0.37 True 3
    >>> wording_contrast([base], [base, base * 0], run, task).estimate.reason
    'one wording of the first text: nothing says how another would come out; add paraphrases (5 or more are advised)'
    """
    groups = [_group(name, scores) for name, scores in (("first", first), ("second", second))]
    if groups[0].shape[1] != groups[1].shape[1]:
        raise ValueError(f"both texts need the same columns, not {groups[0].shape[1]} and {groups[1].shape[1]}")
    gap = np.full(groups[0].shape[1], math.nan) if not min(map(len, groups)) else groups[0].mean(0) - groups[1].mean(0)
    fixed = two_way(gap, run, cluster, level=level, unit=unit)
    _, runs, clusters = aligned(gap, run, cluster)
    there = ~np.isnan(gap)
    parts = [_Part.of(group[:, there], runs, clusters) for group in groups]
    spreads = [part.spread(level) for part in parts]
    estimate = _whole(fixed, dict(zip(texts, parts, strict=True)), unit)
    return WordingContrast(estimate, fixed, spreads[0], spreads[1], int((~there).sum()))


@dataclass(frozen=True, slots=True)
class _Part:
    """Of one group: its wordings, the variance of its mean that they make, and the part of that which is chance."""

    wordings: int
    between: float
    both: float

    @classmethod
    def of(cls, scores: Floats, runs: Codes, clusters: Codes) -> _Part:
        wordings = len(scores)
        if wordings < 2 or not scores.shape[1]:
            return cls(wordings, math.nan, math.nan)
        between = float(scores.mean(1).var(ddof=1)) / wordings
        own = scores - scores.mean(0)
        chance = float(np.mean([_variance(row - row.mean(), runs, clusters) for row in own])) / (wordings - 1)
        return cls(wordings, between, min(max(chance, 0.0), between))

    def spread(self, level: float) -> Spread:
        if math.isnan(self.between):
            return Spread(math.nan, math.nan, math.nan, self.wordings)
        from scipy.special import chdtri  # type: ignore[import-untyped, unused-ignore]

        df, tail = self.wordings - 1, (1 - level) / 2
        low, high = (self.between * df / float(chdtri(df, chance)) for chance in (tail, 1 - tail))
        sds = [math.sqrt(self.wordings * max(one - self.both, 0.0)) for one in (self.between, low, high)]
        return Spread(sds[0], sds[1], sds[2], self.wordings)


def _group(name: str, scores: ArrayLike) -> Floats:
    numbers = np.asarray(scores, dtype=float)
    if numbers.ndim != 2:
        raise ValueError(
            f"{name} must be wordings x (run, task), not of shape {numbers.shape}; one wording is [scores]"
        )
    return numbers


def _variance(deviations: Floats, runs: Codes, clusters: Codes) -> float:
    """As that of `two_way`, but without its bounds: unbiased, so that it may be taken off."""
    sums, counts = tables(deviations, runs, clusters)
    if 1 in sums.shape:
        return 0.0
    by_run, by_cluster = (_one_way(sums.sum(axis), counts.sum(axis))[0] for axis in (1, 0))
    return by_run + by_cluster - _cell_term(sums, counts)


def _whole(fixed: Estimate, named: dict[str, _Part], unit: str) -> Estimate:
    level, parts = fixed.level, list(named.values())
    method = _METHOD.format(unit=unit)
    target = f"new wordings like these, in {fixed.target}"
    bare = replace(fixed, low=math.nan, high=math.nan, p_value=math.nan, df=math.nan, method=method, target=target)
    for name, part in named.items():
        if part.wordings < 2:
            told = "one wording" if part.wordings else "no wording"
            why = "nothing says how another would come out; add paraphrases (5 or more are advised)"
            return replace(bare, reason=f"{told} of the {name}: {why}")
    if math.isnan(fixed.low):
        return bare
    v_fixed = ((fixed.high - fixed.low) / 2 / float(t_quantile(level, fixed.df))) ** 2
    v_words, v_both = sum(part.between for part in parts), sum(part.both for part in parts)
    variance = max(v_fixed + v_words - v_both, v_fixed, v_words)
    terms = [(v_fixed, fixed.df), *((part.between, part.wordings - 1) for part in parts)]
    df = 1 / sum((one / variance) ** 2 / free for one, free in terms)
    error = math.sqrt(variance)
    half = float(t_quantile(level, df)) * error
    few = min(part.wordings for part in parts)
    doubt = f"{few} wordings of a text: with fewer than {_FEW} bounds can be too narrow; add paraphrases"
    doubts = [one for one in (fixed.reason, doubt if few < _FEW else "") if one]
    return replace(
        bare, low=fixed.value - half, high=fixed.value + half, p_value=t_two_sided(fixed.value / error, df), df=df,
        reason="; ".join(doubts),
    )  # fmt: skip
