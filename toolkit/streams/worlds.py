"""Worlds: tasks of many turns, by Gymnasium's contract in text, and streams of them.

A world is what is outside of an agent: it shows something, takes an action, and shows what came of it. It is the
bench's: an agent meets it on a `toolkit.streams.stage.Stage`, which holds actions to schemas and limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from toolkit.component import digest
from toolkit.errors import SpecError
from toolkit.moves import AUTONOMY, WAIT, Autonomy, Observation, Outcome, Tally, Tool, planned
from toolkit.records import Key, Step, Task
from toolkit.streams.scoring import Scorer
from toolkit.streams.stream import Stream


class Stepped(NamedTuple):
    """What a world gives for an action: Gymnasium's five.

    Attributes
    ----------
    observation
        What there is to see now.
    reward
        What the action was worth, in the world's own units.
    terminated, truncated
        Whether it is over: by what happened, or because no more time is given.
    info
        Named texts beside it, such as why an action was ``"refused"``.
    """

    observation: Observation
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, str] = MappingProxyType({})


class World:
    """One task of many turns. A subclass gives `reset`, `step` and `tally`; `best` where an oracle is known.

    It must follow from its parameters, the seed and the actions alone, touch nothing outside itself, and never read a
    clock: then it can be driven to where it was from the actions on the tape.

    Attributes
    ----------
    tools
        What can be done, where actions are calls; empty = actions are words.
    ticks
        Whether time passes in it, so that waiting is something to do. Elsewhere whoever waits has left.

    Examples
    --------
    >>> class Door(World):
    ...     def reset(self, seed):
    ...         self.open = False
    ...         return Observation("A door.", "prompt", ("push", "pull"))
    ...     def step(self, action):
    ...         self.open = action == "pull"
    ...         return Stepped(Observation("It opens." if self.open else "Nothing moves."), terminated=self.open)
    ...     def tally(self):
    ...         return Tally(reached=float(self.open), best_steps=1)
    >>> door = Door()
    >>> door.reset(0).actions, door.step("pull").terminated, door.tally().reached
    (('push', 'pull'), True, 1.0)
    """

    tools: tuple[Tool, ...] = ()
    ticks: bool = False

    def reset(self, seed: int) -> Observation:
        """Begin anew, and show what there is to see; everything drawn comes from ``seed``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it begins: define reset(seed)")

    def step(self, action: str) -> Stepped:
        """Take an action, and show what came of it.

        An action that is none here must not raise: the observation says so, and ``info["refused"]`` why.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what actions do: define step(action)")

    def tally(self) -> Tally:
        """What came of it so far."""
        raise NotImplementedError(f"{type(self).__name__} does not say what was reached: define tally()")

    def best(self) -> str:
        """What an oracle would do now."""
        raise NotImplementedError(f"{type(self).__name__} knows no oracle: define best()")

    def approves(self, action: str) -> bool:
        """Whether somebody who is asked for leave gives it."""
        return True

    def close(self) -> None:
        """Give back what it holds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an episode in a world may take; nobody can go beyond.

    Parameters
    ----------
    turns
        Turns of the agent, waits and refused actions among them, at least 1.
    cost
        What its tools may cost in all, at least 0.
    granted
        How much autonomy it has.
    seconds
        Of the clock, for each thing that the world is asked; who takes longer is broken.
    """

    turns: int = 50
    cost: float = math.inf
    granted: Autonomy = "notify"
    seconds: float = 60.0

    def mistakes(self) -> list[str]:
        """What is wrong with them."""
        found = []
        if isinstance(self.turns, bool) or not isinstance(self.turns, int) or self.turns < 1:
            found.append(f"turns must be a whole number of at least 1 but is {self.turns!r}")
        for name in ("cost", "seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                found.append(f"{name} must be a number of at least 0 but is {value!r}")
        if self.granted not in AUTONOMY:
            found.append(f"granted must be one of {', '.join(AUTONOMY)} but is {self.granted!r}")
        return found


class WorldStream(Stream, abstract=True):
    """A stream whose tasks are worlds. A subclass gives `load` and `world`; `limits` where the usual ones do not do.

    Its keys hold the oracle's actions as their first answer (see `toolkit.moves.planned`); `key_of` makes one.
    """

    plays = True
    rewards: ClassVar[tuple[str, ...]] = ("memory", "goals", "role", "learning")
    scorers = ("tallied", "reached")
    step = Step("act", "Reach the goal. Say what to do next.", ("task",), "action")

    def world(self, task: Task) -> World:
        """A new world for a task, before `World.reset`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its worlds are: define world(task)")

    def tools(self) -> tuple[Tool, ...]:
        """Every tool of its worlds, once for each name."""
        found = {tool.name: tool for task, _ in self.pairs() for tool in self.world(task).tools}
        return tuple(found.values())

    def limits(self, task: Task) -> Limits:
        """What an episode of this task may take."""
        return Limits()

    def fingerprint(self) -> str:
        """Identity by content and by parameters, since what a world does stands in no task; not by where data lie."""
        own = {name: value for name, value in self.config().items() if name != "path"}
        return digest([super().fingerprint(), own, type(self).version])

    def key_of(self, task: Task, seed: int = 0, delay: int = 0) -> Key:
        """A task's key, by letting its oracle act.

        Raises
        ------
        SpecError
            If the oracle does not come to an end within the limit of turns.
        """
        played = solved(self.world(task), seed, self.limits(task).turns)
        tally = played.tally
        return Key((planned(played.actions),), delay, tally.reached if tally.score is None else tally.score)


@dataclass(frozen=True, slots=True)
class Solved:
    """What an oracle did in a world, waits among it, and what it came to."""

    actions: tuple[str, ...]
    tally: Tally = field(default_factory=Tally)


def solved(world: World, seed: int, turns: int) -> Solved:
    """Let a world's oracle act until the world ends.

    Raises
    ------
    SpecError
        If it does not end within so many turns.
    """
    world.reset(seed)
    done: list[str] = []
    try:
        for _ in range(turns):
            done.append(world.best())
            stepped = world.step(done[-1])
            left = done[-1] == WAIT and not world.ticks
            if stepped.terminated or stepped.truncated or left:
                return Solved(tuple(done), world.tally())
    finally:
        world.close()
    raise SpecError(
        [f"the oracle of {type(world).__name__} has not come to an end after {turns} turns: raise the limit"]
    )


class Reached(Scorer):
    """The share of a world's goals that were reached.

    Examples
    --------
    >>> Reached()(Task("1", {}), Outcome("over", tally=Tally(reached=0.5)).text, Key(("",)))
    0.5
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """In [0, 1]."""
        return Outcome.of(answer).tally.reached


class Tallied(Scorer):
    """The main measure of a world as it keeps it itself; where it keeps none, the share of goals reached.

    Examples
    --------
    >>> Tallied()(Task("1", {}), Outcome("over", tally=Tally(reached=1.0, score=0.8)).text, Key(("",)))
    0.8
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """In [0, 1]."""
        tally = Outcome.of(answer).tally
        return tally.reached if tally.score is None else tally.score
