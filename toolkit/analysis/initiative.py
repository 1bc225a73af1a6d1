"""How arms act, ask and stay silent: every measure with its interval, and beside it the difference to the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.latex import Tex, escaped, marked, number, tabular
from toolkit.analysis.measures import MEASURES
from toolkit.analysis.outcomes import Outcomes, outcomes
from toolkit.analysis.shown import Shown
from toolkit.errors import nearest
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, pass_hat
from toolkit.stats.initiative import pass_estimate

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_RUNS = (1, 2, 4, 8)
_ABOUT = (
    "Measures are ratios of totals over episodes. TP, FP, FN, TN: events nobody prompted for that were acted upon "
    "rightly, or without need, or let pass in spite of need, or rightly.",
    "False alarms per offer are what ProactiveBench calls false alarm (Lu et al. 2024); silences broken are the "
    "false-positive rate of detection. Ask-F1: harmonic mean of question precision and blocker recall (Elfeki et al. "
    "2026). pass^k: chance that k runs of a task all reach its goals (Yao et al. 2024).",
    "n: episodes; of pass^k tasks.",
)


@dataclass(frozen=True)
class InitiativeRow:
    """One measure of one arm.

    Parameters
    ----------
    measure
        Its name, such as ``ask_f1``.
    title
        As it is shown.
    arm
        Of which arm.
    estimate
        The measure.
    difference
        How much it is more than the baseline's, on episodes that both have; None for the baseline.
    """

    measure: str
    title: str
    arm: str
    estimate: Estimate
    difference: Estimate | None


@dataclass(frozen=True, repr=False)
class Initiative(Shown):
    """Measures of initiative by arm. Prints as a table; `frame` has every number, those that are n/a included.

    Parameters
    ----------
    study, baseline
        Their names.
    rows
        One for each measure and arm.
    level
        Coverage of the intervals, in (0, 1).
    """

    left: ClassVar[int] = 2

    study: str
    baseline: str
    rows: tuple[InitiativeRow, ...]
    level: float
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per measure and arm: value, interval, difference, episodes, runs, method, and why it is missing."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def row(self, measure: str, arm: str) -> InitiativeRow:
        """One measure of one arm.

        Raises
        ------
        KeyError
            If there is none.
        """
        for row in self.rows:
            if (row.measure, row.arm) == (measure, arm):
                return row
        names = list(dict.fromkeys(row.measure for row in self.rows))
        if measure not in names:
            raise KeyError(f"no measure is called {measure!r}; {nearest(measure, names)}")
        raise KeyError(f"no arm is called {arm!r}; {nearest(arm, [row.arm for row in self.rows])}")

    @property
    def shown(self) -> tuple[InitiativeRow, ...]:
        """The rows of measures that at least one arm has."""
        there = {row.measure for row in self.rows if not math.isnan(row.estimate.value)}
        return tuple(row for row in self.rows if row.measure in there)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["measure", "arm", "value", "interval", f"over {self.baseline}", "interval", "n", "doubts"]
        return head, [_cells(row) for row in self.shown]

    def to_latex(self) -> str:
        r"""The table for a paper, a ``table`` of its own: needs ``\usepackage{booktabs,graphicx}``.

        Examples
        --------
        >>> print(Initiative("a_b", "static", (), 0.95, ()).to_latex().splitlines()[3])
        \label{tab:a-b-initiative}
        """
        head, body = self.table()
        marks, told = marked([_doubts(row) for row in self.shown])
        rows = [
            [Tex(escaped(title) + mark), escaped(arm), *map(number, cells)]
            for (title, arm, *cells, _), mark in zip(body, marks, strict=True)
        ]
        methods = sorted({row.estimate.method for row in self.shown if not math.isnan(row.estimate.low)})
        told_how = f" ({'; '.join(methods)})" if methods else ""
        caption = (
            f"How arms of study {self.study} act, ask and stay silent, and paired differences to {self.baseline}, with "
            f"{100 * self.level:g} % intervals{told_how}."
        )
        label = f"tab:{self.study}-initiative"
        return tabular(head[:-1], rows, caption=caption, label=label, notes=[*told, *self.notes])


def initiative(
    study: Study | pd.DataFrame | str,
    *,
    baseline: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Initiative:
    """Goals reached, prompts needed, offers, questions and what was not allowed, of each arm and against the baseline.

    Parameters
    ----------
    study
        A `Study` with a stream of worlds, the name of one in ``ledger``, or a frame of episodes with the columns
        ``arm``, ``task``, ``seed`` and ``outcome``; see `toolkit.analysis.outcomes.outcomes`.
    baseline
        Another arm to compare with; of a frame the first one is taken.
    stream
        Only this one of several streams.
    level
        Coverage of the intervals, in (0, 1).
    ledger
        Where studies are looked up by name (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).

    Returns
    -------
    Initiative
        Intervals count runs crossed with sessions (or tasks), those of pass^k tasks alone. A measure that a stream
        cannot have, such as offers where no time passes, is n/a with a reason, and left out of the table.

    Raises
    ------
    LedgerError
        If there is no such study, stream or baseline, or no episode in a world.
    SpecError
        If a frame misses a column.

    References
    ----------
    Lu et al. (2024), Proactive agent: Shifting LLM agents from reactive responses to active assistance,
    arXiv:2410.12361: precision, recall, false alarms and F1 of offers. Elfeki et al. (2026), HiL-Bench,
    arXiv:2604.09408: Ask-F1. Yao et al. (2024), tau-bench, arXiv:2406.12045: pass^k.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.moves import Outcome, Tally
    >>> def came(hits, false_alarms):
    ...     return Outcome("done", tally=Tally(reached=1.0, hits=hits, false_alarms=false_alarms)).flat
    >>> rows = [("eager", task, seed, came(1, task % 3)) for seed in (1, 2, 3) for task in range(6)]
    >>> found = initiative(pd.DataFrame(rows, columns=["arm", "task", "seed", "outcome"]))
    >>> found.row("precision", "eager").estimate.value
    0.5
    """
    held = outcomes(study, baseline=baseline, stream=stream, level=level, ledger=ledger)
    rows = (*_measured(held, level), *_passed(held, level))
    there = {row.title for row in rows if not math.isnan(row.estimate.value)}
    absent = list(dict.fromkeys(row.title for row in rows if row.title not in there))
    left_out = (f"n/a for every arm, and left out: {', '.join(absent)}.",) if absent else ()
    return Initiative(held.study, held.baseline, rows, level, (*_ABOUT, *left_out, *held.notes))


def _measured(held: Outcomes, level: float) -> Iterator[InitiativeRow]:
    own = {arm: held.of(arm) for arm in held.arms}
    pairs = {arm: held.pairs(arm, held.baseline) for arm in held.arms if arm != held.baseline}
    for measure in MEASURES:
        for arm, frame in own.items():
            found = measure.make(frame).estimate(frame.run, frame.unit, level=level, unit=held.unit)
            gap = None
            if arm in pairs:
                mine, other = pairs[arm]
                more = measure.make(mine).minus(measure.make(other))
                gap = more.estimate(mine.run, mine.unit, level=level, unit=held.unit)
            yield InitiativeRow(measure.name, measure.title, arm, found, gap)


def _passed(held: Outcomes, level: float) -> Iterator[InitiativeRow]:
    """pass^k for 1, 2, 4 and 8 runs, as many as there are of a task."""
    most = int(held.frame.groupby(["arm", "task"]).size().max())
    for k in (k for k in _RUNS if k <= most):
        tasks = {arm: _by_task(held, arm, k) for arm in held.arms}
        base = tasks[held.baseline]
        for arm, own in tasks.items():
            gap = None
            if arm != held.baseline:
                both = own.merge(base, on="task", suffixes=("", "_base"))
                gap = pass_estimate(both["value"] - both.value_base, both.unit, k, level=level, unit=held.unit)
            found = pass_estimate(own["value"], own.unit, k, level=level, unit=held.unit)
            yield InitiativeRow(f"pass^{k}", f"pass^{k}", arm, replace(found, runs=_runs(held, arm)), gap)


def _by_task(held: Outcomes, arm: str, k: int) -> pd.DataFrame:
    frame = held.of(arm)
    values, first = pass_hat((frame.reached >= 1).astype(float), frame.task, k)
    return frame.iloc[first][["task", "unit"]].assign(value=values)


def _runs(held: Outcomes, arm: str) -> int:
    return int(held.of(arm).run.nunique())


def _flat(row: InitiativeRow) -> dict[str, object]:
    one, gap = row.estimate, row.difference
    told = {"measure": row.measure, "arm": row.arm, "value": one.value, "low": one.low, "high": one.high}
    names = ("difference", "difference_low", "difference_high", "p_value")
    gaps: Sequence[float] = (math.nan,) * 4 if gap is None else (gap.value, gap.low, gap.high, gap.p_value)
    rest = {"n": one.n, "runs": one.runs, "units": one.clusters, "method": one.method, "target": one.target}
    return told | dict(zip(names, gaps, strict=True)) | rest | {"reason": "; ".join(_doubts(row))}


def _cells(row: InitiativeRow) -> list[str]:
    gap = row.difference
    between = ["baseline", ""] if gap is None else [_number(gap.value, "+.3f"), interval(gap, "+.3f")]
    one = row.estimate
    doubts = "; ".join(_doubts(row))
    return [row.title, row.arm, _number(one.value, ".3f"), interval(one, ".3f"), *between, str(one.n), doubts]


def _doubts(row: InitiativeRow) -> list[str]:
    """Why a number is missing or in doubt; what is true of the measure and of its difference is told once."""
    gap = row.difference.reason if row.difference is not None else ""
    told = [row.estimate.reason, f"difference: {gap}" if gap and gap != row.estimate.reason else ""]
    return [one for one in told if one]


def interval(one: Estimate, form: str) -> str:
    """An interval in brackets, "n/a" where there is none."""
    low, high = (_number(bound, form) for bound in (one.low, one.high))
    return f"[{low}, {high}]" if not math.isnan(one.low) else "n/a"


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
