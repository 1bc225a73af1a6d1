"""What each factor of a two-level design is worth: main effects, interactions, and shares of the whole gain.

Every cell of the design (which factors are on) takes the same tasks in the same runs. So an effect is a contrast of
cells within each pair of run and task, and its interval is that of `two_way` over these pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from toolkit.stats.cells import Paired, paired, signs_of
from toolkit.stats.estimate import Estimate, Floats, draft
from toolkit.stats.inference import two_way

BY = " x "  # between the factors of an interaction, in names and in words
_GRID = 40  # bits that are kept of a contrast: what floats add by rounding is no spread


@dataclass(frozen=True, slots=True)
class Effect:
    """A main effect or a two-factor interaction.

    Parameters
    ----------
    name : str
        The factor, or both with `` x `` between them.
    estimate : Estimate
        In the unit of the scores.
    log_odds : Estimate
        The same contrast of the log odds of the cells' mean scores; NaN with a reason where a mean is 0 or 1.
    alias : str
        In a half fraction: what cannot be told apart from it, so that the two are estimated as one sum; ``-`` in
        front if as a difference. Empty in a full design.
    """

    name: str
    estimate: Estimate
    log_odds: Estimate
    alias: str = ""


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects of a two-level design. Prints as a table.

    Parameters
    ----------
    rows : tuple of Effect
        Main effects in the order of the factors, then two-factor interactions; in a half fraction each sum once.
    means : ndarray of float, shape (2, ..., 2)
        Mean score of each cell over the complete pairs, one axis per factor, index 0 = off and 1 = on; NaN for a cell
        that is not in the design.
    pairs, left_out : int
        Pairs of run and task with a score in every cell, and those without, which are used nowhere.
    """

    rows: tuple[Effect, ...]
    means: Floats
    pairs: int
    left_out: int

    def row(self, name: str) -> Effect:
        """One effect by its name; of an interaction in any order of its factors.

        Raises
        ------
        KeyError
            If there is none of that name; the message says which there are, and what an aliased one is called.
        """
        wanted = frozenset(name.split(BY))
        for row in self.rows:
            if wanted == frozenset(row.name.split(BY)):
                return row
        held = [row.name for row in self.rows if wanted == frozenset(row.alias.lstrip("-").split(BY))]
        hint = f"it is aliased with {held[0]!r}: ask for that" if held else f"known: {[row.name for row in self.rows]}"
        raise KeyError(f"no effect is called {name!r}; {hint}")

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{row.name.ljust(width)}  {_shown(row.estimate)}{_doubt(row)}" for row in self.rows]
        return "\n".join([*lines, f"{self.pairs} pairs of run and task; {self.left_out} left out, some score missing"])


