"""The memory interface, and no memory at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from toolkit.errors import names
from toolkit.records import Experience, Memory, Recall, Task
from toolkit.traits.trait import Trait
from toolkit.traits.wording import cut as cut
from toolkit.traits.wording import line as line

Kept: TypeAlias = Literal["all", "correct", "feedback"]
"""Which cases are kept, and with which answer; see `kept`."""

KEPT: tuple[Kept, ...] = ("all", "correct", "feedback")
RIGHT, WRONG = "correct", "not correct"
"""What stands below an answer of one's own."""


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


def succeeded(experience: Experience, threshold: float = 1.0) -> bool | None:
    """Whether an answer was right, by its score or else the correction; None where the feedback does not tell."""
    told = experience.feedback
    if told is None or (told.score is None and told.correction is None):
        return None
    return told.score >= threshold if told.score is not None else told.correction == experience.answer


def kept(experience: Experience, store: Kept) -> Memory | None:
    """What is kept of an experience; None = nothing, or nothing yet.

    Parameters
    ----------
    store
        ``"all"``: the case, with the right answer once it is known, and the agent's own until then. ``"correct"``: the
        case once its right answer is known. ``"feedback"``: the case once it is known whether the agent's own answer
        was right, with that answer, and with what was said of it.

    Examples
    --------
    >>> from toolkit.records import Feedback
    >>> wrong = Experience("stream/0", Task("0", {"text": "hi"}), "a", Feedback(0.0))
    >>> kept(wrong, "correct") is None, kept(wrong, "all").feedback, kept(wrong, "feedback").feedback
    (True, None, 'not correct')
    """
    if store == "feedback":
        right = succeeded(experience)
        if right is None or not experience.answer:
            return None
        own = replace(experience, feedback=None)
        return replace(Memory.of(own), known=right, feedback=RIGHT if right else WRONG)
    return Memory.of(experience) if store == "all" or experience.known_answer is not None else None


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
