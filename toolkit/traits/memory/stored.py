"""What policies with a store have in common: a subclass says what is written and what is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toolkit.records import Experience, Memory, Recall, Task
from toolkit.traits.memory.embedding import USUAL, Embedder
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy, recalled
from toolkit.traits.memory.store import Store
from toolkit.traits.trait import Think


class StoredMemory(MemoryPolicy, abstract=True):
    """Base of the policies that keep memories in a store: a subclass says what is written and what is read.

    Attributes
    ----------
    embedder
        What turns texts into vectors: `WordLlama`, or a parameter of the policy of that name.
    _store
        The `Store`, made in `reset`.
    """

    embedder: Embedder = USUAL

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty store."""
        self._store = Store(self.embedder, think)

    def write(self, experience: Experience) -> None:
        """Put into the store what is to be kept of an experience."""
        self._store.put(Memory.of(experience))

    def read(self, task: Task) -> Sequence[Memory]:
        """What the prompt of a task gets, the most relevant first."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it reads: define read()")

    def observe(self, experience: Experience) -> None:
        """Write."""
        self.write(experience)

    def recall(self, task: Task) -> Recall:
        """What was read; cases as examples, the best nearest to the question."""
        return recalled(self.read(task))

    @property
    def kept(self) -> Store:
        """The store itself."""
        return self._store

    def drop(self, ids: Iterable[str]) -> None:
        """Let go of memories, whatever was the reason.

        Raises
        ------
        KeyError
            If there is none of an id.
        """
        for one in ids:
            self._store.remove(one)

    def memories(self) -> Sequence[Memory]:
        """The store's."""
        return tuple(self._store)

    def forget(self, user: str) -> Forgotten:
        """Remove the user's own memories, and whatever was made from their episodes."""
        own = {source for one in self._store if one.user == user for source in one.sources}
        gone = [one.id for one in self._store if one.user == user or own & set(one.sources)]
        self.drop(gone)
        return Forgotten(tuple(gone))

    def state(self) -> dict[str, object]:
        """What is kept, in order."""
        return {"kept": [_told(one) for one in self._store]}


def _told(one: Memory) -> list[object]:
    """What tells it from what it was or will be."""
    said = [] if one.feedback is None else [one.feedback]
    return [one.id, one.answer if one.kind == "case" else one.text, one.until, *said]
