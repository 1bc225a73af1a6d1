"""The one store under all policies: memories in order, found again by meaning, by words, by whose they are.

Search is exact, ties go to the older. A search may be confined to one user's or one session's memories: it then finds
what it would find in a store that holds nothing else.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.records import Memory, Task
from toolkit.traits.memory.dense import Dense, Places
from toolkit.traits.memory.embedding import USUAL, Embedder, Vector
from toolkit.traits.memory.lexical import Lexical
from toolkit.traits.trait import Think

Scope: TypeAlias = Literal["shared", "user", "session"]
"""Whose memories a policy searches: everybody's, those of the task's user, or those of its running session."""

Way: TypeAlias = Literal["dense", "lexical", "hybrid"]
"""How memories are found: by meaning (cosine of vectors), by words (BM25), or by both ranks together."""

Within: TypeAlias = tuple[Scope, str]
"""A scope with whose it is, e.g. ``("user", "mara")``."""

EVERYWHERE: Within = ("shared", "")
SCOPES: tuple[Scope, ...] = ("shared", "user", "session")
WAYS: tuple[Way, ...] = ("dense", "lexical", "hybrid")
FUSED = 60
"""What is added to a rank before it is turned over; the value of the paper."""

_FEW = 16  # as many as are found sooner by looking for the highest again and again than by partition
_GONE = 64  # places of removed memories that are left empty, at the least, before the store is moved together


def within(scope: Scope, task: Task) -> Within:
    """The part of a store that a scope leaves to a task.

    Examples
    --------
    >>> within("user", Task("t", {}, user="mara"))
    ('user', 'mara')
    """
    return (scope, {"shared": "", "user": task.user, "session": task.session}[scope])


class Store:
    """Memories by id, in order of first insertion.

    Inserting and removing are amortised O(1) in the number of memories, but for moving a few bytes for each: what is
    removed leaves its place empty until a fifth of all places are. Nothing is embedded or taken apart before a search
    needs it.

    Parameters
    ----------
    embedder
        What turns texts into vectors; None = `WordLlama`.
    think
        The run's way to the model, as a policy gets it in ``reset``: what an embedder from outside answers is then on
        the run's tape, and charged.

    Examples
    --------
    >>> store = Store()
    >>> store.put(Memory("e1", "the parcel is late", user="mara"))
    >>> store.put(Memory("e2", "reset my password", user="tobias"))
    >>> [found.id for found in store.nearest("where is my package", k=1)]
    ['e1']
    >>> [found.id for found in store.nearest("where is my package", k=1, within=("user", "tobias"))]
    ['e2']
    >>> [found.id for found in store.search("password?", k=4, by="lexical")]
    ['e2']
    """

    def __init__(self, embedder: Embedder | None = None, think: Think | None = None) -> None:
        self.embedder = embedder or USUAL
        self._think = think
        self._at: dict[str, int] = {}
        self._items: list[Memory | None] = []
        self._own: defaultdict[Within, array[int]] = defaultdict(_none)
        self._dense = self._empty(self.embedder)
        self._words = Lexical()

    def put(self, memory: Memory) -> None:
        """Insert, or replace the memory of the same id in its place."""
        place = self._at.get(memory.id)
        if place is not None:
            self._replace(place, memory)
            return
        place = len(self._items)
        self._at[memory.id] = place
        self._items.append(memory)
        self._own[EVERYWHERE].append(place)
        for part in _parts(memory):
            self._own[part].append(place)
        self._dense.put(place, memory.text)
        self._words.put(place, memory.text)

    def fill(self, memories: Iterable[Memory], vectors: Vector | None = None) -> None:
        """Insert many that are new, with their vectors if they are known, so that nothing is embedded again.

        Parameters
        ----------
        memories
            With ids that the store does not have.
        vectors
            One row for each, as `vectors` gave them, by the same embedder.

        Raises
        ------
        ValueError
            If an id is there already, or the vectors are not one unit row for each.
        """
        new, start = list(memories), len(self._items)
        often = Counter([*(one.id for one in new), *(one.id for one in new if one.id in self._at)])
        if often and (twice := often.most_common(1)[0])[1] > 1:
            raise ValueError(
                f"what fills a store must have ids of its own but {twice[0]!r} comes twice: put() replaces"
            )
        if vectors is not None and len(vectors) != len(new):
            raise ValueError(f"there must be one vector for each of {len(new)} memories but there are {len(vectors)}")
        if vectors is not None and new:
            self._dense.fill(vectors, start)
        for place, one in enumerate(new, start=start):
            self.put(one)
            if vectors is not None:
                self._dense.drop(place)

    def remove(self, memory_id: str) -> None:
        """Take one out; the others keep their order.

        Raises
        ------
        KeyError
            If there is none of this id.
        """
        place = self._at.pop(memory_id)
        gone = self._items[place]
        self._items[place] = None
        if gone is None:
            return
        for part in (EVERYWHERE, *_parts(gone)):
            self._leave(part, place)
        self._dense.drop(place)
        self._words.drop(place, gone.text)
        empty = len(self._items) - len(self)
        if empty > _GONE and empty * 5 > len(self._items):
            self._close_up()

    def get(self, memory_id: str) -> Memory | None:
        """The memory of an id."""
        place = self._at.get(memory_id)
        return None if place is None else self._items[place]

    def place(self, memory_id: str) -> int:
        """Where a memory stands: the higher, the later it was inserted. Raises `KeyError` where there is none."""
        return self._at[memory_id]

    def held(self, within: Within = EVERYWHERE) -> list[Memory]:
        """The memories of a part, in order."""
        return [one for place in self._places(within).tolist() if (one := self._items[place]) is not None]

    def nearest(self, text: str, k: int, *, within: Within = EVERYWHERE) -> list[Memory]:
        """The ``k`` memories most similar to ``text`` by cosine, the most similar first."""
        return self.search(text, k, within=within)

    def search(self, text: str, k: int, *, by: Way = "dense", within: Within = EVERYWHERE) -> list[Memory]:
        """The ``k`` best memories for ``text``, the best first; of equals the older.

        Parameters
        ----------
        k
            The most that are wanted; there may be fewer.
        by
            ``"dense"``: cosine of vectors; ``"lexical"``: BM25, only memories that share a word with ``text`` (see
            `Lexical`); ``"hybrid"``: reciprocal rank fusion, the sum of ``1 / (60 + rank)`` over both complete
            rankings, ranks from 1; a memory without a common word has no rank by words.
        within
            Whose memories.

        References
        ----------
        Cormack, Clarke and Büttcher 2009, Reciprocal rank fusion outperforms Condorcet and individual rank learning
        methods, SIGIR.
        """
        places = self._confined(within)
        count = len(self._items) if places is None else len(places)
        if not count or k < 1:
            return []
        scores = self._scored(text, places, by)
        order = _best(scores, min(k, int(np.count_nonzero(scores))) if by == "lexical" else k)
        chosen, items = (order if places is None else places[order]).tolist(), self._items
        return [one for place in chosen if (one := items[place]) is not None]

    def scores(self, text: str, *, by: Way = "dense", within: Within = EVERYWHERE) -> dict[str, float]:
        """What a search goes by, for each memory by id, in order: the higher, the better it fits ``text``.

        Cosines in [-1, 1] for ``"dense"``, BM25 (0 = no word in common) for ``"lexical"``, sums of turned-over ranks
        for ``"hybrid"``; see `search`.
        """
        held = self.held(within)
        if not held:
            return {}
        found = self._scored(text, self._places(within), by)
        return {one.id: float(score) for one, score in zip(held, found, strict=True)}

    def similar(self, text: str, *, within: Within = EVERYWHERE) -> Vector:
        """The cosine of ``text`` with each memory, in [-1, 1], in the order of iteration."""
        places = self._confined(within)
        if not (len(self._items) if places is None else len(places)):
            return np.empty(0, dtype=np.float32)
        return self._dense.scores(text, places, len(self._items))

    def vectors(self) -> Vector:
        """The vector of each memory, in order; embeds what was not yet searched."""
        return self._dense.rows(self._places(EVERYWHERE))

    def reembed(self, embedder: Embedder, progress: Callable[[int, int], None] | None = None) -> None:
        """Let another embedder give the vectors, of all memories. Until it is done, and if it fails, the old one does.

        Parameters
        ----------
        progress
            Is told how many are done, of how many.
        """
        new, bound = self._empty(embedder), embedder.bound(self._think)
        items, done = list(self), 0
        while done < len(items):
            part = [one.text for one in items[done : done + embedder.batch]]
            new.fill(bound(part), done)
            done += len(part)
            if progress is not None:
                progress(done, len(items))
        self._close_up()
        self.embedder, self._dense = embedder, new

    def __iter__(self) -> Iterator[Memory]:
        return (one for one in self._items if one is not None)

    def __reversed__(self) -> Iterator[Memory]:
        return (one for one in reversed(self._items) if one is not None)

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, memory_id: object) -> bool:
        return memory_id in self._at

    def _replace(self, place: int, memory: Memory) -> None:
        old = self._items[place]
        self._items[place] = memory
        if old is None:
            return
        if old.text != memory.text:
            self._words.drop(place, old.text)
            self._words.put(place, memory.text)
            self._dense.put(place, memory.text)
        for before, now in zip(_parts(old), _parts(memory), strict=True):
            if before != now:
                self._leave(before, place)
                own = self._own[now]
                own.insert(bisect_left(own, place), place)

    def _leave(self, part: Within, place: int) -> None:
        own = self._own[part]
        del own[bisect_left(own, place)]
        if not own:
            del self._own[part]

    def _close_up(self) -> None:
        """Move everything together, so that no place is empty."""
        places = self._places(EVERYWHERE)
        new = np.zeros(len(self._items), dtype=np.intp)
        new[places] = np.arange(len(places))
        self._dense.keep(places, new)
        self._words.keep(places, new)
        for part, own in self._own.items():
            self._own[part] = array("q", new[np.array(own)].tobytes())
        self._items = [one for one in self._items if one is not None]
        self._at = {one.id: place for place, one in enumerate(self)}

    def _confined(self, within: Within) -> Places | None:
        """Places that a search is confined to, in order; None = all, and none of them empty."""
        if within[0] == "shared" and len(self._at) == len(self._items):
            return None
        return self._places(EVERYWHERE if within[0] == "shared" else within)

    def _places(self, part: Within) -> Places:
        return np.array(self._own.get(part, ()), dtype=np.intp)

    def _scored(self, text: str, places: Places | None, by: Way) -> NDArray[np.floating]:
        if by == "dense":
            return self._dense.scores(text, places, len(self._items))
        if by == "lexical":
            return self._words.scores(text, places, len(self._items))
        if by == "hybrid":
            return self._fused(text, places)
        raise ValueError(f"a search is by one of {', '.join(map(repr, WAYS))} but is by {by!r}")

    def _fused(self, text: str, places: Places | None) -> NDArray[np.float64]:
        dense = self._dense.scores(text, places, len(self._items))
        found = np.empty(len(dense))
        found[np.argsort(-dense, kind="stable")] = 1 / (FUSED + 1 + np.arange(len(dense)))
        scores = self._words.scores(text, places, len(self._items))
        common = _best(scores, int(np.count_nonzero(scores)))
        found[common] += 1 / (FUSED + 1 + np.arange(len(common)))
        return found

    def _empty(self, embedder: Embedder) -> Dense:
        return Dense(embedder.bound(self._think), type(embedder).__name__)


def _none() -> array[int]:
    return array("q")


def _parts(memory: Memory) -> Sequence[Within]:
    return (("user", memory.user), ("session", memory.session))


def _best(scores: NDArray[np.floating], k: int) -> Places:
    """Places of the ``k`` highest, the highest first, of equals the earlier."""
    if k < 1:
        return np.empty(0, dtype=np.intp)
    if k >= len(scores):
        return np.argsort(-scores, kind="stable")
    if k <= _FEW:
        left, found = scores.copy(), np.empty(k, dtype=np.intp)
        for rank in range(k):
            found[rank] = at = left.argmax()  # of equals the first
            left[at] = -np.inf
        return found
    ordered = scores.copy()
    ordered.partition(len(scores) - k)
    candidates = (scores >= ordered[len(scores) - k]).nonzero()[0]
    order: Places = candidates[(-scores[candidates]).argsort(kind="stable")][:k]
    return order
