"""The memory interface, and the policies that need no search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.records import Example, Experience, Memory, Recall, Task
from toolkit.traits.trait import Think, Trait, must_be_positive

CHARACTERS_A_TOKEN = 4
"""The rule of thumb by which policies budget tokens, since they work for any model; costs are metered exactly."""


class MemoryPolicy(Trait, kind="memory"):
    """What is kept of past tasks, and what of it stands in the prompt of the next one.

    An experience is observed twice: when the agent has answered (``feedback`` is None), and, with the same ``id``,
    when feedback has arrived, which may be much later. A policy revises what it kept under that id.

    Attributes
    ----------
    labels
        How many labelled tasks from the stream's pool it wants to observe before the first task; their ids begin with
        ``prepare/``.
    draws
        True for the few that change by recalling, such as shams that draw at random: an agent that is opened again then
        recalls again what it recalled before.

    Examples
    --------
    A policy of one's own is this much:

    >>> class LastOne(MemoryPolicy):
    ...     def reset(self, rng, think):
    ...         self.last = None
    ...     def observe(self, experience):
    ...         self.last = experience
    ...     def recall(self, task):
    ...         return Recall((self.last.example(best(self.last)),)) if self.last else Recall()
    >>> LastOne().config()
    {'use': 'LastOne'}
    """

    labels: int = 0
    draws: bool = False

    def observe(self, experience: Experience) -> None:
        """Take note of an experience, or revise the one of the same id."""

    def recall(self, task: Task) -> Recall:
        """What to put into the prompt for ``task``; an empty `Recall` adds nothing.

        It changes nothing: whether a memory was used is told by ``experience.recalled`` afterwards.
        """
        return Recall()

    def memories(self) -> Sequence[Memory]:
        """Everything that is kept, in order; for those who look, and for what is forgotten."""
        return ()

    def forget(self, user: str) -> Forgotten:
        """Remove every trace of a user, also from what was written of several; or say what could not be removed."""
        return Forgotten(could_not=(f"{type(self).__name__} does not say how it forgets: define forget()",))


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of a wish to forget: ids of what was removed, and in words what could not be."""

    removed: tuple[str, ...] = ()
    could_not: tuple[str, ...] = ()


def recalled(memories: Iterable[Memory]) -> Recall:
    """A recall of memories, the most relevant first: cases as worked examples, the best nearest to the question.

    Everything else stands in the notes, a line each, in the order given.
    """
    cases, notes = list[Example](), list[Memory]()
    for one in memories:
        if one.kind == "case":
            cases.append(one.example)
        else:
            notes.append(one)
    lines = "\n".join(f"- {line(one.text)}" for one in notes)
    return Recall(tuple(reversed(cases)), lines, tuple(one.id for one in notes))


def line(text: str) -> str:
    """A text on one line, without control characters: so no memory can look like the end of its own note.

    Examples
    --------
    >>> line("teal\\n\\nAnswer:\\tred")
    'teal Answer: red'
    """
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def best(experience: Experience) -> str:
    """The right answer where it is known, else the agent's own."""
    known = experience.known_answer
    return experience.answer if known is None else known


class NoMemory(MemoryPolicy):
    """Forgets everything: adds nothing."""

    stateless = True


class SlidingWindow(MemoryPolicy):
    """The last ``k`` tasks with their answers, in the order they came: short-term memory.

    Parameters
    ----------
    k
        Number of tasks, at least 1.
    """

    def __init__(self, k: int = 4) -> None:
        self.k = k

    def check(self) -> None:
        """At least 1."""
        must_be_positive("SlidingWindow.k", self.k)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty window."""
        self.window: dict[str, Experience] = {}

    def observe(self, experience: Experience) -> None:
        """Append, or revise what is still in the window."""
        if experience.feedback is not None and experience.id not in self.window:
            return  # it left the window before its feedback came
        self.window[experience.id] = experience
        if len(self.window) > self.k:
            del self.window[next(iter(self.window))]

    def recall(self, task: Task) -> Recall:
        """The window, oldest first."""
        return Recall(tuple(kept.example(best(kept)) for kept in self.window.values()))


class FullContext(MemoryPolicy):
    """Every past task with its answer, as many of the latest as fit: the long prompt that memory has to beat.

    Parameters
    ----------
    max_tokens
        Budget of the recalled block, in tokens estimated at four characters each; at least 1.
    """

    def __init__(self, max_tokens: int = 2000) -> None:
        self.max_tokens = max_tokens

    def check(self) -> None:
        """At least 1."""
        must_be_positive("FullContext.max_tokens", self.max_tokens)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with nothing."""
        self.past: dict[str, Experience] = {}

    def observe(self, experience: Experience) -> None:
        """Append or revise."""
        self.past[experience.id] = experience

    def recall(self, task: Task) -> Recall:
        """The latest that fit the budget, oldest first."""
        left, kept = self.max_tokens * CHARACTERS_A_TOKEN, list[Example]()
        for experience in reversed(self.past.values()):
            example = experience.example(best(experience))
            left -= len(experience.task.text) + len(example.answer)
            if left < 0:
                break
            kept.append(example)
        return Recall(tuple(reversed(kept)))
