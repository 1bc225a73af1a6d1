"""Designs: which runs a study is made of, and in which order each meets the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.agents.arm import Arm
from toolkit.component import Component, digest
from toolkit.errors import SpecError
from toolkit.evaluation.exams import Exams
from toolkit.ledger.rows import FORMAT
from toolkit.lm.model import Deciding, Model
from toolkit.randomness import generator
from toolkit.streams.scoring import Scorer, as_named
from toolkit.streams.stream import Stream, by_difficulty, shuffled, stretched

ORDERS = ("shuffled", "given", "by-session", "easy-first", "hard-first")


@dataclass(frozen=True)
class Run:
    """One arm, one seed, one stream, one order: the unit of work. It can be pickled and carried out anywhere.

    Parameters
    ----------
    id
        Identity: a sha256 of what it does. Equal ids are the same run, in whatever study.
    places
        The order: places of the tasks in the stream's reference order.
    label
        What the stream is called in this study; see `labels`.
    second, second_places
        The stream of the second pass and the order in it; None and empty where there is none.
    counterfactuals
        Share of the tasks at which the arm is asked again without what it recalled.
    exams
        When a copy of the agent is asked without learning; None = never.
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
    scorers: tuple[str | Scorer, ...]
    label: str = ""
    second: Stream | None = None
    second_places: tuple[int, ...] = ()
    counterfactuals: float = 0.0
    exams: Exams | None = None

    @property
    def length(self) -> int:
        """How many episodes it comes to, both passes and all exams together."""
        return len(self.places) + len(self.second_places) + (self.exams.count(self.places) if self.exams else 0)

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
        ``"shuffled"``: sessions in random order, another for each seed; ``"given"``: the stream's own, in which
        sessions may be interleaved; ``"by-session"``: one session after another, each from its first task on, in the
        order in which they begin; ``"easy-first"``, ``"hard-first"``: by the mean difficulty of sessions, see
        `toolkit.Stream.difficulty`; equal ones in random order, another for each seed. Where the stream drifts, each
        orders the tasks from one change to the next by themselves (a session that a change cuts counts as two).

    Raises
    ------
    SpecError
        For any other, and for an order by difficulty of a stream that does not say how hard its tasks are.
    """
    if kind not in ORDERS:
        raise SpecError([f"order must be one of {', '.join(ORDERS)} but is {kind!r}"])
    pairs = stream.pairs()
    if kind == "given":
        return tuple(range(len(pairs)))
    rng = generator(study_seed, seed, "order")
    if kind == "by-session":
        return tuple(place for groups in stretched(stream) for group in groups for place in group)
    if kind == "shuffled":
        return shuffled(stream, rng)
    return by_difficulty(stream, rng, hard_first=kind == "hard-first")


def labels(streams: Sequence[Stream]) -> tuple[str, ...]:
    """What streams are called within one study: their own labels, numbered from the second of a name on.

    Examples
    --------
    >>> from toolkit.streams.desk import Desk
    >>> labels([Desk(tasks=5), Desk(tasks=6)])
    ('desk', 'desk-2')
    """
    found: list[str] = []
    for stream in streams:
        spelt = (f"{stream.label}-{number}" for number in range(2, len(streams) + 2))
        found.append(next(label for label in (stream.label, *spelt) if label not in found))
    return tuple(found)


def runs(
    *,
    study: str,
    arms: Sequence[Arm],
    model: Model,
    streams: Sequence[Stream],
    seeds: Sequence[int],
    study_seed: int,
    order_kinds: Sequence[str],
    deciding: Deciding,
    channel: Component,
    scorers: Sequence[Scorer],
    second_pass: str | Stream = "",
    counterfactuals: float = 0.0,
    exams: Exams | None = None,
) -> tuple[Run, ...]:
    """Every run of a crossed design: each arm meets the same tasks in the same orders.

    Where two kinds of order come to the same places for a seed, they are one run.
    """
    judged = [scorer.fingerprint() for scorer in scorers]
    found: dict[str, Run] = {}
    for stream, label in zip(streams, labels(streams), strict=True):
        for kind in order_kinds:
            orders = {seed: order(stream, kind, study_seed, seed) for seed in seeds}
            second, again = _second(second_pass, stream, orders, kind, study_seed)
            for arm in arms:
                heard = arm.channel or channel
                shared = [deciding, study_seed, stream.fingerprint(), heard.fingerprint(), judged]
                alike = [FORMAT, arm.fingerprint(), _model_of(arm, arm.lm or model), *shared]
                for seed in seeds:
                    places = orders[seed]
                    frozen: list[object] = [] if second is None else ["frozen", second.fingerprint(), again[seed]]
                    frozen += [["counterfactuals", counterfactuals]] if counterfactuals else []
                    frozen += [["exams", exams.config()]] if exams else []
                    key = digest(
                        [*alike, seed, places, *frozen]
                    )  # equal for runs that do the same, whatever their names
                    run = Run(
                        id=key,
                        study=study,
                        arm=arm,
                        model=arm.lm or model,
                        stream=stream,
                        seed=seed,
                        study_seed=study_seed,
                        order=kind,
                        places=places,
                        deciding=deciding,
                        channel=heard,
                        scorers=tuple(map(as_named, scorers)),
                        label=label,
                        second=second,
                        second_places=again[seed],
                        counterfactuals=counterfactuals,
                        exams=exams,
                    )
                    found.setdefault(key, run)
    return tuple(found.values())


def _second(
    asked: str | Stream, stream: Stream, orders: Mapping[int, tuple[int, ...]], kind: str, study_seed: int
) -> tuple[Stream | None, Mapping[int, tuple[int, ...]]]:
    """The second pass's stream and orders: those of the first over the same stream, of the same kind over another."""
    second = asked if isinstance(asked, Stream) else stream if asked else None
    if second is None:
        return None, dict.fromkeys(orders, ())
    if second is stream:
        return second, orders
    if second.fingerprint() == stream.fingerprint():
        raise SpecError(
            [f"second_pass holds the tasks of the stream itself, {stream!r}: write 'same', or hold others out"]
        )
    return second, {seed: order(second, kind, study_seed, seed) for seed in orders}


def _model_of(arm: Arm, model: Model) -> str:
    """The fingerprint of the model that an arm uses."""
    return model.fingerprint() if arm.decider.uses_model else ""
