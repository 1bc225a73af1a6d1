"""What a live agent is given, made sound: a task from texts, feedback that says something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.moves import WAIT
from toolkit.records import Feedback, Task

if TYPE_CHECKING:
    from toolkit.agents.identity import Identity


def task_of(
    identity: Identity,
    name: str,
    number: int,
    given: Task | Mapping[str, str] | str,
    user: str,
    session: str,
    options: Sequence[str],
) -> Task:
    """What an agent of this name is asked as its ``number``-th event, as a task; see `LiveAgent.answer`.

    Raises
    ------
    ValueError
        If the inputs are not those of its step.
    """
    if isinstance(given, Task):
        return given
    wanted = identity.step.inputs
    inputs = {wanted[0]: given} if isinstance(given, str) and len(wanted) == 1 else given
    if not isinstance(inputs, Mapping) or set(inputs) != set(wanted):
        raise ValueError(
            f"agent {name!r} answers from the inputs {', '.join(wanted)} but was given {given!r:.200}: give "
            "them by name"
        )
    ordered = {one: sound(str(inputs[one])) for one in wanted}
    return Task(f"live/{number}", ordered, tuple(options) or identity.options, user, session, float(number))


def tick_of(identity: Identity, number: int, seen: str, user: str, session: str, actions: Sequence[str]) -> Task:
    """What is seen on a tick, as a task: in place of the first input; waiting is always among the actions.

    Raises
    ------
    ValueError
        If nothing is seen, or an action is empty.
    """
    if not seen.strip():
        raise ValueError("a tick must say what is seen but has no text: leave it out, or give one")
    if wrong := [one for one in actions if not one.strip()]:
        raise ValueError(f"actions must be texts but hold {wrong[0]!r}")
    inputs = dict.fromkeys(identity.step.inputs, "") | {identity.step.inputs[0]: sound(seen)}
    listed = tuple(dict.fromkeys((*map(sound, actions), WAIT))) if actions else ()
    return Task(f"live/{number}", inputs, listed, user, session, float(number))


def checked(score: float | None, correction: str | None, text: str) -> Feedback:
    """Feedback that says something.

    Raises
    ------
    ValueError
        If it says nothing, or the score is out of range.
    """
    if score is None and correction is None and not text:
        raise ValueError("feedback must say something: give a score in [0, 1], a correction, or a text")
    if score is not None and (isinstance(score, bool) or not 0 <= score <= 1):
        raise ValueError(f"score must be a number between 0 and 1 but is {score!r}")
    return Feedback(None if score is None else float(score), correction, text)


def sound(text: str) -> str:
    """A text without half characters, which no model can be sent."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
