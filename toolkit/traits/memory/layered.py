"""Short-term and long-term memory in one: what is recent at once, what is past once it is consolidated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from toolkit.records import Change, Example, Experience, Memory, Recall, Task
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy
from toolkit.traits.memory.retrieval import Retrieval
from toolkit.traits.memory.windows import CHARACTERS_A_TOKEN, SlidingWindow
from toolkit.traits.trait import Think, must_be_positive

Consolidate = Literal["at-once", "session", "window"]

_WAITING = 256  # experiences that wait for their session's end at most
_SHORT = SlidingWindow()
_LONG = Retrieval()


class Layered(MemoryPolicy):
    """Two memories: ``short`` sees everything at once, ``long`` what is consolidated; both are recalled.

    What is recalled twice stands there once. What ``long`` recalls comes first, so that what is recent stands nearest
    to the question. Feedback reaches both, however late; what still waits takes it along. To measure one half alone,
    replace the other by `NoMemory`.

    Parameters
    ----------
    short, long
        The two policies.
    consolidate
        When ``long`` is given an experience. ``"at-once"``; ``"window"``: when ``window`` newer ones have come, so that
        it takes over what a short window of that length lets go; ``"session"``: when its session has ended, which a
        task of the same user (without users, of anybody) in another session shows once it is answered: the first task
        of a new session does not yet find the one before in ``long``. A task without a session is one of its own. At
        most 256 experiences wait for that; then the oldest is handed over.
    window
        For ``"window"``: at least 1.
    max_tokens
        Budget of both recalls together, in tokens estimated at four characters each; at least 1. Examples of ``short``
        go first, the most relevant first, then its notes, then those of ``long``; what does not fit is left out.

    Examples
    --------
    >>> policy = Layered(SlidingWindow(k=1), Retrieval(k=1), consolidate="window", window=1)
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for place, text in enumerate(["parcel late", "lamp broken", "refund owed"]):
    ...     policy.observe(Experience(f"stream/{place}", Task(str(place), {"text": text}), "a"))
    >>> [example.inputs["text"] for example in policy.recall(Task("q", {"text": "where is my parcel?"})).examples]
    ['parcel late', 'refund owed']
    """

    def __init__(
        self,
        short: MemoryPolicy = _SHORT,
        long: MemoryPolicy = _LONG,
        consolidate: Consolidate = "at-once",
        window: int = 4,
        max_tokens: int = 2000,
    ) -> None:
        self.short = short
        self.long = long
        self.consolidate = consolidate
        self.window = window
        self.max_tokens = max_tokens

    @property
    def labels(self) -> int:  # type: ignore[override]
        """As many as either wants; each is given no more than its own."""
        return max(self.short.labels, self.long.labels)

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """True if both are."""
        return self.short.stateless and self.long.stateless

    @property
    def limit(self) -> int | None:
        """Those of both, and what waits."""
        short, long = self.short.limit, self.long.limit
        most = {"at-once": 0, "window": self.window, "session": _WAITING}[self.consolidate]
        return None if short is None or long is None else short + long + most

    def check(self) -> None:
        """Two policies, themselves in order; a known way to consolidate; room for something."""
        for name in ("short", "long"):
            part = getattr(self, name)
            if not isinstance(part, MemoryPolicy):
                raise ValueError(f"Layered.{name} must be a memory policy but is {part!r}")
            part.check()
        if self.consolidate not in ("at-once", "session", "window"):
            raise ValueError(
                f"Layered.consolidate must be 'at-once', 'session' or 'window' but is {self.consolidate!r}"
            )
        must_be_positive("Layered.window", self.window)
        must_be_positive("Layered.max_tokens", self.max_tokens)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, both of them."""
        first, second = rng.spawn(2)
        self.short.reset(first, think)
        self.long.reset(second, think)
        self._waiting: dict[str, Experience] = {}
        self._prepared = 0

    def observe(self, experience: Experience) -> None:
        """Short sees it now; long now, or when it is consolidated."""
        if experience.id.startswith("prepare/") and experience.feedback is not None:
            self._prepare(experience)
            return
        self.short.observe(experience)
        if experience.feedback is not None:
            if experience.id in self._waiting:
                self._waiting[experience.id] = experience
            else:
                self.long.observe(experience)
            return
        self._waiting[experience.id] = experience
        for name in self._past(experience):
            self._hand_over(self._waiting.pop(name))

    def _prepare(self, experience: Experience) -> None:
        for part in (self.short, self.long):
            if self._prepared < part.labels:
                part.observe(experience)
        self._prepared += 1

    def _past(self, latest: Experience) -> list[str]:
        """Ids of what is to be consolidated now, oldest first."""
        if self.consolidate == "at-once":
            return list(self._waiting)
        if self.consolidate == "window":
            return list(self._waiting)[: -self.window]
        here = latest.task
        ended = [
            one.id
            for one in self._waiting.values()
            if one.id != latest.id
            and one.task.user in (here.user, "")
            and (one.task.session != here.session or not here.session)
        ]
        return ended or list(self._waiting)[:-_WAITING]

    def _hand_over(self, experience: Experience) -> None:
        """As it would have been seen: first without feedback, then with what has arrived."""
        self.long.observe(replace(experience, feedback=None))
        if experience.feedback is not None:
            self.long.observe(experience)

    def recall(self, task: Task) -> Recall:
        """Both recalls, within the budget."""
        long, short = self.long.recall(task), self.short.recall(task)
        left = self.max_tokens * CHARACTERS_A_TOKEN
        seen, kept = set[str](), dict[str, list[Recall]]()
        for name, recall in (("short", short), ("long", long)):
            for piece in _pieces(recall):
                key = piece.examples[0].source if piece.examples else piece.notes
                length = len(piece.notes) + sum(map(_length, piece.examples))
                if key in seen or length > left:
                    continue
                seen.add(key)
                left -= length
                kept.setdefault(name, []).insert(0, piece)
        return _joined([*kept.get("long", ()), *kept.get("short", ())])

    def scores(self, task: Task) -> Mapping[str, float]:
        """Those of both; where both have one, that of ``short``."""
        return {**self.long.scores(task), **self.short.scores(task)}

    def memories(self) -> Sequence[Memory]:
        """Those of both, and what waits; none twice."""
        waiting = [Memory.of(one) for one in self._waiting.values()]
        return tuple({one.id: one for one in (*self.long.memories(), *waiting, *self.short.memories())}.values())

    def forget(self, user: str) -> Forgotten:
        """Both forget, and what waits is not consolidated."""
        short, long = self.short.forget(user), self.long.forget(user)
        gone = [name for name, one in self._waiting.items() if one.task.user == user]
        for name in gone:
            del self._waiting[name]
        removed = tuple(dict.fromkeys((*short.removed, *long.removed, *gone)))
        return Forgotten(removed, tuple(dict.fromkeys((*short.could_not, *long.could_not))))

    def changes(self) -> tuple[Change, ...]:
        """Those of both."""
        return (*self.short.changes(), *self.long.changes())

    def state(self) -> dict[str, object]:
        """The states of both, and what waits."""
        return {"short": self.short.state(), "long": self.long.state(), "waiting": list(self._waiting)}


def _pieces(recall: Recall) -> Iterator[Recall]:
    """A recall taken apart, the most relevant first: each example, and each line of notes where it is one memory's."""
    for example in reversed(recall.examples):
        yield Recall((example,))
    lines = recall.notes.split("\n")
    if len(lines) == len(recall.sources):
        for line, source in zip(reversed(lines), reversed(recall.sources), strict=True):
            yield Recall(notes=line, sources=(source,))
    elif recall.notes:
        yield Recall(notes=recall.notes, sources=recall.sources)


def _length(example: Example) -> int:
    return len(example.answer) + len(example.feedback or "") + sum(map(len, example.inputs.values()))


def _joined(pieces: Sequence[Recall]) -> Recall:
    return Recall(
        tuple(example for piece in pieces for example in piece.examples),
        "\n".join(piece.notes for piece in pieces if piece.notes),
        tuple(source for piece in pieces for source in piece.sources),
    )
