"""A bandit over instructions: it tries them on the tasks as they come, and keeps to what earns the most."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from toolkit.records import Experience, Learned
from toolkit.traits.learning.learner import Learner, Response, reward
from toolkit.traits.trait import Think, must_be_positive

_BELIEVED = 0.1
"""Share of what was counted that is still believed after a drift."""


class Bandit(Learner):
    """One of several instructions, chosen anew after each feedback by what the answers under each have earned.

    The choice is made when feedback arrives and holds until the next one: it is the same for whatever task comes.
    Feedback that is late counts for the instruction under which its answer was given; of several for one answer the
    first counts. What is earned is the score, else 1 where the answer is the correction and 0 where it is not.

    With ``step`` the choice is over the instruction of another step: one by which memory writes, or a predictor of a
    wrapped program. What a summary is worth shows only in the answers after it, and a new choice changes nothing until
    the step is taken again. So an answer counts for the instruction with which the step had been taken *last* when the
    answer was given, whatever is chosen by then, and for none before it was ever taken.

    Where a drift is seen it can explore: a tenth of what was counted is believed from then on, so that beliefs are wide
    again but still lean to where they were (after the discounting of Garivier & Moulines 2011, done once).

    Parameters
    ----------
    instructions
        Two or more, all different; each takes the place of the step's own, for which an empty text stands.
    policy
        ``"thompson"``: drawn from what is believed of each (Beta, from the uniform prior; a score between 0 and 1 is
        made a success by chance, as often as it says). ``"ucb"``: UCB1, the highest upper bound on the mean, each once
        at first; it draws nothing. ``"uniform"``: any, whatever was earned: the rival that must be beaten.
    step
        The name of the step; None = the decision.
    hold
        A choice holds until so many answers that count for it were judged, at least 1; None = until any was.

    Notes
    -----
    For other steps the rule is exact where the step writes anew all that it wrote before, as a summary is written.
    Where many notes stand side by side, each written under its own instruction, an answer counts for that of the
    latest: such carry-over brings the instructions nearer to one another, so it may hide a difference and feigns none.
    There a ``hold`` of several times the notes that are recalled makes them mostly those of one instruction.

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
        self,
        instructions: tuple[str, ...] = (),
        policy: Literal["thompson", "ucb", "uniform"] = "thompson",
        step: str | None = None,  # left out of the identity where it is not given
        hold: int | None = None,
    ) -> None:
        self.instructions = instructions
        self.policy = policy
        self.step = step
        self.hold = hold

    @property
    def rewrites(self) -> tuple[str, ...]:  # type: ignore[override]
        """The step, unless it is the decision."""
        return () if self.step is None else (self.step,)

    def check(self) -> None:
        """Two instructions or more, none twice; a policy that there is."""
        texts = tuple(self.instructions)
        if len(texts) < 2 or len(set(texts)) < len(texts):
            raise ValueError(f"Bandit.instructions must be two texts or more, all different, but are {texts!r}")
        if self.policy not in ("thompson", "ucb", "uniform"):
            raise ValueError(f"Bandit.policy must be 'thompson', 'ucb' or 'uniform' but is {self.policy!r}")
        if self.step is not None and not self.step:
            raise ValueError("Bandit.step must name a step, or be None for the decision, but is ''")
        if self.hold is not None:
            must_be_positive("Bandit.hold", self.hold)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin knowing nothing of any."""
        self._rng = rng
        self._tried: list[float] = [0] * len(self.instructions)
        self._earned = [0.0] * len(self.instructions)
        self._under: dict[str, int] = {}
        self._held = 0
        self._made: int | None = None  # the choice with which the other step was taken last
        self._now = self._choice()

    def asked(self, step: str, instruction: str) -> None:
        """Note with which instruction the step was taken."""
        if step == self.step and instruction in self.instructions:
            self._made = self.instructions.index(instruction)

    def applied(self, id: str) -> None:
        """Note under which instruction an answer is given."""
        place = self._now if self.step is None else self._made
        if place is not None:
            self._under[id] = place

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
        self._held += place == self._now or self.hold is None
        if self._held >= (self.hold or 1):
            self._held, self._now = 0, self._choice()

    def drifted(self) -> None:
        """Believe a tenth of what was counted, and choose."""
        self._tried = [_BELIEVED * one for one in self._tried]
        self._earned = [_BELIEVED * one for one in self._earned]
        self._now = self._choice()

    def learned(self) -> Learned:
        """The instruction that was chosen last."""
        chosen = self.instructions[self._now]
        if self.step is None:
            return Learned(instruction=chosen)
        return Learned(steps={self.step: chosen}) if chosen else Learned()

    def state(self) -> dict[str, object]:
        """By instruction how often it was judged and what it earned; which is in force, now and for what is open."""
        found = {"tried": self._tried, "earned": self._earned, "now": self._now, "under": dict(self._under)}
        later = {"held": self._held, "made": self._made}
        return found if self.step is None and self.hold is None else {**found, **later}

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
