"""A table of memories that can be sorted, filtered and turned: what the views of a run's and of an agent's share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

from toolkit.analysis.remembered import Remembered
from toolkit.analysis.shown import text_table, visible
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page, choose, picked, press, short, text

PAGE = 25
"""Memories on a page."""

_HEAD = ("memory", "kind", "text", "written", "recalled", "with", "without", "difference", "left out", "state")
_TASKS = 8  # places of a memory that a row shows as buttons


def _last(value: float) -> tuple[bool, float]:
    """For sorting: the highest first, what is not known last."""
    return math.isnan(value), 0.0 if math.isnan(value) else -value


SORTS: dict[str, Callable[[Remembered], Any]] = {
    "written": lambda one: (one.written is None, one.written or 0),
    "recalled": lambda one: -len(one.recalled),
    "difference": lambda one: _last(one.difference),
    "left out": lambda one: _last(one.gain),
    "text": lambda one: one.told.casefold(),
}
"""Ways to sort; of equals, what was written first comes first."""


class MemoryTable(Page):
    """Memories, a page of `PAGE` at a time.

    Attributes
    ----------
    rows
        All of them, filtered and sorted.
    sort, filter, place
        How, by which part of a text, and which page is shown, from 0; `show` changes them.
    """

    about: ClassVar[tuple[str, ...]] = ()

    def __init__(self, ledger: Ledger | str | Path | None = None) -> None:
        self.sort, self.filter, self.place, self._only = "written", "", 0, ""
        self._all: tuple[Remembered, ...] = ()
        super().__init__(ledger)

    @abstractmethod
    def look(self) -> Self:
        """Read again what is remembered."""

    @property
    def rows(self) -> tuple[Remembered, ...]:
        """What is remembered, filtered and sorted."""
        wanted = self.filter.casefold()
        known = [one for one in self._all if self._only in ("", one.id)]
        kept = [one for one in known if wanted in f"{one.id} {one.kind} {one.told} {one.user}".casefold()]
        return tuple(sorted(kept, key=SORTS[self.sort]))

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, math.ceil(len(self.rows) / PAGE))

    @property
    def shown(self) -> tuple[Remembered, ...]:
        """Those of `rows` that stand on the page."""
        return self.rows[PAGE * self.place : PAGE * (self.place + 1)]

    def show(self, *, sort: str | None = None, filter: str | None = None, page: int | None = None) -> Self:
        """Sort, filter by a part of text, kind, id or user, or turn to a page, from 0; what is None stays.

        Raises
        ------
        ValueError
            If there is no such way to sort.
        """
        if sort is not None and sort not in SORTS:
            raise ValueError(f"memories are sorted by {', '.join(SORTS)} but not by {sort!r}")
        if page is None:
            page = self.place if sort is None and filter is None else 0
        self.sort = self.sort if sort is None else sort
        self.filter = self.filter if filter is None else filter
        self.place = max(0, min(page, self.pages - 1))
        self.draw()
        return self

    def only(self, memory: str) -> Self:
        """Show one memory alone, by its id; empty = all of them again."""
        self._only = memory
        return self.show(page=0)

    def does(self, command: str, value: str) -> None:
        """Sort, filter, turn or look again."""
        if command == "sort":
            self.show(sort=picked(list(SORTS), value))
        elif command == "filter":
            self.show(filter=value)
        elif command == "turn":
            self.show(page=self.place + (1 if value == "1" else -1))
        elif command == "look":
            self.look()

    def head(self) -> str:
        """Whose memories they are, in words."""
        return ""

    def below(self, guided: bool) -> str:
        """What stands below the table, as HTML."""
        return ""

    def menus(self) -> str:
        """Further menus, as HTML."""
        return ""

    def buttons(self, place: int, one: Remembered) -> str:
        """What can be done with a memory of the page, as HTML."""
        return ""

    def state(self, one: Remembered) -> str:
        """What is known of a memory beside its text, in words."""
        told = [f"of {one.source}"] * bool(one.source) + [f"of user {one.user}"] * bool(one.user)
        told += [f"revised before task {one.revised}"] * (one.revised is not None)
        told += {True: ["known to be right"], False: ["not known to be right"], None: []}[one.right]
        if one.until is not None:
            told.append(f"superseded at time {one.until:g}")
        return ", ".join([*told, *[f"first recalled as: {one.before}"] * bool(one.before)])

    def page(self, guided: bool) -> str:
        """The table with its notes."""
        heads = "".join(f"<th>{name}</th>" for name in _HEAD)
        rows = "".join(self._row(place, one, guided) for place, one in enumerate(self.shown))
        notes = "".join(f"<p><small>{text(note)}</small></p>" for note in self.about)
        counted = f"<p>{text(self._counted())}</p>"
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        bar = self._bar() if guided else ""
        return f"<p>{text(self.head())}</p>{bar}{counted}{table}{notes}{self.below(guided)}"

    def plain(self) -> str:
        """The same as lines."""
        body = [[short(cell, 60) for cell in [*self._words(one), *figures(one), self.state(one)]] for one in self.shown]
        table = text_table(_HEAD, body, left=4) if body else ""
        lines = [visible(self.head()), self._counted(), *[table] * bool(table), *self.about]
        return "\n".join(line for line in lines if line)

    def _counted(self) -> str:
        rows, among = len(self.rows), f" that hold {self.filter!r}" if self.filter else ""
        turned = f", page {self.place + 1} of {self.pages}" if self.pages > 1 else ""
        return visible(f"{rows} of {len(self._all)} memories{among}, sorted by {self.sort}{turned}")

    def _words(self, one: Remembered) -> list[str]:
        written = "" if one.written is None else "before the stream" if one.written < 0 else f"task {one.written}"
        return [one.id, one.kind, one.told or "(text not recorded)", written]

    def _row(self, place: int, one: Remembered, guided: bool) -> str:
        words = "".join(f"<td>{text(cell)}</td>" for cell in self._words(one))
        first, *rest = figures(one)
        places = self._places(one, guided)
        numbers = f'<td class="number">{first}{places}</td>' + "".join(f'<td class="number">{one}</td>' for one in rest)
        acts = self.buttons(place, one) if guided else ""
        return f"<tr>{words}{numbers}<td>{text(self.state(one))} {acts}</td></tr>"

    def _places(self, one: Remembered, guided: bool) -> str:
        """The tasks that recalled it."""
        if not one.recalled:
            return ""
        shown = one.recalled[-_TASKS:]
        told = "".join(self.place_of(t, task, guided) for t, task in shown)
        more = f" <small>and {len(one.recalled) - _TASKS} before</small>" if len(one.recalled) > _TASKS else ""
        return f"<br>{told}{more}"

    def place_of(self, t: int, task: str, guided: bool) -> str:
        """One task that recalled a memory, as HTML."""
        return f"<small>{t}</small> "

    def _bar(self) -> str:
        typed = f'<label>filter <input data-do="filter" data-key="filter" value="{text(self.filter)}"></label>'
        turns = [
            press("◀", "turn", -1, barred="" if self.place else "this is the first page"),
            press("▶", "turn", 1, barred="" if self.place < self.pages - 1 else "this is the last page"),
        ]
        sort = choose("sort by", "sort", list(SORTS), list(SORTS).index(self.sort))
        parts = [self.menus(), sort, typed, *turns, press("Look again", "look")]
        return f'<div class="bar">{"".join(parts)}</div>'


def figures(one: Remembered) -> list[str]:
    """How often it was recalled, and the scores, each with how many tasks it is of."""
    return [
        str(len(one.recalled)),
        _mean(one.score, one.n, ".2f"),
        _mean(one.others, one.n_others, ".2f"),
        _mean(one.difference, None, "+.2f"),
        _mean(one.gain, one.n_gain, "+.2f"),
    ]


def _mean(value: float, n: int | None, form: str) -> str:
    if math.isnan(value):
        return "n/a"
    return format(value, form) if n is None else f"{value:{form}} ({n})"
