"""An agent in a world: turn by turn, what its goal policy wants, and what its decision step makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from toolkit.errors import AnswerError
from toolkit.moves import ALL_AT_ONCE, WAIT, Act, Move, Observation, Tool, planned
from toolkit.records import Step, Task, Turn
from toolkit.streams.stage import Broken, Stage
from toolkit.traits.goals import Choice, Situation
from toolkit.traits.role import RolePolicy

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent

_NO_ACTION = "that was none of the actions that can be taken"
_NOT_OURS = "that is none of the tools to which the role restricts itself"
_LOOK_BACK = 6000  # characters of what was done and seen before: the rest of a small model's context is the task's


def play(agent: Agent, task: Task, stage: Stage) -> tuple[Turn, ...]:
    """Let an agent act in a world until it ends, or the agent fails.

    Returns
    -------
    tuple of Turn
        One for every move; the stage knows what came of them. A turn in which the agent gave no usable answer is a move
        that was refused; what does not fit the model's context ends the episode (`Stage.failure`).

    Raises
    ------
    Outage
        If the model cannot be reached.
    """
    turns: list[Turn] = []
    player = Player(agent, task, stage)
    try:
        stage.begin()
        agent.goals.begin(task, allowed(stage.tools, agent.role))
        while not stage.over:
            turns.append(player.turn())
    except Broken:
        pass  # before the first turn; the stage has noted it
    finally:
        stage.close()
    return tuple(turns)


class Scenery(Protocol):
    """What an agent acts on: a world's stage, or the life of an agent in use between two things it is asked."""

    @property
    def now(self) -> Observation:
        """What there is to see."""
        ...

    @property
    def moves(self) -> Sequence[Move]:
        """What was done so far."""
        ...

    @property
    def tools(self) -> Sequence[Tool]:
        """What can be done."""
        ...

    @property
    def ticks(self) -> bool:
        """Whether time passes."""
        ...

    @property
    def left(self) -> int:
        """Turns that are left."""
        ...

    @property
    def unlisted(self) -> str:
        """What can be done where no actions are listed, in words; empty = nothing is said of it."""
        ...

    def best(self) -> str:
        """What the best would do now; not for agents."""
        ...

    def act(self, act: Act) -> Observation:
        """Take an action."""
        ...

    def fail(self, failure: AnswerError) -> None:
        """Note that the agent has failed for good."""
        ...


class Player:
    """One agent on one stage.

    Parameters
    ----------
    agent, task, stage
        Who acts, what it was given, and on what.

    Attributes
    ----------
    why
        What made its goal policy act on the last turn, in words.
    """

    def __init__(self, agent: Agent, task: Task, stage: Scenery) -> None:
        self._agent, self._task, self._stage = agent, task, stage
        self._taken: Turn | None = None
        self.why = ""

    def turn(self) -> Turn:
        """Take one; it holds what was spent, however it ends."""
        stage, self._taken = self._stage, None
        before, now = len(stage.moves), stage.now
        act = Act("")
        try:
            act = self._act()
            if not act.refused and not self._agent.role.allows(act.action):
                act = replace(act, refused=_NOT_OURS)
            stage.act(act)
        except Broken as error:
            act = replace(act, refused=str(error))
        except AnswerError as error:
            stage.fail(error)
            act = replace(act, refused=str(error))
        done = stage.moves[-1] if len(stage.moves) > before else None
        move = done or Move(now.cause, now.text, act.action, refused=act.refused)
        return replace(self._taken or Turn("act", act.action), answer=act.action, move=move)

    def _act(self) -> Act:
        agent, stage = self._agent, self._stage
        tools = allowed(stage.tools, agent.role)
        if agent.decider.peeks:
            agent.decider.reveal({f"{self._task.id}#{len(stage.moves)}": stage.best()})
        moves = tuple(move.unrewarded for move in stage.moves)
        now = Situation(self._task, offered(stage.now, agent.role), moves, tools, stage.left)
        with agent.decision.booked("acting"):  # what a goal policy asks the model is part of acting
            act = agent.goals.act(now, self._choose)
        self.why = agent.goals.because(now, act)
        return act

    def _choose(
        self,
        among: Sequence[str] | None = None,
        *,
        thought: str = "",
        plan: bool = False,
        weigh: bool = False,
    ) -> Choice:
        """The agent's decision step, on this turn."""
        agent = self._agent
        step, task = situated(agent.step, self._task, self._stage, among, thought, plan, agent.role)
        context = replace(agent.context, goal=agent.goals.block(self._task))
        try:
            with agent.decision.weighing() if weigh else nullcontext():
                turn = agent.decider.decide(step, task, context, agent.decision)
        except AnswerError as error:
            if error.status != "unparsed":
                raise
            return Choice("", refused=_NO_ACTION)
        spent = turn.usage if self._taken is None else self._taken.usage + turn.usage
        self._taken = replace(turn, usage=spent)
        return Choice(turn.answer.strip(), turn.confidence)


def offered(now: Observation, role: RolePolicy) -> Observation:
    """What is seen, with the listed actions that a role allows; where it allows none, there is waiting."""
    left = tuple(action for action in now.actions if role.allows(action))
    return now if left == tuple(now.actions) else replace(now, actions=left or (WAIT,))


def allowed(tools: Sequence[Tool], role: RolePolicy) -> tuple[Tool, ...]:
    """The tools that a role allows."""
    return tuple(tool for tool in tools if role.allows(tool.name))


def situated(
    step: Step, task: Task, stage: Scenery, among: Sequence[str] | None, thought: str, plan: bool, role: RolePolicy
) -> tuple[Step, Task]:
    """A stream's step and a task as they stand on this turn: what was done, what is seen, and what can be done."""
    now = offered(stage.now, role)
    can = tuple(now.actions if among is None else among)
    options = () if plan else can
    own = allowed(stage.tools, role)
    tools = "" if options or not own else "\n".join([*(tool.signature for tool in own), *_waiting(stage)])
    shown = {
        "tools": tools,
        "done": history(stage.moves),
        "now": now.text,
        "can": planned(can) or stage.unlisted,
        "thought": thought,
    }
    shown = {name: text for name, text in shown.items() if text and name not in task.inputs}
    inputs = (*(name for name in step.inputs if name in task.inputs), *shown)
    instruction = f"{step.instruction} {ALL_AT_ONCE}" if plan else step.instruction
    output = "actions" if plan else "action"
    here = replace(task, id=f"{task.id}#{len(stage.moves)}", inputs={**task.inputs, **shown}, options=options)
    return Step("plan" if plan else "act", instruction, inputs, output), here


def _waiting(stage: Scenery) -> list[str]:
    return [f"{WAIT} - do nothing, let time pass"] if stage.ticks else [f"{WAIT} - nothing is left to do"]


def history(moves: Sequence[Move]) -> str:
    """What was done and seen before, the latest last; of much, the last part, by whole turns.

    Examples
    --------
    >>> print(history([Move("prompt", "A door.", "push"), Move("result", "Nothing moves.", "pull")]))
    saw: A door.
    did: push
    saw: Nothing moves.
    did: pull
    """
    told, size = list[str](), 0
    for place, move in reversed(list(enumerate(moves))):
        why = f" (not done: {move.refused})" if move.refused else ""
        part = f"saw: {move.seen}\ndid: {move.action}{why}"
        size += len(part)
        if told and size > _LOOK_BACK:
            told.append(f"({place + 1} turns before)")
            break
        told.append(part)
    return "\n".join(reversed(told))
