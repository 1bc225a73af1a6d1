"""Learners: what every prompt carries until the next update. (What is recalled for one task is memory.)"""

from __future__ import annotations

from toolkit.records import Experience, Learned
from toolkit.traits.trait import Trait


class Learner(Trait, kind="learning"):
    """Turns feedback into the decision step's instruction and demonstrations.

    Attributes
    ----------
    labels
        How many labelled tasks from the stream's pool it wants before the first task (the phase ``prepare``).
    revisits
        How many past tasks it may ask the model again, in the context in which they were answered; see
        `toolkit.traits.learning.tuned.Tuning`.
    """

    labels: int = 0
    revisits: int = 0

    def observe(self, experience: Experience) -> None:
        """Take note of an experience whose feedback has arrived."""

    def learned(self) -> Learned:
        """What the prompts carry now."""
        return Learned()


class Frozen(Learner):
    """Never learns."""

    stateless = True
