"""What arms gain for what they cost, as it is shown: a row an arm, ratios with intervals or why there are none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolkit.analysis.latex import Tex, escaped, marked, number, tabular
from toolkit.analysis.shown import ByArm
from toolkit.stats import BreakEven, CurveBand, Estimate

if TYPE_CHECKING:
    import pandas as pd

_RATIOS = ("per_1k_tokens", "per_dollar", "per_label")


@dataclass(frozen=True)
class PayoffRow:
    """One arm: what it costs, and what it gains for that over the baseline.

    Parameters
    ----------
    arm
        Its name.
    score, tokens, dollars
        Means for one task; adapting is included in tokens and dollars. Dollars are NaN where a price is not known.
    labels
        Labels that one run saw, those before the first task included.
    on_front_tokens, on_front_dollars
        Whether no other arm scores as much for less, or more for as little; by means alone.
    gain, extra_tokens, extra_dollars
        Paired differences to the baseline for one task; None for the baseline itself, as is all that follows.
    per_1k_tokens, per_dollar, per_label
        Right answers (points of score) gained for each extra 1,000 tokens, dollar, label.
    break_even
        From which task on the arm has paid; None where no value of a right answer was given.
    net
        What it has gained so far, at that value, less what it has cost, in dollars, with a pointwise interval over
        runs; None where there is no break-even task to look for.
    """

    arm: str
    score: float
    tokens: float
    dollars: float
    labels: float
    on_front_tokens: bool
    on_front_dollars: bool
    gain: Estimate | None = None
    extra_tokens: Estimate | None = None
    extra_dollars: Estimate | None = None
    per_1k_tokens: Estimate | None = None
    per_dollar: Estimate | None = None
    per_label: Estimate | None = None
    break_even: BreakEven | None = None
    net: CurveBand | None = None

    @property
    def verdict(self) -> str:
        """Gain and cost in words, as far as their intervals show; in dollars where calls have a price, else tokens."""
        if self.gain is None or self.extra_tokens is None or self.extra_dollars is None:
            return "baseline"
        priced = not math.isnan(self.extra_dollars.value)
        cost, of = (self.extra_dollars, "dollars") if priced else (self.extra_tokens, "tokens")
        if math.isnan(cost.low) and min(cost.runs, cost.clusters) > 1:
            cost = replace(cost, low=cost.value, high=cost.value)  # the same for all pairs: known, not estimated
        scored = _side(self.gain, "scores higher", "scores lower", "no difference in score shown")
        spent = _side(cost, f"for more {of}", f"for fewer {of}", f"no difference in {of} shown")
        if self.gain.low > 0 and cost.high < 0:
            return f"dominates: {scored} {spent}"
        if self.gain.high < 0 and cost.low > 0:
            return f"dominated: {scored} {spent}"
        return f"{scored} {spent}" if spent.startswith("for") else f"{scored}, {spent}"


def _side(found: Estimate, above: str, below: str, unclear: str) -> str:
    return above if found.low > 0 else below if found.high < 0 else unclear


@dataclass(frozen=True, repr=False)
class Payoff(ByArm[PayoffRow]):
    """Arms with what they gain for what they cost. Prints as a table; ``frame`` has every number.

    Parameters
    ----------
    study, baseline
        Their names.
    level
        Coverage of the intervals, in (0, 1).
    value
        Dollars that a right answer is worth; None where that was not said.
    told
        Notes of this study alone, such as prices that are not known.
    """

    study: str
    baseline: str
    rows: tuple[PayoffRow, ...]
    level: float
    value: float | None = None
    told: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm, every number a column."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]  # a field elsewhere; nobody sets it
        """What the columns mean, and why a number is missing."""
        found = [
            f"Gains: right answers (points of score) over {self.baseline} for each extra unit, all gained over all "
            f"spent, with {100 * self.level:g} % intervals (Fieller). Equal cost is not equal information: see labels.",
            "Front: no other arm scores as much for less, or more for as little (t: tokens, $: dollars), by means "
            "alone.",
        ]
        if self.value is not None:
            found.append(
                f"Breaks even: the task from which on all gained, at ${self.value:g} for a right answer, stays above "
                "all spent to the end of the run: median over runs [bounds]."
            )
        for reason, arms in self.missing.items():
            found.append(f"n/a or in doubt for {', '.join(arms)}: {reason}.")
        return (*found, *self.told)

    @property
    def missing(self) -> dict[str, list[str]]:
        """Each reason for a missing or doubtful number, with the arms and columns it is about."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            told = {name.replace("_", " "): getattr(row, name) for name in (*_RATIOS, "break_even")}
            for name, one in told.items():
                if one is not None and one.reason:
                    found.setdefault(one.reason, []).append(f"{row.arm} ({name})")
        return found

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "score", "tokens/task", "labels/run", "$/1k tasks", "gain per 1k tokens", "per $", "per label"]
        head += ["front", *(["breaks even"] if self.value is not None else []), "in words"]
        return head, [_cells(row, self.value is not None) for row in self.rows]

    def to_latex(self) -> str:
        r"""The table for a paper: ``\usepackage{booktabs,graphicx}``; reasons for missing numbers stand below it."""
        head, body = self.table()
        reasons = [[why for why, arms in self.missing.items() if any(a.startswith(f"{row.arm} (") for a in arms)]
                   for row in self.rows]  # fmt: skip
        marks, notes = marked(reasons)
        rows = [
            [Tex(escaped(first) + mark), *map(number, cells[:-1])]
            for (first, *cells), mark in zip(body, marks, strict=True)
        ]
        caption = (
            f"Gains over {self.baseline} for each extra unit of cost in study {self.study}: ratios of paired means "
            f"with {100 * self.level:g} % Fieller intervals from two-way cluster-robust standard errors."
        )
        told = [*self.notes[1:2], *notes, *self.told]
        return tabular(head[:-1], rows, caption=caption, label=f"tab:{self.study}-cost", notes=told)


