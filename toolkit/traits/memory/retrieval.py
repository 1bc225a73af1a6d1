"""Retrieval by similarity, and the two shams that tell whether relevance and labels are what makes it work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from toolkit.records import Change, Experience, Memory, Recall, Task
from toolkit.traits.memory.embedding import USUAL, Embedder
from toolkit.traits.memory.policy import KEPT, Forgotten, Kept, MemoryPolicy, best, kept
from toolkit.traits.memory.store import SCOPES, WAYS, Scope, Way, within
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.trait import Think, must_be_positive


class Retrieval(StoredMemory):
    """The ``k`` past tasks most similar to the one at hand, the most similar nearest to the question.

    Parameters
    ----------
    k
        Number of examples, at least 1.
    store
        ``"all"`` keeps every task, with the right answer once it is known and the agent's own until then (or for
        good, where feedback never tells); ``"correct"`` keeps only tasks whose right answer is known (with feedback of
        one bit: what the agent itself got right, as Self-StreamICL does); ``"feedback"`` keeps every task of which it
        is known whether the agent's own answer was right, with that answer, right or wrong, and says below it in the
        prompt which it was, as MemPrompt does.
    scope
        Whose memories are searched: ``"shared"`` = everybody's, ``"user"`` = the task's user's, ``"session"`` = those
        of the running session.
    search
        ``"dense"``: by meaning, the cosine of vectors; ``"lexical"``: by words, BM25, and nothing where no word is in
        common; ``"hybrid"``: by both ranks together. See `toolkit.traits.memory.store.Store.search`.
    embedder
        What turns texts into vectors for ``"dense"`` and ``"hybrid"``.

    References
    ----------
    Storing wrong outputs hurts: Wu et al. 2024, StreamBench, arXiv 2406.08747 (Self-StreamICL).
    Madaan et al. 2022, Memory-assisted prompt editing to improve GPT-3 after deployment, EMNLP (MemPrompt).
    """

    def __init__(
        self,
        k: int = 4,
        store: Kept = "all",
        scope: Scope = "shared",
        search: Way = "dense",
        embedder: Embedder = USUAL,
    ) -> None:
        self.k = k
        self.store = store
        self.scope = scope
        self.search = search
        self.embedder = embedder

    def check(self) -> None:
        """At least one example; a known store, scope and way of searching; an embedder in order."""
        must_be_positive("Retrieval.k", self.k)
        for name, known in {"store": KEPT, "scope": SCOPES, "search": WAYS}.items():
            if getattr(self, name) not in known:
                told = " or ".join([", ".join(map(repr, known[:-1])), repr(known[-1])])
                raise ValueError(f"Retrieval.{name} must be {told} but is {getattr(self, name)!r}")
        if not isinstance(self.embedder, Embedder):
            raise ValueError(f"Retrieval.embedder must be an Embedder, e.g. WordLlama(), but is {self.embedder!r}")
        self.embedder.check()

    def write(self, experience: Experience) -> None:
        """Keep or revise it."""
        found = kept(experience, self.store)
        if found is not None:
            self._store.put(found)

    def read(self, task: Task) -> Sequence[Memory]:
        """The nearest."""
        return self._store.search(task.text, self.k, by=self.search, within=within(self.scope, task))

    def scores(self, task: Task) -> Mapping[str, float]:
        """What the search goes by."""
        return self._store.scores(task.text, by=self.search, within=within(self.scope, task))


class PoolRetrieval(StoredMemory):
    """The ``k`` labelled tasks most similar to the one at hand, from a pool filled beforehand that never changes.

    No agent's memory but a rival of one: few-shot prompting by nearest neighbour. It says what relevance alone is worth
    to a model that keeps nothing of what it does.

    Parameters
    ----------
    k
        Number of examples, at least 1.
    size
        Labelled tasks in the pool, the first of the stream's own pool; as many labels are charged.

    References
    ----------
    Liu et al. 2022, What makes good in-context examples for GPT-3?, DeeLIO.
    """

    stateless = True  # filled before the first task: the stream's feedback is no label to it

    def __init__(self, k: int = 4, size: int = 40) -> None:
        self.k = k
        self.size = size

    @property
    def labels(self) -> int:  # type: ignore[override]
        """One label for each task of the pool."""
        return self.size

    def check(self) -> None:
        """At least one example, from a pool of at least as many."""
        must_be_positive("PoolRetrieval.k", self.k)
        must_be_positive("PoolRetrieval.size", self.size)
        if self.size < self.k:
            raise ValueError(f"PoolRetrieval.size must be at least k = {self.k} but is {self.size}")

    def write(self, experience: Experience) -> None:
        """Keep it if it was handed over before the stream."""
        if experience.id.startswith("prepare/") and experience.known_answer is not None:
            self._store.put(Memory.of(experience))

    def read(self, task: Task) -> Sequence[Memory]:
        """The nearest."""
        return self._store.nearest(task.text, self.k)

    def scores(self, task: Task) -> Mapping[str, float]:
        """Cosines."""
        return self._store.scores(task.text)


class _Sham(MemoryPolicy, abstract=True):
    """A policy that spoils what another one recalls."""

    draws = True

    def __init__(self, of: MemoryPolicy) -> None:
        self.of = of

    def check(self) -> None:
        """A policy inside, itself in order."""
        if not isinstance(self.of, MemoryPolicy):
            raise ValueError(f"{type(self).__name__}.of must be a memory policy but is {self.of!r}")
        self.of.check()

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, the policy inside too."""
        self._rng = rng
        self.of.reset(rng.spawn(1)[0], think)

    def memories(self) -> Sequence[Memory]:
        """Those of the policy inside."""
        return self.of.memories()

    def forget(self, user: str) -> Forgotten:
        """The policy inside forgets."""
        return self.of.forget(user)

    def changes(self) -> tuple[Change, ...]:
        """Those of the policy inside."""
        return self.of.changes()

    def state(self) -> dict[str, object]:
        """The state of the policy inside."""
        return {"of": self.of.state()}


