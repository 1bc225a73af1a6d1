"""Streams: tasks with their keys, the order they come in, and the labelled pool beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np

from toolkit.component import Component, digest
from toolkit.errors import SpecError
from toolkit.records import Key, Step, Task

Pair: TypeAlias = tuple[Task, Key]


class Stream(Component, kind="stream"):
    """Tasks and keys in a reference order, with the step that answers them.

    A subclass gives `step` and `load`; it may give `pool`. What it loads must depend on its parameters (and the data
    they point to) alone, so that equal streams are equal everywhere.

    Attributes
    ----------
    scorers
        Names of the metrics, the main one first; see `toolkit.streams.scoring`.
    rewards
        Which traits this stream can reward; reports print n/a for others. A stream whose tasks all come prompted, with
        nothing to ask and nobody to act upon, cannot reward goals, so the default leaves them out.
    licence
        Licence of the data, empty where they are the user's own.
    """

    step: Step
    scorers: tuple[str, ...] = ("exact",)
    rewards: ClassVar[tuple[str, ...]] = ("memory", "role", "learning")
    licence: ClassVar[str] = ""

    def load(self) -> Sequence[Pair]:
        """All tasks and keys in the reference order."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its tasks are: define load()")

    def pool(self) -> Sequence[Pair]:
        """Labelled tasks that never occur in the stream, for arms that are prepared beforehand; may be empty."""
        return ()

    def difficulty(self) -> Sequence[float]:
        """How hard each task of the reference order is, a higher number harder; empty where nobody has said.

        It must be known before any answer is seen, as a property of the task and its key, and no agent is told.
        """
        return ()

    def groups(self) -> list[list[int]]:
        """Places of the tasks that stay together and in order, however the stream is shuffled: its sessions.

        A stream whose sessions rest on earlier ones gives larger groups.
        """
        return sessions(self.pairs())

    def pairs(self) -> tuple[Pair, ...]:
        """`load`, once, checked: there are tasks, their ids differ, choices have their answers among the options."""
        cached: tuple[Pair, ...] | None = self.__dict__.get("_pairs")
        if cached is None:
            cached = tuple(self.load())
            _check(cached, repr(self))
            self.__dict__["_pairs"] = cached
        return cached

    def fingerprint(self) -> str:
        """Identity by content: the tasks, keys and step themselves, not the path they were read from."""
        cached: str | None = self.__dict__.get("_fingerprint")
        if cached is None:
            content = [[_row(pair) for pair in self.pairs()], [_row(pair) for pair in self.pool()]]
            cached = digest([self.kind, self.step, list(self.scorers), content])
            self.__dict__["_fingerprint"] = cached
        return cached

    def files(self) -> tuple[Path, ...]:
        """The data files that `load` and `pool` read; none where everything is made from the parameters."""
        return ()

    @property
    def label(self) -> str:
        """A short name for tables."""
        return type(self).__name__.lower()


def _row(pair: Pair) -> list[object]:
    task, key = pair
    return [task.id, dict(task.inputs), task.options, task.user, task.session, task.time, key]


def _check(pairs: Sequence[Pair], where: str) -> None:
    if not pairs:
        raise SpecError([f"{where}: a stream needs at least one task but has none"])
    mistakes, seen = [], set[str]()
    for task, key in pairs:
        if task.id in seen:
            mistakes.append(f"{where}: the task id {task.id!r} occurs twice; ids must differ")
        seen.add(task.id)
        if not key.answers:
            mistakes.append(f"{where}: task {task.id!r} has no reference answer")
        missing = [answer for answer in key.answers if task.options and answer not in task.options]
        if task.options and len(missing) == len(key.answers):
            mistakes.append(f"{where}: task {task.id!r}: the answer {missing[0]!r} is not among its options")
    if mistakes:
        raise SpecError(mistakes[:20])


def sessions(pairs: Sequence[Pair]) -> list[list[int]]:
    """Places of the tasks by session, sessions in order of first appearance; a task without one is its own.

    Examples
    --------
    >>> tasks = [Task("a", {}, session="s"), Task("b", {}), Task("c", {}, session="s")]
    >>> sessions([(task, Key(("x",))) for task in tasks])
    [[0, 2], [1]]
    """
    found: dict[object, list[int]] = {}
    for place, (task, _) in enumerate(pairs):
        found.setdefault(task.session or (task.id,), []).append(place)
    return list(found.values())


def shuffled(stream: Stream, rng: np.random.Generator) -> tuple[int, ...]:
    """An order of a stream's tasks: its groups (sessions) permuted whole, the order within kept."""
    groups = stream.groups()
    return tuple(place for group in rng.permutation(len(groups)) for place in groups[group])


def by_difficulty(stream: Stream, rng: np.random.Generator, *, hard_first: bool = False) -> tuple[int, ...]:
    """An order of a stream's tasks from easy to hard, or the other way round.

    Sessions stay whole, in the order within, and go by the mean difficulty of their tasks; equal ones come in random
    order.

    Raises
    ------
    SpecError
        If the stream does not say how hard its tasks are, or not of each.
    """
    hard, groups = np.asarray(stream.difficulty(), dtype=float), stream.groups()
    if not len(hard):
        raise SpecError(
            [
                f"{stream!r} does not say how hard its tasks are, so they cannot go by difficulty: give its class a "
                "difficulty() (a Table: name a column as hard=), or take another order"
            ]
        )
    if len(hard) != len(stream.pairs()) or not np.isfinite(hard).all():
        told = f"{len(hard)} numbers, {int((~np.isfinite(hard)).sum())} of them not finite"
        raise SpecError([f"{stream!r}: difficulty() must be {len(stream.pairs())} finite numbers but is {told}"])
    sign = -1.0 if hard_first else 1.0
    order = sorted(rng.permutation(len(groups)), key=lambda group: sign * float(hard[groups[group]].mean()))
    return tuple(place for group in order for place in groups[group])


def delayed(pairs: Sequence[Pair], delay: int) -> tuple[Pair, ...]:
    """The same tasks with feedback ``delay`` tasks later than their keys say.

    Raises
    ------
    ValueError
        If ``delay`` is negative.
    """
    if delay < 0:
        raise ValueError(f"delay must be at least 0 tasks but is {delay}")
    return tuple((task, replace(key, delay=key.delay + delay)) for task, key in pairs)
