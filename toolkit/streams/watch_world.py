"""A watch at the desk as a world: events that nobody prompted for, each with a label fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np

from toolkit.moves import WAIT, Observation, Tally, Tool, call, called
from toolkit.streams.case_world import Prices
from toolkit.streams.company import wordings
from toolkit.streams.worlds import Stepped, World

Happening: TypeAlias = Literal["ticket", "deadline", "absence"]
"""A new ticket; an open one that is due; a customer who has not answered."""

_PAGE = call("policy", topic="duty")
_OUTAGE = 3  # tickets of one kind


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Event:
    """What one tick shows.

    Parameters
    ----------
    happening
        What it is.
    about
        The topic of a new ticket; the number of an open one; the name of a customer.
    number
        Hours until the ticket is due; days that the customer has been silent; 0 for a new ticket.
    words
        Of a new ticket.
    """

    happening: Happening
    about: str
    number: int = 0
    words: str = ""

    @property
    def text(self) -> str:
        """As the agent is shown it."""
        if self.happening == "ticket":
            return f"New ticket: {self.words}"
        if self.happening == "deadline":
            return f"Ticket {self.about} is open, due in {_counted(self.number, 'hour')}."
        return f"{self.about} has not answered for {_counted(self.number, 'day')}."

    @property
    def action(self) -> str:
        """What there is to do about it, needed or not."""
        if self.happening == "ticket":
            return call("alert", kind=self.about)
        if self.happening == "deadline":
            return call("hurry", ticket=self.about)
        return call("remind", customer=self.about)


@dataclass(frozen=True, slots=True)
class Duty:
    """When a company wants something done; all three are drawn.

    Parameters
    ----------
    window
        At the third ticket of one kind within so many ticks, this one among them, an outage is reported.
    hours
        A ticket that is due in so many hours or fewer is hurried.
    days
        A customer who has been silent for so many days or more is reminded.

    Examples
    --------
    >>> duty = Duty(window=4, hours=3, days=5)
    >>> events = [Event("deadline", "T-10", 3), *[Event("ticket", "late parcel")] * 3, Event("absence", "Mara", 4)]
    >>> [duty.needs(events, place) for place in range(5)]
    [True, False, False, True, False]
    """

    window: int
    hours: int
    days: int

    @property
    def page(self) -> str:
        """What the policy page says: all of it."""
        return (
            f"Duty. Alert at ticket {_OUTAGE} of one kind within {self.window} ticks. Hurry what is due in "
            f"{_counted(self.hours, 'hour')} or less. Remind who is silent {_counted(self.days, 'day')} or more."
        )

    def needs(self, events: Sequence[Event | None], place: int) -> bool:
        """Whether something must be done about the event at a place; else silence is right."""
        event = events[place]
        if event is None:
            return False
        if event.happening == "deadline":
            return event.number <= self.hours
        if event.happening == "absence":
            return event.number >= self.days
        recent = events[max(0, place - self.window + 1) : place + 1]
        alike = [one for one in recent if one and one.happening == "ticket" and one.about == event.about]
        return len(alike) >= _OUTAGE


@cache
def watch_tools() -> tuple[Tool, ...]:
    """What can be done on duty."""
    text = {"type": "string"}
    kind, duty = ({**text, "enum": names} for names in (list(wordings().topics), ["duty"]))
    return (
        Tool("policy", "Read the company's rules of duty.", {"topic": duty}, cost=1.0),
        Tool("alert", "Report an outage: many tickets of one kind.", {"kind": kind}, cost=1.0, changes=True),
        Tool("hurry", "Have an open ticket dealt with first.", {"ticket": text}, cost=1.0, changes=True),
        Tool("remind", "Write to a customer who does not answer.", {"customer": text}, cost=1.0, changes=True),
    )


class WatchWorld(World):
    """A watch of so many ticks, one event each; whatever the agent does, the next tick comes.

    It begins before the first tick, prompted: then there is nothing to act upon, but the rules can be read. An event
    can be acted upon on its own tick and ``grace`` ticks more, by one action each tick; what needs none never does.

    Parameters
    ----------
    events
        What the ticks show.
    duty
        What is right, and so the label of every event.
    prices
        ``annoyance`` is also what a false alarm weighs against a miss.
    grace
        Ticks after an event on which it is not too late.
    listed
        Whether observations list the admissible calls; else any call that fits the tools' schemas is taken.

    Examples
    --------
    >>> world = WatchWorld([Event("deadline", "T-10", 2), Event("absence", "Mara", 1)], Duty(4, hours=3, days=5))
    >>> world.reset(0).text
    'Your watch of 2 ticks begins.'
    >>> seen = world.step("wait").observation
    >>> seen.text, seen.cause, world.best()
    ('Tick 1 of 2. Ticket T-10 is open, due in 2 hours.', 'tick', 'hurry {"ticket": "T-10"}')
    >>> [world.step(world.best()).terminated for _ in range(2)], world.tally().score
    ([False, True], 1.0)
    """

    ticks = True

    def __init__(
        self,
        events: Sequence[Event],
        duty: Duty,
        prices: Prices | None = None,
        grace: int = 2,
        listed: bool = True,
    ) -> None:
        self.events = tuple(events)
        self.duty = duty
        self.prices = prices or Prices()
        self.grace = grace
        self.listed = listed
        self.tools = watch_tools()
        self.needed = tuple(duty.needs(self.events, place) for place in range(len(self.events)))
        self._begin()

    def _begin(self) -> None:
        self._now, self._pages = -1, 0
        self._acted: dict[int, int] = {}  # events by place: on which tick

    def reset(self, seed: int) -> Observation:
        """Before the first tick; nothing is drawn here, so every seed gives the same."""
        self._begin()
        return Observation(f"Your watch of {len(self.events)} ticks begins.", "prompt", self._listed())

    def step(self, action: str) -> Stepped:
        """Act or wait; then time passes. The score is the reward of the last tick."""
        said = ""
        if action.strip() != WAIT:
            try:
                tool, arguments = called(action, self.tools)
            except ValueError as error:
                return self._refused(str(error))
            one = call(tool.name, **arguments)
            if one not in self._admissible():
                return self._refused(f"{one} is about nothing that has come up of late")
            said = self._act(one)
        self._now += 1
        reward = self.tally().score or 0.0
        return Stepped(self._seen(said), reward if self._over else 0.0, terminated=self._over)

    def tally(self) -> Tally:
        """What was decided so far; the score weighs events, and takes ``reading`` off for each page, at least 0.

        A hit weighs 1, a silence that was right ``annoyance``, and they are divided by what all events weigh.
        """
        decided = [place for place in range(len(self.events)) if place in self._acted or self._late(place)]
        hits = [place for place in decided if self.needed[place] and place in self._acted]
        quiet = [place for place in decided if not self.needed[place]]
        silences = sum(place not in self._acted for place in quiet)
        needs, weight = sum(self.needed), self.prices.annoyance
        share = (len(hits) + weight * silences) / (needs + weight * (len(self.events) - needs))
        return Tally(
            reached=len(hits) / needs if needs else 1.0,
            score=max(0.0, share - self.prices.reading * self._pages),
            best_steps=needs,
            hits=len(hits),
            false_alarms=len(quiet) - silences,
            misses=sum(self.needed[place] for place in decided) - len(hits),
            silences=silences,
            lead=float(sum(self.grace - (self._acted[place] - place) for place in hits)),
        )

    def best(self) -> str:
        """The action that is needed and soonest too late; else to wait."""
        due = [place for place in reversed(self._live()) if self.needed[place]]
        return self.events[due[0]].action if due else WAIT

    @property
    def _over(self) -> bool:
        return self._now >= len(self.events)

    def _late(self, place: int) -> bool:
        return self._over or self._now > place + self.grace

    def _live(self) -> list[int]:
        """Places of the events that can still be acted upon, the latest first."""
        if self._over:
            return []
        places = range(self._now, max(-1, self._now - self.grace - 1), -1)
        return [place for place in places if place not in self._acted]

    def _admissible(self) -> list[str]:
        if self._over:
            return []
        return [WAIT, _PAGE, *dict.fromkeys(self.events[place].action for place in self._live())]

    def _act(self, action: str) -> str:
        """Read, or act upon the event that is meant: one that needs it, the oldest; else the latest."""
        if action == _PAGE:
            self._pages += 1
            return self.duty.page
        meant = [place for place in self._live() if self.events[place].action == action]
        needing = [place for place in meant if self.needed[place]]
        self._acted[needing[-1] if needing else meant[0]] = self._now
        return "It is done."

    def _seen(self, said: str = "") -> Observation:
        told = "The watch is over." if self._over else f"Tick {self._now + 1} of {len(self.events)}. "
        told += "" if self._over else self.events[self._now].text
        return Observation(f"{said} {told}".strip(), "result" if self._over else "tick", self._listed())

    def _refused(self, why: str) -> Stepped:
        seen = Observation(f"Not done: {why}", "result", self._listed())
        return Stepped(seen, terminated=self._over, info={"refused": why})

    def _listed(self) -> tuple[str, ...]:
        """What is possible now, without the page where it was read: that would tell nothing new."""
        known = _PAGE if self._pages else ""
        return tuple(one for one in self._admissible() if one != known) if self.listed else ()


def events_of(rng: np.random.Generator, duty: Duty, ticks: int, silent: int) -> tuple[Event, ...]:
    """Events of a watch, drawn; silence is right at exactly so many of them.

    Each is made after its label was drawn. What needs something is dealt from the three happenings in turn; an outage
    takes two tickets before it, where silence is right. The rest are tickets, of a kind that may have come before but
    makes no outage, deadlines far off and absences too short.
    """
    needed = [bool(one) for one in rng.permutation([False] * silent + [True] * (ticks - silent))]
    maker = _Maker(rng, duty, needed)
    first = int(rng.integers(3))
    for number, place in enumerate(place for place in range(ticks) if needed[place]):
        kinds: list[Happening] = ["ticket", "deadline", "absence"]
        maker.need(place, kinds[(first + number) % 3])
    for place in range(ticks):
        if maker.events[place] is None:
            maker.quiet(place)
    return tuple(event for event in maker.events if event is not None)


class _Maker:
    """Makes the events of one watch after their labels."""

    def __init__(self, rng: np.random.Generator, duty: Duty, needed: Sequence[bool]) -> None:
        words = wordings()
        self.rng, self.duty, self.needed = rng, duty, needed
        self.events: list[Event | None] = [None] * len(needed)
        self.topics = [str(topic) for topic in rng.permutation(list(words.topics))]
        self.names = [str(name) for name in rng.permutation([*words.regulars, *words.visitors])]
        self.numbers = [int(number) for number in rng.permutation(90)[: len(needed)] + 10]

    def need(self, place: int, happening: Happening) -> None:
        """An event that needs something; an outage, where there is room for it, else a deadline."""
        before = range(max(0, place - self.duty.window + 1), place)
        room = [early for early in before if not self.needed[early] and self.events[early] is None]
        if happening == "ticket" and len(room) >= _OUTAGE - 1:
            topic = self.topics.pop()
            for early in (*self.rng.permutation(room)[: _OUTAGE - 1], place):
                self.events[int(early)] = self._ticket(topic)
        elif happening == "absence":
            self._absence(place, self._within(self.duty.days, self.duty.days + 3))
        else:
            self._deadline(place, self._within(1, self.duty.hours))

    def quiet(self, place: int) -> None:
        """An event at which silence is right."""
        makers: tuple[Callable[[int], None], ...] = (self._harmless, self._far, self._short)
        makers[int(self.rng.integers(3))](place)

    def _harmless(self, place: int) -> None:
        """A ticket of a kind that has come before, if no label changes by it; else of a new one."""
        came = sorted({one.about for one in self.events if one and one.happening == "ticket"})
        self.events[place] = self._ticket(str(self.rng.choice(came)) if came else self.topics.pop())
        labels = [self.duty.needs(self.events, other) for other in range(len(self.events))]
        if any(label and not right for label, right in zip(labels, self.needed, strict=True)):
            self.events[place] = self._ticket(self.topics.pop())

    def _far(self, place: int) -> None:
        self._deadline(place, self._within(self.duty.hours + 1, self.duty.hours + 4))

    def _short(self, place: int) -> None:
        self._absence(place, self._within(1, self.duty.days - 1))

    def _ticket(self, topic: str) -> Event:
        return Event("ticket", topic, words=wordings().write(self.rng, topic))

    def _deadline(self, place: int, hours: int) -> None:
        self.events[place] = Event("deadline", f"T-{self.numbers[place]}", hours)

    def _absence(self, place: int, days: int) -> None:
        self.events[place] = Event("absence", self.names.pop(), days)

    def _within(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))
