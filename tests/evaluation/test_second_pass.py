"""The second pass: nothing is updated in it, and stopping, resuming, replay, hash and budget hold as everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from errands import Errands, finish, prompts

from toolkit.agents.arm import Arm, floors
from toolkit.analysis import second_pass
from toolkit.component import digest
from toolkit.episode import Episode
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.pack import pack, replay_archive
from toolkit.evaluation.rescore import rescore
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.ledger.follow import Follower
from toolkit.ledger.log import LedgerError
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.streams.table import Table
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import MemoryPolicy, Retrieval, Shuffled
from toolkit.widgets.study_form import StudyForm

ARMS = (
    Arm.static(),
    Arm("both", memory=Retrieval(k=2), learning=DemoBuffer(size=3)),
    Arm("sham", memory=Shuffled(Retrieval(k=2))),
    *floors()[1:],
)


def test_without_a_second_pass_every_run_is_the_one_it_was(study: Callable[..., Study]) -> None:
    """Identities of before: had they moved, no ledger could go on."""
    plain, same = study(Arm.static(), seeds=1), study(Arm.static(), seeds=1, second_pass="same")
    [run], [other] = plain.runs, same.runs
    stream, judged = plain.stream.fingerprint(), [plain.channel.fingerprint(), [s.fingerprint() for s in plain.scorers]]
    model = plain.lm.fingerprint()
    told = [1, run.arm.fingerprint(), model, plain.deciding, 0, stream, *judged, 0, run.places]
    assert run.id == digest(told)
    assert other.id not in (run.id, study(Arm.static(), seeds=1, second_pass=Errands(6)).runs[0].id)
    assert "second_pass" not in plain.config()["study"]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("second", ["same", Desk(tasks=7, draw=3)], ids=["same", "held-out"])
def test_both_passes_are_recorded_and_replayed(study: Callable[..., Study], second: str | Desk) -> None:
    made = finish(study(*ARMS[:3], ARMS[-1], stream=Desk(tasks=10, delay=3), second_pass=second))
    rows = made.episodes()
    frozen = rows[rows.phase == "frozen"]
    size = 10 if second == "same" else 7
    assert len(frozen) == len(made.runs) * size
    assert (rows.phase == "stream").sum() == len(made.runs) * 10
    assert frozen.feedback_score.isna().all()
    assert (frozen.labels == 0).all()
    assert (frozen[frozen.arm == "truth"].score == 1).all(), "it is shown the keys of the other stream, too"
    if second == "same":
        orders = rows.sort_values("t").groupby(["arm", "seed", "phase"]).task.agg(tuple)
        assert (orders.xs("stream", level="phase") == orders.xs("frozen", level="phase")).all()
    assert made.replay().identical, made.replay()
    assert [one.status for one in made.run()] == ["finished"] * len(made.runs)


def test_late_feedback_is_delivered_first_and_then_nothing_is_kept(study: Callable[..., Study]) -> None:
    """What is recalled in the second pass are tasks of the first, its last ones with their right answers."""
    made = finish(study(*ARMS[:2], stream=Errands(delay=5, sessions=False), seeds=1, second_pass="same"))
    rows = made.ledger.sql("SELECT recalled FROM memories WHERE arm = 'both' AND phase = 'frozen'")
    assert len(rows) > 24
    assert all(source.startswith("stream/") for source in rows.recalled)
    assert rows.recalled.isin([f"stream/{t}" for t in range(19, 24)]).any()
    calls = made.ledger.sql("SELECT * FROM calls WHERE run = $1 AND phase = 'frozen' ORDER BY t", made.runs[1].id)
    demos = [[turn["text"] for turn in prompt if turn["role"] == "user"][:3] for prompt in calls.prompt]
    assert all(one == demos[0] for one in demos), "what was learned stays"
    last = made.episodes().query("arm == 'both' and phase == 'stream'").sort_values("t").task.tolist()[-3:]
    wanted = {task.id: task.text for task, _ in made.stream.pairs()}
    assert [wanted[task] in text for task, text in zip(last, demos[0], strict=True)] == [True] * 3


def test_sessions_begin_anew_in_the_second_pass(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static(), stream=Errands(8), seeds=1, order="given", second_pass="same"))
    calls = made.ledger.sql("SELECT phase, t, prompt FROM calls ORDER BY phase, t")
    assert prompts(made, "static")
    lengths = {phase: [len(prompt) for prompt in own.prompt] for phase, own in calls.groupby("phase")}
    assert lengths["frozen"] == lengths["stream"] == [lengths["stream"][0], lengths["stream"][0] + 2] * 4


def test_the_two_passes_do_not_share_their_luck(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static_call("static"), stream=Errands(60), lm=Scripted(0.5), seeds=1, second_pass="same"))
    rows = made.episodes().pivot(index="task", columns="phase", values="score")
    assert 5 < (rows.stream != rows.frozen).sum() < 55


@pytest.mark.usefixtures("form")
def test_a_run_stopped_within_its_second_pass_goes_on_to_the_same_hash(study: Callable[..., Study]) -> None:
    settings = {"stream": Errands(8, delay=2), "seeds": 1, "workers": 1, "second_pass": Errands(6, second="post")}
    whole = {one.arm: one.hash for one in finish(study(*ARMS, name="whole", **settings)).run()}
    made, seen = study(*ARMS, **settings), list[Episode]()

    def watch(run: object, episode: Episode) -> None:
        seen.append(episode)
        if episode.id == "frozen/2" and run.arm.name == "both":
            made.stop()

    states = {one.arm: one for one in made.run(watch=watch)}
    assert (states["both"].status, states["both"].episodes) == ("stopped", 11)
    done = {one.arm: one for one in made.run()}
    assert {arm: one.hash for arm, one in done.items()} == whole
    assert done["both"].replayed == 11


def test_who_follows_the_files_sees_every_episode_once(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the log becomes Parquet between two looks, the first one within the second pass."""
    monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    made = study(Arm.static(), stream=Errands(6), seeds=1, workers=1, second_pass="same")
    follower, seen = Follower(made.ledger, "test"), list[str]()

    def look(*_: object) -> None:
        seen.extend(f"{one.phase}/{one.t}" for one in follower.poll())

    made.run(watch=lambda run, episode: look() if episode.id == "frozen/2" else None)
    assert seen == [*(f"stream/{t}" for t in range(6)), *(f"frozen/{t}" for t in range(3))]
    look()
    assert seen == [f"{phase}/{t}" for phase in ("stream", "frozen") for t in range(6)]


