"""The scores that policies tell to those who look: what they recall by, and nothing is changed by telling them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.records import Experience, Memory, Task
from toolkit.traits.memory import (
    Bounded,
    FullContext,
    LatestWins,
    Layered,
    MemoryPolicy,
    PoolRetrieval,
    Renewed,
    Retrieval,
    SlidingWindow,
    Weighed,
)
from toolkit.traits.memory.store import WAYS, Store, Way

TEXTS = st.lists(st.sampled_from(["parcel late", "late lamp", "lamp", "refund owed", "a parcel", "", "owed owed"]))


@given(texts=TEXTS, asked=st.sampled_from(["parcel", "lamp owed", "nothing"]), by=st.sampled_from(WAYS))
@settings(max_examples=60, deadline=None)
def test_a_store_searches_by_the_scores_it_tells(texts: list[str], asked: str, by: Way) -> None:
    store = Store()
    for place, text in enumerate(texts):
        store.put(Memory(f"m{place}", text, user="ab"[place % 2]))
    for within in (("shared", ""), ("user", "a")):
        told = store.scores(asked, by=by, within=within)
        assert list(told) == [one.id for one in store.held(within)]
        ranked = sorted((one for one in told if by != "lexical" or told[one] > 0), key=lambda one: -told[one])
        assert [one.id for one in store.search(asked, 3, by=by, within=within)] == ranked[:3]


def filled(policy: MemoryPolicy) -> MemoryPolicy:
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    for place, text in enumerate(["parcel late", "lamp broken", "refund owed", "late lamp"]):
        policy.observe(Experience(f"stream/{place}", Task(str(place), {"text": text}, user="ab"[place % 2]), "x"))
    return policy


@pytest.mark.parametrize(
    "policy",
    [Retrieval(k=2), Retrieval(k=2, search="lexical"), Retrieval(k=2, search="hybrid"), Retrieval(k=9, scope="user"),
     Weighed(k=2), Bounded(Retrieval(k=2), size=3), Renewed(Retrieval(k=2)), LatestWins(k=2, alike=1.0)],
    ids=repr,
)  # fmt: skip
def test_the_highest_scores_are_recalled(policy: MemoryPolicy) -> None:
    policy, task = filled(policy), Task("q", {"text": "is the lamp late?"}, user="a")
    before = policy.state()
    told = policy.scores(task)
    recalled = policy.recall(task).memories
    assert recalled
    assert set(told) <= {one.id for one in policy.memories()}
    assert [told[one] for one in recalled] == sorted(told.values())[-len(recalled) :]  # the best stands last
    assert policy.state() == before


def test_both_halves_tell_theirs_and_who_has_no_measure_tells_none() -> None:
    task = Task("q", {"text": "lamp"})
    both = filled(Layered(SlidingWindow(k=1), Retrieval(k=1)))
    assert both.scores(task) == both.long.scores(task)
    assert len(both.scores(task)) == 4
    assert filled(SlidingWindow()).scores(task) == filled(FullContext()).scores(task) == {}
    assert filled(PoolRetrieval(k=1, size=1)).scores(task) == filled(Retrieval(store="correct")).scores(task) == {}
    assert Store().scores("lamp") == {}
