"""Exams: a copy is asked and learns nothing, the run goes on as if nobody had asked, and day one is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.evaluation.frozen import NotFrozen

Make = Callable[..., tk.Study]
COST = "acting_calls, acting_input_tokens, adapting_calls, labels"
OWN = f"arm, seed, phase, t, task, answer, score, turns::VARCHAR, {COST}"
TASKS, EVERY, ASKED = 24, 8, 5
USUAL = tk.Exams(every=EVERY, tasks=ASKED)


@pytest.fixture
def study(tmp_path: Path) -> Make:
    def make(name: str = "examined", exams: tk.Exams | None = USUAL, **more: object) -> tk.Study:
        arms = [
            tk.Arm.static(),
            tk.Arm("memory", memory=tk.Retrieval(k=2)),
            tk.Arm("shuffled", memory=tk.Shuffled(tk.Retrieval(k=2)), learning=tk.DemoBuffer(size=2)),
            tk.Arm("votes", memory=tk.SlidingWindow(k=2), decider=tk.SelfConsistency(samples=2), transcript=False),
            tk.Arm("frequent", decider=tk.MostFrequent(), transcript=False),
        ]
        given = {"arms": arms, "lm": tk.Scripted(p=0.3, p_example=0.9), "seeds": 2, "tracking": "off"} | more
        return tk.Study(name, tk.Desk(tasks=TASKS, queues=4, delay=1), ledger=tmp_path, exams=exams, **given)

    return make


def of_stream(made: tk.Study) -> list[tuple[object, ...]]:
    query = f"SELECT {OWN} FROM episodes WHERE study = $1 AND phase = 'stream' ORDER BY arm, seed, t"
    return list(made.ledger.sql(query, made.name).itertuples(index=False, name=None))


def test_the_stream_is_the_same_to_the_last_answer(study: Make) -> None:
    examined, plain = study(), study("plain", exams=None)
    examined.run()
    plain.run()
    assert of_stream(examined) == of_stream(plain)
    states = {(r.arm, r.seed): r for r in plain.records()}
    assert all(r.status == "finished" for r in examined.records())
    assert {run.id for run in examined.runs}.isdisjoint({run.id for run in plain.runs})
    assert len(states) == 10


@pytest.mark.parametrize("second_pass", ["", "same"])
def test_an_agent_in_live_use_was_never_asked_either(study: Make, second_pass: str) -> None:
    examined, plain = study(second_pass=second_pass), study("plain", exams=None, second_pass=second_pass)
    kept = []
    for made in (examined, plain):
        made.run()
        agent = made.agent("shuffled", seed=1)
        kept.append(agent.memories())
        agent.close()
    assert len(kept[0]) == TASKS
    assert kept[0] == kept[1]


def test_what_is_asked_when(study: Make) -> None:
    made = study()
    made.run()
    query = "SELECT arm, seed, t, task, labels FROM episodes WHERE phase = 'exam' AND study = $1"
    frame = made.ledger.sql(query, made.name)
    counts = frame.groupby(["arm", "seed", "t"]).task.nunique().unstack("t")
    assert list(counts.columns) == [0, 8, 16, 24]
    assert (counts[0] == TASKS).all()
    assert (counts[[8, 16, 24]] == ASKED).all().all()
    later = frame[frame.t > 0]
    assert later.groupby(["arm", "seed", "t"]).task.agg(frozenset).nunique() == 1
    assert frame.labels.sum() == 0
    assert all(record.episodes == run.length for record, run in zip(made.records(), made.runs, strict=True))
    static = frame[(frame.arm == "static") & (frame.seed == 0) & (frame.t == 0)]
    query = "SELECT task FROM episodes WHERE arm = 'static' AND seed = 0 AND phase = 'stream'"
    order = made.ledger.sql(query)
    assert set(static.task) == set(order.task)


def test_a_cut_off_run_goes_on_to_the_same_and_replays(study: Make) -> None:
    whole, cut = study(), study("cut", reuse=False)
    whole.run()
    for after in (10, 40, 90):
        left = iter(range(after))

        def stop(run: object, episode: object, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                cut.stop()

        cut.run(watch=stop)
        assert "stopped" in {record.status for record in cut.records()}
    cut.run()
    assert {r.run: r.hash for r in cut.records()} == {r.run: r.hash for r in whole.records()}
    assert whole.replay().identical


def test_day_one_shows_what_a_role_is_worth_and_not_what_memory_is(tmp_path: Path) -> None:
    desk = tk.role("service-desk")
    arms = [tk.Arm.static(), tk.Arm("role", role=desk), tk.Arm("memory", memory=tk.Retrieval(k=3))]
    lm = tk.Scripted(p=0.3, p_example=0.9, role_gain=0.3)
    given = {"lm": lm, "seeds": 5, "tracking": "off", "exams": tk.Exams(every=30, tasks=20), "ledger": tmp_path}
    made = tk.Study("day", tk.Desk(tasks=60, queues=4, returning=0), arms=arms, **given)
    made.run()
    found = tk.day_one(made)
    assert "a pass before the stream" in found["role"].method
    assert found["role"].low < 0.6 < found["role"].high
    assert found["static"].low < 0.3 < found["static"].high
    assert found["memory"].low < 0.3 < found["memory"].high
    assert made.compare().row("memory").score.value > found["memory"].high
    text = made.report().read_text(encoding="utf-8")
    assert "Day one" in text


def test_a_policy_that_is_changed_by_its_copy_is_found(study: Make) -> None:
    made = study(arms=[tk.Arm("outside", memory=Outside())], baseline="outside", seeds=1)
    made.run()
    (record,) = made.records()
    assert (record.status, record.error.split(":")[0]) == ("failed", NotFrozen.__name__)


class Outside(tk.MemoryPolicy):
    """Counts how often it was asked, in a place that all copies share."""

    asked: list[int] = []  # noqa: RUF012

    def recall(self, task):
        self.asked.append(1)
        return tk.Recall()

    def state(self):
        return {"asked": len(self.asked)}


def test_file_plan_and_mistakes(study: Make, tmp_path: Path) -> None:
    made = study()
    assert tk.load(tk.save(made, tmp_path / "study.toml")).exams == tk.Exams(every=EVERY, tasks=ASKED)
    assert made.plan().total.calls > 1.5 * study(exams=None).plan().total.calls
    with pytest.raises(SpecError, match="exams ask nothing"):
        study(exams=tk.Exams(before=False))
    with pytest.raises(SpecError, match=r"exams.tasks must be a whole number of at least 1 but is 0"):
        study(exams=tk.Exams(tasks=0))
    file = tmp_path / "study.toml"
    file.write_text(file.read_text().replace("every =", "evry ="))
    with pytest.raises(SpecError, match=r"exams have no key 'evry'"):
        tk.load(file)
