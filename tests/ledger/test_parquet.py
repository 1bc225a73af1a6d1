"""What Arrow writes is what DuckDB reads from the log itself, column by column."""

from __future__ import annotations

import json
from pathlib import Path

import columns
import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.ledger.log import read_log
from toolkit.ledger.parquet import write_parquet
from toolkit.ledger.rows import SCHEMAS, line, whole
from toolkit.ledger.views import from_lines, quoted


@pytest.mark.parametrize("name", list(SCHEMAS))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_log_and_its_parquet_hold_the_same(tmp_path: Path, name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    rows = data.draw(columns.rows(schema, st.text(max_size=20)))
    log, file = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.parquet"
    log.write_bytes(b"".join(line(one) for one in rows))
    write_parquet(read_log(log), file, schema)
    with duckdb.connect() as con:
        read = con.execute(f"SELECT * FROM read_parquet('{quoted(file)}')")
        shape, found = read.description, read.fetchall()
        live = con.execute(from_lines([str(log)], schema))
        assert [column[:2] for column in shape] == [column[:2] for column in live.description]
        assert found == live.fetchall()


def test_more_rows_than_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.ledger.parquet._BATCH", 3)
    write_parquet(({"n": n} for n in range(10)), tmp_path / "x.parquet", {"n": "BIGINT"})
    assert duckdb.sql(f"SELECT list(n ORDER BY n) FROM '{quoted(tmp_path / 'x.parquet')}'").fetchall() == [
        (list(range(10)),)
    ]


def test_what_is_no_text_is_written_as_text(tmp_path: Path) -> None:
    row = {"a": 7, "m": {"k": 1.5, "n": None}}
    write_parquet([row], tmp_path / "x.parquet", {"a": "VARCHAR", "m": "MAP(VARCHAR, VARCHAR)"})
    found = duckdb.sql(f"SELECT a, m['k'], m['n'] FROM '{quoted(tmp_path / 'x.parquet')}'").fetchall()
    assert found == [("7", "1.5", None)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("\ud83d", "\ufffd"), ("a\udc00b", "a\ufffdb"), ("😀", "😀"), ("\\ud83d", "\\ud83d"), ("é", "é")],
)
def test_half_a_character_does_not_lose_a_row(text: str, kept: str) -> None:
    assert json.loads(line({"x": text})) == {"x": kept}
    assert json.loads(whole(json.dumps(text))) == kept
