"""Other stores of memories, each in an environment of its own, beside ours in the same run; and search by words."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apart
import measure
import numpy as np
import peers

from toolkit import Memory
from toolkit.traits.memory import store
from toolkit.traits.memory.embedding import embed

SIZES = (1000, 10_000)
ROUNDS = 7
WAIT = 900  # seconds that a store may take to be filled and measured
PEERS = ("chromadb", "lancedb", "langgraph", "mem0ai")
"""Packages; the version that came is printed."""


def measure_peers() -> None:
    """Insert and query, alternating, ours beside each."""
    for package in PEERS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                python = peers.installed(Path(folder, "env"), package, "numpy")
            except (subprocess.SubprocessError, OSError) as error:
                measure.skip(f"insert + query / {package}", f"it cannot be installed: {peers.why(error)}")
                continue
            version = subprocess.run(
                [str(python), "-c", f"import importlib.metadata as m; print(m.version({package!r}))"],
                capture_output=True,
                text=True,
            ).stdout.strip()
            for count in SIZES:
                _beside(python, package, version, count)


def _beside(python: Path, package: str, version: str, count: int) -> None:
    """Rounds of ours and of another's by turns; one of each is not counted."""
    name = f"insert + query, {count} memories / {package} {version}"
    rng = np.random.default_rng(0)
    rows = apart.unit(rng, count, len(embed("x")))
    kept, texts = store.Store(), [f"the number w{n}" for n in range(apart.PAIRS * (ROUNDS + 1))]
    kept.fill([Memory(f"old{n}", "x") for n in range(count)], rows)
    for text in texts:
        embed(text)
    numbers = iter(range(len(texts)))

    def ours() -> None:
        for _ in range(apart.PAIRS):
            number = next(numbers)
            kept.nearest(texts[number], apart.NEAREST)
            kept.put(Memory(str(number), texts[number]))

    try:
        with _started(python, package, count, rows.shape[1]) as theirs:
            seconds = [(next(theirs), measure.spent(ours)[0]) for _ in range(ROUNDS + 1)][1:]
    except RuntimeError as error:
        measure.skip(name, str(error))
        return
    quickest = min(mine for _, mine in seconds) / min(other for other, _ in seconds)
    measure.show(name, "<= 1", [mine / other for other, mine in seconds], quickest=quickest)
    each = statistics.median(other for other, _ in seconds) / apart.PAIRS * 1e3
    print(f"{'':<70}{each:9.2f} ms an insert and a query of {package}")


@contextmanager
def _started(python: Path, package: str, count: int, width: int) -> Iterator[Iterator[float]]:
    """Seconds of another store's rounds, one for each that is asked for.

    It keeps its files in memory where the system offers that, so that nobody waits for a disk: ours does not either.
    """
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as folder, tempfile.TemporaryFile() as log:
        command = [str(python), apart.__file__, package, str(count), str(width), folder]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        late = threading.Timer(WAIT, child.kill)
        late.start()
        try:
            yield _rounds(child, log)
        finally:
            late.cancel()
            child.kill()
            child.communicate()


def _rounds(child: subprocess.Popen[str], log: Any) -> Iterator[float]:
    while _line(child, log) != "ready":
        continue
    while True:
        child.stdin.write("go\n")
        child.stdin.flush()
        yield float(_line(child, log))


def _line(child: subprocess.Popen[str], log: Any) -> str:
    said = child.stdout.readline()
    if not said:
        log.seek(0)
        told = log.read().decode("utf-8", "replace").strip().splitlines() or [f"it took more than {WAIT} s"]
        raise RuntimeError(told[-1][-200:])
    return said.strip()


def measure_words() -> None:
    """Search by words and by both, in texts of some twelve words, beside search by meaning; and insert."""
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{n}" for n in range(20_000)])
    common = 1 / np.arange(1, len(vocabulary) + 1)
    for count in (1000, 10_000, 100_000):
        drawn = rng.choice(vocabulary, size=(count, 12), p=common / common.sum())
        rows = rng.normal(size=(count, len(embed("x")))).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        kept = store.Store()
        kept.fill([Memory(f"m{n}", " ".join(words)) for n, words in enumerate(drawn)], rows)
        asked = [" ".join(words) for words in drawn[:: count // 20][:20]]
        for text in asked:
            kept.search(text, 4, by="hybrid")
        for way in ("lexical", "hybrid"):

            def ours(kept: store.Store = kept, way: Any = way, asked: list[str] = asked) -> None:
                for text in asked:
                    kept.search(text, 4, by=way)

            def theirs(kept: store.Store = kept, asked: list[str] = asked) -> None:
                for text in asked:
                    kept.nearest(text, 4)

            measure.row(f"search, {way}, {count} memories / search by meaning", "", ours, theirs)
