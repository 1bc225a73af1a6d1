"""What policies have in common that let the model write: how it is asked, and what becomes of nonsense."""

from __future__ import annotations

import re

import numpy as np

from toolkit.errors import AnswerError
from toolkit.records import Experience, Step, names
from toolkit.traits.memory.policy import Forgotten, line
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.trait import Think

LONGEST = 400
"""Characters of one thing that a policy writes."""

READ = 2_000
"""Characters of one text that the model is shown: what is longer would push everything else out of its context."""

_WORD = re.compile(r"[^\W_]+")


def short(text: str, most: int = LONGEST) -> str:
    """A text on one line of at most ``most`` characters, cut at the end of a word where there is one.

    Examples
    --------
    >>> short("the parcel\\nis late", 12)
    'the parcel …'
    """
    bare = line(text[: 4 * most])  # nobody reads a megabyte to keep a line
    if not bare or (len(bare) <= most and len(text) <= 4 * most):
        return bare
    return f"{bare[: most - 1].rpartition(' ')[0] or bare[: most - 2]} …"


def words(text: str) -> list[str]:
    """Letters and digits of a text as words, case folded."""
    return _WORD.findall(text.casefold())


def succeeded(experience: Experience, threshold: float = 1.0) -> bool | None:
    """Whether an answer was right, by its score or else the correction; None where the feedback does not tell."""
    told = experience.feedback
    if told is None or (told.score is None and told.correction is None):
        return None
    return told.score >= threshold if told.score is not None else told.correction == experience.answer


class WrittenMemory(StoredMemory, abstract=True):
    """Base of the policies that let the model write what is kept.

    What the model says is taken as one line of bounded length. What is no use is not kept, and is counted: a small
    model's nonsense ends no run.
    """

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty store."""
        super().reset(rng, think)
        self._think = think
        self._unusable = 0

    @property
    def unusable(self) -> int:
        """How often the model gave nothing that could be kept."""
        return self._unusable

    def ask(self, step: Step, most: int = LONGEST, **texts: str) -> str:
        """What the model says to some texts, each on one line; "" where it said nothing, which is counted."""
        try:
            said = self._think(step, **{name: short(text, READ) for name, text in texts.items()})
        except AnswerError:  # it does not parse or does not fit: the model's doing, and no reason to end a run
            said = ""
        found = short(said, most)
        if not words(found):
            self._unusable += 1
            return ""
        return found

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
