"""Channels around channels: noise, silence, lies, lateness, and the sham that tells another task's truth.

Those that lie do not change what is said but what the channel within believes: it is handed another key and score, so
that a label, a score, words and a preference all tell the same lie. Each draws once from the run's generator for each
task, whatever comes of it: in arms that meet the same tasks in the same order, the same places are hit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Ask, Channel, must_be_share

_KEPT = 50  # earlier truths that are drawn from: some of late, so that a stream that changes is followed

Truth = tuple[Key, float]


class _Around(Channel, abstract=True):
    """Base of all: what the channel within is, this one is too."""

    of: Channel

    @property
    def reveals_label(self) -> bool:  # type: ignore[override]
        """As the channel within."""
        return self.of.reveals_label

    @property
    def asks_person(self) -> bool:  # type: ignore[override]
        """As the channel within."""
        return self.of.asks_person

    @property
    def delay(self) -> int:  # type: ignore[override]
        """As the channel within."""
        return self.of.delay

    def check(self) -> None:
        """The channel within is well."""
        self.of.check()

    def reset(self, ask: Ask) -> None:
        """Begin a run, within too."""
        self.of.reset(ask)


class _Lying(_Around, abstract=True):
    """Base of those by which the channel within may be told something else than the truth."""

    stateless = False

    def check(self) -> None:
        """Nothing false can be made up for a person."""
        super().check()
        if self.of.asks_person:
            raise ValueError(
                f"{type(self).__name__}: a person sees the answer, not the key, and is told nothing false by it: put "
                f"Missing or Delayed around {self.of!r}, or another channel within"
            )

    def reset(self, ask: Ask) -> None:
        """Begin a run: no truth of an earlier task is known."""
        super().reset(ask)
        self._past: deque[Truth] = deque(maxlen=_KEPT)

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """What the channel within says of the truth, or of what is put in its place; None where nothing can be."""
        rng = _own(rng)
        told = self.truth(task, answer, key, score, rng)
        self._past.append((key, score))
        return None if told is None else self.of.feedback(task, answer, *told, rng)

    def truth(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Truth | None:
        """The key and the score that the channel within is told."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it tells instead: define truth(...)")

    def wrong(self, task: Task, avoid: Collection[str]) -> list[str]:
        """Answers that are not among ``avoid``: the task's options, else what was right for earlier tasks."""
        found = task.options or tuple(dict.fromkeys(past.answers[0] for past, _ in self._past))
        return [one for one in found if one not in avoid]


