"""A learned block that never changes: saved as JSON, read again, refused with the reason, and given to an arm."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from errands import finish, prompts
from hypothesis import given
from hypothesis import strategies as st
from switching import BLOCKS, Switching

import toolkit as tk
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.records import Example, Learned

Make = Callable[..., Study]
texts = st.text(max_size=40) | st.text(st.sampled_from('a\ud83d\u202e\x00"\\\n{}'), max_size=8)
examples = st.builds(Example, st.dictionaries(texts, texts, min_size=1, max_size=3), texts)
steps = st.none() | st.dictionaries(texts, texts, min_size=1, max_size=2)
programs = st.none() | st.dictionaries(texts, texts, max_size=2).map(json.dumps)
blocks = st.builds(Learned, texts, st.lists(examples, max_size=4).map(tuple), texts, steps, programs)


@given(blocks, st.dictionaries(texts, texts, max_size=2))
def test_whatever_was_learned_comes_back_from_json(block: Learned, origin: dict[str, str]) -> None:
    made = tk.Given.of(block)
    text = made.to_json(origin)
    text.encode("utf-8")
    again = tk.Given.from_json(text)
    assert (again, again.fingerprint()) == (made, made.fingerprint())
    found = again.learned()
    assert (found.instruction, found.notes) == (block.instruction, block.notes)
    assert (found.steps, found.program) == (block.steps, block.program)
    assert [(e.inputs, e.answer) for e in found.examples] == [(e.inputs, e.answer) for e in block.examples]
    assert json.loads(text).get("from", {}) == origin


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts, lambda one: st.lists(one) | st.dictionaries(texts, one)
    )
)
def test_whatever_json_says_it_is_read_or_refused(table: object) -> None:
    for wrong in (table, {"learned": 1, "examples": table}, {"learned": 1, "notes": table}):
        with suppress(tk.SpecError):
            tk.Given.from_json(json.dumps(wrong)).learned()


WRONG = [
    ('{"learned": 1, "steps": {"reason": 1}}', "Given.steps must be a table of texts but is {'reason': 1}"),
    ('{"learned": 1, "program": "[]"}', "Given.program must be a JSON object but is '[]'"),
    ("{", "no JSON"),
    ("[" * 100_000, "no JSON"),
    ("[]", "must be an object with learned, instruction, notes, examples, steps, program but is []"),
    ('{"learned": 2}', "'learned' must be 1, the version of this form, but is 2"),
    ('{"learned": true}', "but is True"),
    ('{"learned": 1, "instructions": ""}', "no key 'instructions'; did you mean 'instruction'?"),
    ('{"learned": 1, "notes": 5}', "Given.notes must be a text but is 5"),
    ('{"learned": 1, "examples": {}}', "'examples' must be a list but is {}"),
    ('{"learned": 1, "examples": [{"inputs": {"a": 1}, "answer": "b"}]}', "number 1: 'inputs' must hold texts but"),
    ('{"learned": 1, "examples": [{"inputs": {}, "answer": "b"}]}', "'inputs' must be a table of texts but is {}"),
    ('{"learned": 1, "examples": [{"inputs": {"a": "b"}}]}', "'answer' must be a text but is None"),
    ('{"learned": 1, "examples": [{"inputs": {"a": "b"}, "answer": "", "x": 1}]}', "has no key 'x'"),
    (
        json.dumps({"learned": 1, "notes": "x" * 1_000_001}),
        "may have 1,000,000 characters in all but has 1,000,001",
    ),
    (" " * 2_000_001, "may have 2,000,000 characters but has 2,000,001"),
]


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[told for _, told in WRONG])
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(tk.SpecError) as found:
        tk.Given.load(path)
    assert told in str(found.value)


def test_a_file_that_is_not_there_or_much_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tk.SpecError, match="cannot be read"):
        tk.Given.load(tmp_path / "none.json")
    with open(tmp_path / "large.json", "wb") as file:
        file.truncate(9_000_000)
    with pytest.raises(tk.SpecError, match="8,000,000 bytes"):
        tk.Given.load(tmp_path / "large.json")


def test_an_arm_given_what_another_learned_is_asked_with_it_and_has_no_labels(study: Make, tmp_path: Path) -> None:
    teacher = finish(
        study(tk.Arm("switching", learning=Switching()), tk.Arm("demo", learning=tk.DemoBuffer(3)), seeds=1)
    )
    last = tk.learned(teacher, "switching")
    assert last == tk.Given.of(BLOCKS[3])
    assert tk.learned(teacher.name, "switching", version=2, ledger=teacher.ledger) == tk.Given.of(BLOCKS[2])
    demo = tk.learned(teacher, "demo")
    shown = prompts(teacher, "demo")[-1]
    assert len(demo.examples) == 3
    assert all(json.dumps(text)[1:-1] in shown for one in demo.learned().examples for text in one.inputs.values())
    saved = tk.Given.load(demo.save(tmp_path / "demo.json", {"study": teacher.name}))
    arms = (
        tk.Arm.static(),
        tk.Arm("given", learning=saved),
        tk.Arm("told", learning=tk.Given("Heed it.", notes="Note.")),
    )
    taught = study(*arms, seeds=1, name="taught")
    again = tk.load(tk.save(taught, tmp_path / "study.toml"))
    assert [one.learning for one in again.arms] == [one.learning for one in taught.arms]
    finish(taught)
    frame = taught.episodes()
    assert frame.labels.sum() == 0
    assert all("Heed it." in text and "Note." in text for text in prompts(taught, "told"))
    first = prompts(taught, "given")[0]
    assert all(json.dumps(text)[1:-1] in first for one in saved.learned().examples for text in one.inputs.values())


def test_a_run_that_has_not_begun_or_is_none_is_said(study: Make) -> None:
    made = study(tk.Arm("switching", learning=Switching()), seeds=1)
    with pytest.raises(LedgerError, match="recorded no task yet"):
        tk.learned(made, "switching")
    with pytest.raises(tk.SpecError, match="did you mean 'switching'"):
        tk.learned(made, "switchin")
    with pytest.raises(tk.SpecError, match="its seeds are 0"):
        tk.learned(made, "switching", seed=4)
