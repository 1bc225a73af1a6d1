"""How curves look: each a colour and a dash of its own, so that no two of a study are drawn alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b6a43")
_DASHES = ("", "6 2", "2 2", "8 3 2 3", "12 3", "4 2 1 2", "1 3")


@dataclass(frozen=True, slots=True)
class Look:
    """How a curve is drawn: its colour, as in CSS, and its dashes, as in SVG (empty = a whole line)."""

    ink: str
    dash: str


def look(place: int) -> Look:
    """The look at a place: 0 is the baseline's, a whole line in the colour of text; the next 49 are all different.

    Neighbours differ in colour and in dash, so that either tells them apart. Colours after [1]_, and a brown.

    References
    ----------
    .. [1] Okabe & Ito (2008), Color universal design, https://jfly.uni-koeln.de/color/.

    Examples
    --------
    >>> look(0), look(8)
    (Look(ink='currentColor', dash=''), Look(ink='#0072b2', dash='2 2'))
    """
    if place == 0:
        return Look("currentColor", "")
    turn, nth = divmod(place - 1, len(_INKS))
    return Look(_INKS[nth], _DASHES[(nth + 1 + turn) % len(_DASHES)])


def looks(arms: Sequence[str], baseline: str) -> tuple[Look, ...]:
    """The look of each arm, by its place among those that are not the baseline."""
    others = [arm for arm in arms if arm != baseline]
    return tuple(look(0 if arm == baseline else 1 + others.index(arm)) for arm in arms)


def looks_of_pairs(ahead: Sequence[str], arms: Sequence[str], baseline: str) -> tuple[Look, ...]:
    """The look of each difference: that of the arm ahead, unless two differences would share it."""
    if len(set(ahead)) < len(ahead):
        return tuple(look(1 + place) for place in range(len(ahead)))
    known = dict(zip(arms, looks(arms, baseline), strict=True))
    return tuple(known.get(arm) or look(1 + place) for place, arm in enumerate(ahead))
