"""Sets of arms that tell what each trait of an arm is worth: ablations, factorials and their half fractions, shams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth, MostFrequent, RandomChoice, Wrapped
from toolkit.stats.factorial import half_aliases, in_words
from toolkit.streams.channel import Channel
from toolkit.traits.learning import Compiled, DemoBuffer, FixedExamples, Tuned
from toolkit.traits.memory import FullContext, PermutedLabels, Shuffled, SlidingWindow

_LONGEST = 28  # of the 40 characters of an arm's name, "-no-learning" takes 12
_DEAF = (GroundTruth, MostFrequent, RandomChoice)  # they decide without looking at any trait


@dataclass(frozen=True)
class Factorial:
    """Arms that cross the traits of one arm. Prints as a table with its aliases.

    Parameters
    ----------
    arms
        One arm per cell, then the shams; ready for a study.
    factors
        The traits that are crossed, in the order of an arm's traits.
    levels
        For each arm of a cell, by name: +1 where the trait of that place in ``factors`` is on, -1 where it is off.
        Shams belong to no cell and are not in it.
    aliases
        Of a half fraction, in words: which effects cannot be told apart. Empty for a full factorial.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> from toolkit.traits.role import Role
    >>> print(factorial(Arm("full", role=Role("Clerk"), memory=Retrieval())))
    arm          role  memory
    static        -      -
    role          +      -
    memory        -      +
    role-memory   +      +
    """

    arms: tuple[Arm, ...]
    factors: tuple[str, ...]
    levels: Mapping[str, tuple[int, ...]]
    aliases: tuple[str, ...] = ()

    @property
    def shams(self) -> tuple[Arm, ...]:
        """The arms that belong to no cell; each is named after the arm that it spoils one trait of."""
        return tuple(arm for arm in self.arms if arm.name not in self.levels)

    def __str__(self) -> str:
        width = max(len(arm.name) for arm in self.arms)
        lines = ["  ".join(["arm".ljust(width), *self.factors])]
        for arm in self.arms:
            signs = ["+" if sign > 0 else "-" for sign in self.levels.get(arm.name, ())] or ["sham"]
            cells = [sign.center(len(name)) for sign, name in zip(signs, self.factors, strict=False)]
            lines.append("  ".join([arm.name.ljust(width), *cells]).rstrip())
        return "\n".join([*lines, *self.aliases])

    __repr__ = __str__


def ablations(full: Arm, *, shams: bool = False) -> tuple[Arm, ...]:
    """The arm, the arm without each of its traits, and the arm without any.

    Parameters
    ----------
    full
        An arm with at least one trait on, of a name of at most 28 characters.
    shams
        Also the controls that the toolkit has for the arm's traits: memory with its relevance or its labels spoiled
        (`Shuffled`, `PermutedLabels`), for `DemoBuffer` as many examples that never change (`FixedExamples`, which
        takes them from the stream's pool), and for `Tuned` the same optimiser once beforehand, on as many labelled
        tasks of the pool as one compilation sees (`Compiled`). A window has no relevance to shuffle; what is a sham
        gets none.

    Returns
    -------
    tuple of Arm
        ``full``, then ``<name>-no-<trait>`` for each trait that is on, ``static``, and the shams ``<name>-shuffled``,
        ``<name>-permuted``, ``<name>-fixed`` or ``<name>-compiled``. They share all else: model, decider, transcript,
        repeat. Of an arm with one trait only ``static`` follows, as that is what its ablation would be.

    Raises
    ------
    ValueError
        If no trait is on, if its decider takes no notice of traits, or if the name is too long or is ``static``.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> from toolkit.traits.role import Role
    >>> [arm.name for arm in ablations(Arm("full", role=Role("Clerk"), memory=Retrieval()))]
    ['full', 'full-no-role', 'full-no-memory', 'static']
    """
    on = _switched_on(full)
    if len(full.name) > _LONGEST or full.name == "static":
        raise ValueError(
            f"an arm whose ablations are named after it needs a name of at most {_LONGEST} characters, other than "
            f"'static', but is called {full.name!r}: rename it"
        )
    without = [_only(full, [kept for kept in on if kept != lost], f"{full.name}-no-{lost}") for lost in on]
    arms = (full, *(without if len(on) > 1 else ()), _only(full, (), "static"))
    return (*arms, *_shams(arms)) if shams else arms


def factorial(full: Arm, *, half: bool = False, shams: bool = False) -> Factorial:
    """All combinations of an arm's traits, or the half of them that still tells main effects apart.

    Parameters
    ----------
    full
        An arm with 1 to 4 traits on; those are the factors.
    half
        Take the half fraction in which the product of all levels is that of the static arm, so that this is in it:
        I = + the product of all factors for 4 traits (and the full arm is in it), I = - the product for 3 (and the
        full arm is not). With 4 traits a main effect is aliased with an interaction of three; with 3, of two.
    shams
        Also controls, as in `ablations`, of the first of the arms with most traits on that has the trait in question.

    Returns
    -------
    Factorial
        2^k arms, or half as many, in standard order (the first trait changes fastest), named by what is on, such as
        ``role-memory``; ``static`` for none. Names do not enter identity: runs of equal arms are shared.

    Raises
    ------
    ValueError
        If no trait is on, if its decider takes no notice of traits, or for half of fewer than three traits.

    References
    ----------
    Box, Hunter & Hunter 2005, Statistics for experimenters, 2nd ed., chapters 5 and 6.

    Examples
    --------
    >>> from toolkit.traits.learning import DemoBuffer
    >>> from toolkit.traits.memory import Retrieval
    >>> from toolkit.traits.role import Role
    >>> full = Arm("full", role=Role("Clerk"), memory=Retrieval(), learning=DemoBuffer())
    >>> print(factorial(full, half=True).aliases[0])
    role is aliased with memory x learning, sign reversed
    """
    factors = _switched_on(full)
    k = len(factors)
    if half and k < 3:
        raise ValueError(
            f"a half fraction needs at least 3 traits, but arm {full.name!r} has {k} on ({', '.join(factors)}): "
            "leave half out, all combinations are few"
        )
    sign = (-1) ** k  # the product of the static arm's levels
    levels = {}
    arms: tuple[Arm, ...] = ()
    for number in range(2**k):
        row = tuple(1 if number >> place & 1 else -1 for place in range(k))
        if not half or prod(row) == sign:
            kept = [factor for factor, state in zip(factors, row, strict=True) if state > 0]
            arms += (_only(full, kept, "-".join(kept) or "static"),)
            levels[arms[-1].name] = row
    told = _aliases(factors, sign) if half else ()
    return Factorial((*arms, *_shams(arms)) if shams else arms, factors, levels, told)


def by_channel(arm: Arm, channels: Mapping[str, Channel]) -> tuple[Arm, ...]:
    """An arm once for each kind of feedback: what is it worth to be told more?

    Parameters
    ----------
    arm
        What each of them is, but for its name and what it hears.
    channels
        By a word that is added to the arm's name.

    Raises
    ------
    ValueError
        If nothing of the arm takes notice of feedback.

    Examples
    --------
    >>> from toolkit.streams.channel import FullLabel, OneBit
    >>> from toolkit.traits.memory import Retrieval
    >>> arms = by_channel(Arm("memory", memory=Retrieval()), {"label": FullLabel(), "bit": OneBit()})
    >>> [(one.name, one.channel) for one in arms]
    [('memory-label', FullLabel()), ('memory-bit', OneBit())]
    """
    if arm.stateless:
        raise ValueError(
            f"arm {arm.name!r} is changed by nothing it hears, so that channels cannot differ in worth to it: switch "
            "on memory or learning"
        )
    return tuple(replace(arm, name=f"{arm.name}-{word}", channel=channel) for word, channel in channels.items())


def _switched_on(full: Arm) -> tuple[str, ...]:
    wraps = isinstance(full.decider, Wrapped)  # of whose predictors a learner is told, and nobody else
    if isinstance(full.decider, _DEAF) or (wraps and full.on != ("learning",)):
        raise ValueError(
            f"arm {full.name!r} decides by {type(full.decider).__name__}, which takes no notice of traits, so that "
            "none can be told to be worth anything: take an arm that decides by the model"
        )
    if not full.on:
        raise ValueError(
            f"a design needs an arm with at least one trait on, but arm {full.name!r} has none: switch on any of "
            f"{', '.join(Arm.traits)}"
        )
    return full.on


def _only(full: Arm, kept: Sequence[str], name: str) -> Arm:
    """The arm with these of its traits; all else is as it was."""
    off = Arm.static()
    return replace(full, name=name, **{trait: getattr(off, trait) for trait in full.on if trait not in kept})


def _aliases(factors: tuple[str, ...], sign: int) -> tuple[str, ...]:
    """Each pair of effects once, in words."""
    found: dict[str, str] = {}
    for effect, alias in half_aliases(factors, sign).items():
        if effect not in {known.lstrip("-") for known in found.values()}:
            found[effect] = alias
    return tuple(f"{effect} is aliased with {in_words(alias)}" for effect, alias in found.items())


def _shams(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Controls of the fullest arm that has memory, and of the fullest that learns."""
    found = list[Arm]()
    base = _fullest(arms, "memory")
    if base and not isinstance(base.memory, Shuffled | PermutedLabels):
        if not isinstance(base.memory, SlidingWindow | FullContext):  # they recall the same for any task
            found.append(replace(base, name=f"{base.name}-shuffled", memory=Shuffled(base.memory)))
        found.append(replace(base, name=f"{base.name}-permuted", memory=PermutedLabels(base.memory)))
    base = _fullest(arms, "learning")
    if base and isinstance(base.learning, DemoBuffer):
        found.append(replace(base, name=f"{base.name}-fixed", learning=FixedExamples(base.learning.size)))
    if base and isinstance(base.learning, Tuned):
        found.append(replace(base, name=f"{base.name}-compiled", learning=_beforehand(base.learning)))
    return tuple(found)


def _beforehand(tuned: Tuned) -> Compiled:
    """The same optimiser with as many labels as one compilation sees, before the first task."""
    return Compiled(tuned.optimiser, tuned.window, tuned.budget, tuned.demos, tuned.reflection_lm)


def _fullest(arms: Sequence[Arm], trait: str) -> Arm | None:
    return max((arm for arm in arms if trait in arm.on), key=lambda arm: len(arm.on), default=None)
