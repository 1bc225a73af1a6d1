"""The one store under all policies: memories in order, found again by meaning, by words, by whose they are.

Search is exact, ties go to the older. A search may be confined to one user's or one session's memories.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np

from toolkit.records import Memory, Task
from toolkit.traits.memory.embedding import Vector, embed

Scope: TypeAlias = Literal["shared", "user", "session"]
"""Whose memories a policy searches: everybody's, those of the task's user, or those of its running session."""

Within: TypeAlias = tuple[Scope, str]
"""A scope with whose it is, e.g. ``("user", "mara")``."""

EVERYWHERE: Within = ("shared", "")
_BLOCK = 1024  # rows; small enough that no library takes it apart


def within(scope: Scope, task: Task) -> Within:
    """The part of a store that a scope leaves to a task.

    Examples
    --------
    >>> within("user", Task("t", {}, user="mara"))
    ('user', 'mara')
    """
    return (scope, {"shared": "", "user": task.user, "session": task.session}[scope])


def _products(matrix: Vector, vector: Vector) -> Vector:
    """Each row times ``vector``, block by block.

    A library that shares one large product out among threads rounds the rows at their borders otherwise, so that what
    is recalled would depend on the number of processors; and a thread that another program keeps waiting would hold up
    the whole product, by ten times what it takes.
    """
    found = np.empty(len(matrix), dtype=np.float32)
    for start in range(0, len(matrix), _BLOCK):
        np.dot(matrix[start : start + _BLOCK], vector, out=found[start : start + _BLOCK])
    return found


class Store:
    """Memories by id, in order of first insertion.

    Inserting is amortised O(1): the matrix of vectors doubles when it is full.

    Examples
    --------
    >>> store = Store()
    >>> store.put(Memory("e1", "the parcel is late", user="mara"))
    >>> store.put(Memory("e2", "reset my password", user="tobias"))
    >>> [found.id for found in store.nearest("where is my package", k=1)]
    ['e1']
    >>> [found.id for found in store.nearest("where is my package", k=1, within=("user", "tobias"))]
    ['e2']
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._items: list[Memory] = []
        self._matrix: Vector = np.empty((0, 0), dtype=np.float32)

    def put(self, memory: Memory) -> None:
        """Insert, or replace the memory of the same id in its place."""
        place = self._places.get(memory.id)
        if place is not None:
            if self._items[place].text != memory.text:
                self._matrix[place] = embed(memory.text)
            self._items[place] = memory
            return
        vector = embed(memory.text)
        count = len(self._items)
        if count == len(self._matrix):
            grown = np.zeros((max(64, 2 * count), len(vector)), dtype=np.float32)
            grown[:count] = self._matrix.reshape(-1, len(vector))[:count]
            self._matrix = grown
        self._matrix[count] = vector
        self._places[memory.id] = count
        self._items.append(memory)

    def remove(self, memory_id: str) -> None:
        """Take one out; the others keep their order.

        Raises
        ------
        KeyError
            If there is none of this id.
        """
        place = self._places.pop(memory_id)
        del self._items[place]
        count = len(self._items)
        self._matrix[place:count] = self._matrix[place + 1 : count + 1]
        for later in self._items[place:]:
            self._places[later.id] -= 1

    def get(self, memory_id: str) -> Memory | None:
        """The memory of an id."""
        place = self._places.get(memory_id)
        return None if place is None else self._items[place]

    def place(self, memory_id: str) -> int:
        """Where a memory stands in the order of insertion; raises `KeyError` if there is none of this id."""
        return self._places[memory_id]

    def similar(self, text: str, *, within: Within = EVERYWHERE) -> tuple[Vector, list[Memory]]:
        """The cosine of every memory to ``text``, and the memories, in order."""
        places = self._confined(within)
        matrix = self._matrix[: len(self._items)] if places is None else self._matrix[places]
        held = self._items if places is None else [self._items[place] for place in places.tolist()]
        return (_products(matrix, embed(text)) if held else np.empty(0, dtype=np.float32)), list(held)

    def nearest(self, text: str, k: int, *, within: Within = EVERYWHERE) -> list[Memory]:
        """The ``k`` memories most similar to ``text`` by cosine, the most similar first."""
        places = self._confined(within)
        count = len(self._items) if places is None else len(places)
        if not count or k < 1:
            return []
        matrix = self._matrix[: len(self._items)] if places is None else self._matrix[places]
        similar = _products(matrix, embed(text))
        if k >= count:
            order = np.argsort(-similar, kind="stable")
        else:
            least = np.partition(similar, count - k)[count - k]
            candidates = np.flatnonzero(similar >= least)
            order = candidates[np.argsort(-similar[candidates], kind="stable")][:k]
        chosen = order if places is None else places[order]
        return [self._items[place] for place in chosen.tolist()]

    def _confined(self, within: Within) -> np.ndarray | None:
        """Places of the memories that a search is confined to; None = all."""
        scope, whose = within
        if scope == "shared":
            return None
        own = (place for place, one in enumerate(self._items) if getattr(one, scope) == whose)
        return np.fromiter(own, dtype=np.intp)

    def __iter__(self) -> Iterator[Memory]:
        return iter(self._items)

    def __reversed__(self) -> Iterator[Memory]:
        return reversed(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, memory_id: object) -> bool:
        return memory_id in self._places
