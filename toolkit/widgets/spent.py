"""What a study has spent of its budget, as its own files say."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.component import read_toml
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Spent:
    """One limit of a budget.

    Parameters
    ----------
    arm
        Whose limit it is; empty = the study's.
    what
        ``calls``, ``tokens``, ``dollars`` or ``seconds``.
    spent
        So far, by all processes together; None where a price is not known.
    limit
        What may be spent.

    Examples
    --------
    >>> print(Spent("", "tokens", 12_300, 50_000), Spent("memory", "dollars", None, 2.5), sep="; ")
    12,300 of 50,000 tokens; memory: n/a of 2.50 dollars
    """

    arm: str
    what: str
    spent: float | None
    limit: float

    def __str__(self) -> str:
        digits = 2 if self.what == "dollars" else 0
        spent = "n/a" if self.spent is None else f"{self.spent:,.{digits}f}"
        return f"{f'{self.arm}: ' * bool(self.arm)}{spent} of {self.limit:,.{digits}f} {self.what}"


class Spending:
    """Follows what a study spends, if it has a budget; only reads.

    Parameters
    ----------
    folder
        The study's. Its limits are those that ``study.toml`` states, which is written when a sitting begins; what is
        spent is in ``budget.json``.

    Attributes
    ----------
    wrong
        Why the limits cannot be read; empty if they can.
    """

    def __init__(self, folder: Path) -> None:
        self.wrong = ""
        self._spec, self._book = folder / "study.toml", folder / "budget.json"
        self._read: dict[Path, tuple[int, int]] = {}
        self._budget, self._known = Budget(), dict[str, Any]()

    def look(self, under_way: bool) -> tuple[Spent, ...]:
        """Every limit that is set, the study's before those of its arms.

        Parameters
        ----------
        under_way
            Whether some process runs the study, so that its seconds go on.
        """
        if self._changed(self._spec):
            try:
                self._budget, self.wrong = Budget.from_config(read_toml(self._spec).get("budget", {})), ""
            except SpecError as error:  # edited by hand, and half-way: what runs has read it before
                self.wrong = str(error)
        if self._budget and self._changed(self._book):
            self._known = json.loads(self._book.read_text(encoding="ascii"))
        scopes = {"": self._budget, **self._budget.arms}
        return tuple(one for arm, budget in scopes.items() for one in self._of(arm, budget.limits, under_way))

    def _of(self, arm: str, limits: Mapping[str, float], under_way: bool) -> Iterator[Spent]:
        runs = [entry for entry in self._known.get("runs", {}).values() if not arm or entry["arm"] == arm]
        for what, limit in limits.items():
            clock = what == "seconds" and not arm
            spent = self._lasted(under_way) if clock else _total(entry[what] for entry in runs)
            yield Spent(arm, what, spent, limit)

    def _lasted(self, under_way: bool) -> float:
        """Seconds of all sittings."""
        book = self._known
        if "since" not in book:
            return 0.0
        return float(book["before"] + max(0.0, (time.time() if under_way else book["last"]) - book["since"]))

    def _changed(self, path: Path) -> bool:
        """Whether a file is there, and another one than at the last look."""
        try:
            now = path.stat()
        except FileNotFoundError:
            return False
        seen, self._read[path] = self._read.get(path), (now.st_ino, now.st_mtime_ns)
        return seen != self._read[path]


def _total(values: Iterable[float]) -> float | None:
    total = math.fsum(values)
    return None if math.isnan(total) else total
