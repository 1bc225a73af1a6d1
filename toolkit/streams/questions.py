"""Twenty questions: which of some everyday things is meant, to be found by asking what is true of it.

Every answer follows from a table of things and attributes, so what a question is worth is known exactly, and so is the
least number of questions that finds a thing on average.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import ClassVar

import numpy as np

from toolkit.errors import SpecError
from toolkit.moves import Cause, Observation, Tally, Tool, call, called
from toolkit.records import Step, Task
from toolkit.streams.bounds import outside
from toolkit.streams.stream import Pair
from toolkit.streams.worlds import Limits, Stepped, World, WorldStream

_THINGS, _ASKED = range(2)
"""What a generator is for: the spawn key beside the draw."""


class Plan:
    """How to find one of several things with the fewest questions on average, exactly.

    Sets of things are whole numbers: bit number i stands for thing number i.

    Parameters
    ----------
    yes
        For each attribute the set of the things that have it.

    Notes
    -----
    The least total number of questions over a set S of n > 1 things is C(S) = n + min C(S yes) + C(S no) over the
    attributes that split it; C = 0 for one thing. This is searched whole, the most even splits first, and cut off where
    even the best tree of n leaves, n⌊log2 n⌋ + 2(n − 2^⌊log2 n⌋), could do no better. To choose the least trees is
    NP-hard in general; a table of some fifty things and twenty attributes takes milliseconds.

    References
    ----------
    Hyafil, Rivest 1976, Constructing optimal binary decision trees is NP-complete. Information Processing Letters 5.

    Examples
    --------
    >>> plan = Plan((0b0011, 0b0101, 0b0111))
    >>> plan.least(0b1111), plan.pick(0b1111), plan.depth(0b1111, 2)
    (8, 0, 2)
    >>> Plan((0b0001, 0b0010, 0b0100)).least(0b1111)
    9
    """

    def __init__(self, yes: Sequence[int]) -> None:
        self.yes = tuple(yes)
        self._known: dict[int, tuple[int, int]] = {}

    def least(self, left: int) -> int:
        """The least questions in all by which each of a set of things is told from the others, summed over them.

        Raises
        ------
        ValueError
            If two of them have the same attributes, so that no question tells them apart.
        """
        return self._best(left)[0]

    def pick(self, left: int) -> int:
        """The attribute to ask about next, at a set of two things or more."""
        return self._best(left)[1]

    def greedy(self, left: int) -> int:
        """What `least` is if each question is the one with the highest expected information: the most even split."""
        size = left.bit_count()
        if size < 2:
            return 0
        part = left & self.yes[self._splits(left)[0]]
        return size + self.greedy(part) + self.greedy(left ^ part)

    def depth(self, left: int, thing: int) -> int:
        """The questions after which one thing of a set is found by this plan."""
        asked = 0
        while left.bit_count() > 1:
            part = left & self.yes[self.pick(left)]
            left = part if part >> thing & 1 else left ^ part
            asked += 1
        return asked

    def _splits(self, left: int) -> list[int]:
        """The attributes that split a set, each split once, the most even first."""
        found: dict[int, int] = {}
        for place, yes in enumerate(self.yes):
            part = left & yes
            if part not in (0, left):
                found.setdefault(min(part, left ^ part), place)
        if not found:
            raise ValueError("several things have the same attributes: no question tells them apart; give them another")
        return [found[part] for part in sorted(found, key=lambda part: abs(2 * part.bit_count() - left.bit_count()))]

    def _best(self, left: int) -> tuple[int, int]:
        size = left.bit_count()
        if size < 2:
            return 0, -1
        if left not in self._known:
            best, chosen = 2 * size * size, -1
            for place in self._splits(left):
                part = left & self.yes[place]
                ones = part.bit_count()
                if size + _leaves(ones) + _leaves(size - ones) >= best:
                    break
                total = size + self.least(part) + self.least(left ^ part)
                if total < best:
                    best, chosen = total, place
            self._known[left] = best, chosen
        return self._known[left]


def _leaves(size: int) -> int:
    """The sum of the depths of a binary tree's leaves, at least."""
    deep = size.bit_length() - 1
    return size * deep + 2 * (size - (1 << deep))


