"""What arms score in probes: by capability, by lag, by age."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from toolkit.analysis.recorded import found, plan
from toolkit.analysis.shown import Shown
from toolkit.errors import SpecError
from toolkit.ledger.planned import only, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, one_way, two_way
from toolkit.streams.probe import tag

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

By = Literal["", "lag", "age"]

CONTROLS = ("reading", "never")
"""Kinds of questions that need no memory."""


@dataclass(frozen=True)
class ProbeRow:
    """The score of one arm in one kind of question.

    Parameters
    ----------
    probe
        Label of the streams it was asked in, without their number.
    kind
        Of question, as task ids spell it.
    at
        The lag, or the first and last task of an age (``"100-199"``); empty where all are together.
    arm
        Its name.
    score
        Mean, in [0, 1], with its interval.
    """

    probe: str
    kind: str
    at: str
    arm: str
    score: Estimate


@dataclass(frozen=True, repr=False)
class ProbeScores(Shown):
    """Arms beside each other in each kind of question. Prints as a table; `frame` has every number.

    Parameters
    ----------
    study
        Its name.
    by
        What else the questions were split by, such as ``"lag"``; empty = by their kind alone.
    arms
        Names, in the order of the plan.
    rows
        One for each kind of question and arm.
    """

    left: ClassVar[int] = 3

    study: str
    by: str
    arms: tuple[str, ...]
    rows: tuple[ProbeRow, ...]
    notes: tuple[str, ...]

    def row(self, arm: str, kind: str, at: str = "", probe: str = "") -> ProbeRow:
        """The row of an arm and a kind of question; ``at`` and ``probe`` are needed where several have them."""
        fits = [
            one
            for one in self.rows
            if (one.arm, one.kind) == (arm, kind) and at in ("", one.at) and probe in ("", one.probe)
        ]
        if len(fits) != 1:
            held = ", ".join(f"{one.probe} {one.kind} {one.at}".strip() for one in fits[:6]) or "none"
            raise KeyError(f"arm {arm!r} must have one row of kind {kind!r} {at} {probe} but has {len(fits)}: {held}")
        return fits[0]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm and kind of question."""
        import pandas as pd

        return pd.DataFrame([_flat(one) for one in self.rows])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown: a row a kind, a column an arm."""
        cells = {(one.probe, one.kind, one.at, one.arm): one.score for one in self.rows}
        keys = dict.fromkeys((one.probe, one.kind, one.at) for one in self.rows)
        head = ["probe", "asked", self.by or "", *self.arms, "n"]
        body = []
        for key in keys:
            own = [cells.get((*key, arm)) for arm in self.arms]
            count = max(one.n for one in own if one is not None)
            body.append([*key, *map(_told, own), str(count)])
        return head, body


def probe_scores(
    study: Study | str,
    *,
    by: By = "",
    bins: int = 4,
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> ProbeScores:
    """What each arm scores in each kind of question that the study's probes ask.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    by
        ``"lag"``: apart by how many tasks ago the answer was told; ``"age"``: by how many tasks the run had met.
    bins
        Parts of equal length that ages are cut into, at least 1.
    metric
        Another than the main one.
    stream
        Only this one; else streams of one probe that differ in their draw are pooled.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    ProbeScores
        Means with two-way cluster-robust intervals, runs (stream, order, seed) crossed with tasks (or sessions, where
        tasks share one); with one run over tasks alone, and a note says so. Where all came out the same there is no
        interval: see `Estimate.reason`.

    Raises
    ------
    SpecError
        If ``by`` or ``bins`` is out of range, or no stream of the study is a probe.
    """
    if by not in ("", "lag", "age") or isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise SpecError([f"by must be '', 'lag' or 'age' and bins at least 1 but they are {by!r} and {bins!r}"])
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    frame, said = scores(ledger, name, planned, metric)
    tagged = _tagged(frame, by, bins)
    if tagged.empty:
        raise SpecError([f"study {name!r} has asked nothing in a probe so far: streams such as tk.RecallAtLag do"])
    arms = tuple(arm for arm in planned["arms"] if arm in set(tagged.arm))
    groups = tagged.groupby(["probe", "kind", "place", "at", "arm"], sort=False)
    rows = [ProbeRow(key[0], key[1], key[3], key[4], _estimate(own, level)) for key, own in _sorted(groups)]
    return ProbeScores(name, by, arms, tuple(rows), (*_notes(rows, level, frame), *said))


def _tagged(frame: pd.DataFrame, by: By, bins: int) -> pd.DataFrame:
    """The rows of probes, with their kind and what they are told apart by; ``place`` sorts it."""
    tags = [tag(one) for one in frame.task]
    kept = frame[[one is not None for one in tags]].reset_index(drop=True)
    known = [one for one in tags if one is not None]
    kept["probe"] = [re.sub(r"-\d+$", "", one) for one in kept.stream]
    kept["kind"], kept["place"], kept["at"] = [kind for kind, _ in known], 0, ""
    if by == "lag":
        kept["place"] = [lag for _, lag in known]
        kept["at"] = kept.place.astype(str)
    if by == "age" and len(kept):
        length = math.ceil((int(kept.t.max()) + 1) / bins)
        kept["place"] = kept.t // length * length
        kept["at"] = [f"{first}-{first + length - 1}" for first in kept.place]
    return kept


def _sorted(groups: object) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """By probe, what it asks before its controls, then lag or age."""
    listed = list(groups)  # type: ignore[call-overload]
    yield from sorted(listed, key=lambda one: (one[0][0], one[0][1] in CONTROLS, one[0][1], one[0][2]))


def _estimate(own: pd.DataFrame, level: float) -> Estimate:
    runs = own.stream + " " + own.order + " " + own.seed.astype(str)
    units = own.stream + " " + own.unit  # tasks of streams that differ are others, whatever their ids
    unit = "session" if bool((own.unit != own.task).any()) and own.unit.nunique() < own.task.nunique() else "task"
    if runs.nunique() < 2:
        return one_way(own.score, units, level=level, unit=unit)
    return two_way(own.score, runs, units, level=level, unit=unit)


def _notes(rows: list[ProbeRow], level: float, frame: pd.DataFrame) -> Iterator[str]:
    if any(one.score.runs < 2 for one in rows):
        yield f"Intervals of one run: {level:.0%}, over tasks alone; they speak of new tasks for this very run."
    else:
        yield f"Intervals: two-way cluster-robust t, {level:.0%}, runs crossed with tasks (or sessions)."
    if any(one.score.reason for one in rows):
        yield "[n/a]: no interval, e.g. because all answers came out the same; see .frame for the reason of each."
    yield "Controls, which need no memory: reading = the task itself tells it; never = nobody has told it."
    if missing := int(frame.score.isna().sum()):
        yield f"{missing} of {len(frame)} answers have no score and are left out."


def _told(one: Estimate | None) -> str:
    if one is None:
        return "n/a"
    value, low, high = ("n/a" if math.isnan(x) else format(x, ".2f") for x in (one.value, one.low, one.high))
    return f"{value} [n/a]" if low == "n/a" else f"{value} [{low}, {high}]"


def _flat(row: ProbeRow) -> dict[str, object]:
    one = row.score
    place = {"probe": row.probe, "asked": row.kind, "at": row.at, "arm": row.arm}
    return {
        **place,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "runs": one.runs,
        "reason": one.reason,
    }
