"""Goal policies: planted skills come out, limits are hard, silence is free, and static arms know nothing of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from halls import Halls, Nights
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agents.agent import Agent
from toolkit.agents.arm import Arm, world_rivals
from toolkit.agents.decider import Always, GroundTruth
from toolkit.agents.decision import Context, Decision
from toolkit.agents.playing import situated
from toolkit.agents.rivals import SelfConsistency
from toolkit.evaluation.study import Study
from toolkit.ledger.call import Call
from toolkit.lm.model import Model
from toolkit.lm.scripted_actor import ScriptedActor
from toolkit.lm.tape import Recorder
from toolkit.moves import WAIT, Act, Move, Observation, Outcome, Tally, Tool, call
from toolkit.randomness import generator
from toolkit.records import Experience, Feedback, Step, Task
from toolkit.streams.cases import DeskCases
from toolkit.streams.stage import Stage
from toolkit.streams.stream import Pair
from toolkit.streams.worlds import Limits, Stepped, World, WorldStream
from toolkit.traits.goals import Agenda, AskWhenUnsure, Choice, PlanActCheck, ReAct, Reactive, Situation, Watch
from toolkit.traits.goals.agenda import changes_of, goals_of, met
from toolkit.traits.goals.asking import lessons
from toolkit.traits.goals.thoughtful import parts_of, says
from toolkit.traits.learning import Bandit
from toolkit.traits.role import NoRole

WHO = Tool("who", "Ask whose it is.", asks=True, cost=0.5)
OPEN = Tool("open", "Open a door.", {"door": {"type": "string"}})
DOORS = tuple(call("open", door=door) for door in ("blue", "green", "red"))


class Parcel(World):
    """Three doors, one of them right; of every other parcel one has to ask first whose it is."""

    tools = (OPEN, WHO)

    def __init__(self, right: str, needed: bool) -> None:
        self.right, self.needed = right, needed

    def reset(self, seed: int) -> Observation:
        self.asked, self.opened = 0, ""
        return Observation("A parcel.", "prompt", (*DOORS, "who"))

    def step(self, action: str) -> Stepped:
        if action == "who":
            self.asked += 1
            return Stepped(Observation("It is Mara's.", "result", DOORS))
        self.opened = action
        return Stepped(Observation("It is open."), float(action == self.right), True)

    def best(self) -> str:
        return WAIT if self.opened else "who" if self.needed and not self.asked else self.right

    def tally(self) -> Tally:
        useful = int(self.needed and self.asked > 0)
        reached = float(self.opened == self.right)
        return Tally(reached, questions=self.asked, useful=useful, blockers=int(self.needed), found=useful)


class Parcels(WorldStream):
    """So many; each ``every``th needs a question, 0 = none does."""

    def __init__(self, tasks: int = 10, every: int = 2) -> None:
        self.tasks = tasks
        self.every = every

    def load(self) -> Sequence[Pair]:
        tasks = [Task(f"parcel-{n}", {"task": f"Bring parcel number {n} home."}) for n in range(self.tasks)]
        return [(task, self.key_of(task)) for task in tasks]

    def world(self, task: Task) -> World:
        number = int(task.id.rpartition("-")[2])
        return Parcel(DOORS[int(generator(3, task.id).integers(3))], bool(self.every) and number % self.every == 0)

    def limits(self, task: Task) -> Limits:
        return Limits(turns=8)


@dataclass
class Life:
    """What an arm did on all tasks of a stream, and what it asked its model."""

    agent: Agent
    calls: list[Call] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def counted(self, name: str) -> int:
        """Of all outcomes."""
        return sum(one.flat[name] for one in self.outcomes)


def lived(arm: Arm, stream: WorldStream, lm: Model, *, deciding: str = "likelihood", learns: bool = False) -> Life:
    """An arm's life, without a study around it."""
    calls: list[Call] = []
    decision = Decision(lm, deciding, Recorder(lm, lm.engine(stream), (0, 0), calls.append))  # type: ignore[arg-type]
    life = Life(Agent(arm, stream.step, decision, (0, 0)), calls)
    for t, (task, _) in enumerate(stream.pairs()):
        stage = staged(stream, task)
        life.agent.act(task, "stream", t, stage)
        life.outcomes.append(stage.outcome())
        life.stages.append(stage)
        if learns:
            score = life.outcomes[-1].tally.reached
            life.agent.learn(Experience(f"stream/{t}", task, "", Feedback(score), moves=tuple(stage.moves)))
    return life


