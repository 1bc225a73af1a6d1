"""What policies have in common that let the model write: what is kept of it, and what is forgotten."""

from __future__ import annotations

import numpy as np

from toolkit.errors import names
from toolkit.traits.memory.policy import Forgotten, succeeded
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.trait import Think
from toolkit.traits.wording import READ, Asking, lettered, prose, short, words

__all__ = ["AROUND", "READ", "WrittenMemory", "keywords", "lettered", "prose", "short", "succeeded", "words"]

_KEYWORDS = 5  # of one text

AROUND = " -*.\"'`()"
"""What models put around what they write."""


def keywords(said: str) -> list[str]:
    """The keywords in what a model wrote: at most five, of at most four words each, none twice.

    Examples
    --------
    >>> keywords("parcel, Late delivery; parcel, I would say that the keywords are these")
    ['parcel', 'Late delivery']
    """
    found: dict[tuple[str, ...], str] = {}
    for piece in said.replace(";", ",").split(","):
        key = tuple(words(piece))
        if 0 < len(key) <= 4:
            found.setdefault(key, short(piece.strip(AROUND), 40))
    return list(found.values())[:_KEYWORDS]


class WrittenMemory(StoredMemory, Asking, abstract=True):
    """Base of the policies that let the model write what is kept.

    What the model says is taken as one line of bounded length. What is no use is not kept, and is counted: a small
    model's nonsense ends no run.
    """

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty store."""
        super().reset(rng, think)
        self.may_ask(think)

    def forget(self, user: str) -> Forgotten:
        """Remove what was made from the user's episodes; say which memories of others call them by name."""
        found = super().forget(user)
        name = words(user)
        called = [one.id for one in self._store if name and set(name) <= set(words(one.text))]
        told = f"{len(called)} of others call {user!r} by name, perhaps: {names(called)}"
        return Forgotten(found.removed, (*found.could_not, *([told] if called else [])))

    def state(self) -> dict[str, object]:
        """What is kept, and how often the model gave nothing."""
        return {**super().state(), "unusable": self._unusable}
