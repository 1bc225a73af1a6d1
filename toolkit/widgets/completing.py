"""What may stand next in a query that is being typed: a view, or a column of the views that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Views = Mapping[str, tuple[str, ...]]

_ASIDE = re.compile(r"'(?:[^']|'')*'|--[^\n]*\n")  # strings and comments that have ended
_TYPED = re.compile(r"(?:(\w+)\.)?(\w*)$")
_SOURCE = re.compile(r"(?:\b(?:from|join)|,)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_BEFORE_VIEWS = {"from", "join", "describe", "summarize"}
_BEFORE_COLUMNS = {"select", "distinct", "where", "on", "using", "by", "having", "and", "or", "not", "qualify"}


def following(before: str, query: str, views: Views) -> tuple[str, tuple[str, ...]]:
    """What has been typed of the word at the cursor, and the names that it may become.

    Parameters
    ----------
    before
        The query up to the cursor.
    query
        The whole of it: views may be named after the columns that are asked of them.
    views
        The columns of each view, by its name.

    Examples
    --------
    >>> views = {"runs": ("arm", "seed"), "turns": ("arm", "turn")}
    >>> following("SELECT arm FROM ru", "SELECT arm FROM ru", views)
    ('ru', ('runs',))
    >>> following("SELECT t.", "SELECT t. FROM turns t", views)
    ('', ('arm', 'turn'))
    """
    place = _TYPED.search(before)
    owner, word = (place[1], place[2]) if place else (None, "")
    left = _ASIDE.sub(" ", before[: place.start()] if place else before)
    if "'" in left or "--" in left:
        return word, ()  # within a string or a comment
    there = _sources(_ASIDE.sub(" ", query), views)
    if owner:
        names: Iterable[str] = views.get(there.get(owner.lower(), ""), ())
    else:
        names = _after(re.findall(r"\w+|[^\s\w]", left.lower()), there, views)
    return word, tuple(name for name in names if name.startswith(word.lower()))


def _sources(query: str, views: Views) -> dict[str, str]:
    """The views that a query names, by that name and by the one it gives them."""
    found = [(view.lower(), also.lower()) for view, also in _SOURCE.findall(query) if view.lower() in views]
    return {name: view for view, also in found for name in (view, also) if name}


def _after(words: list[str], there: Mapping[str, str], views: Views) -> Iterable[str]:
    """What may follow these words."""
    last = next((word for word in reversed(words) if word in _BEFORE_VIEWS | _BEFORE_COLUMNS), "")
    if last in _BEFORE_VIEWS:
        return sorted(views) if words[-1] in (last, ",") else ()
    if last in _BEFORE_COLUMNS:
        named = set(there.values()) or set(views)
        return sorted({column for view in named for column in views[view]})
    return ()
