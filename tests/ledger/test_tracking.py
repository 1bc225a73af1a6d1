"""MLflow shows what the ledger says, and a second time adds nothing, wherever the first time ended."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import Errands, finish
from shown import client, everything, history, runs, traces
from switching import ATTACK, BLOCKS, Switching

from toolkit.agents.arm import Arm
from toolkit.analysis import compare
from toolkit.episode import Episode
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import track
from toolkit.ledger.course import SHOWN_POINTS, Course
from toolkit.ledger.export import Exporter
from toolkit.ledger.follow import Glimpse
from toolkit.ledger.prompts import prompt_name
from toolkit.ledger.store import Ledger, write_atomically
from toolkit.ledger.target import Target, TrackingError, locked, target
from toolkit.ledger.tracking import Shown
from toolkit.lm.scripted import Scripted
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]
TASKS = 24


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A ledger with two arms, two seeds, 24 tasks, exported once."""
    root = tmp_path_factory.mktemp("exported") / "ledger"
    root.mkdir()
    shutil.copyfile(empty_database, root / "mlflow.db")
    made = finish(two_by_two(Ledger(root)))
    state = track(made.ledger, made.name, target("ledger", root))
    assert (state.state, state.why) == ("done", "")
    return root


def two_by_two(ledger: Ledger) -> Study:
    arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2))]
    return Study("test", Errands(tasks=TASKS), arms=arms, lm=Scripted(), seeds=2, ledger=ledger)


@pytest.fixture
def finished(exported: Path) -> Study:
    """To be read, and exported again; tests that change what MLflow shows of it put it right again."""
    return two_by_two(Ledger(exported))


@pytest.fixture
def there(exported: Path) -> Target:
    return target("ledger", exported)


def test_runs_params_and_figures_are_the_ledgers(finished: Study, there: Target) -> None:
    found = runs(there.uri, finished.name)
    parent = found.pop("study test")
    assert sorted(found) == ["memory, seed 0", "memory, seed 1", "static, seed 0", "static, seed 1"]
    records = {f"{record.arm}, seed {record.seed}": record for record in finished.records()}
    environment = json.loads((finished.folder / "environment.json").read_text(encoding="utf-8"))
    for name, run in found.items():
        record, params, tags = records[name], run.data.params, run.data.tags
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert (params["arm"], params["seed"], params["stream"]) == (record.arm, str(record.seed), record.stream)
        assert params["traits on"] == ("memory" if record.arm == "memory" else "none")
        assert (params["run fingerprint"], tags["result fingerprint"]) == (record.run, record.hash)
        assert params["git commit"] == environment["commit"] or params["git commit"] == "unknown"
        assert (run.info.status, tags["status"]) == ("FINISHED", "finished")
    assert found["memory, seed 0"].data.params["arm fingerprint"] == finished.arms[1].fingerprint()
    compared = compare(finished).row("memory")
    assert compared.difference is not None
    figures = parent.data.metrics
    assert figures["memory/score"] == compared.score.value
    assert figures["memory/difference to static"] == compared.difference.value
    assert figures["memory/difference to static: low"] == compared.difference.low
    assert figures["memory/difference to static: high"] == compared.difference.high
    assert figures["memory/pairs compared"] == 2 * TASKS
    assert figures["static/tokens per task"] == compare(finished).row("static").tokens
    assert f"{compared.difference.value:+.3f}" in parent.data.tags["mlflow.note.content"]
    assert parent.info.status == "FINISHED"


def test_curves_are_the_episodes(finished: Study, there: Target) -> None:
    frame = finished.episodes()
    for name, run in runs(there.uri, finished.name).items():
        if name == "study test":
            continue
        arm, seed = run.data.params["arm"], int(run.data.params["seed"])
        mine = frame[(frame.arm == arm) & (frame.seed == seed)].sort_values("t")
        steps = list(range(1, TASKS + 1))
        assert history(there.uri, run, "curve/score so far") == [
            (step, pytest.approx(mine.score[:step].mean())) for step in steps
        ]
        assert history(there.uri, run, "curve/score of the last 5 tasks") == [
            (step, pytest.approx(mine.score[step - 5 : step].mean())) for step in steps[4:]
        ]
        tokens = (mine.acting_input_tokens + mine.acting_output_tokens).cumsum()
        assert history(there.uri, run, "spent/tokens so far") == list(zip(steps, tokens, strict=True))
        assert history(there.uri, run, "spent/labels so far") == list(zip(steps, mine.labels.cumsum(), strict=True))
        assert run.data.metrics["final/score"] == pytest.approx(mine.score.mean())
        assert run.data.metrics["final/tokens per task"] == pytest.approx(tokens.iloc[-1] / TASKS)


