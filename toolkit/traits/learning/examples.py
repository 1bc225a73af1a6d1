"""Worked examples in every prompt: chosen once beforehand, or the latest that are known to be right."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np

from toolkit.records import Example, Experience, Learned
from toolkit.traits.learning.learner import Learner
from toolkit.traits.trait import Think, must_be_positive


class FixedExamples(Learner):
    """Few-shot: the first ``k`` labelled tasks of the stream's pool stand in every prompt and never change.

    Parameters
    ----------
    k
        Number of examples, at least 1; as many labels are charged.
    """

    stateless = True  # filled before the first task, never changed by the stream: its feedback is no label to this arm

    def __init__(self, k: int = 4) -> None:
        self.k = k

    @property
    def labels(self) -> int:  # type: ignore[override]
        """One label for each example."""
        return self.k

    def check(self) -> None:
        """At least 1."""
        must_be_positive("FixedExamples.k", self.k)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without examples."""
        self.examples: tuple[Example, ...] = ()

    def observe(self, experience: Experience) -> None:
        """Keep the experience if there is still room."""
        answer = experience.known_answer
        if answer is not None and len(self.examples) < self.k:
            self.examples += (experience.example(answer),)

    def learned(self) -> Learned:
        """The examples."""
        return Learned(examples=self.examples)


class DemoBuffer(Learner):
    """Keeps cases whose right answer is known as demonstrations of the decision step.

    Parameters
    ----------
    size
        Number of demonstrations, at least 1.
    keep
        Which, where there are more. None = the latest. ``"coverage"``: of as many different answers as there is room
        for, of each the latest; the oldest of the answer that has most goes. ``"mistakes"``: rather those that the
        agent answered wrong than those it answered right, of either the latest.

    Notes
    -----
    Mistakes, and not successes, because a demonstration that a model had classified wrong brought it the most (Gao et
    al. 2023, where it also lies at the boundary of the task at hand, which is memory's part). They are to be had only
    where the feedback gives the right answer; with any other, a known answer is a success, and the latest are kept.
    Coverage, because which labels a prompt shows biases what is answered (Zhao et al. 2021: towards the majority's).

    References
    ----------
    Gao et al. (2023), Ambiguity-aware in-context learning with large language models, arXiv 2309.07900.
    Zhao et al. (2021), Calibrate before use: improving few-shot performance of language models, ICML.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> buffer = DemoBuffer(size=2, keep="coverage")
    >>> buffer.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for number, right in enumerate(("yes", "no", "no")):
    ...     buffer.observe(Experience(f"stream/{number}", Task("a", {"text": "hi"}), "yes", Feedback(0.0, right)))
    >>> [(one.source, one.answer) for one in buffer.learned().examples]
    [('stream/0', 'yes'), ('stream/2', 'no')]
    """

    def __init__(
        self,
        size: int = 6,
        keep: Literal["coverage", "mistakes"] | None = None,  # left out of the identity where it is not given
    ) -> None:
        self.size = size
        self.keep = keep

    def check(self) -> None:
        """At least 1; a way of keeping that there is."""
        must_be_positive("DemoBuffer.size", self.size)
        if self.keep not in (None, "coverage", "mistakes"):
            raise ValueError(f"DemoBuffer.keep must be 'coverage', 'mistakes' or None but is {self.keep!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty buffer."""
        self.examples: tuple[Example, ...] = ()
        self._wrong: frozenset[str] = frozenset()

    def observe(self, experience: Experience) -> None:
        """Take this case in; if there are too many, one goes."""
        answer = experience.known_answer
        if answer is None:
            return
        if answer != experience.answer:
            self._wrong |= {experience.id}
        self.examples = (*self.examples, experience.example(answer))
        if len(self.examples) > self.size:
            gone = self._least()
            self.examples = (*self.examples[:gone], *self.examples[gone + 1 :])
            self._wrong &= {one.source for one in self.examples}

    def learned(self) -> Learned:
        """The buffer, oldest first."""
        return Learned(examples=self.examples)

    def _least(self) -> int:
        """The place of the one that is worth least."""
        if self.keep == "coverage":
            held = Counter(one.answer for one in self.examples)
            most = max(held.values())
            return next(place for place, one in enumerate(self.examples) if held[one.answer] == most)
        if self.keep == "mistakes":
            right = [place for place, one in enumerate(self.examples) if one.source not in self._wrong]
            return right[0] if right else 0
        return 0
