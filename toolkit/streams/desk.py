"""The shipped service desk: tickets that a made-up company routes by its own arbitrary rules.

Three parts that know nothing of each other's business: a `Company` is its rules and its customers, without a word of
text; a `Case` is what one ticket is about; `Wordings` turn a topic into text and back. `Desk` draws all three and is
the stream. Which topic goes to which queue is drawn, so nobody can know a rule beforehand: whatever an agent gets right
above chance it was told, by feedback or by labelled tickets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from toolkit.errors import SpecError
from toolkit.records import Key, Step, Task
from toolkit.streams.company import BLEND, DRIFT, POOL, TICKETS, Case, cases_of, rng_of, stranger
from toolkit.streams.company import Company as Company
from toolkit.streams.company import wordings as wordings
from toolkit.streams.stream import Pair, Stream

_MOST_TASKS = 10_000
_PER_TOPIC = 3


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
    change
        How the rules change. None: all at once. ``"gradual"``: over the first half of the tickets up to the next change
        (or the end), each ticket is routed by the new rules with a chance that rises in equal steps from 0 to 1, else
        by the old ones; it begins at the places of `drifts`, and no order moves a ticket that comes within.
        ``"recurring"``: every second reorganisation takes back the one before, so that the same two sets of rules hold
        by turns; ``drift`` of 2 or more.

    Notes
    -----
    The randomness of a part comes from ``numpy.random.SeedSequence(draw, spawn_key=(part,))``: part 0 draws the
    company, 1 the pool, 2 the tickets, 3 what reorganisations change, 4 which tickets of a gradual change come under
    the new rules.

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
        change: Literal["gradual", "recurring"] | None = None,
    ) -> None:
        self.tasks = tasks
        self.queues = queues
        self.draw = draw
        self.returning = returning
        self.delay = delay
        self.drift = drift
        self.redrawn = redrawn
        self.change = change

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
        found, rng = [self.company()], rng_of(self.draw, DRIFT)
        for _ in self.drifts():
            back = self.change == "recurring" and len(found) > 1
            new = found[-2] if back else found[-1].reorganised(rng, 0.5 if self.redrawn is None else self.redrawn)
            found.append(new)
        return tuple(found)

    def drifts(self) -> Sequence[int]:
        """The first tickets after each reorganisation."""
        parts = (self.drift or 0) + 1
        return tuple(self.tasks * part // parts for part in range(1, parts))

    def borders(self) -> Sequence[int]:
        """Each drift; of a gradual one also each ticket before it is complete, since their order is the change."""
        return tuple(sorted({place for start, stop in self._blends() for place in range(start, stop + 1)}))

    def _blends(self) -> list[tuple[int, int]]:
        """From where to where each change takes: nothing of it, where it comes at once."""
        share = 2 if self.change == "gradual" else 0
        return [
            (start, start + (end - start) // share if share else start)
            for start, end in pairwise([*self.drifts(), self.tasks])
        ]

    def load(self) -> Sequence[Pair]:
        """All tickets in the order they come in, with their keys; no text occurs twice, nor in the pool."""
        regimes, rng = self.companies(), rng_of(self.draw, TICKETS)
        cases = list(cases_of(rng, self.tasks, round(self.tasks * self.returning), regimes[0].regulars))
        seen = {task.inputs["ticket"] for task, _ in self.pool()}
        under = [regimes[number] for number in self._regimes()]
        return tuple(self._pairs_of(rng, under, cases, "t", seen))

    def pool(self) -> Sequence[Pair]:
        """Three labelled tickets on every topic (72), from customers who never write in the stream."""
        company, rng = self.company(), rng_of(self.draw, POOL)
        topics = rng.permutation(list(wordings().topics) * _PER_TOPIC)
        users = (f"earlier-{place:02}" for place in range(len(topics)))
        cases = [Case(str(topic), user, f"{user}/1", stranger(rng)) for topic, user in zip(topics, users, strict=True)]
        return tuple(self._pairs_of(rng, [company] * len(cases), cases, "p", set()))

    def oracle(self, task: Task) -> str:
        """The right queue for a ticket of the stream or the pool, by its words, its customer and the rules of its time.

        It reads the ticket instead of the stored keys, so it also finds keys that do not belong to their texts.

        Raises
        ------
        ValueError
            If the task is no ticket of a desk.
        """
        pooled = task.id.startswith("p") or task.time is None
        regime = 0 if pooled else self._regimes()[min(int(task.time), self.tasks - 1)]
        return self.companies()[regime].route(wordings().topic(task.inputs.get("ticket", "")), task.user)

    def difficulty(self) -> Sequence[float]:
        """1 where the customer's own handler overrules the topic's rule, so that both must be known; else 0."""
        regimes, words = self.companies(), wordings()
        rules = (
            regimes[number].rules[words.topic(task.inputs["ticket"])]
            for number, (task, _) in zip(self._regimes(), self.pairs(), strict=True)
        )
        return tuple(float(key.answers[0] != rule) for (_, key), rule in zip(self.pairs(), rules, strict=True))

    def _regimes(self) -> list[int]:
        """By ticket: how many reorganisations it comes under."""
        found = np.searchsorted(self.drifts(), np.arange(self.tasks), side="right")
        rng = rng_of(self.draw, BLEND)
        for start, stop in self._blends():
            steps = stop - start
            found[start:stop] -= rng.random(steps) >= np.arange(1, steps + 1) / (steps + 1)
        return [int(number) for number in found]

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
        if self.change not in (None, "gradual", "recurring"):
            mistakes.append(f"Desk: change must be 'gradual', 'recurring' or None but is {self.change!r}")
        least = {"gradual": 1, "recurring": 2}.get(self.change or "", 0)
        if least and _is_number(self.drift or 0) and (self.drift or 0) < least:
            mistakes.append(f"Desk: change={self.change!r} needs a drift of at least {least} but it is {self.drift!r}")
        if mistakes:
            raise SpecError(mistakes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _outside(name: str, value: object, least: int, most: int | None = None) -> list[str]:
    """What is wrong with a whole number, in a list; nothing if it lies within its bounds."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= least and (most is None or value <= most):
        return []
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"
    return [f"Desk: {name} must be a whole number {bounds} but is {value!r}; leave it out for the default"]
