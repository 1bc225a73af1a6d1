"""Channels that speak in words: a critique of the answer, and a user who says something only where it went wrong.

All of it is made from the answer, the task and the key by rule; no model is asked.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Channel, must_be_share
from toolkit.streams.scoring import normal, number_in

_FAR = 10  # times as much, or as little, is far
_SHOWN = 5  # words that are called wrong by name

RIGHT = "That is right."
RETRY = "No, that is not it. Please try again."


class Critique(Channel):
    """Words instead of a label: whether the answer was right and, if not, what is wrong with it.

    It says that an answer is none of the options, is no number, or too high or too low; or how many of its words are
    right, which are not, and how many are missing, compared with the right answer that is nearest (words as
    `toolkit.streams.scoring.normal` makes them). It never says a word of a right answer that was not in the agent's
    own. An answer counts as right if its score is 1. Of an answer without a score nothing is said.

    Parameters
    ----------
    reveals
        Whether the words end in the right answer where it was not given.
    scored
        Whether 1 or 0 comes with the words; they say the same, so this is for those who do not read.

    Examples
    --------
    >>> task, rng, critic = Task("1", {}), np.random.default_rng(0), Critique()
    >>> critic.feedback(task, "on the 8th of May", Key(("7th of May",)), 0.0, rng).text
    "That is not right: 2 of its words are right, 1 is missing; not right: 'on', '8th'."
    >>> critic.feedback(task, "90", Key(("12",)), 0.0, rng).text
    'That is not right: it is too high.'
    >>> Critique(reveals=True).feedback(Task("1", {}, ("nut", "fig")), "nut", Key(("fig",)), 0.0, rng)
    Feedback(score=0.0, correction=None, text='That is not right. Right would have been: fig', preferred=None)

    References
    ----------
    The pair of a score and words is that of Agrawal et al. (2025), GEPA: reflective prompt evolution can outperform
    reinforcement learning, arXiv 2507.19457.
    """

    def __init__(self, reveals: bool = False, scored: bool = True) -> None:
        self.reveals = reveals
        self.scored = scored

    @property
    def reveals_label(self) -> bool:  # type: ignore[override]
        """If the words end in it."""
        return self.reveals

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """The words, and with them 1 or 0."""
        if math.isnan(score):
            return None
        told = 1.0 if score >= 1 else 0.0
        text = RIGHT if told else wrong(task, answer, key)
        if self.reveals and not told:
            text += f" Right would have been: {key.answers[0]}"
        return Feedback(told if self.scored else None, None, text)


class Implicit(Channel):
    """A user who does not rate: silent where the answer was right, and often where it was wrong.

    A wrong answer (its score is below 1) is met with the right one as words, with "try again", or with silence. There
    is no score, so silence may mean either.

    Parameters
    ----------
    p_retry
        Chance that a wrong answer is met with "try again", in [0, 1].
    p_correct
        Chance that a wrong answer is met with the right one, in [0, 1]; both together at most 1.

    Examples
    --------
    >>> task, key, rng = Task("1", {}), Key(("fig",)), np.random.default_rng(0)
    >>> user = Implicit(p_retry=0.0, p_correct=1.0)
    >>> user.feedback(task, "nut", key, 0.0, rng), user.feedback(task, "fig", key, 1.0, rng)
    (Feedback(score=None, correction=None, text='No, it is: fig', preferred=None), None)
    """

    def __init__(self, p_retry: float = 0.3, p_correct: float = 0.1) -> None:
        self.p_retry = p_retry
        self.p_correct = p_correct

    @property
    def reveals_label(self) -> bool:  # type: ignore[override]
        """If the user ever says the right answer."""
        return self.p_correct > 0

    def check(self) -> None:
        """Chances are chances."""
        must_be_share("Implicit.p_retry", self.p_retry)
        must_be_share("Implicit.p_correct", self.p_correct)
        if self.p_retry + self.p_correct > 1 + 1e-9:
            raise ValueError(
                f"Implicit.p_retry and p_correct must be at most 1 together but are {self.p_retry + self.p_correct!r}: "
                "a user does one of them"
            )

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """The right answer in words, "try again", or None."""
        drawn = rng.random()
        if math.isnan(score) or score >= 1:
            return None
        if drawn < self.p_correct:
            return Feedback(text=f"No, it is: {key.answers[0]}")
        return Feedback(text=RETRY) if drawn < self.p_correct + self.p_retry else None


def wrong(task: Task, answer: str, key: Key) -> str:
    """What is wrong with a wrong answer, without the right one.

    Examples
    --------
    >>> wrong(Task("1", {}, ("card lost", "card stolen")), "card", Key(("card lost",)))
    'That is none of the options.'
    >>> wrong(Task("1", {}), "Lima, Peru, in the south", Key(("Lima",)))
    'That is not right: what was asked for is in it, but so are 3 words too many.'
    """
    if not answer.strip():
        return "No answer was given."
    if task.options and answer not in task.options:
        return "That is none of the options."
    told = _of_numbers(answer, key) or _of_words(answer, key)
    return f"That is not right: {told}." if told else "That is not right."


def _of_numbers(answer: str, key: Key) -> str:
    """Too high or too low; empty where no right answer is a number."""
    rights = [right for right in map(number_in, key.answers) if right is not None]
    if not rights:
        return ""
    given = number_in(answer)
    if given is None:
        return "a number is wanted"
    right = min(rights, key=lambda one: abs(one - given))
    if right == given:
        return "the number is right, but not its form"
    small, large = sorted((abs(right), abs(given)))
    far = "far " if right * given < 0 or large > _FAR * small else ""
    return f"it is {far}too {'high' if given > right else 'low'}"


def _of_words(answer: str, key: Key) -> str:
    """How its words compare with those of the nearest right answer; empty where they have none in common."""
    given = Counter(normal(answer).split())
    rights = [Counter(normal(right).split()) for right in key.answers]
    right = max(rights, key=lambda one: (given & one).total() / max(1, one.total()))
    common, more, missing = (given & right).total(), given - right, (right - given).total()
    if not common:
        return ""
    if not more and not missing:
        return "its words are right, but not their order or form"
    if not missing:  # to name what is too much would give the rest away
        return f"what was asked for is in it, but so are {_words(more.total())} too many"
    lacks = f"{common} of its words {_are(common)} right, {missing} {_are(missing)} missing"
    named = ", ".join(repr(word) for word in list(more)[:_SHOWN])
    return f"{lacks}; not right: {named}" if named else lacks


def _words(count: int) -> str:
    return f"{count} word{'s' * (count != 1)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
