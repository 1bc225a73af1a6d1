"""What is worth knowing next time: lessons from success and failure, and procedures from what worked."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.store import Scope, within
from toolkit.traits.memory.written import WrittenMemory, lettered, short, succeeded, words
from toolkit.traits.trait import must_be_positive

LESSON = Step(
    "lesson",
    "Give one short piece of advice for similar cases.",
    ("case", "answer", "outcome"),
    output="advice",
)
"""The step by which `Lessons` writes."""

WORKFLOW = Step(
    "workflow",
    "Write the steps that solve cases like this one, without what is particular to it.",
    ("case", "solution"),
    output="steps",
)
"""The step by which `Workflows` writes."""

_CASE = 200  # characters of the case that a lesson stands with


class _Learnt(WrittenMemory, abstract=True):
    """Base of both: one text for each case at most, found by the case, recalled with it."""

    def __init__(self, k: int = 3, scope: Scope = "shared") -> None:
        self.k = k
        self.scope = scope

    def check(self) -> None:
        """At least 1."""
        must_be_positive(f"{type(self).__name__}.k", self.k)

    def keep(self, experience: Experience, kind: str, said: str, tag: str) -> None:
        """Keep what was written of a case, if it says anything that the case does not."""
        task = experience.task
        if said and self.usable(" ".join(set(lettered(said)) - set(words(task.text)))):
            self._store.put(
                Memory(
                    id=f"{kind}/{experience.id}",
                    text=f"{short(task.text, _CASE)} [{tag}] {said}",
                    kind=kind,
                    fields={"outcome": tag, kind: said},
                    user=task.user,
                    session=task.session,
                    time=task.time,
                    sources=(experience.id,),
                )
            )

    def read(self, task: Task) -> Sequence[Memory]:
        """Those of the most similar cases."""
        return self._store.nearest(task.text, self.k, within=within(self.scope, task))


class Lessons(_Learnt):
    """A lesson from every case whose outcome was told, right or wrong; those of the most similar cases are recalled.

    A lesson is written when feedback arrives that says whether the answer was right, one call each, and tagged
    ``success`` or ``failure``. Feedback that does not say it, words alone, teaches nothing here.

    Parameters
    ----------
    k
        Lessons recalled, at least 1.
    scope
        Whose lessons are searched.

    References
    ----------
    Zhao et al. (2024), ExpeL: LLM agents are experiential learners, AAAI, arXiv 2308.10144.
    Ouyang et al. (2025), ReasoningBank: scaling agent self-evolving with reasoning memory, arXiv 2509.25140.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit.records import Feedback
    >>> policy = Lessons(k=1)
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "Ask for the number first.")
    >>> policy.observe(Experience("stream/0", Task("0", {"text": "parcel late"}), "a", Feedback(0.0, "b")))
    >>> policy.recall(Task("q", {"text": "late parcel"})).notes
    '- parcel late [failure] Ask for the number first.'
    """

    thinks = (LESSON.name,)

    def write(self, experience: Experience) -> None:
        """Write a lesson if it is known how the case went."""
        right, told = succeeded(experience), experience.feedback
        if right is None or told is None:
            return
        better = f", the right answer is: {told.correction}" if told.correction is not None and not right else ""
        outcome = f"{'right' if right else 'wrong'}{better}{f'. {told.text}' if told.text else ''}"
        said = self.ask_prose(LESSON, case=experience.task.text, answer=experience.answer, outcome=outcome)
        self.keep(experience, "lesson", said, "success" if right else "failure")


class Workflows(_Learnt):
    """A procedure from every case that was solved, without its particulars; those of the most similar are recalled.

    Today a case has one answer, so a procedure is abstracted from a task and its answer. Where a task takes several
    actions, their sequence is the answer that is read.

    Parameters
    ----------
    k
        Procedures recalled, at least 1.
    scope
        Whose procedures are searched.
    threshold
        The score from which a case counts as solved, in (0, 1]. Without a score the answer must be the correction.

    References
    ----------
    Wang et al. (2024), Agent workflow memory, arXiv 2409.07429.
    Wang et al. (2023), Voyager: an open-ended embodied agent with large language models, arXiv 2305.16291.
    """

    thinks = (WORKFLOW.name,)

    def __init__(self, k: int = 2, scope: Scope = "shared", threshold: float = 1.0) -> None:
        super().__init__(k, scope)
        self.threshold = threshold

    def check(self) -> None:
        """At least one; a score."""
        super().check()
        if not 0 < self.threshold <= 1:
            raise ValueError(f"Workflows.threshold must be above 0 and at most 1 but is {self.threshold!r}")

    def write(self, experience: Experience) -> None:
        """Write a procedure if the case was solved."""
        if succeeded(experience, self.threshold):
            said = self.ask_prose(WORKFLOW, case=experience.task.text, solution=experience.answer)
            self.keep(experience, "workflow", said, "procedure")
