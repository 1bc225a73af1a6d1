"""A customer who needs no model: speaks the facts of a scenario when they are asked for, by a few fixed rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Opening: TypeAlias = Literal["all", "reason"]
"""What a customer says at first: also who they are, or only what they want."""

_NOTES = 'A customer\'s case, as it was noted down; "you" is the customer.'
_UNKNOWN = "That I do not know."
_WHICH = "Say by its number which order it is about, and by theirs which items: then I can say yes or no."

_CONFIRMS = re.compile(r"\b(confirm|proceed|go ahead|(shall|should|may) i|agree|is (that|this) (right|correct))", re.I)
_SECRET = re.compile(r"\bdo not (share|reveal) (it|this)\b", re.I)
_NAMED = re.compile(r"#\w+|\b\w*\d{7,}\b")
_WHO = re.compile(r"\b(your|first|last|full) name|\bwho\b|\bidentity|\bverify|\buser ?(id|name)", re.I)
_ABOUT: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asked, re.I), re.compile(told, re.I))
    for asked, told in (
        (r"\be-?mail", r"@|\be-?mail"),
        (r"\b(zip|postal|postcode)", r"\b\d{5}\b"),
        (r"\border (ids?|numbers?)\b|\b(which|what) orders?\b", r"#\w+|\border (ids?|numbers?)"),
        (r"\b(why|reasons?)\b", r"\breason|\bno longer|\bmistake|\bbecause|\baccident"),
        (r"\b(pay|payment|refund|card|paypal)", r"\b(pay|payment|paypal|gift ?card|credit card|refund)"),
        (r"\b(address|street|city|live|ship)", r"\b(address|street|live|living|avenue|highway|drive|\d{5})\b"),
    )
)
"""What a question is about, and the sentences that speak of it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a customer knows and wants, in the data's words.

    Parameters
    ----------
    reason
        What they want.
    known
        Who they are.
    unknown
        What they do not know.
    manner
        How they behave, and what they say only when they are asked.
    """

    reason: str
    known: str = ""
    unknown: str = ""
    manner: str = ""


class ScriptedUser:
    """A customer made of a scenario's own sentences.

    It can: say what it wants; answer a question with the sentences of its scenario that speak of the same thing (email,
    zip code, name, order number, reason, payment, address; else those that share most words with the question); say
    that it does not know; say yes to a change that it still wants, named by its numbers, and no to others.

    It cannot: change its mind, bargain, react to what it is offered, lie, hesitate, or say anything in other words than
    the scenario's, which speak of the customer as "you". What it would only do under a condition ("if the agent asks
    for confirmation, only exchange the lamp") it tells as it stands. A sentence that must not be shared is never told.
    It is a source of facts, not a simulation of people: results with it cannot be compared with those of a customer
    that a model plays.

    Parameters
    ----------
    scenario
        What it knows.
    opening
        What it says at first.

    Attributes
    ----------
    told
        The sentences that it has said, but for those that say what it does not know.

    Examples
    --------
    >>> user = ScriptedUser(Scenario("You want to cancel an order.", "You are Ada in zip code 19122."), "reason")
    >>> user.answer("What is your zip code?"), user.answer("And your email?")
    ('You are Ada in zip code 19122.', 'That I do not know.')
    """

    def __init__(self, scenario: Scenario, opening: Opening = "all") -> None:
        known, reason = _sentences(scenario.known), _sentences(scenario.reason)
        unknown = _sentences(scenario.unknown)
        self._all = [*known, *reason, *unknown, *_sentences(scenario.manner)]
        self._first = [*known, *reason] if opening == "all" else reason
        self._who, self._unknown = frozenset(known), frozenset(unknown)
        self.told: set[str] = set(self._first)

    @property
    def first(self) -> str:
        """What it says at first."""
        return " ".join((_NOTES, *self._first))

    @property
    def is_known(self) -> bool:
        """Whether it has said who it is, or has nothing to say of it."""
        return not self._who or bool(self._who & self.told)

    def answer(self, question: str, wanted: Sequence[str] = ()) -> str:
        """What it answers; ``wanted`` are the changes that it still wants, as actions."""
        if _CONFIRMS.search(question):
            return _agreed(question, wanted)
        found = self._facts(question)
        self.told |= set(found) - self._unknown
        return " ".join(found) or _UNKNOWN

    def _facts(self, question: str) -> list[str]:
        about = [told for asked, told in _ABOUT if asked.search(question)]
        who = self._who if _WHO.search(question) else frozenset[str]()
        if about or who:
            return [one for one in self._all if one in who or any(told.search(one) for told in about)]
        words = _words(question)
        shared = {one: len(words & _words(one)) for one in self._all}
        most = max(shared.values(), default=0)
        return [one for one, count in shared.items() if most and count == most]


def _agreed(question: str, wanted: Sequence[str]) -> str:
    named = set(_NAMED.findall(question))
    if not named:
        return _WHICH
    return "Yes." if any(all(one in action for one in named) for action in wanted) else "No, not that."


def _sentences(text: str) -> list[str]:
    parts = (part.strip() for part in re.split(r"(?<=[.!?])\s+", text))
    return [part for part in parts if any(letter.isalnum() for letter in part) and not _SECRET.search(part)]


def _words(text: str) -> set[str]:
    """Words that carry something, without their endings."""
    return {word[:5] for word in re.findall(r"[a-z0-9]{4,}", text.lower())} - {"what", "which", "would", "your"}
