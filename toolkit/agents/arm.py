"""An arm: the frozen specification of one way to answer the stream. Everything that is off is a null object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from toolkit.agents.abstaining import Abstaining as Abstaining  # a study's file may name it
from toolkit.agents.decider import (
    ByModel,
    Decider,
    GroundTruth,
    MostFrequent,
    NearestNeighbour,
    RandomChoice,
    Wrapped,
)
from toolkit.agents.rivals import ChainOfThought, SelfConsistency
from toolkit.agents.routing import OnModel as OnModel  # a study's file may name them
from toolkit.agents.routing import Routed as Routed
from toolkit.agents.steps import refuse_unknown
from toolkit.component import Component, Config, build, digest
from toolkit.display import Displayed
from toolkit.errors import SpecError, nearest
from toolkit.lm.model import Model, model
from toolkit.records import Experience
from toolkit.streams.channel import Channel
from toolkit.traits.goals import GoalPolicy, Reactive
from toolkit.traits.learning import Compiled, FixedExamples, Frozen, Learner
from toolkit.traits.learning.tuned import Optimiser
from toolkit.traits.memory import MemoryPolicy, NoMemory, PoolRetrieval, Retrieval
from toolkit.traits.role import NoRole, Role, RolePolicy
from toolkit.traits.role_files import role as role_of

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.IGNORECASE)


@dataclass(frozen=True, repr=False)
class Arm(Displayed):
    """One way to answer the stream: a model and four traits, each of which may be off.

    Parameters
    ----------
    name
        1 to 40 letters, digits, ``.``, ``_`` or ``-``; for people: it never enters a run's identity or randomness.
    role, memory, goals, learning
        The traits; each default is off.
    decider
        Who takes the decision: the model, a wrapped program, or a floor.
    transcript
        Whether the running session's earlier tasks and own answers stand in the prompt.
    lm
        A model of this arm's own; None = the study's.
    channel
        What this arm is told of its answers; None = what the study's channel says. So feedback can differ between arms
        that are compared on the same tasks in the same orders; see `by_channel`.
    repeat
        Another number is an independent repeat of the same arm, as an A/A test needs.

    Examples
    --------
    >>> Arm("memory", memory=Retrieval(k=2))
    Arm('memory', memory=Retrieval(k=2))
    >>> Arm("memory", memory=Retrieval(k=2)).on
    ('memory',)
    >>> Arm.static().on
    ()
    """

    name: str
    role: RolePolicy = field(default_factory=NoRole)
    memory: MemoryPolicy = field(default_factory=NoMemory)
    goals: GoalPolicy = field(default_factory=Reactive)
    learning: Learner = field(default_factory=Frozen)
    decider: Decider = field(default_factory=ByModel)
    transcript: bool = True
    lm: Model | None = None
    repeat: int = 0
    channel: Channel | None = None

    traits: ClassVar[tuple[str, ...]] = ("role", "memory", "goals", "learning")

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise ValueError(f"an arm's name must be 1 to 40 letters, digits, '.', '_' or '-' but is {self.name!r}")
        kinds = {"role": RolePolicy, "memory": MemoryPolicy, "goals": GoalPolicy, "learning": Learner}
        for part, base in {**kinds, "decider": Decider}.items():
            if not isinstance(getattr(self, part), base):
                raise ValueError(f"arm {self.name!r}: {part} must be a {base.__name__} but is {getattr(self, part)!r}")
        if self.channel is not None and not isinstance(self.channel, Channel):
            raise ValueError(f"arm {self.name!r}: channel must be a Channel but is {self.channel!r}")
        if isinstance(self.repeat, bool) or not isinstance(self.repeat, int) or self.repeat < 0:
            raise ValueError(f"arm {self.name!r}: repeat must be an integer of at least 0 but is {self.repeat!r}")
        if self.learning.rewrites:
            refuse_unknown(self.learning.rewrites, self.acting, f"arm {self.name!r}: {self.learning!r}")

    def __repr__(self) -> str:
        usual = Arm(self.name)
        given = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        told = [f"{name}={value!r}" for name, value in given.items() if value != getattr(usual, name)]
        return f"Arm({', '.join([repr(self.name), *told])})"

    @classmethod
    def static(cls, name: str = "static") -> Arm:
        """The model used statically: the running session's transcript is its only context."""
        return cls(name)

    @classmethod
    def static_call(cls, name: str = "static-call") -> Arm:
        """The model used statically, each task by itself: not even the running session."""
        return cls(name, transcript=False)

    @classmethod
    def ready(cls, role: Role | str, name: str = "", **other: Any) -> Arm:
        """A specialist as it comes: a role with the memory and the goal policy that it prefers.

        Parameters
        ----------
        role
            A `Role`, or its name in the library.
        name
            As of an arm; empty = the role's own in small letters, with ``-`` between its words.
        other
            Other parameters of the arm; a trait that is given stands in the place of the preferred one.

        Examples
        --------
        >>> arm = Arm.ready(Role("Shop clerk", "Finds things.", memory=Retrieval(k=2)))
        >>> arm.name, arm.on
        ('shop-clerk', ('role', 'memory'))
        """
        own = role_of(role) if isinstance(role, str) else role
        preferred = {"memory": own.memory, "goals": own.goals}
        traits = {trait: policy for trait, policy in preferred.items() if policy is not None}
        short = "-".join(re.findall(r"[a-z0-9]+", own.name.lower()))[:28].strip("-")
        return cls(name or short or "role", **{"role": own, **traits, **other})

    @classmethod
    def wrap(
        cls,
        target: Any,
        *,
        name: str = "program",
        learn: Callable[[Experience], None] | None = None,
        reset: Callable[[], None] | None = None,
        state: Callable[[], Mapping[str, object]] | None = None,
        lm: Model | Config | str | None = None,
        learning: Learner | None = None,
    ) -> Arm:
        """An arm that runs a program of one's own; see `Wrapped`.

        Parameters
        ----------
        target
            A `dspy.Module`, or a function of the `Task`.
        name
            As of an arm.
        learn, reset, state
            The program's own ways to learn, to begin anew and to tell its state.
        lm
            A model of its own.
        learning
            What learns its named predictors from feedback; None = nothing does but ``learn``. The program's instruction
            and demonstrations are what a life begins with.

        Raises
        ------
        ValueError
            If ``target`` cannot be called, or has no predictors that ``learning`` could learn.
        """
        if not callable(target):
            raise ValueError(f"what an arm wraps must be a dspy.Module or a function of the task but is {target!r}")
        chosen, decider = None if lm is None else model(lm), Wrapped(target, learn, reset, state)
        if learning is not None and not isinstance(learning, Frozen) and not decider.thinks:
            raise ValueError(f"{target!r} has no predictors that {learning!r} could learn: wrap a dspy.Module")
        return cls(name, decider=decider, learning=learning or Frozen(), transcript=False, lm=chosen)

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the traits that are switched on."""
        off = (NoRole, NoMemory, Reactive, Frozen)
        return tuple(name for name in self.traits if not isinstance(getattr(self, name), off))

    @property
    def parts(self) -> tuple[Component, ...]:
        """Its components: traits, decider, and its own model and channel if it has them."""
        return (*self.acting, *(own for own in (self.lm, self.channel) if own is not None))

    @property
    def acting(self) -> tuple[Component, ...]:
        """Its traits and its decider."""
        return tuple(getattr(self, name) for name in (*self.traits, "decider"))

    @property
    def stateless(self) -> bool:
        """True if nothing it meets can change it: feedback is then no label to it."""
        return all(getattr(self, part).stateless for part in (*self.traits, "decider"))

    def fingerprint(self) -> str:
        """Identity of what it does; without its name and without the study's model."""
        parts = [getattr(self, part).fingerprint() for part in (*self.traits, "decider")]
        heard = [] if self.channel is None else [self.channel.fingerprint()]
        return digest([parts, self.transcript, self.repeat, *heard])

    def again(self, repeat: int = 1) -> Arm:
        """An independent repeat under the name ``<name>-again``, for A/A tests."""
        return replace(self, name=f"{self.name}-again" + ("" if repeat == 1 else str(repeat)), repeat=repeat)

    def ablations(self, *, shams: bool = False) -> tuple[Arm, ...]:
        """This arm, this arm without each of its traits, and without any; see `toolkit.agents.designs.ablations`.

        Raises
        ------
        ValueError
            If no trait is on.
        """
        from toolkit.agents.designs import ablations  # which is made of arms

        return ablations(self, shams=shams)

    def config(self) -> Config:
        """As plain values, without what is off."""
        found: Config = {"name": self.name}
        for part in fields(self)[1:]:
            value = getattr(self, part.name)
            if value != _DEFAULTS[part.name]:
                found[part.name] = value.config() if isinstance(value, Component) else value
        return found

    @classmethod
    def from_config(cls, config: Config, where: str = "arm") -> Arm:
        """The arm that a table describes.

        Raises
        ------
        SpecError
            Listing every mistake in the table.
        """
        mistakes, values = [], dict[str, Any]()
        for key, value in config.items():
            if key not in _DEFAULTS and key != "name":
                mistakes.append(f"{where}: an arm has no key {key!r}; {nearest(key, ['name', *_DEFAULTS])}")
                continue
            try:
                values[key] = _part(key, value, f"{where}.{key}")
            except SpecError as error:
                mistakes += error.mistakes
        if "name" not in config:
            mistakes.append(f"{where}: an arm needs a 'name'")
        if mistakes:
            raise SpecError(mistakes)
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise SpecError([f"{where}: {error}"]) from error


