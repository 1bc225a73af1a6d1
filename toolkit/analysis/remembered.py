"""What one run recalled: each memory as far as the ledger knows it, and how the tasks that recalled it went."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.analysis.recorded import OWN, plan
from toolkit.ledger.rows import Row

if TYPE_CHECKING:
    from toolkit.ledger.store import Ledger

_LIVES = f"""
    SELECT run, arm, seed, stream, "order", count(*) FILTER (list_count(turns) > 0) AS tasks,
           coalesce(sum(list_sum(list_transform(turns, lambda turn: len(turn.recalled)))), 0) AS recalled
    FROM episodes WHERE {OWN} AND phase = 'stream' GROUP BY ALL ORDER BY run
"""
_LIST = r"""
    WITH met AS (
        SELECT t, task, score, counterfactuals FROM episodes WHERE study = $1 AND run = $2 AND phase = 'stream'
    ), used AS (
        SELECT DISTINCT t, recalled AS memory FROM memories WHERE study = $1 AND run = $2 AND phase = 'stream'
    ), known AS (
        SELECT memory, min(t) AS first, max(t) AS last,
               CASE WHEN memory LIKE 'prepare/%' THEN 0 ELSE coalesce(
                   try_cast(regexp_extract(memory, '^stream/([0-9]+)$', 1) AS BIGINT) + 1, min(t)) END AS since
        FROM used GROUP BY memory
    ), worth AS (
        SELECT one.memory AS memory, avg(score - one.score) AS gain, count(score - one.score) AS n_gain
        FROM (SELECT score, unnest(counterfactuals) AS one FROM met) WHERE one.instead = 'all but one'
        GROUP BY one.memory
    )
    SELECT known.memory, known.since, known.first, known.last,
           list(met.t ORDER BY met.t) FILTER (used.t IS NOT NULL) AS met_at,
           list(met.task ORDER BY met.t) FILTER (used.t IS NOT NULL) AS met_tasks,
           avg(met.score) FILTER (used.t IS NOT NULL) AS score,
           count(met.score) FILTER (used.t IS NOT NULL) AS n,
           avg(met.score) FILTER (used.t IS NULL) AS others, count(met.score) FILTER (used.t IS NULL) AS n_others,
           any_value(worth.gain) AS gain, coalesce(any_value(worth.n_gain), 0) AS n_gain
    FROM known JOIN met ON met.t >= known.since
    LEFT JOIN used ON used.memory = known.memory AND used.t = met.t
    LEFT JOIN worth ON worth.memory = known.memory
    GROUP BY known.memory, known.since, known.first, known.last ORDER BY known.since, known.memory
"""
_SOURCES = """
    SELECT 'stream/' || t AS memory, t, task, "user", to_json(inputs) AS inputs, answer, correction, feedback_score, due
    FROM episodes WHERE study = $1 AND run = $2 AND phase = 'stream' AND list_contains($3, 'stream/' || t)
    ORDER BY t
"""
_NOTES = """
    SELECT t, to_json(turns) AS turns, to_json(prompt) AS prompt
    FROM calls JOIN episodes USING (study, run, phase, t)
    WHERE study = $1 AND run = $2 AND phase = 'stream' AND purpose = 'acting' AND list_contains($3, t)
    ORDER BY t, ordinal
