"""A finished run's tables read the same whether they lie in its folder as logs or as Parquet."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import Any

import columns
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from errands import TABLES, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import EPISODE, SCHEMAS, Row, line
from toolkit.ledger.tables import as_parquet, clear_parquet, count, pack, relabel, rows, table
from toolkit.ledger.views import from_lines

WORDS = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=12)  # halves of characters, too
ROWS = {name: columns.rows(schema, WORDS) for name, schema in SCHEMAS.items()}
SOME = [
    {"run": "r", "t": 0, "arm": "a", "answer": "é", "inputs": {"note": "x"}, "turns": [], "score": 0.5},
    {"run": "r", "t": 1, "arm": "a", "answer": None, "inputs": {}, "acting_input_tokens": 2**62},
    {"run": "r", "t": 2, "arm": "a", "turns": [{"step": "s", "answer": "b", "blocks": ["c"], "recalled": []}]},
]


def logs(folder: Path, episodes: list[Row], calls: list[Row]) -> Path:
    """A finished run's folder with its rows in logs."""
    clear_parquet(folder)
    for name, given_rows in (("episodes", episodes), ("calls", calls)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(map(line, given_rows)))
    return folder


def packed(folder: Path) -> Path:
    """The same run with its rows in Parquet."""
    pack(folder)
    for name in SCHEMAS:
        (folder / f"{name}.jsonl").unlink()
    return folder


@pytest.fixture
def run(tmp_path: Path, form: str) -> Path:
    """A finished run of three episodes and two calls."""
    folder = logs(tmp_path, SOME, [{"t": 0, "hash": "h"}, {"t": 1, "hash": "i"}])
    folder = packed(folder) if form == "parquet" else folder
    assert tables(folder) == TABLES[form]
    return folder


@settings(max_examples=40)
@given(episodes=ROWS["episodes"], calls=ROWS["calls"])
def test_rows_are_the_same_from_a_log_and_from_parquet(
    tmp_path_factory: pytest.TempPathFactory, episodes: list[Row], calls: list[Row]
) -> None:
    folder = logs(tmp_path_factory.mktemp("run"), episodes, calls)
    written = {"episodes": episodes, "calls": calls}
    read = {name: rows(folder, name) for name in SCHEMAS}
    sent = {name: as_parquet(folder, name) for name in SCHEMAS}
    counted = {name: count(folder, name) for name in SCHEMAS}
    packed(folder)
    for name, schema in SCHEMAS.items():
        assert table(folder, name).suffix == ".parquet"
        assert rows(folder, name) == read[name]
        assert [list(row) for row in read[name]] == len(written[name]) * [list(schema)]
        assert count(folder, name) == counted[name] == len(written[name])
        table(folder, name).write_bytes(sent[name])
        assert rows(folder, name) == read[name]


@settings(max_examples=40)
@given(given_rows=ROWS["episodes"])
def test_rows_are_what_was_written(tmp_path_factory: pytest.TempPathFactory, given_rows: list[Row]) -> None:
    """All of it, but for halves of characters, which no file can hold."""

    def kept(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, list):
            return [kept(one) for one in value]
        return {kept(key): kept(one) for key, one in value.items()} if isinstance(value, dict) else value

    folder = logs(tmp_path_factory.mktemp("run"), given_rows, [])
    assert rows(folder, "episodes") == [{column: kept(row.get(column)) for column in EPISODE} for row in given_rows]


def test_a_row_has_every_column_and_maps_are_dictionaries(run: Path) -> None:
    found = rows(run, "episodes")
    assert [list(row) for row in found] == 3 * [list(EPISODE)]
    assert [row["inputs"] for row in found] == [{"note": "x"}, {}, None]
    assert [row["answer"] for row in found] == ["é", None, None]
    assert found[1]["acting_input_tokens"] == 2**62
    assert found[2]["turns"] == SOME[2]["turns"]
    assert (count(run, "episodes"), count(run, "calls")) == (3, 2)


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    episodes = [{"t": t, "answer": f"{t} " * 40} for t in range(5000)]
    folder = packed(logs(tmp_path, episodes, []))
    assert [row["t"] for row in rows(folder, "episodes")] == list(range(5000))
    assert rows(folder, "calls") == []


def test_a_table_is_sent_as_parquet_with_the_types_of_the_ledger(run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.iterdir()}
    for name, schema in SCHEMAS.items():
        found = pq.read_table(pa.BufferReader(as_parquet(run, name)))
        assert found.column_names == list(schema)
        assert found.num_rows == count(run, name)
        kinds = {column: str(found.schema.field(column).type) for column, kind in schema.items() if kind == "BIGINT"}
        assert set(kinds.values()) == {"int64"}
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_names_are_changed_throughout_and_nothing_else_is(run: Path, form: str) -> None:
    before, calls = rows(run, "episodes"), rows(run, "calls")
    relabel(run, "episodes", {"arm": "é", "order": "given"})
    assert rows(run, "episodes") == [{**row, "arm": "é", "order": "given"} for row in before]
    assert rows(run, "calls") == calls
    assert sorted(path.name for path in run.iterdir()) == TABLES[form]


