"""Studies opened by name and gone on with; data and models that changed under them are refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import ROOT, Errands, finish
from held import study as held_study

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.component import digest
from toolkit.errors import SpecError
from toolkit.evaluation.spec import load
from toolkit.evaluation.study import Study, StudyChanged
from toolkit.ledger.alone import StudyBusy, holder
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]

OWN = '''
"""A memory of one's own."""
import toolkit as tk


class Parrot(tk.MemoryPolicy):
    """The last case."""

    def reset(self, rng, think):
        self.last = None

    def observe(self, experience):
        self.last = experience

    def recall(self, task):
        return tk.Recall((self.last.example(self.last.answer),)) if self.last else tk.Recall()
'''
SPEC = """
[study]
name = "own"
lm = "scripted"
seeds = 2
code = ["parrot.py"]

[stream]
use = "Table"
data = "notes.csv"
inputs = ["note"]
answer = "errand"

[[arms]]
name = "static"

[[arms]]
name = "parrot"
memory = "Parrot"
"""
ROWS = ["note,errand", *(f"note {number},{'post' if number % 3 else 'bank'}" for number in range(12))]


class Weighted(Scripted):
    """A scripted model that says it has weights."""

    def __init__(self, path: str = "weights", p: float = 0.3) -> None:
        super().__init__(p=p)
        self.path = path

    def sha256(self) -> str:
        return hashlib.sha256(Path(self.path).read_bytes()).hexdigest()

    def fingerprint(self) -> str:
        return digest([self.sha256(), self.p])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a spec, its data and its code."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "parrot.py").write_text(OWN, encoding="utf-8")
    (folder / "notes.csv").write_text("\n".join(ROWS) + "\n", encoding="utf-8")
    (folder / "study.toml").write_text(SPEC, encoding="utf-8")
    return folder


def in_another_process(code: str, ledger: Ledger, **place: str) -> subprocess.Popen[str]:
    """A process that runs Python, with the tests' helpers at hand."""
    given = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "TOOLKIT_LEDGER": str(ledger.root), **place}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=given)


def test_a_study_is_opened_by_name_from_anywhere(
    project: Path, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finish(load(project, ledger=ledger.root))
    monkeypatch.chdir(tmp_path)
    again = tk.Study.open("own", ledger=ledger)
    assert [run.id for run in again.runs] == [run.id for run in made.runs]
    assert [record.hash for record in again.run()] == [record.hash for record in made.records()]
    assert str(again.compare()) == str(made.compare())
    with pytest.raises(LedgerError, match=r"no study is called 'won' in .*did you mean 'own'"):
        tk.Study.open("won", ledger=ledger)


def test_its_own_copy_of_the_code_is_used_where_the_original_is_gone(project: Path, ledger: Ledger) -> None:
    made = finish(load(project, ledger=ledger.root))
    ids = [run.id for run in made.runs]
    (project / "parrot.py").unlink()
    again = tk.Study.open("own", ledger=ledger)
    assert again.code == (made.folder / "code" / "parrot.py",)
    assert [run.id for run in again.runs] == ids
    more = finish(again.extend(seeds=1))
    assert len(more.records()) == 6
    assert (made.folder / "code" / "parrot.py").read_text(encoding="utf-8") == OWN
    assert tk.Study.open("own", ledger=ledger).seeds == (0, 1, 2)


def test_what_is_missing_is_named(project: Path, ledger: Ledger) -> None:
    finish(load(project, ledger=ledger.root))
    (project / "notes.csv").unlink()
    with pytest.raises(SpecError, match=r"notes\.csv"):
        tk.Study.open("own", ledger=ledger)


def test_a_class_typed_in_a_notebook_is_named_with_its_source(study: Make) -> None:
    made = finish(study(Arm.static()))
    spec = made.folder / "study.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace('"Errands"', '"Gone"'), encoding="utf-8")
    (made.folder / "code" / "Gone.py").write_text("class Gone: ...\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"the class Gone is not defined here: its source is in .*code/Gone\.py"):
        Study.open(made.name, ledger=made.ledger)


def test_a_killed_study_is_resumed_by_name_to_the_same_hash(ledger: Ledger) -> None:
    process = in_another_process(f"import held; held.study({str(ledger.root)!r}).run()", ledger, HELD_AFTER="70")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert holder(ledger.study("held")) == str(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = Study.open("held", ledger=ledger)
    assert holder(again.folder) == ""
    again.resume()
    assert again.wait(300)
    [record] = again.records()
    assert (record.status, record.replayed) == ("finished", 70)
    [whole] = finish(held_study(ledger, "whole")).records()
    assert record.hash == whole.hash


def test_a_study_paused_in_another_process_goes_on_there(ledger: Ledger) -> None:
    code = (
        "import held\n"
        f"made = held.study({str(ledger.root)!r})\n"
        "def watch(run, episode):\n"
        "    if episode.t == 3:\n"
        "        made.pause(); print('paused', flush=True)\n"
        "print([record.status for record in made.run(watch=watch)])\n"
    )
    process = in_another_process(code, ledger)
    assert process.stdout is not None
    assert process.stdout.readline() == "paused\n"
    here = Study.open("held", ledger=ledger)
    with pytest.raises(StudyBusy, match=f"process {process.pid}"):
        here.start()
    here.resume()
    assert not here.running
    assert process.communicate(timeout=300)[0] == "['finished']\n"
    here.resume()  # nothing is left to do
    assert here.wait(300)


def test_a_stopped_study_goes_on_in_the_background(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=40), seeds=1)
    made.run(watch=lambda run, episode: made.stop())
    assert made.records()[0].status == "stopped"
    made.resume()
    assert made.wait(300)
    assert made.records()[0].status == "finished"


def test_changed_data_are_refused_with_what_differs_and_both_ways_out(project: Path, ledger: Ledger) -> None:
    made = finish(load(project, ledger=ledger.root))
    shutil.copyfile(project / "notes.csv", project / "kept.csv")
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    (project / "notes.csv").write_text("\n".join([*ROWS, "note 99,post"]) + "\n", encoding="utf-8")
    changed = load(project, ledger=ledger.root)
    for go in (changed.run, changed.start, Study.open("own", ledger=ledger).resume):
        with pytest.raises(StudyChanged) as refused:
            go()
        told = str(refused.value)
        assert "stream 'notes' has the settings it had when study 'own' was run" in told
        assert "notes.csv has sha256" in told
        assert "it has 13 tasks and had 12" in told
        assert "put back what was there, or give this study another name" in told
    assert {path: path.read_bytes() for path in before} == before
    assert len(finish(load(project, ledger=ledger.root, name="other")).records()) == 4
    shutil.copyfile(project / "kept.csv", project / "notes.csv")
    assert len(finish(load(project, ledger=ledger.root, seeds=3)).records()) == 6


def test_tasks_of_the_same_ids_with_other_texts_are_refused(project: Path, ledger: Ledger) -> None:
    finish(load(project, ledger=ledger.root))
    text = (project / "notes.csv").read_text(encoding="utf-8")
    (project / "notes.csv").write_text(text.replace("note 3,", "note three,"), encoding="utf-8")
    with pytest.raises(StudyChanged, match="of the same ids, have other texts"):
        load(project, ledger=ledger.root).run()


def test_other_settings_are_no_change_but_an_extension(project: Path, ledger: Ledger) -> None:
    finish(load(project, ledger=ledger.root))
    (project / "more.csv").write_text("\n".join([*ROWS, "note 99,post"]) + "\n", encoding="utf-8")
    spec = project / "study.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("notes.csv", "more.csv"), encoding="utf-8")
    made = finish(load(project, ledger=ledger.root))
    assert len(list(made.folder.glob("runs/*"))) == 8
    assert set(made.episodes().groupby("run").size()) == {13}


def test_data_that_changed_before_anything_was_recorded_are_fine(project: Path, ledger: Ledger) -> None:
    made = load(project, ledger=ledger.root)
    finish(made)
    shutil.rmtree(made.folder / "runs")
    (project / "notes.csv").write_text("\n".join(ROWS[:-1]) + "\n", encoding="utf-8")
    assert len(finish(load(project, ledger=ledger.root)).records()) == 4


def test_other_weights_or_another_class_are_refused(
    study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"first")
    model = Weighted(str(weights))
    finish(study(Arm.static(), lm=model, seeds=1))
    weights.write_bytes(b"second")
    told = f"its weights have sha256 {model.sha256()[:16]} and had {hashlib.sha256(b'first').hexdigest()[:16]}"
    with pytest.raises(StudyChanged, match=told):
        study(Arm.static(), lm=model, seeds=1).run()
    assert len(finish(study(Arm.static(), lm=Weighted(str(weights), p=0.4), seeds=1)).records()) == 1
    finish(study(Arm.static(), Arm("m", memory=Retrieval()), name="plain"))
    monkeypatch.setattr(Scripted, "version", 99)
    with pytest.raises(StudyChanged, match=r"model 'scripted' .* its class is of another version"):
        study(Arm.static(), name="plain").run()