class Noisy(_Lying):
    """Feedback that is false at a stated rate.

    If the channel within reveals a label, another answer takes the right one's place, uniformly among the wrong
    options (for free answers: among what was right for the latest earlier tasks), and the score is the one that the
    agent's answer then has: 1 or 0. If it reveals none, the score s becomes 1 - s. Where nothing false can be named,
    nothing is told.

    Parameters
    ----------
    of
        The channel within.
    rate
        Share of the answers of which something false is told, in [0, 1].

    Examples
    --------
    >>> from toolkit.streams.channel import FullLabel, OneBit
    >>> task, key, rng = Task("1", {}, ("nut", "pear")), Key(("pear",)), np.random.default_rng(0)
    >>> always = Noisy(OneBit(), rate=1.0)
    >>> always.reset(lambda question, answer: "")
    >>> always.feedback(task, "nut", key, 0.0, rng).score
    1.0
    >>> always = Noisy(FullLabel(), rate=1.0)
    >>> always.reset(lambda question, answer: "")
    >>> always.feedback(task, "pear", key, 1.0, rng).correction
    'nut'

    Notes
    -----
    This is symmetric label noise: the chance to be hit depends neither on the task nor on the answer. With two options
    and rate 1/2 nothing is left to learn from.

    References
    ----------
    Natarajan et al. (2013), Learning with noisy labels, NeurIPS.
    """

    def __init__(self, of: Channel, rate: float = 0.1) -> None:
        self.of = of
        self.rate = rate

    def check(self) -> None:
        """A share."""
        super().check()
        must_be_share("Noisy.rate", self.rate)

    def truth(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Truth | None:
        """Another right answer, or the other score."""
        if rng.random() >= self.rate:
            return key, score
        if self.reveals_label:
            return _instead(answer, key, score, _drawn(self.wrong(task, key.answers), rng))
        if not _right(answer, key, score):
            return replace(key, answers=(answer,)), 1 - score
        other = _drawn(self.wrong(task, (*key.answers, answer)), rng)
        return replace(key, answers=(other or "",)), 1 - score


class Adversarial(_Lying):
    """Feedback by somebody who wants the agent to learn the wrong thing.

    A wrong answer is called right. To a right one (or none) a wrong answer is opposed, always the same for one right
    answer: the next of the options, so that a whole wrong rule can be learned; for free answers, what was right for the
    task before. Where the channel within reveals labels and no wrong answer is known, nothing is told.

    Parameters
    ----------
    of
        The channel within.
    share
        Share of the answers that are lied about, in [0, 1]; the others are told the truth.

    Examples
    --------
    >>> from toolkit.streams.channel import FullLabel
    >>> liar, key, rng = Adversarial(FullLabel()), Key(("pear",)), np.random.default_rng(0)
    >>> liar.reset(lambda question, answer: "")
    >>> task = Task("1", {}, ("nut", "pear", "fig"))
    >>> [liar.feedback(task, answer, key, float(answer == "pear"), rng).correction for answer in ("nut", "pear")]
    ['nut', 'fig']
    """

    def __init__(self, of: Channel, share: float = 1.0) -> None:
        self.of = of
        self.share = share

    def check(self) -> None:
        """A share."""
        super().check()
        must_be_share("Adversarial.share", self.share)

    def truth(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Truth | None:
        """The worst that can be said."""
        if rng.random() >= self.share:
            return key, score
        given = answer in task.options if task.options else bool(answer)
        if given and not _right(answer, key, score):
            return replace(key, answers=(answer,)), _unless_nan(1.0, score)
        others = self.wrong(_turned(task, key), (*key.answers, answer))
        if not others and self.reveals_label:
            return None
        worst = "" if not others else others[0] if task.options else others[-1]
        return replace(key, answers=(worst,)), _unless_nan(0.0, score)


class ShuffledFeedback(_Lying):
    """The truth of another task: the sham that tells whether an arm learns from what feedback says.

    Each answer is judged by the key of one of the 50 tasks before it, drawn at random. If the channel within reveals
    labels, that task's right answer is revealed (where it is none of the options, one of them at random), and the score
    is the one that the agent's answer has by it. If it reveals none, that task's score is told. So nothing that is told
    depends on the task at hand, while right answers are as frequent as ever: what an arm gains all the same, it gains
    from those frequencies or from being told anything at all. Of the first answer nothing is told.

    Parameters
    ----------
    of
        The channel within.

    Examples
    --------
    >>> from toolkit.streams.channel import FullLabel
    >>> sham, rng = ShuffledFeedback(FullLabel()), np.random.default_rng(0)
    >>> sham.reset(lambda question, answer: "")
    >>> sham.feedback(Task("1", {}), "nut", Key(("pear",)), 0.0, rng) is None
    True
    >>> sham.feedback(Task("2", {}), "fig", Key(("fig",)), 1.0, rng).correction
    'pear'
    """

    def __init__(self, of: Channel) -> None:
        self.of = of

    def truth(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Truth | None:
        """Another task's."""
        if not self._past:
            return None
        other, its_score = self._past[int(rng.integers(len(self._past)))]
        if not self.reveals_label:
            told = answer if _right("", other, its_score) else other.answers[0]
            return replace(key, answers=(told,)), its_score
        fits = not task.options or other.answers[0] in task.options
        return _instead(answer, key, score, other.answers[0] if fits else _drawn(list(task.options), rng))


class Missing(_Around):
    """Feedback that does not come for a share of the answers, completely at random.

    Parameters
    ----------
    of
        The channel within; it is not asked where nothing comes.
    share
        Share of the answers of which nothing is told, in [0, 1].

    Examples
    --------
    >>> from toolkit.streams.channel import OneBit
    >>> silent, rng = Missing(OneBit(), share=1.0), np.random.default_rng(0)
    >>> silent.feedback(Task("1", {}), "nut", Key(("nut",)), 1.0, rng) is None
    True
    """

    def __init__(self, of: Channel, share: float = 0.5) -> None:
        self.of = of
        self.share = share

    def check(self) -> None:
        """A share."""
        super().check()
        must_be_share("Missing.share", self.share)

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """As the channel within, or None."""
        rng = _own(rng)
        return None if rng.random() < self.share else self.of.feedback(task, answer, key, score, rng)


class Delayed(_Around):
    """Feedback that comes later than the key says.

    What is still on its way when the stream ends is delivered before a second pass, as it is for late keys.

    Parameters
    ----------
    of
        The channel within.
    by
        Tasks that pass besides those that the key lets pass, at least 0.

    Examples
    --------
    >>> from toolkit.streams.channel import OneBit
    >>> Delayed(Delayed(OneBit(), by=2), by=3).delay
    5
    """

    def __init__(self, of: Channel, by: int = 1) -> None:
        self.of = of
        self.by = by

    @property
    def delay(self) -> int:  # type: ignore[override]
        """What the channel within is late by, and so many more."""
        return self.of.delay + self.by

    def check(self) -> None:
        """No less than 0."""
        super().check()
        if isinstance(self.by, bool) or not isinstance(self.by, int) or self.by < 0:
            raise ValueError(f"Delayed.by must be an integer of at least 0 but is {self.by!r}")

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """As the channel within."""
        return self.of.feedback(task, answer, key, score, rng)


def _own(rng: np.random.Generator) -> np.random.Generator:
    """A generator for what follows: the run's has moved on by one draw, however many are taken from this one."""
    return np.random.default_rng(int(rng.integers(2**63)))


def _drawn(among: list[str], rng: np.random.Generator) -> str | None:
    return among[int(rng.integers(len(among)))] if among else None


def _right(answer: str, key: Key, score: float) -> bool:
    """Whether an answer counts as right rather than wrong."""
    return answer in key.answers if math.isnan(score) else score >= 0.5


def _unless_nan(told: float, score: float) -> float:
    """A score in place of another; what could not be scored is not scored by a lie either."""
    return score if math.isnan(score) else told


def _instead(answer: str, key: Key, score: float, other: str | None) -> Truth | None:
    """The truth with another right answer in it."""
    if other is None:
        return None
    return replace(key, answers=(other,)), _unless_nan(float(other == answer), score)


def _turned(task: Task, key: Key) -> Task:
    """The task with the option first that follows the right one, round and round."""
    options = task.options
    if key.answers[0] not in options:
        return task
    start = options.index(key.answers[0]) + 1
    return replace(task, options=(*options[start:], *options[:start]))
