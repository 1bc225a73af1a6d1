"""The store against a list: whatever is put, replaced, removed and searched, in any order, both find the same."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from toolkit.records import Memory
from toolkit.traits.memory import store as module
from toolkit.traits.memory.embedding import Embedder
from toolkit.traits.memory.store import Store, Within

WORDS = ["late", "parcel", "lost", "Card", "lamp", "refund", "17", "schlüssel", "\x00", "\u202e", "\ud800", "😀"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
IDS = st.integers(0, 14).map(lambda number: f"m{number}")
USERS, SESSIONS = st.sampled_from(["", "mara", "tobias"]), st.sampled_from(["", "s1"])
SCOPES = st.one_of(
    st.just(("shared", "")),
    st.tuples(st.just("user"), st.sampled_from(["", "mara", "tobias", "nobody"])),
    st.tuples(st.just("session"), st.sampled_from(["", "s1"])),
)


class Directions(Embedder):
    """A text's direction is told by how often it has each of four letters: many ties, and sums that are exact."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), 4), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            row[
                [text.count(letter) % 5 for letter in "aelr"].index(max(text.count(letter) % 5 for letter in "aelr"))
            ] = 1
            if not text:
                row[:] = 0
        return found


def ranked(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))


def by_words(texts: Sequence[str], query: str) -> list[float]:
    """BM25 as it is written in the docstring, one text at a time."""
    taken = [Counter(re.findall(r"\w+", text.casefold())) for text in texts]
    mean = sum(sum(one.values()) for one in taken) / max(1, len(texts))
    found = [0.0] * len(texts)
    for word, often in Counter(re.findall(r"\w+", query.casefold())).items():
        have = sum(word in one for one in taken)
        rare = often * math.log(1 + (len(texts) - have + 0.5) / (have + 0.5))
        for place, one in enumerate(taken):
            if word in one:
                long = 1.2 * (1 - 0.75 + 0.75 * sum(one.values()) / mean)
                found[place] += rare * (one[word] * 2.2 / (one[word] + long))
    return found


class StoreMachine(RuleBasedStateMachine):
    """Puts, removes and searches in both."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = mock.patch.object(module, "_GONE", 2)  # so that places are closed up often
        self.patch.start()
        self.store, self.model = Store(Directions()), list[Memory]()

    def teardown(self) -> None:
        self.patch.stop()

    @rule(name=IDS, text=TEXTS, user=USERS, session=SESSIONS, answer=st.sampled_from("ab"))
    def put(self, name: str, text: str, user: str, session: str, answer: str) -> None:
        one = Memory(name, text, user=user, session=session, answer=answer)
        self.store.put(one)
        places = [place for place, old in enumerate(self.model) if old.id == name]
        if places:
            self.model[places[0]] = one
        else:
            self.model.append(one)

    @rule(name=IDS)
    def remove(self, name: str) -> None:
        if name in {one.id for one in self.model}:
            self.store.remove(name)
        self.model = [one for one in self.model if one.id != name]

    @rule(name=IDS, text=TEXTS)
    def remove_and_put_again(self, name: str, text: str) -> None:
        old = self.store.get(name)
        if old is not None:
            self.remove(name)
            self.put(name, text, old.user, old.session, old.answer)
            self.put(name, text + " late", old.user, old.session, old.answer)

    @rule(query=TEXTS, k=st.integers(0, 16), within=SCOPES)
    def search(self, query: str, k: int, within: Within) -> None:
        own = [one for one in self.model if within[0] == "shared" or getattr(one, within[0]) == within[1]]
        texts, embedder = [one.text for one in own], Directions()
        vectors = embedder.embed([*texts, query])
        cosines = [float(row @ vectors[-1]) for row in vectors[:-1]]
        scores = by_words(texts, query)
        dense, lexical = ranked(cosines), [place for place in ranked(scores) if scores[place] > 0]
        fused = [1 / (60 + 1 + dense.index(place)) for place in range(len(own))]
        for rank, place in enumerate(lexical):
            fused[place] += 1 / (60 + 1 + rank)
        wanted = {"dense": dense, "lexical": lexical, "hybrid": ranked(fused)}
        for by, order in wanted.items():
            found = self.store.search(query, k, by=by, within=within)
            assert found == [own[place] for place in order[:k]], by
        assert self.store.similar(query, within=within).tolist() == cosines

    @rule()
    def ask_anew(self) -> None:
        self.store.reembed(Directions())

    @rule()
    def carry_over(self) -> None:
        """Into another store, with its vectors."""
        other = Store(Directions())
        other.fill(list(self.store), self.store.vectors())
        self.store = other

    @invariant()
    def holds_the_same(self) -> None:
        assert list(self.store) == self.model
        assert len(self.store) == len(self.model)
        assert all(self.store.get(one.id) == one for one in self.model)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_search_by_one_user_is_untouched_by_what_others_store() -> None:
    alone, crowded = Store(), Store()
    for number, text in enumerate(["the red lamp", "a lamp, a lamp", "one red parcel", "lamp red"]):
        one = Memory(f"e{number}", text, user="mara")
        alone.put(one)
        crowded.put(one)
        for other in range(20):
            crowded.put(replace(one, id=f"{other}/{number}", user="tobias", text="red " * (other + 1)))
    for by in ("dense", "lexical", "hybrid"):
        found = crowded.search("red lamp", 4, by=by, within=("user", "mara"))
        assert found == alone.search("red lamp", 4, by=by)
