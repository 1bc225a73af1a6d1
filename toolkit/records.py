"""The records that pass between a stream, an agent and the ledger: frozen, typed, without behaviour of their own.

What an agent may see (`Task`, `Feedback`, `Experience`) and what only the bench sees (`Key`, `Episode`) are different
types: no function that belongs to an agent accepts one of the latter. This is how a leak is made impossible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from toolkit.moves import Move
from toolkit.usage import Usage as Usage

LATER = {"later": True}
"""Of a field that came after records had been hashed: where it is None, a digest leaves it out."""

Phase = Literal["prepare", "stream", "frozen", "exam"]
Status = Literal["ok", "unparsed", "truncated", "overflow", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision that a model takes: what it is told, what it is given, what it must produce.

    Parameters
    ----------
    name
        Unique within an agent, e.g. ``"decide"``.
    instruction
        Plain text; the part a learner may rewrite.
    inputs
        Names of the input fields, in the order of the prompt.
    output
        Name of the single output field.
    answer
        ``"text"`` (one line) or ``"number"``; a task with options is always a choice.
    """

    name: str
    instruction: str
    inputs: tuple[str, ...]
    output: str = "answer"
    answer: Literal["text", "number"] = "text"


@dataclass(frozen=True, slots=True)
class Task:
    """What an agent may see of one task. There is no answer in it and no clock: ``time`` is logical.

    Parameters
    ----------
    id
        Unique within its stream.
    inputs
        Named texts.
    options
        Closed answers to choose one from; empty = free text, number or action.
    user, session
        Whose task it is and in which conversation; empty = nobody's, a session of its own.
    time
        Logical time in the stream's own units, never the wall clock.
    tools
        Names of what may be used, where the task is a world.
    """

    id: str
    inputs: Mapping[str, str]
    options: tuple[str, ...] = ()
    user: str = ""
    session: str = ""
    time: float = 0.0
    tools: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All inputs in one text: what retrieval compares."""
        return "\n".join(self.inputs.values())


@dataclass(frozen=True, slots=True)
class Key:
    """The reference for a task; goes to scorers and channels only.

    Parameters
    ----------
    answers
        All answers that count as right; the first is the one a channel reveals.
    delay
        Tasks that pass before feedback arrives (0 = before the next task).
    oracle
        The best score that can be had on this task, in [0, 1].
    """

    answers: tuple[str, ...]
    delay: int = 0
    oracle: float = 1.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """All that an agent ever learns from: any of these four; what was not told is None, or no words.

    ``score`` is in [0, 1], ``correction`` the right answer, ``text`` what somebody said of the one given. ``preferred``
    is a pair of answers, the better one first: one of them the agent's own.
    """

    score: float | None = None
    correction: str | None = None
    text: str = ""
    preferred: tuple[str, str] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True, slots=True)
class Example:
    """A worked case as it may stand in a prompt: a task's ``inputs``, and an ``answer`` to them.

    ``source`` is the episode it came from, or its own name. ``feedback`` is what was said of the answer, and stands
    below it; None = the answer stands alone.
    """

    inputs: Mapping[str, str]
    answer: str
    source: str = ""
    feedback: str | None = field(default=None, metadata=LATER)


ABSTAINED = "(abstained)"
"""What stands for an answer that an agent kept to itself; to a scorer that knows no better, a wrong one."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """An answer, how sure one was of it, and from where on it was given; ``explored``: given anyway, to learn by it."""

    answer: str
    confidence: float
    threshold: float
    explored: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision as it was taken.

    Parameters
    ----------
    step
        Name of the `Step`.
    answer
        What the step produced.
    blocks
        Which blocks stood in the prompt and how many examples each had, e.g. ``("memory:4",)``.
    recalled
        Ids of the memories that stood in the prompt: of cases, the episode's.
    usage
        What the decision cost.
    confidence, weighed
        How sure it is of the answer, in [0, 1], if it says so; the answer before it was weighed, if it was.
    move
        In a world: what was seen and done on this turn.
    """

    step: str
    answer: str
    blocks: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    confidence: float | None = field(default=None, metadata=LATER)
    weighed: Weighed | None = field(default=None, metadata=LATER)
    move: Move | None = field(default=None, metadata=LATER)

    @property
    def meant(self) -> str:
        """The answer that it came to, given or not."""
        return self.answer if self.weighed is None else self.weighed.answer


@dataclass(frozen=True, slots=True)
class Experience:
    """What traits see of a past task: first without feedback, again (same ``id``) when feedback has arrived.

    Parameters
    ----------
    id
        Its episode's, unique within a run.
    task, answer
        What was asked, and what the agent answered.
    feedback
        What it was told of that; None = nothing yet.
    recalled
        Ids of the memories that stood in its prompt: so a policy learns which of its own were used.
    usage
        What its answer cost, without seconds: no agent is told the clock.
    weighed, moves
        The answer before it was weighed, as of its turn; what it saw and did, where the task was a world.
    """

    id: str
    task: Task
    answer: str
    feedback: Feedback | None = None
    recalled: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    weighed: Weighed | None = field(default=None, metadata=LATER)
    moves: tuple[Move, ...] | None = field(default=None, metadata=LATER)

    @property
    def known_answer(self) -> str | None:
        """The answer known to be right: the correction, or the agent's own if its score was 1, but no abstention."""
        if self.feedback is None:
            return None
        if self.feedback.correction is not None:
            return self.feedback.correction
        right = self.feedback.score is not None and self.feedback.score >= 1 and self.answer != ABSTAINED
        return self.answer if right else None

    def example(self, answer: str) -> Example:
        """This case worked with ``answer``."""
        return Example(self.task.inputs, answer, self.id)


