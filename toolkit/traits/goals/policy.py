"""What an agent is after: the base of goal policies, and the policy of those that only answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from toolkit.errors import SpecError
from toolkit.moves import AUTONOMY, WAIT, Act, Autonomy, Move, Observation, Tool, actions_of
from toolkit.records import Experience, Task
from toolkit.traits.trait import Trait


@dataclass(frozen=True, slots=True)
class Situation:
    """What an agent knows when it is its turn in a world.

    Parameters
    ----------
    task
        What it was given.
    now
        What it sees.
    moves
        What it has done so far, and saw before.
    tools
        What can be done.
    left
        Turns that are left.
    """

    task: Task
    now: Observation
    moves: tuple[Move, ...] = ()
    tools: tuple[Tool, ...] = ()
    left: int = 1

    def tool(self, action: str) -> Tool | None:
        """The tool that an action calls, if it calls one."""
        name = action.partition(" ")[0]
        return next((tool for tool in self.tools if tool.name == name), None)

    @property
    def questions(self) -> tuple[str, ...]:
        """The listed actions that put a question to somebody."""
        return tuple(one for one in self.now.actions if (tool := self.tool(one)) is not None and tool.asks)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the decision step came to.

    Parameters
    ----------
    action
        The answer.
    confidence
        How sure the model is of it, in [0, 1], if it says so.
    refused
        Why there is no action in it, where it came to none.
    """

    action: str
    confidence: float | None = None
    refused: str = ""


class Choose(Protocol):
    """Takes the agent's decision step: role, memory and learned block stand in the prompt as always."""

    def __call__(
        self,
        among: Sequence[str] | None = None,
        *,
        thought: str = "",
        plan: bool = False,
        weigh: bool = False,
    ) -> Choice:
        """Decide what to do now.

        Parameters
        ----------
        among
            The actions to choose among; None = those that the world lists, or a text where it lists none.
        thought
            What was worked out before; stands in the prompt.
        plan
            Whether all actions from here on are asked for at once, in one text.
        weigh
            Whether `Choice.confidence` is wanted; a model whose choices are not made by likelihood has none.
        """
        ...


class GoalPolicy(Trait, kind="goals"):
    """What the agent is after, and what it does about it unprompted.

    A subclass gives `act`, or `wants` alone. What it asks the model by ``think`` is charged to acting. What it keeps of
    one task it makes anew in `begin`; only what it learns in `observe` outlives a task.

    Attributes
    ----------
    autonomy
        How it takes actions that change something.

    Examples
    --------
    >>> class Eager(GoalPolicy):
    ...     def wants(self, now):
    ...         return True
    >>> Eager().act(Situation(Task("1", {}), Observation("Smoke.", "tick")), lambda *_, **__: Choice("ring"))
    Act(action='ring', manner='ask', prompts=0, thought='', refused='')
    """

    autonomy: Autonomy = "ask"

    def check(self) -> None:
        """Its autonomy is one of the three."""
        if self.autonomy not in AUTONOMY:
            raise ValueError(f"autonomy must be one of {', '.join(AUTONOMY)} but is {self.autonomy!r}")

    def block(self, task: Task) -> str:
        """The goal block of the prompt for ``task``; empty adds nothing. In a world it is asked for on every turn."""
        return ""

    def begin(self, task: Task, tools: Sequence[Tool]) -> None:
        """A task that is a world begins."""

    def wants(self, now: Situation) -> bool:
        """Whether it does anything on this turn. By default on all but ticks, which nobody prompted."""
        return now.now.cause != "tick"

    def act(self, now: Situation, choose: Choose) -> Act:
        """What it does on this turn: by default what the decision step says, if it `wants` to do anything."""
        if not self.wants(now):
            return Act(WAIT)
        return self.acted(now, choose())

    def acted(self, now: Situation, choice: Choice, thought: str = "") -> Act:
        """A choice as an act, in this policy's manner; a user's prompt counts as one."""
        prompts = int(now.now.cause == "prompt")
        return Act(choice.action, self.autonomy, prompts, thought, choice.refused)

    def because(self, now: Situation, act: Act) -> str:
        """What made it act, in words, for whoever is shown what it did unprompted; asked after `act`, costs nothing."""
        return act.thought or type(self).__name__

    def observe(self, experience: Experience) -> None:
        """Take note of feedback."""


class Reactive(GoalPolicy):
    """Answers when prompted, and does nothing else: what a language model is by itself.

    In a world somebody has to prompt it for every turn, and how often is counted. By default nobody does after a user
    has: it then says all its actions at once, and they are carried out one after the other.

    Parameters
    ----------
    prompted
        By a harness in a user's place: ``"turns"``: again after each of its actions; ``"ticks"``: on every tick too,
        whether there is anything to do or not (polling). None = by users only.
    """

    stateless = True

    def __init__(self, prompted: Literal["turns", "ticks"] | None = None) -> None:
        self.prompted = prompted

    def check(self) -> None:
        """There is such a harness."""
        if self.prompted not in (None, "turns", "ticks"):
            raise SpecError([f"Reactive: prompted must be 'turns', 'ticks' or None but is {self.prompted!r}"])

    def begin(self, task: Task, tools: Sequence[Tool]) -> None:
        """It has said nothing yet."""
        self._said: list[str] = []

    def wants(self, now: Situation) -> bool:
        """Where somebody prompts it."""
        return now.now.cause != "tick" or self.prompted == "ticks"

    def act(self, now: Situation, choose: Choose) -> Act:
        """What it answers to a prompt, or the next of what it has said."""
        if not self.wants(now):
            return Act(WAIT)
        if self.prompted is not None:
            choice = choose()
            return Act(choice.action, self.autonomy, 1, refused=choice.refused)
        prompts = int(now.now.cause == "prompt")
        if prompts:
            choice = choose(plan=True)
            if choice.refused:
                return Act(choice.action, self.autonomy, 1, refused=choice.refused)
            self._said = list(actions_of(choice.action))
        return Act(self._said.pop(0) if self._said else WAIT, self.autonomy, prompts)
