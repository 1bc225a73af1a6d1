"""The memory interface, and no memory at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.errors import names
from toolkit.records import Experience, Memory, Recall, Task
from toolkit.traits.trait import Trait
from toolkit.traits.wording import cut as cut
from toolkit.traits.wording import line as line


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

    def scores(self, task: Task) -> Mapping[str, float]:
        """By id how well memories fit ``task`` by this policy's own measure, the higher the better; for those who look.

        Empty = it goes by no number, or does not say. Like `recall`, it changes nothing.
        """
        return {}

    @property
    def limit(self) -> int | None:
        """The most memories that are ever kept; None = they grow with what is observed."""
        return None

    def forget(self, user: str) -> Forgotten:
        """Remove every trace of a user, also from what was written of several; or say what could not be removed."""
        return Forgotten(could_not=(f"{type(self).__name__} does not say how it forgets: define forget()",))


@dataclass(frozen=True, slots=True, repr=False)
class Forgotten:
    """What came of a wish to forget. Prints as a sentence.

    Parameters
    ----------
    removed
        Ids of the memories that are gone.
    could_not
        In words, what could not be forgotten and why.

    Examples
    --------
    >>> Forgotten(("stream/3", "stream/5"), ("a summary of others calls them by name",))
    2 memories removed: stream/3, stream/5; not forgotten: a summary of others calls them by name
    """

    removed: tuple[str, ...] = ()
    could_not: tuple[str, ...] = ()

    def __repr__(self) -> str:
        many = "1 memory" if len(self.removed) == 1 else f"{len(self.removed) or 'no'} memories"
        which = f": {names(self.removed)}" if self.removed else ""
        rest = f"; not forgotten: {'; '.join(self.could_not)}" if self.could_not else ""
        return f"{many} removed{which}{rest}"


def recalled(memories: Sequence[Memory]) -> Recall:
    """A recall of memories given in order of relevance, the most relevant first: it stands nearest to the question.

    Cases are worked examples; everything else stands in the notes, a line each.
    """
    placed = list(reversed(memories))
    notes = [one for one in placed if one.kind != "case"]
    lines = "\n".join(f"- {line(one.text)}" for one in notes)
    cases = tuple(one.example for one in placed if one.kind == "case")
    return Recall(cases, lines, tuple(one.id for one in notes))


def best(experience: Experience) -> str:
    """The right answer where it is known, else the agent's own."""
    known = experience.known_answer
    return experience.answer if known is None else known


class NoMemory(MemoryPolicy):
    """Forgets everything: adds nothing."""

    stateless = True

    @property
    def limit(self) -> int | None:
        """None are kept."""
        return 0

    def forget(self, user: str) -> Forgotten:
        """There is nothing to forget."""
        return Forgotten()