"""
_CHAT = re.compile(r"\[\[ ## notes ## \]\]\n(.*?)(?=\n\n\[\[ ## )", re.DOTALL)
_PLAIN = re.compile(r"^Notes: (.*(?:\n  .*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Life:
    """One run, and how many memories it has recalled so far, counted at each task.

    Parameters
    ----------
    run, arm, seed, stream, order
        As the ledger has them.
    tasks, recalled
        Answered so far; memories that stood in their prompts.
    """

    run: str
    arm: str
    seed: int
    stream: str
    order: str
    tasks: int
    recalled: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """One memory, and the tasks whose prompts it stood in.

    Parameters
    ----------
    id, kind, text, answer
        As of `toolkit.Memory`; the text is empty where it is not recorded.
    before
        What the text was when it was first recalled, where it has been rewritten since; else empty.
    user, source
        Whose it is; the task that it was made of. Empty where that is not recorded.
    written, revised
        The task of the run at which it was written, and the one before which feedback revised it, both from 0; -1 =
        before the stream; None = not recorded, or never.
    right
        Whether its answer is known to be right; None = not recorded.
    until
        When a newer one took its place, in logical time; None = it holds, or that is not recorded.
    recalled
        The tasks whose prompts it stood in: place in the run, and name.
    score, n
        Mean score of those tasks in [0, 1] and how many have one; NaN where none has.
    others, n_others
        The same of the run's other tasks since it was written (where that is not recorded: first recalled).
    gain, n_gain
        Mean score less the score with this memory alone left out, where the study asked again; NaN where it did not.
    """

    id: str
    kind: str
    text: str
    answer: str = ""
    before: str = ""
    user: str = ""
    source: str = ""
    written: int | None = None
    revised: int | None = None
    right: bool | None = None
    until: float | None = None
    recalled: tuple[tuple[int, str], ...] = ()
    score: float = math.nan
    n: int = 0
    others: float = math.nan
    n_others: int = 0
    gain: float = math.nan
    n_gain: int = 0

    @property
    def difference(self) -> float:
        """Score of the tasks that recalled it less that of the others: an association, no effect."""
        return self.score - self.others

    @property
    def told(self) -> str:
        """Text and answer."""
        return f"{self.text} → {self.answer}" if self.answer else self.text


def lives(ledger: Ledger, study: str) -> tuple[Life, ...]:
    """The runs of a study that have begun, in the order of its plan.

    Raises
    ------
    LedgerError
        If there is no such study.
    """
    ids = [str(run["id"]) for run in plan(ledger, study)["runs"]]
    found = {str(row["run"]): row for row in ledger.sql(_LIVES, ids, study).to_dict("records")}
    return tuple(Life(**_plain(found[one])) for one in ids if one in found)


def remembered(ledger: Ledger, study: str, run: str) -> tuple[Remembered, ...]:
    """Every memory that a run has recalled on its stream so far, in the order in which they were written.

    What was kept and never recalled leaves no mark in a ledger, nor does what a policy forgot or superseded.
    """
    rows = ledger.sql(_LIST, study, run).to_dict("records")
    ids = [str(row["memory"]) for row in rows]
    sources = {str(one["memory"]): one for one in ledger.sql(_SOURCES, study, run, ids).to_dict("records")}
    others = [row for row in rows if row["memory"] not in sources]
    texts = _texts(ledger, study, run, others) if others else {}
    return tuple(_one(row, sources.get(str(row["memory"])), texts.get(str(row["memory"]), ())) for row in rows)


def _one(row: Row, source: Row | None, texts: Sequence[str]) -> Remembered:
    name = str(row["memory"])
    counted: dict[str, Any] = {
        "recalled": tuple((int(t), str(task)) for t, task in zip(row["met_at"], row["met_tasks"], strict=True)),
        **{key: _number(row[key]) for key in ("score", "others", "gain")},
        **{key: int(row[key]) for key in ("n", "n_others", "n_gain")},
    }
    if source is None:
        prepared = name.startswith("prepare/")
        text, before = (texts[-1], texts[0]) if texts else ("", "")
        return Remembered(
            name,
            "case" if prepared else name.partition("/")[0],
            text,
            before="" if before == text else before,
            written=-1 if prepared else None,
            **counted,
        )
    correction, score, due = source["correction"], _number(source["feedback_score"]), _number(source["due"])
    known = isinstance(correction, str)
    heard = known or not math.isnan(score)
    return Remembered(
        name,
        "case",
        " ".join(json.loads(source["inputs"]).values()),
        str(correction if known else source["answer"]),
        user=str(source["user"] or ""),
        source=str(source["task"]),
        written=int(source["t"]),
        revised=int(due) if heard and not math.isnan(due) else None,
        right=known or score == 1,
        **counted,
    )


def _texts(ledger: Ledger, study: str, run: str, rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """What notes said when they were first and last recalled, read from the prompts."""
    wanted = {str(row["memory"]) for row in rows}
    places = sorted({int(row[name]) for row in rows for name in ("first", "last")})
    found: dict[str, tuple[str, ...]] = {}
    for row in ledger.sql(_NOTES, study, run, places).to_dict("records"):
        for turn in json.loads(row["turns"]):
            own = [one for one in turn["recalled"] if one in wanted]
            lines = notes_in(json.loads(row["prompt"]))
            if len(lines) == len(own):
                for name, said in zip(own, lines, strict=True):
                    found[name] = (*found.get(name, ()), said)
    return found


def notes_in(prompt: Sequence[Mapping[str, str]]) -> list[str]:
    """The notes that stand in the question of a recorded prompt, one for each line.

    Examples
    --------
    >>> notes_in([{"role": "user", "text": "Notes: - one\\n  - two\\nTicket: three"}])
    ['one', 'two']
    """
    asked = next((one["text"] for one in reversed(prompt) if one["role"] == "user"), "")
    found = [*_CHAT.finditer(asked)] or [*_PLAIN.finditer(asked)]
    if not found:
        return []
    return [line.strip().removeprefix("- ") for line in found[-1][1].split("\n")]


def _number(value: object) -> float:
    return math.nan if value is None else float(value)  # type: ignore[arg-type]


def _plain(row: Row) -> Row:
    """A row's values as Python's own numbers."""
    kinds = {"seed": int, "tasks": int, "recalled": int}
    return {str(name): kinds.get(str(name), str)(value) for name, value in row.items()}
