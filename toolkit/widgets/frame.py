"""What a live view shows at one moment: of bounded size however long the study, and harmless as text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from toolkit.analysis.shown import visible

if TYPE_CHECKING:
    from toolkit.ledger.follow import Glimpse
    from toolkit.widgets.looks import Look
    from toolkit.widgets.progress import ArmProgress, Gap
    from toolkit.widgets.spent import Spent

NOTE = 300
"""Most letters of a note, or of why a run failed."""

_ANSWER, _TASK = 120, 60


@dataclass(frozen=True, slots=True)
class Told:
    """One of the latest episodes, in text that may be shown as it is.

    Parameters
    ----------
    arm, seed, t
        Whose it is, and after how many tasks of its run, from 1.
    task, answer
        Names and words from data: one line each, cut to a bound.
    score
        None where there is none: then ``answer`` tells the status, and what went wrong.
    tokens
        Spent, all purposes together.
    """

    arm: str
    seed: int
    t: int
    task: str
    answer: str
    score: float | None
    tokens: int

    @classmethod
    def of(cls, one: Glimpse) -> Told:
        """An episode as it is shown."""
        good = one.status == "ok"
        answer = one.answer if good else f"{one.status}: {one.error or one.answer}"
        score = None if math.isnan(one.score) else round(one.score, 4)
        return cls(one.arm, one.seed, one.t + 1, line(one.task, _TASK), line(answer, _ANSWER), score, one.tokens)


@dataclass(frozen=True, slots=True)
class Frame:
    """A moment of a study.

    Parameters
    ----------
    study, state
        Its name, and what it does; see `LiveStudy.state`.
    tasks
        Of its longest run.
    baseline
        The arm that others are compared to.
    arms, looks, left
        Each arm so far, how its curve is drawn, and how long it will still take, in words; in the order of the plan.
    gaps, gap_looks, gap_band
        Differences, how they are drawn, and what their bands are.
    spent
        What is spent of each limit of the budget.
    latest
        The latest episodes, the newest first.
    failures
        Which runs failed, and why.
    damaged
        Lines of the logs that are no rows.
    note
        What else there is to say; empty if nothing.
    band
        What the bands of the curves are.
    """

    study: str
    state: str
    tasks: int
    baseline: str
    arms: tuple[ArmProgress, ...]
    looks: tuple[Look, ...]
    left: tuple[str, ...]
    gaps: tuple[Gap, ...]
    gap_looks: tuple[Look, ...]
    gap_band: str
    spent: tuple[Spent, ...]
    latest: tuple[Told, ...]
    failures: tuple[str, ...]
    damaged: int
    note: str
    band: str

    @property
    def wrong(self) -> tuple[str, ...]:
        """Everything that a reader should know of before the rest."""
        damaged = f"{self.damaged} damaged lines in the logs"
        return tuple(one for one in (*self.failures, damaged * bool(self.damaged), self.note) if one)

    def plain(self) -> dict[str, Any]:
        """As it is sent to a browser."""
        parts = ("arms", "looks", "gaps", "gap_looks", "latest")
        told = _flat(self) | {name: [_flat(one) for one in getattr(self, name)] for name in parts}
        return told | {"spent": [_flat(one) | {"text": str(one)} for one in self.spent]}


def line(told: object, most: int) -> str:
    """A text from data on one line, harmless, of at most so many characters; what is left out is an ellipsis.

    Examples
    --------
    >>> line("one\\ntwo \\x1b[31mthree", 14), line("short", 14)
    ('one two \\\\x1b[…', 'short')
    """
    start = visible(" ".join(str(told)[: 4 * most].split()))
    return start if len(start) <= most and len(str(told)) <= 4 * most else start[: most - 1] + "…"


def lines(told: Iterable[object], most: int) -> tuple[str, ...]:
    """Several texts from data, each as `line` has it."""
    return tuple(line(one, most) for one in told)


def _flat(one: Any) -> dict[str, Any]:
    """The fields of a record, and no copies of what is in them: curves are long."""
    return {field.name: getattr(one, field.name) for field in fields(one)}
