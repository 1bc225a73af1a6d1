"""What all probes have in common: streams that ask one capability of a memory, with answers that follow from the texts.

Every task tells something and asks something that an earlier one told. A stream is cut into rounds that share no fact:
orders shuffle whole rounds, so that nothing is asked before it was told, whatever the seed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise, product
from typing import Any, ClassVar, TypeAlias

import numpy as np

from toolkit.errors import SpecError
from toolkit.records import Key, Step, Task
from toolkit.streams.said import AUTHORITY, LINK, OWN, UNKNOWN, Asked, Said, read
from toolkit.streams.stream import Pair, Stream

RULES = "Answer the question from what you have been told. A later note replaces an earlier one about the same thing."
ABSTAIN = f"If you have never been told, answer {UNKNOWN}."
_TAG = re.compile(r"(?P<kind>[a-z]+(?:-[a-z]+)*)-lag(?P<lag>\d+)-\d+")
_SHORTEST = 12  # tasks of a round
_TRIES = 30


@lru_cache(maxsize=1)
def words() -> Mapping[str, Any]:
    """The words that texts are drawn from."""
    return tomllib.loads((files("toolkit.streams") / "probe_words.toml").read_text("utf-8"))


Ask: TypeAlias = tuple[Asked | str, str, int]
"""A question (as text: of general knowledge), its kind as task ids spell it, and its lag: how many tasks ago the last
statement was made that it needs."""

Told: TypeAlias = tuple[str, int, Said]
"""Who told what, and its number."""


@dataclass(frozen=True)
class Item:
    """Statements and questions that belong together, by their distance in tasks from the first of them."""

    tells: Mapping[int, Said]
    asks: Mapping[int, Ask]

    @property
    def span(self) -> int:
        """Distance from its first task to its last."""
        return max([*self.tells, *self.asks])


class Drawing:
    """Draws subjects, attributes and values; nobody is given the same attribute twice in a stream."""

    def __init__(self, rng: np.random.Generator, alike: bool = False) -> None:
        self.rng, held, end = rng, words(), "_alike" * alike
        names: list[str] = [f"{first} {last}" for first, last in product(held["firsts" + end], held["lasts" + end])]
        self._attributes: list[str] = list(held["values"])[: 2 if alike else None]
        facts = list(product(names, self._attributes))
        self._facts = (facts[place] for place in rng.permutation(len(facts)).tolist())
        self._people = iter([names[place] for place in rng.permutation(len(names)).tolist()])
        self._questions = iter([str(one) for one in rng.permutation(list(held["knowledge"]))])
        self._used: set[tuple[str, str]] = set()
        self.begin()

    def begin(self) -> None:
        """Begin a round: users are others than before."""
        self._own = iter([str(one) for one in self.rng.permutation(self._attributes)])

    def fact(self) -> tuple[str, str]:
        """A subject with an attribute that nothing has been said about."""
        found: tuple[str, str] = next(one for one in self._facts if one not in self._used)
        self._used.add(found)
        return found

    def another(self, name: str) -> str:
        """An attribute of a subject that nothing has been said about, nor will be."""
        free = [one for one in self._attributes if (name, one) not in self._used]
        found = str(self.rng.choice(free or [LINK]))
        self._used.add((name, found))
        return found

    def person(self, attribute: str) -> str:
        """A name that was not drawn in this way before, and nothing has been said of the attribute."""
        found: str = next(one for one in self._people if (one, attribute) not in self._used)
        self._used.add((found, attribute))
        return found

    def attribute(self) -> str:
        """Any attribute."""
        return str(self.rng.choice(self._attributes))

    def own(self) -> str:
        """An attribute that no user has spoken of in this round; empty if there is none left."""
        return next(self._own, "")

    def question(self) -> str:
        """A question of general knowledge that was not asked before; empty if there is none left."""
        return next(self._questions, "")

    def values(self, attribute: str, count: int = 1) -> list[str]:
        """Different values of an attribute."""
        every = words()["values"][attribute]
        return [every[place] for place in self.rng.permutation(len(every))[:count].tolist()]

    def source(self) -> str:
        """Somebody without authority."""
        return str(self.rng.choice(words()["sources"]))


class Probe(Stream, abstract=True):
    """Base of the probes: a subclass draws items, and may say whose task is whose.

    Parameters
    ----------
    tasks
        How many, up to 6,000 (fewer where the words do not suffice).
    lag
        Tasks from a statement to what comes next of it, at least 1.
    across
        True: every task is a session of its own, so that only what outlives a session helps. False: a round is one
        session.
    draw
        Seed of the drawing, at least 0. Replicate by several of them: each is another stream.

    Attributes
    ----------
    most
        The largest number of tasks.
    """

    step = Step("decide", f"{RULES} {ABSTAIN}", ("told", "question"))
    rewards: ClassVar[tuple[str, ...]] = ("memory",)
    licence: ClassVar[str] = "written for this toolkit; the toolkit's own licence"
    most: ClassVar[int] = 6000
    alike: ClassVar[bool] = False

    def __init__(self, tasks: int = 60, lag: int = 3, across: bool = True, draw: int = 0) -> None:
        self.tasks = tasks
        self.lag = lag
        self.across = across
        self.draw = draw

    def item(self, drawing: Drawing, number: int) -> Item | None:
        """The next item of a stream, ``number`` of them so far; None = no more in this round."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it tells and asks: define item()")

    def user(self, turn: int, place: int) -> str:
        """Whose task a place of a round is."""
        return f"user-{turn}"

    def longest(self) -> int:
        """The distance between the first and the last task of an item, at most."""
        return 3 * self.lag

    def told_at(self, length: int) -> Mapping[int, Said]:
        """What is told in every round of a length, by place."""
        return {}

    def load(self) -> Sequence[Pair]:
        """All tasks, round by round."""
        self._check()
        drawing, found, number = Drawing(np.random.default_rng([self.draw, 0]), self.alike), list[Pair](), 0
        for turn, length in enumerate(self._lengths()):
            asks, tells, number = self._packed(drawing, length, number)
            found += self._pairs_of(turn, len(found), tells, asks)
        return found

    def groups(self) -> list[list[int]]:
        """The rounds."""
        starts = np.cumsum([0, *self._lengths()])
        return [list(range(start, end)) for start, end in pairwise(starts)]

    def tags(self) -> tuple[tuple[str, int], ...]:
        """Kind and lag of the question of each task, as its id spells them."""
        found = (tag(task.id) for task, _ in self.pairs())
        return tuple(one for one in found if one is not None)

    def difficulty(self) -> Sequence[float]:
        """The lag."""
        return tuple(float(lag) for _, lag in self.tags())

    def chance(self) -> float:
        """The mean score, in (0, 1], of an option drawn at random."""
        return float(np.mean([1 / len(task.options) for task, _ in self.pairs()]))

    def oracle(self, task: Task) -> str:
        """The right answer, from the texts of the task's round and not from the stored keys.

        Raises
        ------
        ValueError
            If the task is none of this stream.
        """
        texts = [one for one, _ in self.pairs()]
        if task not in texts:
            raise ValueError(f"{self!r} has no task {task.id!r} like this: ask about a task of its pairs()")
        place = texts.index(task)
        start = next(group[0] for group in self.groups() if place in group)
        told = [(one.user, read(one.inputs["told"])) for one in texts[start : place + 1]]
        history = [(user, *found) for user, found in told if found is not None]
        asked = Asked.read(task.inputs["question"])
        return truth(asked, task.user, history) if asked else words()["knowledge"][task.inputs["question"]][0]

    @property
    def label(self) -> str:
        """The probe, and whether it stays within a session."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower() + ("" if self.across else "-within")

    def _lengths(self) -> list[int]:
        """Lengths of the rounds; the last takes what would be too short for one of its own."""
        length = max(_SHORTEST, self.longest() * 3 // 2)
        rounds = max(1, self.tasks // length)
        return [length] * (rounds - 1) + [self.tasks - length * (rounds - 1)]

    def _packed(self, drawing: Drawing, length: int, number: int) -> tuple[dict[int, Ask], dict[int, Said], int]:
        """A round: items wherever places are free; elsewhere questions that the task itself answers, or nobody can."""
        tells, failed = dict(self.told_at(length)), 0
        asks: dict[int, Ask] = {
            place: (Asked("value", *drawing.fact()), "never", 0) for place in tells
        }  # acted upon by the next task
        drawing.begin()
        item = self.item(drawing, number)
        while item is not None and failed < _TRIES:
            start = int(drawing.rng.integers(max(1, length - item.span)))
            free = start + item.span < length and not (
                any(start + place in tells for place in item.tells) or any(start + place in asks for place in item.asks)
            )
            failed = 0 if free else failed + 1
            if free:
                tells |= {start + place: said for place, said in item.tells.items()}
                asks |= {start + place: asked for place, asked in item.asks.items()}
                number += 1
                item = self.item(drawing, number)
        for place in range(length):
            idle = place not in tells
            if idle:
                subject, attribute = drawing.fact()
                tells[place] = Said(subject, attribute, drawing.values(attribute)[0])
            if place not in asks:  # whoever fails what its own task answers cannot read
                about = (tells[place].subject, tells[place].attribute) if idle else drawing.fact()
                asks[place] = Asked("value", *about), "reading" if idle else "never", 0
        return asks, tells, number

    def _pairs_of(self, turn: int, first: int, tells: Mapping[int, Said], asks: Mapping[int, Ask]) -> Iterator[Pair]:
        """Tasks and keys of a round."""
        history: list[Told] = []
        for place, number in enumerate(range(first, first + len(asks))):
            user, (asked, kind, lag) = self.user(turn, place), asks[place]
            history.append((user, number, tells[place]))
            if isinstance(asked, Asked):
                right, question = truth(asked, user, history), asked.text
                options = (*self._offered(asked), UNKNOWN)
            else:
                right, question = words()["knowledge"][asked][0], asked
                options = (*sorted(words()["knowledge"][asked]), UNKNOWN)
            session = f"{user}/{number}" if self.across else user
            inputs = {"told": tells[place].text(number), "question": question}
            kind = self.kind_of(kind, right)
            yield Task(f"{kind}-lag{lag:03}-{number:04}", inputs, options, user, session, float(number)), Key((right,))

    def kind_of(self, kind: str, right: str) -> str:
        """The kind of a question, where that depends on what the round made its answer."""
        return kind

    def _offered(self, asked: Asked) -> tuple[str, ...]:
        if asked.kind == "first":
            return tuple(sorted((asked.subject, asked.other)))
        return tuple(words()["values"][asked.attribute])

    def _check(self) -> None:
        bounds = {"tasks": (self.longest() + 2, self.most), "lag": (1, None), "draw": (0, None)}
        mistakes = []
        for name, (least, most) in bounds.items():
            value = getattr(self, name, least)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < least or (most is not None and value > most):
                range_ = f"at least {least}" if most is None else f"from {least} to {most}"
                mistakes.append(f"{type(self).__name__}: {name} must be a whole number {range_} but is {value!r}")
        if mistakes:
            raise SpecError(mistakes)


def truth(asked: Asked, user: str, history: Sequence[Told]) -> str:
    """The right answer to a user's question after all that was told: the latest statement's, of those that hold.

    A statement by the authority outdoes any other source's; what its user asked to forget does not hold.

    Examples
    --------
    >>> told = [("u", 1, Said("my", "badge", "teal")), ("u", 2, Said("my", "badge", "olive")), ("v", 3, Said())]
    >>> truth(Asked("value", "my", "badge"), "u", told), truth(Asked("value", "my", "badge"), "v", told)
    ('olive', 'unknown')
    """
    forgot = {teller: serial for teller, serial, said in history if not said.attribute}
    holds = [one for one in history if one[1] > forgot.get(one[0], -1)]

    def about(subject: str, attribute: str) -> list[tuple[int, str]]:
        found = [
            (serial, said)
            for teller, serial, said in holds
            if (said.subject, said.attribute) == (subject, attribute) and (subject != OWN or teller == user)
        ]
        surest = [one for one in found if one[1].source == AUTHORITY] or found
        return [(serial, said.value) for serial, said in surest]

    if asked.kind == "first":
        both = [about(subject, asked.attribute) for subject in (asked.subject, asked.other)]
        if not all(both):
            return UNKNOWN
        return asked.subject if both[0][0] < both[1][0] else asked.other
    subject = asked.subject
    if asked.kind == "hop":
        mentors = about(subject, LINK)
        subject = mentors[-1][1] if mentors else ""
    found = about(subject, asked.attribute)
    return found[-1][1] if found else UNKNOWN


def tag(task_id: str) -> tuple[str, int] | None:
    """Kind and lag of a probe's question, from the id of its task; None for a task of another stream.

    Examples
    --------
    >>> tag("update-new-lag003-0012"), tag("t0012")
    (('update-new', 3), None)
    """
    found = _TAG.fullmatch(task_id)
    return (found["kind"], int(found["lag"])) if found else None
