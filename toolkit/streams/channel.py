"""Channels: what of the truth reaches the agent, apart from the metrics that the bench keeps.

A score is what the ledger knows; feedback is what an agent learns from. How late feedback comes is said by the task's
key (`toolkit.records.Key.delay`), and by the channel where it is later still. Here are the base and the plain channels;
`toolkit.streams.channels` holds those that speak in words, compare, lie, are late or ask a person.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeAlias

import numpy as np

from toolkit.component import Component
from toolkit.records import Feedback, Key, Task

Wait: TypeAlias = Callable[[], object]
"""Called now and then by whoever waits for something from outside; raises `Stopped` when the study is to stop."""

Ask: TypeAlias = Callable[[Mapping[str, str], Callable[[Wait], str]], str]
"""Asks something of the outside: the question's named texts, and who answers. What stands on the run's tape is not
asked again; what is answered goes onto it."""


class Channel(Component, kind="channel"):
    """Base of all channels: a subclass gives `feedback` and is found by its class name from then on.

    Attributes
    ----------
    reveals_label
        True if the feedback may hold a right answer that the agent did not give itself. Arms that learn through such a
        channel have seen labels, and tables say how many.
    asks_person
        True if a person is asked, who knows better than the key: nothing can be made up about it.
    delay
        Tasks by which feedback comes later than the key says, at least 0.

    Examples
    --------
    >>> class Praise(Channel):
    ...     def feedback(self, task, answer, key, score, rng):
    ...         return Feedback(text="well done") if score == 1 else None
    >>> Channel.from_config("Praise")
    Praise()
    """

    stateless: ClassVar[bool] = True
    reveals_label: ClassVar[bool] = False
    asks_person: ClassVar[bool] = False
    delay: ClassVar[int] = 0

    def reset(self, ask: Ask) -> None:
        """Begin a run: nothing of another one is left.

        Parameters
        ----------
        ask
            The way to whatever is outside the run, such as a person.
        """

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """What the agent is told of one answer.

        Parameters
        ----------
        task, answer, key
            The task, what the agent answered, and the truth.
        score
            The main metric of the answer, in [0, 1]; NaN = it could not be scored.
        rng
            The only source of chance.

        Returns
        -------
        Feedback | None
            None = the agent hears nothing, now or later.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what it tells: define feedback(...)")


def must_be_share(name: str, value: float) -> None:
    """Raise a `ValueError` unless ``value`` is in [0, 1]."""
    if isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1 but is {value!r}")


def _known(channel: Channel, task: Task, score: float) -> float | None:
    """The score, or None where there is none."""
    if math.isnan(score):
        return None
    if not 0 <= score <= 1:
        name = type(channel).__name__
        raise ValueError(f"{name}: a score must be in [0, 1], or NaN, but is {score!r} for task {task.id!r}")
    return float(score)


class FullLabel(Channel):
    """The score and a right answer: the agent's own where it is among the right ones, otherwise the key's first.

    Without a score (NaN) the right answer alone.

    Examples
    --------
    >>> task, key, rng = Task("1", {}), Key(("pear", "fig")), np.random.default_rng(0)
    >>> FullLabel().feedback(task, "fig", key, 1.0, rng)
    Feedback(score=1.0, correction='fig', text='', preferred=None)
    >>> FullLabel().feedback(task, "nut", key, 0.0, rng)
    Feedback(score=0.0, correction='pear', text='', preferred=None)
    """

    reveals_label: ClassVar[bool] = True

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """Score and right answer."""
        return Feedback(_known(self, task, score), answer if answer in key.answers else key.answers[0])


class OneBit(Channel):
    """Right or wrong: 1 if the score is 1, otherwise 0; nothing without a score.

    An agent may conclude that an answer was right, but never what would have been.

    Examples
    --------
    >>> task, key, rng = Task("1", {}), Key(("pear",)), np.random.default_rng(0)
    >>> OneBit().feedback(task, "nut", key, 0.75, rng)
    Feedback(score=0.0, correction=None, text='', preferred=None)
    """

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """1 or 0."""
        known = _known(self, task, score)
        return None if known is None else Feedback(1.0 if known >= 1 else 0.0)


class Scalar(Channel):
    """The score itself; nothing without one.

    Examples
    --------
    >>> task, key, rng = Task("1", {}), Key(("pear",)), np.random.default_rng(0)
    >>> Scalar().feedback(task, "nut", key, 0.75, rng)
    Feedback(score=0.75, correction=None, text='', preferred=None)
    """

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """The score."""
        known = _known(self, task, score)
        return None if known is None else Feedback(known)


class NoFeedback(Channel):
    """Silence: what an agent does without ever hearing how it did.

    Examples
    --------
    >>> NoFeedback().feedback(Task("1", {}), "nut", Key(("pear",)), 0.0, np.random.default_rng(0)) is None
    True
    """

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """None."""
        return None
