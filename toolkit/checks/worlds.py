"""A made-up world for contract checks of goal policies, and models for it: one that answers, one of nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

from toolkit.checks.lives import HOSTILE, thought
from toolkit.moves import WAIT, Act, Move, Observation, Tally, Tool, call
from toolkit.records import Experience, Feedback, Step, Task
from toolkit.streams.stage import Stage
from toolkit.streams.worlds import Limits, Stepped, World
from toolkit.traits.goals import Choice, GoalPolicy, Situation

TURNS = 12
"""Of an episode at most."""

_EVENTS = (
    ("prompt", "A parcel for Mara has come. Where does it go?"),
    ("tick", "Nothing happens."),
    ("tick", "The lamp in the hall is broken."),
    ("result", "The parcel is in the hall."),
    ("prompt", "Another parcel has come."),
    ("tick", "Smoke on floor 2."),
)
_TOOLS = (
    Tool("put", "Put it somewhere.", {"where": {"type": "string"}}, changes=True),
    Tool("ask", "Ask somebody.", asks=True, cost=0.5),
)
DONE = (call("put", where="hall"), call("put", where="cellar"), "ask", WAIT)
"""What can be done in it."""


class Parcels(World):
    """Parcels, questions and ticks by turns, with actions that are listed or not."""

    tools = _TOOLS
    ticks = True

    def __init__(self, listed: bool) -> None:
        self.listed = listed

    def reset(self, seed: int) -> Observation:
        """The first event."""
        self.turn = seed % len(_EVENTS)
        return self._seen()

    def step(self, action: str) -> Stepped:
        """The next event, whatever was done."""
        self.turn += 1
        return Stepped(self._seen())

    def tally(self) -> Tally:
        """Nothing is to be reached."""
        return Tally()

    def best(self) -> str:
        """Put it into the hall."""
        return DONE[0]

    def _seen(self) -> Observation:
        cause, text = _EVENTS[self.turn % len(_EVENTS)]
        return Observation(text, cause, DONE if self.listed else ())  # type: ignore[arg-type]


@dataclass
class Model:
    """Answers steps and decisions by what it is asked alone; with ``nonsense`` by texts that try to be something else.

    Parameters
    ----------
    nonsense
        Where in the list of such texts it begins; None = it makes sense.
    sure
        Whether it says how sure it is.

    Attributes
    ----------
    asked
        Every call: the step's name or ``"choose"``, and what was given.
    """

    nonsense: int | None = None
    sure: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    def think(self, step: Step, **inputs: str) -> str:
        """A step's answer."""
        self.asked.append((step.name, repr(sorted(inputs.items()))))
        return thought(step, **inputs) if self.nonsense is None else self._nonsense()

    def choice(
        self, now: Situation, block: str, among: Sequence[str] | None, thought: str, plan: bool, weigh: bool
    ) -> Choice:
        """A decision's answer."""
        given = f"{now.now.text} {block} {among} {thought} {plan}"
        self.asked.append(("choose", given))
        options = tuple(now.now.actions if among is None else among)
        sign = crc32(f"{given} {len(now.moves)}".encode("utf-8", "replace"))
        sure = (sign % 101) / 100 if weigh and self.sure and options else None
        if self.nonsense is not None and sign % 3:
            said = self._nonsense()
            return Choice("", refused="that was no action") if sign % 2 else Choice(said.strip(), sure)
        return Choice((options or DONE)[sign // 101 % len(options or DONE)], sure)

    def _nonsense(self) -> str:
        return HOSTILE[((self.nonsense or 0) + len(self.asked)) % len(HOSTILE)]


@dataclass(frozen=True, slots=True)
class Played:
    """What a policy did in an episode, its goal block on every turn, and how often it asked the model for each turn."""

    acts: tuple[Act, ...]
    blocks: tuple[str, ...]
    moves: tuple[Move, ...]
    calls: tuple[int, ...]
    asked: tuple[tuple[str, str], ...]


def played(policy: GoalPolicy, model: Model, seed: int = 0, *, listed: bool = True) -> Played:
    """An episode of a policy whose life has begun with `Model.think`."""
    task = Task(f"parcels-{seed}", {"task": f"Put parcel number {seed} where it goes."})
    stage = Stage(lambda: Parcels(listed), lambda: Limits(turns=TURNS, granted="free"), seed, _untaped)
    stage.begin()
    policy.begin(task, stage.tools)
    acts, blocks, calls, first = list[Act](), list[str](), list[int](), len(model.asked)
    while not stage.over:
        now = Situation(task, stage.now, tuple(stage.moves), stage.tools, stage.left)
        before = len(model.asked)

        def choose(
            among: Sequence[str] | None = None,
            *,
            thought: str = "",
            plan: bool = False,
            weigh: bool = False,
            now: Situation = now,
        ) -> Choice:
            return model.choice(now, policy.block(task), among, thought, plan, weigh)

        acts.append(policy.act(now, choose))
        blocks.append(policy.block(task))
        calls.append(len(model.asked) - before)
        stage.act(acts[-1])
    stage.close()
    return Played(tuple(acts), tuple(blocks), tuple(stage.moves), tuple(calls), tuple(model.asked[first:]))


def judged(episode: Played, number: int, score: float) -> Experience:
    """An episode as feedback tells of it."""
    task = Task(f"parcels-{number}", {"task": f"Put parcel number {number} where it goes."})
    seen = Experience(f"stream/{number}", task, "; ".join(one.action for one in episode.moves), Feedback(score))
    return replace(seen, moves=episode.moves)


def _untaped(question: object, answer: object) -> str:
    return str(answer())  # type: ignore[operator]