@dataclass(frozen=True)
class Things:
    """A table: what is true of each thing.

    Parameters
    ----------
    attributes
        Their names, and what each means in a sentence.
    yes
        The attributes of each thing; all others it has not.
    """

    attributes: Mapping[str, str]
    yes: Mapping[str, frozenset[str]]

    @cached_property
    def plan(self) -> Plan:
        """Of all its things, in their order."""
        sets = (
            sum(1 << place for place, own in enumerate(self.yes.values()) if name in own) for name in self.attributes
        )
        return Plan(tuple(sets))

    def only(self, names: Sequence[str]) -> Things:
        """The same of some things."""
        return Things(self.attributes, {name: self.yes[name] for name in names})


@cache
def things() -> Things:
    """The shipped table, read once: 52 things, 24 attributes; no two things have the same."""
    text = resources.files("toolkit.streams").joinpath("question_things.toml").read_text(encoding="utf-8")
    held = tomllib.loads(text)
    return Things(held["attributes"], {name: frozenset(own) for name, own in held["things"].items()})


class Guessing(World):
    """One game: a thing is hidden; ask what is true of it, then guess once.

    Parameters
    ----------
    table
        What may be hidden.
    hidden
        What is.
    questions
        How many may be asked.
    """

    def __init__(self, table: Things, hidden: str, questions: int = 20) -> None:
        self.table = table
        self.hidden = hidden
        self.questions = questions
        about = {"about": {"type": "string", "enum": list(table.attributes)}}
        thing = {"thing": {"type": "string", "enum": list(table.yes)}}
        self.tools = (
            Tool("ask", "Ask whether this is true of the thing.", about, cost=1.0, asks=True),
            Tool("guess", "Say which thing it is. There is one guess.", thing),
        )
        self._names = list(table.yes)
        self._everything = (1 << len(self._names)) - 1
        self._needed = table.plan.depth(self._everything, self._names.index(hidden))
        self._begin()

    def _begin(self) -> None:
        self._left, self._asked, self._useful, self._guess = self._everything, 0, 0, ""

    def reset(self, seed: int) -> Observation:
        """Nothing is drawn: the thing is the task's."""
        self._begin()
        return self._seen("I am thinking of one of these things.", "prompt")

    def step(self, action: str) -> Stepped:
        """Answer a question, or end the game with the guess."""
        try:
            tool, given = called(action, self.tools)
        except ValueError as error:
            return self._refused(str(error))
        if self._guess:
            return self._refused("the game is over")
        if tool.name == "guess":
            self._guess = given["thing"]
            right = self._guess == self.hidden
            told = "Right" if right else "Wrong"
            return Stepped(Observation(f"{told}: it is {self.hidden}."), float(right), terminated=True)
        if self._asked >= self.questions:
            return self._refused(f"all {self.questions} questions have been asked; guess")
        return Stepped(self._answer(given["about"]))

    def _answer(self, about: str) -> Observation:
        part = self._left & self.table.plan.yes[list(self.table.attributes).index(about)]
        true = about in self.table.yes[self.hidden]
        self._asked += 1
        self._useful += part not in (0, self._left)
        self._left = part if true else self._left ^ part
        return self._seen(f"{'Yes' if true else 'No'}, {'' if true else 'not '}{about}.")

    def _seen(self, text: str, cause: Cause = "result") -> Observation:
        more = self.questions - self._asked
        asks = [call("ask", about=name) for name in self.table.attributes] if more else []
        guesses = [call("guess", thing=name) for name in self._names]
        return Observation(f"{text} Questions left: {more}.", cause, (*asks, *guesses))

    def _refused(self, why: str) -> Stepped:
        over = bool(self._guess)
        return Stepped(self._seen(why), terminated=over, info={"refused": why})

    def tally(self) -> Tally:
        """See `TwentyQuestions`."""
        reached = float(self._guess == self.hidden)
        return Tally(
            reached=reached,
            score=reached * min(1.0, (self._needed + 1) / (self._asked + 1)),
            best_steps=self._needed + 1,
            questions=self._asked,
            useful=self._useful,
            blockers=self._needed,
            found=min(self._useful, self._needed),
        )

    def best(self) -> str:
        """The next question of the plan for what is still possible; the guess, where only one thing is."""
        if self._left.bit_count() == 1 or self._asked >= self.questions:
            return call("guess", thing=self._names[self._left.bit_length() - 1])
        return call("ask", about=list(self.table.attributes)[self.table.plan.pick(self._left)])


