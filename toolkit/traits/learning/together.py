"""Several learners in one agent, each of its own step: the decision, a summary, a rule of a playbook."""

from __future__ import annotations

import numpy as np

from toolkit.records import Change, Experience, Learned
from toolkit.traits.learning.learner import Learner
from toolkit.traits.trait import Think


class Together(Learner):
    """Several learners, each of which is told all feedback and takes what is its own.

    Their blocks stand in every prompt together: examples and notes of one after those of another, of several
    instructions for one step the last.

    Parameters
    ----------
    parts
        Two or more. None may be a `Tuned`: a trial compares two versions on answers that differ in nothing else.

    Notes
    -----
    What one of them tries is noise to the others: it makes them slower, and favours nothing, as long as each draws by
    itself.

    Examples
    --------
    >>> from toolkit.traits.learning import Bandit, DemoBuffer
    >>> both = Together((DemoBuffer(4), Bandit(("", "Keep names."), step="summarise")))
    >>> both.rewrites
    ('summarise',)
    """

    def __init__(self, parts: tuple[Learner, ...] = ()) -> None:
        self.parts = parts

    def check(self) -> None:
        """Two learners or more, themselves in order, none that tunes, no two of the same other step."""
        if len(self.parts) < 2 or not all(isinstance(part, Learner) for part in self.parts):
            raise ValueError(f"Together.parts must be two learners or more but are {self.parts!r}")
        for part in self.parts:
            part.check()
            if part.revisits:
                raise ValueError(f"Together.parts: {part!r} compares versions, and must learn alone")
        steps = [name for part in self.parts for name in part.rewrites]
        if len(set(steps)) < len(steps):
            raise ValueError(f"Together.parts must learn different steps but learn {', '.join(steps)}")

    def clone(self) -> Together:
        """The same of clones: they share nothing."""
        return Together(tuple(part.clone() for part in self.parts))

    @property
    def labels(self) -> int:  # type: ignore[override]
        """As many as any of them wants."""
        return max(part.labels for part in self.parts) if self.parts else 0

    @property
    def rewrites(self) -> tuple[str, ...]:  # type: ignore[override]
        """The steps of all of them."""
        return tuple(name for part in self.parts for name in part.rewrites)

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """If all are."""
        return all(part.stateless for part in self.parts)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, all of them, each with chance of its own."""
        self._prepared = 0
        for part, own in zip(self.parts, rng.spawn(len(self.parts)), strict=True):
            part.reset(own, think)

    def asked(self, step: str, instruction: str) -> None:
        """Tell all."""
        for part in self.parts:
            part.asked(step, instruction)

    def applied(self, id: str) -> None:
        """Tell all."""
        for part in self.parts:
            part.applied(id)

    def observe(self, experience: Experience) -> None:
        """Tell all; of what is learned beforehand each as much as it wants."""
        before = experience.id.startswith("prepare/")
        for part in self.parts:
            if not before or self._prepared < part.labels:
                part.observe(experience)
        self._prepared += before

    def learned(self) -> Learned:
        """What all of them give."""
        blocks = [part.learned() for part in self.parts]
        steps = {name: text for block in blocks for name, text in (block.steps or {}).items()}
        return Learned(
            instruction=next((block.instruction for block in reversed(blocks) if block.instruction), ""),
            examples=tuple(one for block in blocks for one in block.examples),
            notes="\n\n".join(block.notes for block in blocks if block.notes),
            steps=steps or None,
        )

    def changes(self) -> tuple[Change, ...]:
        """Those of all of them."""
        return tuple(change for part in self.parts for change in part.changes())

    def state(self) -> dict[str, object]:
        """Those of all of them."""
        return {"parts": [part.state() for part in self.parts], "prepared": self._prepared}
