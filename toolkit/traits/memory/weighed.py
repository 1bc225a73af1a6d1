"""Retrieval by recency, importance and relevance, and the floor that believes the latest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.policy import line
from toolkit.traits.memory.store import Scope, within
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.trait import Think, must_be_positive

RATE = Step(
    "rate",
    "How important is it to remember this, from 1 (trivial) to 10 (vital)? Answer with the number.",
    ("memory",),
    "importance",
    "number",
)


class Weighed(StoredMemory):
    """The ``k`` memories of the highest sum of recency, importance and relevance.

    Each of the three is brought to [0, 1] over the memories searched, then weighed and added up [1]_. Recency is
    ``decay`` to the power of the tasks that passed since a memory was written or last stood in a prompt; relevance is
    the cosine to the task.

    Parameters
    ----------
    k
        Number of memories, at least 1.
    recency, importance, relevance
        Weights, at least 0.
    decay
        In (0, 1].
    rated
        How important a memory is: ``"mistakes"``: 1 where the answer turned out wrong, 0 where right, 0.5 while nobody
        has said; ``"model"``: as the model rates it, a call for each task.
    scope
        As of `Retrieval`.

    References
    ----------
    .. [1] Park et al. 2023, Generative agents: interactive simulacra of human behavior, UIST; decay 0.995 and equal
       weights are theirs.
    """

    def __init__(
        self,
        k: int = 4,
        recency: float = 1.0,
        importance: float = 1.0,
        relevance: float = 1.0,
        decay: float = 0.995,
        rated: Literal["mistakes", "model"] = "mistakes",
        scope: Scope = "shared",
    ) -> None:
        self.k = k
        self.recency = recency
        self.importance = importance
        self.relevance = relevance
        self.decay = decay
        self.rated = rated
        self.scope = scope

    @property
    def thinks(self) -> tuple[str, ...]:  # type: ignore[override]
        """Rating, if the model rates."""
        return (RATE.name,) if self.rated == "model" else ()

    def check(self) -> None:
        """Weights of at least 0, one of them above; a decay in (0, 1]; a known way of rating."""
        must_be_positive("Weighed.k", self.k)
        weights = {name: getattr(self, name) for name in ("recency", "importance", "relevance")}
        wrong = {name: value for name, value in weights.items() if not value >= 0}
        if wrong or not any(weights.values()):
            told = ", ".join(f"{name} = {value!r}" for name, value in (wrong or weights).items())
            raise ValueError(f"Weighed: weights must be at least 0, and not all 0, but {told}")
        if not 0 < self.decay <= 1:
            raise ValueError(f"Weighed.decay must be in (0, 1] but is {self.decay!r}")
        if self.rated not in ("mistakes", "model"):
            raise ValueError(f"Weighed.rated must be 'mistakes' or 'model' but is {self.rated!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty store."""
        super().reset(rng, think)
        self._think, self._now = think, 0
        self._touched: dict[str, int] = {}

    def write(self, experience: Experience) -> None:
        """Keep or revise it, with its importance; what stood in the prompt is fresh again."""
        if experience.feedback is None:
            self._now += 1
            self._touched |= {name: self._now for name in experience.recalled if name in self._store}
        self._touched.setdefault(experience.id, self._now)
        self._store.put(replace(Memory.of(experience), importance=self._rating(experience)))

    def _rating(self, experience: Experience) -> float:
        if self.rated == "mistakes":
            score = None if experience.feedback is None else experience.feedback.score
            return 0.5 if score is None else float(score < 1)
        known = self._store.get(experience.id)
        if known is not None:
            return known.importance  # feedback does not change how it was rated
        found = re.search(r"\d+", self._think(RATE, memory=line(experience.task.text)))
        return min(10, max(1, int(found[0]))) / 10 if found else 0.5

    def drop(self, ids: Sequence[str]) -> None:  # type: ignore[override]
        """Let go of memories, and of when they were used."""
        super().drop(ids)
        for one in ids:
            self._touched.pop(one, None)

    def read(self, task: Task) -> Sequence[Memory]:
        """The highest sums first; of equals, the older."""
        held, total = self._sums(task)
        return [held[place] for place in np.argsort(-total, kind="stable")[: self.k].tolist()]

    def scores(self, task: Task) -> Mapping[str, float]:
        """The sums."""
        held, total = self._sums(task)
        return dict(zip((one.id for one in held), total.tolist(), strict=True))

    def _sums(self, task: Task) -> tuple[list[Memory], NDArray[np.float64]]:
        where = within(self.scope, task)
        held = self._store.held(where)
        if not held:
            return [], np.zeros(0)
        ages = np.array([self._now - self._touched[one.id] for one in held], dtype=float)
        parts = (
            (self.recency, np.power(self.decay, ages)),
            (self.importance, np.array([one.importance for one in held])),
            (self.relevance, self._store.similar(task.text, within=where).astype(float)),
        )
        return held, sum((weight * _spread(values) for weight, values in parts if weight), np.zeros(len(held)))

    def state(self) -> dict[str, object]:
        """What is kept, how important, and when it was used."""
        weights = [[one.id, one.importance] for one in self._store]
        return {**super().state(), "weights": weights, "touched": self._touched, "now": self._now}


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brought to [0, 1]; all equal ones to 0, since they tell nothing apart."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


class LatestWins(StoredMemory):
    """Floor: the memories that share the rarest words with the task, of those that say nearly the same only the latest.

    No model and no vectors: search by words, and of two memories whose words overlap, the newer is believed. On
    questions about facts that change, such a rule was reported to beat published memory systems.

    Parameters
    ----------
    k
        Number of memories, at least 1.
    alike
        Share of words in common (Jaccard) from which two memories say nearly the same, in (0, 1].
    scope
        As of `Retrieval`.

    References
    ----------
    Robertson & Zaragoza 2009, The probabilistic relevance framework: BM25 and beyond.
    Hu et al. 2025, MemoryAgentBench, arXiv 2507.05257, for the task: facts with serial numbers, the latest holds.
    """

    def __init__(self, k: int = 4, alike: float = 0.6, scope: Scope = "shared") -> None:
        self.k = k
        self.alike = alike
        self.scope = scope

    def check(self) -> None:
        """At least one memory; a share in (0, 1]."""
        must_be_positive("LatestWins.k", self.k)
        if not 0 < self.alike <= 1:
            raise ValueError(f"LatestWins.alike must be in (0, 1] but is {self.alike!r}")

    def read(self, task: Task) -> Sequence[Memory]:
        """The best found by words, without those that a later one contradicts."""
        found = self._store.search(task.text, 4 * self.k, by="lexical", within=within(self.scope, task))
        words = {one.id: frozenset(re.findall(r"\w+", one.text.casefold())) for one in found}
        age = {one.id: place for place, one in enumerate(sorted(found, key=lambda one: self._store.place(one.id)))}
        kept = [one for one in found if not any(self._replaces(other, one, words, age) for other in found)]
        return kept[: self.k]

    def scores(self, task: Task) -> Mapping[str, float]:
        """Words in common, by BM25; of those that say nearly the same only the latest is recalled all the same."""
        return self._store.scores(task.text, by="lexical", within=within(self.scope, task))

    def _replaces(self, new: Memory, old: Memory, words: dict[str, frozenset[str]], age: dict[str, int]) -> bool:
        if age[new.id] <= age[old.id]:
            return False
        one, other = words[new.id], words[old.id]
        return len(one & other) >= self.alike * len(one | other)
