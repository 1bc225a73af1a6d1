"""Queues of recorded answers for people to rate: drawn alike from all arms, blind, in an order of each rater's own.

A rater is shown a task and an answer, or two answers to it; never an arm, what it recalled, or its role. Equal
questions are asked once, whoever gave the answer. What is said stands in ``rated/`` in the study's folder before the
next answer is shown, so that a queue goes on wherever it was left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.analysis.rated import Rated, rated_table
from toolkit.analysis.recorded import RUN
from toolkit.component import digest
from toolkit.errors import nearest
from toolkit.evaluation.given import asked_of, recorded
from toolkit.evaluation.sheet import Sheet
from toolkit.ledger.disk import held, writing
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rated import Place, RaterFile, Rating, all_standing, standing
from toolkit.ledger.rows import Row
from toolkit.ledger.store import write_atomically
from toolkit.randomness import generator

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study
    from toolkit.ledger.store import Ledger

_CELL = [*RUN, "task"]


@dataclass(frozen=True, slots=True)
class Item:
    """What is shown at once: a task with one answer, or with two; and which episodes it speaks of.

    Parameters
    ----------
    asked
        The task, input by input, as every arm was put it.
    answers
        One, or the first arm's and the second's; None = it gave none.
    places
        Where they stand: several where several gave the same answer to the same task.
    """

    asked: str
    answers: tuple[str | None, ...]
    places: tuple[Place, ...]

    @property
    def key(self) -> str:
        """Its name: a sha256 (beginning) of what is shown."""
        return digest([self.asked, list(self.answers)])[:24]


@dataclass(frozen=True, slots=True)
class Look:
    """What a rater is to be shown.

    Parameters
    ----------
    item
        What waits; None = nothing more.
    swapped
        Of a pair: whether the second arm's answer is shown first, as A.
    done, of
        How many items the rater has answered or skipped, of how many.
    seen
        The lines of the rater's file that this rests on.
    """

    item: Item | None
    swapped: bool
    done: int
    of: int
    seen: int

    @property
    def shown(self) -> tuple[str | None, ...]:
        """The answers in the order in which they are shown."""
        answers = self.item.answers if self.item is not None else ()
        return answers[::-1] if self.swapped else answers


class Queue:
    """Items for people to rate, the same for every rater and for good. See `queue`.

    Attributes
    ----------
    sheet
        What is asked.
    items
        By their names.
    folder
        Where all of it is kept.
    """

    def __init__(self, sheet: Sheet, folder: Path, items: Iterable[Item]) -> None:
        self.sheet, self.folder = sheet, folder
        self.items = {one.key: one for one in items}

    def rater(self, name: str) -> Sitting:
        """One rater at this queue.

        Raises
        ------
        ValueError
            If that is no name.
        """
        return Sitting(self, name)


class Sitting:
    """One rater at a queue; all state is in the rater's file.

    Parameters
    ----------
    queue
        What there is to rate.
    name
        Who rates.
    """

    def __init__(self, queue: Queue, name: str) -> None:
        self._queue, self._file = queue, RaterFile(queue.folder, name)
        self.name, seed = self._file.rater, queue.sheet.seed
        self._order = shuffled(queue.items, seed, self.name)
        self._swapped = sides(queue.items, seed, self.name)

    def look(self) -> Look:
        """What waits now."""
        lines = self._file.lines()
        done = standing(lines)
        left = [key for key in self._order if key not in done]
        item = self._queue.items[left[0]] if left else None
        swapped = self._queue.sheet.kind == "pair" and item is not None and self._swapped[item.key]
        return Look(item, swapped, len(self._order) - len(left), len(self._order), len(lines))

    def rate(self, said: str, seen: int | None = None) -> None:
        """Say something of what waits.

        Parameters
        ----------
        seen
            `Look.seen` of what was shown; None = what waits now, whatever it is.

        Raises
        ------
        ValueError
            If that may not be said, or nothing waits.
        Overtaken
            If what was shown no longer waits; nothing is recorded.
        """
        look, item = self._waits()
        first = not look.swapped if self._queue.sheet.kind == "pair" else None
        value = self._queue.sheet.rated(said, first)
        rating = Rating(self.name, item.key, "rated", said, value, first, places=item.places)
        self._file.append(rating, look.seen if seen is None else seen)

    def skip(self, why: str, seen: int | None = None) -> None:
        """Leave out what waits.

        Raises
        ------
        ValueError
            If no reason is given, or nothing waits.
        Overtaken
            As `rate`.
        """
        look, item = self._waits()
        if not why.strip():
            raise ValueError("an answer is skipped for a reason, but none was given: write one, then skip")
        rating = Rating(self.name, item.key, "skipped", why=why.strip(), places=item.places)
        self._file.append(rating, look.seen if seen is None else seen)

    def undo(self, seen: int | None = None) -> None:
        """Take back what was done last; it waits again.

        Raises
        ------
        ValueError
            If there is nothing to take back.
        Overtaken
            As `rate`.
        """
        lines = self._file.lines()
        if not (done := list(standing(lines))):
            raise ValueError(f"{self.name} has rated nothing yet: there is nothing to undo")
        self._file.append(Rating(self.name, done[-1], "undone"), len(lines) if seen is None else seen)

    def _waits(self) -> tuple[Look, Item]:
        look = self.look()
        if look.item is None:
            raise ValueError(f"{self.name} has rated all {look.of}: nothing waits")
        return look, look.item


def queue(study: Study | str, sheet: Sheet, *, ledger: Ledger | None = None) -> Queue:
    """The queue of a sheet: as it was first drawn if it was, else drawn now.

    Drawn are tasks (of one seed and order) of which every arm has an episode that the world did not fail, at random,
    and of each of them every arm's episode: as many of one arm as of another. Of a pair only answers that differ are
    drawn; equal ones are tied unasked.

    Raises
    ------
    SpecError
        If people cannot be asked that, or the study is in worlds.
    LedgerError
        If there is no such study, stream or arm, nothing to draw from, or an answer that was drawn is no longer what it
        was.
    """
    sheet.check()
    opened, planned, rows, _ = recorded(study, ledger, sheet.stream, "")
    folder = opened.ledger.find(opened.name) / "rated" / f"{sheet.name}-{sheet.fingerprint()[:12]}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "lock"):  # two notebooks may open it at once: the first draws
        if not (folder / "queue.json").exists():
            arms = [arm for arm in planned["arms"] if arm in set(rows.arm)]
            told = drawn(rows, sheet, arms)
            write_atomically(folder / "queue.json", json.dumps(told, ensure_ascii=True, indent=1) + "\n")
    return _kept(folder, rows)


def ratings(study: Study | str, name: str = "ratings", *, level: float = 0.95, ledger: Ledger | None = None) -> Rated:
    """What people have said so far of a study's answers, arm by arm, and how far they agree.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    name
        Of the queue; or of its folder, where several queues have the same name.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Rated
        Opinions, in tables of their own.

    Raises
    ------
    LedgerError
        If the study has no such queue.
    """
    opened, planned, rows, base = recorded(study, ledger, "", "")
    home = opened.ledger.find(opened.name) / "rated"
    known = [path.parent for path in sorted(home.glob("*/queue.json"))]
    found = [folder for folder in known if name in (folder.name, folder.name.rpartition("-")[0])]
    if len(found) != 1:
        why = f"{len(found)} queues" if found else "no queue"
        raise LedgerError(f"{why} of this study: {name!r}; {nearest(name, [folder.name for folder in known])}")
    kept = _kept(found[0], rows)
    told = json.loads((found[0] / "queue.json").read_text(encoding="ascii"))
    arms = [arm for arm in planned["arms"] if arm in told["arms"]]
    base = base if base in arms else arms[0]
    offered = [one.said for one in kept.sheet.offered]
    if kept.sheet.pair:
        arms = list(kept.sheet.pair)
    return rated_table(rows, all_standing(found[0]), kept.sheet.kind, arms, base, offered, _about(kept, told), level)


def shuffled(keys: Iterable[str], seed: int, rater: str) -> list[str]:
    """Items in a rater's own order: the same whenever and wherever, another for another rater or seed.

    Examples
    --------
    >>> shuffled("abc", 1, "ann") == shuffled("cab", 1, "ann")
    True
    """
    known = sorted(keys)
    return [known[place] for place in generator(seed, "annotation", "order", rater).permutation(len(known))]


def sides(keys: Iterable[str], seed: int, rater: str) -> dict[str, bool]:
    """Of which pairs a rater sees the second arm's answer first: of half of them, drawn anew for each rater."""
    known = sorted(keys)
    rng = generator(seed, "annotation", "sides", rater)
    half = np.arange(len(known)) % 2 == int(rng.integers(2))
    return dict(zip(known, rng.permutation(half).tolist(), strict=True))


