"""Forgetting: any policy with a store, held to a number of memories by dropping the least worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp
from typing import Literal

import numpy as np

from toolkit.records import Change, Experience, Memory, Recall, Task
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy
from toolkit.traits.memory.retrieval import Retrieval
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.trait import Think, must_be_positive

Drop = Literal["oldest", "least-recent", "least-useful", "decayed"]


@dataclass
class _Use:
    """What became of one memory: when it was written or used last, how often used, and how the answers scored."""

    last: int
    times: int = 0
    judged: int = 0
    score: float = 0.0


class Bounded(MemoryPolicy):
    """A policy with a store that keeps at most ``size`` memories.

    Parameters
    ----------
    of
        The policy that writes and reads.
    size
        Memories kept, at least 1.
    drop
        Which goes when there is one too many, of equals the older: ``"oldest"``; ``"least-recent"``: written or used
        longest ago; ``"least-useful"``: whose mean score of the answers it stood in the prompt of is lowest, with one
        success and one failure added, so that the untried stand at a half; ``"decayed"``: whose retention
        ``exp(-age / strength)`` is lowest, age in tasks since it was written or used last, strength 1 and 1 more with
        each use [1]_.

    References
    ----------
    .. [1] Zhong et al. (2024), MemoryBank: enhancing large language models with long-term memory, AAAI; after
       Ebbinghaus' forgetting curve.

    Examples
    --------
    >>> policy = Bounded(Retrieval(k=1), size=2)
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for place, text in enumerate(["parcel late", "lamp broken", "refund owed"]):
    ...     policy.observe(Experience(f"stream/{place}", Task(str(place), {"text": text}), "a"))
    >>> [one.text for one in policy.memories()]
    ['lamp broken', 'refund owed']
    """

    def __init__(self, of: StoredMemory = Retrieval(), size: int = 500, drop: Drop = "oldest") -> None:  # noqa: B008
        self.of = of
        self.size = size
        self.drop = drop

    @property
    def limit(self) -> int | None:
        """The size."""
        return self.size

    @property
    def labels(self) -> int:  # type: ignore[override]
        """Those of the policy inside."""
        return self.of.labels

    def check(self) -> None:
        """A policy with a store inside, itself in order; at least one memory; a known rule."""
        if not isinstance(self.of, StoredMemory):
            raise ValueError(f"Bounded.of must be a policy with a store, such as Retrieval(), but is {self.of!r}")
        self.of.check()
        must_be_positive("Bounded.size", self.size)
        if self.drop not in ("oldest", "least-recent", "least-useful", "decayed"):
            raise ValueError(
                f"Bounded.drop must be 'oldest', 'least-recent', 'least-useful' or 'decayed' but is {self.drop!r}"
            )

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, the policy inside too."""
        self.of.reset(rng.spawn(1)[0], think)
        self._uses: dict[str, _Use] = {}
        self._now = 0

    def observe(self, experience: Experience) -> None:
        """Note what was used, write, and drop what is too much."""
        self._note(experience)
        before = len(self.of.kept)
        self.of.observe(experience)
        for one in islice(reversed(self.of.kept), max(0, len(self.of.kept) - before)):
            self._uses[one.id] = _Use(self._now)
        while len(self.of.kept) > self.size:
            gone = min(self.of.kept, key=self._worth)  # of equals the first, which is the oldest
            self.of.drop([gone.id])
            del self._uses[gone.id]

    def _note(self, experience: Experience) -> None:
        """Count uses when the answer was given, and how it scored when that is known."""
        used = [self._uses[name] for name in experience.recalled if name in self._uses]
        if experience.feedback is None:
            self._now += 1
            for one in used:
                one.last, one.times = self._now, one.times + 1
        elif experience.feedback.score is not None:
            for one in used:
                one.judged, one.score = one.judged + 1, one.score + experience.feedback.score

    def _worth(self, memory: Memory) -> float:
        """What a memory is kept for: the lowest goes."""
        use = self._uses[memory.id]
        if self.drop == "least-recent":
            return use.last
        if self.drop == "least-useful":
            return (1 + use.score) / (2 + use.judged)
        return exp((use.last - self._now) / (1 + use.times)) if self.drop == "decayed" else 0.0

    def recall(self, task: Task) -> Recall:
        """What the policy inside recalls."""
        return self.of.recall(task)

    def scores(self, task: Task) -> Mapping[str, float]:
        """Those of the policy inside."""
        return self.of.scores(task)

    def memories(self) -> Sequence[Memory]:
        """Those of the policy inside."""
        return self.of.memories()

    def forget(self, user: str) -> Forgotten:
        """The policy inside forgets."""
        found = self.of.forget(user)
        for name in found.removed:
            self._uses.pop(name, None)
        return found

    def changes(self) -> tuple[Change, ...]:
        """Those of the policy inside."""
        return self.of.changes()

    def state(self) -> dict[str, object]:
        """The policy inside, and what became of its memories."""
        return {"of": self.of.state(), "now": self._now, "uses": self._uses}
