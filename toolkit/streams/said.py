"""The small language of the probes: what is told, what is asked, and what follows from what has been told.

Texts are made here and read here. Whoever decides by rule (`toolkit.Lookup`, `toolkit.Reader`) reads a prompt through
`answer`, sentence by sentence, so that a policy may keep what was told in words of its own as long as a sentence names
the subject, the attribute and the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

UNKNOWN = "unknown"
"""The answer that abstains; an option of every task."""
OWN = "my"
"""The subject of a statement that a user makes about himself."""
FORGET = "Please forget everything that I have told you."
AUTHORITY = "registrar"
"""The source that is right where sources differ."""
LINK = "mentor"

Belief = Literal["serial", "position"]
"""Which of several statements is believed: the one with the highest number, or the one that was read last."""

_SERIAL = re.compile(r"\bnote (\d+)\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+\b")
_VALUE = re.compile(r"What is (my|.+?'s) (\w+)\?", re.IGNORECASE)
_HOP = re.compile(rf"What is the (\w+) of (.+?)'s {LINK}\?")
_FIRST = re.compile(r"Whose (\w+) was told first, (.+?)'s or (.+?)'s\?")
_SAID = re.compile(r"Note (\d+): (?:The (\w+) says that )?(my|.+?'s) (\w+) is (.+)\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """A statement: whose attribute has which value, and who says so; without an attribute, a wish to forget.

    Examples
    --------
    >>> Said("Mara Velk", "badge", "teal").text(7)
    "Note 7: Mara Velk's badge is teal."
    >>> Said("my", "badge", "teal", source="porter").text(8)
    'Note 8: The porter says that my badge is teal.'
    """

    subject: str = ""
    attribute: str = ""
    value: str = ""
    source: str = ""

    def text(self, serial: int) -> str:
        """The statement as it is told."""
        if not self.attribute:
            return f"Note {serial}: {FORGET}"
        what = f"{_whose(self.subject)} {self.attribute} is {self.value}."
        who = f"The {self.source} says that " if self.source else ""
        return f"Note {serial}: {who or what[0].upper()}{what if who else what[1:]}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: the attribute of a subject, or of the subject's mentor, or which of two was told first.

    Examples
    --------
    >>> Asked("value", "my", "badge").text, Asked.read("Whose badge was told first, Mara Velk's or Tobi Renn's?")
    ('What is my badge?', Asked(kind='first', subject='Mara Velk', attribute='badge', other='Tobi Renn'))
    """

    kind: Literal["value", "hop", "first"]
    subject: str
    attribute: str
    other: str = ""

    @property
    def text(self) -> str:
        """The question as it is put."""
        if self.kind == "hop":
            return f"What is the {self.attribute} of {_whose(self.subject)} {LINK}?"
        if self.kind == "first":
            return f"Whose {self.attribute} was told first, {_whose(self.subject)} or {_whose(self.other)}?"
        return f"What is {_whose(self.subject)} {self.attribute}?"

    @classmethod
    def read(cls, text: str) -> Asked | None:
        """The question that a text puts; None if it is none of these."""
        if found := _FIRST.search(text):
            return cls("first", found[2], found[1], found[3])
        if found := _HOP.search(text):
            return cls("hop", found[2], found[1])
        if found := _VALUE.search(text):
            return cls("value", _bare(found[1]), found[2])
        return None


def read(text: str) -> tuple[int, Said] | None:
    """The number and the statement of a text that `Said.text` made; None if it is no such text.

    Examples
    --------
    >>> read("Note 7: Mara Velk's badge is teal.")
    (7, Said(subject='Mara Velk', attribute='badge', value='teal', source=''))
    """
    if found := _SAID.fullmatch(text):
        return int(found[1]), Said(_bare(found[3]), found[4], found[5], found[2] or "")
    number = _SERIAL.search(text)
    return (int(number[1]), Said()) if number and text.endswith(FORGET) else None


def answer(asked: Asked, texts: Iterable[str], options: Sequence[str], believing: Belief = "serial") -> str:
    """What follows from texts for a question: the believed statement's option, else `UNKNOWN`.

    Parameters
    ----------
    asked
        The question.
    texts
        What was read, in the order of reading. Sentences that are questions say nothing.
    options
        The closed answers.
    believing
        Which of several statements counts. What has no number counts as older than what has one.

    Examples
    --------
    >>> told = ["Note 9: Mara Velk's badge is teal.", "Note 4: Mara Velk's badge is olive."]
    >>> question = Asked("value", "Mara Velk", "badge")
    >>> answer(question, told, ["teal", "olive"]), answer(question, told, ["teal", "olive"], "position")
    ('teal', 'olive')
    """
    sentences = [one for text in texts for one in _sentences(text)]
    if asked.kind == "first":
        places = [_about(name, asked.attribute, sentences, believing) for name in (asked.subject, asked.other)]
        if not all(places):
            return UNKNOWN
        return asked.subject if min(places[0])[:2] < min(places[1])[:2] else asked.other
    subject = _linked(asked.subject, sentences, believing) if asked.kind == "hop" else asked.subject
    found = [
        (serial, place, option)
        for serial, place, sentence in _about(subject, asked.attribute, sentences, believing)
        for option in options
        if re.search(rf"\b{re.escape(option)}\b", sentence, re.IGNORECASE)
    ]
    return max(found)[2] if found else UNKNOWN


def _linked(subject: str, sentences: Sequence[str], believing: Belief) -> str:
    """The name of a subject's mentor; empty if nobody said."""
    for _, _, sentence in sorted(_about(subject, LINK, sentences, believing), reverse=True):
        for name in _NAME.findall(sentence.replace(subject, "")):
            return str(name)
    return ""


def _about(subject: str, attribute: str, sentences: Sequence[str], believing: Belief) -> list[tuple[int, int, str]]:
    """Sentences that name a subject and an attribute, with their number (-1: none) and place."""
    if not subject:
        return []
    both = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in (subject, attribute)]
    found = []
    for place, sentence in enumerate(sentences):
        if not sentence.endswith("?") and all(word.search(sentence) for word in both):
            number = _SERIAL.search(sentence) if believing == "serial" else None
            found.append((int(number[1]) if number else -1, place, sentence))
    return found


def _sentences(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"\n|(?<=[.?!])\s+", text) if one.strip()]


def _whose(subject: str) -> str:
    return subject if subject == OWN else f"{subject}'s"


def _bare(whose: str) -> str:
    return OWN if whose.lower() == OWN else whose.removesuffix("'s")
