"""Exams: what an agent scores at a moment of the stream, asked of a copy of it that learns nothing.

Before the first task they tell what an arm is worth on day one, before it has learned anything from the stream; asked
again and again, what it keeps of tasks that it met long ago, and what it gains on tasks it has not met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.agents.agent import Agent
from toolkit.episode import Episode
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.frozen import NotFrozen, unlearned
from toolkit.streams.stream import Pair

if TYPE_CHECKING:
    from toolkit.evaluation.prequential import Bench


@dataclass(frozen=True)
class Exams:
    """When a copy of the agent is asked, with all updating off, and what; elsewhere called periodic evaluation.

    Parameters
    ----------
    before
        Whether the whole stream is asked before the first task: the day-one pass.
    every
        After every so many tasks, and after the last, `tasks` of the stream are asked; 0 = never.
    tasks
        How many, spread evenly over the stream's own order; the same ones each time, for all arms and seeds.
    """

    before: bool = True
    every: int = 0
    tasks: int = 20

    def mistakes(self) -> Iterator[str]:
        """What is wrong with it."""
        if not isinstance(self.before, bool):
            yield f"exams.before must be true or false but is {self.before!r}"
        for name, least in (("every", 0), ("tasks", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                yield f"exams.{name} must be a whole number of at least {least} but is {value!r}"
        if self.before is False and self.every == 0:
            yield "exams ask nothing: give before = true, or every how many tasks"

    def config(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_config(cls, table: object, where: str) -> Exams | None:
        """The exams that a table describes; None for none.

        Raises
        ------
        SpecError
            Listing every mistake.
        """
        if table is None or isinstance(table, cls):
            return table
        known = [one.name for one in fields(cls)]
        if not isinstance(table, Mapping):
            raise SpecError([f"{where}: exams must be a table with any of {', '.join(known)} but is {table!r}"])
        wrong = [f"{where}: exams have no key {key!r}; {nearest(key, known)}" for key in table if key not in known]
        made = cls(**{key: value for key, value in table.items() if key in known})
        if wrong := [*wrong, *(f"{where}: {one}" for one in made.mistakes())]:
            raise SpecError(wrong)
        return made

    def places(self, met: int, order: Sequence[int]) -> tuple[int, ...]:
        """The places of the stream that are asked when so many tasks have been met, in a run of this order."""
        last = len(order)
        if met == 0:
            return tuple(order) if self.before else ()
        if self.every and (met % self.every == 0 or met == last):
            return tuple(int(place) for place in np.unique(np.linspace(0, last - 1, min(self.tasks, last)).round()))
        return ()

    def count(self, order: Sequence[int]) -> int:
        """How many tasks are asked in a whole run."""
        return sum(len(self.places(met, order)) for met in range(len(order) + 1))


def examiner(
    exams: Exams, agent: Agent, pairs: Sequence[Pair], order: Sequence[int], bench: Bench
) -> Callable[[int], Iterator[Episode]]:
    """What the loop calls before each task, and after the last, with the number of tasks met."""

    def at(met: int) -> Iterator[Episode]:
        asked = exams.places(met, order)
        return iter_exam(agent, [pairs[place] for place in asked], bench, met) if asked else iter(())

    return at


def iter_exam(agent: Agent, pairs: Sequence[Pair], bench: Bench, met: int) -> Iterator[Episode]:
    """Episodes of the phase ``exam``: the agent is copied, and the copy learns nothing.

    Parameters
    ----------
    agent
        Goes on as if nobody had asked.
    pairs
        What is asked, each session from its beginning.
    met
        Tasks of the stream that the agent has met; all these episodes have it as their ``t``.

    Raises
    ------
    NotFrozen
        If the agent is not what it was.
    """
    before, copied = agent.state(), agent.copied()
    for pair in pairs:
        yield unlearned(copied, pair, bench, "exam", met, f"exam/{met}/{pair[0].id}")
    if agent.state() != before:
        raise NotFrozen(
            f"arm {agent.arm.name!r} was changed by an exam of a copy of it: a policy that keeps its state outside "
            "itself must keep it in attributes, or the study be run without exams"
        )
