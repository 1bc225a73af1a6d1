"""Studies whose tasks are worlds: one loop for all arms, on the tape, exact on replay."""

from __future__ import annotations

from collections.abc import Callable

from halls import Halls

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth, RandomChoice
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.traits.goals import GoalPolicy, Reactive
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


class Free(GoalPolicy):
    """Acts on every turn, silently."""

    autonomy = "free"

    def wants(self, now) -> bool:
        return True


ARMS = (
    Arm("static"),
    Arm("turns", goals=Reactive(prompted="turns")),
    Arm("agent", goals=Free(), memory=Retrieval(k=2)),
    Arm("truth", goals=Free(), decider=GroundTruth()),
    Arm("random", goals=Reactive(prompted="ticks"), decider=RandomChoice()),
)


def test_every_arm_plays_and_a_replay_is_the_same(study: Make) -> None:
    made = study(*ARMS, stream=Halls(tasks=3), lm=Scripted(p=0.8))
    assert [one.status for one in made.run()] == ["finished"] * 10
    rows = made.episodes().set_index("arm")
    assert (rows.loc["truth"].score == 1).all()
    outcome = rows.loc["truth"].outcome.iloc[0]
    assert (outcome["ended"], outcome["steps"], outcome["best_steps"], outcome["prompts"]) == ("done", 3, 3, 1)
    assert rows.loc["turns"].outcome.map(lambda one: one["prompts"] == one["steps"]).all()
    assert rows.loc["static"].outcome.map(lambda one: one["prompts"] == 1).all()
    calls = made.ledger.sql(
        "SELECT arm, t, count(*) AS n FROM calls JOIN runs USING (run) WHERE step = 'plan' GROUP BY ALL"
    )
    assert set(calls.arm) == {"static"}
    assert made.replay().identical