def test_traces_are_a_sample_of_episodes_with_their_steps(finished: Study, there: Target) -> None:
    found = {trace.info.tags["mlflow.traceName"]: trace for trace in traces(there.uri, finished.name)}
    places = (0, 6, 12, 17, 23)
    assert sorted(found) == sorted(f"{arm}, seed 0, task {t + 1}" for arm in ("memory", "static") for t in places)
    run = next(run for run in finished.runs if run.arm.name == "memory" and run.seed == 0)
    query = "SELECT * FROM {} WHERE run = $1 AND t = 12"
    episode = finished.ledger.sql(query.format("episodes"), run.id).iloc[0]
    call = finished.ledger.sql(query.format("calls"), run.id).iloc[0]
    trace = found["memory, seed 0, task 13"]
    assert trace.info.trace_metadata["mlflow.sourceRun"] == runs(there.uri, "test")["memory, seed 0"].info.run_id
    whole, step, asked = trace.data.spans
    assert (whole.parent_id, step.parent_id, asked.parent_id) == (None, whole.span_id, step.span_id)
    assert whole.inputs == dict(episode.inputs)
    assert whole.outputs == {
        "answer": episode.answer,
        "right answer, if it was told": episode.correction,
        "score": episode.score,
    }
    assert step.attributes["blocks"] == list(episode.turns[0]["blocks"])
    assert step.attributes["recalled"] == list(episode.turns[0]["recalled"])
    assert len(step.attributes["recalled"]) == 2
    assert asked.inputs["messages"] == [{"role": turn["role"], "content": turn["text"]} for turn in call.prompt]
    assert asked.outputs["choices"][0]["message"]["content"] == call.answer
    assert asked.attributes["mlflow.chat.tokenUsage"]["input_tokens"] == call.input_tokens
    assert trace.info.token_usage["total_tokens"] == call.input_tokens + call.output_tokens
    assert asked.end_time_ns - asked.start_time_ns == round(call.seconds * 1e9)


def test_files_are_attached(finished: Study, there: Target, tmp_path: Path) -> None:
    mlflow, parent = client(there.uri), runs(there.uri, finished.name)["study test"]
    figures = [f"figures/curves.{form}" for form in ("svg", "pdf", "csv")]
    for name in ("study.toml", "plan.json", "environment.json", "report.html", *figures):
        copy = Path(mlflow.download_artifacts(parent.info.run_id, name, str(tmp_path)))
        assert copy.read_bytes() == (finished.folder / name).read_bytes()
        assert (finished.ledger.root / "mlartifacts").resolve() in Path(parent.info.artifact_uri[7:]).parents


def test_a_second_export_changes_nothing(finished: Study, there: Target) -> None:
    first = everything(there.uri, finished.name)
    assert len(first) == 1 + 4 + 10
    assert track(finished.ledger, finished.name, there).state == "done"
    assert everything(there.uri, finished.name) == first


