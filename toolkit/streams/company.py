"""The parts of the shipped service desk: a company's truth, what its tickets are about, and how they are worded."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from string import Formatter

import numpy as np

COMPANY, POOL, TICKETS, DRIFT, BLEND = range(5)
"""What a generator is for: the spawn key beside the draw, so that no part's randomness shifts another's."""

_PER_REGULAR = 6


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
        rng, words = rng_of(draw, COMPANY), wordings()
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


def rng_of(draw: int, part: int) -> np.random.Generator:
    """Random numbers of one part of a stream's draw, independent of those of other parts."""
    return np.random.default_rng(np.random.SeedSequence(draw, spawn_key=(part,)))


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def stranger(rng: np.random.Generator) -> str:
    """The name a new customer signs with; every other one gives none."""
    return _pick(rng, wordings().visitors) if rng.integers(2) else ""


def _one_of_three(rng: np.random.Generator, size: int) -> set[int]:
    """One random place of each three in a row; a rest of fewer than three has none."""
    return {int(start + rng.integers(3)) for start in range(0, size - 2, 3)}


def cases_of(rng: np.random.Generator, tasks: int, returning: int, regulars: Sequence[Customer]) -> Iterator[Case]:
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
            yield Case(_pick(rng, topics), f"visitor-{new}", f"visitor-{new}/1", stranger(rng))


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
