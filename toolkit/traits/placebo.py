"""Placebo personas: as long as a role and of its shape, and with nothing in them that helps with any task."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import lcm

from toolkit.traits.role import Role, rule_text

TOLERANCE = 0.02
"""By which share of a role's length a placebo may differ from it."""

_TRIES = 40
_AHEAD = 30  # sentences among which the last ones of a text are chosen, so that it comes to its length
_JOINT = 2  # characters between two sentences


@dataclass(frozen=True)
class Persona:
    """A craft: its names, short and long, and the parts of its sentences."""

    names: tuple[str, ...]
    verbs: tuple[str, ...]
    things: tuple[str, ...]
    whens: tuple[str, ...]

    def clauses(self, first: int) -> list[tuple[str, str]]:
        """All that can be said of it, each once, beginning with number ``first``: a verb, and the rest."""
        size = lcm(len(self.verbs), len(self.things), len(self.whens))
        return [self._clause(first + place) for place in range(size)]

    def _clause(self, number: int) -> tuple[str, str]:
        verb, thing, when = (part[number % len(part)] for part in (self.verbs, self.things, self.whens))
        return verb, f"{thing} {when}".strip()


@cache
def personas() -> tuple[Persona, ...]:
    """The shipped ones, read once; see ``placebo_texts.toml``."""
    text = resources.files("toolkit.traits").joinpath("placebo_texts.toml").read_text(encoding="utf-8")
    return tuple(
        Persona(**{name: tuple(parts) for name, parts in table.items()}) for table in tomllib.loads(text)["personas"]
    )


def placebos(role: Role, number: int = 5, measure: Callable[[str], int] = len) -> tuple[Role, ...]:
    """Personas that have a role's shape and length, and nothing to say on any task: what its text is compared with.

    A placebo has the parts that the role has: a name and an objective, instructions, as many rules, each about as long
    as the role's own. Only texts are replaced. Worked examples, tools and preferred policies stay the role's, so that a
    difference between the two is the text's; leave those parts out first (`Role.without`) to compare without them. Its
    rules are plain texts: nobody needs to check whether a mason wedges the lintel at midday.

    Parameters
    ----------
    role
        A role of the library or of one's own, of any parts.
    number
        How many, each another craft, 1 to 8; one placebo would be one wording, and no sample of wordings.
    measure
        What is the length of a text, at least 1: characters, or e.g. the tokens of a model's own tokenizer.

    Returns
    -------
    tuple of Role
        The same ones at every call, of editions such as ``"1/p2"``. By ``measure`` the `Role.text` of each is within
        2 % of the role's.

    Raises
    ------
    ValueError
        If the role has no text, one that is too short to be matched so closely, or one longer than a craft's sentences
        without saying any twice (about 10,000 characters).

    Examples
    --------
    >>> clerk = Role("Clerk", "Files letters.", "Read each letter to its end.", rules=("Bills go to the office.",))
    >>> sham = placebos(clerk, number=2)[1]
    >>> print(sham.text())
    You are: Beacon warden. Paints the mast.
    Dust the rowing oars.
    Rules:
    - Mend the salty panes.
    >>> len(clerk.text()), len(sham.text())
    (92, 93)
    """
    known = personas()
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(known):
        raise ValueError(f"number must be from 1 to {len(known)}, one for each craft, but is {number!r}")
    if not role.text():
        raise ValueError(f"role {role.name!r} has no text, only {role.parts}: there is nothing to put in its place")
    return tuple(_placebo(role, place, measure) for place in range(1, number + 1))


def _placebo(role: Role, place: int, measure: Callable[[str], int]) -> Role:
    """The placebo of this number: written for so many characters, measured, and written again by how much it missed."""
    wanted, size = measure(role.text()), len(role.text())
    if wanted < 1:
        raise ValueError(f"measure must give a length of at least 1 but gives {wanted!r} for role {role.name!r}")
    for turn in range(_TRIES):
        made = _written(role, place, size, turn)
        found = measure(made.text())
        if abs(found - wanted) <= TOLERANCE * wanted:
            return made.but(budget=max(made.budget, made.tokens))
        size = max(0, size + round((wanted - found) * len(made.text()) / max(found, 1)))
    raise ValueError(
        f"role {role.name[:60]!r}: no persona comes within {TOLERANCE:.0%} of its length of {wanted}: a text of a few "
        "words, or of more than about 10,000 characters, cannot be matched; give it an objective of a sentence, or "
        "shorten it"
    )


def _written(role: Role, place: int, size: int, turn: int) -> Role:
    """A persona whose text has about so many characters; other turns say other things."""
    persona = personas()[place - 1]
    clauses = persona.clauses(7 * turn)
    share = size / len(role.text())
    name = min(persona.names, key=lambda one: abs(len(one) - share * len(role.name))) if role.name.strip() else ""
    owed = share * len(role.name) - len(name)

    def filled(text: str, ending: str = "") -> str:
        """As much as stands in a text, and what is still owed from those before."""
        nonlocal owed
        if not text.strip():
            return ""
        aim = share * len(text) + owed
        found = _said(_taken(clauses, round(aim), len(ending)), ending)
        owed = aim - len(found)
        return found

    return role.but(
        name=name,
        objective=filled(role.objective, "s"),
        instructions=filled(role.instructions),
        rules=[filled(rule_text(rule)) for rule in role.rules],
        edition=f"{role.edition}/p{place}",
        history=(),
    )


def _taken(clauses: list[tuple[str, str]], aim: int, ending: int) -> list[tuple[str, str]]:
    """Clauses that come to about so many characters as sentences, at least one; they are taken out of the list."""
    sizes = [len(verb) + ending + 1 + len(rest) + _JOINT for verb, rest in clauses[:_AHEAD]]
    left, taken = aim - 1 + _JOINT, list[tuple[str, str]]()
    while clauses and left > 2 * max(sizes):
        taken.append(clauses.pop(0))
        left -= len(" ".join(taken[-1])) + ending + _JOINT
    sizes = [len(verb) + ending + 1 + len(rest) + _JOINT for verb, rest in clauses[:_AHEAD]]
    singles = [((place,), size) for place, size in enumerate(sizes)]
    pairs = [((a, b), sizes[a] + sizes[b]) for b in range(len(sizes)) for a in range(b)]
    ways: Sequence[tuple[tuple[int, ...], int]] = [*([((), 0)] if taken else []), *singles, *pairs]
    places = min(ways, key=lambda way: abs(way[1] - left), default=((), 0))[0]
    taken += [clauses[place] for place in places]
    for place in reversed(places):
        del clauses[place]
    return taken


def _said(clauses: Sequence[tuple[str, str]], ending: str) -> str:
    text = "; ".join(f"{verb}{ending} {rest}" for verb, rest in clauses)
    return f"{text[:1].upper()}{text[1:]}."
