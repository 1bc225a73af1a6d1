"""A memory policy tried out: what it wrote of a few tasks, and what it would recall for a text; without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolkit.agents.arm import Arm
from toolkit.agents.steps import thinks
from toolkit.analysis.answered import Piece, pieces_of
from toolkit.component import Component, parts_of
from toolkit.errors import AnswerError, SpecError, names
from toolkit.evaluation.adds import Sample, sample_run
from toolkit.evaluation.rehearsal import rehearsed
from toolkit.ledger.call import Call
from toolkit.records import Experience, Feedback, Recall, Task
from toolkit.traits.memory import MemoryPolicy
from toolkit.traits.memory.embedding import Embedder

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent

ARROW = "->"
"""What parts a text from its answer, where somebody writes memories by hand."""


@dataclass(frozen=True)
class Kept:
    """What one policy is, and what it kept of the sample: that of an arm, or one within it.

    Parameters
    ----------
    place
        Which parameter of the policy around it holds it; empty = it is the arm's own.
    policy
        Its class.
    parameters
        By name, in words; without policies within.
    asks
        Steps by which it asks the model.
    labels
        Labelled tasks that it wants before the first task.
    kinds
        By kind how many memories it kept.
    limit
        The most that it keeps; None = it sets none.
    """

    place: str
    policy: str
    parameters: tuple[tuple[str, str], ...]
    asks: tuple[str, ...]
    labels: int
    kinds: tuple[tuple[str, int], ...]
    limit: int | None

    @property
    def total(self) -> int:
        """How many memories."""
        return sum(count for _, count in self.kinds)


@dataclass(frozen=True)
class Found:
    """One memory that was recalled.

    Parameters
    ----------
    id, text, answer
        As of `toolkit.Memory`; the answer is empty of a note.
    score
        By the policy's own measure; None = it has none.
    """

    id: str
    text: str
    answer: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Recalled:
    """What was recalled for a text, the most relevant first, and the memory block as it stands in the prompt.

    Parameters
    ----------
    found
        The memories.
    block
        The parts of the prompt that are memory's.
    kept
        Of how many memories.
    scored
        Whether the policy has scores at all.
    """

    found: tuple[Found, ...]
    block: tuple[Piece, ...]
    kept: int
    scored: bool


def kept_by(policy: MemoryPolicy, place: str = "") -> tuple[Kept, ...]:
    """A policy after a life, and those within it.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval, Shuffled
    >>> agent = Sample().adds(Arm("sham", memory=Shuffled(Retrieval(k=2)))).agent
    >>> [(one.place, one.policy, one.total) for one in kept_by(agent.memory)]
    [('', 'Shuffled', 20), ('of', 'Retrieval', 20)]
    """
    kinds: dict[str, int] = {}
    for one in policy.memories():
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    own = {name: getattr(policy, name) for name in policy.parameters()}
    told = tuple((name, _short(value)) for name, value in own.items() if not isinstance(value, MemoryPolicy))
    first = Kept(
        place,
        type(policy).__name__,
        told,
        tuple(dict.fromkeys(policy.thinks)),
        policy.labels,
        tuple(kinds.items()),
        policy.limit,
    )
    within = [(name, value) for name, value in own.items() if isinstance(value, MemoryPolicy)]
    return (first, *(one for name, value in within for one in kept_by(value, f"{place}.{name}".lstrip("."))))


def _short(value: object) -> str:
    told = type(value).__name__ if isinstance(value, Component) else repr(value)
    return told if len(told) <= 60 else told[:57] + "…"


def untried(policy: MemoryPolicy) -> str:
    """Why it cannot be tried without a model; empty if it can.

    Examples
    --------
    >>> from toolkit.traits.memory import Lessons, Retrieval
    >>> untried(Lessons()), untried(Retrieval())
    ('it needs a model (lesson) to write what it keeps, and is not tried', '')
    """
    asks = list(dict.fromkeys(thinks(policy)))
    return f"it needs a model ({names(asks)}) to write what it keeps, and is not tried" if asks else ""


class Recalling:
    """A memory filled by sample tasks, or by texts of one's own, that is asked what it recalls.

    Parameters
    ----------
    policy
        Of which a new memory is made.
    sample
        Whose tasks fill it.
    texts
        What fills it in their place, one memory each: a text, or ``"text -> right answer"``; empty = the tasks.

    Raises
    ------
    SpecError
        If the policy needs a model, or nothing came of the sample.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> told = Recalling(Retrieval(k=1), Sample(), ["the parcel is late -> post", "reset my password -> it"])
    >>> found = told.ask("where is my parcel?")
    >>> [(one.text, one.answer) for one in found.found], found.kept
    ([('the parcel is late', 'post')], 2)
    """

    def __init__(self, policy: MemoryPolicy, sample: Sample, texts: Sequence[str] = ()) -> None:
        if reason := untried(policy):
            raise SpecError([f"{policy!r}: {reason}"])
        self._calls: list[Call] = []
        arm = Arm("sample", memory=policy)
        self._stream = sample.of(arm)
        self._last = self._stream.pairs()[: len(sample_run(arm, self._stream).places)][-1][0]
        self.agent = self._told(arm, [one for one in texts if one.strip()])

    def ask(self, text: str) -> Recalled:
        """What is recalled for a text, as the last sample task's user would ask it."""
        task, agent = self._task("asked", text), self.agent.copied()
        scores = agent.memory.scores(task)
        recall = agent.memory.recall(task)
        found = tuple(_found(recall, scores))
        return Recalled(found, self._block(task), len(agent.memory.memories()), bool(scores))

    def _told(self, arm: Arm, texts: Sequence[str]) -> Agent:
        """The agent with its memory filled."""
        course = rehearsed(sample_run(arm, self._stream), self._calls.append)
        agent, _, _ = next(course)  # before the first task
        if not texts:
            for _ in course:
                pass
        self._refuse_asking(arm)
        for place, text in enumerate(texts):
            asked, _, answer = (part.strip() for part in text.partition(ARROW))
            seen = Experience(f"stream/{place}", self._task(f"text-{place}", asked), answer)
            agent.memory.observe(seen)
            if answer:
                agent.memory.observe(replace(seen, feedback=Feedback(1.0, answer)))
        self._refuse_asking(arm)
        return agent

    def _refuse_asking(self, arm: Arm) -> None:
        """A policy of one's own may ask without having said so."""
        asked = [one.step for one in self._calls if one.purpose == "adapting" and one.step != "embed"]
        if asked:
            told = f"it asks a model ({names(list(dict.fromkeys(asked)))}), and is not tried"
            raise SpecError([f"{arm.memory!r}: {told}"])

    def _task(self, id: str, text: str) -> Task:
        first, *others = self._last.inputs
        return replace(self._last, id=id, inputs={first: text, **dict.fromkeys(others, "")})

    def _block(self, task: Task) -> tuple[Piece, ...]:
        """What of the prompt is memory's."""
        agent, before = self.agent.copied(), len(self._calls)
        agent.consider(task)
        with suppress(AnswerError):  # what stands in for a model knows no answer to a text of one's own
            agent.decider.decide(agent.step, task, agent.context, agent.decision)
        made, self._calls[before:] = self._calls[before:], []
        prompt = [{"role": role, "text": told} for role, told in made[-1].prompt]
        pieces = pieces_of(prompt, agent.context.blocks, agent.step.instruction)
        return tuple(one for one in pieces if "memory" in one.block or one.block == "prompt")


def _found(recall: Recall, told: Mapping[str, float]) -> Iterator[Found]:
    """The memories in a recall, the most relevant first: cases before notes, as they stand nearest to the question."""
    for case in reversed(recall.examples):
        yield Found(case.source, "\n".join(case.inputs.values()), case.answer, told.get(case.source))
    lines = recall.notes.split("\n") if recall.notes else []
    single = len(lines) == len(recall.sources)
    for place in reversed(range(len(lines) if single else 0)):
        name = recall.sources[place]
        yield Found(name, lines[place].removeprefix("- "), score=told.get(name))
    if lines and not single:
        yield Found("", recall.notes)


def stands_in(policy: Component) -> str:
    """Which embedder is not asked but stood in for; empty if none is."""
    for one in parts_of(policy):
        if isinstance(one, Embedder) and one.outside:
            return type(one).__name__
        if inner := stands_in(one):
            return inner
    return ""
