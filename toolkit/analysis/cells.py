"""Which arms of a study make a design: the cells of a factorial, or pairs of arms that differ in one trait alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Literal

from toolkit.component import canonical, defaults
from toolkit.traits.learning import Compiled, FixedExamples
from toolkit.traits.memory import PermutedLabels, Shuffled

TRAITS = ("role", "memory", "goals", "learning")
Table = Mapping[str, Any]
"""One arm as it stands in ``study.toml``; a trait that is off is not in it."""

_SHAMS = {one.__name__ for one in (Shuffled, PermutedLabels, FixedExamples, Compiled)}


@dataclass(frozen=True)
class Cells:
    """A factorial among the arms of a study.

    Parameters
    ----------
    kind
        ``"full"``: every combination is there; ``"half"``: those of one product of levels.
    factors
        The traits that are crossed.
    levels
        By arm: +1 where the factor of that place is on, -1 where it is off.
    policies
        By factor, the table of what is switched on.
    """

    kind: Literal["full", "half"]
    factors: tuple[str, ...]
    levels: Mapping[str, tuple[int, ...]]
    policies: Mapping[str, Table]


@dataclass(frozen=True)
class Pair:
    """Two arms that differ in one trait alone.

    Parameters
    ----------
    trait, policy
        What ``with_it`` has and ``without`` has not.
    beside
        The traits that are on in both.
    """

    trait: str
    policy: Table
    with_it: str
    without: str
    beside: tuple[str, ...]


def factorial_cells(arms: Sequence[Table]) -> Cells | None:
    """The largest factorial of at least two traits, or None. Of equals: full before half, shams last, earlier first.

    Arms belong together if they differ in traits alone; a repeat of a cell is none.
    """
    best: tuple[tuple[int, ...], Cells] | None = None
    for group in _groups(arms):
        for chosen in _choices(group):
            found = _cells(group, chosen)
            if found is not None:
                shams = sum(is_sham(policy) for policy in chosen.values())
                rank = (len(chosen), found.kind == "full", -shams)
                best = (rank, found) if best is None or rank > best[0] else best
    return best[1] if best else None


def pairs(arms: Sequence[Table]) -> list[Pair]:
    """Of each policy that is no sham: what it adds to the most, and to the fewest, other traits that the arms allow."""
    found: dict[tuple[str, str], list[Pair]] = {}
    for group in _groups(arms):
        for one in group:
            for trait in _on(one):
                rest = _told_on({name: one[name] for name in _on(one) if name != trait})
                other = next((arm for arm in group if _told_on({name: arm[name] for name in _on(arm)}) == rest), None)
                if other is not None and not is_sham(one[trait]):
                    beside = tuple(name for name in _on(one) if name != trait)
                    pair = Pair(trait, one[trait], one["name"], other["name"], beside)
                    found.setdefault((trait, canonical(one[trait])), []).append(pair)
    order = sorted(found, key=lambda key: TRAITS.index(key[0]))
    return [one for key in order for one in _extremes(found[key])]


def left_out(arms: Sequence[Table], cells: Cells) -> Iterator[str]:
    """Each arm that is no cell, and why, in words."""
    home = next(arm for arm in arms if arm["name"] in cells.levels)
    for arm in arms:
        if arm["name"] not in cells.levels:
            yield f"{arm['name']} ({_why(arm, home, cells)})"


def is_sham(policy: Table) -> bool:
    """Whether a policy is one of the toolkit's controls."""
    return policy.get("use") in _SHAMS


def told(policy: Table) -> str:
    """A policy as a table of the ledger holds it, in short: as `repr` shows it, where its class is known here.

    Examples
    --------
    >>> told({"use": "Retrieval", "k": 4, "store": "correct"}), told({"use": "Retrieval", "k": 2, "store": "all"})
    ("Retrieval(k=4, store='correct')", 'Retrieval(k=2)')
    """
    usual = defaults(str(policy.get("use")))
    named = {name: value for name, value in policy.items() if name != "use"}
    first = next(iter(usual), None)
    rest = {
        name: value
        for name, value in named.items()
        if value not in ("", [], ()) and (name == first or name not in usual or value != usual[name])
    }
    shown = ", ".join(f"{name}={_value(value)}" for name, value in rest.items())
    whole = f"{policy.get('use', '?')}({shown})"
    return whole if len(whole) <= 80 else f"{whole[:76]}...)"


def _value(value: object) -> str:
    if isinstance(value, Mapping) and "use" in value:
        return told(value)
    text = repr(value)
    return text if len(text) <= 30 else f"{text[:26]}...{text[-1]}"


def _on(arm: Table) -> tuple[str, ...]:
    return tuple(trait for trait in TRAITS if trait in arm)


def _told_on(traits: Mapping[str, object]) -> str:
    return canonical(traits)


def _groups(arms: Sequence[Table]) -> list[list[Table]]:
    """Arms that differ in nothing but traits and repeat; a repeat of an earlier one is left out."""
    groups: dict[str, dict[str, Table]] = {}
    for arm in sorted(arms, key=lambda arm: int(arm.get("repeat", 0) > 0)):
        groups.setdefault(_base(arm), {}).setdefault(_told_on({name: arm[name] for name in _on(arm)}), arm)
    return [list(group.values()) for group in groups.values()]


def _base(arm: Table) -> str:
    return canonical({key: value for key, value in arm.items() if key not in (*TRAITS, "name", "repeat")})


def _choices(group: Sequence[Table]) -> Iterator[dict[str, Table]]:
    """Every way of naming one policy for each of at least two traits."""
    offered = []
    for trait in TRAITS:
        seen = {canonical(arm[trait]): arm[trait] for arm in reversed(group) if trait in arm}
        offered.append([None, *reversed(seen.values())])
    for choice in product(*offered):
        chosen = {trait: policy for trait, policy in zip(TRAITS, choice, strict=True) if policy is not None}
        if len(chosen) > 1:
            yield chosen


def _cells(group: Sequence[Table], chosen: Mapping[str, Table]) -> Cells | None:
    factors, levels = tuple(chosen), dict[str, tuple[int, ...]]()
    for arm in group:
        if all(chosen.get(trait) == arm[trait] for trait in _on(arm)):
            levels[arm["name"]] = tuple(1 if factor in arm else -1 for factor in factors)
    k = len(factors)
    if len(levels) == 2**k:
        return Cells("full", factors, levels, chosen)
    if k > 2 and len(levels) == 2 ** (k - 1) and len({prod(row) for row in levels.values()}) == 1:
        return Cells("half", factors, levels, chosen)
    return None


def _extremes(found: Sequence[Pair]) -> list[Pair]:
    most = max(found, key=lambda pair: len(pair.beside))
    least = min(found, key=lambda pair: len(pair.beside))
    return [most] if len(most.beside) == len(least.beside) else [most, least]


def _why(arm: Table, home: Table, cells: Cells) -> str:
    if "decider" in arm and arm.get("decider") != home.get("decider"):
        decider = arm["decider"]
        return f"decides by {decider['use'] if isinstance(decider, Mapping) else decider}"
    if _base(arm) != _base(home):
        return "differs in more than traits"
    for trait in _on(arm):
        if is_sham(arm[trait]):
            return f"a sham: {told(arm[trait])}"
    for trait in _on(arm):
        if arm[trait] != cells.policies.get(trait):
            return f"{trait} is {told(arm[trait])}"
    return "a repeat"
