"""What keeps: memories that are searched, and rows that survive a power failure."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import measure
import numpy as np

from toolkit import Memory
from toolkit.ledger.log import Log
from toolkit.traits.memory import store
from toolkit.traits.memory.embedding import embed

SIZES = (1000, 10_000, 100_000)


def filled(count: int) -> tuple[store.Store, np.ndarray, list[Memory]]:
    """A store with so many memories, its vectors in a matrix that has room, and 300 more to put into it."""
    kept, rng = store.Store(), np.random.default_rng(0)
    rows = rng.normal(size=(count, len(embed("x")))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kept.fill([Memory(f"old{n}", "x") for n in range(count)], rows)
    more = [Memory(f"new{n}", f"the number w{n}") for n in range(300)]
    return kept, np.concatenate([rows, np.zeros_like(rows)]), more


def ours(kept: store.Store, more: list[Memory], start: int) -> None:
    """Search, then insert, as a run does."""
    for one in more[start : start + 50]:
        kept.nearest(one.text, 4)
        kept.put(one)


def numpys(matrix: np.ndarray, count: int, more: list[Memory], start: int) -> None:
    """The same by numpy alone, in a matrix that has room."""
    for place, one in enumerate(more[start : start + 50], start=count + start):
        vector = embed(one.text)
        similar = matrix[:place] @ vector
        nearest = np.argpartition(-similar, 4)[:4]
        nearest[np.argsort(-similar[nearest])]
        matrix[place] = vector


def measure_memories() -> None:
    """Insert and query, beside numpy, on one thread."""
    for count in SIZES:
        kept, matrix, more = filled(count)
        for one in more:
            embed(one.text)
        starts = iter(range(0, 300, 50)), iter(range(0, 300, 50))
        name = f"insert + query, {count} memories / numpy exact"
        measure.row(
            name,
            "<= 1.1",
            lambda k=kept, m=more, s=starts[0]: ours(k, m, next(s)),
            lambda x=matrix, n=count, m=more, s=starts[1]: numpys(x, n, m, next(s)),
        )


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
