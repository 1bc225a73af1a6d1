"""What keeps: memories that are searched, and rows that survive a power failure."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import measure
import numpy as np

from toolkit import Memory
from toolkit.ledger.log import Log
from toolkit.traits.memory import store
from toolkit.traits.memory.embedding import embed

SIZES = (1000, 10_000, 100_000)
Nearest = Callable[[np.ndarray], object]


PAIRS = 20  # an insert and a query each, in a round
ROUNDS = {1000: 61, 10_000: 61, 100_000: 21}


def filled(count: int) -> tuple[store.Store, np.ndarray, list[Memory]]:
    """A store with so many memories, its vectors in a matrix that has room, and more to put into it."""
    kept, rng = store.Store(), np.random.default_rng(0)
    rows = rng.normal(size=(count, len(embed("x")))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kept.fill([Memory(f"old{n}", "x") for n in range(count)], rows)
    more = [Memory(f"new{n}", f"the number w{n}") for n in range(PAIRS * (ROUNDS[count] + 1))]
    return kept, np.concatenate([rows, np.zeros((max(count, len(more)), rows.shape[1]), np.float32)]), more


def ours(kept: store.Store, more: list[Memory], start: int) -> None:
    """Search, then insert, as a run does."""
    for one in more[start : start + PAIRS]:
        kept.nearest(one.text, 4)
        kept.put(one)


def partitioned(similar: np.ndarray) -> np.ndarray:
    """The four nearest as everybody finds them in numpy."""
    nearest = np.argpartition(-similar, 4)[:4]
    return nearest[np.argsort(-similar[nearest])]


def picked(similar: np.ndarray) -> list[int]:
    """The four nearest in the quickest way that we know, which is the store's own."""
    found = []
    for _ in range(4):
        found.append(similar.argmax())
        similar[found[-1]] = -np.inf
    return found


def numpys(matrix: np.ndarray, count: int, more: list[Memory], start: int, nearest: Nearest) -> None:
    """The same by numpy alone: the rows and nothing else, neither texts nor ids, in a matrix that has room."""
    for place, one in enumerate(more[start : start + PAIRS], start=count + start):
        vector = embed(one.text)
        nearest(matrix[:place] @ vector)
        matrix[place] = vector


def measure_memories() -> None:
    """Insert and query, beside numpy, on one thread.

    Both begin with a round that is not counted: the store has just been filled to the brim, so that its first insert
    makes room for as many again, which is paid once in that many inserts.
    """
    for nearest, goal in ((partitioned, "<= 1.1"), (picked, "")):
        for count in SIZES:
            kept, matrix, more = filled(count)
            for one in more:
                embed(one.text)
            mine, other = (iter(range(0, len(more), PAIRS)) for _ in range(2))

            def us(k: store.Store = kept, m: list[Memory] = more, s: Iterator[int] = mine) -> None:
                ours(k, m, next(s))

            def they(
                x: np.ndarray = matrix, n: int = count, m: list[Memory] = more, s: Iterator[int] = other, by=nearest
            ) -> None:
                numpys(x, n, m, next(s), by)

            us(), they()
            name = f"insert + query, {count} memories / numpy exact" + (" (argmax, bare)" if not goal else "")
            measure.row(name, goal, us, they, repeats=ROUNDS[count])


def our_rows(folder: Path) -> None:
    log = Log(folder / "ours.jsonl")
    for number in range(2000):
        log.append({"n": number, "text": "x" * 200})
    log.close()


def synced_rows(folder: Path) -> None:
    with open(folder / "theirs.jsonl", "ab", buffering=0) as file:
        for _ in range(2000):
            file.write(b'{"n": 1, "text": "' + b"x" * 200 + b'"}\n')
            os.fdatasync(file.fileno())


def measure_rows() -> None:
    """A row in a log, beside one that waits for the disk."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        name = "a crash-safe row / a row with fdatasync"
        measure.row(name, "<= 0.033", lambda: our_rows(place), lambda: synced_rows(place), apart=True)
