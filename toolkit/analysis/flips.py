"""Which memory an answer hung on: what was answered without it, as the run asked or as somebody asked afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.analysis.answered import Answered
from toolkit.analysis.remembered import Remembered, remembered
from toolkit.ledger.asked import asked

if TYPE_CHECKING:
    from toolkit.ledger.rows import Row
    from toolkit.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Without:
    """An answer that was given without a memory.

    Parameters
    ----------
    by
        Who asked, in words.
    answer, score
        What came of it; the score in [0, 1], NaN where there is none.
    tokens, dollars
        What it cost, charged to judging; of answers that the run itself asked for only their sum is recorded: NaN.
    """

    by: str
    answer: str
    score: float
    tokens: float = math.nan
    dollars: float = math.nan


@dataclass(frozen=True, slots=True)
class Hung:
    """A memory that stood in the prompt of an answer, and what is known of the answer without it.

    Parameters
    ----------
    side
        The episode.
    memory
        Its id; empty = everything that was recalled, together.
    kept
        What the ledger knows of it; None where `memory` is empty.
    without
        The answers without it; empty where nobody has asked.
    """

    side: Answered
    memory: str
    kept: Remembered | None
    without: tuple[Without, ...]

    @property
    def flipped(self) -> bool | None:
        """Whether the answer was another one without it, at any time that it was asked; None = never asked."""
        return any(one.answer != self.side.answer for one in self.without) if self.without else None


def hung_on(ledger: Ledger, study: str, side: Answered) -> tuple[Hung, ...]:
    """The memories of one answer, those first without which it was another, then those of which that is not known.

    All of them together stand as one more, under an empty name, where there are several. A memory that was the only one
    recalled is left out where everything is, so that answers without anything count as answers without it.
    """
    if not side.recalled:
        return ()
    kept = {one.id: one for one in remembered(ledger, study, side.which.run)}
    later = asked(ledger, study, side.which.run, side.which.t)
    alone = len(side.recalled) == 1
    names = side.recalled if alone else ("", *side.recalled)
    found = [
        Hung(side, name, kept.get(name), tuple(_without(side, "" if alone else name, name, later))) for name in names
    ]
    return tuple(sorted(found, key=lambda one: {True: 0, None: 1, False: 2}[one.flipped]))


def _without(side: Answered, left_out: str, name: str, later: list[Row]) -> Iterator[Without]:
    """Answers of the run's own asking, then those of somebody's; of a lone memory also by its own name."""
    told = f"without {left_out}" if left_out else "with nothing"
    for instead, answer, score in side.instead:
        if instead == told:
            yield Without("the run", answer, score)
    wanted = {(left_out,) if left_out else (), (name,) if name else ()}
    for row in later:
        if row["left_out"] in wanted:
            score = math.nan if row["score"] is None else float(row["score"])
            tokens = float(row["input_tokens"] + row["output_tokens"])
            dollars = math.nan if row["dollars"] is None else float(row["dollars"])
            yield Without(
                f"asked {str(row['asked_at'])[:16].replace('T', ' ')} UTC", str(row["answer"]), score, tokens, dollars
            )
