"""Memories as a file: what is written is read, to the letter; a damaged line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.records import Memory
from toolkit.traits.memory.exchange import export_memories, read_memories
from toolkit.traits.memory.store import Store

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=20) | st.sampled_from(
    ["", " ", "😀", "\ud800", "\x00\x1b[0m", "\u2028\u202e", "\r\n", '"}\n{"id": "x"}', "<|im_end|>"]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MEMORIES = st.builds(
    Memory,
    id=TEXTS,
    text=TEXTS,
    kind=TEXTS,
    fields=st.dictionaries(TEXTS, TEXTS, max_size=3),
    answer=TEXTS,
    known=st.booleans(),
    user=TEXTS,
    session=TEXTS,
    time=NUMBERS,
    sources=st.lists(TEXTS, max_size=3).map(tuple),
    links=st.lists(TEXTS, max_size=3).map(tuple),
    importance=NUMBERS,
    until=st.none() | NUMBERS,
    feedback=st.none() | TEXTS,
)


@given(st.lists(MEMORIES, max_size=5, unique_by=lambda one: one.id))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, memories: list[Memory]) -> None:
    path = tmp_path_factory.mktemp("x") / "m.jsonl"
    assert export_memories(path, memories) == len(memories)
    assert list(read_memories(path)) == memories
    assert [one.name for one in path.parent.iterdir()] == ["m.jsonl"]


def test_a_megabyte_is_one_line(tmp_path: Path) -> None:
    one = Memory("big", "nul \x00 😀\n" * 100_000)
    export_memories(tmp_path / "m.jsonl", [one])
    assert read_memories(tmp_path / "m.jsonl") == (one,)


def test_a_number_that_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    export_memories(path, [Memory("a", "old")])
    with pytest.raises(ValueError, match="memory 'b': numbers must be finite"):
        export_memories(path, [Memory("a", "new"), Memory("b", "x", time=float("inf"))])
    assert read_memories(path) == (Memory("a", "old"),)
    assert [one.name for one in tmp_path.iterdir()] == ["m.jsonl"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"id": "b", "te', "must be one memory as a JSON object: Unterminated string"),
        (b'{"id": "b", "text": "\xff"}', "can't decode byte 0xff"),
        (b"[" * 100_000, "must be one memory"),
        (b"[1]", "it is list"),
        (b'{"id": "b"}', "it needs a value for 'text'"),
        (b'{"id": "b", "text": 3}', "text must be a text but is 3"),
        (b'{"id": "b", "text": "x", "txet": "y"}', "no field 'txet'; did you mean 'text'"),
        (b'{"id": "b", "text": "x", "known": 1}', "known must be true or false but is 1"),
        (b'{"id": "b", "text": "x", "time": NaN}', "time must be a finite number but is nan"),
        (b'{"id": "b", "text": "x", "links": "y"}', "links must be a list of texts"),
        (b'{"id": "b", "text": "x", "fields": {"a": 1}}', "fields must map names to texts"),
        (b'{"id": "a", "text": "x"}', "ids must differ but 'a' stands in line 1 too"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, told: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n\n' + line + b"\n" + b'{"id": "c", "text": "x"}\n')
    with pytest.raises(SpecError) as found:
        read_memories(path)
    assert len(found.value.mistakes) == 1
    assert "line 3" in str(found.value)
    assert told in str(found.value)
    assert "take" in str(found.value)


def test_a_file_full_of_damage_is_told_shortly(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text("x\n" * 30)
    with pytest.raises(SpecError) as found:
        read_memories(tmp_path / "m.jsonl")
    assert len(found.value.mistakes) == 11
    assert "and 20 more" in found.value.mistakes[-1]


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_memories(tmp_path / "none.jsonl")


def test_a_line_by_hand_fills_a_store(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"id": "a", "text": "the lamp", "user": "mara"}))
    store = Store()
    store.fill(read_memories(tmp_path / "m.jsonl"))
    export_memories(tmp_path / "n.jsonl", store)
    assert read_memories(tmp_path / "n.jsonl") == (Memory("a", "the lamp", user="mara"),)
