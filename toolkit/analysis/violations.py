"""How often arms break rules that a program can check, and where in an episode or session: the same checks for all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.analysis.recorded import RUN
from toolkit.analysis.shown import Shown
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.moves import Move
from toolkit.stats import Estimate, pooled
from toolkit.traits.rules import Rule, Said

if TYPE_CHECKING:
    import pandas as pd

ALL = "all rules"
WHOLE = "all"
_SHARE = (0.0, 1.0)
_NONE = "the rule never applied"
_ABOUT = (
    "Rate: times a rule was broken, of the occasions on which it applied (a turn in a world, else an answer); totals "
    "over episodes, intervals by the delta method with runs crossed with sessions or tasks (Deng et al. 2018).",
    "Checked by a program, afterwards, and the same way for every arm: an arm that was never told of a rule shows how "
    "often it is broken by chance.",
)
Options = Mapping[tuple[str, str], tuple[str, ...]]
"""By stream and task what could be chosen among."""


@dataclass(frozen=True)
class ViolationRow:
    """One rule, or all together, in one part of the episode, by one arm.

    Parameters
    ----------
    rule
        Its text, or ``"all rules"``.
    turns
        Which turns, such as ``"1-10"``, or ``"all"``.
    arm
        Of which arm.
    applied, broken
        Occasions, and those on which it was broken.
    estimate
        Broken per occasion, in [0, 1].
    difference
        How much that is more than the baseline's, on episodes that both have; None for the baseline.
    """

    rule: str
    turns: str
    arm: str
    applied: int
    broken: int
    estimate: Estimate
    difference: Estimate | None


@dataclass(frozen=True, repr=False)
class Violations(Shown):
    """Rates of broken rules. Prints every rule over all turns, and all rules by turns; `frame` has each by each.

    Parameters
    ----------
    study, baseline
        Their names.
    rows
        One for each arm, rule and range of turns.
    """

    left: ClassVar[int] = 3

    study: str
    baseline: str
    rows: tuple[ViolationRow, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per rule, part and arm: occasions, broken, rate, interval, difference, and why it is missing."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def row(self, arm: str, rule: str = ALL, turns: str = WHOLE) -> ViolationRow:
        """One of them.

        Raises
        ------
        KeyError
            If there is none.
        """
        for row in self.rows:
            if (row.rule, row.turns, row.arm) == (rule, turns, arm):
                return row
        for what, name in (("rule", rule), ("turns", turns), ("arm", arm)):
            known = list(dict.fromkeys(getattr(row, what) for row in self.rows))
            if name not in known:
                raise KeyError(f"no {what} here is {name!r}; {nearest(name, known)}")
        held = [row.turns for row in self.rows if (row.rule, row.arm) == (rule, arm)]
        raise KeyError(f"arm {arm!r} has no row for {rule!r} in turns {turns}; it has some in {held}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown; what applied to no arm is left out."""
        there = {(row.rule, row.turns) for row in self.rows if row.applied}
        shown = [row for row in self.rows if (row.rule, row.turns) in there and (row.rule == ALL or row.turns == WHOLE)]
        head = ["rule", "turns", "arm", "broken", "rate", "interval", f"over {self.baseline}", "interval", "doubts"]
        return head, [_cells(row) for row in shown]


def occasions(row: Mapping[str, Any], options: Sequence[str], place: int) -> Iterator[tuple[int, Said]]:
    """What an agent said in an episode, each with its number: turns in a world, else its answer with its place."""
    inputs = {str(name): str(text) for name, text in dict(row["inputs"]).items()}
    moves = row["moves"]
    if moves is None or not len(moves):
        if row["answer"] and row["outcome"] is None:
            yield place, Said(inputs, str(row["answer"]), tuple(options))
        return
    before: tuple[Move, ...] = ()
    for number, told in enumerate(moves, start=1):
        move = Move(**told)
        if move.action:
            yield number, Said(inputs, move.action, (), move.seen, move.cause, before)
        before = (*before, move)


def violations(
    study: str,
    rows: pd.DataFrame,
    rules: Sequence[Rule],
    options: Options,
    *,
    arms: Sequence[str],
    baseline: str,
    turns: Sequence[int] = (10, 25, 50),
    level: float = 0.95,
) -> Violations:
    """Check rules on recorded episodes; see `toolkit.rule_violations`, which knows the rules of a study.

    Parameters
    ----------
    study
        What the table is called.
    rows
        Episodes with ``arm``, ``stream``, ``order``, ``seed``, ``t``, ``task``, ``session``, ``inputs``, ``answer``,
        ``outcome`` and ``moves``, as the ledger has them.
    rules
        What is checked.
    options
        What tasks could be chosen among.
    arms
        In the order in which they are shown.
    baseline
        The arm without the role.
    turns
        The last turns of the parts, ascending.

    Raises
    ------
    LedgerError
        If the baseline has no episodes.
    ValueError
        If ``turns`` are not ascending whole numbers of at least 1.
    """
    edges = _edges(turns)
    known = [arm for arm in arms if arm in set(rows.arm)]
    if baseline not in known:
        raise LedgerError(f"the baseline {baseline!r} has no episodes; {nearest(baseline, known)}")
    counts = _counted(rows, rules, options, edges)
    names = [*dict.fromkeys(rule.text for rule in rules), ALL]
    unit = "session" if bool((rows.session.fillna("") != "").any()) else "task"
    found = tuple(
        _row(counts, (name, part), arm, baseline, level, unit)
        for name in names
        for part in (WHOLE, *_named(edges))
        for arm in known
    )
    silent = int((counts["said"] == 0).sum())
    lost = (f"{silent} episodes hold no answer to check.",) if silent else ()
    return Violations(study, baseline, found, (*_ABOUT, _numbered(rows), *lost))


