"""Answers that somebody asked for again, with memories left out: beside the runs, whose files stay as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from toolkit.ledger.alone import alone
from toolkit.ledger.call import Call
from toolkit.ledger.disk import writing
from toolkit.ledger.log import Log
from toolkit.ledger.rows import Row, call_row
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import from_lines
from toolkit.records import Usage

ASKED = {
    "run": "VARCHAR",
    "t": "BIGINT",
    "task": "VARCHAR",
    "left_out": "VARCHAR[]",
    "answer": "VARCHAR",
    "score": "DOUBLE",
    "calls": "BIGINT",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "seconds": "DOUBLE",
    "dollars": "DOUBLE",
    "asked_at": "VARCHAR",
}
"""One answer: of which episode, what was left out (nothing named = everything), what it came to, what it cost."""

_ANSWERS = "answers.jsonl"


def keep(study: Path, folder: str, told: Row, calls: Sequence[Call], usage: Usage) -> None:
    """Keep an answer and the calls that it took, which are booked to judging, in the study's folder ``asked``.

    Parameters
    ----------
    study, folder
        The study's folder, and the name of the run's.
    told
        The columns of `ASKED` up to the score.
    calls, usage
        As they were recorded, and what they come to.

    Raises
    ------
    StudyBusy
        If another process keeps one of the same run just now.
    """
    place = study / "asked" / folder
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    names = ("calls", "input_tokens", "output_tokens", "seconds", "dollars")
    cost = {name: _known(getattr(usage, name)) for name in names}
    row = {
        **told,
        "score": _known(told["score"]),
        **cost,
        "asked_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    with alone(place, "is being asked again"):
        for file, rows in (("calls.jsonl", [call_row(call, told["run"]) for call in calls]), (_ANSWERS, [row])):
            log = Log(place / file)
            try:
                for one in rows:
                    log.append(one)
            finally:
                log.close()


def asked(ledger: Ledger, study: str, run: str, t: int) -> list[Row]:
    """The answers that were asked for again of one episode, the latest of each kind last."""
    place = ledger.study(study).resolve() / "asked"
    if not any(place.glob(f"*/{_ANSWERS}")):
        return []
    lines = from_lines([str(place / "*" / _ANSWERS)], ASKED)
    found = ledger.sql(f"SELECT * FROM ({lines}) WHERE run = $1 AND t = $2 ORDER BY asked_at", run, t)
    return [{**row, "left_out": tuple(map(str, row["left_out"]))} for row in found.to_dict("records")]


def _known(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value
