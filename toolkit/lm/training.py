"""A model's training as a run has it: taped, charged, and carried out by an engine that can be taught."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from toolkit.component import digest
from toolkit.ledger.call import Call
from toolkit.lm.metered import request_hash
from toolkit.lm.model import Engine, Model
from toolkit.records import Usage

if TYPE_CHECKING:
    from dspy.lm15 import Request

Case: TypeAlias = "tuple[Request, str]"
"""A request as it is sent, and the answer that would be right."""

STEP = "train"
"""The step under which a training stands on the tape."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to.

    Parameters
    ----------
    weights
        sha256 (hex) of the trained matrices.
    examples
        How many it was.
    tokens
        Prompt and answer, over all epochs.
    seconds
        On the clock, without the loading of the base.
    losses
        Mean loss of an answer's token in each epoch, in nats, each batch before its step.

    Examples
    --------
    >>> one = Trained("c0ffee", 16, 3200, 9.5, (1.6, 0.4))
    >>> Trained.read(one.wire()) == one, str(one)
    (True, '16 examples, loss 1.600 -> 0.400, weights c0ffee')
    """

    weights: str
    examples: int
    tokens: int
    seconds: float
    losses: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> Trained:
        """From the JSON that `wire` makes."""
        held = json.loads(text)
        return cls(**{**held, "losses": tuple(held["losses"])})

    def wire(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    def __str__(self) -> str:
        first, last = (f"{self.losses[place]:.3f}" for place in (0, -1))
        return f"{self.examples} examples, loss {first} -> {last}, weights {self.weights[:12]}"


@runtime_checkable
class Trainable(Engine, Protocol):
    """An engine whose weights can be trained."""

    def taught(self, cases: Sequence[Case], weights: str) -> Engine | None:
        """An engine of the same model that answers with what comes of a training on these cases.

        ``weights`` is the digest that must come of it; empty = whatever comes.
        """
        ...

    def trained(self) -> tuple[Trained, bool]:
        """What its training came to, and whether it took place now (else it was kept from an earlier one)."""
        ...


def taught(engine: Engine | None, cases: Sequence[Case], weights: str = "") -> Trainable | None:
    """An engine that is trained on cases; None where there are none, or it cannot be."""
    made = engine.taught(cases, weights) if cases and isinstance(engine, Trainable) else None
    return made if isinstance(made, Trainable) else None


def recorded(call: Call, engine: Trainable) -> Call:
    """The call of a training that takes place now, with what it cost; one that was kept costs what it did then."""
    record, fresh = engine.trained()
    usage = Usage(calls=1, input_tokens=record.tokens, seconds=record.seconds)
    return replace(call, answer=str(record), response=record.wire(), usage=usage, memo=not fresh)


def identity(model: Model, cases: Sequence[Case]) -> str:
    """What a training is known by on a tape."""
    return digest(["train", model.fingerprint(), [[request_hash(request), answer] for request, answer in cases]])


def told(cases: Sequence[Case]) -> tuple[tuple[str, str], ...]:
    """A training as the prompt of its call: the right answers, in order; the prompts are those of the run's pool."""
    return tuple(("assistant", answer) for _, answer in cases)


def weights(call: Call) -> str:
    """The digest of what came of a training that stands on a tape."""
    return Trained.read(call.response).weights
