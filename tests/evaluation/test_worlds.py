"""Studies whose tasks are worlds: one loop for all arms, on the tape, exact on replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
from halls import Halls, Nights, Ruins, Says

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth, RandomChoice
from toolkit.errors import SpecError
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.rescore import rescore
from toolkit.evaluation.study import Study
from toolkit.ledger.spans import recorded, spans
from toolkit.lm.scripted import Scripted
from toolkit.moves import AUTONOMY, Autonomy
from toolkit.streams.stage import Stage
from toolkit.traits.goals import GoalPolicy, ReAct, Reactive
from toolkit.traits.learning import Tuned
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]
LONG = Halls(tasks=2, doors=50, turns=50)


class Free(GoalPolicy):
    """Acts on every turn, silently."""

    def __init__(self, autonomy: Autonomy = "free") -> None:
        self.autonomy = autonomy

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


@pytest.mark.parametrize("calls", [1, 49, 50, 73])
def test_episodes_of_fifty_turns_that_are_cut_off_go_on_as_if_they_had_not(
    study: Make, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    def made(name: str) -> Study:
        agent = Arm("agent", goals=Free(), memory=Retrieval(k=1))
        return study(agent, name=name, stream=LONG, lm=Says(), seeds=1, order="given")

    whole, cut = made("whole"), made("cut")
    whole.run()
    assert whole.episodes().outcome.map(lambda one: (one["ended"], one["steps"])).tolist() == [("turns", 50)] * 2
    with monkeypatch.context() as patched:
        patched.setattr(Says, "calls", calls)
        assert [one.status for one in cut.run()] == ["suspended"]
    cut.run()
    assert [one.hash for one in cut.records()] == [one.hash for one in whole.records()]
    asked = cut.ledger.sql("SELECT count(*) AS n FROM calls WHERE step = 'act' AND status = 'ok' AND study = 'cut'").n[
        0
    ]
    assert asked == 100  # none twice
    assert cut.replay().identical


def test_what_breaks_costs_its_episode_only(study: Make) -> None:
    made = study(
        Arm("turns", goals=Reactive(prompted="turns")), stream=Ruins(), lm=Scripted(p=1.0), seeds=1, order="given"
    )
    assert [one.status for one in made.run()] == ["finished"]
    rows = made.episodes().set_index("task")
    assert rows.status.to_dict() == dict.fromkeys(Ruins.ways, "failed") | {"sound": "ok"}
    assert "hangs" in rows.error["hang"]
    assert "RuntimeError: out of order" in rows.error["raise"]
    assert rows.score["sound"] == 1
    assert made.replay().identical


def test_a_replay_asks_no_world_anything(study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(*ARMS[2:4], stream=Halls(tasks=2), seeds=1)
    made.run()
    monkeypatch.setattr(Stage, "_answered", lambda *_: pytest.fail("a world was asked"))
    assert made.replay().identical


def test_exams_and_a_second_pass_are_played_too(study: Make) -> None:
    made = study(
        ARMS[2], stream=Halls(tasks=3), lm=Scripted(p=0.8), seeds=1, second_pass="same", exams=Exams(every=2, tasks=2)
    )
    made.run()
    phases = made.ledger.sql("SELECT phase, count(*) AS n, count(outcome) AS played FROM episodes GROUP BY phase")
    assert phases.set_index("phase").n.to_dict() == {"stream": 3, "frozen": 3, "exam": 7}
    assert (phases.n == phases.played).all()
    assert made.replay().identical


def test_leave_is_asked_told_or_not_needed_and_never_exceeded(study: Make) -> None:
    arms = [Arm(manner, goals=Free(manner), decider=GroundTruth()) for manner in AUTONOMY]
    for granted, refused in {"ask": 2, "notify": 1, "free": 0}.items():
        made = study(*arms, name=granted, stream=Nights(tasks=2, granted=granted), seeds=1)
        made.run()
        by = made.episodes().groupby("arm").outcome.agg(lambda all: all.map(lambda one: one["unauthorised"]).sum())
        assert [by[manner] > 0 for manner in AUTONOMY] == [place >= 3 - refused for place in range(3)]


def test_a_plan_foretells_what_worlds_cost(study: Make) -> None:
    made = study(*ARMS[:2], stream=Halls(tasks=3))
    forecast = made.plan()
    assert "rehearsal failed" not in str(forecast)


def test_answers_that_are_no_actions_count_as_turns(study: Make) -> None:
    made = study(
        Arm("agent", goals=Free()), stream=Nights(tasks=1, listed=False), lm=Says('ring {"floor": "two"}'), seeds=1
    )
    made.run()
    moves = made.ledger.sql("SELECT * FROM moves")
    assert moves.refused.str.contains("floor must be of type integer but is 'two'").all()
    assert made.episodes().outcome[0]["invalid"] == len(moves) == 24


class Nosy(Free):
    """Would see what a world gives, if it could."""

    seen: ClassVar[list[float]] = []

    def wants(self, now) -> bool:
        Nosy.seen += [move.reward for move in now.moves]
        return True

    def observe(self, experience) -> None:
        Nosy.seen += [move.reward for move in experience.moves]


def test_no_agent_sees_a_reward_but_the_ledger_does(study: Make) -> None:
    made = study(Arm("agent", goals=Nosy()), stream=Halls(tasks=2), lm=Scripted(p=1.0), seeds=1)
    made.run()
    assert len(Nosy.seen) > 6
    assert set(Nosy.seen) == {0.0}
    assert made.ledger.sql("SELECT sum(reward) AS r FROM moves").r[0] == 6


def test_a_trace_shows_what_was_seen_and_no_world_as_a_model(study: Make) -> None:
    made = study(Arm("agent", goals=Free()), stream=Halls(tasks=1), lm=Scripted(p=1.0), seeds=1)
    made.run()
    episode, calls = next(recorded(made.ledger, "test", made.runs[0].id, [0]))
    found = spans(episode, calls, 0)
    steps = [one for one in found if one.name == "step: act"]
    assert [one.inputs["saw"] for one in steps] == ["Hall 0 of 3.", "Hall 1 of 3.", "Hall 2 of 3."]
    assert [one.attributes["reward"] for one in steps] == [1.0, 1.0, 1.0]
    assert len(found) == 1 + 2 * 3
    assert found[0].attributes["model calls"] == 3


def test_what_worlds_do_not_allow_is_said_before_anything_is_spent(study: Make) -> None:
    arms = [
        Arm("thinks", goals=ReAct(), decider=RandomChoice()),
        Arm("again", goals=Free(), learning=Tuned("bootstrap")),
    ]
    with pytest.raises(SpecError) as told:
        study(*arms, stream=Halls(), counterfactuals=0.5)
    assert [one.partition(" ")[0] for one in told.value.mistakes] == ["counterfactuals", "arm", "arm"]
    assert "asks a model (thought)" in told.value.mistakes[1]
    assert "asks tasks again" in told.value.mistakes[2]


def test_what_came_of_worlds_can_be_scored_later(study: Make) -> None:
    made = study(*ARMS[1:2], stream=Halls(tasks=3), lm=Scripted(p=0.4), seeds=1, scorers=["reached"])
    made.run()
    (found,) = rescore("test", ["tallied"], ledger=made.ledger)
    assert found.written == 1
    later = made.ledger.sql(
        "SELECT r.score AS new, e.score AS old FROM rescored r JOIN episodes e USING (run, phase, t)"
    )
    assert later.new.tolist() == later.old.tolist()
