"""Effects of traits as they are shown: a row an effect, each with its interval and what it is an effect of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.latex import Tex, escaped, marked, number, tabular
from toolkit.analysis.shown import Shown
from toolkit.stats import Estimate
from toolkit.stats.factorial import BY, in_words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TraitEffect:
    """What one policy is worth, or two beside each other.

    Parameters
    ----------
    effect
        The policy that ran, e.g. ``Retrieval(k=4)``; of an interaction both, by class.
    trait
        Which trait it stands for; of an interaction ``memory x learning``.
    estimand
        ``"main effect"``, ``"interaction"`` (half the difference of differences), ``"beside role, learning"`` or
        ``"alone"``: what is subtracted from what.
    estimate, log_odds
        On the score, and on the log odds of mean scores.
    share
        Shapley share of what all traits gain together; NaN where there is none.
    alias
        In a half fraction, what it cannot be told from; ``-`` in front for a reversed sign.
    arms
        The arm with it and the one without, where the effect is that of one pair.
    p_holm
        The p value, corrected over the table (Holm); NaN where there is none.
    """

    effect: str
    trait: str
    estimand: str
    estimate: Estimate
    log_odds: Estimate
    share: float = math.nan
    alias: str = ""
    arms: tuple[str, ...] = ()
    p_holm: float = math.nan


@dataclass(frozen=True, repr=False)
class TraitEffects(Shown):
    """What the traits of a study's arms are worth. Prints as a table; `frame` has every number.

    Parameters
    ----------
    study
        Its name.
    rows
        One for each effect.
    level
        Coverage of the intervals, in (0, 1).
    """

    left: ClassVar[int] = 3

    study: str
    rows: tuple[TraitEffect, ...]
    level: float
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per effect, every number a column."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def row(self, trait: str) -> TraitEffect:
        """The first effect of a trait, or of two with `` x `` between them in either order.

        Raises
        ------
        KeyError
            If there is none, naming those that there are.
        """
        for row in self.rows:
            if set(row.trait.split(BY)) == set(trait.split(BY)):
                return row
        raise KeyError(f"there is no effect of {trait!r}; known: {', '.join(row.trait for row in self.rows)}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["effect of", "trait", "estimand", "difference", "interval", "p (Holm)", "log odds", "interval", "share"]
        return [*head, "remarks"], [_cells(row) for row in self.rows]

    def to_latex(self) -> str:
        r"""The table for a paper, a ``table`` of its own: needs ``\usepackage{booktabs,graphicx}``.

        The policy that an effect is of, and remarks, stand below the table as notes: they are too long for a column.

        Examples
        --------
        >>> print(TraitEffects("a_b", (), 0.95, ()).to_latex().splitlines()[3])
        \label{tab:a-b-effects}
        """
        head, body = self.table()
        marks, notes = marked([[row.effect, *_remarks(row)] for row in self.rows])
        rows = [
            [Tex(escaped(trait) + mark), escaped(estimand), *map(number, cells)]
            for (_, trait, estimand, *cells, _), mark in zip(body, marks, strict=True)
        ]
        methods = sorted({row.estimate.method for row in self.rows})
        told = f" ({'; '.join(methods)})" if methods else ""
        caption = (
            f"What each trait is worth in study {self.study}: effects on the score and on the log odds of mean scores, "
            f"with {100 * self.level:g} % intervals{told}."
        )
        return tabular(
            head[1:-1], rows, caption=caption, label=f"tab:{self.study}-effects", notes=[*notes, *self.notes]
        )


def _flat(row: TraitEffect) -> dict[str, object]:
    one, odds = row.estimate, row.log_odds
    return {
        "effect": row.effect,
        "trait": row.trait,
        "estimand": row.estimand,
        "arms": " - ".join(row.arms),
        "difference": one.value,
        "low": one.low,
        "high": one.high,
        "p_value": one.p_value,
        "p_holm": row.p_holm,
        "log_odds": odds.value,
        "log_odds_low": odds.low,
        "log_odds_high": odds.high,
        "share": row.share,
        "alias": row.alias,
        "pairs": one.n,
        "runs": one.runs,
        "units": one.clusters,
        "method": one.method,
        "target": one.target,
        "reason": one.reason,
        "log_odds_reason": odds.reason,
    }


def _cells(row: TraitEffect) -> list[str]:
    one, odds = row.estimate, row.log_odds
    return [
        row.effect,
        row.trait,
        row.estimand,
        _number(one.value, "+.3f"),
        f"[{_number(one.low, '+.3f')}, {_number(one.high, '+.3f')}]",
        _number(row.p_holm, ".3g"),
        _number(odds.value, "+.2f"),
        f"[{_number(odds.low, '+.2f')}, {_number(odds.high, '+.2f')}]",
        _number(row.share, "+.3f"),
        "; ".join(_remarks(row)),
    ]


def _remarks(row: TraitEffect) -> list[str]:
    """Of which arms it is, what it cannot be told from, and why a number is missing."""
    one, odds = row.estimate, row.log_odds
    reasons = [one.reason] if one.reason else []
    reasons += [f"log odds: {odds.reason}"] if odds.reason and odds.reason != one.reason else []
    alias = [f"aliased with {in_words(row.alias)}"] if row.alias else []
    pair = [" - ".join(row.arms)] if row.arms else []
    return [*pair, *alias, *reasons]


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
