"""The live view: what it shows is what the ledger holds, and its buttons steer the study."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from errands import Errands, finish
from waiting import until

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study, StudyBusy
from toolkit.evaluation.track import State, note
from toolkit.ledger.follow import Follower
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.stats import confidence_sequence
from toolkit.traits.memory import MemoryPolicy, Retrieval
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.progress import POINTS, Progress

Make = Callable[..., Study]


class Gated(Scripted):
    """Answers only while a gate is open."""

    gate = threading.Event()

    def engine(self, stream):
        engine = ScriptedEngine(self, list(stream.pairs()))

        class Waiting:
            supported_params = engine.supported_params

            def complete(self, request):
                Gated.gate.wait(300)
                return engine.complete(request)

        return Waiting()


class Failing(MemoryPolicy):
    """Raises at the third experience."""

    def reset(self, rng, think):
        self.seen = 0

    def observe(self, experience):
        self.seen += 1
        if self.seen == 3:
            raise RuntimeError("<b>no room</b>")


@pytest.fixture(autouse=True)
def _the_gate_is_open(_widgets_are_closed: None) -> Iterator[None]:
    Gated.gate.set()
    yield
    Gated.gate.set()


def press(view: LiveStudy, command: str) -> None:
    view._heard(view, {"command": command}, [])


@pytest.mark.usefixtures("form")
def test_it_shows_what_the_ledger_holds(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=30), seeds=3))
    view = LiveStudy(made)
    assert view.state == "finished"
    told = made.ledger.sql(
        "SELECT arm, count(*) AS n, avg(score) AS score, "
        "sum(acting_input_tokens + acting_output_tokens) AS tokens FROM episodes GROUP BY arm"
    ).set_index("arm")
    assert [arm["arm"] for arm in view.frame["arms"]] == ["static", "memory"]
    for arm in view.frame["arms"]:
        own = told.loc[arm["arm"]]
        assert (arm["done"], arm["total"], arm["finished"], arm["runs"]) == (own.n, 90, 3, 3)
        assert arm["score"] == pytest.approx(own.score)
        assert arm["tokens"] == own.tokens
        t, mean, low, high = arm["curve"][-1]
        assert t == 30
        assert mean == pytest.approx(own.score, abs=1e-4)
        assert low < mean < high
    json.dumps(view.frame, allow_nan=False)


def test_it_never_blocks_and_ends_by_itself(study: Make) -> None:
    Gated.gate.clear()
    made = study(Arm.static(), lm=Gated(), stream=Errands(tasks=10))
    made.start()
    view = LiveStudy(made, every=0.02)
    assert view.state == "running"
    Gated.gate.set()
    assert made.wait(300)
    until(lambda: view.frame["state"] == "finished")
    assert view.frame["arms"][0]["done"] == 20


def test_pause_go_on_and_stop_by_buttons(study: Make) -> None:
    made = study(Arm.static(), lm=Gated(), stream=Errands(tasks=400), seeds=1)
    made.start()
    view = LiveStudy(made, every=0.02)
    press(view, "pause")
    assert view.frame["state"] == "paused"
    until(lambda: not view.look())
    held = view.frame["arms"][0]["done"]
    assert held < 400
    press(view, "resume")
    until(lambda: view.frame["arms"][0]["done"] > held)
    press(view, "stop")
    assert made.wait(300)
    until(lambda: view.frame["state"] in ("stopped", "finished"))
    stopped = view.frame["arms"][0]["done"]
    if stopped < 400:
        press(view, "resume")
        assert made.wait(300)
        until(lambda: view.frame["state"] == "finished")
    assert view.frame["arms"][0]["done"] == 400
    assert made.ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 400


def test_a_stop_right_after_the_start_is_not_overtaken(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=2000), seeds=3)
    made.start()
    made.stop()
    assert not made.running
    assert {record.status for record in made.records()} <= {"stopped"}


def test_starting_twice_is_refused_at_once(study: Make) -> None:
    Gated.gate.clear()
    made, other = study(Arm.static(), lm=Gated()), study(Arm.static(), lm=Gated())
    made.start()
    with pytest.raises(StudyBusy, match="already running"):
        made.start()
    with pytest.raises(StudyBusy, match="is being run by process"):
        other.start()
    Gated.gate.set()
    assert made.wait(300)


def test_failures_say_which_run_and_why(study: Make) -> None:
    made = study(Arm.static(), Arm("failing", memory=Failing()), seeds=7)
    made.run()
    frame = LiveStudy(made).frame
    assert frame["failures"][0] == "failing, seed 0: failed: RuntimeError: <b>no room</b>"
    assert len(frame["failures"]) == 6
    assert frame["failures"][-1] == "… and 2 more runs"


def test_a_study_of_another_process_is_watched_by_name(study: Make) -> None:
    made = finish(study(Arm.static(), stream=Errands(tasks=5)))
    view = LiveStudy(made.name, made.ledger)
    assert view.state == "finished"
    assert view.frame["arms"][0]["done"] == 10
    with pytest.raises(LedgerError, match="no study is called 'tset'"):
        LiveStudy("tset", made.ledger)


def test_a_study_by_name_goes_on_here(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=300), seeds=1)
    made.run(watch=lambda run, episode: made.stop())
    view = LiveStudy(made.name, made.ledger, every=0.02)
    assert view.state == "stopped"
    press(view, "resume")
    until(lambda: view.frame["state"] == "finished")
    assert view.frame["arms"][0]["done"] == 300


def test_what_cannot_go_on_here_says_why(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=300), seeds=1)
    made.run(watch=lambda run, episode: made.stop())
    view = LiveStudy(made.name, made.ledger)
    spec = made.folder / "study.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace('"Errands"', '"Erands"'), encoding="utf-8")
    press(view, "resume")
    assert "no stream is called 'Erands'; did you mean 'Errands'" in view.frame["note"]


def test_a_run_that_was_killed_is_not_shown_as_running(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=30), seeds=1)
    made.run(watch=lambda run, episode: made.stop())
    [record] = made.folder.glob("runs/*/run.json")
    record.write_text(record.read_text(encoding="ascii").replace('"stopped"', '"running"'), encoding="ascii")
    assert LiveStudy(made.name, made.ledger).state == "stopped"


def test_frames_stay_small_and_finite_at_64_runs(study: Make) -> None:
    made = study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=130), seeds=32, workers=8)
    finish(made)
    view = LiveStudy(made)
    assert all(len(arm["curve"]) == POINTS for arm in view.frame["arms"])
    assert len(json.dumps(view.frame, allow_nan=False)) < 20_000


def test_the_curve_ends_where_the_slowest_run_is(ledger: Ledger, study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=40), seeds=2, workers=1)
    stopped: list[int] = []

    def watch(run: object, episode: object) -> None:
        stopped.append(1)
        if len(stopped) == 50:  # the first run whole, the second at its tenth task
            made.stop()

    made.run(watch=watch)
    progress = Progress(Follower(ledger, made.name), tasks=40)
    progress.look()
    (arm,) = progress.arms()
    assert arm.done == 50
    assert arm.curve[-1][0] == 10


def test_one_run_has_a_curve_and_no_band(study: Make) -> None:
    made = finish(study(Arm.static(), stream=Errands(tasks=10), seeds=1))
    (arm,) = LiveStudy(made).frame["arms"]
    assert [point[2:] for point in arm["curve"]] == [(None, None)] * 10
    assert not math.isnan(arm["score"])


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "toolkit" / "widgets"
    for file in (folder / "live.js", folder / "live.css"):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert "import " not in text
        assert "innerHTML" not in text


def test_it_says_that_mlflow_failed_and_the_study_goes_on(study: Make) -> None:
    made = finish(study(Arm.static(), stream=Errands(tasks=5)))
    note(made.ledger, made.name, State("failed", "no <server>"))
    frame = LiveStudy(made).frame
    assert frame["state"] == "finished"
    assert frame["note"].startswith("MLflow: failed: no <server>")
    assert "toolkit track test" in frame["note"]


def test_differences_come_with_a_band_that_may_be_looked_at(study: Make) -> None:
    arms = [Arm.static(), Arm("memory", memory=Retrieval()), Arm("other", memory=Retrieval(k=1))]
    made = finish(study(*arms, stream=Errands(tasks=150), seeds=3))
    frame = LiveStudy(made).frame
    assert [(gap["ahead"], gap["behind"]) for gap in frame["gaps"]] == [("memory", "static"), ("other", "static")]
    assert "confidence sequences at 97.5%" in frame["gap_band"]
    mean = made.episodes().pivot_table(index="t", columns="arm", values="score")
    gap = (mean["memory"] - mean["static"]).to_numpy()
    band = confidence_sequence(gap, low=-1, high=1, level=0.975)
    assert frame["gaps"][0]["points"][-1] == pytest.approx((150, gap.mean(), band.low[-1], band.high[-1]), abs=1e-4)
    assert len(frame["gaps"][0]["points"]) == POINTS


def test_differences_wait_until_all_runs_have_begun(study: Make) -> None:
    made = study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=40), workers=1)
    stopped: list[int] = []
    made.run(watch=lambda run, episode: made.stop() if stopped.append(1) or len(stopped) == 100 else None)
    (gap,) = LiveStudy(made).frame["gaps"]
    assert gap["points"] == ()


def test_differences_are_those_that_are_watched(study: Make) -> None:
    arms = [Arm.static(), Arm("memory", memory=Retrieval()), Arm("other", memory=Retrieval(k=1))]
    made = finish(study(*arms, stream=Errands(tasks=10), stop_when="static>other"))
    (gap,) = LiveStudy(made).frame["gaps"]
    assert (gap["ahead"], gap["behind"], gap["level"]) == ("static", "other", 0.975)
