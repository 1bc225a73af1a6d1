"""What another arm, with nothing behind it, says to what a live agent is asked: the difference is seen at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.agents.answer import Answer, recalled
from toolkit.agents.arm import Arm
from toolkit.agents.diary import Diary
from toolkit.errors import AnswerError
from toolkit.records import Task, Usage

if TYPE_CHECKING:
    from toolkit.agents.identity import Identity


def rival(against: Arm | str) -> Arm:
    """The arm that is meant: one's own, or ``"static"``, which is the model without any trait.

    Raises
    ------
    ValueError
        For another name, or an arm that brings a model of its own: the same model is asked twice.

    Examples
    --------
    >>> rival("static") == Arm.static()
    True
    """
    if against == "static":
        return Arm.static()
    if not isinstance(against, Arm):
        raise ValueError(f"against must be 'static' or an Arm but is {against!r}")
    if against.lm is not None:
        raise ValueError(f"against must have no model of its own, as the agent's is asked, but arm {against!r} has one")
    return against


def answered_beside(identity: Identity, against: Arm | str, task: Task, t: int) -> Answer:
    """What an arm that has met nothing answers to a task: by the agent's model, in its step, with the same luck.

    Parameters
    ----------
    identity
        Of the agent.
    against
        As of `rival`.
    task
        What is asked.
    t
        Which task of the agent's life this is.

    Raises
    ------
    Outage
        If the model cannot be reached.
    """
    arm = rival(against)
    engine = replace(identity, arm=arm).engine()
    life = Diary(arm, identity.step, identity.model, identity.deciding, identity.seeds, engine=engine)
    life.decision.at("stream", t)
    try:
        turns = life.act(task, "stream", t)
    except AnswerError as error:
        spent = sum((call.usage for event in life.take() for _, call in event.calls), Usage())
        return Answer("", "", error.status, str(error), usage=spent)
    spent = sum((turn.usage for turn in turns), Usage())
    return Answer("", turns[-1].answer, recalled=recalled(turns), usage=spent)