def staged(stream: WorldStream, task: Task) -> Stage:
    return Stage(lambda: stream.world(task), lambda: stream.limits(task), 0, lambda question, answer: answer())


def test_a_planted_skill_of_asking_comes_out() -> None:
    """By a binomial for each of both counts, and what follows from them: of 4 standard errors, once in 16,000 tries."""
    asks, needless, half = 0.7, 0.1, 200
    model = ScriptedActor(p=1.0, asks=asks, needless=needless)
    found = lived(Arm("turns", goals=Reactive("turns")), Parcels(2 * half), model)
    useful, vain = found.counted("useful"), found.counted("questions") - found.counted("useful")
    spread = half * np.array([asks * (1 - asks), needless * (1 - needless)])
    assert abs(useful - half * asks) < 4 * math.sqrt(spread[0])
    assert abs(vain - half * needless) < 4 * math.sqrt(spread[1])
    ask_f1 = 2 * useful / (useful + vain + found.counted("blockers"))
    slope = 2 / (half * (1 + asks + needless) ** 2) * np.array([1 + needless, -asks])  # of F1 in both counts
    assert abs(ask_f1 - 2 * asks / (asks + needless + 1)) < 4 * math.sqrt(slope**2 @ spread)
    utility = useful - 0.5 * vain - 2 * (half - useful)
    planted = half * (asks - 0.5 * needless - 2 * (1 - asks))
    assert abs(utility - planted) < 4 * math.sqrt(9 * spread[0] + 0.25 * spread[1])
    rights = half * (asks + (1 - asks) / 3 + 1)  # who does not ask opens one of three doors
    assert abs(found.counted("reached") - rights) < 4 * math.sqrt(2 * half * 0.25)


@pytest.mark.parametrize(
    ("threshold", "every_question"), [(None, "needed"), (0.21, "needed"), (0.2, "no"), (0.95, "all")]
)
def test_it_asks_exactly_where_it_is_unsure(threshold: float | None, every_question: str) -> None:
    """The scripted model would itself never ask where it should, and often where it should not."""
    policy = AskWhenUnsure(threshold=threshold)
    found = lived(Arm("asks", goals=policy), Parcels(12), ScriptedActor(p=1.0, asks=0.0, needless=1.0))
    wanted = {"needed": [1, 0] * 6, "no": [0] * 12, "all": [1] * 12}[every_question]
    assert [one.tally.questions for one in found.outcomes] == wanted
    right = [one.tally.reached for one in found.outcomes]
    assert every_question == "no" or right == [1.0] * 12


def test_its_threshold_moves_to_where_confidences_are_wrong() -> None:
    sure = Arm("asks", goals=AskWhenUnsure(learn=True))
    boaster = lived(sure, Parcels(60), ScriptedActor(p=0.3), learns=True)
    honest = lived(sure, Parcels(60), ScriptedActor(p=0.95), learns=True)
    assert boaster.agent.goals.at > 0.9  # says 0.9 and is right in 3 of 10: a question is worth it everywhere
    assert 0.2 < honest.agent.goals.at <= 0.9
    last = [one.tally.questions for one in boaster.outcomes[-10:]]
    assert last == [1] * 10


def test_a_question_whose_answer_changes_nothing_teaches_not_to_ask() -> None:
    policy = AskWhenUnsure(learn=True)
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    asked = Move("prompt", "A parcel.", "who", thought="asked, sure 0.300000 of left")
    acted = Move("result", "Mara.", "left", thought="acted, sure 0.900000 of left")
    for number in range(40):
        policy.observe(Experience(f"stream/{number}", Task("1", {}), "", Feedback(1.0), moves=(asked, acted)))
    assert policy.at <= 0.3
    held = policy.state()
    policy.observe(Experience("stream/7", Task("1", {}), "", Feedback(0.0), moves=(asked, acted)))
    policy.observe(Experience("stream/99", Task("1", {}), "", Feedback(), moves=(asked, acted)))
    assert policy.state() == held  # of several feedbacks on one episode the first counts; no score teaches nothing
    other = replace(acted, thought="acted, sure 0.900000 of right")
    assert list(lessons((asked, other), 0.0)) == [(0.9, 0.0)]  # what left would have been worth nobody knows