@pytest.mark.parametrize("where", ["toolkit.episodes", "toolkit.traces", "toolkit.figures"])
def test_dying_before_it_is_noted_doubles_nothing(
    study: Make, own: Target, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    made = finish(study(Arm.static(), stream=Errands(tasks=8), seeds=1))
    whole = Shown.tag

    def dies(self: Shown, values: dict[str, object]) -> None:
        if where in values:
            raise KeyboardInterrupt
        whole(self, values)

    monkeypatch.setattr(Shown, "tag", dies)
    with pytest.raises(KeyboardInterrupt):
        track(made.ledger, made.name, own)
    monkeypatch.undo()
    assert len(history(own.uri, runs(own.uri, "test")["static, seed 0"], "curve/score so far")) == 8  # written already
    assert track(made.ledger, made.name, own).state == "done"
    run = runs(own.uri, "test")["static, seed 0"]
    assert {name: len(history(own.uri, run, name)) for name in run.data.metrics} == {
        name: 4 if "last 5" in name else 1 if name.startswith("final/") else 8 for name in run.data.metrics
    }
    found = traces(own.uri, "test")
    assert [len(trace.data.spans) for trace in found] == [3] * 5


def test_exporters_that_take_turns_on_a_running_study_double_nothing(study: Make, own: Target) -> None:
    made = study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=12), workers=1)
    one, other = (Exporter(made.ledger, made.name, own) for _ in range(2))
    seen: list[int] = []

    def watch(run: object, episode: object) -> None:
        seen.append(1)
        if len(seen) in (5, 20):
            one.sync()
            status = runs(own.uri, "test")["study test"].info.status
            assert status == "RUNNING"
        if len(seen) == 15:
            other.sync()

    made.run(watch=watch)
    one.sync(over=True)
    other.sync(over=True)
    track(made.ledger, made.name, own)
    found = runs(own.uri, "test")
    assert len(found) == 1 + 4
    for name, run in found.items():
        if name != "study test":
            assert [step for step, _ in history(own.uri, run, "curve/score so far")] == list(range(1, 13))
            assert run.info.status == "FINISHED"


def test_a_stopped_study_goes_on_in_the_same_runs(study: Make, own: Target) -> None:
    made = study(Arm.static(), stream=Errands(tasks=10), seeds=1)
    made.run(watch=lambda run, episode: made.stop() if episode.t == 3 else None)
    track(made.ledger, made.name, own)
    first = runs(own.uri, "test")
    assert {run.info.status for run in first.values()} == {"KILLED"}
    assert len(history(own.uri, first["static, seed 0"], "curve/score so far")) == 4

    again: list[str] = []

    def watch(run: object, episode: Episode) -> None:
        if episode.t == 6:
            Exporter(made.ledger, made.name, own).sync()
            again.extend(run.info.status for run in runs(own.uri, "test").values())

    made.run(watch=watch)
    assert again == ["RUNNING"] * 2
    track(made.ledger, made.name, own)
    then = runs(own.uri, "test")
    assert {name: run.info.run_id for name, run in then.items()} == {n: run.info.run_id for n, run in first.items()}
    assert {run.info.status for run in then.values()} == {"FINISHED"}
    run = then["static, seed 0"]
    assert [step for step, _ in history(own.uri, run, "curve/score so far")] == list(range(1, 11))
    assert run.data.metrics["final/score"] == pytest.approx(made.episodes().score.mean())


def test_every_status_has_its_like(study: Make, own: Target) -> None:
    made = finish(study(Arm.static(), stream=Errands(tasks=3), seeds=5))
    wanted = ["finished", "failed", "stopped", "suspended", "running"]
    for run, status in zip(made.runs, wanted, strict=True):
        path = made.folder / "runs" / run.folder / "run.json"
        table = json.loads(path.read_text(encoding="ascii"))
        write_atomically(path, json.dumps({**table, "status": status, "error": "why"}) + "\n")
    Exporter(made.ledger, made.name, own).sync()
    found = runs(own.uri, "test")
    shown = [found[f"static, seed {seed}"].info.status for seed in range(5)]
    assert shown == ["FINISHED", "FAILED", "KILLED", "SCHEDULED", "RUNNING"]
    assert found["static, seed 1"].data.tags["error"] == "why"
    Exporter(made.ledger, made.name, own).sync(over=True)
    found = runs(own.uri, "test")
    assert (found["static, seed 4"].info.status, found["static, seed 4"].data.tags["status"]) == ("KILLED", "cut off")


def test_other_episodes_under_the_same_name_are_refused(finished: Study, there: Target) -> None:
    run = runs(there.uri, "test")["static, seed 0"]
    client(there.uri).set_tag(run.info.run_id, "toolkit.episodes", "24 0123456789ab")
    state = track(finished.ledger, finished.name, there)
    client(there.uri).set_tag(run.info.run_id, "toolkit.episodes", run.data.tags["toolkit.episodes"])
    assert state.state == "failed"
    assert "shows other episodes than the ledger" in state.why
    assert run.info.run_id in state.why


