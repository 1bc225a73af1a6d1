"""Metrics computed later come from the recorded answers, stand apart from what was recorded, and say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from errands import TABLES, Errands, finish, tables

from toolkit.agents.arm import Arm
from toolkit.analysis import compare
from toolkit.cli import main
from toolkit.component import registered
from toolkit.errors import AnswerError, SpecError
from toolkit.evaluation.rescore import rescore
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.report import write
from toolkit.streams.scoring import Scorer
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]
MEMORY = Arm("memory", memory=Retrieval())


class FirstLetter(Scorer):
    """1 if the answer begins as a right one does."""

    def score(self, task, answer, key):
        return float(answer[:1] in {right[:1] for right in key.answers})


class AnyAnswer(Scorer):
    """1 whatever is answered."""

    def score(self, task, answer, key):
        return 1.0


@pytest.fixture
def made(study: Make) -> Study:
    return finish(study(Arm.static(), MEMORY).extend(streams=Errands(tasks=10)))


def recorded(study: Study) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in study.folder.glob("runs/*/*") if path.name != "rescored.parquet"}


def test_figures_are_what_the_scorer_says_of_the_recorded_answers(form: str, made: Study) -> None:
    before = recorded(made)
    assert [tables(run) for run in made.folder.glob("runs/*")] == 8 * [TABLES[form]]
    [found] = rescore(made.name, ["first_letter"], ledger=made.ledger)
    assert (found.written, found.kept, found.waiting, found.differ) == (8, 0, 0, None)
    frame = made.episodes().merge(made.ledger.sql("SELECT run, phase, t, score AS new FROM rescored"), how="inner")
    assert len(frame) == 136
    right = {task.id: key.answers[0] for task, key in made.streams[0].pairs()}
    given = zip(frame.answer, frame.task, strict=True)
    assert list(frame.new) == [float(answer[0] == right[task][0]) for answer, task in given]
    assert frame.new.sum() > frame.score.sum()
    assert recorded(made) == before
    row = compare(made, metric="first_letter").row("memory")
    assert row.score.value == pytest.approx(frame[frame.arm == "memory"].new.mean())
    assert compare(made).row("memory").score.value == pytest.approx(frame[frame.arm == "memory"].score.mean())


@pytest.mark.usefixtures("form")
def test_a_second_time_changes_nothing_and_more_metrics_keep_the_first(made: Study) -> None:
    rescore(made.name, ["first_letter"], ledger=made.ledger)
    files = {path: path.read_bytes() for path in made.folder.glob("runs/*/rescored.parquet")}
    assert len(files) == 8
    [again] = rescore(made.name, ["first_letter"], ledger=made.ledger)
    assert (again.written, again.kept) == (0, 8)
    assert {path: path.read_bytes() for path in files} == files
    old = made.ledger.sql("SELECT * FROM rescored ORDER BY run, t")
    rescore(made.name, ["normalised"], ledger=made.ledger)
    assert made.ledger.sql("SELECT * FROM rescored WHERE metric = 'first_letter' ORDER BY run, t").equals(old)
    assert made.ledger.sql("SELECT count(*) AS n FROM rescored").n[0] == 272


def test_an_edited_scorer_replaces_its_figures_and_tells_how_many_differ(
    made: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    [same] = rescore(made.name, ["exact"], ledger=made.ledger)
    assert same.differ == 0
    exact = registered("scorer")["Exact"]
    monkeypatch.setattr(exact, "version", 2)
    monkeypatch.setattr(exact, "score", lambda self, task, answer, key: float(answer not in key.answers))
    [other] = rescore(made.name, ["exact"], ledger=made.ledger)
    assert (other.written, other.differ) == (8, 136)
    assert compare(made, metric="exact").row("static").score.value == pytest.approx(
        1 - compare(made).row("static").score.value
    )


def test_tables_and_report_say_when_and_by_which_scorer(made: Study) -> None:
    [found] = rescore(made.name, ["first_letter"], ledger=made.ledger)
    note = compare(made, metric="first_letter").notes[-1]
    day = made.ledger.sql("SELECT DISTINCT computed FROM rescored").computed[0][:10]
    assert note.startswith(f"Scores: first_letter, computed later, on {day}, from the recorded answers of 8 runs")
    assert found.scorer[:12] in note
    assert "computed later" not in " ".join(compare(made).notes)
    text = write(made.ledger, made.name).read_text(encoding="utf-8")
    assert "Figures that were computed later" in text
    assert note in text
    assert "memory" in text.split("Figures that were computed later")[1]


def test_a_recorded_metric_beside_the_main_one_needs_no_computing(study: Make) -> None:
    made = finish(study(Arm.static(), MEMORY, scorers=["exact", "first_letter"]))
    found = compare(made, metric="first_letter")
    assert found.notes[-1] == "Scores: first_letter, as recorded."
    mean = made.ledger.sql("SELECT avg(scores['first_letter']) AS mean FROM episodes WHERE arm = 'static'")["mean"][0]
    assert found.row("static").score.value == pytest.approx(mean)
    assert mean > compare(made).row("static").score.value
    with pytest.raises(LedgerError, match="no metric 'frist_letter'; did you mean 'first_letter'"):
        compare(made, metric="frist_letter")


def test_other_data_are_refused(tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.csv").write_text("note,errand\n" + "note a,post\nnote b,bank\n" * 4, encoding="utf-8")
    (tmp_path / "study.toml").write_text(
        '[study]\nname = "own"\nlm = "scripted"\nseeds = 1\n[stream]\nuse = "Table"\ndata = "notes.csv"\n'
        'inputs = ["note"]\nanswer = "errand"\n[[arms]]\nname = "static"\n',
        encoding="utf-8",
    )
    place = ["--ledger", str(ledger.root)]
    assert main(["run", str(tmp_path), *place]) == 0
    capsys.readouterr()
    code = tmp_path / "scorers.py"
    code.write_text(
        "import toolkit as tk\n\n@tk.scorer\ndef half(task, answer, key):\n    return 0.5\n", encoding="utf-8"
    )
    assert main(["rescore", "own", "--metric", "half", "--code", str(code), *place]) == 0
    shown = capsys.readouterr().out
    assert "half: computed for 1 runs, there already for 0" in shown
    assert "0.500" in shown
    (tmp_path / "notes.csv").write_text("note,errand\n" + "note b,bank\nnote a,post\n" * 4, encoding="utf-8")
    with pytest.raises(LedgerError, match="the data of stream 'notes' are not those that study 'own' was run on"):
        rescore("own", ["exact"], ledger=ledger)
    (tmp_path / "notes.csv").unlink()
    with pytest.raises(SpecError, match=r"notes\.csv"):
        rescore("own", ["exact"], ledger=ledger)


@pytest.mark.usefixtures("form")
def test_an_episode_without_an_answer_scores_0_whatever_the_scorer(study: Make) -> None:
    def mute(task):
        if task.id == "t3":
            raise AnswerError("unparsed", "nothing to say")
        return "post"

    made = finish(study(Arm.wrap(mute), seeds=1))
    rescore(made.name, ["any_answer"], ledger=made.ledger)
    found = made.ledger.sql("SELECT task FROM rescored WHERE score = 0")
    assert list(found.task) == ["t3"]
    assert made.ledger.sql("SELECT count(*) AS n FROM rescored WHERE score = 1").n[0] == 23


def test_unfinished_runs_are_left_out_and_said(study: Make) -> None:
    made = study(Arm.static(), MEMORY, seeds=1, workers=1)
    seen: list[int] = []

    def watch(run: object, episode: object) -> None:
        seen.append(1)
        if len(seen) == 30:
            made.stop()

    made.run(watch=watch)
    [found] = rescore(made.name, ["first_letter"], ledger=made.ledger)
    assert (found.written, found.waiting) == (1, 1)
    assert "1 runs are not finished and were left out" in str(found)
    finish(made)
    assert rescore(made.name, ["first_letter"], ledger=made.ledger)[0].written == 1
    with pytest.raises(SpecError, match="did you mean 'first_letter'"):
        rescore(made.name, ["frist_letter"], ledger=made.ledger)
