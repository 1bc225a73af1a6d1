"""The few exceptions that a caller of the toolkit would catch; everything else is a `ValueError` with a way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ToolkitError(Exception):
    """Base of the toolkit's own exceptions."""


class SpecError(ToolkitError, ValueError):
    """A specification or a data file does not say something that can be run; lists every mistake found.

    Parameters
    ----------
    mistakes
        One sentence each: where, what was found, what would do.

    Examples
    --------
    >>> print(SpecError(["study.toml: [study] has no name"]))
    1 mistake:
      - study.toml: [study] has no name
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        head = f"{len(self.mistakes)} mistake{'' if len(self.mistakes) == 1 else 's'}:"
        super().__init__("\n".join([head, *(f"  - {mistake}" for mistake in self.mistakes)]))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[str, ...]]]:
        return type(self), (self.mistakes,)


class MissingExtra(ToolkitError, ImportError):
    """An optional package is needed and absent; the message holds the command that installs it.

    Parameters
    ----------
    package, extra
        What is absent, and the extra of this toolkit that brings it.
    purpose
        What needs it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(f"{purpose} needs {package}: python -m pip install 'adaptive-agents-toolkit[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        return type(self), (self.package, self.extra, self.purpose)


class Outage(ToolkitError):
    """The model (or another service) could not be reached: no fault of the arm; the run is suspended, not scored."""


class AnswerError(ToolkitError):
    """The arm's own doing: no usable answer (does not parse, too long a prompt). The episode scores 0.

    Parameters
    ----------
    status
        The episode's status: ``"unparsed"``, ``"truncated"`` or ``"overflow"``.
    message
        What was wrong.
    """

    def __init__(self, status: str, message: str) -> None:
        self.status = status
        super().__init__(message)

    def __reduce__(self) -> tuple[type[AnswerError], tuple[str, str]]:
        return type(self), (self.status, str(self))


class Stopped(ToolkitError):
    """The study was asked to stop (``control.json`` or `Study.stop`); what was recorded stays."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, or all of them where none is near.

    Examples
    --------
    >>> nearest("Retreival", ["Retrieval", "SlidingWindow"])
    "did you mean 'Retrieval'?"
    >>> nearest("x", ["b", "a"])
    'known: a, b'
    """
    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    close = [lowered[match] for match in difflib.get_close_matches(word.lower(), lowered, n=2, cutoff=0.6)]
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"known: {', '.join(names) or 'none'}"


def names(values: Sequence[str]) -> str:
    """Values for a message, shortened after eight.

    Examples
    --------
    >>> names(["a", "b"])
    'a, b'
    """
    shown = ", ".join(values[:8])
    return shown if len(values) <= 8 else f"{shown}, … ({len(values)} in all)"