_DEFAULTS: dict[str, Any] = {
    "role": NoRole(),
    "memory": NoMemory(),
    "goals": Reactive(),
    "learning": Frozen(),
    "decider": ByModel(),
    "transcript": True,
    "lm": None,
    "repeat": 0,
    "channel": None,
}


def _part(key: str, value: Any, where: str) -> Any:
    if key == "lm":
        return model(value, where)
    if key == "role" and isinstance(value, str) and value not in ("NoRole",):
        return role_of(value)
    if key in (*Arm.traits, "decider", "channel"):
        return build(key, value, where)
    return value


def floors(memory: MemoryPolicy | None = None) -> tuple[Arm, ...]:
    """Arms without a model: the nearest neighbour's answer, the most frequent one, a random one, and the truth.

    Parameters
    ----------
    memory
        Where the nearest neighbour is looked for; None = `Retrieval`.
    """
    return (
        Arm("nearest", memory=memory or Retrieval(), decider=NearestNeighbour(), transcript=False),
        Arm("most-frequent", decider=MostFrequent(), transcript=False),
        Arm("random", decider=RandomChoice(), transcript=False),
        Arm("truth", decider=GroundTruth(), transcript=False),
    )


def static_arms(
    k: int = 4, *, pool: int = 40, samples: int = 5, tokens: int = 0, optimiser: Optimiser | None = None
) -> tuple[Arm, ...]:
    """The model used statically, in each way that a claim for an agent must beat; none learns from the stream.

    Parameters
    ----------
    k
        Examples in a prompt, where there are any.
    pool
        Labelled tasks among which the nearest are looked for; charged as labels, like the ``k`` fixed ones.
    samples, tokens
        Of `SelfConsistency`: chains of thought, and the tokens a task that it may spend, e.g. what the agent spends.
    optimiser
        Of `Compiled`, which compiles once from ``pool`` labelled tasks; None = no such arm.

    Returns
    -------
    tuple of Arm
        ``static`` (zero-shot, with the running session's transcript), ``static-call`` (zero-shot, not even that),
        ``chain-of-thought``, ``few-shot`` (the first ``k`` of the pool), ``few-shot-nearest``,
        ``self-consistency`` and, if asked for, ``compiled``.

    Examples
    --------
    >>> [arm.name for arm in static_arms()][2:]
    ['chain-of-thought', 'few-shot', 'few-shot-nearest', 'self-consistency']
    """
    return (
        Arm.static(),
        Arm.static_call(),
        Arm("chain-of-thought", decider=ChainOfThought(), transcript=False),
        Arm("few-shot", learning=FixedExamples(k), transcript=False),
        Arm("few-shot-nearest", memory=PoolRetrieval(k, pool), transcript=False),
        Arm("self-consistency", decider=SelfConsistency(samples, tokens), transcript=False),
        *([Arm("compiled", learning=Compiled(optimiser, pool), transcript=False)] if optimiser else []),
    )


def world_rivals(samples: int = 0, tokens: int = 0) -> tuple[Arm, ...]:
    """The model used statically in worlds, in each way that a claim for initiative must beat; none has a goal policy.

    Parameters
    ----------
    samples, tokens
        Of `SelfConsistency`: chains of thought, and the tokens that it may spend on a turn, e.g. what the agent spends.
        0 samples = no such arm.

    Returns
    -------
    tuple of Arm
        ``static`` (prompted by users only: it says all its actions at once), ``re-prompted`` (a harness prompts it for
        every turn but ticks), ``polled`` (on every tick too) and, if asked for, ``self-consistency`` (polled, and every
        decision is a vote).

    Examples
    --------
    >>> [arm.name for arm in world_rivals(samples=5)]
    ['static', 're-prompted', 'polled', 'self-consistency']
    """
    polled = Reactive("ticks")
    return (
        Arm.static(),
        Arm("re-prompted", goals=Reactive("turns")),
        Arm("polled", goals=polled),
        *([Arm("self-consistency", goals=polled, decider=SelfConsistency(samples, tokens))] if samples else []),
    )
