"""The store: exact neighbours, ties to the older, revision in place, and no side effects on the program."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.records import Memory
from toolkit.traits.memory.dense import products
from toolkit.traits.memory.embedding import embed
from toolkit.traits.memory.store import Store

WORDS = st.lists(
    st.sampled_from(["late", "parcel", "lost", "card", "broken", "lamp", "refund", "owed", "password", "reset"]),
    max_size=5,
)


def seen(number: int, text: str, answer: str = "a") -> Memory:
    return Memory(f"e{number}", text, answer=answer)


@given(st.lists(WORDS.map(" ".join), max_size=90), WORDS.map(" ".join), st.integers(1, 100))
def test_neighbours_are_those_of_a_full_sort(texts: list[str], query: str, k: int) -> None:
    store = Store()
    for number, text in enumerate(texts):
        store.put(seen(number, text))
    found = [int(one.id[1:]) for one in store.nearest(query, k)]
    similar = np.array([embed(text) @ embed(query) for text in texts])
    assert len(found) == min(k, len(texts))
    got = sorted((float(similar[place]) for place in found), reverse=True)
    np.testing.assert_allclose(got, np.sort(similar)[::-1][: len(found)], atol=1e-5)
    assert len(set(found)) == len(found)


def test_of_equal_texts_the_older_comes_first() -> None:
    store = Store()
    for number in range(70):
        store.put(seen(number, "the parcel is late"))
    assert [one.id for one in store.nearest("late parcel", 3)] == ["e0", "e1", "e2"]


def test_the_same_id_is_revised_in_place() -> None:
    store = Store()
    store.put(seen(1, "one", "wrong"))
    store.put(seen(2, "two"))
    store.put(seen(1, "one", "right"))
    assert [(one.id, one.answer) for one in store] == [("e1", "right"), ("e2", "a")]
    assert len(store) == 2
    assert "e1" in store


def test_a_text_without_known_words_is_stored_and_found() -> None:
    store = Store()
    store.put(seen(1, ""))
    assert [one.id for one in store.nearest("", 1)] == ["e1"]
    assert np.isfinite(embed("")).all()


def test_embedding_leaves_the_programs_logging_alone() -> None:
    code = (
        "import logging; before = (logging.root.level, logging.root.handlers[:]);"
        "from toolkit.traits.memory.embedding import embed; embed('x');"
        "assert (logging.root.level, logging.root.handlers) == before, logging.root.handlers"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_product_is_the_same_whatever_stands_behind_it() -> None:
    rng = np.random.default_rng(0)
    rows, query = rng.normal(size=(10_001, 256)).astype(np.float32), rng.normal(size=256).astype(np.float32)
    whole = products(rows, query)
    np.testing.assert_allclose(whole, rows @ query, rtol=1e-3, atol=1e-3)
    for count in (1024, 2048, 4096):
        assert (products(rows[:count], query) == whole[:count]).all()
    one = "import numpy as np; from toolkit.traits.memory.dense import products as p; r = np.random.default_rng(0);"
    one += "a = r.normal(size=(10_001, 256)).astype(np.float32), r.normal(size=256).astype(np.float32);"
    one += "print(p(*a).tobytes().hex())"
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", one], capture_output=True, text=True, check=True, env=alone)
    assert found.stdout.strip() == whole.tobytes().hex()
