"""What people said of recorded answers: for each rater of a queue a file of its own, to which lines are only added.

The files stand in the study's folder, under ``rated/<queue>/``. A line is on the disk before the next answer is shown;
what was undone stays, and a line behind it says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from toolkit.component import digest
from toolkit.errors import ToolkitError
from toolkit.ledger.disk import held, writing
from toolkit.ledger.log import LedgerError, Log, read_log

Did = Literal["rated", "skipped", "undone"]

_LONGEST = 60  # letters of a rater's name


class Overtaken(ToolkitError):
    """The same rater has rated elsewhere, or a button was pressed twice: what was shown is no longer what waits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rated answer stands: its run and step; ``other`` = the run of the answer it was held against, if any."""

    run: str
    t: int
    other: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """One thing that one rater did with one item.

    Parameters
    ----------
    rater
        Who, as `named` has it.
    item
        What was shown, by its content.
    did
        ``rated``, ``skipped``, or ``undone``: then what stood before counts no more.
    said
        What was chosen: a choice, or ``a``, ``b`` or ``tie``.
    rated
        That as a number; of a pair 1 = the first arm's answer, -1 = the second's, 0 = neither. None where it is none.
    first
        Of a pair: whether the first arm's answer stood at A. Else None.
    why
        Why it was skipped.
    said_at
        When, in UTC; empty = when it is written.
    places
        The episodes that it speaks of.
    n
        Its line in the rater's file, from 0.
    """

    rater: str
    item: str
    did: Did
    said: str = ""
    rated: float | None = None
    first: bool | None = None
    why: str = ""
    said_at: str = ""
    places: tuple[Place, ...] = ()
    n: int = 0


def named(rater: str) -> str:
    """A rater's name as it is kept: small letters, single blanks; so that "Ann " of today is "ann" of yesterday.

    Raises
    ------
    ValueError
        If nothing is left, it is long, or it holds characters that cannot be seen.

    Examples
    --------
    >>> named("  Ann  Smith ")
    'ann smith'
    """
    name = unicodedata.normalize("NFC", " ".join(rater.split()).casefold())
    if not 0 < len(name) <= _LONGEST or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise ValueError(f"a rater's name must be 1 to {_LONGEST} letters that can be seen but is {rater!r}: type one")
    return name


class RaterFile:
    """One rater's lines in one queue; any number of processes may read and write it.

    Parameters
    ----------
    folder
        The queue's, which exists.
    rater
        Who.
    """

    def __init__(self, folder: Path, rater: str) -> None:
        self.folder, self.rater = folder, named(rater)
        slug = re.sub(r"[^a-z0-9]+", "-", self.rater)[:20].strip("-")
        self.path = folder / f"{slug or 'rater'}-{digest(self.rater)[:12]}.jsonl"

    def lines(self) -> list[Rating]:
        """Everything that the rater did, in order.

        Raises
        ------
        LedgerError
            If a line before the last is damaged. A torn last line was never said to be kept, and is left out.
        """
        return list(_read(self.path))

    def append(self, rating: Rating, seen: int) -> None:
        """Write one line, on the disk when this returns.

        Parameters
        ----------
        seen
            How many lines there were when the rater was shown what this is about.

        Raises
        ------
        Overtaken
            If there are more by now; nothing is written then.
        Unwritable
            If the disk takes no more.
        """
        with held(self.folder / "lock"):
            there = len(self.lines())
            if there != seen:
                raise Overtaken(f"nothing was recorded: {self.rater} has answered that already; see what is shown now")
            at = rating.said_at or datetime.now(UTC).isoformat(timespec="seconds")
            with writing(self.path):
                log = Log(self.path)  # cuts off what a killed process left of a line
            try:
                log.append({**asdict(rating), "queue": self.folder.name, "n": there, "said_at": at})
            finally:
                log.close()


def standing(lines: list[Rating]) -> dict[str, Rating]:
    """What counts of a rater's lines: of each item the last thing done, unless it was undone; in that order."""
    found: dict[str, Rating] = {}
    for one in lines:
        found.pop(one.item, None)
        if one.did != "undone":
            found[one.item] = one
    return found


def all_standing(folder: Path) -> list[Rating]:
    """What counts of all raters of a queue, rater by rater."""
    found = [one for path in sorted(folder.glob("*.jsonl")) for one in standing(list(_read(path))).values()]
    return sorted(found, key=lambda one: (one.rater, one.n))


def _read(path: Path) -> Iterator[Rating]:
    try:
        for row in read_log(path):
            places = tuple(Place(**place) for place in row["places"])
            yield Rating(**{**{name: row[name] for name in Rating.__slots__}, "places": places})
    except (LedgerError, KeyError, TypeError) as error:
        raise LedgerError(
            f"{path} is damaged ({error}): mend that line, or move this file away; other raters' files stay as they are"
        ) from error
