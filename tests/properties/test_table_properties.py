"""Any table is read back exactly, whatever its texts, in every format."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.streams.table import Table

# no NUL and no half characters, which are refused, and something to see
LETTERS = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")
CELLS = st.text(LETTERS, max_size=30).filter(str.strip) | st.sampled_from(
    ["NA", "007", "1.0", "null", '"', '""', ",", "a\r\nb", "\rx", "a\n", "'", "\ufeff", "\u2028a", " a ", "{}", "[1]"]
)
ROWS = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8)
UNTIMED = settings(deadline=None)  # files, on machines under load
HEADER = ("text", "label")


def as_csv(rows, **dialect) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows([HEADER, *rows])
    return file.getvalue().encode()


def as_parquet(rows) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [row[place] for row in rows] for place, name in enumerate(HEADER)}), sink)
    return sink.getvalue().to_pybytes()


def as_jsonl(rows, **style) -> bytes:
    return "\n".join(json.dumps(dict(zip(HEADER, row, strict=True)), **style) for row in rows).encode()


FORMATS = {
    "plain.csv": as_csv,
    "quoted.csv": lambda rows: as_csv(rows, quoting=csv.QUOTE_ALL, lineterminator="\n"),
    "bom.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "tabs.tsv": lambda rows: as_csv(rows, delimiter="\t"),
    "ascii.jsonl": as_jsonl,
    "plain.jsonl": lambda rows: as_jsonl(rows, ensure_ascii=False),
    "data.parquet": as_parquet,
}


def read(name: str, content: bytes, **given_parameters):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return Table(str(path), inputs="text", answer="label", **given_parameters).pairs()


def attempt(name: str, content: bytes) -> tuple[tuple, tuple[str, ...]]:
    """What is read, or the mistakes that are told."""
    try:
        return read(name, content), ()
    except SpecError as error:
        return (), error.mistakes


@pytest.mark.parametrize("name", FORMATS)
@UNTIMED
@given(rows=ROWS)
def test_any_table_is_read_back_exactly(name, rows):
    found = read(name, FORMATS[name](rows))
    assert [(task.inputs["text"], *key.answers) for task, key in found] == rows


@pytest.mark.parametrize("name", FORMATS)
@UNTIMED
@given(rows=ROWS)
def test_the_answers_of_any_table_can_be_its_options(name, rows):
    answers = sorted({label for _, label in rows})
    if len(answers) < 2:
        with pytest.raises(SpecError, match="at least two options"):
            read(name, FORMATS[name](rows), options="answers")
    else:
        assert {task.options for task, _ in read(name, FORMATS[name](rows), options="answers")} == {tuple(answers)}


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.parquet"])
@UNTIMED
@given(content=st.binary(max_size=200) | st.text('ab,"\n\r\t{}[]:\\0text,label', max_size=60).map(str.encode))
def test_any_bytes_are_a_table_or_one_clear_error(name, content):
    for head in (b"", b"text,label\n"):
        found, mistakes = attempt(name, head + content)
        assert bool(found) != bool(mistakes)
        assert all("d." in mistake for mistake in mistakes)


@UNTIMED
@given(rows=ROWS, place=st.integers(0, 7), name=st.sampled_from(["plain.csv", "plain.jsonl", "data.parquet"]))
def test_an_empty_answer_is_found_wherever_it_stands(rows, place, name):
    place = min(place, len(rows) - 1)
    broken = [(text, "" if n == place else label) for n, (text, label) in enumerate(rows)]
    with pytest.raises(SpecError) as caught:
        read(name, FORMATS[name](broken))
    (mistake,) = caught.value.mistakes
    assert "column 'label': the answer is empty" in mistake
    if name != "plain.csv":
        assert f" {place + 1}," in mistake


@UNTIMED
@given(count=st.integers(1, 30), tasks=st.integers(1, 30), draw=st.integers(0, 5), groups=st.integers(1, 6))
def test_a_subset_and_its_pool_are_the_table(count, tasks, draw, groups):
    rows = [{"text": "q", "label": "a", "talk": f"s{n % groups}"} for n in range(count)]
    content = "\n".join(map(json.dumps, rows)).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "d.jsonl")
        path.write_bytes(content)
        stream = Table(str(path), inputs="text", answer="label", session="talk", tasks=min(tasks, count), draw=draw)
        taken, rest = [[int(task.id) for task, _ in part] for part in (stream.pairs(), stream.pool())]
        cut = {task.session for task, _ in stream.pairs()} & {task.session for task, _ in stream.pool()}
    assert taken == sorted(taken)
    assert rest == sorted(rest)
    assert sorted(taken + rest) == list(range(1, count + 1))
    assert len(taken) == min(tasks, count)
    assert len(cut) <= 1
