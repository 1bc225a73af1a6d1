"""Looking early: the study ends when what was asked for is shown, says so, and does not go on by accident."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from errands import Errands, finish
from held import Patient
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.cli import main
from toolkit.errors import SpecError
from toolkit.evaluation import spec
from toolkit.evaluation.run import Control
from toolkit.evaluation.stopping import Condition, Lookout, level_of, written
from toolkit.evaluation.study import Study
from toolkit.ledger.course import differences
from toolkit.ledger.follow import PlannedRun
from toolkit.lm.scripted import Scripted
from toolkit.stats import confidence_sequence
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]
GAP = {"lm": Scripted(p=0.05, p_example=1.0), "stream": Errands(tasks=150), "seeds": 3}
ARMS = (Arm.static(), Arm("memory", memory=Retrieval(k=4)))


def held_at(study: Study, task: int) -> Callable[..., None]:
    """A watcher that lets no run pass a task before the study is told to stop, a minute at most."""
    control, never = Control(study.folder / "control.json"), threading.Event()

    def watch(run: object, episode: object) -> None:
        for _ in range(600):
            if getattr(episode, "t", 0) < task or control.read() == "stop":
                return
            never.wait(0.1)

    return watch


def stopped(study: Study, task: int = 120) -> Study:
    records = study.run(watch=held_at(study, task))
    assert {record.status for record in records} == {"stopped"}
    return study


def test_a_study_ends_when_its_condition_is_met_and_says_so_everywhere(study: Make) -> None:
    made = stopped(study(*ARMS, **GAP, stop_when="memory>static"))
    (reason,) = {record.error for record in made.records()}
    assert reason.startswith("early stop: memory>static: met at task ")
    assert "97.5% confidence sequence over 3 runs of each" in reason
    assert all(record.episodes < 150 for record in made.records())
    found = made.compare()
    assert found.level == pytest.approx(0.975)
    assert any(note.startswith("Early stop: memory>static: met at task") for note in found.notes)
    assert any("so that the intervals at the end have 97.5%" in note for note in found.notes)
    assert any(doubt.startswith("early stop: memory>static") for doubt in found.row("memory").doubts)
    report = made.report().read_text(encoding="utf-8")
    assert "Early stop: memory&gt;static: met at task" in report


def test_what_ended_it_is_what_its_episodes_say(study: Make) -> None:
    made = stopped(study(*ARMS, **GAP, stop_when=["memory > static", "memory<static"]))
    rows = made.episodes().pivot_table(index=["arm", "t"], values="score", aggfunc="mean").score
    gap = (rows["memory"] - rows["static"]).dropna()
    band = confidence_sequence(gap.to_numpy(), low=-1, high=1, level=1 - 0.025 / 2)
    first = int((band.low > 0).argmax())
    (reason,) = {record.error for record in made.records()}
    assert f"met at task {first + 1}: " in reason
    assert f"{band.mean[first]:.3f} [{band.low[first]:.3f}, {band.high[first]:.3f}], 98.75%" in reason


def test_it_does_not_go_on_until_the_condition_is_removed(study: Make) -> None:
    made = stopped(study(*ARMS, **GAP, stop_when="memory>static"))
    (reason,) = {record.error for record in made.records()}
    before = [record.episodes for record in made.records()]
    again = study(*ARMS, **GAP, stop_when="memory>static")
    assert {record.error for record in again.run()} == {reason}
    assert [record.episodes for record in made.records()] == before
    assert "--stop-when none" in reason
    freed = finish(study(*ARMS, **GAP))
    assert freed.compare().level == pytest.approx(0.975), "what looking has spent is spent"
    assert any("It was watched for memory>static before" in note for note in freed.compare().notes)


def test_a_condition_that_is_not_met_ends_nothing(study: Make) -> None:
    made = study(*ARMS, **GAP, stop_when="memory<static")
    finish(made)
    found = made.compare()
    assert found.level == pytest.approx(0.975)
    assert not any("arly stop" in text for text in (*found.notes, *found.row("memory").doubts))
    assert made.config()["study"]["stop_when"] == ["memory<static"]


@pytest.mark.parametrize(
    ("rest", "why"), [({"seeds": 1}, "one run of each arm"), ({"stream": Errands(tasks=8)}, "8 tasks: even a")]
)
def test_it_says_why_it_cannot_stop(study: Make, rest: dict[str, object], why: str) -> None:
    made = finish(study(*ARMS, **(GAP | rest), stop_when="memory>static"))
    assert any(note.startswith(f"No condition could be met: {why}") for note in made.compare().notes)


def test_a_condition_thought_of_later_promises_nothing(study: Make) -> None:
    finish(study(*ARMS, stream=Errands(tasks=20)))
    later = finish(study(*ARMS, stream=Errands(tasks=20), seeds=3, stop_when="memory>static"))
    assert any("only after runs had begun" in note for note in later.compare().notes)
    registered = json.loads((later.folder / "plan.json").read_text(encoding="utf-8"))["stop_when"]
    assert registered["late"] == ["memory>static"]
    assert registered["looking"] + registered["final"] == pytest.approx(registered["alpha"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("memry>static", "no arm is called 'memry'; did you mean 'memory'?"),
        ("memory>memory", "never ahead of itself"),
        ("memory", "must be ARM>OTHER or ARM<OTHER but is 'memory'"),
        (["memory>static", "memory >static"], "is given twice"),
        ([3], "must be ARM>OTHER or ARM<OTHER but is 3"),
    ],
)
def test_mistakes_are_named(study: Make, given: object, told: str) -> None:
    with pytest.raises(SpecError, match=told.replace("?", r"\?")):
        study(*ARMS, stop_when=given)


def test_the_file_and_the_command_say_it_too(study: Make, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    made = study(*ARMS, **GAP, stop_when="memory>static")
    file = spec.save(made, tmp_path / "study.toml")
    assert spec.load(file).stop_when == ("memory>static",)
    assert spec.load(file, stop_when=["static<memory"]).stop_when == ("static<memory",)
    assert spec.load(file, stop_when=["none"]).stop_when == ()
    stopped(made)
    capsys.readouterr()
    where = ["--ledger", str(made.ledger.root), "--no-mlflow", "--no-reuse"]
    assert main(["run", str(file), *where]) == 0
    assert "early stop: memory>static: met at task" in capsys.readouterr().out
    assert main(["run", str(file), *where, "--stop-when", "none"]) == 0
    assert {record.status for record in made.records()} == {"finished"}


def test_another_process_of_runs_is_watched_as_well(study: Make) -> None:
    """The conditions are watched from files: whoever wrote them is of no account."""
    made = stopped(study(*ARMS, **GAP, stop_when="memory>static"))
    assert Lookout(made).look().startswith("early stop: memory>static")


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_runs_elsewhere_end_when_the_condition_is_met(
    study: Make, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = GAP | {"lm": Patient(p=0.05, p_example=1.0), "seeds": 2, "stop_when": "memory>static"}
    made = study(*ARMS, **rest)
    monkeypatch.setenv("PATIENT", str(made.folder))
    records = made.run(executor=executor)
    (reason,) = {record.error for record in records}
    assert reason.startswith("early stop: memory>static: met at task ")
    assert {record.status for record in records} == {"stopped"}
    assert all(0 < record.episodes <= 121 for record in records)
    assert [record.error for record in made.records()] == [reason] * 4
    rows = made.episodes().pivot_table(index=["arm", "t"], values="score", aggfunc="mean").score
    band = confidence_sequence((rows["memory"] - rows["static"]).dropna().to_numpy(), low=-1, high=1, level=0.975)
    assert f"met at task {int((band.low > 0).argmax()) + 1}: " in reason
    before = [record.episodes for record in records]
    assert [record.episodes for record in made.run(executor=executor)] == before, "it does not go on by accident"


@given(st.text("ab", min_size=1), st.sampled_from("<>"), st.text("cd", min_size=1), st.text(" ", max_size=2))
def test_conditions_are_read_as_they_are_written(left: str, sign: str, right: str, gap: str) -> None:
    (text,) = written(f"{left}{gap}{sign}{gap}{right}")
    found = Condition.of(text)
    assert (found.ahead, found.behind) == ((left, right) if sign == ">" else (right, left))
    assert found.text == text == f"{left}{sign}{right}"


def test_levels_share_half_of_the_error() -> None:
    assert [1 - level_of(number) for number in (1, 2, 5)] == pytest.approx([0.025, 0.0125, 0.005])


def test_a_missing_score_is_the_worst_that_it_could_be() -> None:
    runs = [PlannedRun(f"{arm}{seed}", "", arm, seed) for arm in "ab" for seed in (0, 1)]
    scores = {"a0": [1.0, 1.0], "a1": [1.0, float("nan")], "b0": [0.0, 0.0], "b1": [0.0, 0.0]}
    assert differences(runs, scores, "a", "b", missing=-1.0).tolist() == [[1.0, 1.0], [1.0, -1.0]]
    assert differences(runs, scores | {"b1": []}, "a", "b").shape == (2, 0), "a run has not begun"
    assert differences(runs, scores, "a", "c").shape == (0, 0)
