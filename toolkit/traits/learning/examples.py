"""Worked examples in every prompt: chosen once beforehand, or the latest that are known to be right."""

from __future__ import annotations

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
    """Keeps the latest cases whose right answer is known as demonstrations of the decision step.

    Parameters
    ----------
    size
        Number of demonstrations, at least 1.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> buffer = DemoBuffer(size=1)
    >>> buffer.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> buffer.observe(Experience("stream/0", Task("a", {"text": "hi"}), "no", Feedback(0.0, "yes")))
    >>> buffer.learned().examples[0].answer
    'yes'
    """

    def __init__(self, size: int = 6) -> None:
        self.size = size

    def check(self) -> None:
        """At least 1."""
        must_be_positive("DemoBuffer.size", self.size)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty buffer."""
        self.examples: tuple[Example, ...] = ()

    def observe(self, experience: Experience) -> None:
        """Replace the oldest demonstration by this case."""
        answer = experience.known_answer
        if answer is not None:
            self.examples = (*self.examples, experience.example(answer))[-self.size :]

    def learned(self) -> Learned:
        """The buffer, oldest first."""
        return Learned(examples=self.examples)