class Shuffled(_Sham):
    """Sham: recalls what ``of`` would have recalled for a random earlier task: as much text, no relevance.

    Parameters
    ----------
    of
        The policy to spoil.
    """

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew."""
        super().reset(rng, think)
        self._tasks: list[Task] = []

    def observe(self, experience: Experience) -> None:
        """Pass it on, and remember the task as one to be drawn."""
        if experience.feedback is None:
            self._tasks.append(experience.task)
        self.of.observe(experience)

    def recall(self, task: Task) -> Recall:
        """The recall of a task drawn at random."""
        if not self._tasks:
            return Recall()
        return self.of.recall(self._tasks[int(self._rng.integers(len(self._tasks)))])


class PermutedLabels(_Sham):
    """Sham: recalls the same tasks as ``of``, each with the answer of a random other one: relevance, no information.

    A task keeps the wrong answer it was first recalled with, so that nothing contradicts itself. An answer drawn may
    be the right one by chance, as often as it is common.

    Parameters
    ----------
    of
        The policy to spoil.
    """

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew."""
        super().reset(rng, think)
        self._answers: dict[str, str] = {}
        self._drawn: dict[str, str] = {}

    def observe(self, experience: Experience) -> None:
        """Pass it on, and keep its answer among those that are drawn from."""
        self._answers[experience.id] = best(experience)
        self.of.observe(experience)

    def recall(self, task: Task) -> Recall:
        """The recall of ``of`` with drawn answers."""
        found = self.of.recall(task)
        return replace(found, examples=tuple(replace(e, answer=self._draw(e.source)) for e in found.examples))

    def _draw(self, source: str) -> str:
        if source not in self._drawn:
            others = [answer for other, answer in self._answers.items() if other != source]
            pool = others or list(self._answers.values())
            self._drawn[source] = pool[int(self._rng.integers(len(pool)))]
        return self._drawn[source]
