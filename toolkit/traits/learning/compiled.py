"""A prompt that an optimiser writes once, before the first task: what tuning on the way has to beat."""

from __future__ import annotations

import numpy as np

from toolkit.records import Change, Experience, Learned
from toolkit.traits.learning.learner import Learner
from toolkit.traits.learning.tuned import LEAST, Optimiser, check_optimiser, tuning_of
from toolkit.traits.trait import Think, must_be_positive


class Compiled(Learner):
    """Instruction and demonstrations that an optimiser of DSPy compiles once from labelled tasks; they never change.

    The static rival of `Tuned`: the same optimiser and as many labels, but all beforehand, and no guard. What the
    optimiser returns stands in every prompt, as in DSPy's own use. Those that choose by a part which they did not learn
    from (``"random-search"``, ``"mipro"``, ``"gepa"``) get the last third for it, the others learn from all.

    Parameters
    ----------
    optimiser
        As of `Tuned`.
    labels
        Labelled tasks, the first of the stream's pool; at least 6. So many labels are charged.
    budget
        Answers that it may ask for, about; what writes instructions comes on top. At least 1.
    demos
        Demonstrations at most, at least 1.
    reflection_lm
        As of `Tuned`.
    """

    stateless = True  # the stream's feedback is no label to it

    def __init__(
        self,
        optimiser: Optimiser = "bootstrap",
        labels: int = 30,
        budget: int = 40,
        demos: int = 3,
        reflection_lm: int | None = None,
    ) -> None:
        self.optimiser = optimiser
        self.labels = labels
        self.budget = budget
        self.demos = demos
        self.reflection_lm = reflection_lm

    def check(self) -> None:
        """A known optimiser; numbers in their ranges."""
        check_optimiser("Compiled", self.optimiser, self.reflection_lm)
        for name in ("budget", "demos"):
            must_be_positive(f"Compiled.{name}", getattr(self, name))
        if isinstance(self.labels, bool) or not isinstance(self.labels, int) or self.labels < LEAST:
            raise ValueError(f"Compiled.labels must be an integer of at least {LEAST} but is {self.labels!r}")

    @property
    def revisits(self) -> int:  # type: ignore[override]
        """All that it is compiled from."""
        return self.labels

    @property
    def directs(self) -> tuple[int, ...]:  # type: ignore[override]
        """The model that writes, if one was named."""
        return () if self.reflection_lm is None else (self.reflection_lm,)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with what the prompts carry anyway."""
        self._rng, self._think = rng, think
        self._cases: tuple[Experience, ...] = ()
        self._news: tuple[Change, ...] = ()
        self.block = Learned()

    def observe(self, experience: Experience) -> None:
        """Take a labelled task in; with the last of them, compile."""
        if len(self._cases) >= self.labels:
            return
        self._cases += (experience,)
        if len(self._cases) == self.labels:
            self._compile()

    def learned(self) -> Learned:
        """What was compiled."""
        return self.block

    def changes(self) -> tuple[Change, ...]:
        """The one version, once it is made."""
        news, self._news = self._news, ()
        return news

    def _compile(self) -> None:
        cases = [one for one in self._cases if one.known_answer is not None]
        cut = len(cases) * 2 // 3
        made = tuning_of(self._think, "Compiled").compiled(
            self.optimiser,
            cases[:cut] if self.optimiser in ("random-search", "mipro", "gepa") else cases,
            cases[cut:],
            Learned(),
            self.budget,
            int(self._rng.integers(1, 2**31)),
            self.reflection_lm,
        )
        self.block = Learned(made.instruction, made.examples[: self.demos])
        told = f"compiled from {len(cases)} labelled tasks"
        self._news = (Change("version", told, 1, "in force", self.block),)
