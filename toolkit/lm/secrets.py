"""Keys are for the wire only: what comes back, and what is written, is searched for them first."""

from __future__ import annotations

import os
import re

_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
_SHORT = 8  # a value with fewer characters ("none", "EMPTY") is a word that answers may use, and no secret
_HEAD = 12  # characters by which a key is known that was cut off


def secrets(*named: str) -> tuple[str, ...]:
    """Values that must not be written: those of the environment's variables whose names say so, and of ``named`` ones.

    Parameters
    ----------
    named
        Further variables.
    """
    told = {value for name, value in os.environ.items() if _NAMES.search(name) or name in named}
    return tuple(sorted((value for value in told if len(value) >= _SHORT), key=len, reverse=True))


def redacted(text: str, hidden: tuple[str, ...], *, torn: bool = False) -> str:
    """A text without secrets.

    Parameters
    ----------
    hidden
        See `secrets`.
    torn
        Also beginnings of secrets: an error's excerpt may end in the middle of one.

    Examples
    --------
    >>> redacted("Bearer sk-planted-0123456789", ("sk-planted-0123456789",))
    'Bearer [key]'
    >>> redacted("Bearer sk-planted-0123…", ("sk-planted-0123456789",), torn=True)
    'Bearer [key]'
    """
    for value in hidden:
        text = text.replace(value, "[key]")
        if torn and len(value) > _HEAD:
            text = re.sub(re.escape(value[:_HEAD]) + r"\S*", "[key]", text)
    return text
