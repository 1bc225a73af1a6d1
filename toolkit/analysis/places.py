"""What became of the tasks at one place of a study's stream: every arm's answer to each, those that differ first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.analysis.played import Which
from toolkit.analysis.recorded import OWN, plan

if TYPE_CHECKING:
    from toolkit.ledger.rows import Row
    from toolkit.ledger.store import Ledger

_AT = f"""
    SELECT run, arm, seed, stream, "order", t, task, to_json(inputs) AS inputs, status, answer, score, correction,
           error, outcome IS NOT NULL AS played,
           coalesce(list_sum(list_transform(turns, lambda turn: len(turn.recalled))), 0) AS recalled
    FROM episodes WHERE {OWN} AND phase = 'stream' AND t = $3 AND $4 IN ('', stream)
    ORDER BY stream, "order", seed, task
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What one arm answered.

    Parameters
    ----------
    which
        The episode.
    answer, status, error, score
        As recorded; the score in [0, 1], NaN where there is none.
    expected
        The right answer, where it was revealed; else the answer itself where it was right; else empty.
    recalled
        How many memories stood in its prompts.
    played
        Whether it was in a world.
    """

    which: Which
    answer: str
    status: str
    error: str
    score: float
    expected: str
    recalled: int
    played: bool


@dataclass(frozen=True, slots=True)
class Met:
    """One task, and what the arms of one seed and order made of it.

    Parameters
    ----------
    task, seed, stream, order
        What they share.
    inputs
        What they were given.
    said
        In the order of the study's arms.
    """

    task: str
    seed: int
    stream: str
    order: str
    inputs: Mapping[str, str]
    said: tuple[Said, ...]

    @property
    def apart(self) -> int:
        """2 = scores of the arms differ, 1 = answers alone do, 0 = neither."""
        scores = {one.score for one in self.said if not math.isnan(one.score)}
        return 2 if len(scores) > 1 else int(len({one.answer for one in self.said}) > 1)

    @property
    def expected(self) -> str:
        """The right answer, as far as any arm's episode tells it; else empty."""
        return next((one.expected for one in self.said if one.expected), "")


def met_at(ledger: Ledger, study: str, t: int, stream: str = "") -> tuple[Met, ...]:
    """The tasks that stood at place ``t`` of a study's runs, counted from 0: those first on which arms differ.

    Parameters
    ----------
    stream
        Only this one of several streams.

    Raises
    ------
    LedgerError
        If there is no such study.
    """
    planned = plan(ledger, study)
    ids = [str(run["id"]) for run in planned["runs"]]
    rows = ledger.sql(_AT, ids, study, t, stream).to_dict("records")
    cases: dict[tuple[str, str, int, str], list[Row]] = {}
    for row in rows:
        cases.setdefault((row["stream"], row["order"], int(row["seed"]), row["task"]), []).append(row)
    places = {arm: place for place, arm in enumerate(planned["arms"])}
    found = [_met(sorted(own, key=lambda row: places.get(row["arm"], len(places)))) for own in cases.values()]
    return tuple(sorted(found, key=lambda one: -one.apart))


def _met(rows: list[Row]) -> Met:
    first = rows[0]
    return Met(
        str(first["task"]),
        int(first["seed"]),
        str(first["stream"]),
        str(first["order"]),
        json.loads(first["inputs"]),
        tuple(map(_said, rows)),
    )


def _said(row: Mapping[str, Any]) -> Said:
    names = ("run", "arm", "stream", "order", "task")
    which = Which(**{name: str(row[name]) for name in names}, seed=int(row["seed"]), t=int(row["t"]))
    score = math.nan if row["score"] is None else float(row["score"])
    answer, told = str(row["answer"] or ""), row["correction"]
    return Said(
        which,
        answer,
        str(row["status"]),
        str(row["error"] or ""),
        score,
        told if isinstance(told, str) else answer if score == 1 else "",
        int(row["recalled"]),
        bool(row["played"]),
    )