def test_an_experiment_deleted_in_mlflow_comes_back(finished: Study, there: Target) -> None:
    mlflow = client(there.uri)
    mlflow.delete_experiment(mlflow.get_experiment_by_name("test").experiment_id)
    assert track(finished.ledger, finished.name, there).state == "done"
    assert len(runs(there.uri, "test")) == 5


def test_no_target_is_refused_before_mlflow_makes_a_database_of_its_own(finished: Study) -> None:
    assert "tracking is off" in track(finished.ledger, finished.name, Target("")).why
    assert not Path("mlflow.db").exists()


def test_a_long_run_is_shown_at_some_of_its_tasks() -> None:
    course = Course(3 * SHOWN_POINTS + 1)
    for t in range(course.tasks):
        course.add(Glimpse("r", "a", 0, "stream", t, "ok", 1.0, 0, "", 1, 2, 0.5, 0.0))
    points = [point for point in course.points(0) if point.name == "spent/tokens so far"]
    assert len(points) <= SHOWN_POINTS + 1
    assert (points[-1].step, points[-1].value) == (course.tasks, 2 * course.tasks)
    later = [point for point in course.points(1500) if point.name == "spent/tokens so far"]
    assert later == [point for point in points if point.step > 1500]


def test_a_lock_is_waited_for_and_names_its_holder(tmp_path: Path) -> None:
    told = f"process {os.getpid()} .* wait for it or end"
    with locked(tmp_path / "lock"), pytest.raises(TrackingError, match=told), locked(tmp_path / "lock", patience=0.0):
        pass
    with locked(tmp_path / "lock", patience=0.0):
        pass


def test_a_password_stays_out_of_the_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    made = target("https://ann:h%40sh@host:5000/base/", Path("ledger"))
    assert made.uri == "https://host:5000/base"
    assert "sh@" not in repr(made)
    given = made.environment()
    assert (given["MLFLOW_TRACKING_USERNAME"], given["MLFLOW_TRACKING_PASSWORD"]) == ("ann", "h@sh")
    assert made.asked == made.uri


