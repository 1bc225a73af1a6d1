"""Other stores of memories, on the same vectors, in the same run; each only if it is installed beside the toolkit."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from typing import Any

import measure
import numpy as np

from toolkit import Memory
from toolkit.traits.memory import store
from toolkit.traits.memory.embedding import embed

COUNT = 10_000
PAIRS = 20  # an insert and a query each
Put = Callable[[str, str, np.ndarray], object]
Ask = Callable[[str, np.ndarray], object]


def chroma(rows: np.ndarray) -> tuple[Put, Ask]:
    """In memory, cosine, its usual index."""
    import chromadb

    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    kept = client.create_collection(f"c{len(rows)}", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for start in range(0, len(rows), 5000):
        part = rows[start : start + 5000]
        names = [f"old{start + n}" for n in range(len(part))]
        kept.add(ids=names, embeddings=part, documents=["x"] * len(part))
    return (
        lambda name, text, row: kept.add(ids=[name], embeddings=row[None], documents=[text]),
        lambda text, row: kept.query(query_embeddings=row[None], n_results=4),
    )


def lance(rows: np.ndarray) -> tuple[Put, Ask]:
    """On disk, without an index: exact."""
    import lancedb

    db = lancedb.connect(tempfile.mkdtemp())
    kept = db.create_table("m", [{"id": f"old{n}", "text": "x", "vector": row} for n, row in enumerate(rows)])
    return (
        lambda name, text, row: kept.add([{"id": name, "text": text, "vector": row}]),
        lambda text, row: kept.search(row).metric("cosine").limit(4).to_list(),
    )


def langgraph(rows: np.ndarray) -> tuple[Put, Ask]:
    """Its store in memory, which embeds by our own function."""
    from langgraph.store.memory import InMemoryStore

    known = {f"old {n}": row for n, row in enumerate(rows)}

    def vectors(texts: list[str]) -> list[list[float]]:
        return [known[text].tolist() if text in known else embed(text).tolist() for text in texts]

    kept = InMemoryStore(index={"dims": rows.shape[1], "embed": vectors, "fields": ["text"]})
    for n in range(len(rows)):
        kept.put(("m",), f"old{n}", {"text": f"old {n}"})
    return (
        lambda name, text, row: kept.put(("m",), name, {"text": text}),
        lambda text, row: kept.search(("m",), query=text, limit=4),
    )


def mem0(rows: np.ndarray) -> tuple[Put, Ask]:
    """Its usual vector store (Qdrant, on disk), without the model that it would ask before each insert."""
    from mem0.vector_stores.qdrant import Qdrant

    kept: Any = Qdrant("m", rows.shape[1], path=tempfile.mkdtemp(), on_disk=False)
    names = list(range(len(rows)))
    kept.insert(vectors=[row.tolist() for row in rows], payloads=[{"data": "x"}] * len(rows), ids=names)
    return (
        lambda name, text, row: kept.insert([row.tolist()], [{"data": text}], [int(name) + len(rows)]),
        lambda text, row: kept.search(text, row.tolist(), top_k=4),
    )


PEERS = {"chromadb": chroma, "lancedb": lance, "langgraph": langgraph, "mem0": mem0}


def measure_peers() -> None:
    """Insert and query, alternating, ours beside each."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(COUNT, len(embed("x")))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    texts = [f"the number w{n}" for n in range(PAIRS * (measure.REPEATS + 1))]
    for text in texts:
        embed(text)
    for package, opened in PEERS.items():
        name = f"insert + query, {COUNT} memories / {package}"
        if importlib.util.find_spec(package) is None:
            measure.skip(name, "not installed")
            continue
        kept = store.Store()
        kept.fill([Memory(f"old{n}", "x") for n in range(COUNT)], rows)
        put, ask = opened(rows)
        mine, other = iter(range(len(texts))), iter(range(len(texts)))

        def ours(kept: store.Store = kept, numbers: Any = mine) -> None:
            for _ in range(PAIRS):
                number = next(numbers)
                kept.nearest(texts[number], 4)
                kept.put(Memory(str(number), texts[number]))

        def theirs(put: Put = put, ask: Ask = ask, numbers: Any = other) -> None:
            for _ in range(PAIRS):
                number = next(numbers)
                vector = embed(texts[number])
                ask(texts[number], vector)
                put(str(number), texts[number], vector)

        measure.row(name, "<= 1", ours, theirs)
        each = measure.spent(theirs)[0] / PAIRS * 1e3
        print(f"{'':<70}{each:9.2f} ms an insert and a query of {package}")


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