def test_a_form_keeps_what_it_does_not_show(study: Callable[..., Study]) -> None:
    made = study(Arm.static(), stream=Desk(tasks=5), second_pass=Desk(tasks=4, draw=1))
    assert StudyForm(made).value.second_pass == made.second_pass


def test_a_budget_stops_the_second_pass_too(study: Callable[..., Study]) -> None:
    made = study(Arm.static(), stream=Errands(8), seeds=1, second_pass="same", budget=Budget(calls=11))
    [record] = made.run()
    assert (record.status, record.episodes) == ("stopped", 11)
    assert "budget stop: calls" in record.error
    made.budget = Budget(calls=16)
    assert [one.status for one in made.run()] == ["finished"]
    assert made.ledger.sql("SELECT count(*) AS n FROM calls").n[0] == 16


class Fickle(MemoryPolicy):
    """Counts how often it is asked."""

    def reset(self, rng, think):
        self.asked = 0

    def recall(self, task):
        self.asked += 1
        return super().recall(task)


def test_what_changes_while_it_is_frozen_fails_the_run_loudly(study: Callable[..., Study]) -> None:
    [record] = study(Arm("f", memory=Fickle()), seeds=1, second_pass="same").run()
    assert record.status == "failed"
    assert "NotFrozen: arm 'f' changed during the second pass" in record.error