def main_effects(
    scores: ArrayLike,
    run: ArrayLike,
    task: ArrayLike,
    levels: ArrayLike,
    *,
    factors: Sequence[str] = (),
    cluster: ArrayLike | None = None,
    level: float = 0.95,
    unit: str = "task",
) -> Effects:
    """Main effects and two-factor interactions of a 2^k design, or of its half fraction, from paired scores.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        One score per run, task and cell, in any order. NaN = missing.
    run, task : array_like, shape (n,)
        Labels that tell pairs apart; a pair counts if it has a score in every cell of the design.
    levels : array_like, shape (n, k)
        The cell of each score: +1 where the factor is on, -1 where it is off; k in 1..10.
    factors : sequence of str, length k
        Names of the columns of `levels`; empty = A, B, C, ...
    cluster : array_like, shape (n,), optional
        What counts as drawn anew, if that is coarser than a task: the task's session, say. The default is `task`.
    level : float, in (0, 1)
        Nominal coverage.
    unit : str
        What a cluster is, in the singular.

    Returns
    -------
    Effects
        With too few data, no complete pair, no spread, or with cells that make neither a full design nor the half
        with I = ± the product of all factors, estimates are NaN or have no bounds, and their `reason` says why.
        Intervals are for one effect at a time; `holm` corrects the p values of a family.

    Raises
    ------
    ValueError
        For shapes that differ, levels other than -1 and 1, infinite scores, missing labels, two scores of one cell in
        one pair, or a cluster label that changes within a pair.

    Notes
    -----
    The convention is that of [1]_, chapter 5. With y the mean score of a cell ::

        main effect A = mean of y where A is on - mean of y where A is off
        A x B         = (effect of A where B is on - effect of A where B is off) / 2

    Each is a mean of 2^(k-1) cells less the mean of the others, so all have the same standard error. An interaction is
    **half the difference of differences**: where memory gains .1 less beside learning than without it, memory x
    learning is -.05. And a main effect is an average over the other factors' levels: a memory worth .2 without
    learning and .1 with it has a main effect of .15.

    The interval for the log odds is that of `two_way` for the linearised contrast [2]_: a pair's score x in a cell of
    mean m stands for ``logit(m) + (x - m) / (m * (1 - m))``. They are the odds of cell means, not of single tasks; an
    interaction in scores that is none in log odds may be the work of a ceiling.

    References
    ----------
    .. [1] Box, Hunter & Hunter (2005), Statistics for experimenters, 2nd ed., chapters 5 and 6 (fractions).
    .. [2] Deville (1999), Variance estimation for complex statistics and estimators, Surv. Methodol. 25(2).

    Examples
    --------
    Memory is worth .2 alone and .1 beside learning, in two runs of two tasks of which one is easier:

    >>> cells = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])
    >>> scores = np.ravel([[.3, .5, .4, .5], [.5, .7, .6, .7]] * 2)
    >>> run, task = np.repeat([1, 2], 8), np.tile(np.repeat(["a", "b"], 4), 2)
    >>> found = main_effects(scores, run, task, np.tile(cells, (4, 1)), factors=("memory", "learning"))
    >>> [(row.name, round(row.estimate.value, 3)) for row in found.rows]
    [('memory', 0.15), ('learning', 0.05), ('memory x learning', -0.05)]
    """
    table = paired(scores, run, task, levels, task if cluster is None else cluster)
    names = _names(factors, table.k)
    rows = tuple(_effect(table, names, effect, alias, level, unit) for effect, alias in _estimable(table, names))
    means = np.full(2**table.k, math.nan)
    if len(table.scores):
        means[table.cells] = table.scores.mean(0)
    return Effects(rows, means.reshape((2,) * table.k), len(table.scores), table.left_out)


def shapley(values: ArrayLike) -> Floats:
    """Each factor's share of what all of them gain together, averaged over all orders of switching them on.

    A description of the cells given, without an interval: it says how a gain is split, not how sure it is.

    Parameters
    ----------
    values : array_like of float, shape (2, ..., 2)
        Mean score of every cell of a full design, one axis per factor, index 0 = off and 1 = on, as in
        `Effects.means`.

    Returns
    -------
    ndarray of float, shape (k,)
        In the order of the axes and the unit of the values. They sum to all on - all off.

    Raises
    ------
    ValueError
        For any other shape, and for cells without a finite value: a fraction does not hold what the shares rest on.

    Notes
    -----
    ``share_i = sum over sets S without i of |S|! (k - |S| - 1)! / k! * (v(S with i) - v(S))`` [1]_.

    References
    ----------
    .. [1] Shapley (1953), A value for n-person games, Contributions to the Theory of Games 2.

    Examples
    --------
    >>> shapley([[.3, .4], [.5, .5]]).round(3).tolist()
    [0.15, 0.05]
    """
    table = np.asarray(values, dtype=float)
    k = table.ndim
    if not k or table.shape != (2,) * k:
        raise ValueError(f"values must be of shape (2, ..., 2), one axis per factor, not {table.shape}; see `Effects`")
    if not np.isfinite(table).all():
        cell = tuple(int(place) for place in np.argwhere(~np.isfinite(table))[0])
        raise ValueError(
            f"shares need a mean of every cell of a full design, but values{list(cell)} is {table[cell]}: "
            "a fraction has no shares; run the other arms too"
        )
    on = np.indices((2,) * (k - 1)).sum(0) if k > 1 else np.zeros((), int)
    orders = [math.factorial(n) * math.factorial(k - n - 1) / math.factorial(k) for n in range(k)]
    weight = np.asarray(orders)[on]
    return np.array([float((weight * np.diff(table, axis=axis).squeeze(axis)).sum()) for axis in range(k)])


def half_aliases(factors: Sequence[str], sign: int) -> Mapping[str, str]:
    """In the half fraction with I = ``sign`` times the product of all factors: what each effect is aliased with.

    Parameters
    ----------
    factors : sequence of str
        At least 3.
    sign : int
        1 or -1.

    Returns
    -------
    mapping
        Name of every main effect and two-factor interaction to the name of the effect that the other factors make,
        with ``-`` in front if their columns are opposite.

    Notes
    -----
    Multiplying both sides of the defining relation by an effect cancels its factors, since a column times itself is 1
    (Box, Hunter & Hunter 2005, chapter 6).

    Examples
    --------
    >>> half_aliases(["a", "b", "c"], -1)["a"]
    '-b x c'
    """
    minus = "-" if sign < 0 else ""
    rest = {effect: BY.join(name for name in factors if name not in effect) for effect in _effects(factors)}
    return {BY.join(effect): minus + others for effect, others in rest.items()}


