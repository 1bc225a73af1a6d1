"""The first place where a replayed run differs from what was recorded, in words that lead there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.evaluation.design import Run
from toolkit.ledger.rows import EPISODE, RunRecord
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import rows

if TYPE_CHECKING:
    from toolkit.analysis import Comparison

CLOSE = 1e-9
"""Relative and absolute difference up to which floats are the same."""

_APART = {"run", "error"}  # a row's run is the folder's; an error's words hold paths and are no part of a run's hash
_RECORD = {"study", "run", "status", "replayed", "error", "reused_from"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it was.

    Parameters
    ----------
    run
        The run's folder; empty for the table over all runs.
    t, task
        Place in the run and id of the task; -1 and empty where it is about the run as a whole.
    column
        Of the episodes, of ``run.json``, or of the table.
    recorded, replayed
        The two values, shortened.
    """

    run: str
    t: int
    task: str
    column: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        place = f"run {self.run}" if self.run else "the table"
        place += f", task {self.t} ({self.task})" if self.t >= 0 else ""
        return f"{place}, {self.column}: recorded {self.recorded}, replayed {self.replayed}"


def first_difference(run: Run, source: Path, other: Path, recorded: RunRecord, found: RunRecord) -> Difference | None:
    """The first difference between a recorded run's folder and a replayed one's, or None."""
    old, new = (rows(folder, "episodes") for folder in (source, other))
    if old != new and (different := rows_differ(run, old, new)):
        return different
    was, now = asdict(recorded), asdict(found)
    for name in was:
        if name not in _RECORD and not _same(was[name], now[name]):
            return Difference(run.folder, -1, "", name, _shown(was[name]), _shown(now[name]))
    return None


def rows_differ(run: Run, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Difference | None:
    """The first value of the first row that differs."""
    for t, (was, now) in enumerate(zip_longest(old, new)):
        if was is None or now is None:
            column, told = (
                "(the episode)",
                ("missing" if was is None else "there", "missing" if now is None else "there"),
            )
            return Difference(run.folder, t, str((was or now or {}).get("task", "")), column, *told)
        for name in EPISODE:
            if name in was and name not in _APART and not _same(was[name], now.get(name)):
                return Difference(run.folder, t, str(was["task"]), name, _shown(was[name]), _shown(now.get(name)))
    return None


def tables_differ(ledger: Ledger, other: Ledger, name: str) -> Difference | None:
    """The first number of the table or the learning curves that differs between two ledgers by more than 1e-9."""
    from toolkit.analysis import compare

    was, now = (dict(numbers(compare(name, ledger=one), one)) for one in (ledger, other))
    return numbers_differ(was, now)


def numbers_differ(was: Mapping[str, Any], now: Mapping[str, Any]) -> Difference | None:
    """The first of two tables' numbers, by name, that differs."""
    for key in dict.fromkeys([*was, *now]):
        if not _same(was.get(key), now.get(key)):
            return Difference("", -1, "", key, _shown(was.get(key)), _shown(now.get(key)))
    return None


def numbers(found: Comparison, ledger: Ledger) -> Iterator[tuple[str, Any]]:
    """Every number and word of a study's table, and its learning curves, by name; NaN is None."""
    from toolkit.analysis import learning_curves

    for row in found.frame.to_dict("records"):
        for column, value in row.items():
            yield f"{row['arm']}: {column}", _finite(value)
    for arm, band in learning_curves(found.study, ledger=ledger).items():
        for part in ("mean", "low", "high"):
            yield f"{arm}: curve, {part}", [_finite(value) for value in getattr(band, part).tolist()]


def _finite(value: object) -> object:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE) or (math.isnan(one) and math.isnan(other))
    one, other = _sequence(one), _sequence(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _sequence(value: object) -> object:
    """Lists and tuples alike; a map that came from Parquet is a list of pairs, one from JSON an object."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping) and not {"step", "blocks"} <= value.keys():
        return [[key, one] for key, one in value.items()]
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
