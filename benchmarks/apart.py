"""Another store of memories, in an environment of its own: inserts and searches when it is told to, and says how long.

Run by `memories.py` as ``python apart.py PACKAGE COUNT WIDTH FOLDER``: it says ``ready`` once it holds COUNT rows, and
after each line on its standard input makes a round and prints the seconds. The toolkit is not needed here. Every store
is given the same vectors, so that none embeds anything.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator

import numpy as np

PAIRS = 20  # an insert and a search each, in a round
NEAREST = 4
Put = Callable[[str, str, np.ndarray], object]
Ask = Callable[[str, np.ndarray], object]


def chromadb(rows: np.ndarray, folder: str) -> tuple[Put, Ask]:
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
        lambda text, row: kept.query(query_embeddings=row[None], n_results=NEAREST),
    )


def lancedb(rows: np.ndarray, folder: str) -> tuple[Put, Ask]:
    """On disk, without an index: exact."""
    import lancedb

    db = lancedb.connect(folder)
    kept = db.create_table("m", [{"id": f"old{n}", "text": "x", "vector": row} for n, row in enumerate(rows)])
    return (
        lambda name, text, row: kept.add([{"id": name, "text": text, "vector": row}]),
        lambda text, row: kept.search(row).metric("cosine").limit(NEAREST).to_list(),
    )


def langgraph(rows: np.ndarray, folder: str) -> tuple[Put, Ask]:
    """Its store in memory; what it would embed is looked up."""
    from langgraph.store.memory import InMemoryStore

    known = {f"old {n}": row.tolist() for n, row in enumerate(rows)}
    kept = InMemoryStore(
        index={"dims": rows.shape[1], "embed": lambda texts: [known[text] for text in texts], "fields": ["text"]}
    )
    for n in range(len(rows)):
        kept.put(("m",), f"old{n}", {"text": f"old {n}"})

    def put(name: str, text: str, row: np.ndarray) -> None:
        known[text] = row.tolist()
        kept.put(("m",), name, {"text": text})

    def ask(text: str, row: np.ndarray) -> object:
        known[text] = row.tolist()
        return kept.search(("m",), query=text, limit=NEAREST)

    return put, ask


class Given:
    """Stands where mem0 has its embedder: what it would embed is looked up."""

    def __init__(self) -> None:
        self.known: dict[str, list[float]] = {}

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The vector of a text."""
        return self.known[text]

    def embed_batch(self, texts: list[str], memory_action: str = "add") -> list[list[float]]:
        """Of several."""
        return [self.known[text] for text in texts]


def mem0(rows: np.ndarray, folder: str) -> tuple[Put, Ask]:
    """Its `Memory` with its usual vector store (Qdrant within the process), without a model (``infer=False``).

    Without spaCy and fastembed it searches by meaning alone, which is quicker than what it does with them.
    """
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=folder, OPENAI_API_KEY="none")
    from mem0 import Memory

    config = {"path": f"{folder}/vectors", "embedding_model_dims": rows.shape[1], "on_disk": False}
    kept = Memory.from_config(
        {"vector_store": {"provider": "qdrant", "config": config}, "history_db_path": f"{folder}/history.db"}
    )
    kept.embedding_model = given = Given()
    names = [str(uuid.UUID(int=n)) for n in range(len(rows))]
    said = {"data": "x", "user_id": "u", "hash": "h", "text_lemmatized": "x"}
    kept.vector_store.insert(vectors=rows.tolist(), payloads=[said] * len(rows), ids=names)

    def put(name: str, text: str, row: np.ndarray) -> None:
        given.known[text] = row.tolist()
        kept.add(text, user_id="u", infer=False)

    def ask(text: str, row: np.ndarray) -> object:
        given.known[text] = row.tolist()
        found = kept.search(text, top_k=NEAREST, filters={"user_id": "u"}, threshold=0.0)["results"]
        if not found:
            raise RuntimeError("mem0 found nothing, so what it took says nothing")
        return found

    return put, ask


STORES = {"chromadb": chromadb, "lancedb": lancedb, "langgraph": langgraph, "mem0ai": mem0}


def main() -> None:
    """Fill, then a round for each line that is read."""
    package, count, width, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    rng = np.random.default_rng(0)
    put, ask = STORES[package](unit(rng, count, width), folder)
    numbers: Iterator[int] = iter(range(1_000_000))
    print("ready", flush=True)
    for _ in sys.stdin:
        rows = unit(rng, PAIRS, width)
        started = time.perf_counter()
        for row in rows:
            number = next(numbers)
            ask(f"the number w{number}", row)
            put(f"new{number}", f"the number w{number}", row)
        print(time.perf_counter() - started, flush=True)


def unit(rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Rows of length 1."""
    rows = rng.normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