def drawn(rows: pd.DataFrame, sheet: Sheet, arms: Sequence[str]) -> dict[str, Any]:
    """A sheet's items of a study's episodes, as they are kept.

    Raises
    ------
    LedgerError
        If an arm is not there, or the arms have nothing in common.
    """
    chosen = list(sheet.pair or sheet.arms or arms)
    for arm in chosen:
        if arm not in arms:
            raise LedgerError(f"the arm {arm!r} has no episodes; {nearest(arm, list(arms))}")
    cells = _cells(rows, chosen)
    differ = [cell for cell in cells if not sheet.pair or _answer(cell[0]) != _answer(cell[1])]
    if not differ:
        what = "answers differ at" if cells else "recorded answers have"
        raise LedgerError(f"there is nothing to rate: the {what} no task in common of {', '.join(chosen)}")
    rng = generator(sheet.seed, "annotation", "draw")
    places = sorted(rng.choice(len(differ), min(sheet.n, len(differ)), replace=False).tolist())
    found: dict[str, Item] = {}
    for item in (one for place in places for one in _items(differ[place], bool(sheet.pair))):
        before = found[item.key].places if item.key in found else ()
        found[item.key] = Item(item.asked, item.answers, (*before, *item.places))
    kept = [{"key": one.key, "places": [asdict(place) for place in one.places]} for one in found.values()]
    counts = {"drawn": len(places), "of": len(differ), "equal": len(cells) - len(differ)}
    return {"sheet": asdict(sheet), "arms": chosen, **counts, "items": kept}


