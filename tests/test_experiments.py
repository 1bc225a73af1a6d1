"""What READMEs of experiments claim is what the tapes beside them hold."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from toolkit.agents.arm import Arm
from toolkit.component import read_toml
from toolkit.errors import ToolkitError
from toolkit.evaluation.pack import replay_archive
from toolkit.lm.model import model

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
SMALL = 1_500_000  # bytes of a tape that is replayed each time; larger ones are left to "make validate"
STREAMBENCH = ("banking77", "banking77-qwen", "banking77-qwen-1.5b")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"experiment_{name}", EXPERIMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where its records look their types up
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return script("tables")


@pytest.fixture(scope="module")
def findings() -> ModuleType:
    return script("findings")


@pytest.mark.parametrize(
    ("experiment", "number", "figure"),
    [
        ("first-study", 2, "0.440"),
        ("memory", 8, "0.407"),
        ("learning", 6, "0.198"),
        ("goals", 4, "0.185"),
        ("roles", 10, "0.975"),
        ("streambench-style", 8, "-0.542"),
        ("four-traits", 3, "0.196"),
        ("banking77", 4, "0.642"),
    ],
)
def test_the_tables_of_an_experiment_are_those_of_its_tapes(
    tables: ModuleType, experiment: str, number: int, figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = EXPERIMENTS / experiment
    text = (folder / "README.md").read_text(encoding="utf-8")
    made = list(tables.tables(folder, text))
    assert len(made) == number
    monkeypatch.setattr(tables, "tables", lambda folder, text: made)  # once is enough: what a tape has is settled
    assert tables.filled(folder, text) == text
    assert tables.filled(folder, text.replace(figure, "0.999")) == text, "a figure that nobody ran would be found"
    drawn = dict(tables.figures(folder, text))
    assert drawn
    assert [str(file) for file, made in drawn.items() if file.read_bytes() != made] == []


def test_the_tables_on_injections_are_those_of_its_answers() -> None:
    run = script("injection/run")
    text = (EXPERIMENTS / "injection" / "README.md").read_text(encoding="utf-8")
    rows = run.read(EXPERIMENTS / "injection" / "answers.jsonl")
    assert set(rows.model) == {"smollm2-135m", "qwen2.5-coder-0.5b"}
    assert run.filled(rows, text) == text
    assert run.filled(rows, text.replace("| pasted |", "| posted |")) == text, "a figure that nobody ran would be found"


def tapes() -> list[object]:
    found = sorted(EXPERIMENTS.rglob("tape.zip"))
    marks = {tape: [pytest.mark.validate] if tape.stat().st_size > SMALL else [] for tape in found}
    return [pytest.param(tape, id=tape.parent.relative_to(EXPERIMENTS).as_posix(), marks=marks[tape]) for tape in found]


@pytest.mark.parametrize("tape", tapes())
def test_a_tape_replays_to_the_bit_without_any_model(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    done = replay_archive(tape, trust_code=True)  # code of one's own is that of this repository
    assert done.identical, done
    assert done.episodes > 0


def test_findings_are_those_of_the_tapes(findings: ModuleType) -> None:
    for page in findings.PAGES:
        text = page.read_text(encoding="utf-8")
        assert findings.filled(text) == text, "run: python experiments/findings.py"
        assert "+0.207" in text
        assert findings.filled(text.replace("+0.207", "+0.999")) == text, "a figure that nobody ran would be found"
    for file, most in findings.FIGURES.items():
        assert file.read_text(encoding="utf-8") == findings.figure(most), "run: python experiments/findings.py"


def test_every_comparison_is_shown_and_no_number_is_typed(findings: ModuleType) -> None:
    text = findings.PAGES[0].read_text(encoding="utf-8")
    assert set(re.findall(r"findings: (\w+)", text)) == {"short", *findings.TRAITS}
    prose = re.sub(r"(?s)```.*?```|^\|[^\n]*$|<!-- \S+ \S+ - [^<]*<!-- -->|`[^`]*`", "", text, flags=re.MULTILINE)
    sizes = {"135", "494"}  # of the models
    assert set(re.findall(r"[\d.,]*\d", prose)) - sizes == {"77", "95"}, "BANKING77, and 95 % intervals"


@pytest.fixture
def empty(findings: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(findings, "HERE", tmp_path)
    monkeypatch.setattr(findings, "CELLS", tmp_path / "findings.toml")
    (tmp_path / "findings.toml").write_text("", encoding="utf-8")
    return tmp_path


def test_a_tape_of_somebody_else_is_replayed_kept_and_shown(findings: ModuleType, empty: Path) -> None:
    tape = EXPERIMENTS / "first-study" / "tape.zip"
    cell = findings.add(tape, "memory", "memory", "static")
    assert cell.archive.read_bytes() == tape.read_bytes()
    assert findings.cells() == (cell,)
    assert "| `memory` | `static` | +0.233 [+0.049, +0.417] |" in findings.table("memory")


@pytest.mark.parametrize(
    ("trait", "arm", "against", "told"),
    [
        ("wisdom", "memory", "static", "a trait is one of memory, goals, role, learning but is 'wisdom'"),
        ("memory", "memoir", "static", "has no arm 'memoir'; it has static, memory"),
        ("memory", "memory", "statics", "statics"),
    ],
)
def test_what_is_no_comparison_is_not_taken_in(
    findings: ModuleType, empty: Path, trait: str, arm: str, against: str, told: str
) -> None:
    with pytest.raises((ToolkitError, ValueError), match=re.escape(told)):
        findings.add(EXPERIMENTS / "first-study" / "tape.zip", trait, arm, against)
    assert [path.name for path in empty.iterdir()] == ["findings.toml"]
    assert findings.cells() == ()


def test_a_tape_that_was_touched_is_not_taken_in(findings: ModuleType, empty: Path, tmp_path: Path) -> None:
    file = tmp_path / "touched.zip"
    shutil.copyfile(EXPERIMENTS / "first-study" / "tape.zip", file)
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(bytes(body))
    with pytest.raises(ToolkitError):
        findings.add(file, "memory", "memory", "static")
    assert findings.cells() == ()


def test_the_streambench_studies_differ_in_their_models_alone() -> None:
    """Their arms are asked in one layout, as models that take turns must be, and their claims were set down alike."""
    found = [read_toml(EXPERIMENTS / "streambench-style" / name / "study.toml") for name in STREAMBENCH]
    arms = [{one["name"]: Arm.from_config(one) for one in table["arms"]} for table in found]
    for own, table in zip(arms, found, strict=True):
        asked = model(table["study"]["lm"])
        assert all(asked in own[name].lm.models for name in ("mam-stream-icl", "turns"))
        assert {one.adapter for one in own["turns"].lm.models} == {asked.adapter} == {"completion"}
        assert table["channel"] == {"use": "OneBit"}
    small, larger, largest = arms
    assert {**small, **larger} == small
    assert set(small) - set(larger) == {"grow-correct"}
    assert [name for name in larger if larger[name] != largest[name]] == ["mam-stream-icl", "turns"]
    assert larger["turns"].lm.models == largest["turns"].lm.models[:2]
    for part in ("hypotheses", "stream"):
        assert found[0][part] == found[1][part] == found[2][part]
