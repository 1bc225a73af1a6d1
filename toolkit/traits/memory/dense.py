"""Search by meaning: one row of numbers for each memory, every row compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.traits.memory.embedding import Vector, unit_rows

Places = NDArray[np.intp]
Embed = Callable[[Sequence[str]], Vector]

_BLOCK = 1 << 18  # numbers; small enough that no library shares them out among threads
_LANE = 16  # rows; more than any library multiplies in one go
_LEAST = 64
_LINE = 64  # bytes
_RECENT = 64
_SHARE = 4


def products(matrix: Vector, vector: Vector) -> Vector:
    """Each row times ``vector``, block by block; as many rows as divide by 16, so that equal rows get equal products.

    A library that shares one large product out among threads rounds the rows at their borders otherwise, so that what
    is recalled would depend on the number of processors; and a thread that another program keeps waiting would hold up
    the whole product, by ten times what it takes. What is left over of a block after its last full group of rows is
    rounded otherwise too: a tie would go to whoever stands there.
    """
    found: Vector
    rows = block(matrix.shape[1])
    if len(matrix) <= rows:
        found = matrix.dot(vector)
        return found
    found = np.empty(len(matrix), dtype=np.float32)
    for start in range(0, len(matrix), rows):
        np.dot(matrix[start : start + rows], vector, out=found[start : start + rows])
    return found


def block(width: int) -> int:
    """How many rows of this width are multiplied in one go.

    Examples
    --------
    >>> block(256), block(1536), block(100_000)
    (1024, 160, 16)
    """
    return max(_LANE, _BLOCK // width // _LANE * _LANE)


def padded(count: int) -> int:
    """The next multiple of 16."""
    return -(-count // _LANE) * _LANE


def _zeros(count: int, width: int) -> Vector:
    """Rows that begin where the processor's own lines of memory do: a tenth faster to multiply."""
    whole = np.zeros(count * width + _LINE // 4, dtype=np.float32)
    start = -whole.ctypes.data % _LINE // 4
    return whole[start : start + count * width].reshape(count, width)


class Dense:
    """The vectors of a store, by place. Texts are embedded when they are first searched, all that wait in one request.

    Inserting is amortised O(1): the matrix doubles when it is full. Rows of what was removed stay until `keep`.

    Parameters
    ----------
    embed
        Gives a unit row for each text; see `toolkit.traits.memory.embedding.Embedder`.
    name
        Who gives them, for messages.
    """

    def __init__(self, embed: Embed, name: str) -> None:
        self._embed, self._name = embed, name
        self._matrix: Vector = np.zeros((0, 0), dtype=np.float32)
        self._waiting: dict[int, str] = {}
        self._recent: dict[str, Vector] = {}  # what was asked lately is often stored next

    def put(self, place: int, text: str) -> None:
        """Take note of the text at a place."""
        self._waiting[place] = text

    def drop(self, place: int) -> None:
        """Forget what waits for a place."""
        self._waiting.pop(place, None)

    def fill(self, rows: Vector, start: int) -> None:
        """Rows that are known already, for the places from ``start`` on."""
        rows = self._checked(rows)
        self._grow(start + len(rows), rows.shape[1])
        self._matrix[start : start + len(rows)] = rows

    def keep(self, places: Places, new: Places) -> None:
        """Move what stands at these places together, in their order; ``new`` is where each place comes to."""
        self._waiting = {int(new[place]): text for place, text in self._waiting.items()}
        there = places[places < len(self._matrix)]
        if len(self._matrix):
            kept = _zeros(max(_LEAST, padded(2 * len(there))), self._matrix.shape[1])
            kept[: len(there)] = self._matrix[there]
            self._matrix = kept

    def rows(self, places: Places) -> Vector:
        """A copy of the rows at these places."""
        self.settle()
        return self._matrix[places]

    def scores(self, text: str, places: Places | None, count: int) -> Vector:
        """The cosine of ``text`` with each of these places; None = with the first ``count``, all of them."""
        self.settle(text)
        vector = self._recent[text]
        if places is None or len(places) * _SHARE > count:
            found = products(self._matrix[: padded(count)], vector)
            return found[:count] if places is None else found[places]
        gathered = _zeros(padded(len(places)), len(vector))
        np.take(self._matrix, places, axis=0, out=gathered[: len(places)])
        return products(gathered, vector)[: len(places)]

    def settle(self, text: str | None = None) -> None:
        """Embed what waits, and a text to search with, in one request."""
        recent = self._recent
        asked = [one for one in dict.fromkeys(self._waiting.values()) if one not in recent] if self._waiting else []
        if text is not None and text not in recent and text not in asked:
            asked.append(text)
        found = dict(zip(asked, self._checked(self._embed(asked), len(asked)), strict=True)) if asked else {}
        for place, one in self._waiting.items():
            vector = recent[one] if one in recent else found[one]
            if place >= len(self._matrix):
                self._grow(place + 1, len(vector))
            self._matrix[place] = vector
        self._waiting.clear()
        if text is not None and text in found:
            recent[text] = found[text] if len(found) == 1 else found[text].copy()  # a view keeps all rows
            if len(recent) > _RECENT:
                del recent[next(iter(recent))]

    def _checked(self, rows: object, count: int | None = None) -> Vector:
        found, known = unit_rows(rows, self._name, count), self._matrix.shape[1]
        if known and found.shape[1] != known:
            told = f"{self._name} must always give vectors of one length, but gave {known} numbers and now"
            raise ValueError(f"{told} {found.shape[1]}; embed everything anew (Store.reembed) if it was replaced")
        return found

    def _grow(self, needed: int, width: int) -> None:
        if needed <= len(self._matrix):
            return
        grown = _zeros(max(_LEAST, padded(needed), 2 * len(self._matrix)), width)
        grown[: len(self._matrix)] = self._matrix.reshape(-1, width)
        self._matrix = grown