@pytest.mark.parametrize(
    "asked", ["postgresql://ann:hush@host/db", "mysql+pymysql://host/db?password=hush", "ftp://ann:hush@host", "runs"]
)
def test_a_target_that_cannot_be_is_refused_without_its_password(asked: str) -> None:
    with pytest.raises(TrackingError) as found:
        target(asked, Path("ledger"))
    assert "hush" not in str(found.value)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("TOOLKIT_TRACKING", "http://host:5000")
    made = target("", ledger.root)
    assert made.uri == "http://host:5000"
    assert made.environment()["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert made.environment()["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_what_comes_after_the_stream_is_shown_apart() -> None:
    def seen(phase: str, t: int, score: float) -> Glimpse:
        return Glimpse("r", "a", 0, phase, t, "ok", score, 1, "", 1, 20, 2.0, 0.0)

    course = Course(2)
    for one in (seen("stream", 0, 0.0), seen("stream", 1, 1.0), seen("frozen", 0, 1.0), seen("frozen", 1, 1.0)):
        course.add(one)
    found = {point.name: point.value for point in course.final(0)}
    assert (found["final/score"], found["frozen/score"], found["frozen/tokens per task"]) == (0.5, 1.0, 20)
    assert (len(course), course.recorded) == (2, 4)
    assert {point.step for point in course.points(0)} == {1, 2}


@pytest.fixture
def tuned(study: Make) -> Study:
    return finish(study(Arm.static(), Arm("switching", learning=Switching()), seeds=1))


def registered(uri: str, name: str) -> list[tuple[str, str, str, list[str]]]:
    """Number, fate, text and aliases of each version of a prompt, in the registry's order."""
    there = client(uri)
    found = [there.get_prompt_version(name, one.version) for one in there.search_prompt_versions(name)]
    found.sort(key=lambda one: int(one.version))
    return [(one.tags["number"], one.tags["fate"], one.template, list(one.aliases or ())) for one in found]


def test_versions_of_prompts_are_files_and_registered_prompts_once(tuned: Study, own: Target, tmp_path: Path) -> None:
    for _ in range(2):
        assert track(tuned.ledger, tuned.name, own).why == ""
        before = everything(own.uri, tuned.name)
    mlflow, run = client(own.uri), runs(own.uri, tuned.name)["switching, seed 0"]
    table = json.loads(Path(mlflow.download_artifacts(run.info.run_id, "versions.json", str(tmp_path))).read_text())
    assert [one["instruction"] for one in table] == [one.instruction for one in BLOCKS]
    assert [one["in force"] for one in table] == [[[0, 8], [15, 18]], [[8, 15]], [], [[18, None]]]
    text = Path(mlflow.download_artifacts(run.info.run_id, "versions.txt", str(tmp_path))).read_text(encoding="utf-8")
    assert "+++ version 2\n  instruction:\n~   Name the errand at [-once.-]{+last.+}" in text
    name = "test.switching.seed-0"
    found = registered(own.uri, name)
    assert [(one[0], one[1], one[3]) for one in found] == [
        ("0", "replaced", []), ("1", "rolled back", []), ("2", "rejected", []), ("3", "in force", ["in-force"]),
    ]  # fmt: skip
    assert "Name the errand at once." in found[1][2]
    assert "\x1b" not in found[3][2]
    experiment = mlflow.get_experiment_by_name(tuned.name).experiment_id
    assert [one.name for one in mlflow.search_prompts(f"experiment_id = '{experiment}'")] == [name]
    linked = json.loads(run.data.tags["mlflow.linkedPrompts"])
    assert [one["version"] for one in linked] == ["1", "2", "3", "4"]
    stamps = [one.last_updated_timestamp for one in mlflow.search_prompt_versions(name)]
    assert track(tuned.ledger, tuned.name, own).state == "done"
    assert [one.last_updated_timestamp for one in mlflow.search_prompt_versions(name)] == stamps
    assert everything(own.uri, tuned.name) == before
    assert not Path("mlflow.db").exists()


def test_a_version_that_was_registered_early_gets_its_fate_later(study: Make, own: Target) -> None:
    made, name = study(Arm("switching", learning=Switching()), seeds=1), "test.switching.seed-0"
    made.run(watch=lambda run, episode: made.stop() if episode.t == 9 else None)
    track(made.ledger, made.name, own)
    assert [(one[1], one[3]) for one in registered(own.uri, name)] == [("replaced", []), ("in force", ["in-force"])]
    finish(made)
    track(made.ledger, made.name, own)
    found = registered(own.uri, name)
    assert [one[1] for one in found] == ["replaced", "rolled back", "rejected", "in force"]
    assert [one[3] for one in found] == [[], [], [], ["in-force"]]


def test_where_there_is_no_registry_it_is_said_and_files_are_there(
    tuned: Study, own: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND, INTERNAL_ERROR
    from mlflow.tracking import MlflowClient

    def refuses(code: int) -> None:
        def search(*args: object, **rest: object) -> None:
            raise MlflowException("no such address", error_code=code)

        monkeypatch.setattr(MlflowClient, "search_prompts", search)

    refuses(ENDPOINT_NOT_FOUND)
    state = track(tuned.ledger, tuned.name, own)
    assert (state.state, "has no registry of prompts (ENDPOINT_NOT_FOUND)" in state.why) == ("done", True)
    found = runs(own.uri, tuned.name)
    assert found["study test"].data.tags["prompts"] == state.why
    files = {one.path for one in client(own.uri).list_artifacts(found["switching, seed 0"].info.run_id)}
    assert files == {"versions.json", "versions.txt"}
    refuses(INTERNAL_ERROR)
    assert track(tuned.ledger, tuned.name, own).state == "failed"
    monkeypatch.undo()
    assert track(tuned.ledger, tuned.name, own).why == ""
    assert runs(own.uri, tuned.name)["study test"].data.tags["prompts"] == "registered"


def test_a_prompt_of_somebody_elses_is_left_alone(tuned: Study, own: Target) -> None:
    client(own.uri).create_prompt("test.switching.seed-0", "mine")
    assert "that the toolkit did not make" in track(tuned.ledger, tuned.name, own).why
    assert registered(own.uri, "test.switching.seed-0") == []


def test_names_of_prompts_are_valid_and_differ() -> None:
    names = [prompt_name(*parts) for parts in (("a", "b"), ("a b",), ("a-b",), ("a.b",), ("\u202e", "é"), ("x" * 400,))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,200}", name) for name in names)
    assert ATTACK not in prompt_name(ATTACK)
