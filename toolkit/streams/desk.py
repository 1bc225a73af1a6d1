"""The shipped service desk: tickets that a made-up company routes by its own arbitrary rules.

Three parts that know nothing of each other's business: a `Company` is its rules and its customers, without a word of
text; a `Case` is what one ticket is about; `Wordings` turn a topic into text and back. `Desk` draws all three and is
the stream. Which topic goes to which queue is drawn, so nobody can know a rule beforehand: whatever an agent gets right
above chance it was told, by feedback or by labelled tickets.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from string import Formatter
from typing import ClassVar

import numpy as np

from toolkit.errors import SpecError
from toolkit.records import Key, Step, Task
from toolkit.streams.stream import Pair, Stream

_COMPANY, _POOL, _TICKETS, _DRIFT = range(4)
"""What a generator is for: the spawn key beside the draw, so that no part's randomness shifts another's."""

_MOST_TASKS = 10_000
_PER_REGULAR = 6
_PER_TOPIC = 3


@dataclass(frozen=True, slots=True)
class Customer:
    """A returning customer; ``handler`` is the queue that takes all their tickets, empty if the rules decide."""

    name: str
    handler: str = ""

    @property
    def user(self) -> str:
        """The name as tasks carry it."""
        return self.name.lower()


@dataclass(frozen=True)
class Company:
    """The truth of one company: its rules and its customers, and no texts.

    Parameters
    ----------
    queues
        Its queues, in the order in which every ticket offers them.
    rules
        The queue that handles a topic, for all topics.
    regulars
        Its returning customers; a stream shows as many as it needs, from the front. Among each three in a row one has
        a handler of their own.

    Examples
    --------
    >>> company = Company(("delta", "echo"), {"password": "echo"}, (Customer("Mara", "delta"),))
    >>> company.route("password", "visitor-1"), company.route("password", "mara")
    ('echo', 'delta')
    """

    queues: tuple[str, ...]
    rules: Mapping[str, str]
    regulars: tuple[Customer, ...]

    @classmethod
    def drawn(cls, draw: int, queues: int) -> Company:
        """The company with this number, with so many queues.

        Topics are dealt to queues in shuffled order, one each in turn: no queue is without a topic, and where there are
        fewer queues than topics, the numbers of topics of any two queues differ by at most one.
        """
        rng, words = _rng(draw, _COMPANY), wordings()
        names = tuple(str(name) for name in rng.permutation(words.queues)[:queues])
        topics = rng.permutation(list(words.topics))
        rules = {str(topic): names[place % queues] for place, topic in enumerate(topics)}
        roster = [str(name) for name in rng.permutation(words.regulars)]
        handled = _one_of_three(rng, len(roster))
        handlers = [names[int(rng.integers(queues))] if place in handled else "" for place in range(len(roster))]
        regulars = tuple(Customer(name, handler) for name, handler in zip(roster, handlers, strict=True))
        return cls(tuple(str(name) for name in rng.permutation(names)), rules, regulars)

    def reorganised(self, rng: np.random.Generator, share: float) -> Company:
        """The same company after this share of its topics, rounded, has each gone to another queue; handlers stay."""
        moved = rng.permutation(list(self.rules))[: round(share * len(self.rules))]
        new = {str(topic): [queue for queue in self.queues if queue != self.rules[topic]] for topic in moved}
        return Company(self.queues, {**self.rules, **{topic: _pick(rng, new[topic]) for topic in new}}, self.regulars)

    def route(self, topic: str, user: str) -> str:
        """The queue that handles a ticket: the customer's own handler, else the rule of its topic."""
        own = next((customer.handler for customer in self.regulars if customer.user == user), "")
        return own or self.rules[topic]


@dataclass(frozen=True, slots=True)
class Case:
    """What one ticket is about, before any words: its topic, who writes, in which session, signed with what."""

    topic: str
    user: str
    session: str
    name: str = ""


