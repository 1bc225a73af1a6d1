"""BANKING77: on a handmade folder of the same shape, and on the real files where they are."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from toolkit.errors import SpecError
from toolkit.streams.benchmarks import Banking77, benchmark

REAL = Path(__file__).parents[2].parent / "shared/data/banking77"
INTENTS = ["card_arrival", "top_up", "Refund_missing", "exchange_rate", "pin"]


@pytest.fixture
def folder(tmp_path):
    for name, count in (("train.csv", 20), ("test.csv", 8)):
        rows = [f'"{name[:5]} {intent}, {n}",{intent}' for intent in INTENTS for n in range(count)]
        (tmp_path / name).write_text("\n".join(["text,category", *rows, ""]))
    (tmp_path / "categories.json").write_text(json.dumps(INTENTS))
    return tmp_path


def ids(pairs) -> list[str]:
    return [task.id for task, _ in pairs]


def test_tasks_are_drawn_from_the_test_file_and_the_pool_from_the_other(folder):
    stream = Banking77(str(folder), options=3, tasks=20, delay=4)
    pairs, pool = stream.pairs(), stream.pool()
    options = pairs[0][0].options
    assert len(pairs) == 20
    assert len(pool) == 60
    assert len(options) == 3
    assert list(options) == sorted(options)
    for task, key in [*pairs, *pool]:
        assert set(task.inputs) == {"query"}
        assert task.options == options
        assert key.answers[0] in options
        assert "_" not in key.answers[0]
        assert key.delay == 4
        written = task.inputs["query"].split(" ", 1)[1].split(",")[0]
        assert written.replace("_", " ") == key.answers[0]
    assert all(task.inputs["query"].startswith("test.") for task, _ in pairs)
    assert all(task.inputs["query"].startswith("train") for task, _ in pool)
    assert (stream.step.inputs, stream.step.output, stream.licence) == (("query",), "intent", "CC BY 4.0")


def test_the_drawing_is_seeded_shuffled_and_nested(folder):
    long, again, other = (Banking77(str(folder), options=4, tasks=30, draw=draw) for draw in (0, 0, 1))
    assert ids(long.pairs()) == ids(again.pairs()) != ids(other.pairs())
    assert ids(long.pool()) == ids(again.pool()) != ids(other.pool())
    assert ids(Banking77(str(folder), options=4, tasks=9).pairs()) == ids(long.pairs())[:9]
    answers = [key.answers[0] for _, key in long.pairs()]
    assert sum(a != b for a, b in itertools.pairwise(answers)) > 10
    assert ids(Banking77(str(folder), 5, 40).pairs()) != ids(Banking77(str(folder), 5, 40, draw=1).pairs())
    chosen = {Banking77(str(folder), options=2, tasks=1, draw=draw).pairs()[0][0].options for draw in range(20)}
    assert len(chosen) > 3


def test_a_question_of_a_task_is_not_in_the_pool(folder):
    with (folder / "train.csv").open("a") as file:
        file.write('"TEST. pin, 3",pin\n')
    stream = Banking77(str(folder), options=5, tasks=40)
    assert len(stream.pool()) == 100
    asked, pool = ({task.text.casefold() for task, _ in part} for part in (stream.pairs(), stream.pool()))
    assert "test. pin, 3" in asked
    assert not asked & pool


def test_the_pool_is_capped(folder, monkeypatch):
    full = Banking77(str(folder), options=5, tasks=40).pool()
    monkeypatch.setattr(Banking77, "largest_pool", 7)
    assert Banking77(str(folder), options=5, tasks=40).pool() == full[:7]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"options": 3, "tasks": 25}, "tasks must be at most 24.* but is 25"),
        ({"options": 1}, "options must be at least 2 but is 1"),
        ({"options": 6}, "options must be from 2 to 5 intents but is 6"),
        ({"tasks": 0}, "tasks must be at least 1 but is 0"),
        ({"draw": -1}, "draw must be at least 0 but is -1"),
        ({"delay": -1}, "delay must be at least 0 but is -1"),
    ],
)
def test_more_than_there_is(folder, given, said):
    with pytest.raises(SpecError, match=said):
        Banking77(str(folder), **({"options": 3, "tasks": 5} | given)).pairs()


@pytest.mark.parametrize("name", ["train.csv", "test.csv", "categories.json"])
def test_a_missing_file_is_named_with_the_way_out(folder, name):
    (folder / name).unlink()
    with pytest.raises(SpecError, match=rf"{name}: there is no such file; .*banking_data of .*PolyAI-LDN") as caught:
        Banking77(str(folder), options=3, tasks=5).pairs()
    assert len(caught.value.mistakes) == 1


def test_a_missing_folder(tmp_path):
    with pytest.raises(SpecError, match=r"train.csv: there is no such folder"):
        Banking77(str(tmp_path / "nowhere")).pairs()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "cannot be read"),
        ('{"a": 1}', "must be a JSON list"),
        ('["one"]', "at least two"),
        ('["a_b", "a b", "c"]', "must differ as words .* a_b, a b"),
        ('["a", "a", "b"]', "must differ"),
    ],
)
def test_a_broken_list_of_intents(folder, content, said):
    (folder / "categories.json").write_text(content)
    with pytest.raises(SpecError, match=f"categories.json.*{said}"):
        Banking77(str(folder), options=2, tasks=2).pairs()


def test_a_broken_row_is_named_as_in_any_table(folder):
    with (folder / "test.csv").open("a") as file:
        file.write("what?,nonsense\n")
    with pytest.raises(SpecError, match=r"test.csv line 42, column 'category': the answer 'nonsense' is not among"):
        Banking77(str(folder), options=3, tasks=5).pairs()


def test_a_benchmark_is_found_by_name(folder):
    made = benchmark("banking77", path=str(folder), options=3, tasks=5)
    assert made == Banking77(str(folder), 3, 5) == Banking77.from_config(made.config())


def test_unknown_names_and_parameters_give_the_nearest():
    with pytest.raises(SpecError, match="no benchmark is called 'bankng77'; did you mean 'banking77'"):
        benchmark("bankng77")
    with pytest.raises(SpecError, match="no parameter 'option'; did you mean 'options'") as caught:
        benchmark("banking77", option=3)
    assert "needs a value for 'path'" in str(caught.value)


@pytest.mark.skipif(not REAL.is_dir(), reason="BANKING77 is not beside this repository (../shared/data/banking77)")
def test_the_real_files():
    stream = Banking77(str(REAL))
    pairs, pool = stream.pairs(), stream.pool()
    assert len(pairs) == 150
    assert len(pairs[0][0].options) == 20
    assert 1000 < len(pool) <= 2000
    assert {key.answers[0] for _, key in pairs} <= set(pairs[0][0].options)
    every = Banking77(str(REAL), options=77, tasks=3080)
    assert len(every.pairs()) == 3080
    assert len(every.pairs()[0][0].options) == 77
    assert len(every.pool()) == 2000
    assert not set(ids(every.pairs())) & set(ids(every.pool()))
    with pytest.raises(SpecError, match="at most 3080"):
        Banking77(str(REAL), options=77, tasks=3081).pairs()
