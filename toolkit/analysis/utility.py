"""What initiative is worth for every cost of a false alarm, and the cost at which it stops paying."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.analysis.initiative import interval
from toolkit.analysis.latex import Tex, escaped, marked, number, tabular
from toolkit.analysis.measures import events, needs
from toolkit.analysis.outcomes import Outcomes, outcomes
from toolkit.analysis.shown import ByArm
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, Pooled, break_even_cost, utilities

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

COSTS = tuple(round(0.1 * step, 1) for step in range(31))
"""What a false alarm costs, in hits, unless others are asked for: 0 to 3."""

SILENCE = "silence"
_SHOWN = (0.5, 1.0, 2.0)
_ABOUT = (
    "Utility per 100 events that nobody prompted for, b TP - c FP - m FN, in units of b, what a hit is worth; rightly "
    "silent is worth 0. Here m/b = {missed:g}.",
    "Pays: for which c/b an arm is worth more than {rival}; the interval is Fieller's, {level:g} %.",
)


@dataclass(frozen=True)
class UtilityRow:
    """One arm.

    Parameters
    ----------
    arm
        Its name.
    hits, false_alarms, misses, silences
        In all its episodes.
    worth
        Its utility at each cost, per 100 events.
    gain
        How much that is more than the rival's, on episodes that both have.
    even
        The cost at which there is no difference.
    more
        Whether it raises more false alarms than the rival: then it pays below that cost, else above.
    """

    arm: str
    hits: int
    false_alarms: int
    misses: int
    silences: int
    worth: tuple[Estimate, ...]
    gain: tuple[Estimate, ...]
    even: Estimate
    more: bool

    @property
    def pays(self) -> str:
        """For which costs it pays, in words; "n/a" where its doubts say why."""
        value = self.even.value
        if math.isnan(value):
            return "n/a"
        if value <= 0:
            return "at no cost" if self.more else "at every cost"
        return f"{'below' if self.more else 'above'} {value:.3g}"


@dataclass(frozen=True, repr=False)
class Utility(ByArm[UtilityRow]):
    """The utility of arms over a range of costs. Prints as a table at a few; `frame` has all of them.

    Parameters
    ----------
    study, level, notes
        As in `toolkit.Initiative`.
    over
        The rival; ``"silence"`` = one who never acts.
    costs
        c/b.
    missed
        m/b.
    rows
        One an arm that meets events; the rival is not among them.
    """

    study: str
    over: str
    costs: tuple[float, ...]
    missed: float
    rows: tuple[UtilityRow, ...]
    level: float
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm and cost: utility and gain over the rival with their intervals, and where it breaks even."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"arm": row.arm, "cost": cost, "missed": self.missed}
                | {"utility": worth.value, "low": worth.low, "high": worth.high}
                | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
                | {"even": row.even.value, "even_low": row.even.low, "even_high": row.even.high, "pays": row.pays}
                | {"n": worth.n, "runs": worth.runs, "reason": worth.reason or row.even.reason}
                for row in self.rows
                for cost, worth, gain in zip(self.costs, row.worth, row.gain, strict=True)
            ]
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        places = self._places()
        head = ["arm", "hits", "false alarms", "misses", "silences"]
        head += [f"at c/b {self.costs[place]:g}" for place in places]
        return [*head, f"pays over {self.over}", "interval of c/b", "doubts"], [
            [
                row.arm,
                *map(str, (row.hits, row.false_alarms, row.misses, row.silences)),
                *(_told(row.worth[place]) for place in places),
                row.pays,
                interval(row.even, ".3g"),
                row.even.reason,
            ]
            for row in self.rows
        ]

    def _places(self) -> list[int]:
        """Which costs are shown: usual ones, or else the first, the middle and the last."""
        usual = [self.costs.index(cost) for cost in _SHOWN if cost in self.costs]
        return usual or sorted({0, (len(self.costs) - 1) // 2, len(self.costs) - 1})

    def to_latex(self) -> str:
        r"""The table for a paper, a ``table`` of its own: needs ``\usepackage{booktabs,graphicx}``."""
        head, body = self.table()
        marks, told = marked([[row.even.reason] if row.even.reason else [] for row in self.rows])
        rows = [
            [Tex(escaped(arm) + mark), *map(number, cells)] for (arm, *cells, _), mark in zip(body, marks, strict=True)
        ]
        caption = f"What initiative is worth in study {self.study}, with {100 * self.level:g} % intervals."
        label = f"tab:{self.study}-utility"
        return tabular(head[:-1], rows, caption=caption, label=label, notes=[*told, *self.notes])


def utility(
    study: Study | pd.DataFrame | str,
    *,
    over: str = "",
    costs: Sequence[float] = COSTS,
    missed: float = 0.0,
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Utility:
    """What acting unprompted is worth, ``U = b TP - c FP - m FN``, swept over c/b, and where it stops paying.

    Parameters
    ----------
    study, ledger
        As in `toolkit.initiative`.
    over
        The rival arm over which initiative must pay; empty = staying silent, which is worth ``-m`` for every need.
    costs
        c/b: what a false alarm costs, in hits, each at least 0.
    missed
        m/b: what a miss costs, in hits, at least 0.
    stream
        Only this one of several streams.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Utility
        For each arm its utility at every cost, and the cost at which it is worth what the rival is: over silence
        ``(1 + m/b) TP / FP``. See `toolkit.stats.break_even_cost` for its interval and for where there is none.

    Raises
    ------
    LedgerError
        If there is no such study, stream or arm, or no event that nobody prompted for.
    SpecError
        If a frame misses a column.
    ValueError
        If there are no costs, or one is below 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.moves import Outcome, Tally
    >>> def came(hits, false_alarms):
    ...     return Outcome("done", tally=Tally(hits=hits, false_alarms=false_alarms)).flat
    >>> rows = [("eager", task, seed, came(2, 1 + (task + seed) % 2)) for seed in (1, 2, 3) for task in range(6)]
    >>> found = utility(pd.DataFrame(rows, columns=["arm", "task", "seed", "outcome"]), costs=[0, 1, 2])
    >>> found.row("eager").pays
    'below 1.33'
    """
    if not costs:
        raise ValueError("utility needs at least one cost, such as costs=[0.5, 1, 2]")
    held = outcomes(study, stream=stream, level=level, ledger=ledger)
    arms = [arm for arm in held.arms if arm != over and events(held.of(arm)).sum() > 0]
    if over:
        held.known(over)
    if not arms:
        raise LedgerError(f"no arm of {held.study} has met an event that nobody prompted for: utility needs ticks")
    rows = tuple(_row(held, arm, over, costs, missed, level) for arm in arms)
    rival = over or "staying silent"
    told = [one.format(missed=missed, rival=rival, level=100 * level) for one in _ABOUT]
    return Utility(held.study, over or SILENCE, tuple(map(float, costs)), missed, rows, level, (*told, *held.notes))


def _row(held: Outcomes, arm: str, over: str, costs: Sequence[float], missed: float, level: float) -> UtilityRow:
    own = held.of(arm)
    mine, other = held.pairs(arm, over) if over else (own, _silent(own))
    worth, kept, rest = (_worth(frame, costs, missed) for frame in (own, mine, other))
    gain = [one.minus(two) for one, two in zip(kept, rest, strict=True)]
    won = (mine.hits - other.hits) + missed * (other.misses - mine.misses)
    alarms = mine.false_alarms - other.false_alarms
    return UtilityRow(
        arm=arm,
        hits=int(own.hits.sum()),
        false_alarms=int(own.false_alarms.sum()),
        misses=int(own.misses.sum()),
        silences=int(own.silences.sum()),
        worth=tuple(one.estimate(own.run, own.unit, level=level, unit=held.unit) for one in worth),
        gain=tuple(one.estimate(mine.run, mine.unit, level=level, unit=held.unit) for one in gain),
        even=break_even_cost(won, alarms, mine.run, mine.unit, level=level, unit=held.unit),
        more=bool(alarms.sum() > 0),
    )


def _silent(frame: pd.DataFrame) -> pd.DataFrame:
    """What would have come of the same events, had nobody acted."""
    silences = frame.false_alarms + frame.silences
    return frame.assign(hits=0.0, false_alarms=0.0, misses=needs(frame), silences=silences)


def _worth(frame: pd.DataFrame, costs: Sequence[float], missed: float) -> tuple[Pooled, ...]:
    return utilities(frame.hits, frame.false_alarms, frame.misses, frame.silences, costs, missed=missed)


def _told(one: Estimate) -> str:
    value = "n/a" if math.isnan(one.value) else f"{one.value:.1f}"
    return f"{value} {interval(one, '.1f')}"
