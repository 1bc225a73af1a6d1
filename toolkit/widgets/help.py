"""What a form says beside its fields: the component's own docstring, taken apart."""

from __future__ import annotations

import inspect
import re

from toolkit.component import Component, registered

_AS_OF = re.compile(r"As of `(\w+)`\.?")


def summary(cls: type) -> str:
    """The first sentence of a class's docstring; empty without one.

    Examples
    --------
    >>> from toolkit.traits.memory import NoMemory
    >>> summary(NoMemory)
    'Forgets everything: adds nothing.'
    """
    text = " ".join(_lines(cls)).partition("  ")[0]
    return re.split(r"(?<=[.!?]) ", text, maxsplit=1)[0]


def parameter_help(cls: type[Component]) -> dict[str, str]:
    """What the docstring says of each parameter; "As of `Other`." is looked up there.

    Examples
    --------
    >>> from toolkit.traits.memory import SlidingWindow
    >>> parameter_help(SlidingWindow)["k"]
    'Number of tasks, at least 1.'
    """
    found = dict(_section(_lines(cls)))
    for name, text in found.items():
        elsewhere = _AS_OF.fullmatch(text)
        other = registered(cls.kind).get(elsewhere[1]) if elsewhere else None
        if other is not None and other is not cls:
            found[name] = parameter_help(other).get(name, text)
    return found


def _lines(cls: type) -> list[str]:
    own = cls.__dict__.get("__doc__") or ""  # not the family's: that one speaks of the interface
    return inspect.cleandoc(own).splitlines()


def _section(lines: list[str]) -> list[tuple[str, str]]:
    """Names and texts of the numpydoc section "Parameters"; a line may name several at once."""
    if "Parameters" not in lines:
        return []
    found: list[tuple[tuple[str, ...], list[str]]] = []
    start = lines.index("Parameters") + 2
    for place, line in enumerate(lines[start:], start):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if following.startswith("---"):
            break
        if line and not line[0].isspace():
            found.append((tuple(name.strip() for name in line.partition(" : ")[0].split(",")), []))
        elif line.strip() and found:
            found[-1][1].append(line.strip())
    return [(name, " ".join(text)) for names, text in found for name in names]
