"""StreamBench's arms under one bit of feedback, on a scripted model whose gains and losses are planted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.analysis import compare
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.lm.turns import TakingTurns
from toolkit.streams.channel import OneBit
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval, SlidingWindow

P, P_EXAMPLE = 0.3, 0.8
ZERO = Arm.static_call("zero-shot")
SELF = Arm("self-stream-icl", memory=Retrieval(store="correct"), transcript=False)
MEM = Arm("mem-prompt", memory=Retrieval(store="feedback"), transcript=False)
GROW = Arm("grow-prompt", memory=SlidingWindow(store="feedback"), transcript=False)

Make = Callable[..., Study]


def made(study: Make, *arms: Arm, lm: Scripted, baseline: str, name: str = "streambench", seeds: int = 6) -> Study:
    stream = Desk(tasks=100, queues=8)
    return finish(study(*arms, stream=stream, lm=lm, channel=OneBit(), seeds=seeds, baseline=baseline, name=name))


def carried(found: Study, arm: str) -> float:
    """The share of an arm's episodes in whose prompt an example had the right answer."""
    right = {task.id: key.answers for task, key in found.stream.pairs()}
    rows = found.episodes()
    rows = rows[rows.arm == arm]
    gave = {(run, f"stream/{t}"): answer for run, t, answer in rows[["run", "t", "answer"]].itertuples(index=False)}
    shown = found.ledger.sql("SELECT run, t, recalled FROM memories WHERE study = $1 AND arm = $2", found.name, arm)
    met = {(run, t): task for run, t, task in rows[["run", "t", "task"]].itertuples(index=False)}
    hit = {(run, t) for run, t, one in shown.itertuples(index=False) if gave[run, one] in right[met[run, t]]}
    return len(hit) / len(rows)


def told_wrong(found: Study, arm: str) -> int:
    """Prompts of an arm in which an answer was said to be wrong."""
    calls = found.ledger.sql(
        "SELECT c.prompt FROM calls c JOIN runs r USING (study, run) WHERE study = $1 AND r.arm = $2", found.name, arm
    )
    return sum(any("Feedback: not correct" in one["text"] for one in prompt) for prompt in calls.prompt)


def test_own_right_answers_gain_what_was_planted_and_room_given_to_wrong_ones_loses_it(study: Make) -> None:
    found = made(study, ZERO, SELF, MEM, lm=Scripted(P, P_EXAMPLE), baseline="zero-shot")
    gain = found.compare().row("self-stream-icl").difference
    planted = (P_EXAMPLE - P) * carried(found, "self-stream-icl")
    assert gain is not None
    assert planted > 0.1
    assert gain.low <= planted <= gain.high
    assert gain.excludes_zero
    assert told_wrong(found, "self-stream-icl") == 0 < told_wrong(found, "mem-prompt")
    crowded = compare(found, baseline="mem-prompt").row("self-stream-icl").difference
    planted = (P_EXAMPLE - P) * (carried(found, "self-stream-icl") - carried(found, "mem-prompt"))
    assert crowded is not None
    assert crowded.low <= planted <= crowded.high


def test_planted_harm_of_wrong_answers_is_found_where_they_are_shown_and_nowhere_else(study: Make) -> None:
    """The sight of an answer that was wrong takes .25 from this model, and examples give it nothing."""
    harmed = Scripted(0.6, 0.6, gains={"Feedback: not correct": -0.25})
    found = made(study, ZERO, SELF, MEM, GROW, lm=harmed, baseline="zero-shot")
    rows = {row.arm: row.difference for row in found.compare().rows}
    for arm in ("mem-prompt", "grow-prompt"):
        difference = rows[arm]
        planted = -0.25 * told_wrong(found, arm) / (6 * 100)
        assert difference is not None
        assert planted < -0.1
        assert difference.low <= planted <= difference.high < 0, arm
    own = rows["self-stream-icl"]
    assert own is not None
    assert own.value == 0.0, "at the same places the same draws, and nothing planted"


@pytest.mark.parametrize("helped", [True, False])
def test_what_one_model_cannot_begin_another_begins_for_it(study: Make, helped: bool) -> None:
    """The weak model is never right by itself, and always with a right example: alone it never gets the first one."""
    weak, strong = Scripted(0.0, 1.0), Scripted(1.0, 1.0, seed=1)
    lm = TakingTurns((weak, strong if helped else weak))
    arm = Arm("mam", memory=Retrieval(k=8, store="correct"), lm=lm, transcript=False)
    found = made(study, arm, lm=weak, baseline="mam", seeds=2)
    rows = found.episodes()
    of_the_weak = rows[rows.t % 2 == 0]
    assert (of_the_weak.score.mean() > 0.5) == helped
    assert helped or of_the_weak.score.sum() == 0