def in_words(alias: str) -> str:
    """An alias as it is told to people.

    Examples
    --------
    >>> in_words("-b x c")
    'b x c, sign reversed'
    """
    return alias.lstrip("-") + (", sign reversed" if alias.startswith("-") else "")


def _names(factors: Sequence[str], k: int) -> tuple[str, ...]:
    names = tuple(factors) or tuple("ABCDEFGHIJ"[:k])
    if len(names) != k or len(set(names)) < k or any(name[:1] in ("", "-") or BY in name for name in names):
        rule = f"factors must be {k} different names, one per column of levels, without {BY!r} and '-' in front"
        raise ValueError(f"{rule}, not {names}; rename them")
    return names


def _effects(names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    yield from combinations(names, 1)
    yield from combinations(names, 2)


def _estimable(table: Paired, names: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], str]]:
    """Effects with their aliases; one that is the alias of an earlier one is not told twice."""
    aliases = half_aliases(names, table.sign) if table.sign else {}
    told = set[str]()
    for effect in _effects(names):
        name = BY.join(effect)
        alias = aliases.get(name, "")
        if name not in told:
            told.add(alias.lstrip("-"))
            yield effect, alias


def _effect(
    table: Paired, names: tuple[str, ...], effect: tuple[str, ...], alias: str, level: float, unit: str
) -> Effect:
    name, signs = BY.join(effect), signs_of(table.k)[table.cells]
    if table.fault:
        nothing = draft(np.empty(0), np.empty(0, np.intp), np.empty(0, np.intp), level, "none", unit)
        nothing = replace(nothing, reason=table.fault)
        return Effect(name, nothing, nothing, alias)
    weights = signs[:, [names.index(factor) for factor in effect]].prod(1) * 2 / len(signs)
    estimate = two_way(_contrast(table.scores, weights), table.runs, table.clusters, level=level, unit=unit)
    return Effect(name, estimate, _log_odds(table, names, weights, estimate, unit), alias)


def _contrast(scores: Floats, weights: Floats) -> Floats:
    """The weighted sum of each pair's cells, free of rounding: equal contrasts of unequal scores come out equal."""
    exact = scores @ weights
    step = math.ldexp(1.0, math.frexp(float(np.abs(scores).max(initial=0.0)))[1] - _GRID)
    return np.asarray(np.round(exact / step) * step) if step else exact  # no step is finer than the finest float


def _log_odds(table: Paired, names: tuple[str, ...], weights: Floats, estimate: Estimate, unit: str) -> Estimate:
    """The contrast of the cells' log odds; `estimate` is that of their means."""
    method, none, scores = "two-way cluster-robust t, linearised log odds", math.nan, table.scores
    nothing = replace(estimate, value=none, low=none, high=none, p_value=none, df=none, method=method)
    if not len(scores):
        return nothing
    outside = (scores < 0) | (scores > 1)
    if outside.any():
        return replace(nothing, reason=f"a score is {scores[outside][0]:g}: only means of scores in [0, 1] have odds")
    means = scores.mean(0)
    at_bound = np.flatnonzero((means <= 0) | (means >= 1))
    if len(at_bound):
        cell = _spelt(signs_of(table.k)[table.cells[at_bound[0]]], names)
        why = f"the mean with {cell} is {means[at_bound[0]]:g}: its log odds are infinite; add tasks"
        return replace(nothing, reason=why)
    linear = np.log(means / (1 - means)) + (scores - means) / (means * (1 - means))
    values = _contrast(linear, weights)
    return replace(two_way(values, table.runs, table.clusters, level=estimate.level, unit=unit), method=method)


def _spelt(signs: Floats, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {'on' if sign > 0 else 'off'}" for name, sign in zip(names, signs, strict=True))


def _shown(estimate: Estimate) -> str:
    value, low, high = (
        "n/a" if math.isnan(number) else f"{number:+.3f}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"


def _doubt(row: Effect) -> str:
    alias = f"  aliased with {in_words(row.alias)}" if row.alias else ""
    return alias + (f"  {row.estimate.reason}" if row.estimate.reason else "")