def test_it_stands_in_the_file_and_comes_back(
    study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("held.csv").write_text("note,errand\nnote a,post\nnote b,bank\n")
    held_out = Table("held.csv", inputs="note", answer="errand", options="answers")
    for second in ("same", held_out):
        made = study(Arm.static(), stream=Desk(tasks=5), second_pass=second)
        file = save(made, "study.toml")
        again = load(file, ledger=made.ledger.root)
        assert again.second_pass == second
        assert [run.id for run in again.runs] == [run.id for run in made.runs]
    assert 'data = "held.csv"' in file.read_text()
    assert [
        len(run.second_places) for run in study(Arm.static(), seeds=1, second_pass=Errands(4)).extend(seeds=1).runs
    ] == [4, 4]


def test_an_archive_holds_what_the_replay_of_a_held_out_stream_needs(
    study: Callable[..., Study], tmp_path: Path
) -> None:
    made = finish(study(Arm.static(), stream=Desk(tasks=5), second_pass=Desk(tasks=6, draw=2), seeds=1))
    packed = pack(made.ledger, "test", tmp_path / "test.zip", anonymous=True)
    assert replay_archive(packed.path).identical


def test_answers_of_both_passes_are_scored_later_by_their_own_keys(study: Callable[..., Study]) -> None:
    made = finish(study(*floors()[2:], stream=Desk(tasks=5), second_pass=Desk(tasks=6, draw=2), seeds=1))
    [done] = rescore("test", metrics=["exact"], ledger=made.ledger)
    assert done.differ == 0
    assert len(made.ledger.sql("SELECT * FROM rescored")) == 2 * 11


@pytest.mark.parametrize("wrong", ["twice", 3])
def test_what_is_no_second_pass_is_refused(study: Callable[..., Study], wrong: object) -> None:
    with pytest.raises(SpecError, match=f"second_pass must be empty, 'same' or a held-out stream but is {wrong!r}"):
        study(Arm.static(), second_pass=wrong)
    with pytest.raises(SpecError, match="holds the tasks of the stream itself"):
        study(Arm.static(), second_pass=Errands()).run()


def test_plasticity_stability_and_generalisation_are_told_apart(study: Callable[..., Study]) -> None:
    """Answers given before stand in the examples: so the second pass over the same tasks must come out better."""
    arms = [Arm.static_call("static"), Arm("memory", memory=Retrieval(k=1), transcript=False)]
    settings = {"stream": Desk(tasks=60, queues=8), "lm": Scripted(0.2, 0.9), "seeds": 5}
    same = second_pass(finish(study(*arms, second_pass="same", **settings)))
    row = same.row("memory")
    rows = study(*arms, second_pass="same", **settings).episodes()
    means = rows[rows.arm == "memory"].groupby("phase").score.mean()
    assert (row.plasticity.value, row.frozen.value) == pytest.approx((means["stream"], means["frozen"]))
    assert row.stability is not None
    assert row.stability.value == pytest.approx(means["frozen"] - means["stream"])
    assert row.stability.low > 0.1, "every task recalls itself"
    assert abs(row.frozen.value - 0.9) < 0.1
    assert row.stability_gain is not None
    assert row.stability_gain.low > 0
    static = same.row("static")
    assert static.stability is not None
    assert static.stability.low < 0 < static.stability.high
    assert (static.plasticity_gain, static.frozen_gain) == (None, None)
    assert {"stability", "frozen_gain"} <= set(same.frame.number)
    assert "less static's" in str(same)
    assert "<table>" in same._repr_html_()

    # Another company's tickets: what was learned of the first one's rules is of no use there.
    held = second_pass(finish(study(*arms, name="held", second_pass=Desk(tasks=60, queues=8, draw=9), **settings)))
    other = held.row("memory")
    assert other.stability is None
    assert other.frozen.n == 5 * 60
    assert other.frozen.high < row.frozen.low
    assert "generalisation" in str(held)


def test_a_study_without_a_second_pass_says_so(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static(), seeds=1))
    with pytest.raises(LedgerError, match="has no second pass"):
        second_pass(made)
    waiting = study(Arm.static(), name="waiting", seeds=1, second_pass="same", budget=Budget(calls=3))
    waiting.run()
    with pytest.raises(LedgerError, match="no run has come to its second pass yet"):
        second_pass(waiting)


def test_the_headline_and_the_live_view_count_the_stream_alone(study: Callable[..., Study]) -> None:
    plain = finish(study(Arm.static(), Arm("m", memory=Retrieval()), name="plain"))
    both = finish(study(Arm.static(), Arm("m", memory=Retrieval()), second_pass="same"))
    one, other = plain.compare(), both.compare()
    assert str(one).replace("plain", "") == str(other).replace("test", "")
    assert np.allclose(one.frame.difference, other.frame.difference, equal_nan=True)
    planned = json.loads((both.folder / "plan.json").read_text())
    assert planned["second_pass"] == {"kind": "same"}
    assert {run["frozen"] for run in planned["runs"]} == {24}
    assert both.report().exists()