def _cells(rows: pd.DataFrame, arms: Sequence[str]) -> list[list[Row]]:
    """The arms' episodes of each task (of one seed and order) that all of them have, in an order of names alone."""
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows[rows.arm.isin(arms) & (rows.status != "failed")].to_dict("records"):
        found.setdefault(tuple(row[name] for name in _CELL), {})[row["arm"]] = {str(name): row[name] for name in row}
    return [[cell[arm] for arm in arms] for _, cell in sorted(found.items()) if len(cell) == len(arms)]


def _items(rows: Sequence[Row], pair: bool) -> list[Item]:
    """What is asked of the episodes of one task: all of them in one item, or each in its own."""
    if pair:
        one, other = rows
        return [Item(asked_of(one), (_answer(one), _answer(other)), (Place(one["run"], one["t"], other["run"]),))]
    return [Item(asked_of(row), (_answer(row),), (Place(row["run"], row["t"]),)) for row in rows]


def _answer(row: Row) -> str | None:
    return str(row["answer"]) if row["usable"] else None


def _kept(folder: Path, rows: pd.DataFrame) -> Queue:
    """A queue as it was drawn, with the texts of the ledger."""
    told = json.loads((folder / "queue.json").read_text(encoding="ascii"))
    kept: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in told["sheet"].items()}
    sheet = Sheet(**kept)
    episodes: dict[tuple[str, int], Row] = {(row["run"], row["t"]): row for row in rows.to_dict("records")}
    return Queue(sheet, folder, [_found(one, episodes, folder) for one in told["items"]])


def _found(told: dict[str, Any], episodes: dict[tuple[str, int], Row], folder: Path) -> Item:
    places = tuple(Place(**place) for place in told["places"])
    try:
        one = episodes[places[0].run, places[0].t]
        other = [episodes[places[0].other, places[0].t]] if places[0].other else []
        item = Item(asked_of(one), tuple(map(_answer, [one, *other])), places)
    except KeyError as error:
        raise LedgerError(f"{folder}: an episode that was drawn is gone ({error}): bring its run back") from error
    if item.key != told["key"]:
        raise LedgerError(
            f"{folder}: the answer of run {places[0].run[:12]} at {places[0].t} is not the one that was drawn: what "
            "people said is of another; move the folder away to draw anew"
        )
    return item


def _about(kept: Queue, told: dict[str, Any]) -> tuple[str, ...]:
    sheet = kept.sheet
    rest = f" Of {told['equal']} more the answers are equal: tied, unasked, and not counted here." if sheet.pair else ""
    what = "pairs" if sheet.pair else "tasks, and of each every arm's episode"
    many = f"Drawn at random (seed {sheet.seed}): {told['drawn']} {what}, of {told['of']}; {len(kept.items)} questions."
    return (*([f"Rubric: {sheet.rubric}"] if sheet.rubric.strip() else []), many + rest)
