"""What learners made of their prompts on the way: every version of every run, its fate, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.analysis.differing import Difference
from toolkit.analysis.recorded import OWN, found, plan, unit_of
from toolkit.analysis.shown import Shown, visible
from toolkit.errors import SpecError, nearest
from toolkit.ledger.planned import only, scores
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.records import Example, Learned
from toolkit.stats import Estimate, one_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

IN_FORCE = "in force"
_CELL = 80  # characters of a text that a table shows
_ABOUT = (
    "made: before this task, from 0. in force: the first task and the last one; + = to the end of what is recorded. "
    "Version 0 is what prompts carry anyway.",
    "Scores while in force describe what happened: versions are put in force, and taken back, because of scores, and "
    "met different tasks. Whether tuning pays is said by tk.compare. Intervals (.frame): over tasks of one run.",
)


@dataclass(frozen=True)
class Fated:
    """What a version became, before which task of the stream, and why."""

    t: int
    fate: str
    why: str


@dataclass(frozen=True)
class VersionRow:
    """One version of one run's prompts.

    Parameters
    ----------
    run
        Identity of the run.
    arm, stream, order, seed
        Whose it is.
    number
        From 0, which is what the prompts carry anyway.
    made
        The task of the stream before which it was made, from 0; the number of tasks = after the last one.
    fates
        What became of it, in order.
    learned
        What the prompts carry.
    spans
        When it was in force: the first task, and the one before which that ended (None = it has not).
    score
        Mean of the tasks that it answered, in [0, 1], with an interval over them; NaN where it answered none.
    """

    run: str
    arm: str
    stream: str
    order: str
    seed: int
    number: int
    made: int
    fates: tuple[Fated, ...]
    learned: Learned
    spans: tuple[tuple[int, int | None], ...]
    score: Estimate

    @property
    def fate(self) -> str:
        """What it is by now."""
        return self.fates[-1].fate

    @property
    def why(self) -> str:
        """Why it is that."""
        return self.fates[-1].why


@dataclass(frozen=True)
class Alarm:
    """A drift that an agent has noticed: before which task, the how manieth, what was done about it, and why."""

    run: str
    arm: str
    stream: str
    order: str
    seed: int
    t: int
    number: int
    done: str
    why: str


@dataclass(frozen=True, repr=False)
class Versions(Shown):
    """Versions of prompts. Prints as a table; `diff` says what one changed, `frame` has everything.

    Parameters
    ----------
    study
        Whose.
    rows
        By run in the order of the plan, then by number; runs without any are left out.
    alarms
        Drifts that agents of the same runs have noticed.
    """

    left: ClassVar[int] = 4

    study: str
    rows: tuple[VersionRow, ...]
    alarms: tuple[Alarm, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, number: int) -> VersionRow:
        """The version of this number.

        Raises
        ------
        SpecError
            If there is none, or several runs are shown: ask for one with ``versions(study, arm=..., seed=...)``.
        """
        own = self._one_run()
        if number not in (known := {one.number: one for one in own}):
            raise SpecError(
                [f"there is no version {number!r}: {own[0].arm}, seed {own[0].seed} has 0 to {len(own) - 1}"]
            )
        return known[number]

    @property
    def in_force(self) -> VersionRow:
        """The version that prompts carried last; raises as `row`."""
        return next(one for one in self._one_run() if one.spans and one.spans[-1][1] is None)

    def diff(self, a: int = 0, b: int | None = None) -> Difference:
        """What version ``b`` (None = the one in force) has that ``a`` has not, and the other way round.

        Raises
        ------
        SpecError
            As `row`.
        """
        one, other = self.row(a), self.in_force if b is None else self.row(b)
        return Difference.of(f"version {one.number}", one.learned, f"version {other.number}", other.learned)

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each version."""
        import pandas as pd

        return pd.DataFrame([_flat(one) for one in self.rows])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        several = len({(one.stream, one.order) for one in self.rows}) > 1
        head = ["arm", "run", "version", "fate", "made", "in force", "score", "tasks", "why"]
        body = [
            [
                _cell(one.arm),
                _cell(f"{one.stream}, {one.order}, seed {one.seed}" if several else f"seed {one.seed}"),
                str(one.number),
                _cell(one.fate),
                str(one.made),
                ", ".join(map(_span, one.spans)),
                f"{one.score.value:.2f}" if one.score.n else "n/a",
                str(one.score.n),
                _cell(one.why),
            ]
            for one in self.rows
        ]
        return head, body

    def _one_run(self) -> list[VersionRow]:
        runs = dict.fromkeys((one.arm, one.stream, one.order, one.seed) for one in self.rows)
        if len(runs) != 1:
            told = "; ".join(f"arm {run[0]!r}, seed {run[3]}" for run in list(runs)[:8]) or "none has made any so far"
            raise SpecError([f"one run is wanted, but of study {self.study!r} these have versions: {told}"])
        return list(self.rows)