@dataclass(frozen=True)
class Wordings:
    """Everything a ticket is worded from; see ``desk_texts.toml``. Knows topics and names but no rule."""

    queues: tuple[str, ...]
    regulars: tuple[str, ...]
    visitors: tuple[str, ...]
    openings: Mapping[str, Sequence[str]]
    closings: Mapping[str, Sequence[str]]
    slots: Mapping[str, Sequence[str]]
    topics: Mapping[str, Sequence[str]]

    def write(self, rng: np.random.Generator, topic: str, name: str = "") -> str:
        """A ticket on a topic: a frame with a word before or after it, which gives the name if there is one."""
        first, kind = bool(rng.integers(2)), "named" if name else "plain"
        around = _pick(rng, (self.openings if first else self.closings)[kind])
        values = {slot: _pick(rng, fillers) for slot, fillers in self.slots.items()}
        parts = (around, _pick(rng, self.topics[topic])) if first else (_pick(rng, self.topics[topic]), around)
        return " ".join(part.format(name=name, **values) for part in parts if part)

    def topic(self, text: str) -> str:
        """The topic that a ticket's words were written on.

        Raises
        ------
        ValueError
            If the text is no ticket of this desk.
        """
        found = [topic for topic, pattern in self._patterns.items() if pattern.search(text)]
        if len(found) != 1:
            raise ValueError(
                f"a ticket of the desk is about one topic, but about {found or 'none'} here: {text!r}; "
                "give a task of this stream or of its pool"
            )
        return found[0]

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        return {topic: re.compile("|".join(map(self._pattern, frames))) for topic, frames in self.topics.items()}

    def _pattern(self, frame: str) -> str:
        """A regular expression for all texts of a frame."""
        parts = []
        for literal, slot, _, _ in Formatter().parse(frame):
            fillers = "|".join(map(re.escape, self.slots[slot])) if slot else ""
            parts.append(re.escape(literal) + (f"(?:{fillers})" if slot else ""))
        return "".join(parts)


@cache
def wordings() -> Wordings:
    """The shipped words, read once."""
    table = tomllib.loads(resources.files("toolkit.streams").joinpath("desk_texts.toml").read_text(encoding="utf-8"))
    names, queues = table.pop("names"), tuple(table.pop("queues"))
    return Wordings(queues, tuple(names["regulars"]), tuple(names["visitors"]), **table)


