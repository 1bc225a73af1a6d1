"""Asking again without what was recalled: the run goes on as if nobody had, and the cost is the bench's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.errors import SpecError

Make = Callable[..., tk.Study]
COLUMNS = "run, t, answer, score, turns, acting_calls, acting_input_tokens, adapting_calls"


@pytest.fixture
def study(tmp_path: Path) -> Make:
    def make(name: str = "asked", share: float = 0.5, **more: object) -> tk.Study:
        arms = [
            tk.Arm.static(),
            tk.Arm("memory", memory=tk.Retrieval(k=2)),
            tk.Arm("shuffled", memory=tk.Shuffled(tk.Retrieval(k=2))),
            tk.Arm("nearest", memory=tk.Retrieval(k=2), decider=tk.NearestNeighbour(), transcript=False),
        ]
        given = {"arms": arms, "lm": tk.Scripted(p=0.3, p_example=0.9), "seeds": 2, "tracking": "off"} | more
        return tk.Study(name, tk.Desk(tasks=30, queues=4), ledger=tmp_path, counterfactuals=share, **given)

    return make


def rows(made: tk.Study, columns: str = COLUMNS) -> list[tuple[object, ...]]:
    query = f"SELECT {columns.replace('run', 'arm, seed', 1)} FROM episodes WHERE study = $1 ORDER BY ALL"
    return list(made.ledger.sql(query, made.name).astype(str).itertuples(index=False, name=None))


def test_the_run_itself_is_the_same(study: Make) -> None:
    asked, plain = study(), study("plain", share=0.0)
    asked.run()
    plain.run()
    assert rows(asked) == rows(plain)
    assert {run.id for run in asked.runs}.isdisjoint({run.id for run in plain.runs})


def test_ways_cost_and_the_same_tasks_for_all_arms(study: Make) -> None:
    made = study()
    made.run()
    frame = made.ledger.sql(
        "SELECT arm, seed, task, t, judging_calls, len(counterfactuals) AS n, counterfactuals AS asked, turns "
        "FROM episodes WHERE study = $1",
        made.name,
    )
    assert frame[frame.arm == "static"].n.sum() == 0
    full = frame[(frame.arm == "memory") & (frame.n > 0)]
    assert len(full) > 10
    for row in full.itertuples():
        ways = [one["instead"] for one in row.asked]
        left_out = [one["memory"] for one in row.asked if one["instead"] == "all but one"]
        recalled = list(row.turns[0]["recalled"])
        assert ways[:2] == ["nothing", "the same"]
        assert sorted(left_out) == (sorted(recalled) if len(recalled) > 1 else [])
        assert row.judging_calls == row.n
    by_arm = {arm: set(zip(own.seed, own.task, strict=True)) for arm, own in frame[frame.n > 0].groupby("arm")}
    assert by_arm["memory"] == by_arm["shuffled"] == by_arm["nearest"]
    assert frame[frame.arm == "nearest"].judging_calls.sum() == 0
    row = made.compare().row("memory")
    assert row.calls == 1.0  # what the bench asks is no cost of the arm


def test_a_cut_off_run_goes_on_and_a_finished_one_replays(study: Make) -> None:
    made = study()
    seen: list[int] = []

    def stop(_: object) -> None:
        seen.append(1)
        if len(seen) == 40:
            raise KeyboardInterrupt

    whole = study("whole")
    whole.run()
    made.start()
    made.stop()
    made.run()
    assert {r.run: r.hash for r in made.records()} == {r.run: r.hash for r in whole.records()}
    assert whole.replay().identical


def test_it_stands_in_the_file_and_mistakes_are_told(study: Make, tmp_path: Path) -> None:
    made = study()
    assert tk.load(tk.save(made, tmp_path / "study.toml")).counterfactuals == 0.5
    with pytest.raises(SpecError, match=r"share of the tasks in \[0, 1\] but is 2"):
        study(share=2)


def test_the_plan_counts_what_is_asked(study: Make) -> None:
    def calls(share: float) -> float:
        return study(share=share).plan().total.calls

    assert calls(1.0) > 2 * calls(0.0)


def test_notes_are_left_out_line_by_line() -> None:
    recall = tk.Recall((tk.Example({"x": "1"}, "a", "e1"),), "- one\n- two", ("n1", "n2"))
    assert recall.memories == ("n1", "n2", "e1")
    assert recall.without("n1") == tk.Recall(recall.examples, "- two", ("n2",))
    assert recall.without("e1") == tk.Recall((), "- one\n- two", ("n1", "n2"))
    with pytest.raises(ValueError, match="'n9' was not recalled; recalled were n1, n2, e1"):
        recall.without("n9")
    with pytest.raises(ValueError, match="2 memories are 1 lines"):
        tk.Recall((), "one text", ("n1", "n2")).without("n1")
