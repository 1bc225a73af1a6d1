"""Versions of prompts as MLflow is to hold them: as files of their run and, by name, in its registry of prompts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.component import digest

_MOST = 200  # characters of a name


@dataclass(frozen=True, slots=True)
class PromptText:
    """One version of a run's prompts.

    Parameters
    ----------
    number
        As the ledger counts them: from 0, which is what prompts carry anyway.
    text
        What it says, for people; never empty.
    fate, why
        What it is by now, and why.
    in_force
        Whether it is the one that prompts carried last.
    """

    number: int
    text: str
    fate: str
    why: str
    in_force: bool

    @property
    def mark(self) -> str:
        """What tells it from a version of another text."""
        return f"{self.number} {digest(self.text)[:12]}"


@dataclass(frozen=True, slots=True)
class Prompts:
    """All versions of one run.

    Parameters
    ----------
    versions
        In the order of their numbers.
    files
        Texts by the name of the file that they are to become.
    """

    versions: Sequence[PromptText] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def prompt_name(*parts: str) -> str:
    """A name that MLflow takes: letters, digits, ``-``, ``_`` and ``.``; where others were left out, with a digest.

    Examples
    --------
    >>> prompt_name("study", "tuned", "seed-0")
    'study.tuned.seed-0'
    >>> prompt_name("études", "tuned")
    'tudes.tuned.4bdaca7a'
    """
    plain = [re.sub(r"[^a-zA-Z0-9_-]+", "-", part).strip("-") or "x" for part in parts]
    name = ".".join(plain)
    return name if plain == list(parts) and len(name) <= _MOST else f"{name[: _MOST - 9]}.{digest(list(parts))[:8]}"
