"""Designs: which runs a study is made of, and in which order each meets the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.agents.arm import Arm
from toolkit.component import Component, digest
from toolkit.errors import SpecError
from toolkit.ledger.rows import FORMAT
from toolkit.lm.model import Deciding, Model
from toolkit.randomness import generator
from toolkit.streams.stream import Stream, shuffled

ORDERS = ("shuffled", "given")


@dataclass(frozen=True)
class Run:
    """One arm, one seed, one stream, one order: the unit of work. It can be pickled and carried out anywhere.

    Parameters
    ----------
    id
        Identity: a sha256 of what it does. Equal ids are the same run, in whatever study.
    places
        The order: places of the tasks in the stream's reference order.
    """

    id: str
    study: str
    arm: Arm
    model: Model
    stream: Stream
    seed: int
    study_seed: int
    order: str
    places: tuple[int, ...]
    deciding: Deciding
    channel: Component
    scorers: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The run's folder within its study: a name for people and enough of the identity."""
        return f"{self.arm.name}-{self.id[:12]}"

    @property
    def seeds(self) -> tuple[int, int]:
        """The path that its random numbers derive from."""
        return self.study_seed, self.seed


def order(stream: Stream, kind: str, study_seed: int, seed: int) -> tuple[int, ...]:
    """The places of a stream's tasks in the order that a seed meets them.

    Parameters
    ----------
    kind
        ``"shuffled"``: sessions in random order, another for each seed; ``"given"``: the stream's own.
    """
    if kind not in ORDERS:
        raise SpecError([f"order must be one of {', '.join(ORDERS)} but is {kind!r}"])
    pairs = stream.pairs()
    if kind == "given":
        return tuple(range(len(pairs)))
    return shuffled(pairs, generator(study_seed, seed, "order"))


def runs(
    *,
    study: str,
    arms: Sequence[Arm],
    model: Model,
    stream: Stream,
    seeds: Sequence[int],
    study_seed: int,
    order_kind: str,
    deciding: Deciding,
    channel: Component,
    scorers: Sequence[Component],
) -> tuple[Run, ...]:
    """Every run of a crossed design: each arm meets the same tasks in the same orders."""
    shared = [deciding, study_seed, stream.fingerprint(), channel.fingerprint(), [s.fingerprint() for s in scorers]]
    found = []
    orders = {seed: order(stream, order_kind, study_seed, seed) for seed in seeds}
    for arm in arms:
        own = arm.lm or model
        identity = own.fingerprint() if arm.decider.uses_model else ""
        for seed in seeds:
            key = digest([FORMAT, arm.fingerprint(), identity, *shared, seed, orders[seed]])
            run = Run(
                id=key,
                study=study,
                arm=arm,
                model=own,
                stream=stream,
                seed=seed,
                study_seed=study_seed,
                order=order_kind,
                places=orders[seed],
                deciding=deciding,
                channel=channel,
                scorers=tuple(getattr(scorer, "name", "") for scorer in scorers),
            )
            found.append(run)
    return tuple(found)
