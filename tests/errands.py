"""A tiny stream for tests, and what tests ask of a study."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from toolkit.evaluation.study import Study
from toolkit.ledger.parquet import replace_parquet
from toolkit.ledger.rows import SCHEMAS, Row, line
from toolkit.ledger.tables import rows as rows_of
from toolkit.ledger.tables import table
from toolkit.records import Key, Step, Task
from toolkit.streams.stream import Pair, Stream

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"


class Errands(Stream):
    """A tiny stream for tests: three errands, words that name them, sessions of two."""

    step = Step("decide", "Name the errand.", ("note",), "errand")

    def __init__(self, tasks: int = 24, delay: int = 0, sessions: bool = True, second: str = "") -> None:
        self.tasks = tasks
        self.delay = delay
        self.sessions = sessions
        self.second = second

    def load(self) -> Sequence[Pair]:
        return [self._pair(number) for number in range(self.tasks)]

    def pool(self) -> Sequence[Pair]:
        return [self._pair(number) for number in range(1000, 1012)]

    def _pair(self, number: int) -> Pair:
        errands = ("post", "bread", "bank")
        right = errands[(number * number + number // 3) % 3]
        session = f"s{number // 2}" if self.sessions else ""
        note = {"note": f"note {number} about the {right[::-1]} matter"}
        answers = (right, self.second) if self.second else (right,)
        return Task(f"t{number}", note, errands, user="ann", session=session, time=number), Key(answers, self.delay)


def finish(study: Study) -> Study:
    """Run a study and insist that every run finished."""
    for record in study.run():
        assert record.status == "finished", (record.arm, record.seed, record.error)
    return study


def tables(folder: Path) -> list[str]:
    """The files that hold the rows of a run, by name."""
    return sorted(path.name for path in folder.iterdir() if path.stem in SCHEMAS)


TABLES = {"logs": ["calls.jsonl", "episodes.jsonl"], "parquet": ["calls.parquet", "episodes.parquet"]}
"""What `tables` finds in a finished run's folder, by the form of its tables."""


def rewrite(folder: Path, name: str, change: Callable[[list[Row]], object]) -> None:
    """Change the rows of a finished run's table, whatever its form."""
    file, rows = table(folder, name), rows_of(folder, name)
    change(rows)
    if file.suffix == ".parquet":
        replace_parquet(rows, file, SCHEMAS[name])
    else:
        file.write_bytes(b"".join(map(line, rows)))


def prompts(study: Study, arm: str, *, seed: int = 0) -> list[str]:
    """Every prompt that one run sent, in order, as JSON text."""
    run = next(run for run in study.runs if run.arm.name == arm and run.seed == seed)
    rows = study.ledger.sql("SELECT prompt FROM calls WHERE run = $1 ORDER BY t, ordinal", run.id)
    return [json.dumps([dict(turn) for turn in prompt]) for prompt in rows.prompt]


def goes_on_as_if_never_cut_off(
    made: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch, model: type, calls: int
) -> Study:
    """A study whose model cannot be reached after so many calls comes, later, to what it would have: that, uncut."""
    whole, cut = finish(made("whole")), made("cut")
    with monkeypatch.context() as patched:
        patched.setattr(model, "calls", calls)
        assert [one.status for one in cut.run()] == ["suspended"]
    finish(cut)
    assert cut.records()[0].replayed == calls
    assert [one.hash for one in cut.records()] == [one.hash for one in whole.records()]
    assert cut.replay().identical
    return whole
