"""Streams: tasks with their keys, the order they come in, and the labelled pool beside them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np

from toolkit.component import Component, digest
from toolkit.errors import SpecError, names
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
    caution
        What a reader must know of results on this stream; every comparison and report says it. Empty = nothing.
    plays
        Whether its tasks are worlds of many turns; see `toolkit.streams.worlds.WorldStream`.
    """

    step: Step
    scorers: tuple[str, ...] = ("exact",)
    rewards: ClassVar[tuple[str, ...]] = ("memory", "role", "learning")
    licence: ClassVar[str] = ""
    caution: ClassVar[str] = ""
    plays: bool = False

    def load(self) -> Sequence[Pair]:
        """All tasks and keys in the reference order."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its tasks are: define load()")

    def pool(self) -> Sequence[Pair]:
        """Labelled tasks that never occur in the stream, for arms that are prepared beforehand; may be empty."""
        return ()

    def told(self) -> Sequence[Task]:
        """What every agent is told before the first task, in order: texts to be remembered, with nothing to answer."""
        return ()

    def difficulty(self) -> Sequence[float]:
        """How hard each task of the reference order is, a higher number harder; empty where nobody has said.

        It must be known before any answer is seen, as a property of the task and its key, and no agent is told.
        """
        return ()

    def drifts(self) -> Sequence[int]:
        """Places of the reference order from which the truth is another, ascending; empty where it stays the same.

        No order moves a task across such a place, so that every run meets a change after the same number of tasks. No
        agent is told.
        """
        return ()

    def borders(self) -> Sequence[int]:
        """Places that no order moves a task across, ascending: `drifts`, and more where a change takes its time."""
        return self.drifts()

    def stretches(self) -> tuple[range, ...]:
        """Places of the reference order from one border to the next; a single range where nothing drifts.

        Raises
        ------
        SpecError
            If `borders` are not ascending whole numbers that leave a task on either side, or lack a drift.
        """
        told, size = list(self.borders()), len(self.pairs())
        bounds = [0, *told, size]
        whole = all(isinstance(place, int) and not isinstance(place, bool) for place in told)
        if not whole or any(later <= earlier for earlier, later in pairwise(bounds)):
            which = "drifts" if told == list(self.drifts()) else "borders"
            raise SpecError(
                [
                    f"{self!r}: {which}() must be ascending places from 1 to {size - 1} but is {told!r}; "
                    "give each first task under a new truth once"
                ]
            )
        if lacking := sorted(set(self.drifts()) - set(told)):
            raise SpecError([f"{self!r}: borders() must hold every drift but lacks {names(list(map(str, lacking)))}"])
        return tuple(range(earlier, later) for earlier, later in pairwise(bounds))

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
            content += [[_told(task) for task in self.told()]] if self.told() else []
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
    return [*_told(task), key]


def _told(task: Task) -> list[object]:
    return [task.id, dict(task.inputs), task.options, task.user, task.session, task.time]


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


def stretched(stream: Stream) -> Iterator[list[list[int]]]:
    """The groups of each stretch between two borders, by their first places; one that a border cuts counts as two."""
    starts = [stretch.start for stretch in stream.stretches()]
    found: list[list[list[int]]] = [[] for _ in starts]
    for group in stream.groups():
        cut: dict[int, list[int]] = {}
        for place in group:
            cut.setdefault(bisect_right(starts, place) - 1, []).append(place)
        for stretch, places in cut.items():
            found[stretch].append(places)
    yield from (sorted(groups, key=lambda group: group[0]) for groups in found)


def shuffled(stream: Stream, rng: np.random.Generator) -> tuple[int, ...]:
    """An order of a stream's tasks: its groups (sessions) permuted whole within each stretch, the order within kept."""
    found: list[int] = []
    for groups in stretched(stream):
        found += [place for group in rng.permutation(len(groups)) for place in groups[group]]
    return tuple(found)


def by_difficulty(stream: Stream, rng: np.random.Generator, *, hard_first: bool = False) -> tuple[int, ...]:
    """An order of a stream's tasks from easy to hard, or the other way round.

    Sessions stay whole, in the order within, and go by the mean difficulty of their tasks; equal ones come in random
    order. Where the stream drifts, each stretch is ordered by itself.

    Raises
    ------
    SpecError
        If the stream does not say how hard its tasks are, or not of each.
    """
    hard = np.asarray(stream.difficulty(), dtype=float)
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
    found: list[int] = []
    for groups in stretched(stream):
        means = [sign * float(hard[group].mean()) for group in groups]
        found += [
            place for group in sorted(rng.permutation(len(groups)), key=means.__getitem__) for place in groups[group]
        ]
    return tuple(found)
