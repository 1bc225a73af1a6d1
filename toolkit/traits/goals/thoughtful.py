"""What goal policies that ask the model before they act have in common: what it is shown, how its words are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from toolkit.moves import Move, Tool
from toolkit.records import Task
from toolkit.traits.goals.policy import GoalPolicy, Situation
from toolkit.traits.trait import Think
from toolkit.traits.wording import READ, Asking, lettered, short, words

_LATEST = 6  # moves that are shown
_PART = re.compile(r"[\n;]|(?<!\S)(?:\d{1,2}[.)]|[-*•])(?=\s)")
_YES = frozenset(("yes", "y", "true", "sure", "certainly", "needed"))
_NO = frozenset(("no", "n", "false", "none", "nothing", "not", "never"))


class Thoughtful(GoalPolicy, Asking, abstract=True):
    """Asks the model by steps of its own; what these say is bounded, and nonsense is dropped and counted."""

    stateless = True

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin a life."""
        self.may_ask(think)
        self._begun: str | None = None

    def begin(self, task: Task, tools: Sequence[Tool]) -> None:
        """A task that is a world begins."""
        self._begun = task.id

    def begun(self, task: Task) -> bool:
        """Whether this is the task that has begun last."""
        return self._begun == task.id


def shown(now: Situation) -> dict[str, str]:
    """What a step is given of a situation: the task, the latest moves, what is seen, and what can be done."""
    can = now.now.actions or tuple(tool.signature for tool in now.tools)
    return {
        "task": now.task.text,
        "so_far": latest(now.moves) or "nothing yet",
        "now": now.now.text,
        "can": "; ".join(can) or "say anything",
    }


SHOWN = ("task", "so_far", "now", "can")
"""The inputs of a step that is given all of `shown`."""


def latest(moves: Sequence[Move]) -> str:
    """The last few moves in a line.

    Examples
    --------
    >>> latest([Move("prompt", "A door.", "push"), Move("result", "Nothing moves.", "pull", refused="no handle")])
    'A door. - push; Nothing moves. - pull (not done: no handle)'
    """
    told = []
    for move in moves[-_LATEST:]:
        why = f" (not done: {short(move.refused, 80)})" if move.refused else ""
        told.append(f"{short(move.seen, READ // 10)} - {short(move.action, READ // 20)}{why}")
    return "; ".join(told)


def parts_of(text: str, most: int, longest: int = 160) -> tuple[str, ...]:
    """The parts of a list that a model wrote, in lines, parted by semicolons or numbered; at most ``most``.

    Parts without a letter, with a word of more than forty characters, and those that were there already are left out.

    Examples
    --------
    >>> parts_of("1. Look up the order. 2. Refund it; tell Mara", 3)
    ('Look up the order.', 'Refund it', 'tell Mara')
    >>> parts_of("1. 2. 3.", 3)
    ()
    """
    found: dict[tuple[str, ...], str] = {}
    for part in _PART.split(text[: 4 * READ]):
        bare = short(part, longest)
        used = words(bare)
        if len(found) < most and lettered(bare) and all(len(word) <= 40 for word in used):
            found.setdefault(tuple(used), bare)
    return tuple(found.values())


def says(text: str) -> Literal["yes", "no"] | None:
    """Whether a text says yes or no: by its first word that does; None = it says neither.

    Examples
    --------
    >>> says("Yes, it is done."), says("It is not."), says("Maybe")
    ('yes', 'no', None)
    """
    for word in words(text[:READ]):
        if word in _YES:
            return "yes"
        if word in _NO:
            return "no"
    return None
