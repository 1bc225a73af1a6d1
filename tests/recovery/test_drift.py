"""Recovery after a declared drift: a planted one is covered, the truth loses nothing, stale labels cost more."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from errands import Errands, finish

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth, NearestNeighbour
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.records import Recall, Turn
from toolkit.streams.desk import Desk, wordings
from toolkit.traits.learning import PageHinkley
from toolkit.traits.memory import Renewed, SlidingWindow

Make = Callable[..., Study]


class Stunned(GroundTruth):
    """Right until task 30, then wrong for as many tasks as it draws from 0 to 20: 10 in the median."""

    stateless = False

    def reset(self, rng):
        self.met, self.stunned = 0, int(rng.integers(21))

    def decide(self, step, task, context, decision):
        wrong = 30 <= self.met < 30 + self.stunned
        self.met += 1
        return Turn(step.name, "wrong" if wrong else self._answers[task.id])

    def state(self):
        return {"met": self.met, "stunned": self.stunned}


@cache
def topic_of(text: str) -> str:
    return wordings().topic(text)


class Filed(SlidingWindow):
    """Of the last ``k`` tickets those on the same topic, the oldest last, where the nearest neighbour copies it."""

    def recall(self, task):
        topic = topic_of(task.inputs["ticket"])
        alike = [kept for kept in self.windows.get("", {}).values() if topic_of(kept.fields["ticket"]) == topic]
        return Recall(tuple(kept.example for kept in reversed(alike)))


def test_a_planted_recovery_is_covered_and_its_place_read_from_the_plan(study: Make) -> None:
    made = finish(study(Arm("stunned", decider=Stunned()), stream=Desk(tasks=60, drift=1), seeds=11))
    assert tk.drifts(made) == (30,)
    found = tk.recovery(made.name, ledger=made.ledger, window=5)["stunned"]
    np.testing.assert_array_equal(found.times, tk.recovery(made, 30, window=5)["stunned"].times)
    told = made.report().read_text(encoding="utf-8")
    assert "After the truth changed" in told
    assert ">change<" in told  # beside the line in the curves
    assert found.low <= 10 + 5 <= found.high
    assert len(set(found.times)) > 3


def test_stale_labels_recover_slower_than_a_window_and_the_truth_loses_nothing(study: Make) -> None:
    arms = [
        Arm("stale", memory=Filed(10_000), decider=NearestNeighbour(), transcript=False),
        Arm("window", memory=Filed(60), decider=NearestNeighbour(), transcript=False),
        Arm("renewed", memory=Renewed(Filed(10_000), PageHinkley()), decider=NearestNeighbour(), transcript=False),
        Arm("truth", decider=GroundTruth()),
    ]
    stream = Desk(tasks=400, queues=24, returning=0.0, drift=1, redrawn=1.0)
    made = finish(study(*arms, stream=stream, seeds=6, baseline="truth"))
    scores = made.episodes().groupby([made.episodes().arm, made.episodes().t >= 200]).score.mean()
    assert scores["truth"].tolist() == [1.0, 1.0]
    found = tk.recovery(made, window=40, tolerance=0.1)
    assert found["truth"].median == 40
    assert found["window"].reached == 6
    assert 40 < found["window"].median < 140
    assert found["stale"].reached == 0
    assert found["renewed"].reached == 6
    assert 40 < found["renewed"].median < 140
    lost = {arm: band.mean[-1] for arm, band in tk.regret(made, baseline="truth", since=200).items()}
    assert lost["renewed"] < lost["window"] < lost["stale"], "against the oracle, which switches at once"
    rang = tk.detections(made)
    [delay] = rang.row("renewed").delays
    assert (delay.at, delay.runs, delay.missed) == (200, 6, 0)
    assert 8 <= delay.median <= 30, "eight wrong answers in a row are the least, of tasks that all changed"
    assert rang.row("renewed").false.value < 10
    assert [row.arm for row in rang.rows] == ["renewed"], "the others have no detector"
    assert "6 of 6" in str(rang)
    assert rang.frame.missed.tolist() == [0]


def test_of_several_drifts_each_is_followed_to_the_next(study: Make) -> None:
    made = finish(study(Arm("truth", decider=GroundTruth()), stream=Desk(tasks=60, drift=2), baseline="truth"))
    assert tk.drifts(made) == (20, 40)
    assert tk.recovery(made, window=5)["truth"].followed.tolist() == [20, 20]
    assert tk.recovery(made, 40, window=5)["truth"].followed.tolist() == [20, 20]


def test_no_declared_drift_is_told_with_the_way_out(study: Make) -> None:
    made = finish(study(Arm("truth", decider=GroundTruth()), stream=Errands(tasks=20), baseline="truth"))
    with pytest.raises(LedgerError, match=r"declares where it drifts; give the change as at="):
        tk.recovery(made, window=5)
    with pytest.raises(LedgerError, match=r"no arm of study 'test' has a detector: give one"):
        tk.detections(made)
    streams = {"stream": Desk(tasks=20, drift=1), "streams": [Desk(tasks=20, drift=3)]}
    made = finish(study(Arm("truth", decider=GroundTruth()), name="two", baseline="truth", **streams))
    with pytest.raises(LedgerError, match="name one as stream="):
        tk.drifts(made)
    assert tk.drifts(made, stream="desk-2") == (5, 10, 15)