def versions(
    study: Study | str,
    *,
    arm: str = "",
    seed: int | None = None,
    stream: str = "",
    order: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Versions:
    """Every version of prompts that learners of a study made, and what became of it; of a running study, so far.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    arm, seed, stream, order
        Only these runs.
    level
        Coverage of the intervals in `VersionRow.score`, in (0, 1).

    Returns
    -------
    Versions
        Of learners that say so, as `toolkit.Tuned` does; without any row where none has made a version.

    Raises
    ------
    SpecError
        If the study has no such arm or no such run.
    LedgerError
        If there is no such study or stream.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    if arm and arm not in planned["arms"]:
        raise SpecError([f"study {name!r} has no arm {arm!r}; {nearest(arm, planned['arms'])}"])
    fits = [
        one
        for one in planned["runs"]
        if arm in ("", one["arm"]) and seed in (None, one["seed"]) and order in ("", one.get("order", ""))
    ]
    if not fits:
        seeds = ", ".join(sorted({str(one["seed"]) for one in planned["runs"]}))
        raise SpecError([f"study {name!r} has no run of arm {arm!r}, seed {seed!r}, order {order!r}; seeds: {seeds}"])
    rows, alarms = _read(ledger, name, planned | {"runs": fits}, level)
    notes = _ABOUT if rows else ("No version has been made so far: learners such as tk.Tuned make some.",)
    return Versions(name, tuple(rows), tuple(alarms), notes)


def _read(ledger: Ledger, study: str, planned: Row, level: float) -> tuple[list[VersionRow], list[Alarm]]:
    """The versions and alarms of the runs of a plan, in its order."""
    ids = [run["id"] for run in planned["runs"]]
    query = (
        'SELECT run, arm, stream, "order", seed, phase, t, changes FROM episodes '
        f"WHERE {OWN} AND len(changes) > 0 AND phase IN ('stream', 'frozen') ORDER BY phase DESC, t"
    )
    told = ledger.sql(query, ids, study)
    rows, alarms = list[VersionRow](), list[Alarm]()
    if told.empty:
        return rows, alarms
    answered, _ = scores(ledger, study, planned)
    for run in ids:
        own, met = told[told.run == run], answered[answered.run == run]
        if len(own):
            life = _Life(own.iloc[0])
            for row in own.itertuples():
                life.heard(int(row.t) if row.phase == "stream" else len(met), list(row.changes))
            rows += life.rows(met, level)
            alarms += life.alarms
    return rows, alarms


class _Life:
    """The versions of one run, gathered from its changes in their order."""

    def __init__(self, first: Any) -> None:
        self._whose: dict[str, Any] = {name: str(first[name]) for name in ("run", "arm", "stream", "order")}
        self._whose["seed"] = int(first.seed)
        self._blocks = {0: Learned()}
        self._fates = {0: [Fated(0, IN_FORCE, "what the prompts carry anyway")]}
        self._spans: list[tuple[int, int, int | None]] = [(0, 0, None)]  # version, first task, end
        self.alarms: list[Alarm] = []

    def heard(self, t: int, changes: Sequence[Row]) -> None:
        """What the row of one task tells."""
        for one in changes:
            number, fate, why = int(one["number"]), str(one["fate"] or ""), str(one["why"] or "")
            if one["kind"] == "drift":
                self.alarms.append(Alarm(**self._whose, t=t, number=number, done=fate, why=why))
                continue
            if one["instruction"] is not None:
                self._blocks[number] = _block(one)
            self._fates.setdefault(number, []).append(Fated(t, fate, why))
            if fate == IN_FORCE:
                before, since, _ = self._spans[-1]
                self._spans[-1] = before, since, t
                self._spans.append((number, t, None))

    def rows(self, met: pd.DataFrame, level: float) -> Iterator[VersionRow]:
        """Each version; none where only drifts were told of."""
        numbers = sorted(self._fates) if len(self._fates) > 1 else []
        unit = unit_of(met)
        for number in numbers:
            spans = tuple((a, b) for one, a, b in self._spans if one == number and a != b)
            inside = [any(a <= t and (b is None or t < b) for a, b in spans) for t in met.t]
            mine, fates = met[inside], tuple(self._fates[number])
            score = one_way(mine.score, mine.unit, level=level, unit=unit)
            block = self._blocks.get(number, Learned())
            yield VersionRow(
                **self._whose, number=number, made=fates[0].t, fates=fates, learned=block, spans=spans, score=score
            )


def _block(row: Row) -> Learned:
    tables = json.loads(row["examples"] or "[]")
    examples = tuple(Example(one["inputs"], one["answer"], one["source"], one.get("feedback")) for one in tables)
    steps = json.loads(row["steps"]) if row.get("steps") else None
    return Learned(row["instruction"], examples, row["notes"] or "", steps, row.get("program"))


def _cell(text: str) -> str:
    """Text of a line, made harmless."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _CELL else line[: _CELL - 1] + "…")


def _span(span: tuple[int, int | None]) -> str:
    first, end = span
    if end is None:
        return f"{first}+"
    return str(first) if first == end - 1 else f"{first}-{end - 1}"


def _flat(row: VersionRow) -> dict[str, object]:
    block, score = row.learned, row.score
    return {
        "arm": row.arm,
        "stream": row.stream,
        "order": row.order,
        "seed": row.seed,
        "version": row.number,
        "made": row.made,
        "fate": row.fate,
        "why": row.why,
        "fates": [(one.t, one.fate, one.why) for one in row.fates],
        "in_force": list(row.spans),
        "score": score.value,
        "low": score.low,
        "high": score.high,
        "tasks": score.n,
        "reason": score.reason,
        "instruction": block.instruction,
        "notes": block.notes,
        "examples": [{"inputs": dict(one.inputs), "answer": one.answer} for one in block.examples],
        "steps": dict(block.steps or {}),
        "program": block.program or "",
    }