class TwentyQuestions(WorldStream):
    """Games of twenty questions over a table of everyday things: ask about attributes, then guess, once.

    The oracle is optimal, not merely greedy: it asks by the exact `Plan` with the fewest questions on average (see
    `fewest`). Its ``best_steps`` are the questions that this plan needs for the hidden thing, and the guess; luck can
    do with fewer.

    Reached is 1 if the guess is right. The score is that times (q* + 1) / (q + 1), at most 1, where q questions were
    asked and the plan needs q*. A question is useful if it split what was still possible. What only questions can find
    (``blockers``) are the answers that the plan needs, q*; ``found`` are the useful questions, at most so many. Whoever
    only guesses, or picks an action at random each turn, is right with chance 1 / ``things``.

    Parameters
    ----------
    tasks
        Games, 1 to 10,000. Each thing is hidden once before any is again.
    things
        Different things, drawn from the table's 52 for all games alike, 2 to 52.
    draw
        Which things, and in which order they are hidden, at least 0.
    questions
        How many may be asked in a game: as many as the plan needs for any of the things, to 100.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Examples
    --------
    >>> stream = TwentyQuestions(tasks=1, things=4)
    >>> [(task, key)] = stream.pairs()
    >>> task.inputs["things"]
    'duck, butterfly, banana, bed'
    >>> key.answers[0]
    'ask {"about": "animal"}; ask {"about": "plant"}; guess {"thing": "banana"}'
    >>> stream.fewest
    2.0
    """

    licence: ClassVar[str] = "written for this toolkit; the toolkit's own licence"
    step = Step(
        "act",
        "Find out which thing is meant: ask what is true of it, with as few questions as you can, then guess once.",
        ("things", "attributes", "limit"),
        "action",
    )

    def __init__(self, tasks: int = 24, things: int = 32, draw: int = 0, questions: int = 20, delay: int = 0) -> None:
        self.tasks = tasks
        self.things = things
        self.draw = draw
        self.questions = questions
        self.delay = delay

    def load(self) -> Sequence[Pair]:
        """All games, in the order they come in."""
        self._check()
        every = (1 << self.things) - 1
        deepest = max(self.table.plan.depth(every, place) for place in range(self.things))
        if self.questions < deepest:
            rule = f"questions must be at least {deepest}, or not every thing can be found, but is {self.questions!r}"
            raise SpecError([f"TwentyQuestions: {rule}; ask for more, or for fewer things"])
        inputs = {
            "things": ", ".join(self.table.yes),
            "attributes": " ".join(f"{name}: {means}" for name, means in self.table.attributes.items()),
            "limit": f"{self.questions} questions, then one guess",
        }
        tasks = [Task(f"q{place:04}", inputs, time=float(place)) for place in range(self.tasks)]
        return tuple((task, self.key_of(task, delay=self.delay)) for task in tasks)

    def world(self, task: Task) -> Guessing:
        """The game of a task."""
        place = int(task.id[1:]) if task.id[1:].isdecimal() else self.tasks
        if place >= self.tasks:
            raise ValueError(f"{task.id!r} is no task of {self!r}: take one of its pairs()")
        return Guessing(self.table, self._hidden[place], self.questions)

    def limits(self, task: Task) -> Limits:
        """A turn for each question, one for the guess, and five to spare."""
        return Limits(turns=self.questions + 6)

    @property
    def fewest(self) -> float:
        """The least mean number of questions over all things: what the oracle asks."""
        return self.table.plan.least((1 << self.things) - 1) / self.things

    @property
    def greedy(self) -> float:
        """The mean number of questions if each is the one with the highest expected information: at least `fewest`."""
        return self.table.plan.greedy((1 << self.things) - 1) / self.things

    @cached_property
    def table(self) -> Things:
        """The things of these games."""
        self._check()
        every = list(things().yes)
        chosen = sorted(_rng(self.draw, _THINGS).permutation(len(every))[: self.things])
        return things().only([every[place] for place in chosen])

    @cached_property
    def _hidden(self) -> list[str]:
        rng, names = _rng(self.draw, _ASKED), list(self.table.yes)
        rounds = [rng.permutation(len(names)) for _ in range(-(-self.tasks // len(names)))]
        return [names[place] for order in rounds for place in order][: self.tasks]

    def _check(self) -> None:
        bounds = {
            "tasks": (1, 10_000),
            "things": (2, len(things().yes)),
            "draw": (0, 2**31),
            "questions": (1, 100),
            "delay": (0, 10_000),
        }
        if mistakes := outside(self, bounds):
            raise SpecError(mistakes)


def _rng(draw: int, part: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(draw, spawn_key=(part,)))
