"""Facts out of texts: what a text states in so many words, and what a model lists of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.records import Step
from toolkit.traits.memory.written import AROUND, short, words

EXTRACT = Step(
    "extract-facts",
    "Text: Ann's phone number is 12 and she lives in Rome.\n"
    "Facts: Ann | phone number | 12; Ann | city | Rome\n\n"
    "Write the facts that the next text states in the same way; none, if it states none.",
    ("text",),
    output="facts",
)
"""The step by which `toolkit.traits.memory.Facts` reads a text, ``extract="model"``."""

_PART = 120  # characters of a subject, an attribute or a value
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_STATED = re.compile(
    r"^(?:.{0,80}[,:]\s+)?(?:(?P<subject>[^,:;?]{1,60}?)['’]s|(?P<mine>my))\s+(?P<attribute>[^,:;?]{1,60}?)\s+"
    r"(?:is|are)\s+(?:now\s+)?(?P<value>[^?]{1,120}?)[.!;]*$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^\s*\d+[.)]\s+")


@dataclass(frozen=True, slots=True)
class Fact:
    """A subject's attribute and its value, as a text states it.

    Examples
    --------
    >>> str(Fact("Mara", "locker code", "5821"))
    "Mara's locker code is 5821"
    """

    subject: str
    attribute: str
    value: str

    def __str__(self) -> str:
        return f"{self.subject}'s {self.attribute} is {self.value}"


def stated(text: str, user: str = "") -> list[Fact]:
    """The facts that a text states in so many words: ``<subject>'s <attribute> is <value>``; ``my`` is the user's.

    Examples
    --------
    >>> stated("Hello! From now on, Mara's locker code is 5821. What is Ben's?")
    [Fact(subject='Mara', attribute='locker code', value='5821')]
    >>> stated("My locker code is now 7001.", user="mara")
    [Fact(subject='mara', attribute='locker code', value='7001')]
    """
    found = []
    for sentence in _SENTENCE.split(text):
        said = _STATED.match(sentence.strip()) if len(sentence) <= 400 else None
        if said:
            subject = said["subject"] or user or "user"
            found.append(Fact(*(short(part, _PART) for part in (subject, said["attribute"], said["value"]))))
    return [fact for fact in found if all(words(part) for part in (fact.subject, fact.attribute, fact.value))]


def written(said: str, text: str, user: str = "") -> list[Fact]:
    """The facts in what a model wrote about a text: three parts each, or a sentence that `stated` takes.

    Every word of the value, and of the subject unless it is the user, must stand in the text: what a model makes up, or
    copies from its instruction, is no fact.

    Examples
    --------
    >>> written("Mara | code | 5821; Mara | dog | Rex; nonsense", "Mara's code is 5821.")
    [Fact(subject='Mara', attribute='code', value='5821')]
    """
    there, found = {*words(text), *words(user)}, list[Fact]()
    for piece in said.split(";"):
        parts = [short(part.strip(AROUND), _PART) for part in piece.split("|")]
        if len(parts) == 3 and all(words(part) for part in parts):
            whose = (user or "user") if words(parts[0]) in (["user"], ["i"], ["me"]) else parts[0]
            found.append(Fact(whose, *parts[1:]))
        elif len(parts) == 1:
            found += stated(_NUMBERED.sub("", parts[0]), user)
    known = {"user", *there}
    return [one for one in dict.fromkeys(found) if {*words(one.subject)} <= known and {*words(one.value)} <= there]