def test_without_confidences_a_step_asks_whether_to_ask() -> None:
    stream, model = Parcels(4), ScriptedActor(p=1.0)
    found = lived(Arm("asks", goals=AskWhenUnsure()), stream, model, deciding="grammar")
    assert [one.step for one in found.calls if one.step != "act"] == ["doubt"] * 4
    said = iter(["yes", "no, not any more"])
    policy, acts = AskWhenUnsure(), []
    policy.reset(np.random.default_rng(0), lambda step, **inputs: next(said))
    now = Situation(Task("1", {"task": "Bring it."}), Observation("A parcel.", "prompt"), tools=(OPEN, WHO), left=8)
    for _ in range(2):
        acts.append(policy.act(now, lambda among=None, *, thought="", **_: Choice("who" if thought else DOORS[0])))
    assert [one.action for one in acts] == ["who", DOORS[0]]


def test_worlds_of_the_same_text_are_told_apart_by_what_they_show() -> None:
    shifts = DeskCases(tasks=4, watch=1.0, queues=2, ticks=6)
    assert len({task.text for task, _ in shifts.pairs()}) == 1
    found = lived(Arm("polled", goals=Reactive("ticks")), shifts, ScriptedActor(p=1.0, acts=1.0, alarms=0.0))
    assert [found.counted(name) for name in ("misses", "false_alarms", "invalid")] == [0, 0, 0]
    assert found.counted("hits") > 0


@pytest.mark.parametrize(("judge", "power"), [(False, 1), (True, 2)])
def test_a_watch_acts_and_is_silent_as_planted(judge: bool, power: int) -> None:
    """A judgement and the decision after it are two draws of the same skill."""
    found = lived(Arm("watch", goals=Watch(judge=judge, autonomy="free")), Nights(40), ScriptedActor())
    fires, quiet = found.counted("hits") + found.counted("misses"), found.counted("silences")
    alarms = found.counted("false_alarms")
    ticks = found.counted("ticks")
    rate, false = 0.7**power, 0.2**power
    assert abs(found.counted("hits") - fires * rate) < 4 * math.sqrt(fires * rate * (1 - rate))
    waits = ticks - fires
    asked = found.counted("questions")  # of what one may do without need, one in three is a question
    assert quiet + alarms + asked >= waits
    assert abs(alarms + asked - waits * false) < 4 * math.sqrt(waits * false * (1 - false))


def test_a_watch_spends_nothing_on_what_it_does_not_look_for() -> None:
    found = lived(Arm("watch", goals=Watch(("SMOKE",), autonomy="free")), Nights(6), ScriptedActor(acts=1.0))
    moves = [move for stage in found.stages for move in stage.moves]
    smoke = [move for move in moves if "smoke" in move.seen]
    assert len(found.calls) == 2 * len(smoke) == 24
    assert {move.action for move in moves if "smoke" not in move.seen} == {WAIT}
    assert found.counted("hits") == len(smoke)
    with pytest.raises(ValueError, match="backslash"):
        Watch(("(",)).check()


class Stubborn:
    """Says the same to every step, and counts."""

    def __init__(self, said: dict[str, str]) -> None:
        self.said, self.asked = said, list[str]()

    def __call__(self, step: Step, **inputs: str) -> str:
        self.asked.append(step.name)
        return self.said.get(step.name, "")


def turns(policy, think: Callable[..., str], seen: Sequence[Observation], choose=None) -> tuple[list[Act], list[str]]:
    """A policy's acts, and its goal block after each, in a world that shows what is given."""
    task, moves, acts, blocks = Task("1", {"task": "Bring it home."}), [], [], []
    policy.reset(np.random.default_rng(0), think)
    policy.begin(task, ())
    for now in seen:
        decide = choose or (lambda among=None, **_: Choice("go"))
        acts.append(policy.act(Situation(task, now, tuple(moves), (OPEN, WHO), 9), decide))
        blocks.append(policy.block(task))
        moves.append(Move(now.cause, now.text, acts[-1].action, refused=acts[-1].refused))
    return acts, blocks


