"""What all four traits share: they begin anew in `reset`, and their state can be looked at and hashed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from toolkit.component import Component
from toolkit.records import Change, Step


class Think(Protocol):
    """How a trait asks the model: it names a `Step` and gives its inputs; the call is metered, taped and tunable.

    A run's own also has ``embed(embedder, texts)``: one row for each text, metered and taped likewise. Stores use it
    for an embedder whose answers come from outside (`toolkit.traits.memory.embedding.Embedder.bound`).
    """

    def __call__(self, step: Step, **inputs: str) -> str:
        """The answer of one call."""
        ...


class Trait(Component, abstract=True):
    """Base of roles, memory policies, goal policies and learners.

    The constructor stores parameters. `reset` begins a life: all state is made there. A trait never reads a clock and
    draws randomness from the generator it was given.

    Attributes
    ----------
    thinks
        Names of the steps by which it asks the model: a step that is named here can be learned
        (`toolkit.traits.learning.learner.Learner.rewrites`). Those of the components that it was given are known.
    """

    thinks: tuple[str, ...] = ()

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, without any memory of an earlier life."""

    def state(self) -> dict[str, object]:
        """The state as plain values; it enters the run's hash. By default every public attribute set since `reset`."""
        own = self.parameters()
        return {name: value for name, value in vars(self).items() if name not in own and not name.startswith("_")}

    def changes(self) -> tuple[Change, ...]:
        """What has happened since this was last asked that one may want to look up later; it goes to the ledger."""
        return ()


def must_be_positive(name: str, value: int) -> None:
    """Raise a `ValueError` unless ``value`` is at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1 but is {value!r}")
