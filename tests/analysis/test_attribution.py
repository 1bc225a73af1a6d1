"""Attribution: what a planted memory was worth, which memories did harm, and one episode asked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.ledger.log import LedgerError

GAIN = 0.6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    arms = [
        tk.Arm.static(),
        tk.Arm("memory", memory=tk.Retrieval(k=2)),
        tk.Arm("permuted", memory=tk.PermutedLabels(tk.Retrieval(k=2))),
        tk.Arm("misled", memory=tk.PermutedLabels(tk.Retrieval(k=2)), decider=tk.NearestNeighbour(), transcript=False),
    ]
    stream = tk.Desk(tasks=120, queues=6, returning=0)
    ledger = tmp_path_factory.mktemp("ledger")
    lm = tk.Scripted(p=0.3, p_example=0.3 + GAIN)
    study = tk.Study("use", stream, arms=arms, lm=lm, seeds=6, ledger=ledger, tracking="off", counterfactuals=0.5)
    study.run()
    return study


def informed(study: tk.Study, arm: str) -> float:
    """Share of the tasks asked again at which a recalled memory carried the right answer."""
    frame = study.ledger.sql(
        "SELECT e.run, e.t, max((m.correction = e.correction)::INT) AS told FROM (SELECT *, unnest(turns[1].recalled) "
        "AS id FROM episodes WHERE arm = $1 AND len(counterfactuals) > 0) e JOIN episodes m ON m.run = e.run AND "
        "m.phase || '/' || m.t = e.id GROUP BY ALL",
        arm,
    )
    return float(frame.told.mean())


def test_the_planted_gain_is_found_and_the_sham_has_none(made: tk.Study) -> None:
    found = tk.attribution(made)
    memory, sham = found.row("memory"), found.row("permuted")
    planted = GAIN * informed(made, "memory")
    assert 0.2 < planted < GAIN
    assert memory.gain.low < planted < memory.gain.high
    assert memory.gain.low > 0
    assert memory.relevance.low > 0
    assert memory.helped > memory.harmed
    assert memory.by_itself is not None
    assert memory.changed.value > memory.by_itself.value > 0
    assert sham.gain.low < 0.1
    assert sham.gain.value < memory.gain.low
    assert "static" not in {row.arm for row in found.rows}
    assert found.row("misled").by_itself is None  # it draws nothing


def test_single_memories_are_told_apart_by_the_task_they_came_from(made: tk.Study) -> None:
    frame = tk.attribution(made).memories
    own = frame[frame.arm == "memory"]
    assert (own.recalled > 1).any()  # of several runs
    assert own.text.str.len().min() > 0
    weights = own.gain * own.recalled
    assert list(weights) == sorted(weights, reverse=True)
    counted = made.ledger.sql(
        "SELECT count(*) AS n FROM (SELECT unnest(counterfactuals) AS one FROM episodes WHERE arm = 'memory') "
        "WHERE one.instead = 'all but one'"
    )
    assert own.recalled.sum() == counted.n[0]


def test_harm_raises_the_alarm(tmp_path: Path) -> None:
    arms = [tk.Arm.static(), tk.Arm("misled", memory=tk.PermutedLabels(tk.Retrieval(k=2)))]
    lm = tk.Scripted(p=0.9, p_example=0.9, gains={"queue": 0.0})
    lm = tk.Scripted(p=0.95, gains={"memory": 0.0}) if lm is None else lm
    stream = tk.Desk(tasks=60, queues=6)
    study = tk.Study("harm", stream, arms=arms, lm=lm, seeds=5, ledger=tmp_path, tracking="off", counterfactuals=1.0)
    study.run()
    assert tk.attribution(study).alarms == ()


def test_the_report_shows_it(made: tk.Study) -> None:
    text = made.report().read_text(encoding="utf-8")
    assert "Was it memory?" in text
    assert "The most helpful and the most harmful memories" in text


def test_one_episode_is_asked_again(made: tk.Study) -> None:
    rows = made.ledger.sql(
        "SELECT t, answer, turns[1].recalled AS recalled FROM episodes WHERE arm = 'misled' AND seed = 2 AND t = 50"
    )
    one = made.episode("misled", 50, seed=2)
    assert one.episode.answer == rows.answer[0]
    assert set(one.recalled) == set(rows.recalled[0])
    nearest = rows.recalled[0][-1]
    both = one.without(nearest)
    assert both.answer == rows.answer[0]
    assert both.other == one.recalled[rows.recalled[0][0]].split(" → ")[1]  # the next nearest's
    assert f"without {nearest}: {both.other!r}" in repr(both)
    assert one.without().left_out == ("any memory",)
    task = made.ledger.sql(
        f"SELECT task FROM episodes WHERE arm = 'misled' AND seed = 2 AND phase || '/' || t = '{nearest}'"
    ).task[0]
    assert task in set(tk.attribution(made).memories.memory), "what the table calls it can be left out"
    assert one.without(task).other == both.other
    assert "recalled stream/" in repr(one)
    before = made.ledger.sql("SELECT count(*) AS n FROM calls").n[0]
    made.episode("memory", 50, seed=2).without()
    assert made.ledger.sql("SELECT count(*) AS n FROM calls").n[0] == before


@pytest.mark.parametrize(
    ("ask", "error", "told"),
    [
        (lambda s: s.episode("memroy", 1), SpecError, "'memory'"),
        (lambda s: s.episode("memory", 1, seed=99), SpecError, "no run of seed 99"),
        (lambda s: s.episode("memory", 120), LedgerError, "has no task 120: 120 episodes recorded"),
        (lambda s: s.episode("memory", 5).without("stream/77"), ValueError, "'stream/77' was not recalled"),
    ],
)
def test_mistakes_are_told(
    made: tk.Study, ask: Callable[[tk.Study], object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        ask(made)


def test_a_study_that_asked_nobody_says_so(tmp_path: Path) -> None:
    study = tk.Study("plain", tk.Desk(tasks=4, queues=2), arms=[tk.Arm.static()], lm=tk.Scripted(), ledger=tmp_path)
    study.tracking.target  # noqa: B018
    study = tk.Study(
        "plain", tk.Desk(tasks=4, queues=2), arms=[tk.Arm.static()], lm=tk.Scripted(), ledger=tmp_path, tracking="off"
    )
    study.run()
    with pytest.raises(LedgerError, match="asked nobody again: run one with counterfactuals"):
        tk.attribution(study)
