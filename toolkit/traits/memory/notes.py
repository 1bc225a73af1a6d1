"""Linked notes: what is related to what is similar comes along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.policy import best
from toolkit.traits.memory.store import Scope, within
from toolkit.traits.memory.written import WrittenMemory, short, words
from toolkit.traits.trait import must_be_positive

KEYWORDS = Step(
    "keywords",
    "Write up to five keywords for the text, the most important first, with commas between them.",
    ("text",),
    output="keywords",
)
"""The step by which `LinkedNotes` reads a text."""

_MOST = 5  # keywords of one note


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
            found.setdefault(key, short(piece.strip(" -*.\"'`()"), 40))
    return list(found.values())[:_MOST]


class LinkedNotes(WrittenMemory):
    """Notes with keywords that the model writes, each linked with the most similar; links are recalled along.

    A note is a task with its answer; the keywords stand in it, so it is found by them too. It is linked when it is
    written, both ways; a note with too many links loses its oldest. Feedback revises the answer, without a call.

    Parameters
    ----------
    k
        Notes found by similarity, at least 1.
    links
        Notes that a new one is linked with, at least 0. It may get as many more; its latest so many are recalled along.
    scope
        Whose notes are searched and linked.

    Notes
    -----
    A-Mem [1]_ has a model choose the links and rewrite old notes in the light of new ones, with two more calls a note;
    here similarity chooses, and nothing is rewritten.

    References
    ----------
    .. [1] Xu et al. (2025), A-Mem: agentic memory for LLM agents, arXiv 2502.12110.

    Examples
    --------
    >>> import numpy as np
    >>> policy = LinkedNotes(k=1, links=1)
    >>> policy.reset(np.random.default_rng(0), lambda step, text: "parcel")
    >>> policy.observe(Experience("stream/0", Task("0", {"text": "where is my parcel?"}), "at the depot"))
    >>> policy.recall(Task("q", {"text": "my parcel"})).notes
    '- where is my parcel? Answer: at the depot (parcel)'
    """

    def __init__(self, k: int = 2, links: int = 2, scope: Scope = "shared") -> None:
        self.k = k
        self.links = links
        self.scope = scope

    def check(self) -> None:
        """At least one note; no negative number of links."""
        must_be_positive("LinkedNotes.k", self.k)
        if isinstance(self.links, bool) or not isinstance(self.links, int) or self.links < 0:
            raise ValueError(f"LinkedNotes.links must be an integer of at least 0 but is {self.links!r}")

    def write(self, experience: Experience) -> None:
        """Write a note and link it, or revise its answer."""
        name = f"note/{experience.id}"
        before = self._store.get(name)
        if before is None:
            self._link(self._note(experience, name, self._keywords(experience.task.text)), experience.task)
        elif best(experience) != before.answer:
            again = self._note(experience, name, before.fields["keywords"])
            self._store.put(replace(again, links=before.links))

    def _keywords(self, text: str) -> str:
        said = self.ask(KEYWORDS, text=text) if words(text) else ""
        found = keywords(said)
        if said and not found:
            self._unusable += 1
        return ", ".join(found)

    def _note(self, experience: Experience, name: str, found: str) -> Memory:
        task, answer = experience.task, best(experience)
        text = short(task.text) + (f" Answer: {short(answer)}" if answer else "") + (f" ({found})" if found else "")
        return Memory(
            id=name,
            text=text,
            kind="note",
            fields={"keywords": found},
            answer=answer,
            known=experience.known_answer is not None,
            user=task.user,
            session=task.session,
            time=task.time,
            sources=(experience.id,),
        )

    def _link(self, note: Memory, task: Task) -> None:
        near = self._store.nearest(note.text, self.links, within=within(self.scope, task))
        self._store.put(replace(note, links=tuple(one.id for one in near)))
        for one in near:
            held = (*one.links, note.id)
            most = 2 * self.links
            for other in held[:-most]:
                self._unlink(other, one.id)
            self._store.put(replace(one, links=held[-most:]))

    def _unlink(self, name: str, other: str) -> None:
        held = self._store.get(name)
        if held is not None:
            self._store.put(replace(held, links=tuple(link for link in held.links if link != other)))

    def read(self, task: Task) -> Sequence[Memory]:
        """The most similar, then what they are linked with."""
        near = self._store.nearest(task.text, self.k, within=within(self.scope, task))
        linked = (self._store.get(name) for one in near for name in one.links[-self.links :] if self.links)
        return list({one.id: one for one in (*near, *linked) if one is not None}.values())

    def drop(self, ids: Iterable[str]) -> None:
        """Let go of notes, and of the links to them."""
        gone = [one for one in map(self._store.get, ids) if one is not None]
        super().drop(one.id for one in gone)
        for one in gone:
            for name in one.links:
                self._unlink(name, one.id)

    def state(self) -> dict[str, object]:
        """What is kept, and what is linked."""
        return {**super().state(), "links": [one.links for one in self._store]}
