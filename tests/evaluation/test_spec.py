"""study.toml: what it says is what runs, and every mistake is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import SpecError
from toolkit.evaluation.spec import load
from toolkit.traits.memory import Retrieval, Shuffled

GOOD = """
[study]
name = "good"
lm = { use = "Scripted", p = 0.2 }
seeds = 3
scorers = ["exact", "normalised"]

[stream]
use = "Desk"
tasks = 12

[channel]
use = "OneBit"

[[arms]]
name = "static"

[[arms]]
name = "sham"
memory = { use = "Shuffled", of = { use = "Retrieval", k = 2 } }
role = "service-desk"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as found:
        load(write(folder, text), ledger=folder / "ledger")
    return list(found.value.mistakes)


def test_a_file_says_everything(tmp_path: Path) -> None:
    study = load(write(tmp_path, GOOD), ledger=tmp_path / "ledger")
    assert [arm.name for arm in study.arms] == ["static", "sham"]
    assert study.arms[1].memory == Shuffled(Retrieval(k=2))
    assert study.arms[1].on == ("role", "memory")
    assert study.seeds == (0, 1, 2)
    assert study.baseline == "static"
    assert [scorer.name for scorer in study.scorers] == ["exact", "normalised"]


def test_what_a_study_writes_is_the_same_study(tmp_path: Path) -> None:
    import tomli_w

    study = load(write(tmp_path, GOOD), ledger=tmp_path / "ledger")
    again = load(write(tmp_path, tomli_w.dumps(study.config())), ledger=tmp_path / "ledger")
    assert again.config() == study.config()
    assert [run.id for run in again.runs] == [run.id for run in study.runs]


def test_the_command_line_changes_what_it_names(tmp_path: Path) -> None:
    study = load(write(tmp_path, GOOD), lm="scripted", seeds=2, tasks=5, name="other", ledger=tmp_path)
    assert (len(study.seeds), len(study.stream.pairs()), study.name, study.lm.p) == (2, 5, "other", 0.3)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("seeds = 3", 'seeds = "many"\nsedes = 1').replace('"Desk"', '"Desc"')
    text = text.replace("k = 2", "kk = 2").replace('"OneBit"', '"OneBite"').replace("p = 0.2", "q = 0.2")
    text = text.replace('role = "service-desk"', 'role = "service"\nmemroy = "Retrieval"') + "\n[strem]\n"
    told = "\n".join(mistakes(tmp_path, text))
    for expected in (
        "no table is called [strem]; did you mean 'stream'",
        "seeds must be int or list but is 'many'",
        "no key 'sedes'; did you mean 'seeds'",
        "no stream is called 'Desc'; did you mean 'Desk'",
        "Retrieval has no parameter 'kk'; did you mean 'k'",
        "no channel is called 'OneBite'; did you mean 'OneBit'",
        "Scripted has no parameter 'q'",
        "no role is called 'service'; did you mean 'service-desk'",
        "an arm has no key 'memroy'; did you mean 'memory'",
    ):
        assert expected in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('name = "static"', 'name = "sham"'), "two arms are called 'sham'"),
        (("seeds = 3", "seeds = 0"), "seeds must be a number of at least 1"),
        (("seeds = 3", "seeds = [1, 1]"), "seeds must differ"),
        (("seeds = 3", 'baseline = "satic"'), "the baseline 'satic' is no arm; did you mean 'static'"),
        (("seeds = 3", 'order = "sorted"'), "order must be one of shuffled, given, by-session, easy-first, hard-first"),
        (("seeds = 3", 'deciding = "luck"'), "cannot decide by 'luck'"),
        (('"good"', '"a b"'), "a study's name must be"),
        (("tasks = 12", "tasks = 0"), "tasks"),
        (('"exact", ', '"exct", '), "exct"),
        (("[[arms]]", "[[arms]]\nfine = 1", 1), "an arm has no key 'fine'"),
        (("tasks = 12", "tasks = 12\n["), "is no valid TOML"),
        (("tasks = 12", f"tasks = {'9' * 5000}"), "is no valid TOML"),
        (("tasks = 12", f"tasks = {'[' * 50_000}"), "is no valid TOML"),
        (("tasks = 12", f"tasks = {10**18}"), "tasks"),
        (("p = 0.2", "p = 0.2, adapter = 3"), "adapter"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, change: tuple, told: str) -> None:
    old, new, *count = change
    assert told in "\n".join(mistakes(tmp_path, GOOD.replace(old, new, *count)))