def _edges(turns: Sequence[int]) -> tuple[int, ...]:
    edges = tuple(turns)
    if any(not isinstance(one, int) or one < 1 for one in edges) or list(edges) != sorted(set(edges)):
        raise ValueError(
            f"turns must be ascending whole numbers of at least 1 but are {list(turns)!r}: as (10, 25, 50)"
        )
    return edges


def _named(edges: Sequence[int]) -> list[str]:
    """What parts are called.

    Examples
    --------
    >>> _named((1, 10))
    ['1', '2-10', '11-']
    """
    starts = [1, *(edge + 1 for edge in edges)]
    ends = [*edges, ""]
    return [f"{start}" if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True)]


def _counted(rows: pd.DataFrame, rules: Sequence[Rule], options: Options, edges: Sequence[int]) -> pd.DataFrame:
    """A row per episode; for each rule and part two columns: how often it applied, and was broken."""
    import pandas as pd

    session = rows.session.fillna("").astype(str)
    group = session.where(session != "", "")
    place = rows.groupby([rows.arm, *(rows[one] for one in RUN), group]).t.rank(method="first").astype(int)
    parts, told = _named(edges), []
    for row, number in zip(rows.to_dict("records"), place, strict=True):
        counts: dict[Any, int] = {"said": 0}
        for turn, said in occasions(row, options.get((row["stream"], row["task"]), ()), number):
            counts["said"] += 1
            part = parts[sum(turn > edge for edge in edges)]
            for rule in rules:
                _count(counts, rule.text, part, rule.kept(said))
        told.append(counts)
    run = rows[RUN].astype(str).agg(" ".join, axis=1)
    unit = rows.task.astype(str).where(session == "", session)
    task = rows.stream.astype(str) + "\n" + rows.task.astype(str)
    head = pd.DataFrame({"arm": rows.arm, "run": run, "task": task, "unit": unit}).reset_index(drop=True)
    return head.join(pd.Series(told, name="counts")).assign(said=[one["said"] for one in told])


def _count(counts: dict[Any, int], name: str, part: str, kept: bool | None) -> None:
    if kept is None:
        return
    for rule in (name, ALL):
        for where in (part, WHOLE):
            for what in ("applied", "broken")[: 1 + (not kept)]:
                counts[rule, where, what] = counts.get((rule, where, what), 0) + 1


def _row(
    counts: pd.DataFrame, which: tuple[str, str], arm: str, baseline: str, level: float, unit: str
) -> ViolationRow:
    own = counts[counts.arm == arm]
    broken, applied = (_of(own, which, what) for what in ("broken", "applied"))
    found = pooled(broken, applied, why=_NONE, span=_SHARE).estimate(own.run, own.unit, level=level, unit=unit)
    gap = None
    if arm != baseline:
        other = counts[counts.arm == baseline][["run", "task", "counts"]]
        both = own.merge(other, on=["run", "task"], suffixes=("", "_base"))
        base = both.drop(columns="counts").rename(columns={"counts_base": "counts"})
        mine, theirs = (
            pooled(_of(one, which, "broken"), _of(one, which, "applied"), why=_NONE, span=_SHARE)
            for one in (both, base)
        )
        gap = mine.minus(theirs).estimate(both.run, both.unit, level=level, unit=unit)
    times, often = int(sum(applied)), int(sum(broken))
    if times and often in (0, times) and math.isnan(found.low):
        told = f"{'broken' if often else 'kept'} on all {times} occasions"
        found = replace(found, reason=f"{told}: no spread to estimate an interval from")
    return ViolationRow(*which, arm, times, often, found, gap)


def _of(frame: pd.DataFrame, which: tuple[str, str], what: str) -> list[float]:
    return [float(one.get((*which, what), 0)) for one in frame["counts"]]


def _numbered(rows: pd.DataFrame) -> str:
    if bool(rows.outcome.notna().any()):
        return "Turns are those of an episode in a world."
    if bool((rows.session.fillna("") != "").any()):
        return "Turns: which answer of its session it is."
    return "Turns: which task of the run it is, for there are no sessions."


def _flat(row: ViolationRow) -> dict[str, object]:
    one, gap = row.estimate, row.difference
    told = {"rule": row.rule, "turns": row.turns, "arm": row.arm, "applied": row.applied, "broken": row.broken}
    numbers = {"rate": one.value, "low": one.low, "high": one.high, "episodes": one.n, "runs": one.runs}
    names = ("difference", "difference_low", "difference_high", "p_value")
    gaps = (math.nan,) * 4 if gap is None else (gap.value, gap.low, gap.high, gap.p_value)
    return told | numbers | dict(zip(names, gaps, strict=True)) | {"reason": "; ".join(_doubts(row))}


def _cells(row: ViolationRow) -> list[str]:
    rule = row.rule if len(row.rule) <= 48 else f"{row.rule[:45]}..."
    gap = row.difference
    between = ["baseline", ""] if gap is None else [_number(gap.value, "+.3f"), _interval(gap, "+.3f")]
    rate = [_number(row.estimate.value, ".3f"), _interval(row.estimate, ".3f")]
    return [rule, row.turns, row.arm, f"{row.broken} of {row.applied}", *rate, *between, "; ".join(_doubts(row))]


def _doubts(row: ViolationRow) -> list[str]:
    gap = row.difference.reason if row.difference is not None else ""
    told = [row.estimate.reason, f"difference: {gap}" if gap and gap != row.estimate.reason else ""]
    return [one for one in told if one]


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)


def _interval(one: Estimate, form: str) -> str:
    return "n/a" if math.isnan(one.low) else f"[{one.low:{form}}, {one.high:{form}}]"
