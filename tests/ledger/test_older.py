"""A ledger that an older toolkit wrote: read, compared and gone on with, though its files lack what came later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import duckdb
import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.rows import RunRecord, content, run_record
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import quoted

NEW_COSTS = ["reasoning_tokens"]
NEW = {
    "calls": ["server", "adapted", *NEW_COSTS],
    "episodes": [f"{kind}_{name}" for kind in ("acting", "adapting", "judging") for name in NEW_COSTS]
    + ["counterfactuals"],
    "run": ["servers", "adapted"],
}


def make_older(ledger: Ledger) -> None:
    """Take everything out of a ledger's files that was not there in the beginning."""
    for name in ("calls", "episodes"):
        for file in ledger.root.glob(f"*/*/runs/*/{name}.parquet"):
            part = file.with_suffix(".part")
            with duckdb.connect() as con:
                left = f"SELECT * EXCLUDE ({', '.join(NEW[name])}) FROM '{quoted(file)}'"
                con.execute(f"COPY ({left}) TO '{quoted(part)}' (FORMAT parquet)")
            part.replace(file)
        for file in ledger.root.glob(f"studies/*/runs/*/{name}.jsonl"):
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            kept = [{key: value for key, value in row.items() if key not in NEW[name]} for row in rows]
            file.write_text("".join(json.dumps(row) + "\n" for row in kept))
    for file in ledger.root.glob("studies/*/runs/*/run.json"):
        row = json.loads(file.read_text())
        file.write_text(json.dumps({key: value for key, value in row.items() if key not in NEW["run"]}) + "\n")
    for schema in ledger.root.glob("schema/*"):
        schema.rename(schema.with_name("empty"))


@pytest.fixture
def older(study: Callable[..., Study], ledger: Ledger) -> Study:
    made = finish(study(Arm.static(), Arm("b", repeat=1)))
    made.compare()  # writes the empty schema files
    make_older(ledger)
    return made


def test_its_views_have_every_column(older: Study, ledger: Ledger) -> None:
    assert ledger.sql("SELECT count(*) AS n FROM episodes WHERE acting_reasoning_tokens IS NULL").n[0] == 96
    assert ledger.sql("SELECT count(*) AS n FROM calls WHERE server IS NULL AND adapted IS NULL").n[0] == 96
    assert set(ledger.sql("SELECT servers FROM runs").servers.isna()) == {True}


def test_it_is_compared_and_reported(older: Study) -> None:
    shown = str(older.compare())
    assert "the provider did not do" not in shown
    assert older.report().exists()


def test_finished_runs_are_not_run_again(older: Study) -> None:
    assert [record.replayed for record in older.run()] == [0, 0, 0, 0]
    assert {record.servers for record in older.run()} == {()}


def test_a_run_that_was_cut_off_goes_on_to_the_same_hash(study: Callable[..., Study], ledger: Ledger) -> None:
    [whole] = study(Arm.static(), name="whole", seeds=1).run()
    made = study(Arm.static(), name="cut", seeds=1)
    seen: list[int] = []

    def stop_after_9(run: Any, episode: Any) -> None:
        seen.append(episode.t)
        if len(seen) == 9:
            made.stop()

    assert [record.status for record in made.run(watch=stop_after_9)] == ["stopped"]
    make_older(ledger)
    [record] = made.run()
    assert (record.status, record.replayed, record.hash) == ("finished", 9, whole.hash)


def test_a_new_column_that_says_nothing_is_no_part_of_a_hash() -> None:
    row = {"answer": "x", "acting_reasoning_tokens": 0, "acting_seconds": 1.0}
    assert content(row) == {"answer": "x"}
    assert content({**row, "acting_reasoning_tokens": 3}) == {"answer": "x", "acting_reasoning_tokens": 3}


def test_a_record_of_a_newer_toolkit_is_read() -> None:
    record = RunRecord("s", "r", "a", 0, "e", "o", 1, "m", "", "", 0.0, False, True, ("memory",))
    assert run_record(json.loads(json.dumps({**asdict(record), "later": 1}))) == record