def test_another_name_of_a_file_keeps_what_it_held(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs that are reused are links: a study that renames its arm leaves the other's as it is."""
    other = tmp_path_factory.mktemp("other")
    file = table(run, "episodes")
    (other / file.name).hardlink_to(file)
    relabel(run, "episodes", {"arm": "b"})
    assert {row["arm"] for row in rows(run, "episodes")} == {"b"}
    assert {row["arm"] for row in rows(other, "episodes")} == {"a"}


@pytest.mark.parametrize("read", [rows, count, as_parquet, lambda run, name: relabel(run, name, {"run": "x"})])
def test_a_table_that_is_not_there_names_the_folder(run: Path, read: Any) -> None:
    table(run, "calls").unlink()
    with pytest.raises(LedgerError) as told:
        read(run, "calls")
    assert str(told.value) == f"{run} has no calls, but its run is finished: move it away"


def test_a_line_that_is_no_row_is_damage(tmp_path: Path) -> None:
    log = logs(tmp_path, SOME, []) / "episodes.jsonl"
    log.write_bytes(log.read_bytes() + b"5\n")
    with pytest.raises(LedgerError, match=rf"episodes\.jsonl line {len(SOME) + 1} is damaged"):
        rows(tmp_path, "episodes")


@pytest.mark.parametrize("read", [rows, count, as_parquet, lambda run, name: relabel(run, name, {"arm": "x"})])
@pytest.mark.parametrize(("place", "named"), [(2, "line 2"), (3, "line 3")])
def test_damage_in_a_log_names_its_file(tmp_path: Path, read: Any, place: int, named: str) -> None:
    """The last line of a run that is finished is whole, as every other."""
    log = logs(tmp_path, SOME, []) / "episodes.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[place - 1] = lines[place - 1][:20] + b"\n" * (place < 3)
    log.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=rf"episodes\.jsonl {named} is damaged"):
        read(tmp_path, "episodes")
    assert log.read_bytes() == b"".join(lines)
    assert tables(tmp_path) == TABLES["logs"]


@pytest.mark.parametrize("read", [rows, count])
@pytest.mark.parametrize("body", [b"", b"PAR1 no", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_that_is_no_parquet_is_named(tmp_path: Path, read: Any, body: bytes) -> None:
    file = table(packed(logs(tmp_path, SOME, [])), "episodes")
    file.write_bytes(body)
    with pytest.raises(LedgerError) as told:
        read(tmp_path, "episodes")
    assert str(told.value).startswith(f"{file} cannot be read")


def test_damage_within_parquet_names_its_file(tmp_path: Path) -> None:
    """Its end is whole, so that it can be opened."""
    file = table(packed(logs(tmp_path, [{"answer": f"{n}" * 50} for n in range(500)], [])), "episodes")
    body = file.read_bytes()
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    place = columns["answer"].data_page_offset
    file.write_bytes(body[:place] + b"\xff" * 200 + body[place + 200 :])
    with pytest.raises(LedgerError) as told:
        rows(tmp_path, "episodes")
    assert str(told.value).startswith(f"{file} cannot be read")


@pytest.mark.parametrize("failing", list(SCHEMAS))
@pytest.mark.parametrize(
    ("told", "number"), [("No space left on device", errno.ENOSPC), ("the cable is loose", errno.EIO)]
)
def test_packing_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, told: str, number: int
) -> None:
    """Neither of the table that failed nor of the one before it."""

    def query(files: list[str], schema: dict[str, str]) -> str:
        return f"SELECT error('{told}')" if schema is SCHEMAS[failing] else from_lines(files, schema)

    folder = logs(tmp_path, SOME, [{"t": 0}])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("toolkit.ledger.tables.from_lines", query)
    with pytest.raises(OSError, match=told) as met:
        pack(folder)
    monkeypatch.undo()
    assert met.value.errno == number
    assert isinstance(met.value.__cause__, duckdb.Error)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    read = rows(folder, "episodes")
    assert rows(packed(folder), "episodes") == read


def test_a_log_that_cannot_be_read_leaves_nothing_of_its_parquet(tmp_path: Path) -> None:
    folder = logs(tmp_path, SOME, [])
    (folder / "calls.jsonl").unlink()
    with pytest.raises(OSError, match=r"calls\.jsonl"):
        pack(folder)
    assert [path.name for path in folder.iterdir()] == ["episodes.jsonl"]


def test_infinite_and_missing_numbers_never_reach_a_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        logs(tmp_path, [{"score": math.nan}], [])
