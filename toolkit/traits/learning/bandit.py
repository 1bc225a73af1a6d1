"""A bandit over instructions: it tries them on the tasks as they come, and keeps to what earns the most."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from toolkit.records import Experience, Learned
from toolkit.traits.learning.learner import Learner, Response, reward
from toolkit.traits.trait import Think

_BELIEVED = 0.1
"""Share of what was counted that is still believed after a drift."""


class Bandit(Learner):
    """One of several instructions, chosen anew after each feedback by what the answers under each have earned.

    The choice is made when feedback arrives and holds until the next one: it is the same for whatever task comes.
    Feedback that is late counts for the instruction under which its answer was given; of several for one answer the
    first counts. What is earned is the score, else 1 where the answer is the correction and 0 where it is not.

    Where a drift is seen it can explore: a tenth of what was counted is believed from then on, so that beliefs are wide
    again but still lean to where they were (after the discounting of Garivier & Moulines 2011, done once).

    Parameters
    ----------
    instructions
        Two or more, all different; each takes the place of the decision step's own, for which an empty text stands.
    policy
        ``"thompson"``: drawn from what is believed of each (Beta, from the uniform prior; a score between 0 and 1 is
        made a success by chance, as often as it says). ``"ucb"``: UCB1, the highest upper bound on the mean, each once
        at first; it draws nothing. ``"uniform"``: any, whatever was earned: the rival that must be beaten.

    References
    ----------
    Chapelle & Li (2011), An empirical evaluation of Thompson sampling, NeurIPS 24.
    Agrawal & Goyal (2012), Analysis of Thompson sampling for the multi-armed bandit problem, COLT: scores in [0, 1].
    Auer, Cesa-Bianchi & Fischer (2002), Finite-time analysis of the multiarmed bandit problem, Machine Learning 47.
    Garivier & Moulines (2011), On upper-confidence bound policies for switching bandit problems, ALT.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> bandit = Bandit(("Guess.", "Think first."), policy="ucb")
    >>> bandit.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for number, score in enumerate((0.0, 1.0, 1.0)):
    ...     bandit.applied(f"stream/{number}")
    ...     bandit.observe(Experience(f"stream/{number}", Task("a", {}), "no", Feedback(score)))
    >>> bandit.learned().instruction, bandit.state()["earned"]
    ('Think first.', [0.0, 2.0])
    """

    responses: ClassVar[tuple[Response, ...]] = ("forget", "explore")

    def __init__(
        self, instructions: tuple[str, ...] = (), policy: Literal["thompson", "ucb", "uniform"] = "thompson"
    ) -> None:
        self.instructions = instructions
        self.policy = policy

    def check(self) -> None:
        """Two instructions or more, none twice; a policy that there is."""
        texts = tuple(self.instructions)
        if len(texts) < 2 or len(set(texts)) < len(texts):
            raise ValueError(f"Bandit.instructions must be two texts or more, all different, but are {texts!r}")
        if self.policy not in ("thompson", "ucb", "uniform"):
            raise ValueError(f"Bandit.policy must be 'thompson', 'ucb' or 'uniform' but is {self.policy!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin knowing nothing of any."""
        self._rng = rng
        self._tried: list[float] = [0] * len(self.instructions)
        self._earned = [0.0] * len(self.instructions)
        self._under: dict[str, int] = {}
        self._now = self._choice()

    def applied(self, id: str) -> None:
        """Note under which instruction an answer is given."""
        self._under[id] = self._now

    def observe(self, experience: Experience) -> None:
        """Credit the instruction of this answer, then choose."""
        earned = reward(experience)
        if earned is None or experience.id not in self._under:
            return
        place = self._under.pop(experience.id)
        if self.policy == "thompson" and 0 < earned < 1:
            earned = float(self._rng.random() < earned)
        self._tried[place] += 1
        self._earned[place] += earned
        self._now = self._choice()

    def drifted(self) -> None:
        """Believe a tenth of what was counted, and choose."""
        self._tried = [_BELIEVED * one for one in self._tried]
        self._earned = [_BELIEVED * one for one in self._earned]
        self._now = self._choice()

    def learned(self) -> Learned:
        """The instruction that was chosen last."""
        return Learned(instruction=self.instructions[self._now])

    def state(self) -> dict[str, object]:
        """By instruction how often it was judged and what it earned; which is in force, now and for what is open."""
        return {"tried": self._tried, "earned": self._earned, "now": self._now, "under": dict(self._under)}

    def _choice(self) -> int:
        if self.policy == "uniform":
            return int(self._rng.integers(len(self.instructions)))
        if self.policy == "thompson":
            lost = np.subtract(self._tried, self._earned)
            return int(np.argmax(self._rng.beta(np.add(self._earned, 1), lost + 1)))
        if 0 in self._tried:
            return self._tried.index(0)
        wide = max(0.0, math.log(sum(self._tried)))  # below one trial in all, after a drift: nothing is known
        bounds = [won / n + math.sqrt(2 * wide / n) for won, n in zip(self._earned, self._tried, strict=True)]
        return bounds.index(max(bounds))
