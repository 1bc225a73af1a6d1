"""A store of experiences with exact search by meaning: the one place where memories and their vectors are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.records import Experience

if TYPE_CHECKING:
    from wordllama import WordLlamaInference

Vector = NDArray[np.float32]
_BLOCK = 1024  # rows; small enough that no library takes it apart


@cache
def _embedder() -> WordLlamaInference:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import wordllama

    root.handlers[:] = handlers  # importing it sets up logging for the whole program, which is not its business
    root.setLevel(level)
    # The weights are inside the wheel; without this the loader would look for them on a hub.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


@lru_cache(maxsize=65_536)
def embed(text: str) -> Vector:
    """The unit vector of a text, 256 numbers, by static word embeddings; zeros for a text without known words.

    Examples
    --------
    >>> close = embed("the parcel is late") @ embed("my package has not arrived")
    >>> far = embed("the parcel is late") @ embed("reset my password")
    >>> bool(close > far)
    True
    """
    vector = np.asarray(_embedder().embed(text)[0], dtype=np.float32)
    norm = float(np.linalg.norm(vector))
    found = vector / norm if norm > 0 else np.zeros_like(vector)
    found.setflags(write=False)
    return found


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
    """Experiences by id, in order of first insertion, with exact nearest neighbours; ties go to the older.

    Inserting is amortised O(1): the matrix of vectors doubles when it is full.

    Examples
    --------
    >>> from toolkit.records import Task
    >>> store = Store()
    >>> store.put(Experience("e1", Task("t1", {"text": "the parcel is late"}), "anchor"))
    >>> store.put(Experience("e2", Task("t2", {"text": "reset my password"}), "ember"))
    >>> [found.id for found in store.nearest("where is my package", k=1)]
    ['e1']
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._items: list[Experience] = []
        self._matrix: Vector = np.empty((0, 0), dtype=np.float32)

    def put(self, experience: Experience) -> None:
        """Insert, or replace the experience of the same id in its place."""
        place = self._places.get(experience.id)
        if place is not None:
            self._items[place] = experience
            return
        vector = embed(experience.task.text)
        count = len(self._items)
        if count == len(self._matrix):
            grown = np.zeros((max(64, 2 * count), len(vector)), dtype=np.float32)
            grown[:count] = self._matrix.reshape(-1, len(vector))[:count]
            self._matrix = grown
        self._matrix[count] = vector
        self._places[experience.id] = count
        self._items.append(experience)

    def nearest(self, text: str, k: int) -> list[Experience]:
        """The ``k`` experiences most similar to ``text`` by cosine, the most similar first."""
        count = len(self._items)
        if not count or k < 1:
            return []
        similar = _products(self._matrix[:count], embed(text))
        if k >= count:
            order = np.argsort(-similar, kind="stable")
        else:
            least = np.partition(similar, count - k)[count - k]
            candidates = np.flatnonzero(similar >= least)
            order = candidates[np.argsort(-similar[candidates], kind="stable")][:k]
        return [self._items[place] for place in order.tolist()]

    def __iter__(self) -> Iterator[Experience]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, experience_id: object) -> bool:
        return experience_id in self._places
