"""What a model decides of what is kept: the steps in which it is shown numbered memories, and how its answer is read.

An answer is read from its beginning: the decision, then nothing, or a full stop, a colon or a bracket and an
explanation. So an instruction that is recited, or two decisions in one, are no decision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from toolkit.records import Step
from toolkit.traits.memory.written import AROUND, READ, keywords, prose, short, words

MERGE = Step(
    "merge-fact",
    "Known: 1. Ann's dog is Rex; 2. Ann's city is Oslo\nNew: Ann's home is Rome\nDecision: update 2\n\n"
    "Decide what the next new fact does to the known ones: add, if it says something else; update and the number of "
    "the one whose place it takes; delete and the number of the one that is over, if it only says so; nothing, if it "
    "is known already.",
    ("known", "new"),
    output="decision",
)
"""The step by which `toolkit.traits.memory.Facts` compares a new fact with similar ones, ``merge="model"``."""

LINK = Step(
    "link-note",
    "Write the numbers of the notes that belong to the new one, with commas between them; none, if none does.",
    ("notes", "new"),
    output="numbers",
)
"""The step by which `toolkit.traits.memory.LinkedNotes` chooses links, ``links_by="model"``."""

REWRITE = Step(
    "rewrite-note",
    "Old: Where is my parcel? Answer: at the depot (parcel)\nNew: The depot burnt down. (depot, fire)\n"
    "Rewritten: A parcel was at the depot that burnt down. | parcel, depot, fire\n\n"
    "Write in the same way what the next old note means in the light of the new one, and its keywords; same, if "
    "nothing changes.",
    ("old", "new"),
    output="rewritten",
)
"""The step by which `toolkit.traits.memory.LinkedNotes` rewrites what it links, ``rewrite=True``."""

Operation: TypeAlias = Literal["add", "update", "delete", "nothing"]
"""What a new fact does to those that are kept, in Mem0's words."""

CONTEXT = 160
"""Characters of what a note means in the light of others."""

_OPERATIONS: dict[str, Operation] = {
    "add": "add",
    "update": "update",
    "delete": "delete",
    "nothing": "nothing",
    "none": "nothing",
    "noop": "nothing",
}
_EXPLAINED = re.compile(r"[.:](?:\s|$)|\(")


def numbered(texts: Sequence[str]) -> str:
    """Texts as a model is shown them: numbered from 1, and cut so that all of them are seen.

    Examples
    --------
    >>> numbered(["Ann's dog is Rex", "Ann's city is Oslo"])
    "1. Ann's dog is Rex; 2. Ann's city is Oslo"
    """
    room = READ // max(1, len(texts)) - len("99. ; ")
    return "; ".join(f"{place}. {short(text, room)}" for place, text in enumerate(texts, 1))


def decision(said: str, of: int) -> tuple[Operation, int] | None:
    """What a model decided of a new fact, and the number of the fact that is meant, 0 where none is; None = neither.

    Examples
    --------
    >>> decision("Update 2: she moved", of=3), decision("add", of=3), decision("delete 4", of=3)
    (('update', 2), ('add', 0), None)
    """
    what, *rest = _begin(said) or [""]
    operation = _OPERATIONS.get(what)
    numbers = _numbers(rest)
    if operation in ("update", "delete") and numbers is not None and len(numbers) == 1 and 1 <= numbers[0] <= of:
        return operation, numbers[0]
    return (operation, 0) if operation in ("add", "nothing") and not rest else None


def picked(said: str, of: int) -> tuple[int, ...] | None:
    """The numbers that a model chose, none twice and each from 1 to ``of``; () = none of them; None = no choice.

    Examples
    --------
    >>> picked("2 and 1, 2. They are about the depot.", of=3), picked("none", of=3), picked("notes", of=3)
    ((2, 1), (), None)
    """
    begin = _begin(said)
    if begin in (["none"], ["nothing"]):
        return ()
    numbers = _numbers([one for one in begin if one != "and"])
    fit = tuple(dict.fromkeys(one for one in numbers or () if 1 <= one <= of))
    return fit or None


def rewritten(said: str) -> tuple[str, str] | None:
    """What a model wrote of an old note: its meaning and its keywords, ("", "") for the same; None = neither.

    Examples
    --------
    >>> rewritten("A parcel was at the depot that burnt down. | parcel, fire"), rewritten("same"), rewritten("parcel")
    (('A parcel was at the depot that burnt down', 'parcel, fire'), ('', ''), None)
    """
    if _begin(said) == ["same"]:
        return "", ""
    context, _, rest = said.partition("|")
    meant, found = prose(short(context.strip(AROUND), CONTEXT)), ", ".join(keywords(rest))
    return (meant, found) if meant and found and "|" not in rest else None


def _begin(said: str) -> list[str]:
    """The words of an answer up to its explanation."""
    return words(_EXPLAINED.split(said.strip(), maxsplit=1)[0])


def _numbers(given: Sequence[str]) -> list[int] | None:
    """Words as numbers; None if one is none."""
    return [int(one) for one in given] if all(one.isdecimal() and len(one) <= 3 for one in given) else None