def test_equal_arms_are_refused_with_the_way_out(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD + '\n[[arms]]\nname = "twin"\n')
    assert any("'static' and 'twin' do the same; for an A/A test give one repeat = 1" in one for one in told)


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no such file; give a study\.toml, or a folder"):
        load(tmp_path / "nothing")


OWN = """
from toolkit import Channel, Feedback, MemoryPolicy, Recall

class Diary(MemoryPolicy):
    def __init__(self, lines: int = 2):
        self.lines = lines
    def reset(self, rng, think):
        self.kept = []
    def observe(self, experience):
        self.kept.append(experience)
    def recall(self, task):
        return Recall(tuple(e.example(e.answer) for e in self.kept[-self.lines:]))
"""


def test_components_of_ones_own_are_imported_copied_and_fingerprinted(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    text = GOOD.replace("seeds = 3", 'seeds = 1\ncode = ["own.py"]').replace(
        'memory = { use = "Shuffled", of = { use = "Retrieval", k = 2 } }', 'memory = { use = "Diary", lines = 3 }'
    )
    study = load(write(tmp_path, text), ledger=tmp_path / "ledger")
    before = [run.id for run in study.runs]
    assert {record.status for record in study.run()} == {"finished"}
    assert (study.folder / "code" / "own.py").read_text() == OWN
    (tmp_path / "own.py").write_text(OWN.replace("self.kept.append", "self.kept.append  "), encoding="utf-8")
    after = [run.id for run in load(tmp_path, ledger=tmp_path / "ledger").runs]
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ("memory = { use = 'Retrieval', k = 0 }", "Retrieval.k must be an integer of at least 1 but is 0"),
        ("memory = { use = 'Retrieval', k = 'four' }", "Retrieval.k must be int but is 'four'"),
        ("memory = { use = 'Retrieval', k = true }", "Retrieval.k must be int but is True"),
        ("memory = { use = 'Retrieval', store = 'some' }", "must be one of 'all', 'correct', 'feedback' but is 'some'"),
        ("memory = { use = 'Shuffled', of = 'Retrieval' }", "must be MemoryPolicy but is 'Retrieval'"),
        ("memory = { use = 'Shuffled', of = { use = 'Retrieval', k = -1 } }", "at least 1 but is -1"),
        ("memory = { use = 'Shuffled' }", "Shuffled needs a value for 'of'"),
        ("memory = { k = 4 }", "the key 'use' is missing"),
        ("learning = { use = 'DemoBuffer', size = 1.5 }", "DemoBuffer.size must be int but is 1.5"),
        ("lm = 'gpt'", "no model is called 'gpt'"),
        ("repeat = -1", "repeat must be an integer of at least 0"),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(tmp_path: Path, arm: str, told: str) -> None:
    found = mistakes(tmp_path, GOOD + f"\n[[arms]]\nname = 'odd'\n{arm}\n")
    assert any(told in one and "odd" in one for one in found), found


def test_code_is_checked_like_a_file(tmp_path: Path) -> None:
    from toolkit.agents.arm import Arm
    from toolkit.evaluation.study import Study
    from toolkit.streams.desk import Desk

    with pytest.raises(SpecError, match=r"arm 'm': Retrieval\.k must be an integer of at least 1 but is 0"):
        Study("s", Desk(), arms=[Arm("m", memory=Retrieval(k=0))], lm="scripted", ledger=tmp_path)
