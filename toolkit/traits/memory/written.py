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

AROUND = " -*.\"'`()"
"""What models put around what they write."""

_KEYWORDS = 5  # of one text
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


def prose(said: str) -> str:
    """Words that a model wrote, up to where it repeats a sentence; "" where it counts, babbles or goes in circles.

    There must be three words, at least half of the words must have letters, none more than forty characters, and of
    twelve words or more at least half of the runs of three must differ.

    Examples
    --------
    >>> prose("1. Ask for the number. 2. Ask for the number. 3. Ask for")
    '1. Ask for the number.'
    >>> prose("1. 2. 3. 4. 5. 6. 7."), prose("The return of the return of the return of the return of the return of")
    ('', '')
    """
    kept: dict[tuple[str, ...], str] = {}
    for sentence in re.split(r"(?<=[.!?])\s+", said):
        if tuple(words(sentence)) in kept:
            break
        kept[tuple(words(sentence))] = sentence
    sentences = list(kept.values())
    while sentences and not lettered(sentences[-1]):
        sentences.pop()
    found = " ".join(sentences)
    used = words(found)
    runs = [tuple(used[place : place + 3]) for place in range(len(used) - 2)]
    circles = len(used) >= 12 and 2 * len(set(runs)) < len(runs)
    babble = 2 * len(lettered(found)) < len(used) or any(len(word) > 40 for word in used)
    return "" if len(used) < 3 or circles or babble else found


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


def lettered(text: str) -> list[str]:
    """The words of a text that have a letter in them."""
    return [word for word in words(text) if any(one.isalpha() for one in word)]


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
        return self.usable(short(said, most))

    def ask_prose(self, step: Step, most: int = LONGEST, **texts: str) -> str:
        """As `ask`, but only what can be read; see `prose`."""
        said = self.ask(step, most, **texts)
        return self.usable(prose(said)) if said else ""

    def usable(self, found: str) -> str:
        """What was found, unless it has no word in it: then "", and it is counted."""
        if words(found):
            return found
        self._unusable += 1
        return ""

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
