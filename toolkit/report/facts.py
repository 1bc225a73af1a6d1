"""What a report draws on, read from the ledger once, and how its numbers are put into words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import figures
from toolkit.agents.controls import RoleArms
from toolkit.analysis import (
    Comparison,
    Initiative,
    Payoff,
    Utility,
    Violations,
    WordingEffect,
    compare,
    initiative,
    learning_curves,
    payoff,
    plan,
    utility,
    wording_effect,
)
from toolkit.errors import SpecError
from toolkit.evaluation.violations import NoRules, rule_violations
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import lengths
from toolkit.ledger.store import Ledger
from toolkit.report.page import portable
from toolkit.stats import CurveBand, Estimate

if TYPE_CHECKING:
    import pandas as pd

_CHECKED = re.compile(r"rules=\(.*?[A-Z]\w*\(", re.DOTALL)  # a component among the texts: what follows opens the study


@dataclass(frozen=True)
class Facts:
    """What the sections draw on: no ``comparison`` while there are no episodes, no ``payoff`` without a baseline."""

    name: str
    ledger: Ledger
    planned: Mapping[str, Any]
    runs: pd.DataFrame
    comparison: Comparison | None
    payoff: Payoff | None
    bands: Mapping[str, CurveBand]
    window: int | None

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.ledger.study(self.name)

    @property
    def ids(self) -> list[str]:
        """The runs of the present design."""
        return [run["id"] for run in self.planned["runs"]]

    def ask(self, query: str, *more: object) -> pd.DataFrame:
        """The answer to a query on ``mine`` (own episodes) and ``called`` (own calls); $3 is the first of more."""
        own = "WHERE list_contains($1, run) AND study = $2"
        views = f"mine AS (SELECT * FROM episodes {own}), called AS (SELECT * FROM calls {own})"
        return self.ledger.sql(f"WITH {views} {query}", self.ids, self.name, *more)

    @property
    def floors(self) -> set[str]:
        """Arms that use no model."""
        return set(self.runs.arm[~self.runs.uses_model.astype(bool)])

    @property
    def ratios(self) -> list[Estimate]:
        """Gains per token, dollar and label, of all arms."""
        rows = self.payoff.rows if self.payoff else ()
        found = [one for row in rows for one in (row.per_1k_tokens, row.per_dollar, row.per_label)]
        return [one for one in found if one is not None]

    @cached_property
    def initiative(self) -> Initiative | None:
        """How arms acted, asked and stayed silent, where they were in a world."""
        try:
            return initiative(self.name, ledger=self.ledger) if self.comparison else None
        except LedgerError:  # no episode in a world
            return None

    @cached_property
    def utility(self) -> Utility | None:
        """What acting unprompted was worth, where there was anything to be unprompted about."""
        try:
            return utility(self.name, ledger=self.ledger) if self.initiative else None
        except LedgerError:  # no ticks
            return None

    @property
    def roles(self) -> tuple[RoleArms, ...]:
        """Roles with controls, recognised by the names of their arms."""
        return RoleArms.among(self.planned["arms"])

    @cached_property
    def wordings(self) -> tuple[WordingEffect, ...]:
        """What each role is worth over its wordings, where it was run against placebos."""
        there = {row.arm for row in self.comparison.rows} if self.comparison else set()
        texts = [((one.own, *one.wordings), one.placebos) for one in self.roles if one.placebos]
        return tuple(
            wording_effect(self.name, wordings=role, placebos=placebos, ledger=self.ledger)
            for role, placebos in texts
            if there.issuperset([*role, *placebos])
        )

    @cached_property
    def violations(self) -> Violations | str | None:
        """How often arms broke the rules of a role, or why that cannot be told; None where no role has any to check."""
        if self.comparison is None or not any(_CHECKED.search(told["repr"]) for told in self.planned["arms"].values()):
            return None
        try:
            return rule_violations(self.name, ledger=self.ledger)
        except NoRules:
            return None
        except (LedgerError, SpecError) as error:
            return portable(error)

    @property
    def papers(self) -> tuple[str, ...]:
        """The tables for a paper, as LaTeX; none while there is nothing to compare."""
        parts = (self.comparison, self.payoff, self.initiative, self.utility)
        return tuple(one.to_latex() for one in parts if one is not None)

    @property
    def changes(self) -> tuple[int, ...]:
        """Tasks that had been met when the truth became another, where all streams declare the same ones."""
        told = {tuple(row.get("drifts", ())) for row in self.planned.get("streams", ())}
        return told.pop() if len(told) == 1 else ()

    @property
    def doubts(self) -> dict[str, str]:
        """Each doubt of the comparison, and the same with the arms it is about."""
        rows = self.comparison.rows if self.comparison else ()
        found = dict.fromkeys(doubt for row in rows for doubt in row.doubts)
        return {doubt: f"{doubt} ({', '.join(row.arm for row in rows if doubt in row.doubts)})" for doubt in found}

    @property
    def scripted(self) -> list[str]:
        """Arms whose model only plays one."""
        return sorted(set(self.runs.arm[self.runs.scripted.astype(bool)]), key=list(self.planned["arms"]).index)


def gather(ledger: Ledger, study: str, value: float | None = None) -> Facts:
    """All that is known of a study, a right answer being worth ``value`` dollars; `LedgerError` if there is none."""
    planned: dict[str, Any] = {**plan(ledger, study)}
    ids = [run["id"] for run in planned["runs"]]
    query = "SELECT * FROM runs WHERE study = $1 AND list_contains($2, run) ORDER BY arm, seed"
    comparison = _comparison(ledger, study, planned, ids)
    window = figures.window_for(min(lengths(planned).values()))
    bands = learning_curves(study, ledger=ledger, window=window) if comparison else {}
    based = comparison is not None and any(row.arm == planned["baseline"] for row in comparison.rows)
    paid = payoff(study, value=value, ledger=ledger) if based else None
    return Facts(study, ledger, planned, ledger.sql(query, study, ids), comparison, paid, bands, window)


def _comparison(ledger: Ledger, study: str, planned: Mapping[str, Any], ids: list[str]) -> Comparison | None:
    """As `compare`; where the baseline has no episodes yet, the arms' scores without differences."""
    query = "SELECT DISTINCT arm FROM episodes WHERE list_contains($1, run) AND study = $2 AND phase = 'stream'"
    there = set(ledger.sql(query, ids, study).arm)
    if not there or planned["baseline"] in there:
        return compare(study, ledger=ledger) if there else None
    alone = {arm: compare(study, baseline=arm, ledger=ledger) for arm in planned["arms"] if arm in there}
    first = next(iter(alone.values()))
    rows = tuple(found.row(arm) for arm, found in alone.items())
    return Comparison(study, planned["baseline"], rows, first.level, first.notes)


