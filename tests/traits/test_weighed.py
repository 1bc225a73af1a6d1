"""Recency, importance and relevance, each by itself and together; and how a model's rating is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.records import Experience, Feedback, Step, Task
from toolkit.traits.memory.weighed import Weighed

TEXTS = ("the parcel is late", "reset my password", "the lamp is broken")


def begun(rate: str = "7", **given: object) -> Weighed:
    policy = Weighed(**given)

    def think(step: Step, **inputs: str) -> str:
        return rate

    policy.reset(np.random.default_rng(0), think)
    return policy


def met(
    policy: Weighed, score: float | None = None, recalled: tuple[str, ...] = (), texts: tuple[str, ...] = TEXTS
) -> None:
    for text in texts:
        number = policy._now
        seen = Experience(f"stream/{number}", Task(str(number), {"text": text}), "a", recalled=recalled)
        policy.observe(seen)
        if score is not None:
            policy.observe(replace(seen, feedback=Feedback(score)))


def found(policy: Weighed, text: str = "where is my package") -> list[str]:
    return [one.text for one in policy.read(Task("q", {"text": text}))]


def test_relevance_alone_is_retrieval() -> None:
    policy = begun(k=1, recency=0, importance=0)
    met(policy)
    assert found(policy) == ["the parcel is late"]


def test_recency_alone_is_the_latest_and_use_makes_fresh() -> None:
    policy = begun(k=3, importance=0, relevance=0)
    met(policy)
    assert found(policy) == list(reversed(TEXTS))
    met(policy, recalled=("stream/0",), texts=("new",))
    assert found(policy)[:2] == ["the parcel is late", "new"]  # equally fresh: the older first


def test_importance_alone_is_what_went_wrong() -> None:
    policy = begun(k=1, recency=0, relevance=0)
    met(policy, score=1.0)
    met(policy, score=0.0, texts=("a lost card",))
    met(policy, texts=("a question",))
    assert found(policy) == ["a lost card"]


@pytest.mark.parametrize(
    ("said", "rating"), [("7", 0.7), ("12", 1.0), ("0", 0.1), ("about 3 I think", 0.3), ("much", 0.5)]
)
def test_a_models_rating_is_read_whatever_it_says(said: str, rating: float) -> None:
    policy = begun(rate=said, rated="model")
    met(policy, score=0.0, texts=("x",))
    assert [one.importance for one in policy.memories()] == [rating]


def test_all_three_are_added_up() -> None:
    policy = begun(k=3, decay=0.5, relevance=2.0)
    met(policy, score=1.0, texts=("the parcel is late",))
    met(policy, score=0.0, texts=("reset my password",))
    # relevance 2 against recency 1 and importance 1: equal, and of equals the older comes first
    assert found(policy, "the parcel is late") == ["the parcel is late", "reset my password"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"k": 0}, "Weighed.k"),
        ({"recency": -1.0}, "recency = -1.0"),
        ({"recency": 0, "importance": 0, "relevance": 0}, "not all 0"),
        ({"decay": 0.0}, "Weighed.decay"),
        ({"rated": "x"}, "'model' but is 'x'"),
    ],
)
def test_mistakes_are_told(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Weighed(**given).check()
