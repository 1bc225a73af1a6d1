"""Hypotheses: what a study sets out to show, set down with a time stamp before its first run and kept for good."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from toolkit.analysis.tested import seal
from toolkit.component import Config
from toolkit.errors import SpecError, nearest
from toolkit.ledger.rows import Row

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study

DIRECTIONS = ("greater", "less", "different")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One primary contrast of a study.

    Parameters
    ----------
    arm
        The arm it is about.
    against
        The arm it is compared with; empty = the study's baseline.
    direction
        ``"greater"``, ``"less"`` or ``"different"``: what is claimed of the arm's score, less the other's.
    margin
        In the unit of the metric, above 0; None = no margin. With ``"greater"`` the claim becomes that the arm is not
        below the other by the margin or more (non-inferiority), with ``"less"`` that it is not above by as much, with
        ``"different"`` that they differ by less than the margin (equivalence).
    metric
        One of the study's scorers; empty = the main one.

    Examples
    --------
    >>> Hypothesis("memory", direction="greater").config()
    {'arm': 'memory', 'direction': 'greater'}
    """

    arm: str
    against: str = ""
    direction: str = "different"
    margin: float | None = None
    metric: str = ""

    def config(self) -> Config:
        """As plain values: what a table under ``[[hypotheses]]`` holds; what is not said is left out."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in told.items() if value not in (None, "")}

    @classmethod
    def from_config(cls, table: object, where: str = "hypothesis") -> Hypothesis:
        """The hypothesis that a table describes.

        Raises
        ------
        SpecError
            For a key that is none, or a missing arm.
        """
        if not isinstance(table, dict):
            raise SpecError([f"{where} must be a table but is {table!r}"])
        known = [one.name for one in fields(cls)]
        found = [f"{where} has no key {key!r}; {nearest(key, known)}" for key in table if key not in known]
        found += [f"{where} needs an 'arm'"] if "arm" not in table else []
        for key in ("arm", "against", "direction", "metric"):
            if not isinstance(table.get(key, ""), str):
                found.append(f"{where}: {key} must be a text but is {table[key]!r}")
        if found:
            raise SpecError(found)
        return cls(**table)

    def mistakes(self, where: str, arms: Sequence[str], baseline: str, scorers: Sequence[str]) -> Iterator[str]:
        """What is wrong with it for a study of these arms and scorers."""
        against = self.against or baseline
        for name in (self.arm, against):
            if name not in arms:
                yield f"{where}: no arm is called {name!r}; {nearest(name, arms)}"
        if self.arm == against:
            yield f"{where}: {self.arm!r} is compared with itself: give another arm, or against another"
        if self.direction not in DIRECTIONS:
            told = nearest(self.direction, DIRECTIONS)
            yield f"{where}: direction must be one of {', '.join(DIRECTIONS)} but is {self.direction!r}; {told}"
        if self.margin is not None and not _above_0(self.margin):
            yield f"{where}: margin must be a number above 0 but is {self.margin!r}; leave it out for none"
        if self.metric and self.metric not in scorers:
            yield f"{where}: no scorer of the study is called {self.metric!r}; {nearest(self.metric, scorers)}"


def _above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def from_tables(tables: object, where: str) -> tuple[Hypothesis, ...]:
    """The hypotheses of a file.

    Raises
    ------
    SpecError
        With the mistakes of all of them.
    """
    if not isinstance(tables, list):
        raise SpecError([f"{where}: hypotheses must be tables, each headed [[hypotheses]], but is {tables!r}"])
    made, mistakes = list[Hypothesis](), list[str]()
    for number, table in enumerate(tables, start=1):
        try:
            made.append(Hypothesis.from_config(table, f"{where}: hypothesis {number}"))
        except SpecError as error:
            mistakes += error.mistakes
    if mistakes:
        raise SpecError(mistakes)
    return tuple(made)


def mistakes(study: Study) -> Iterator[str]:
    """What is wrong with a study's hypotheses."""
    arms, scorers = [arm.name for arm in study.arms], [scorer.name for scorer in study.scorers]
    before = len(study.hypotheses)
    for number, one in enumerate(study.hypotheses, start=1):
        yield from one.mistakes(f"hypothesis {number}", arms, study.baseline, scorers)
    if len({json.dumps(row) for row in _rows(study)}) < before:
        yield "two hypotheses say the same: leave one out, or correction for several tests is too hard"


def registrations(study: Study) -> list[Row]:
    """What ``plan.json`` keeps of a study's hypotheses: those of before, and the present ones if they are others.

    Each has its time (UTC), how many runs had begun by then (reused ones are begun: their results were known), and a
    hash. Nothing is ever taken away. None of it is part of a run's identity.
    """
    file = study.folder / "plan.json"
    kept: list[Row] = json.loads(file.read_text(encoding="utf-8")).get("hypotheses", []) if file.exists() else []
    rows = _rows(study)
    begun = len(list(study.folder.glob("runs/*/run.json")))
    same = rows == (kept[-1]["hypotheses"] if kept else [])
    if same or (begun and not rows):
        return kept
    made: Row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "begun": begun, "hypotheses": rows}
    return [*kept, made | {"sha256": seal(made)}]


def _rows(study: Study) -> list[Row]:
    """The hypotheses with nothing left open: against what, on which metric if not the main one."""
    main = study.scorers[0].name
    rows = [one.config() | {"against": one.against or study.baseline} for one in study.hypotheses]
    return [{key: row[key] for key in sorted(row) if (key, row[key]) != ("metric", main)} for row in rows]