def test_limits_are_hard() -> None:
    questions = tuple(f"who {number}" for number in range(4))
    seen = [Observation("A parcel.", "result", (*DOORS, *questions))] * 7
    for most in (0, 1, 3, 9):
        policy = AskWhenUnsure(questions=most)
        acts, _ = turns(policy, Stubborn({}), seen, lambda among=None, **_: Choice("who 0", 0.0))  # whatever is allowed
        assert [one.action for one in acts if not one.refused] == ["who 0"] * min(most, 7)
        acts, _ = turns(policy, Stubborn({}), seen, lambda among=None, **_: Choice(among[0], 0.0))
        assert [one.action for one in acts if one.action in questions] == list(questions[:most])  # none twice
    only = [Observation("Guess.", "result", questions)] * 5
    acts, _ = turns(AskWhenUnsure(questions=4), Stubborn({}), only, lambda among=None, **_: Choice("who 1", 0.0))
    assert [bool(one.refused) for one in acts] == [False] * 4 + [True]
    for replans in (0, 2):
        model = Stubborn({"draft-plan": "walk; run", "check-step": "No."})
        _, blocks = turns(PlanActCheck(replans), model, seen)
        assert model.asked.count("draft-plan") == 1 + replans
        assert blocks[-1].endswith("Now step 1: walk")
    model = Stubborn({"thought": "I think of this and that."})
    acts, _ = turns(ReAct(), model, [Observation("A parcel."), Observation("Time passes.", "tick")])
    assert model.asked == ["thought"]
    assert acts[0].thought == "I think of this and that."


def test_a_plan_is_carried_out_step_by_step() -> None:
    model = Stubborn({"draft-plan": "1. walk there 2. come back", "check-step": "Yes."})
    _, blocks = turns(PlanActCheck(), model, [Observation(text) for text in "abcd"])
    assert [block.rpartition("\n")[2] for block in blocks] == [
        "Now step 1: walk there",
        "Now step 2: come back",
        "All steps of the plan are done.",
        "All steps of the plan are done.",
    ]
    assert model.asked == ["draft-plan", "check-step", "check-step"]
    without = Stubborn({"draft-plan": "1. 2. 3."})
    _, blocks = turns(PlanActCheck(), without, [Observation(text) for text in "abc"])
    assert (without.asked, set(blocks)) == (["draft-plan"], {""})


AGENDA = (
    "Deliver it | done when: it is delivered; > find Mara | within: 2; Sweep | priority: 1 | done when: the hall shines"
)


def test_an_agenda_is_reviewed_by_what_is_seen_and_by_the_model_only_where_that_does_not_tell() -> None:
    model = Stubborn({"agenda": AGENDA, "review": "none"})
    seen = [Observation("A parcel.", "prompt"), Observation("the hall shines"), Observation("Rain.", "tick")]
    agenda = Agenda()
    acts, blocks = turns(agenda, model, [*seen, Observation("Now it is delivered!", "tick")])
    assert blocks[0].splitlines()[1:] == [
        "1. Sweep (done when: the hall shines)",
        "2. find Mara (2 turns left; part of: Deliver it)",
        "3. Deliver it (done when: it is delivered)",
    ]
    assert "Sweep" not in blocks[1]
    assert "find Mara" not in blocks[2]  # too late
    assert model.asked == ["agenda", "review"]  # of what "find Mara" comes to nothing tells
    assert [one.action for one in acts] == ["go", "go", "go", WAIT]  # nothing is open, and nobody has prompted it
    assert [one.status for one in agenda.goals] == ["done", "blocked", "done"]


def test_a_goal_is_done_when_its_parts_are_and_when_the_model_says_so() -> None:
    model = Stubborn({"agenda": "Deliver it; > find Mara", "review": "2 done"})
    agenda = Agenda()
    turns(agenda, model, [Observation("A parcel."), Observation("Mara!"), Observation("Time.", "tick")])
    assert {one.status for one in agenda.goals} == {"done"}
    assert model.asked == ["agenda", "review"]
    model = Stubborn({"agenda": "1. 2. 3."})
    _, blocks = turns(Agenda(review=False), model, [Observation("A parcel."), Observation("And another.", "prompt")])
    assert blocks[0] == "Goals, the first comes first:\n1. Bring it home."
    assert model.asked == ["agenda", "agenda"]  # somebody spoke again


