"""The service desk with things to do: cases with tools and hidden needs, and watches on which nobody prompts.

It stands in the company of `toolkit.streams.desk.Desk`: the same topics, customers and queues under one draw. What is
done about a topic, when somebody on duty has to act, and how a customer wants to be answered are drawn, so nobody can
know them beforehand: they are read on a policy page, at a price, or remembered.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar, TypeAlias

import numpy as np

from toolkit.errors import SpecError
from toolkit.moves import Autonomy
from toolkit.records import Step, Task
from toolkit.streams.case_drawing import CASES, CHANGES, POOL_CASES, POOL_WATCHES, WATCHES, Practice, matters_of
from toolkit.streams.case_world import CaseWorld, Matter, Prices, case_texts
from toolkit.streams.company import Case, Company, cases_of, rng_of, stranger, wordings
from toolkit.streams.stream import Pair
from toolkit.streams.watch_world import Event, WatchWorld, events_of
from toolkit.streams.worlds import Limits, WorldStream

_MOST_TASKS = 10_000
_MOST_TICKS = 24  # as many as there are topics, so that each can be a ticket of a new kind
_PER_TOPIC = 3
_TURNS = 6  # look up, open, ask, put right, close; and one that fails
_WATCHES_BEFORE = 6
_DUTY = "duty"  # who a watch is for

Truth: TypeAlias = Matter | tuple[Event, ...]
"""What is true of a case, or what happens on a watch."""


class DeskCases(WorldStream):
    """Cases to be settled with tools, and watches to be kept, at a company with practices of its own.

    A case is a ticket with three facts that only its customer knows: which order is meant, what happened, by which
    channel to answer. The agent looks up the customer, opens an order, may read the policy or ask, puts it right once
    (refund, replace, escalate) and closes. A watch shows one event on each tick; some need something done.

    Parameters
    ----------
    tasks
        Cases and watches together, 1 to 10,000.
    draw
        Which company, at least 0. Another draw is another company: other rules, customers and tickets.
    watch
        Share of the tasks that are watches, in [0, 1]; the number is rounded, as of all shares.
    hidden
        Share of the cases that leave out one of the three facts though nobody was told it before, in [0, 1]: the
        customer has to be asked. Which one is dealt in turn.
    silent
        Share of each watch's events at which silence is right, in [0, 1].
    returning
        Share of the cases from returning customers, in [0, 1], as of `Desk`. Each has a channel, which every case after
        the first leaves out: a memory has it, whoever asks again annoys.
    queues
        Queues of the company, 2 to 4.
    ticks
        Events of a watch, 1 to 24.
    grace
        Ticks after an event on which it is not yet too late, at least 0.
    question
        What a question costs in the world's units, where any other call costs 1; at least 0.
    annoyance
        What each question that was not needed takes off a case's score, and what a false alarm weighs against a miss,
        in (0, 1].
    reading
        What each policy page that was read takes off the score, in [0, 1].
    turns
        Turns of an episode, at least 6, and with watches more than their ticks.
    granted
        Autonomy: ``"ask"``, ``"notify"`` or ``"free"``.
    listed
        Whether observations list the admissible calls, at most 15, without those whose answer is known; else any call
        is taken that fits a tool's schema.
    delay
        Tasks that pass before feedback arrives, at least 0.
    drift
        How often the company changes its practice, after equal parts of the tasks; fewer than there are tasks. None =
        never. Then half of the topics exchange their two remedies, and every number of the rules of duty is another
        one; pages tell the new rules, and nobody is told that they are new. The pool is of the practice before.

    Notes
    -----
    The score of a case: half for the right action on the right order, half more if the customer was then told by the
    right channel, less ``annoyance`` per question not needed and ``reading`` per page, at least 0. The score of a
    watch: events dealt with rightly, a hit weighing 1 and a silence ``annoyance``, over the weight of all, less
    ``reading`` per page, at least 0. Both are at most 1, which the oracle has everywhere: it knows the company by
    heart, and asks what only the customer knows.

    Randomness comes from ``numpy.random.SeedSequence(draw, spawn_key=(part,))``: part 0 draws the company as of `Desk`,
    5 its practice, 6 the cases, 7 the watches, 8 and 9 those of the pool, 10 what drifts change. Worlds draw nothing,
    whatever their seed.

    Examples
    --------
    >>> stream = DeskCases(tasks=4, draw=3, watch=0.0, hidden=0.5)
    >>> for task, key in stream.pairs()[:2]:
    ...     print(task.inputs["task"])
    ...     print("  ", key.answers[0])
    Dear team. My parcel is gone. The courier cannot find it. Please answer by email.
       customer; ask {"about": "order"}; order {"id": "E-800"}; refund; close {"by": "email"}
    I am Walter. My parcel is gone. It is my camera for 15 euros. Please answer by email.
       customer; ask {"about": "cause"}; order {"id": "B-222"}; replace; close {"by": "email"}
    >>> world = stream.world(stream.pairs()[0][0])
    >>> world.reset(0).actions[:3]
    ('customer', 'policy {"topic": "lost parcel"}', 'ask {"about": "order"}')
    >>> world.step('ask {"about": "order"}').observation.text, world.tally().useful
    ('It is the desk lamp, order E-800.', 1)
    """

    step = Step("act", "Work at this company's service desk. Say what to do next.", ("task",), "action")
    licence: ClassVar[str] = "written for this toolkit; the toolkit's own licence"

    def __init__(
        self,
        tasks: int = 40,
        draw: int = 0,
        watch: float = 0.25,
        hidden: float = 0.5,
        silent: float = 0.6,
        returning: float = 0.5,
        queues: int = 3,
        ticks: int = 12,
        grace: int = 2,
        question: float = 2.0,
        annoyance: float = 0.2,
        reading: float = 0.05,
        turns: int = 20,
        granted: Autonomy = "notify",
        listed: bool = True,
        delay: int = 0,
        drift: int | None = None,
    ) -> None:
        self.tasks = tasks
        self.draw = draw
        self.watch = watch
        self.hidden = hidden
        self.silent = silent
        self.returning = returning
        self.queues = queues
        self.ticks = ticks
        self.grace = grace
        self.question = question
        self.annoyance = annoyance
        self.reading = reading
        self.turns = turns
        self.granted = granted
        self.listed = listed
        self.delay = delay
        self.drift = drift

    def company(self) -> Company:
        """The company behind it, that of `Desk` with the same draw and number of queues."""
        self.check()
        return _company(self.draw, self.queues)

    def practice(self) -> Practice:
        """What holds at this company, before any drift: nothing an agent is shown but on policy pages."""
        return self.practices()[0]

    def practices(self) -> tuple[Practice, ...]:
        """What holds from each place of `drifts` to the next: `practice`, then what each change made of it."""
        self.check()
        found, rng = [_practice(self.draw, self.queues)], rng_of(self.draw, CHANGES)
        for _ in self.drifts():
            found.append(found[-1].changed(rng))
        return tuple(found)

    def drifts(self) -> Sequence[int]:
        """The first tasks after each change of practice."""
        parts = (self.drift or 0) + 1
        return tuple(self.tasks * part // parts for part in range(1, parts))

    def load(self) -> Sequence[Pair]:
        """Cases in the order they come in, watches spread at random among them."""
        return tuple((task, self.key_of(task, delay=self.delay)) for task, _ in self._truths()[0])

    def pool(self) -> Sequence[Pair]:
        """Three solved cases on every topic (18) unless all are watches, and six watches if there are any.

        Their customers never write in the stream; hidden needs and silences come in the stream's proportions.
        """
        return tuple((task, self.key_of(task, delay=self.delay)) for task, _ in self._truths()[1])

    def world(self, task: Task) -> CaseWorld | WatchWorld:
        """The world of a task of this stream or of its pool.

        Raises
        ------
        ValueError
            If it is no task of this stream.
        """
        truth = self.truth(task)
        practice = self.practices()[0 if task.id.startswith("p") else self._changes(int(task.time or 0))]
        prices = Prices(self.annoyance, self.reading, self.question)
        if isinstance(truth, Matter):
            return CaseWorld(truth, practice.rules, prices, self.company().queues, self.listed)
        return WatchWorld(truth, practice.duty, prices, self.grace, self.listed)

    def truth(self, task: Task) -> Truth:
        """What is true of a case, or what happens on a watch: never shown to an agent.

        Raises
        ------
        ValueError
            If it is no task of this stream or of its pool.
        """
        by_id: dict[str, Truth] | None = self.__dict__.get("_by_id")
        if by_id is None:
            by_id = self.__dict__["_by_id"] = {one.id: truth for drawn in self._truths() for one, truth in drawn}
        if task.id not in by_id:
            raise ValueError(f"{self!r} has no task {task.id!r}; give one of its pairs() or of its pool()")
        return by_id[task.id]

    def limits(self, task: Task) -> Limits:
        """Turns and autonomy as of the parameters."""
        return Limits(turns=self.turns, granted=self.granted)

    def difficulty(self) -> Sequence[float]:
        """1 where something must be asked or remembered, 0 where a case tells all; of a watch its share of needs."""
        needs = 1 - round(self.silent * self.ticks) / self.ticks
        return tuple(
            float(bool(one.hidden) or one.known) if isinstance(one, Matter) else needs for _, one in self._truths()[0]
        )

    def groups(self) -> list[list[int]]:
        """All visits of a returning customer stay in order, since the later ones rest on what the first one told."""
        regulars = {one.user for one in self.company().regulars}
        found: dict[str, list[int]] = {}
        for place, (task, _) in enumerate(self.pairs()):
            found.setdefault(task.user if task.user in regulars else task.session, []).append(place)
        return list(found.values())

    def check(self) -> None:
        """Numbers in their ranges."""
        mistakes = [*self._wrong_counts(), *self._wrong_shares(), *self.limits(Task("", {})).mistakes()]
        if mistakes:
            raise SpecError([f"DeskCases: {mistake}" for mistake in mistakes])

    def _wrong_counts(self) -> Iterator[str]:
        bounds: dict[str, tuple[int, float]] = {
            "tasks": (1, _MOST_TASKS),
            "draw": (0, math.inf),
            "queues": (2, 4),
            "ticks": (1, _MOST_TICKS),
            "grace": (0, math.inf),
            "delay": (0, math.inf),
            "drift": (0, self.tasks - 1 if isinstance(self.tasks, int) else math.inf),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if name == "drift" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                to = f" and at most {most}" if most < math.inf else ""
                yield f"{name} must be a whole number of at least {least}{to} but is {value!r}; leave it out"
        least = max(_TURNS, self.ticks + 1 if self.watch and isinstance(self.ticks, int) else 0)
        if isinstance(self.turns, int) and self.turns < least:
            yield f"turns must be at least {least}, so that an episode can be ended, but is {self.turns!r}"

    def _wrong_shares(self) -> Iterator[str]:
        for name in ("watch", "hidden", "silent", "returning", "reading", "annoyance"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                yield f"{name} must be in [0, 1] but is {value!r}"
        if self.annoyance == 0:
            yield "annoyance must be above 0 but is 0: else an alarm at every event would cost nothing"
        if not _is_number(self.question) or not 0 <= self.question < math.inf:
            yield f"question must be a number of at least 0 but is {self.question!r}"

    def _truths(self) -> tuple[list[tuple[Task, Truth]], list[tuple[Task, Truth]]]:
        """Tasks of the stream and of the pool, each with what is true of it: drawn once."""
        cached: tuple[list[tuple[Task, Truth]], list[tuple[Task, Truth]]] | None = self.__dict__.get("_drawn")
        if cached is None:
            practices = self.practices()
            under = [practices[self._changes(place)] for place in range(self.tasks)]
            cached = self.__dict__["_drawn"] = ([*self._stream(under)], [*self._before(practices[0])])
        return cached

    def _changes(self, place: int) -> int:
        """How many changes a task of the stream comes after."""
        return bisect_right(self.drifts(), place)

    def _stream(self, under: Sequence[Practice]) -> Iterator[tuple[Task, Truth]]:
        rng, watches = rng_of(self.draw, CASES), round(self.tasks * self.watch)
        total = self.tasks - watches
        cases = list(cases_of(rng, total, round(total * self.returning), self.company().regulars))
        cases = [replace(case, topic=_topic(rng)) for case in cases]
        mixed = rng.permutation([False] * total + [True] * watches)
        settled = self._cases(rng, [one for one, is_watch in zip(under, mixed, strict=True) if not is_watch], cases)
        on_watch = [one for one, is_watch in zip(under, mixed, strict=True) if is_watch]
        kept = self._watches(rng_of(self.draw, WATCHES), on_watch)
        for place, is_watch in enumerate(mixed):
            task, truth = next(kept) if is_watch else next(settled)
            yield replace(task, id=f"t{place:04}", time=float(place)), truth

    def _before(self, practice: Practice) -> Iterator[tuple[Task, Truth]]:
        rng, watches = rng_of(self.draw, POOL_CASES), round(self.tasks * self.watch)
        topics = rng.permutation(list(case_texts()["topics"]) * _PER_TOPIC) if watches < self.tasks else ()
        users = [f"earlier-{place:02}" for place in range(len(topics))]
        cases = [Case(str(topic), user, f"{user}/1", stranger(rng)) for topic, user in zip(topics, users, strict=True)]
        kept = self._watches(rng_of(self.draw, POOL_WATCHES), [practice] * (_WATCHES_BEFORE if watches else 0))
        for place, (task, truth) in enumerate((*self._cases(rng, [practice] * len(cases), cases), *kept)):
            session = task.session if task.user != _DUTY else f"{_DUTY}/earlier-{place}"
            yield replace(task, id=f"p{place:04}", session=session, time=float(place)), truth

    def _cases(
        self, rng: np.random.Generator, under: Sequence[Practice], cases: Sequence[Case]
    ) -> Iterator[tuple[Task, Truth]]:
        matters = matters_of(rng, under, cases, round(self.hidden * len(cases)))
        for case, matter in zip(cases, matters, strict=True):
            frames = wordings().openings["named" if case.name else "plain"]
            opening = frames[int(rng.integers(len(frames)))].format(name=case.name)
            text = f"{opening} {matter.ticket(rng)}".strip()
            yield Task("", {"task": text}, user=case.user, session=case.session), matter

    def _watches(self, rng: np.random.Generator, under: Sequence[Practice]) -> Iterator[tuple[Task, Truth]]:
        text = (
            f"You are on duty for {self.ticks} ticks. Act on what needs it by the company's rules of duty, else wait."
        )
        for number, practice in enumerate(under):
            events = events_of(rng, practice.duty, self.ticks, round(self.silent * self.ticks))
            yield Task("", {"task": text}, user=_DUTY, session=f"{_DUTY}/{number + 1}"), events


@lru_cache(maxsize=8)
def _company(draw: int, queues: int) -> Company:
    return Company.drawn(draw, queues)


@lru_cache(maxsize=8)
def _practice(draw: int, queues: int) -> Practice:
    return Practice.drawn(draw, _company(draw, queues))


def _topic(rng: np.random.Generator) -> str:
    topics = list(case_texts()["topics"])
    return str(topics[int(rng.integers(len(topics)))])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
