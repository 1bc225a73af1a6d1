"""Forgetting: which memory goes when there is one too many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.records import Experience, Feedback, Task
from toolkit.traits.memory import Bounded, NoMemory, Retrieval


def begun(drop: str, size: int = 2) -> Bounded:
    policy = Bounded(Retrieval(k=1), size=size, drop=drop)
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    return policy


def met(policy: Bounded, number: int, recalled: tuple[int, ...] = (), score: float | None = None) -> None:
    ids = tuple(f"stream/{one}" for one in recalled)
    seen = Experience(f"stream/{number}", Task(f"t{number}", {"text": f"text {number}"}), "a", recalled=ids)
    policy.observe(seen)
    if score is not None:
        policy.observe(replace(seen, feedback=Feedback(score)))


def kept(policy: Bounded) -> list[int]:
    return [int(one.id.split("/")[1]) for one in policy.memories()]


def test_the_oldest_goes_whatever_it_was_worth() -> None:
    policy = begun("oldest")
    met(policy, 0)
    met(policy, 1, recalled=(0,), score=1.0)
    met(policy, 2)
    assert kept(policy) == [1, 2]


def test_the_least_recently_used_goes() -> None:
    policy = begun("least-recent")
    met(policy, 0)
    met(policy, 1, recalled=(0,))
    met(policy, 2, recalled=(0,))
    assert kept(policy) == [0, 2]


def test_the_least_useful_goes_and_the_untried_stand_between() -> None:
    policy = begun("least-useful", size=3)
    met(policy, 0)
    met(policy, 1)
    met(policy, 2, recalled=(0,), score=0.0)
    met(policy, 3, recalled=(1,), score=1.0)
    assert kept(policy) == [1, 2, 3]
    met(policy, 4)
    assert kept(policy) == [1, 3, 4]


def test_use_makes_a_memory_fade_more_slowly() -> None:
    policy = begun("decayed", size=3)
    met(policy, 0)
    met(policy, 1, recalled=(0,))
    met(policy, 2, recalled=(0,))
    met(policy, 3)
    assert kept(policy) == [0, 2, 3]  # of 0: exp(-2/3), of 1: exp(-3), of 2: exp(-2)


@given(st.sampled_from(["oldest", "least-recent", "least-useful", "decayed"]), st.data())
def test_it_never_holds_more_and_the_newest_is_never_what_a_full_store_lacks_by_age(
    drop: str, data: st.DataObject
) -> None:
    policy = begun(drop, size=3)
    for number in range(data.draw(st.integers(0, 12))):
        used = tuple(data.draw(st.lists(st.integers(0, max(0, number - 1)), max_size=3)))
        met(policy, number, used, data.draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])))
        assert len(kept(policy)) == min(3, number + 1)
        assert set(policy.state()["uses"]) == {f"stream/{one}" for one in kept(policy)}
    if drop in ("oldest", "least-recent"):
        assert not kept(policy) or number in kept(policy)


def test_what_was_forgotten_leaves_no_count_behind() -> None:
    policy = begun("least-useful")
    policy.observe(Experience("stream/0", Task("t", {"text": "x"}, user="mara"), "a"))
    assert policy.forget("mara").removed == ("stream/0",)
    assert policy.state()["uses"] == {}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Bounded(NoMemory()), "a policy with a store"),
        (Bounded(Retrieval(), size=0), "Bounded.size must be an integer of at least 1 but is 0"),
        (Bounded(Retrieval(), drop="random"), "'decayed' but is 'random'"),
    ],
)
def test_mistakes_are_told(policy: Bounded, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        policy.check()