@settings(max_examples=60)
@given(st.text(max_size=400) | st.text("ab |;>\n:0123456789donewhpirtyalck", max_size=400), st.integers(1, 4))
def test_any_text_is_read_within_bounds(text: str, most: int) -> None:
    goals = goals_of(text, most)
    assert len(goals) <= most
    assert len({one.name for one in goals}) == len(goals)
    for goal in goals:
        assert goal.name.isprintable()
        assert goal.until.isprintable()
        assert 1 <= goal.priority <= 9
        assert goal.deadline is None or goal.deadline >= 1
        assert not goal.parent or goal.parent in {one.name for one in goals}
    assert len(parts_of(text, most)) <= most
    assert says(text) in ("yes", "no", None)
    assert set(changes_of(text, most)) <= set(range(most))
    assert met(text, text) in (True, None)


@pytest.mark.parametrize("stream", [Halls(3), Nights(2), Parcels(3)], ids=repr)
def test_static_arms_know_nothing_of_any_policy(stream: WorldStream) -> None:
    """Their prompts are, to the byte, those of the step, the task and what was seen."""
    model = ScriptedActor()
    for arm in world_rivals():
        life = lived(arm, stream, model)
        bare: list[Call] = []
        decision = Decision(model, "likelihood", Recorder(model, model.engine(stream), (0, 0), bare.append))
        for t, (task, _) in enumerate(stream.pairs()):
            decision.at("stream", t)
            stage = staged(stream, task)
            stage.begin()
            for move in life.stages[t].moves:
                plan = arm.goals.prompted is None
                if move.prompts:
                    step, here = situated(stream.step, task, stage, None, "", plan, NoRole())
                    decision.decide(step, here, Context())
                stage.act(Act(move.action, "ask", refused=move.refused))
        assert [one.prompt for one in life.calls] == [one.prompt for one in bare]
        assert life.calls or isinstance(stream, Nights)
    assert world_rivals(3, 90)[-1].decider == SelfConsistency(3, 90)


def test_floors_score_what_arithmetic_says() -> None:
    silent = lived(Arm("silent", decider=Always(), goals=Reactive("ticks")), Nights(6), ScriptedActor())
    assert (silent.counted("hits"), silent.counted("silences"), silent.counted("misses")) == (0, 24, 12)
    ringing = lived(
        Arm("rings", decider=Always("ring"), goals=Watch(judge=False, autonomy="free")), Nights(6), ScriptedActor()
    )
    first = sum(f"floor {1}" in move.seen for stage in ringing.stages for move in stage.moves)
    assert (ringing.counted("hits"), ringing.counted("silences"), ringing.counted("false_alarms")) == (
        first,
        0,
        36 - first,
    )
    asking = lived(Arm("asks", decider=Always("who"), goals=Reactive("turns")), Parcels(10), ScriptedActor())
    assert (asking.counted("questions"), asking.counted("useful"), asking.counted("reached")) == (10, 5, 0)
    for goals in (Watch(autonomy="free"), AskWhenUnsure()):
        stream = Nights(3) if isinstance(goals, Watch) else Parcels(6)
        truth = Arm("truth", goals=goals, decider=GroundTruth())
        assert {one.tally.reached for one in lived(truth, stream, ScriptedActor()).outcomes} == {1.0}


def test_their_steps_can_be_learned() -> None:
    arm = Arm("tuned", goals=ReAct(), learning=Bandit(("Think of doors.", "Think of doors!"), step="thought"))
    found = lived(arm, Halls(2), ScriptedActor())
    thoughts = [str(one.prompt) for one in found.calls if one.step == "thought"]
    assert thoughts
    assert all("Think of doors" in one for one in thoughts)
    with pytest.raises(ValueError, match="no part of the arm takes"):
        Arm("tuned", goals=Watch(), learning=Bandit(("", "a"), step="thought"))


def test_studies_with_policies_replay(study: Callable[..., Study]) -> None:
    arms = [
        Arm("agenda", goals=Agenda(autonomy="free")),
        Arm("asks", goals=AskWhenUnsure(learn=True)),
    ]
    made = study(*arms, stream=Nights(tasks=2, hours=3), lm=ScriptedActor(), seeds=1)
    assert [one.status for one in made.run()] == ["finished"] * 2
    spent = made.ledger.sql("SELECT step, purpose, count(*) AS n FROM calls GROUP BY ALL")
    assert {"agenda", "review"} <= set(spent.step)
    assert set(spent.purpose) == {"acting"}  # what policies ask is part of acting
    assert made.replay().identical
