"""Linked notes: what is related to what is similar comes along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.choosing import LINK, REWRITE, numbered, picked, rewritten
from toolkit.traits.memory.policy import Forgotten, best
from toolkit.traits.memory.store import Scope, Within, within
from toolkit.traits.memory.written import WrittenMemory, keywords, short, words
from toolkit.traits.trait import Think, must_be_positive

KEYWORDS = Step(
    "keywords",
    "Write up to five keywords for the text, the most important first, with commas between them.",
    ("text",),
    output="keywords",
)
"""The step by which `LinkedNotes` reads a text."""

_SHOWN = 10  # notes that a model chooses links from


class LinkedNotes(WrittenMemory):
    """Notes with keywords that the model writes, each linked with similar ones; links are recalled along.

    A note is a task with its answer; the keywords stand in it, so it is found by them too. It is linked when it is
    written, both ways; a note with too many links loses its oldest. Feedback revises the answer, without a call; what
    others were rewritten to in its light stays.

    To forget a user sets notes of others that were rewritten in the light of theirs back to what they were at first.

    Parameters
    ----------
    k
        Notes found by similarity, at least 1.
    links
        Notes that a new one is linked with, at least 0. It may get as many more; its latest so many are recalled along.
    scope
        Whose notes are searched and linked.
    links_by
        ``"similarity"``: the most similar are linked. ``"model"``: of the ``2 * links`` most similar, ten at most, it
        chooses at most ``links``, or none, one call a note (see `LINK`). Where its answer is unusable, similarity
        chooses.
    rewrite
        Whether the model may write anew, for each note that a new one is linked with, its keywords and what it means in
        the light of the new one, one call each (see `REWRITE`). The task and the answer in it stay.

    Notes
    -----
    The calls of A-Mem [1]_ are those of ``LinkedNotes(links_by="model", rewrite=True)``. Unlike there, a note has
    no tags, and a sentence of context only once it is rewritten; links go both ways; only notes that are linked are
    rewritten; and rewriting is bounded: the ``sources`` of a note become those of all notes in whose light it was
    written, and after ``2 * links`` of them it begins anew with the note as it was at first.

    References
    ----------
    .. [1] Xu et al. (2025), A-Mem: agentic memory for LLM agents, arXiv 2502.12110.

    Examples
    --------
    >>> policy = LinkedNotes(k=1, links=1)
    >>> policy.reset(np.random.default_rng(0), lambda step, text: "parcel")
    >>> policy.observe(Experience("stream/0", Task("0", {"text": "where is my parcel?"}), "at the depot"))
    >>> policy.recall(Task("q", {"text": "my parcel"})).notes
    '- where is my parcel? Answer: at the depot (parcel)'
    """

    def __init__(
        self,
        k: int = 2,
        links: int = 2,
        scope: Scope = "shared",
        links_by: Literal["similarity", "model"] = "similarity",
        rewrite: bool = False,
    ) -> None:
        self.k = k
        self.links = links
        self.scope = scope
        self.links_by = links_by
        self.rewrite = rewrite

    @property
    def thinks(self) -> tuple[str, ...]:  # type: ignore[override]
        """The steps that are taken with these settings."""
        taken = ((True, KEYWORDS), (self.links_by == "model", LINK), (self.rewrite, REWRITE))
        return tuple(step.name for is_, step in taken if is_)

    def check(self) -> None:
        """At least one note; no negative number of links; a known way of choosing them."""
        must_be_positive("LinkedNotes.k", self.k)
        if isinstance(self.links, bool) or not isinstance(self.links, int) or self.links < 0:
            raise ValueError(f"LinkedNotes.links must be an integer of at least 0 but is {self.links!r}")
        if self.links_by not in ("similarity", "model"):
            raise ValueError(f"LinkedNotes.links_by must be 'similarity' or 'model' but is {self.links_by!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without notes."""
        super().reset(rng, think)
        self._lit: dict[str, set[str]] = {}  # of a rewritten note: whose words it may have in it

    def write(self, experience: Experience) -> None:
        """Write a note and link it, or revise its answer."""
        name = f"note/{experience.id}"
        before = self._store.get(name)
        if before is None:
            note = self._note(experience, name)
            for linked in self._link(note, experience.task):
                if self.rewrite:
                    self._rewrite(linked, note)
        elif best(experience) != before.answer:
            after = replace(before, answer=best(experience), known=experience.known_answer is not None)
            self._store.put(replace(after, text=_text(after.fields, after.answer)))

    def _keywords(self, text: str) -> str:
        said = self.ask(KEYWORDS, text=text) if words(text) else ""
        found = keywords(said)
        if said and not found:
            self._unusable += 1
        return ", ".join(found)

    def _note(self, experience: Experience, name: str) -> Memory:
        task, answer = experience.task, best(experience)
        fields = {"task": short(task.text), "keywords": self._keywords(task.text)}
        return Memory(
            id=name,
            text=_text(fields, answer),
            kind="note",
            fields=fields,
            answer=answer,
            known=experience.known_answer is not None,
            user=task.user,
            session=task.session,
            time=task.time,
            sources=(experience.id,),
        )

    def _link(self, note: Memory, task: Task) -> list[str]:
        """Keep a note and link it; the ids of those that it is linked with."""
        near = self._chosen(note, within(self.scope, task))
        self._store.put(replace(note, links=tuple(near)))
        for name in near:
            one = self._store.get(name)
            if one is None:
                continue
            held, most = (*one.links, note.id), 2 * self.links
            for other in held[:-most]:
                self._unlink(other, name)
            self._store.put(replace(one, links=held[-most:]))
        return near

    def _chosen(self, note: Memory, whose: Within) -> list[str]:
        shown = self.links if self.links_by == "similarity" else min(2 * self.links, max(self.links, _SHOWN))
        near = self._store.nearest(note.text, shown, within=whose)
        if near and self.links_by == "model":
            said = self.ask(LINK, notes=numbered([one.text for one in near]), new=note.text)
            found = picked(said, len(near))
            if found is not None:
                near = [near[number - 1] for number in found]
            self._unusable += bool(said) and found is None
        return [one.id for one in near[: self.links]]

    def _rewrite(self, name: str, new: Memory) -> None:
        """Let the model say what a note means in the light of a new one."""
        old = self._store.get(name)
        if old is None:
            return
        full = len(old.sources) > 2 * self.links
        before = _at_first(old) if full else old
        said = self.ask(REWRITE, old=before.text, new=new.text)
        found = rewritten(said)
        self._unusable += bool(said) and found is None
        if found is None or not found[0]:
            return
        own = before.fields.get("own_keywords", before.fields["keywords"])
        fields = {"task": before.fields["task"], "context": found[0], "keywords": found[1], "own_keywords": own}
        sources = (*before.sources, *new.sources)
        self._store.put(replace(before, fields=fields, text=_text(fields, before.answer), sources=sources))
        earlier = set() if full else self._lit.get(name, set())
        self._lit[name] = {*earlier, before.user, new.user}

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
            self._lit.pop(one.id, None)
            for name in one.links:
                self._unlink(name, one.id)

    def forget(self, user: str) -> Forgotten:
        """Remove the user's notes; what others' were rewritten to in the light of them, so that all of it is gone."""
        for name, lit in tuple(self._lit.items()):
            one = self._store.get(name)
            if user in lit and one is not None:
                self._store.put(_at_first(one))
                del self._lit[name]
        return super().forget(user)

    def state(self) -> dict[str, object]:
        """What is kept, and what is linked."""
        return {**super().state(), "links": [one.links for one in self._store]}


def _text(fields: Mapping[str, str], answer: str) -> str:
    """What a note is found by, and what stands in a prompt."""
    told = "; ".join(fields[name] for name in ("context", "keywords") if fields.get(name))
    return fields["task"] + (f" Answer: {short(answer)}" if answer else "") + (f" ({told})" if told else "")


def _at_first(one: Memory) -> Memory:
    """A note as it was before it was rewritten; its links stay."""
    fields = {"task": one.fields["task"], "keywords": one.fields.get("own_keywords", one.fields["keywords"])}
    return replace(one, fields=fields, text=_text(fields, one.answer), sources=one.sources[:1])
