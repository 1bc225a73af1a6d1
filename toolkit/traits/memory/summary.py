"""A running summary: one text that the model writes anew as it goes along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from toolkit.records import Experience, Memory, Step, Task
from toolkit.traits.memory.policy import Forgotten, best
from toolkit.traits.memory.store import Scope, within
from toolkit.traits.memory.windows import CHARACTERS_A_TOKEN
from toolkit.traits.memory.written import READ, WrittenMemory, short
from toolkit.traits.trait import Think, must_be_positive

SUMMARISE = Step(
    "summarise",
    "Summarise what is known and what is new in a few sentences. Keep names, numbers and what was right.",
    ("known", "new"),
    output="short_summary",
)
"""The step by which `RunningSummary` writes."""

_OWNERS = 256  # users or sessions that have a summary at a time


class RunningSummary(WrittenMemory):
    """A summary of what has happened so far, written anew after every few tasks and recalled as one note.

    When as many tasks have come as make an update, the next one sets it off, so that feedback without delay is in it.
    Feedback that comes later is read like another task. What the model writes is cut at the limit; where it writes
    nothing usable, the old summary stays, the news are lost, and it is counted.

    Parameters
    ----------
    max_tokens
        Length of the summary at most, in tokens estimated at four characters each; at least 1.
    every
        Tasks between two updates, at least 1; one call each.
    scope
        ``"shared"`` = one summary; ``"user"``, ``"session"`` = one for each, of the 256 that came last.

    Notes
    -----
    Of a summary made of several users' tasks no user's part can be cut out: to forget one of them drops it whole, and
    it begins anew.

    Examples
    --------
    >>> policy = RunningSummary(every=1)
    >>> policy.reset(np.random.default_rng(0), lambda step, known, new: f"{known} {new}")
    >>> for place, text in enumerate(["parcel late", "lamp broken"]):
    ...     policy.observe(Experience(f"stream/{place}", Task(str(place), {"text": text}), "a"))
    >>> policy.recall(Task("q", {"text": ""})).notes
    '- nothing yet - parcel late: a'
    """

    thinks = (SUMMARISE.name,)

    def __init__(self, max_tokens: int = 120, every: int = 4, scope: Scope = "shared") -> None:
        self.max_tokens = max_tokens
        self.every = every
        self.scope = scope

    @property
    def limit(self) -> int | None:
        """One for each owner."""
        return 1 if self.scope == "shared" else _OWNERS

    def check(self) -> None:
        """Both at least 1."""
        must_be_positive("RunningSummary.max_tokens", self.max_tokens)
        must_be_positive("RunningSummary.every", self.every)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without a summary."""
        super().reset(rng, think)
        self._news: dict[str, dict[str, Experience]] = {}  # by owner, those that came last at the end
        self._ids: dict[str, str] = {}
        self._told: dict[str, frozenset[str]] = {}  # by owner: whose tasks the summary was made of
        self._count = 0

    def write(self, experience: Experience) -> None:
        """Take it among the news, after a summary of those before it if they are enough."""
        told = experience.feedback
        owner = within(self.scope, experience.task)[1]
        news = self._news.get(owner, {})
        if experience.id not in news:
            if told is not None and experience.known_answer is None and not told.text:
                return  # a score alone of what was read long ago
            if len(news) >= self.every:
                self._summarise(owner, list(news.values()))
                news = {}
        news[experience.id] = experience
        self._news.pop(owner, None)
        self._news[owner] = news
        while len(self._news) > _OWNERS:
            self._let_go(next(iter(self._news)))

    def _summarise(self, owner: str, news: Sequence[Experience]) -> None:
        before = self._store.get(self._ids.get(owner, ""))
        most = self.max_tokens * CHARACTERS_A_TOKEN
        said = self.ask_prose(
            SUMMARISE,
            most,
            known="nothing yet" if before is None else before.text,
            new="\n".join(f"- {_line(one, max(80, READ // len(news)))}" for one in news),
        )
        if not said:
            return
        task, sources = news[-1].task, tuple(one.id for one in news)
        if before is None:
            before = Memory(
                id=f"summary/{self._count}",
                text="",
                kind="summary",
                user="" if self.scope == "shared" else task.user,
                session=task.session if self.scope == "session" else "",
            )
            self._count += 1
        self._store.put(replace(before, text=said, time=task.time, sources=sources))
        self._ids[owner] = before.id
        self._told[owner] = self._told.get(owner, frozenset()) | {one.task.user for one in news}

    def read(self, task: Task) -> Sequence[Memory]:
        """The summary, if there is one."""
        found = self._store.get(self._ids.get(within(self.scope, task)[1], ""))
        return [] if found is None else [found]

    def drop(self, ids: Iterable[str]) -> None:
        """Let go of summaries; they begin anew."""
        gone = set(ids)
        super().drop(sorted(gone))
        for owner in [owner for owner, name in self._ids.items() if name in gone]:
            del self._ids[owner], self._told[owner]

    def forget(self, user: str) -> Forgotten:
        """Drop every summary that the user's tasks are in, and their tasks from the news."""
        mixed = [self._ids[owner] for owner, users in self._told.items() if user in users]
        self.drop(mixed)
        self._news = {
            owner: kept
            for owner, news in self._news.items()
            if (kept := {name: one for name, one in news.items() if one.task.user != user}) or owner in self._ids
        }
        found = super().forget(user)
        return replace(found, removed=(*mixed, *found.removed))

    def _let_go(self, owner: str) -> None:
        del self._news[owner]
        if owner in self._ids:
            self.drop([self._ids[owner]])

    def state(self) -> dict[str, object]:
        """The summaries, and which tasks wait to be in one."""
        return {**super().state(), "news": {owner: list(news) for owner, news in self._news.items()}}


def _line(one: Experience, most: int) -> str:
    """A task with its answer, what is known of it, and what was said."""
    told, right = one.feedback, best(one)
    wrong = f" (not {short(one.answer, most)})" if right != one.answer and one.answer else ""
    said = f" ({short(told.text, most)})" if told is not None and told.text else ""
    answer = f": {short(right, most)}{wrong}" if right else ""
    return short(f"{short(one.task.text, most // 2)}{answer}{said}", most)