class Desk(Stream):
    """Tickets of a company that routes them by rules of its own, from new and returning customers.

    Every ticket offers all queues of the company. Which topic goes to which queue is drawn; beyond that, one in three
    returning customers has a handler: one queue takes all their tickets, whatever they are about. A returning customer
    gives a name in the text and comes back in visits (sessions) of one to three tickets; a new one comes once.

    Parameters
    ----------
    tasks
        Tickets, 1 to 10,000.
    queues
        Queues of the company, 2 to 24; beyond a topic each there would be queues without work.
    draw
        Which company, at least 0. Another draw is another company: other rules, other customers, other tickets. Under
        one draw, another number of queues changes the answers but not the tickets.
    returning
        Share of tickets from returning customers, in [0, 1]. There is one such customer for every 6 of these tickets,
        up to 40 of them; all visit once before any visits again.
    delay
        Tickets that pass before feedback arrives, at least 0.
    drift
        How often the company reorganises, after equal parts of the tickets; fewer than there are tickets. None = never.
        See `toolkit.Stream.drifts`. Words and customers stay, and the pool is labelled as before the first time.
    redrawn
        Share of the topics that each go to another queue then, in (0, 1]; None = half. Only with ``drift``.

    Notes
    -----
    The randomness of a part comes from ``numpy.random.SeedSequence(draw, spawn_key=(part,))``: part 0 draws the
    company, 1 the pool, 2 the tickets, 3 what reorganisations change.

    Examples
    --------
    >>> desk = Desk(tasks=3, queues=4, draw=2)
    >>> for task, key in desk.pairs():
    ...     print(task.session, "|", task.inputs["ticket"], "|", *key.answers)
    tobias/1 | Will the toaster be cheaper soon, or is this the best price? Cheers, Tobias | bridge
    tobias/2 | I am Tobias. I married, please change my last name in the profile. | echo
    visitor-1/1 | I am Jack. I opened the box of the suitcase and the shoulder strap was missing. | tower
    >>> [desk.oracle(task) for task, _ in desk.pairs()]
    ['bridge', 'echo', 'tower']
    """

    step = Step("decide", "Route the ticket to the queue that handles it at this company.", ("ticket",), "queue")
    scorers = ("exact",)
    licence: ClassVar[str] = "written for this toolkit; the toolkit's own licence"

    def __init__(
        self,
        tasks: int = 60,
        queues: int = 20,
        draw: int = 0,
        returning: float = 0.5,
        delay: int = 0,
        drift: int | None = None,
        redrawn: float | None = None,  # left out of the settings where there is none
    ) -> None:
        self.tasks = tasks
        self.queues = queues
        self.draw = draw
        self.returning = returning
        self.delay = delay
        self.drift = drift
        self.redrawn = redrawn

    def company(self) -> Company:
        """The company behind the tickets, before any reorganisation: its rules, queues and returning customers.

        Raises
        ------
        SpecError
            A `ValueError` that lists every parameter out of its range.
        """
        self._check()
        return Company.drawn(self.draw, self.queues)

    def companies(self) -> tuple[Company, ...]:
        """The company from each place of `drifts` to the next: `company`, then what each reorganisation made of it."""
        found, rng = [self.company()], _rng(self.draw, _DRIFT)
        for _ in self.drifts():
            found.append(found[-1].reorganised(rng, 0.5 if self.redrawn is None else self.redrawn))
        return tuple(found)

    def drifts(self) -> Sequence[int]:
        """The first tickets after each reorganisation."""
        parts = (self.drift or 0) + 1
        return tuple(self.tasks * part // parts for part in range(1, parts))

    def load(self) -> Sequence[Pair]:
        """All tickets in the order they come in, with their keys; no text occurs twice, nor in the pool."""
        regimes, rng = self.companies(), _rng(self.draw, _TICKETS)
        cases = list(_cases(rng, self.tasks, round(self.tasks * self.returning), regimes[0].regulars))
        seen = {task.inputs["ticket"] for task, _ in self.pool()}
        under = [regimes[self._regime(place)] for place in range(len(cases))]
        return tuple(self._pairs_of(rng, under, cases, "t", seen))

    def pool(self) -> Sequence[Pair]:
        """Three labelled tickets on every topic (72), from customers who never write in the stream."""
        company, rng = self.company(), _rng(self.draw, _POOL)
        topics = rng.permutation(list(wordings().topics) * _PER_TOPIC)
        users = (f"earlier-{place:02}" for place in range(len(topics)))
        cases = [Case(str(topic), user, f"{user}/1", _stranger(rng)) for topic, user in zip(topics, users, strict=True)]
        return tuple(self._pairs_of(rng, [company] * len(cases), cases, "p", set()))

    def oracle(self, task: Task) -> str:
        """The right queue for a ticket of the stream or the pool, by its words, its customer and the rules of its time.

        It reads the ticket instead of the stored keys, so it also finds keys that do not belong to their texts.

        Raises
        ------
        ValueError
            If the task is no ticket of a desk.
        """
        place = -1 if task.id.startswith("p") or task.time is None else int(task.time)
        return self.companies()[self._regime(place)].route(wordings().topic(task.inputs.get("ticket", "")), task.user)

    def difficulty(self) -> Sequence[float]:
        """1 where the customer's own handler overrules the topic's rule, so that both must be known; else 0."""
        regimes, words = self.companies(), wordings()
        rules = (
            regimes[self._regime(place)].rules[words.topic(task.inputs["ticket"])]
            for place, (task, _) in enumerate(self.pairs())
        )
        return tuple(float(key.answers[0] != rule) for (_, key), rule in zip(self.pairs(), rules, strict=True))

    def _regime(self, place: int) -> int:
        """How many reorganisations came before the ticket at a place."""
        return sum(start <= place for start in self.drifts())

    def _pairs_of(
        self, rng: np.random.Generator, under: Sequence[Company], cases: Iterable[Case], prefix: str, seen: set[str]
    ) -> Iterator[Pair]:
        """Tasks and keys of cases, each in words not ``seen`` before."""
        for place, (case, company) in enumerate(zip(cases, under, strict=True)):
            text = wordings().write(rng, case.topic, case.name)
            while text in seen:
                text = wordings().write(rng, case.topic, case.name)
            seen.add(text)
            task = Task(f"{prefix}{place:04}", {"ticket": text}, company.queues, case.user, case.session, float(place))
            yield task, Key((company.route(case.topic, case.user),), self.delay)

    def _check(self) -> None:
        most = min(len(wordings().topics), len(wordings().queues))
        mistakes = [
            *_outside("tasks", self.tasks, 1, _MOST_TASKS),
            *_outside("queues", self.queues, 2, most),
            *_outside("draw", self.draw, 0),
            *_outside("delay", self.delay, 0),
        ]
        if not _is_number(self.returning) or not 0 <= self.returning <= 1:
            mistakes.append(f"Desk: returning must be a share in [0, 1] but is {self.returning!r}; 0.5 is usual")
        if self.drift is not None:
            mistakes += _outside("drift", self.drift, 0, max(0, self.tasks - 1) if _is_number(self.tasks) else None)
        if self.redrawn is not None and not (_is_number(self.redrawn) and 0 < self.redrawn <= 1):
            mistakes.append(f"Desk: redrawn must be a share in (0, 1] but is {self.redrawn!r}; 0.5 is usual")
        if self.redrawn is not None and not self.drift:
            mistakes.append(f"Desk: redrawn is {self.redrawn!r} but nothing drifts; give drift=1, or leave it out")
        if mistakes:
            raise SpecError(mistakes)


def _rng(draw: int, part: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(draw, spawn_key=(part,)))


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _stranger(rng: np.random.Generator) -> str:
    """The name a new customer signs with; every other one gives none."""
    return _pick(rng, wordings().visitors) if rng.integers(2) else ""


def _one_of_three(rng: np.random.Generator, size: int) -> set[int]:
    """One random place of each three in a row; a rest of fewer than three has none."""
    return {int(start + rng.integers(3)) for start in range(0, size - 2, 3)}


def _cases(rng: np.random.Generator, tasks: int, returning: int, regulars: Sequence[Customer]) -> Iterator[Case]:
    """The cases of a stream: visits of returning customers spread at random among single tickets of new ones."""
    lengths = _lengths(rng, returning)
    shown = regulars[: min(len(regulars), math.ceil(returning / _PER_REGULAR))]
    guests, topics, visits, new = _rounds(rng, shown, len(lengths)), list(wordings().topics), dict[str, int](), 0
    for length in rng.permutation(lengths + [0] * (tasks - returning)):
        if length:
            guest = next(guests)
            visits[guest.user] = visits.get(guest.user, 0) + 1
            session = f"{guest.user}/{visits[guest.user]}"
            yield from (Case(_pick(rng, topics), guest.user, session, guest.name) for _ in range(length))
        else:
            new += 1
            yield Case(_pick(rng, topics), f"visitor-{new}", f"visitor-{new}/1", _stranger(rng))


def _lengths(rng: np.random.Generator, total: int) -> list[int]:
    """Lengths of visits, 1 to 3 tickets each, that add up to ``total``."""
    lengths: list[int] = []
    while (left := total - sum(lengths)) > 0:
        lengths.append(min(left, int(rng.integers(1, 4))))
    return lengths


def _rounds(rng: np.random.Generator, customers: Sequence[Customer], visits: int) -> Iterator[Customer]:
    """Who visits: everybody once in random order, then everybody again; nobody twice in a row if there are two."""
    last, left = -1, visits
    while left > 0:
        order = [int(place) for place in rng.permutation(len(customers))]
        if order[0] == last:
            order.append(order.pop(0))
        last = order[-1]
        yield from (customers[place] for place in order[:left])
        left -= len(order)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _outside(name: str, value: object, least: int, most: int | None = None) -> list[str]:
    """What is wrong with a whole number, in a list; nothing if it lies within its bounds."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= least and (most is None or value <= most):
        return []
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"
    return [f"Desk: {name} must be a whole number {bounds} but is {value!r}; leave it out for the default"]
