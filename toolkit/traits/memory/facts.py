"""Facts that the agent writes itself: who or what, which property, its value, and how long it held."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.policy import Forgotten
from toolkit.traits.memory.store import Scope, Within, within
from toolkit.traits.memory.written import WrittenMemory, short, words
from toolkit.traits.trait import Think, must_be_positive

EXTRACT = Step(
    "extract-facts",
    "Text: Ann's phone number is 12 and she lives in Rome.\n"
    "Facts: Ann | phone number | 12; Ann | city | Rome\n\n"
    "Write the facts that the next text states in the same way; none, if it states none.",
    ("text",),
    output="facts",
)
"""The step by which `Facts` reads a text, ``extract="model"``."""

_MOST = 8  # facts of one text
_PART = 120  # characters of a subject, an attribute or a value
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_STATED = re.compile(
    r"^(?:.{0,80}[,:]\s+)?(?:(?P<subject>[^,:;?]{1,60}?)['’]s|(?P<mine>my))\s+(?P<attribute>[^,:;?]{1,60}?)\s+"
    r"(?:is|are)\s+(?:now\s+)?(?P<value>[^?]{1,120}?)[.!;]*$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^\s*\d+[.)]\s+")
_AROUND = " -*.\"'`()"
_ARTICLES = {"a", "an", "the"}


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
        parts = [short(part.strip(_AROUND), _PART) for part in piece.split("|")]
        if len(parts) == 3 and all(words(part) for part in parts):
            whose = (user or "user") if words(parts[0]) in (["user"], ["i"], ["me"]) else parts[0]
            found.append(Fact(whose, *parts[1:]))
        elif len(parts) == 1:
            found += stated(_NUMBERED.sub("", parts[0]), user)
    known = {"user", *there}
    return [one for one in dict.fromkeys(found) if {*words(one.subject)} <= known and {*words(one.value)} <= there]


class Facts(WrittenMemory):
    """Facts that the agent takes from what it is told; of a newer value the older one is kept, but no longer holds.

    Each text is read once, when the task is met. Corrections and words of feedback are read when they arrive, except a
    correction that is one of the task's options: a choice states no fact. A fact that is already known is not written
    again; a new value of the same subject and attribute (articles and case aside) ends the old one: its ``until`` is
    the time of the new one, as in Zep [2]_. What holds is recalled, a line each, the most similar to the task first.

    Parameters
    ----------
    k
        Facts recalled, at least 1.
    scope
        Whose facts are searched, and superseded by new ones.
    extract
        ``"model"``: the model lists the facts of a text, one call for each (see `EXTRACT`); what it lists must stand in
        the text. ``"rule"``: sentences of the form ``<subject>'s <attribute> is <value>`` are taken, without a model.
    history
        Whether facts that no longer hold are recalled too, marked ``(until <time>)``.

    Notes
    -----
    Mem0 [1]_ lets a model decide of each new fact whether to add it, to update or delete one, or to do nothing. Here
    subject and attribute decide, so that the same life gives the same facts, at one call a text. A fact told again by
    somebody else stays that of whoever told it first, and goes when they are forgotten.

    References
    ----------
    .. [1] Chhikara et al. (2025), Mem0: building production-ready AI agents with scalable long-term memory,
       arXiv 2504.19413.
    .. [2] Rasmussen et al. (2025), Zep: a temporal knowledge graph architecture for agent memory, arXiv 2501.13956.

    Examples
    --------
    >>> policy = Facts(extract="rule")
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for time, said in enumerate(["Mara's code is 5821.", "Mara's code is 7001."]):
    ...     policy.observe(Experience(f"stream/{time}", Task(f"t{time}", {"text": said}, time=time), ""))
    >>> policy.recall(Task("q", {"text": "What is Mara's code?"})).notes
    "- Mara's code is 7001"
    >>> [(one.fields["value"], one.until) for one in policy.memories()]
    [('5821', 1), ('7001', None)]
    """

    def __init__(
        self, k: int = 4, scope: Scope = "shared", extract: Literal["model", "rule"] = "model", history: bool = False
    ) -> None:
        self.k = k
        self.scope = scope
        self.extract = extract
        self.history = history

    def check(self) -> None:
        """At least one fact; a known way of reading."""
        must_be_positive("Facts.k", self.k)
        if self.extract not in ("model", "rule"):
            raise ValueError(f"Facts.extract must be 'model' or 'rule' but is {self.extract!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without facts."""
        super().reset(rng, think)
        self._holds: dict[tuple[str, ...], str] = {}  # by whose, subject and attribute: the fact that holds
        self._count = 0

    def write(self, experience: Experience) -> None:
        """Read the text, or what the feedback says of it."""
        for text in _told(experience):
            for fact in self._read(text, experience.task.user)[:_MOST]:
                self._keep(fact, experience)

    def _read(self, text: str, user: str) -> list[Fact]:
        if self.extract == "rule":
            return stated(text, user)
        said = self.ask(EXTRACT, text=text) if words(text) else ""
        found = written(said, text, user)
        if said and not found and words(said) != ["none"]:
            self._unusable += 1
        return found

    def _keep(self, fact: Fact, experience: Experience) -> None:
        task = experience.task
        key = self._key(within(self.scope, task), fact.subject, fact.attribute)
        before = self._store.get(self._holds.get(key, ""))
        if before is not None and words(before.fields["value"]) == words(fact.value):
            return
        new = Memory(
            id=f"fact/{self._count}",
            text=str(fact),
            kind="fact",
            fields={"subject": fact.subject, "attribute": fact.attribute, "value": fact.value},
            user=task.user,
            session=task.session,
            time=task.time,
            sources=(experience.id,),
        )
        if before is not None:
            self._store.put(replace(before, until=task.time, links=(new.id,)))
        self._store.put(new)
        self._holds[key] = new.id
        self._count += 1

    @staticmethod
    def _key(whose: Within, subject: str, attribute: str) -> tuple[str, ...]:
        return (whose[1], *(" ".join(w for w in words(part) if w not in _ARTICLES) for part in (subject, attribute)))

    def read(self, task: Task) -> Sequence[Memory]:
        """The most similar that hold; with ``history`` also those that did."""
        wanted = 4 * self.k
        while True:  # those that no longer hold are passed over, so more may have to be looked at
            found = self._store.nearest(task.text, wanted, within=within(self.scope, task))
            shown = [one for one in found if self.history or one.until is None][: self.k]
            if len(shown) == self.k or len(found) < wanted:
                return [_dated(one) for one in shown]
            wanted *= 16  # each time everything is compared again, so not often

    def drop(self, ids: Iterable[str]) -> None:
        """Let go of facts; what they took the place of does not hold again."""
        gone = set(ids)
        super().drop(sorted(gone))
        self._holds = {key: name for key, name in self._holds.items() if name not in gone}

    def forget(self, user: str) -> Forgotten:
        """Remove what the user told; what it took the place of holds until the next that is left, or still."""
        links = {one.id: one.links for one in self._store}
        found = super().forget(user)
        gone = set(found.removed)
        for one in tuple(self._store):
            after = one.links
            while after and after[0] in gone:
                after = links[after[0]]
            if after != one.links:
                self._follow(one, after)
        return found

    def _follow(self, one: Memory, after: tuple[str, ...]) -> None:
        """Let a fact whose successors are forgotten hold until the next that is left, or still."""
        following = self._store.get(after[0]) if after else None
        until = one.until if after else None
        self._store.put(replace(one, links=after, until=until if following is None else following.time))
        if not after:
            self._holds[self._key_of(one)] = one.id

    def _key_of(self, one: Memory) -> tuple[str, ...]:
        whose = within(self.scope, Task("", {}, user=one.user, session=one.session))
        return self._key(whose, one.fields["subject"], one.fields["attribute"])


def _told(experience: Experience) -> list[str]:
    """The texts of an experience that may state something, each once in its life."""
    if experience.feedback is None:
        return [experience.task.text]
    right, said = experience.feedback.correction, experience.feedback.text
    open_answer = right is not None and right not in experience.task.options
    return [text for text in (f"{experience.task.text}\nThe answer is: {right}" if open_answer else "", said) if text]


def _dated(one: Memory) -> Memory:
    return one if one.until is None else replace(one, text=f"{one.text} (until {one.until:g})")
