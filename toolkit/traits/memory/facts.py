"""Facts that the agent writes itself: who or what, which property, its value, and how long it held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from toolkit.records import Experience, Memory, Task
from toolkit.traits.memory.choosing import MERGE, Operation, decision, numbered
from toolkit.traits.memory.extraction import EXTRACT, Fact, stated, written
from toolkit.traits.memory.policy import Forgotten
from toolkit.traits.memory.store import Scope, Within, within
from toolkit.traits.memory.written import WrittenMemory, words
from toolkit.traits.trait import Think, must_be_positive

_MOST = 8  # facts of one text
_COMPARED = 10  # facts that a new one is compared with at most, as in Mem0
_ARTICLES = {"a", "an", "the"}
_About: TypeAlias = tuple[str, ...]  # whose, subject and attribute


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
    merge
        ``"rule"``: subject and attribute say which facts a new one ends, as above. ``"model"``: it is shown the new
        fact and the ``k`` most similar ones that hold, ten at most, and decides, one call for each new fact, none while
        no fact holds (see `MERGE`). Where its answer is unusable, the rule applies.

    Notes
    -----
    Mem0 [1]_ lets a model decide of each new fact whether to *add* it, to *update* or *delete* one, or to do *nothing*.
    With ``merge="model"`` so it is here, but that nothing is lost: of an update the old fact is kept as by the rule; of
    a deletion the new one is kept too, as a ``"retraction"``, which never holds and is never recalled, so that
    forgetting whoever told it undoes it. What is added holds beside others of its subject and attribute. Mem0 may
    write one text of both facts; here the new one stands as it was told. By the rule the same life gives the same facts
    whatever the model, at one call a text.

    A fact told again by somebody else stays that of whoever told it first, and goes when they are forgotten.

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

    Told in other words, it takes a model to see that one fact ends the other:

    >>> policy = Facts(extract="rule", merge="model")
    >>> policy.reset(np.random.default_rng(0), lambda step, known, new: "update 1")
    >>> for time, said in enumerate(["Mara's city is Oslo.", "Mara's new home is Rome."]):
    ...     policy.observe(Experience(f"stream/{time}", Task(f"t{time}", {"text": said}, time=time), ""))
    >>> policy.recall(Task("q", {"text": "Where does Mara live?"})).notes
    "- Mara's new home is Rome"
    """

    def __init__(
        self,
        k: int = 4,
        scope: Scope = "shared",
        extract: Literal["model", "rule"] = "model",
        history: bool = False,
        merge: Literal["rule", "model"] = "rule",
    ) -> None:
        self.k = k
        self.scope = scope
        self.extract = extract
        self.history = history
        self.merge = merge

    @property
    def thinks(self) -> tuple[str, ...]:  # type: ignore[override]
        """The steps that the model and not a rule takes."""
        by = ((self.extract, EXTRACT), (self.merge, MERGE))
        return tuple(step.name for who, step in by if who == "model")

    def check(self) -> None:
        """At least one fact; a known way of reading and of merging."""
        must_be_positive("Facts.k", self.k)
        for name in ("extract", "merge"):
            if getattr(self, name) not in ("model", "rule"):
                raise ValueError(f"Facts.{name} must be 'model' or 'rule' but is {getattr(self, name)!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without facts."""
        super().reset(rng, think)
        self._holds: dict[_About, tuple[str, ...]] = {}  # the facts that hold; by the rule one of each
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
        whose = within(self.scope, task)
        about = self._about(whose, fact.subject, fact.attribute)
        same = [one for name in self._holds.get(about, ()) if (one := self._store.get(name)) is not None]
        if any(words(one.fields["value"]) == words(fact.value) for one in same):
            return
        what, ended = self._merged(fact, whose, same)
        if what == "nothing":
            return
        new = Memory(
            id=f"fact/{self._count}",
            text=str(fact),
            kind="retraction" if what == "delete" else "fact",
            fields={"subject": fact.subject, "attribute": fact.attribute, "value": fact.value},
            user=task.user,
            session=task.session,
            time=task.time,
            sources=(experience.id,),
            until=task.time if what == "delete" else None,
        )
        self._count += 1
        for one in ended:
            self._lift(one)
            self._store.put(replace(one, until=task.time, links=(new.id,)))
        self._store.put(new)
        if new.until is None:
            self._hold(new)

    def _merged(self, fact: Fact, whose: Within, same: Sequence[Memory]) -> tuple[Operation, Sequence[Memory]]:
        """What becomes of a new fact, and which ones it ends; ``same`` are those that it ends by the rule."""
        near = self._near(str(fact), min(self.k, _COMPARED), whose) if self.merge == "model" else []
        if not near:
            return "add", same
        said = self.ask(MERGE, known=numbered([one.text for one in near]), new=str(fact))
        found = decision(said, len(near))
        if found is not None:
            return found[0], near[found[1] - 1 : found[1]] if found[1] else []
        self._unusable += bool(said)
        return "add", same

    def _near(self, text: str, most: int, whose: Within, history: bool = False) -> list[Memory]:
        """The most similar facts that hold, or also those that did."""
        wanted = 4 * most
        while True:  # those that no longer hold are passed over, so more may have to be looked at
            found = self._store.nearest(text, wanted, within=whose)
            shown = [one for one in found if one.until is None or (history and one.kind == "fact")][:most]
            if len(shown) == most or len(found) < wanted:
                return shown
            wanted *= 16  # each time everything is compared again, so not often

    def _hold(self, one: Memory) -> None:
        about = self._about_of(one)
        self._holds[about] = (*self._holds.get(about, ()), one.id)

    def _lift(self, one: Memory) -> None:
        about = self._about_of(one)
        left = tuple(name for name in self._holds.pop(about, ()) if name != one.id)
        if left:
            self._holds[about] = left

    @staticmethod
    def _about(whose: Within, subject: str, attribute: str) -> _About:
        return (whose[1], *(" ".join(w for w in words(part) if w not in _ARTICLES) for part in (subject, attribute)))

    def read(self, task: Task) -> Sequence[Memory]:
        """The most similar that hold; with ``history`` also those that did."""
        return [_dated(one) for one in self._near(task.text, self.k, within(self.scope, task), self.history)]

    def drop(self, ids: Iterable[str]) -> None:
        """Let go of facts; what they took the place of does not hold again."""
        gone = sorted(set(ids))
        for one in map(self._store.get, gone):
            if one is not None:
                self._lift(one)
        super().drop(gone)

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
            self._hold(one)

    def _about_of(self, one: Memory) -> _About:
        whose = within(self.scope, Task("", {}, user=one.user, session=one.session))
        return self._about(whose, one.fields["subject"], one.fields["attribute"])


def _told(experience: Experience) -> list[str]:
    """The texts of an experience that may state something, each once in its life."""
    if experience.feedback is None:
        return [experience.task.text]
    right, said = experience.feedback.correction, experience.feedback.text
    open_answer = right is not None and right not in experience.task.options
    return [text for text in (f"{experience.task.text}\nThe answer is: {right}" if open_answer else "", said) if text]


def _dated(one: Memory) -> Memory:
    return one if one.until is None else replace(one, text=f"{one.text} (until {one.until:g})")
