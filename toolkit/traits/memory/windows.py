"""Short-term memory: the last tasks as they were, by number or by length, of everybody or of each user or session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal

import numpy as np

from toolkit.records import Experience, Memory, Recall, Task
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy, kept, recalled
from toolkit.traits.memory.store import Scope, within
from toolkit.traits.trait import Think, must_be_positive

CHARACTERS_A_TOKEN = 4
"""The rule of thumb by which policies budget tokens, since they work for any model; costs are metered exactly."""

_OWNERS = 256  # users or sessions whose windows are kept at a time


class Window(MemoryPolicy, abstract=True):
    """Base of both windows: memories by whose they are, in the order they came, cut from the front.

    Attributes
    ----------
    store
        None = every task, as it was met; else only those that are to be kept, which enter when feedback tells that
        they are: see `toolkit.traits.memory.policy.kept`.
    """

    scope: Scope
    store: Literal["correct", "feedback"] | None = None

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with nothing."""
        self.windows: dict[str, dict[str, Memory]] = {}

    def fits(self, window: Sequence[Memory]) -> bool:
        """Whether a window may be as it is."""
        raise NotImplementedError(f"{type(self).__name__} does not say how much it keeps: define fits()")

    def observe(self, experience: Experience) -> None:
        """Append, or revise what is still in the window."""
        owner = within(self.scope, experience.task)[1]
        window = self.windows.get(owner, {})
        enters = experience.feedback is None if self.store is None else experience.id not in window
        found = kept(experience, self.store or "all")
        if found is None or not (enters or experience.id in window):
            return  # it is not to be kept, or it left the window before its feedback came
        window[experience.id] = found
        while len(window) > 1 and not self.fits(tuple(window.values())):
            del window[next(iter(window))]
        if enters:  # whoever was here last is the last to be let go
            self.windows.pop(owner, None)
        self.windows[owner] = window
        if len(self.windows) > _OWNERS:
            del self.windows[next(iter(self.windows))]

    def recall(self, task: Task) -> Recall:
        """The window, oldest first."""
        window = self.windows.get(within(self.scope, task)[1], {})
        return recalled(list(reversed(window.values())))

    def memories(self) -> Sequence[Memory]:
        """What is in all windows."""
        return tuple(chain.from_iterable(window.values() for window in self.windows.values()))

    def forget(self, user: str) -> Forgotten:
        """Take the user's tasks out of every window."""
        gone = tuple(one.id for one in self.memories() if one.user == user)
        self.windows = {
            owner: {name: one for name, one in window.items() if one.user != user}
            for owner, window in self.windows.items()
        }
        return Forgotten(gone)


class SlidingWindow(Window):
    """The last ``k`` tasks with their answers, in the order they came.

    Parameters
    ----------
    k
        Number of tasks, at least 1.
    scope
        ``"shared"`` = one window; ``"user"``, ``"session"`` = one for each user or session, of the 256 that came last.
    store
        None = every task, with the right answer once it is known and the agent's own until then. ``"correct"``: the
        last ``k`` whose right answer is known. ``"feedback"``: the last ``k`` of which it is known whether the agent's
        own answer was right, with that answer, right or wrong; below it stands which it was, as in GrowPrompt [1]_.
        Both come in when their feedback does.

    References
    ----------
    .. [1] Wu et al. 2024, StreamBench, arXiv 2406.08747.
    """

    def __init__(
        self,
        k: int = 4,
        scope: Scope = "shared",
        store: Literal["correct", "feedback"] | None = None,  # left out of the identity where it is not given
    ) -> None:
        self.k = k
        self.scope = scope
        self.store = store

    @property
    def limit(self) -> int | None:
        """As many as all windows have room for."""
        return self.k * (1 if self.scope == "shared" else _OWNERS)

    def check(self) -> None:
        """At least 1; a way of keeping that there is."""
        must_be_positive("SlidingWindow.k", self.k)
        if self.store not in (None, "correct", "feedback"):
            raise ValueError(f"SlidingWindow.store must be 'correct', 'feedback' or None but is {self.store!r}")

    def fits(self, window: Sequence[Memory]) -> bool:
        """At most ``k``."""
        return len(window) <= self.k


class FullContext(Window):
    """Every past task with its answer, as many of the latest as fit: the long prompt that memory has to beat.

    Parameters
    ----------
    max_tokens
        Budget of the recalled block, in tokens estimated at four characters each; at least 1. What is longer than the
        budget by itself is recalled if it came last.
    scope
        As of `SlidingWindow`.
    """

    def __init__(self, max_tokens: int = 2000, scope: Scope = "shared") -> None:
        self.max_tokens = max_tokens
        self.scope = scope

    def check(self) -> None:
        """At least 1."""
        must_be_positive("FullContext.max_tokens", self.max_tokens)

    def fits(self, window: Sequence[Memory]) -> bool:
        """No longer than the budget."""
        return sum(len(one.text) + len(one.answer) for one in window) <= self.max_tokens * CHARACTERS_A_TOKEN
