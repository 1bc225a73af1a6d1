"""Whether to answer at all: another decider's answer is given where that pays, and kept back where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.agents.decider import ByModel, Decider
from toolkit.randomness import generator
from toolkit.records import ABSTAINED, Experience, Feedback, Step, Task, Turn, Weighed
from toolkit.streams.channel import must_be_share
from toolkit.streams.scoring import normal
from toolkit.traits.learning.cutoff import Cutoff
from toolkit.traits.learning.learner import reward
from toolkit.traits.trait import must_be_positive

if TYPE_CHECKING:
    from toolkit.agents.decision import Context, Decision

_DIGITS = 6  # of a confidence: the same decision whatever the last bits are


class Abstaining(Decider):
    """Another decider's answer where it is sure enough of it that answering pays; else ``"(abstained)"``.

    From how sure on it pays is learned from feedback (`toolkit.traits.learning.cutoff.Cutoff`): a right answer is
    worth 1, a wrong one 0, a kept one ``worth``. Score it by `toolkit.Selective` with the same worth; other scorers
    take an abstention for a wrong answer.

    The answer that was kept stays on record (`Experience.weighed`). A correction tells how right it would have been,
    so it teaches whether the answer was given or not. A score alone, such as one bit, says nothing of an answer that
    was kept: then only what was given teaches, and nothing is heard from below the threshold but by exploring.

    How sure a decider is comes from `Turn.confidence`: of a choice by likelihood, the share of the chosen option in
    all options, each by exp of its mean log-probability a token (all of them are then read, so a task costs more
    than where the best alone is looked for); of `toolkit.SelfConsistency`, the share of chains that agree; of a
    decider of one's own with ``weighs = True``, what it says.

    Parameters
    ----------
    of
        Who answers; None = one call of the model.
    worth
        What keeping an answer is worth, at least 0 and below 1.
    threshold
        Never learn: answer from this confidence on, in [0, 1]: the static rival. None = learn.
    explore
        With which chance an answer that would be kept is given all the same, to learn what comes of it; in [0, 1).
        Never where nothing can be learned, as in a second pass, nor once a correction has told of one that was kept.
    window
        How many of the latest answers count, at least 1.

    References
    ----------
    Chow (1970), On optimum recognition error and reject tradeoff, IEEE Trans. Information Theory 16(1).
    El-Yaniv & Wiener (2010), On the foundations of noise-free selective classification, JMLR 11.

    Examples
    --------
    >>> from toolkit.agents.rivals import SelfConsistency
    >>> Abstaining(SelfConsistency(9), worth=0.25)
    Abstaining(of=SelfConsistency(samples=9), worth=0.25)
    """

    def __init__(
        self,
        of: Decider | None = None,
        worth: float = 0.4,
        threshold: float | None = None,
        explore: float = 0.05,
        window: int = 300,
    ) -> None:
        self.of, self.worth, self.threshold, self.explore, self.window = of, worth, threshold, explore, window

    def check(self) -> None:
        """Ranges; somebody to answer who can say how sure he is."""
        self._how.check()
        for name in ("worth", "explore"):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 <= value < 1:
                raise ValueError(f"Abstaining.{name} must be at least 0 and below 1 but is {value!r}")
        if self.threshold is not None:
            must_be_share("Abstaining.threshold", self.threshold)
        must_be_positive("Abstaining.window", self.window)
        if isinstance(self.of, Abstaining) or not (self._how.uses_model or self._how.weighs):
            raise ValueError(
                f"Abstaining.of must say how sure it is, but {self.of!r} does not: give a decider that asks a model, "
                "or one of your own with weighs = True whose turns have a confidence"
            )

    @property
    def uses_model(self) -> bool:  # type: ignore[override]
        """As who answers."""
        return self._how.uses_model

    @property
    def directs(self) -> tuple[int, ...]:  # type: ignore[override]
        """As who answers."""
        return self._how.directs

    @property
    def likelihoods(self) -> bool:  # type: ignore[override]
        """Unless who answers says how sure he is."""
        return self._how.likelihoods or not self._how.weighs

    @property
    def peeks(self) -> bool:  # type: ignore[override]
        """As who answers."""
        return self._how.peeks

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """With a fixed threshold, as who answers."""
        return self.threshold is not None and self._how.stateless

    def reveal(self, answers: Mapping[str, str]) -> None:
        """Pass it on to who answers."""
        self._how.reveal(answers)

    def reset(self, rng: np.random.Generator) -> None:
        """Begin by taking confidences at their word."""
        self._base = int(rng.integers(2**31))  # a draw depends on task and place alone: asking changes nothing
        self._cutoff = Cutoff(instead=self.worth, window=self.window)
        self._open: dict[str, None] = {}
        self._told = False
        self._how.reset(rng)

    def asked(self, id: str, task: Task) -> None:
        """Note that feedback on this answer will teach."""
        if self.threshold is None:
            self._open[id] = None
        self._how.asked(id, task)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Let it be answered, then give the answer or keep it.

        Raises
        ------
        ValueError
            If nobody says how sure he is.
        """
        with nullcontext() if self._how.weighs else decision.weighing():
            turn = self._how.decide(step, task, context, decision)
        if turn.confidence is None:
            raise ValueError(
                f"{self!r} must know how sure an answer is, but {self._how!r} does not say so of task {task.id!r}: it "
                "is known of a choice among options by likelihood, and of votes: Abstaining(of=SelfConsistency())"
            )
        sure = round(turn.confidence, _DIGITS)
        at = self._cutoff.at if self.threshold is None else self.threshold
        explored = sure < at and self._explores("/".join(map(str, decision.place)), task)
        weighed = Weighed(turn.answer, sure, at, explored)
        return replace(turn, answer=turn.answer if sure >= at or explored else ABSTAINED, weighed=weighed)

    def observe(self, experience: Experience) -> None:
        """Learn how right the answer was or would have been; who answered hears of it as if it had been given."""
        weighed, kept = experience.weighed, experience.answer == ABSTAINED
        if weighed is not None and kept:
            experience = _as_given(experience, weighed.answer)
        right = reward(experience)
        self._told = self._told or (kept and right is not None)
        if weighed is not None and right is not None and experience.id in self._open:
            del self._open[experience.id]
            self._cutoff.seen(weighed.confidence, right)
        if experience.feedback != Feedback():
            self._how.observe(experience)

    def state(self) -> dict[str, object]:
        """Confidences and how right the answers were; what is still open; and the state of who answers."""
        learned = (
            {} if self.threshold is not None else {**self._cutoff.state(), "open": list(self._open), "told": self._told}
        )
        return {**learned, "of": self._how.state()}

    def _explores(self, id: str, task: Task) -> bool:
        if self._told or id not in self._open:
            return False
        return bool(generator(self._base, id, task.id).random() < self.explore)

    @property
    def _how(self) -> Decider:
        return self.of or ByModel()


def _as_given(experience: Experience, answer: str) -> Experience:
    """An experience in which the kept answer is the one that was given; of that, only a correction tells anything."""
    told = experience.feedback or Feedback()
    if told.correction is None:
        return replace(experience, answer=answer, feedback=Feedback())
    right = float(normal(told.correction) == normal(answer))
    return replace(experience, answer=answer, feedback=Feedback(right, told.correction, told.text))