def count(number: int, thing: str) -> str:
    """A number of things.

    Examples
    --------
    >>> count(1, "run"), count(1200, "pair")
    ('1 run', '1,200 pairs')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def plain(value: float, digits: int = 2) -> str:
    """A number with so many decimals, "n/a" if there is none."""
    return "n/a" if math.isnan(value) else f"{value:,.{digits}f}"


def signed(value: float) -> str:
    """A difference with two decimals, or one digit where two decimals would make it 0.

    Examples
    --------
    >>> signed(0.256), signed(-0.0042), signed(0.0), signed(float("nan"))
    ('+0.26', '-0.004', '+0.00', 'n/a')
    """
    if math.isnan(value):
        return "n/a"
    return f"{value:+.1g}" if 0 < abs(value) < 0.005 else f"{value:+.2f}"


def with_interval(estimate: Estimate) -> str:
    """A value with its interval, or why there is none."""
    if math.isnan(estimate.value):
        return f"n/a because {estimate.reason}"
    size = f"over {count(estimate.n, 'episode')} in {count(estimate.runs, 'run')}"
    if math.isnan(estimate.low):
        return f"{plain(estimate.value)} {size} (interval n/a because {estimate.reason})"
    return f"{plain(estimate.value)} [{plain(estimate.low)}, {plain(estimate.high)}] {size}"
