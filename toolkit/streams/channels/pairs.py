"""A channel that compares: which of two answers is the better one, without saying how good either is."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import numpy as np

from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Ask, Channel

_KEPT = 50  # right answers of earlier tasks that are drawn from


class Preference(Channel):
    """Whether the agent's answer is better than another one: a pair, the better answer first, and the same in words.

    The other answer is drawn from the task's options; for free answers, from what was right for the 50 tasks before. An
    answer's worth is its score, of the other one 1 if it is right, else 0. Where neither is better nothing is told, nor
    where there is no other answer yet, or no answer at all. For raters who are not sure, put `toolkit.Noisy` around it.

    Parameters
    ----------
    against
        ``"any"``: the other one is drawn, all alike. ``"right"``: against a wrong answer stands the right one, so that
        of every answer something is told.

    Notes
    -----
    The pair may hold the right answer, so it counts as revealed. That it is right is not said; but since of two wrong
    answers nothing is told, it can be concluded.

    References
    ----------
    Christiano et al. (2017), Deep reinforcement learning from human preferences, NeurIPS, arXiv 1706.03741.

    Examples
    --------
    >>> task, key, rng = Task("1", {}, ("nut", "fig")), Key(("fig",)), np.random.default_rng(0)
    >>> judge = Preference()
    >>> judge.reset(lambda question, answer: "")
    >>> judge.feedback(task, "nut", key, 0.0, rng)
    Feedback(score=None, correction=None, text='Better: fig. Worse: nut.', preferred=('fig', 'nut'))
    """

    stateless = False
    reveals_label = True

    def __init__(self, against: Literal["any", "right"] = "any") -> None:
        self.against = against

    def check(self) -> None:
        """One of the two."""
        if self.against not in ("any", "right"):
            raise ValueError(f"Preference.against must be 'any' or 'right' but is {self.against!r}")

    def reset(self, ask: Ask) -> None:
        """Begin a run: no answer of an earlier task is known."""
        self._past: deque[str] = deque(maxlen=_KEPT)

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """The pair, or None."""
        other = self._other(task, answer, key, score, rng)
        self._past.append(key.answers[0])
        own = float(answer in key.answers) if math.isnan(score) else score
        worth = float(other in key.answers)
        if not other or not answer.strip() or own == worth:
            return None
        better, worse = (answer, other) if own > worth else (other, answer)
        return Feedback(text=f"Better: {better}. Worse: {worse}.", preferred=(better, worse))

    def _other(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> str:
        """The answer to compare with; empty if there is none. Draws once, whatever comes of it."""
        drawn = rng.random()
        if self.against == "right" and answer not in key.answers and not score >= 1:
            return key.answers[0]
        known = task.options or tuple(dict.fromkeys(self._past))
        among = [one for one in known if one and one != answer]
        return among[int(drawn * len(among))] if among else ""