def _flat(row: PayoffRow) -> dict[str, object]:
    plain = ("arm", "score", "tokens", "dollars", "labels", "on_front_tokens", "on_front_dollars", "verdict")
    found: dict[str, object] = {name: getattr(row, name) for name in plain}
    for name in ("gain", "extra_tokens", "extra_dollars", *_RATIOS):
        one: Estimate | None = getattr(row, name)
        found[name] = one.value if one else math.nan
        found |= {f"{name}_low": one.low if one else math.nan, f"{name}_high": one.high if one else math.nan}
        found[f"{name}_reason"] = one.reason if one else ""
    even = row.break_even
    for name in ("median", "low", "high"):
        found[f"break_even_{name}"] = getattr(even, name) if even else math.nan
    return found | {"break_even_reason": even.reason if even else ""}


def _cells(row: PayoffRow, evens: bool) -> list[str]:
    front = ", ".join(["t"] * row.on_front_tokens + ["$"] * row.on_front_dollars)
    return [
        row.arm,
        _number(row.score, ".3f"),
        _number(row.tokens, ".0f"),
        _number(row.labels, ".0f"),
        _number(row.dollars * 1000, ".2f"),
        *(_ratio(getattr(row, name)) for name in _RATIOS),
        front or "no",
        *([_even(row.break_even)] if evens else []),
        row.verdict,
    ]


def _ratio(found: Estimate | None) -> str:
    if found is None:
        return "baseline"
    if math.isnan(found.value):
        return "n/a"
    return with_bounds(found, "+")


def with_bounds(found: Estimate, sign: str = "") -> str:
    """A value and its interval, each with three digits that count."""
    value, low, high = (
        "n/a" if math.isnan(one) else format(one, f"{sign},.0f" if abs(one) >= 100 else f"{sign}.3g")
        for one in (found.value, found.low, found.high)
    )
    return f"{value} [{low}, {high}]" if low != "n/a" else f"{value} [n/a]"


def _even(found: BreakEven | None) -> str:
    if found is None:
        return "baseline"
    if math.isnan(found.median):
        return "n/a"
    return f"{found.median:g} [{_number(found.low, 'g')}, {_number(found.high, 'g')}]"


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
