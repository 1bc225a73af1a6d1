"""Courses along the stream, from the ledger's files: equal to what a plain reading of the rows gives."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from errands import Errands, finish, rewrite

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.analysis.retention import again
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.matrix import matrices
from toolkit.stats import curve_band, slope_last_third
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]
PASS = {"phase": "exam", "t": 0, "score": 0.5}
ARMS = (Arm.static(), Arm("memory", memory=Retrieval()))


def plainly(study: Study, arm: str) -> np.ndarray:
    """Runs x tasks by a pivot of the rows, as it was done before."""
    frame = study.episodes()
    frame = frame[(frame.arm == arm) & (frame.phase == "stream")]
    frame = frame[frame.t < min(len(stream.pairs()) for stream in study.streams)]
    return frame.pivot(index=["stream", "order", "seed"], columns="t", values="score").to_numpy(dtype=float)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("how", [{}, {"window": 7}, {"fading": 0.9}])
def test_curves_are_those_of_the_rows(study: Make, how: dict[str, float]) -> None:
    streams = {"stream": Errands(tasks=31), "streams": [Errands(tasks=40, delay=3)]}
    made = finish(study(*ARMS, **streams, order=["shuffled", "given"], seeds=3))
    found = tk.learning_curves(made, **how)
    assert list(found) == ["static", "memory"]
    for arm, band in found.items():
        expected = curve_band(plainly(made, arm), **how)
        for name in ("t", "mean", "low", "high", "n_runs"):
            np.testing.assert_allclose(getattr(band, name), getattr(expected, name), rtol=0, atol=1e-12)
    alone = tk.learning_curves(made, stream="errands-2")["memory"]
    assert len(alone.t) == 40


def test_a_study_under_way_is_read_from_logs_and_parquet_at_once(study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    made = study(*ARMS, stream=Errands(tasks=40), workers=1)
    seen: list[int] = []
    made.run(watch=lambda run, episode: made.stop() if seen.append(1) or len(seen) == 100 else None)
    assert {path.suffix for path in made.folder.glob("runs/*/episodes.*")} == {".jsonl", ".parquet"}
    planned = json.loads((made.folder / "plan.json").read_text(encoding="utf-8"))
    found = matrices(made.ledger, made.name, planned)
    for arm, matrix in found.items():
        expected = plainly(made, arm)
        begun = ~np.isnan(matrix).all(axis=1)
        np.testing.assert_array_equal(matrix[begun], expected)
    assert sum(int((~np.isnan(matrix)).sum()) for matrix in found.values()) == 100


def test_rows_that_are_no_scores_of_the_stream_leave_gaps_or_nothing(study: Make) -> None:
    made = finish(study(*ARMS, stream=Errands(tasks=20)))
    folder = next(made.folder.glob("runs/static-*"))

    def change(rows: list[dict[str, object]]) -> None:
        rows[4]["score"] = None
        rows.append(rows[3] | {"phase": "frozen", "score": 0.125})

    rewrite(folder, "episodes", change)
    matrix = matrices(made.ledger, made.name, json.loads((made.folder / "plan.json").read_text()))["static"]
    assert matrix.shape == (2, 20)
    assert int(np.isnan(matrix).sum()) == 1
    assert not (matrix == 0.125).any()
    assert tk.regret(made)["memory"].reason.startswith("1 of 2 runs have a task without a score")


def test_regret_and_slopes_are_differences_run_by_run(study: Make) -> None:
    made = finish(study(*ARMS, stream=Errands(tasks=30), seeds=4))
    static, memory = plainly(made, "static"), plainly(made, "memory")
    found = tk.regret(made)
    assert list(found) == ["memory"]
    np.testing.assert_allclose(found["memory"].mean, np.cumsum(static - memory, axis=1).mean(axis=0), atol=1e-12)
    assert list(tk.regret(made, baseline="memory")) == ["static"]
    steep = tk.slopes(made)
    assert list(steep) == ["static", "memory", "memory - static"]
    assert steep["memory - static"] == slope_last_third(memory - static)
    with pytest.raises(LedgerError, match="did you mean 'memory'"):
        tk.regret(made, baseline="memry")


def test_recovery_is_read_from_the_study(study: Make) -> None:
    made = finish(study(*ARMS, stream=Errands(tasks=40), order="given"))
    found = tk.recovery(made, 20, window=5)
    assert set(found) == {"static", "memory"}
    assert found["memory"].runs == 2
    assert "2 runs" in found["memory"].reason


def test_the_first_tasks_stand_for_day_one_unless_there_was_a_pass_before(study: Make) -> None:
    made = finish(study(*ARMS, stream=Errands(tasks=30), seeds=5))
    found = tk.day_one(made, first=10)["static"]
    assert found.n == 50
    assert found.value == pytest.approx(plainly(made, "static")[:, :10].mean())
    assert "the first 10 tasks of each run, with updating on" in found.method
    for folder in made.folder.glob("runs/static-*"):
        rewrite(folder, "episodes", lambda rows: rows.extend([row | PASS for row in rows[:8]]))
    found = tk.day_one(made)["static"]
    assert (found.n, found.value) == (40, 0.5)
    assert "a pass before the stream" in found.method


def test_transfer_without_a_second_meeting_says_so(study: Make) -> None:
    made = finish(study(*ARMS, stream=Errands(tasks=10)))
    found = tk.transfer(made)["memory"]
    assert np.isnan(found.value)
    assert "no task was asked twice" in found.reason


def met(phase: str, t: int, task: str, score: float) -> dict[str, object]:
    return {"stream": "s", "order": "given", "seed": 0, "phase": phase, "t": t, "task": task, "score": score}


def test_what_counts_is_the_first_and_last_meeting_after_a_task_was_learned() -> None:
    rows = [
        met("exam", 0, "a", 0.1),
        met("stream", 0, "a", 0.2),
        met("exam", 1, "a", 0.9),
        met("stream", 1, "b", 0.3),
    ]
    rows += [met("exam", 2, "a", 0.5), met("frozen", 0, "b", 0.6), met("frozen", 1, "a", 0.4)]
    soon, late = again(pd.DataFrame(rows).sample(frac=1, random_state=0))
    np.testing.assert_array_equal(soon, [[0.9]])
    np.testing.assert_array_equal(late, [[0.4]])
    repeats = pd.DataFrame([met("stream", t, "a", score) for t, score in enumerate([0.0, 0.7, 0.2])])
    assert [part.tolist() for part in again(repeats)] == [[[0.7]], [[0.2]]]
    assert again(repeats[:2])[0].size == 0
