"""The stage between agents and worlds: what breaks costs its episode only, limits are hard, the tape drives."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from halls import RING, WHO, Hall, Halls, Night
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth
from toolkit.evaluation.study import Study
from toolkit.moves import AUTONOMY, WAIT, Act, Observation, Tally, Tool, call
from toolkit.streams.stage import Broken, Stage
from toolkit.streams.worlds import Limits, Stepped, World
from toolkit.traits.goals import Reactive

LIMIT = 0.05
FIRES = (1, 0, 2, 0, 0, 1)


class Tape:
    """What was asked and said: says again what it holds, in order, then asks."""

    def __init__(self, held: Sequence[tuple[dict[str, str], str]] = ()) -> None:
        self.held, self.place, self.asked = list(held), 0, 0

    def __call__(self, question: Mapping[str, str], answer: Callable[[], str]) -> str:
        if self.place < len(self.held):
            assert self.held[self.place][0] == dict(question), "another question than the one on the tape"
        else:
            self.held.append((dict(question), answer()))
            self.asked += 1
        self.place += 1
        return self.held[self.place - 1][1]


class Watched(Night):
    """A night that notes what reaches it, and gives leave for the ground floor only."""

    def __init__(self, listed: bool = False) -> None:
        super().__init__(FIRES, listed)
        self.met: list[str] = []

    def step(self, action: str) -> Stepped:
        self.met.append(action)
        return super().step(action)

    def approves(self, action: str) -> bool:
        return action == call("ring", floor=1)


class Faulty(Hall):
    """A hall in which one thing that it is asked goes wrong, from the second action on."""

    def __init__(self, where: str, fault: Callable[[], Any]) -> None:
        super().__init__(("blue", "red", "red", "red"))
        self.where, self.fault, self.actions, self.within = where, fault, 0, False

    def reset(self, seed: int) -> Observation:
        return self.fault() if self.where == "reset" else super().reset(seed)

    def step(self, action: str) -> Stepped:
        self.actions += 1
        if self.where == "step" and self.actions > 1:
            return self.fault()
        self.within = True  # a hall looks for itself which door is right
        stepped = super().step(action)
        self.within = False
        return stepped

    def best(self) -> str:
        return self.fault() if self.where == "best" and not self.within else super().best()

    def tally(self) -> Tally:
        return self.fault() if self.where == "tally" else super().tally()

    def close(self) -> None:
        if self.where == "close":
            self.fault()


def staged(
    world: World | Callable[[], World],
    limits: Limits | Callable[[], Limits] | None = None,
    tape: Tape | None = None,
) -> Stage:
    opened = (lambda: world) if isinstance(world, World) else world
    allowed = limits if callable(limits) else lambda: limits or Limits()
    return Stage(opened, allowed, 3, Tape() if tape is None else tape)


def played(stage: Stage, acts: Sequence[Act]) -> Stage:
    """The acts one after another, as far as the stage goes on."""
    stage.begin()
    for act in acts:
        if stage.over:
            break
        stage.act(act)
    return stage


def fails() -> Any:
    raise RuntimeError("the floor gives way")


def loops() -> Any:
    while True:
        pass


# What breaks


NONSENSE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "words": lambda: "it opens",
    "an observation in words": lambda: Stepped("it opens"),  # type: ignore[arg-type]
    "no text": lambda: Stepped(Observation(None)),  # type: ignore[arg-type]
    "a text without end": lambda: Stepped(Observation(itertools.repeat("a"))),  # type: ignore[arg-type]
    "a text that nobody can read": lambda: Stepped(Observation("a" * 1_000_000)),
    "a text that is no text": lambda: Stepped(Observation("\ud800")),
    "another cause": lambda: Stepped(Observation("it opens", "whim")),  # type: ignore[arg-type]
    "numbers as actions": lambda: Stepped(Observation("it opens", "result", (1, 2))),  # type: ignore[arg-type]
    "words as actions": lambda: Stepped(Observation("it opens", "result", "push")),  # type: ignore[arg-type]
    "an empty action": lambda: Stepped(Observation("it opens", "result", (" ",))),
    "no actions": lambda: Stepped(Observation("it opens", "result", None)),  # type: ignore[arg-type]
    "actions that nobody can read": lambda: Stepped(Observation("it opens", "result", ("a" * 1_000_000,))),
    "a reward that is no number": lambda: Stepped(Observation("it opens"), math.nan),
    "a reward without end": lambda: Stepped(Observation("it opens"), math.inf),
    "a reward that no sum can hold": lambda: Stepped(Observation("it opens"), 1e308),
    "a reward in words": lambda: Stepped(Observation("it opens"), "much"),  # type: ignore[arg-type]
    "no info": lambda: Stepped(Observation("it opens"), info=None),  # type: ignore[arg-type]
    "a reason that nobody can read": lambda: Stepped(Observation("no"), info={"refused": "a" * 1_000_000}),
    "six things": lambda: (*Stepped(Observation("it opens")), 6),
    "an error": fails,
    "an error that ends a process": lambda: exec("raise SystemExit(3)"),
    "an error that nobody can write": lambda: exec("raise ValueError('\\ud800')"),
    "an error without words": lambda: exec("raise AssertionError"),
    "a step into itself": lambda: (f := lambda: f())(),
}


@pytest.mark.parametrize("fault", NONSENSE.values(), ids=NONSENSE)
def test_a_world_that_throws_or_gives_nonsense_costs_its_episode_and_no_more(fault: Callable[[], Any]) -> None:
    stage = staged(lambda: Faulty("step", fault))
    stage.begin()
    stage.act(Act("blue"))
    with pytest.raises(Broken) as caught:
        stage.act(Act("red"))
    assert stage.broken == str(caught.value)
    assert stage.broken.startswith("the world ")
    assert len(stage.broken.encode()) < 1000
    outcome = stage.outcome()
    assert stage.over
    assert (outcome.ended, outcome.reward, outcome.tally) == ("broken", 1.0, Tally())
    stage.close()


@pytest.mark.parametrize("where", ["reset", "best", "tally"])
def test_whatever_a_world_is_asked_may_go_wrong(where: str) -> None:
    stage = staged(lambda: Faulty(where, fails))
    if where == "reset":
        with pytest.raises(Broken, match="raised RuntimeError: the floor gives way"):
            stage.begin()
    else:
        played(stage, [Act("blue"), Act("blue")])
    if where == "best":
        with pytest.raises(Broken, match="the floor gives way"):
            stage.best()
    outcome = stage.outcome()
    assert (outcome.ended, outcome.tally) == ("broken", Tally())
    assert "the floor gives way" in stage.broken


@pytest.mark.parametrize(
    "tally",
    [None, Tally(reached=math.nan), Tally(reached=1.5), Tally(score=-0.1), Tally(hits=-1), Tally(lead=math.inf)],
    ids=repr,
)
def test_a_tally_that_is_none_is_not_believed(tally: Any) -> None:
    stage = played(staged(lambda: Faulty("tally", lambda: tally)), [Act("blue")])
    assert (stage.outcome().ended, stage.outcome().tally) == ("broken", Tally())


def test_a_world_that_fails_to_close_changes_nothing() -> None:
    stage = played(staged(lambda: Faulty("close", fails)), [Act(door) for door in ("blue", "red", "red", "red")])
    stage.close()
    assert (stage.outcome().ended, stage.outcome().tally.reached, stage.broken) == ("done", 1.0, "")
    assert "the floor gives way" in stage.unclosed


@pytest.mark.parametrize("where", ["reset", "step", "best", "tally", "close"])
@pytest.mark.parametrize("kind", ["loop", "wait"])
def test_a_world_that_hangs_is_given_up_in_time(where: str, kind: str) -> None:
    """Only where it hangs is the limit short: elsewhere a busy machine would be taken for a world that hangs."""
    released, hangs = threading.Event(), threading.Event()

    def waits() -> Any:
        released.wait(300)

    stage = staged(
        lambda: Faulty(where, loops if kind == "loop" else waits),
        lambda: Limits(seconds=LIMIT if hangs.is_set() else 60),
    )
    if where == "reset":
        hangs.set()
        with pytest.raises(Broken, match="the world hangs"):
            stage.begin()
    else:
        played(stage, [Act("blue")] if where == "step" else [Act("blue"), Act("blue")])
        hangs.set()
    if where == "step":
        with pytest.raises(Broken, match=r"the world hangs: .* more than 0\.05 s"):
            stage.act(Act("red"))
    if where == "best":
        with pytest.raises(Broken, match="the world hangs"):
            stage.best()
    if where == "close":
        stage.close()
        assert "Hung" in stage.unclosed
    else:
        assert (stage.outcome().ended, stage.outcome().tally) == ("broken", Tally())
    released.set()


def test_what_broke_is_on_the_tape_and_breaks_again_without_the_world() -> None:
    tape = Tape()
    with pytest.raises(Broken) as first:
        played(staged(lambda: Faulty("step", fails), tape=tape), [Act("blue"), Act("red")])

    def absent() -> World:
        raise AssertionError("the world was opened though the tape says all")

    with pytest.raises(Broken) as again:
        played(staged(absent, tape=Tape(tape.held)), [Act("blue"), Act("red")])
    assert str(again.value) == str(first.value)


def test_a_world_that_fails_once_is_driven_to_where_it_was_and_asked_again() -> None:
    failures = iter([fails])
    worlds: list[Hall] = []

    class Once(Hall):
        def step(self, action: str) -> Stepped:
            if self.passed == 2:
                next(failures, bool)()
            return super().step(action)

    def opened() -> World:
        worlds.append(Once(("blue", "red", "red")))
        return worlds[-1]

    stage = played(staged(opened), [Act("blue"), Act("green"), Act("red"), Act("red")])
    assert (stage.outcome().ended, len(worlds), worlds[1].passed) == ("done", 2, 3)
    assert stage.outcome().reward == 3.0


class Ruins(Halls):
    """Halls of which all but the first are in ruins."""

    def world(self, task):
        faults = {"hall-1": fails, "hall-2": loops, "hall-3": NONSENSE["a reward that is no number"]}
        hall = super().world(task)
        if task.id not in faults or self.whole:
            return hall
        return Faulty("step", faults[task.id])

    def limits(self, task):
        return replace(super().limits(task), seconds=LIMIT if task.id == "hall-2" else 60)

    whole = True

    def load(self):
        pairs = super().load()
        self.whole = False
        return pairs


def test_the_study_goes_on_when_worlds_break(study: Callable[..., Study]) -> None:
    made = study(Arm("truth", goals=Reactive(prompted="turns"), decider=GroundTruth()), stream=Ruins(tasks=5), seeds=1)
    assert [one.status for one in made.run()] == ["finished"]
    rows = made.episodes().set_index("task")
    ended = rows.outcome.map(lambda one: one["ended"])
    assert {task: end for task, end in ended.items() if end != "broken"} == {"hall-0": "done", "hall-4": "done"}
    assert (rows.score == (ended == "done")).all()
    assert made.replay().identical


# What is refused


MISTAKES = {
    "whisper": "there is no tool 'whisper'",
    "ring": "'floor' is a required property",
    'ring {"floor": "two"}': "floor must be of type integer but is 'two'",
    'ring {"floor": 1, "loud": true}': "'loud' was unexpected",
    'ring {"floor": 1': "arguments must be JSON",
    "ring [1]": "is not of type 'object'",
    'who {"floor": 1}': "'floor' was unexpected",
    "": "there is no tool ''",
}


@pytest.mark.parametrize(("action", "why"), MISTAKES.items())
def test_calls_that_do_not_fit_are_refused_with_the_reason_and_the_turn_counts(action: str, why: str) -> None:
    world = Watched()
    stage = staged(world, Limits(turns=5, granted="free"))
    before = stage.begin()
    seen = stage.act(Act(action, "free"))
    assert why in seen.text
    assert f"{stage.moves[-1].refused}\n{before.text}" == seen.text
    assert (stage.moves[-1].seen, stage.moves[-1].action) == (before.text, action)
    assert (world.met, stage.left) == ([], 4)
    assert (stage.outcome().invalid, stage.outcome().cost, stage.outcome().interruptions) == (1, 0.0, 0)
    assert stage.act(Act(WAIT)).text.startswith("Hour 1")


def test_what_is_not_listed_cannot_be_done_and_what_can_is_said() -> None:
    world = Watched(listed=True)
    stage = staged(world, Limits(granted="free"))
    listed = stage.begin().actions
    seen = stage.act(Act(call("ring", floor=3), "free"))
    assert all(action in seen.text for action in listed)
    assert (seen.actions, world.met, stage.outcome().invalid) == (listed, [], 1)


def test_an_agent_that_came_to_no_action_has_had_its_turn() -> None:
    world = Watched()
    stage = staged(world, Limits(turns=1))
    stage.begin()
    assert stage.act(Act(call("who"), refused="that was no action")).text.startswith("that was no action\n")
    assert (world.met, stage.outcome().ended, stage.outcome().invalid) == ([], "turns", 1)


def test_what_a_world_refuses_itself_counts_as_invalid() -> None:
    class Strict(Hall):
        def step(self, action: str) -> Stepped:
            return Stepped(Observation("Not now."), info={"refused": "it is night"})

    stage = played(staged(Strict(("blue",))), [Act("blue")])
    assert (stage.moves[-1].refused, stage.outcome().invalid) == ("it is night", 1)


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "string", "pattern": "("}], ids=str)
def test_a_tool_whose_schema_is_none_is_the_worlds_fault(schema: dict[str, Any]) -> None:
    class Odd(Watched):
        tools = (Tool("say", parameters={"word": schema}),)

    with pytest.raises(Broken, match="the world raised SchemaError"):
        staged(Odd()).begin()


@pytest.mark.parametrize("cost", [-1.0, math.nan, math.inf, "much"])
def test_a_tool_whose_cost_is_no_sum_is_the_worlds_fault(cost: Any) -> None:
    class Generous(Watched):
        tools = (replace(WHO, cost=cost),)

    with pytest.raises(Broken, match="the world raised"):
        staged(Generous()).begin()


# Leave


@pytest.mark.parametrize("granted", AUTONOMY)
@pytest.mark.parametrize("manner", AUTONOMY)
@pytest.mark.parametrize("floor", [1, 2])
def test_who_goes_beyond_what_is_granted_is_refused_and_counted(granted: Any, manner: Any, floor: int) -> None:
    world, action = Watched(), call("ring", floor=floor)
    stage = played(staged(world, Limits(granted=granted)), [Act(action, manner)])
    beyond = AUTONOMY.index(manner) > AUTONOMY.index(granted)
    denied = not beyond and manner == "ask" and floor != 1
    outcome, move = stage.outcome(), stage.moves[-1]
    assert outcome.unauthorised == beyond
    assert outcome.interruptions == (not beyond and manner != "free")
    assert world.met == ([] if beyond or denied else [action])
    assert bool(move.refused) == (beyond or denied)
    assert move.manner == ("" if beyond or denied else manner)
    assert outcome.invalid == 0
    if beyond:
        assert f"no more than '{granted}' is granted" in move.refused
    if denied:
        assert move.refused == "leave was asked for and not given"


def test_what_changes_nothing_needs_no_leave() -> None:
    world = Watched()
    stage = played(staged(world, Limits(granted="ask")), [Act(call("who"), "free"), Act(WAIT, "free")])
    assert (world.met, stage.outcome().unauthorised) == ([call("who"), WAIT], 0)


# Limits, and the tape


ACTS = st.builds(
    Act,
    st.sampled_from(
        [WAIT, call("who"), call("ring", floor=1), call("ring", floor=2), "ring", "whisper", 'who {"a": 1}', ""]
    ),
    st.sampled_from(AUTONOMY),
    st.integers(0, 1),
    refused=st.sampled_from(["", "", "", "no action"]),
)
BOUNDS = st.builds(
    Limits, st.integers(1, 8), st.sampled_from([0.0, 0.4, 1.0, 2.6, math.inf]), st.sampled_from(AUTONOMY)
)
PLAYS = {"acts": st.lists(ACTS, max_size=10), "limits": BOUNDS, "listed": st.booleans()}


@given(**PLAYS)
@settings(max_examples=60)
def test_limits_are_hard_and_what_is_refused_never_reaches_the_world(
    acts: list[Act], limits: Limits, listed: bool
) -> None:
    world = Watched(listed)
    stage = played(staged(world, limits), acts)
    outcome, moves = stage.outcome(), stage.moves
    assert len(moves) <= limits.turns
    assert len(moves) == min(len(acts), limits.turns) or outcome.ended in ("done", "over")
    assert outcome.cost <= limits.cost
    assert world.met == [move.action for move in moves if not move.refused]
    costs = [{"ring": RING.cost, "who": WHO.cost}.get(action.split()[0], 0.0) for action in world.met]
    assert outcome.cost == sum(costs)
    assert outcome.invalid + outcome.unauthorised <= sum(bool(move.refused) for move in moves)
    assert (outcome.ended == "turns") <= (len(moves) == limits.turns)
    assert outcome.tally == world.tally()


@given(**PLAYS, data=st.data())
@settings(max_examples=60)
def test_from_any_part_of_a_tape_the_world_is_driven_to_where_it_was_and_goes_on(
    acts: list[Act], limits: Limits, listed: bool, data: st.DataObject
) -> None:
    whole, again = Tape(), Tape()
    first = played(staged(lambda: Watched(listed), limits, whole), acts)
    came = first.outcome()
    twice = played(staged(lambda: Watched(listed), limits, again), acts)
    assert (twice.moves, twice.outcome(), again.held) == (first.moves, came, whole.held)

    worlds: list[Watched] = []

    def opened() -> World:
        worlds.append(Watched(listed))
        return worlds[-1]

    k = data.draw(st.integers(0, len(whole.held)))
    tape = Tape(whole.held[:k])
    resumed = played(staged(opened, limits, tape), acts)
    assert (resumed.moves, resumed.outcome(), tape.held) == (first.moves, came, whole.held)
    assert tape.asked == len(whole.held) - k
    assert [world.met for world in worlds] == ([] if k == len(whole.held) else [_reached(first)])


def _reached(stage: Stage) -> list[str]:
    return [move.action for move in stage.moves if not move.refused]


def test_an_episode_of_fifty_turns_is_resumed_from_every_place() -> None:
    acts = [Act("green" if turn % 7 else "blue") for turn in range(50)]
    whole = Tape()
    first = played(staged(lambda: Hall(["blue"] * 40), Limits(50), whole), acts)
    outcome = first.outcome()
    assert (outcome.ended, len(first.moves)) == ("turns", 50)
    for k in range(0, len(whole.held), 5):
        tape = Tape(whole.held[:k])
        resumed = played(staged(lambda: Hall(["blue"] * 40), Limits(50), tape), acts)
        assert (resumed.outcome(), resumed.moves, tape.held) == (outcome, first.moves, whole.held)


def test_an_oracle_is_asked_by_the_tape_too() -> None:
    whole = Tape()
    first = staged(lambda: Hall(("blue", "red")), tape=whole)
    first.begin()
    while not first.over:
        first.act(Act(first.best()))
    for k in range(len(whole.held) + 1):
        stage = staged(lambda: Hall(("blue", "red")), tape=Tape(whole.held[:k]))
        stage.begin()
        while not stage.over:
            stage.act(Act(stage.best()))
        assert (stage.moves, stage.broken) == (first.moves, "")


def test_a_world_that_is_driven_has_as_much_time_for_each_action_as_it_had_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[float] = []

    def noted(seconds: float, function: Callable[[], Any]) -> Any:
        given.append(seconds)
        return function()

    monkeypatch.setattr("toolkit.streams.stage.within", noted)
    whole = Tape()
    acts = [Act("blue")] * 6
    played(staged(lambda: Hall(["blue"] * 9), Limits(seconds=2.0), whole), acts)
    assert given == [2.0] * 7
    given.clear()
    played(staged(lambda: Hall(["blue"] * 9), Limits(seconds=2.0), Tape(whole.held[:5])), acts)
    assert given == [2.0 * 5, 2.0]


def test_a_world_that_is_another_when_it_is_driven_again_is_broken_and_not_gone_on_with() -> None:
    opened = itertools.count()

    def another() -> World:
        return Hall(("blue", "blue", "red") if next(opened) else ("blue", "red", "red"))

    whole, acts = Tape(), [Act("blue"), Act("red"), Act("red")]
    assert played(staged(another, tape=whole), acts).outcome().ended == "done"
    with pytest.raises(Broken, match=r"after 2 actions it showed 'It is locked\.', but 'Hall 2 of 3\.'"):
        played(staged(another, tape=Tape(whole.held[:3])), acts)
