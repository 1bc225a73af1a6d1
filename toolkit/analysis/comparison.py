"""Arms beside a baseline, as they are shown: a row an arm, each number with its interval, its n and its doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.analysis.contrast import Contrast, Gap
from toolkit.analysis.latex import comparison
from toolkit.analysis.shown import ByArm
from toolkit.analysis.tested import Finding
from toolkit.stats import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ArmRow:
    """One arm of a comparison.

    Parameters
    ----------
    arm, on, model
        Its name, the traits that are switched on, and what it ran on.
    score
        Mean main score over its episodes, with an interval.
    difference
        Paired difference to the baseline on jointly completed tasks; None for the baseline itself.
    bounds
        What the difference could be at worst and at best if the missing pairs were anything.
    episodes, runs, failed
        Episodes recorded, runs finished, episodes without a usable answer (they score 0).
    tokens, calls, seconds, dollars
        Means for one task: tokens in and out, model calls, model latency, price. Adapting is included. Dollars are
        NaN where the price of any call is not known.
    adapting_tokens
        The part of ``tokens`` that memory and learning spent.
    labels
        Labels that one run saw, those before the first task included.
    doubts
        What a reader should hold against this row; empty when all is well.
    bootstrap
        The difference with a crossed bootstrap interval, as a check of ``difference``; None for the baseline.
    permutation_p
        Two-sided p value of sign flips; NaN for the baseline.
    exchangeable
        In words, what may change its sign in that test, and what the test therefore speaks of.
    size
        Standardised paired effect size; None for the baseline.
    target
        What the interval of ``difference`` generalises to.
    registered
        ``"primary"``: a hypothesis set down before the first run; ``"late"``: one set down afterwards;
        ``"exploratory"``: none. Empty for the baseline.
    adjusted_p
        P value of the primary hypothesis, adjusted by Holm over all of them; NaN where the row is none. Where nothing
        was set down, as of results made elsewhere: that of the difference, adjusted over all arms of the table.
    verdict
        What became of the row's hypothesis, in words with numbers; empty where there is none.
    """

    arm: str
    on: tuple[str, ...]
    model: str
    score: Estimate
    difference: Estimate | None
    bounds: tuple[float, float]
    episodes: int
    runs: int
    failed: int
    tokens: float
    adapting_tokens: float
    calls: float
    seconds: float
    dollars: float
    labels: float
    doubts: tuple[str, ...]
    bootstrap: Estimate | None = None
    permutation_p: float = math.nan
    exchangeable: str = ""
    size: Estimate | None = None
    target: str = ""
    registered: str = ""
    adjusted_p: float = math.nan
    verdict: str = ""


@dataclass(frozen=True, repr=False)
class Comparison(ByArm[ArmRow]):
    """Arms against a baseline. Prints as a table; `frame` has every number, `contrast` all that is known of one.

    Parameters
    ----------
    study, baseline
        What was compared, with what.
    rows
        One per arm.
    level
        Coverage of the intervals, in (0, 1).
    notes
        What holds for all rows, verdicts on hypotheses among it.
    hypotheses
        Those set down for the study, each with its test and verdict.
    gaps
        The paired differences of each arm.
    """

    study: str
    baseline: str
    rows: tuple[ArmRow, ...]
    level: float
    notes: tuple[str, ...]
    hypotheses: tuple[Finding, ...] = ()
    gaps: Mapping[str, Gap] = field(default_factory=dict, repr=False, compare=False)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm, every number a column."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def contrast(self, arm: str) -> Contrast:
        """One arm against the baseline: every number, what each speaks of, and on demand a mixed-effects model.

        Raises
        ------
        KeyError
            If there is no such arm, or it is the baseline.
        """
        row = self.row(arm)
        if arm not in self.gaps:
            others = ", ".join(self.gaps) or "none: run another arm"
            raise KeyError(f"{arm!r} has no contrast with the baseline {self.baseline!r}; there are {others}")
        return Contrast(row, self.baseline, self.gaps[arm], self.level)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "score", f"difference to {self.baseline}", "interval", "pairs", "runs", "tokens/task"]
        head += ["labels/run", "$/1k tasks", "s/task", "doubts"]
        return head, [_cells(row) for row in self.rows]

    def to_latex(self) -> str:
        r"""The table for a paper, a ``table`` of its own: needs ``\usepackage{booktabs,graphicx}``.

        The caption names method and target of the intervals; doubts stand below the table as notes.

        Examples
        --------
        >>> print(Comparison("a_b", "static", (), 0.95, ()).to_latex().splitlines()[3])
        \label{tab:a-b}
        """
        return comparison(self)


def _flat(row: ArmRow) -> dict[str, object]:
    gap = row.difference
    return {
        **_headline(row, gap),
        **_spread("bootstrap", row.bootstrap),
        "permutation_p": row.permutation_p,
        "exchangeable": row.exchangeable,
        **_spread("size", row.size),
        "adjusted_p": row.adjusted_p,
        "registered": row.registered,
        "verdict": row.verdict,
    }


def _spread(name: str, found: Estimate | None) -> dict[str, object]:
    """An estimate as columns."""
    value = {"size": found.value if found else math.nan} if name == "size" else {}
    p_value = {"bootstrap_p": found.p_value if found else math.nan} if name == "bootstrap" else {}
    low, high = (found.low, found.high) if found else (math.nan, math.nan)
    return {**value, f"{name}_low": low, f"{name}_high": high, **p_value}


def _headline(row: ArmRow, gap: Estimate | None) -> dict[str, object]:
    nothing = math.nan
    return {
        "arm": row.arm,
        "on": "+".join(row.on),
        "model": row.model,
        "score": row.score.value,
        "score_low": row.score.low,
        "score_high": row.score.high,
        "difference": gap.value if gap else nothing,
        "low": gap.low if gap else nothing,
        "high": gap.high if gap else nothing,
        "p_value": gap.p_value if gap else nothing,
        "worst": row.bounds[0],
        "best": row.bounds[1],
        "pairs": gap.n if gap else row.score.n,
        "units": gap.clusters if gap else row.score.clusters,
        "episodes": row.episodes,
        "runs": row.runs,
        "failed": row.failed,
        "tokens": row.tokens,
        "adapting_tokens": row.adapting_tokens,
        "calls": row.calls,
        "labels": row.labels,
        "dollars": row.dollars,
        "seconds": row.seconds,
        "method": (gap or row.score).method,
        "target": (gap or row.score).target,
        "doubts": "; ".join(row.doubts),
    }


def _cells(row: ArmRow) -> list[str]:
    gap = row.difference
    return [
        row.arm,
        _number(row.score.value, ".3f"),
        "baseline" if gap is None else _number(gap.value, "+.3f"),
        _interval(row.score, ".3f") if gap is None else _interval(gap, "+.3f"),
        str(gap.n if gap else row.score.n),
        str(row.runs),
        _number(row.tokens, ".0f"),
        _number(row.labels, ".0f"),
        _number(row.dollars * 1000, ".2f"),
        _number(row.seconds, ".2f"),
        "; ".join(row.doubts),
    ]


def _interval(estimate: Estimate, form: str) -> str:
    return f"[{_number(estimate.low, form)}, {_number(estimate.high, form)}]"


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