@dataclass(frozen=True, slots=True)
class Memory:
    """One thing that a memory keeps.

    Parameters
    ----------
    id
        Unique within its store: a case has its episode's id, what a policy wrote itself ``"<kind>/<number>"``.
    text
        What it is found by; of a note, also what stands in the prompt.
    kind
        ``"case"`` (a task and its answer), or whatever a policy calls what it writes: ``"fact"``, ``"lesson"``, …
    fields, answer
        Of a case: the task's inputs, and the right answer where it is known, else the agent's own. Of a note: its named
        parts, if it has any.
    known
        Of a case: whether the answer is known to be right.
    user, session, time
        Whose it is, from which conversation, and the logical time at which it was written.
    sources, links
        The episodes it was made from; ids of memories that it is connected with.
    importance
        In [0, 1], where a policy weighs it.
    until
        The logical time at which a newer one took its place; None = it still holds.
    feedback
        Of a case: what was said of the answer, if that is to stand below it in the prompt.
    """

    id: str
    text: str
    kind: str = "case"
    fields: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    known: bool = False
    user: str = ""
    session: str = ""
    time: float = 0.0
    sources: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    importance: float = 0.0
    until: float | None = None
    feedback: str | None = field(default=None, metadata=LATER)

    @classmethod
    def of(cls, experience: Experience) -> Memory:
        """A case as it was met; a note where there was nothing to answer, since it was merely told."""
        task, right = experience.task, experience.known_answer
        return cls(
            id=experience.id,
            text=task.text,
            kind="case" if experience.answer or right is not None else "note",
            fields=task.inputs,
            answer=experience.answer if right is None else right,
            known=right is not None,
            user=task.user,
            session=task.session,
            time=task.time,
            sources=(experience.id,),
        )

    @property
    def example(self) -> Example:
        """The case, worked."""
        return Example(self.fields, self.answer, self.id, self.feedback)


@dataclass(frozen=True, slots=True)
class Recall:
    """What memory puts into the prompt of one task: worked examples, free notes, or nothing.

    Parameters
    ----------
    examples
        Worked cases, in the order of the prompt.
    notes
        Text that stands in the prompt as it is; empty = none.
    sources
        Ids of the memories that the notes were made of; examples name their own.
    """

    examples: tuple[Example, ...] = ()
    notes: str = ""
    sources: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.examples or self.notes)

    @property
    def memories(self) -> tuple[str, ...]:
        """Ids of all memories in it, those of the notes first."""
        return (*self.sources, *(example.source for example in self.examples))

    def without(self, memory: str) -> Recall:
        """The same with one memory left out.

        Raises
        ------
        ValueError
            If it is not in there, or the notes are not a line for each memory, so that none can be taken out.
        """
        if memory not in self.memories:
            raise ValueError(f"{memory!r} was not recalled; recalled were {', '.join(self.memories) or 'none'}")
        rest = tuple(example for example in self.examples if example.source != memory)
        if memory not in self.sources:
            return Recall(rest, self.notes, self.sources)
        lines = self.notes.split("\n")
        if len(lines) != len(self.sources):
            raise ValueError(
                f"{memory!r} cannot be left out: {len(self.sources)} memories are {len(lines)} lines of notes"
            )
        kept = [(one, line) for one, line in zip(self.sources, lines, strict=True) if one != memory]
        return Recall(rest, "\n".join(line for _, line in kept), tuple(one for one, _ in kept))


@dataclass(frozen=True, slots=True)
class Learned:
    """What a learner puts into every prompt until its next update.

    Parameters
    ----------
    instruction
        Takes the place of the decision step's own; empty = that one stays.
    examples
        Worked cases, before the task.
    notes
        Stand below the instruction, whichever it is.
    steps
        By name the instructions of other steps, each in place of the step's own: of steps that traits declare, of those
        that come before a decision, of the named predictors of a wrapped program.
    program
        The state of a wrapped program's predictors as JSON, as DSPy saves it; the rest comes on top of it.
    """

    instruction: str = ""
    examples: tuple[Example, ...] = ()
    notes: str = ""
    steps: Mapping[str, str] | None = field(default=None, metadata=LATER)
    program: str | None = field(default=None, metadata=LATER)

    def __bool__(self) -> bool:
        return bool(self.examples or self.instruction or self.notes or self.steps or self.program)

    def step(self, one: Step) -> Step:
        """A step other than the decision as it is to be taken: with the instruction that was learned for it, if any.

        Examples
        --------
        >>> Learned(steps={"rate": "Rate it."}).step(Step("rate", "How important?", ("memory",))).instruction
        'Rate it.'
        """
        own = (self.steps or {}).get(one.name)
        return replace(one, instruction=own) if own else one


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a trait between two tasks and may be looked up later: a version of a prompt, an alarm.

    Parameters
    ----------
    kind
        ``"version"``: a learned block was made, or what became of it; ``"drift"``: a detector rang.
    number, fate
        Of the version, from 0, and what it is from now on; of a drift, which one in this life, and what was done then.
    learned
        The block, where it was just made.
    """

    kind: Literal["version", "drift"]
    why: str = ""
    number: int = 0
    fate: str = ""
    learned: Learned | None = None
