"""What a live agent does when time passes: the scene that its goal policy sees between two things it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.agents.playing import Player
from toolkit.errors import AnswerError
from toolkit.moves import WAIT, Act, Move, Observation
from toolkit.records import Experience, Task, Turn, Usage
from toolkit.traits.goals import Choice

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent

MOMENT = "A moment passes."
"""What is seen on a tick on which nothing else happens."""

_MANY = 1_000_000  # turns that are left: a life has no last one


@dataclass(frozen=True)
class Unprompted:
    """What a live agent said or did unprompted. Prints as that.

    Parameters
    ----------
    id
        What `LiveAgent.feedback` is given.
    text
        What it said, or the action it chose; empty where it failed.
    goal
        What made it speak, in words: the open goal that comes first, the condition that was met, its thought.
    seen
        What had happened.
    manner
        How it would take an action that changes something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.
    status, error
        As of `Answer`.
    recalled
        Ids of the memories that stood in the prompt.
    usage
        What it cost, memory included.
    """

    id: str
    text: str
    goal: str = ""
    seen: str = MOMENT
    manner: str = "ask"
    status: str = "ok"
    error: str = ""
    recalled: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def __str__(self) -> str:
        return self.text or f"(nothing said: {self.error})"


class Scene:
    """A conversation after the last thing that was asked in it: what a goal policy takes for the stage of a world.

    Parameters
    ----------
    whose
        User and session.
    asked
        What was asked and answered last; None = nothing yet.
    """

    tools = ()
    ticks = True
    left = _MANY
    unlisted = f"say anything in words; {WAIT}"

    def __init__(self, whose: tuple[str, str], asked: Experience | None) -> None:
        self.whose, self.asked = whose, asked
        user, session = whose
        self.task = Task("live", {}, user=user, session=session) if asked is None else asked.task
        self.moves: list[Move] = [] if asked is None else [Move("prompt", asked.task.text, asked.answer)]
        self.now = Observation(MOMENT, "tick")

    def best(self) -> str:
        """Nobody knows."""
        return WAIT

    def act(self, act: Act) -> Observation:
        """It is said or done by whoever asked; here it is only noted."""
        self.moves.append(Move("tick", self.now.text, act.action, refused=act.refused, thought=act.thought))
        return self.now

    def fail(self, failure: AnswerError) -> None:
        """Who asked is told."""
        raise failure


class Moment(Player):
    """An agent on a tick; what memory gives is looked up only if there is something to decide.

    Parameters
    ----------
    agent
        Who.
    scene
        What it sees.
    about
        What is looked up in memory.
    """

    def __init__(self, agent: Agent, scene: Scene, about: Task) -> None:
        super().__init__(agent, scene.task, scene)
        self._about: Task | None = about

    def _choose(
        self,
        among: Sequence[str] | None = None,
        *,
        thought: str = "",
        plan: bool = False,
        weigh: bool = False,
    ) -> Choice:
        if self._about is not None:
            self._agent.consider(self._about)
            self._about = None
        return super()._choose(among, thought=thought, plan=plan, weigh=weigh)


def said(turn: Turn) -> str:
    """What a turn on a tick says; empty where it waits, or came to nothing.

    Examples
    --------
    >>> said(Turn("act", "Wait.")), said(Turn("act", "Your parcel is there."))
    ('', 'Your parcel is there.')
    """
    if turn.move is not None and turn.move.refused:
        return ""
    return "" if turn.answer.strip().strip(".!\"'").casefold() == WAIT else turn.answer.strip()
