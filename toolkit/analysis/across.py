"""Several studies in one table: a row for each stream, model and arm, and what they say together of new streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis import contrasts
from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.recorded import found, plan
from toolkit.analysis.shown import Shown
from toolkit.errors import SpecError
from toolkit.ledger.planned import lengths
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, one_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

FEW_STREAMS = 5
"""With fewer, nothing is said of new streams."""


@dataclass(frozen=True)
class Cell:
    """One arm on one stream with one model.

    Parameters
    ----------
    study
        Where it comes from; studies of one name are numbered.
    stream, model
        What it ran on.
    baseline
        What its difference is to, within the same study and stream.
    row
        Its numbers.
    """

    study: str
    stream: str
    model: str
    baseline: str
    row: ArmRow


@dataclass(frozen=True)
class Pooled:
    """One arm with one model over all of its streams.

    Parameters
    ----------
    arm, model, baseline
        As in `Cell`.
    difference
        The mean over streams, each counted once. With 5 streams or more its interval speaks of new streams like
        these; with fewer the bounds are NaN and `Estimate.reason` says so.
    """

    arm: str
    model: str
    baseline: str
    difference: Estimate


@dataclass(frozen=True, repr=False)
class Across(Shown):
    """Stream x model x arm. Prints as a table; `frame` has every number.

    Parameters
    ----------
    cells
        One arm on one stream with one model.
    pooled
        One arm and model over all streams.
    level
        Coverage of the intervals, in (0, 1).
    """

    left: ClassVar[int] = 4

    cells: tuple[Cell, ...]
    pooled: tuple[Pooled, ...]
    level: float
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per study, stream, model and arm, every number a column."""
        import pandas as pd

        parts = []
        for cell in self.cells:
            single = Comparison(cell.study, cell.baseline, (cell.row,), self.level, ()).frame
            single.insert(0, "study", cell.study)
            single.insert(1, "stream", cell.stream)
            single["baseline"] = cell.baseline
            parts.append(single)
        return pd.concat(parts, ignore_index=True)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["stream", "model", "study", "arm", "score", "difference", "interval", "pairs", "runs", "doubts"]
        body = []
        for cell in self.cells:
            _, [[arm, score, gap, interval, pairs, runs, *_, doubts]] = Comparison(
                cell.study, cell.baseline, (cell.row,), self.level, ()
            ).table()
            to = gap if gap == "baseline" else f"{gap} to {cell.baseline}"
            body.append([cell.stream, cell.model, cell.study, arm, score, to, interval, pairs, runs, doubts])
        return head, body + [_shown(line) for line in self.pooled]


def _shown(line: Pooled) -> list[str]:
    gap = line.difference
    bounds = "n/a" if math.isnan(gap.low) else f"[{gap.low:+.3f}, {gap.high:+.3f}]"
    to = f"{gap.value:+.3f} to {line.baseline}" if not math.isnan(gap.value) else "n/a"
    return [f"all {gap.n} streams", line.model, "", line.arm, "", to, bounds, str(gap.n), "", gap.reason]


def compare(
    given: Sequence[Study | Comparison | str],
    *,
    baseline: str = "",
    metric: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Across:
    """Several studies side by side: a row for each stream, model and arm.

    A difference is always to the baseline of the same study on the same stream. Over streams, each stream's
    difference counts once, and they are taken as drawn from streams like these: the spread between them holds both
    how much the effect differs and the chance within each.

    Parameters
    ----------
    given
        Studies, names of studies in ``ledger``, or comparisons already made (of a frame, say), in any mixture.
    baseline, metric, level
        As for one study, for each of those given; comparisons keep their own.
    ledger
        Where names are looked up; a `Study` is looked up in its own.

    Raises
    ------
    SpecError
        If nothing is given, or comparisons have intervals of another level.
    LedgerError
        As for one study.

    Notes
    -----
    The line over S streams is the mean of S differences with its t interval on S - 1 degrees of freedom
    (`toolkit.stats.one_way` with streams as clusters), from 5 streams on. Arms are pooled by their name and model.

    References
    ----------
    .. [1] Dror, Baumer, Bogomolov & Reichart (2017), Replicability analysis for natural language processing: testing
       significance with multiple datasets, TACL 5 (why one stream says nothing of another).
    """
    if not given:
        raise SpecError(["compare needs at least one study but the list is empty"])
    cells: list[Cell] = []
    notes: list[str] = []
    for label, one in zip(_labels(given), given, strict=True):
        if isinstance(one, Comparison):
            if one.level != level:
                raise SpecError([f"{label} has intervals of {one.level:g}, not {level:g}; give level={one.level:g}"])
            parts = [(label, one)]  # a frame's streams are its own affair
        else:
            parts = _by_stream(one, baseline, metric, level, ledger)
        for stream, made in parts:
            cells += _cells(label, stream, made)
    pooled = _pooled(cells, level)
    streams = len({cell.stream for cell in cells})
    notes.append(f"Differences are to the baseline of the same study on the same stream; intervals {level:.0%}.")
    if not any(line.difference.n >= FEW_STREAMS for line in pooled):
        notes.append(f"{streams} streams: this says nothing of new streams (from {FEW_STREAMS} on, a line would).")
    else:
        notes.append("Lines over all streams: each stream counts once; they speak of new streams like these.")
    if any(cell.row.doubts and "scripted model" in cell.row.doubts[0] for cell in cells):
        notes.append("SCRIPTED MODEL: answers were drawn with planted probabilities; a rehearsal, not a finding.")
    return Across(tuple(cells), pooled, level, tuple(notes))


def _labels(given: Sequence[Study | Comparison | str]) -> list[str]:
    """What each is called; those of one name are numbered."""
    named = []
    for one in given:
        named.append(one if isinstance(one, str) else one.study if isinstance(one, Comparison) else one.name)
    return [f"{name} [{named[:i].count(name) + 1}]" if named.count(name) > 1 else name for i, name in enumerate(named)]


def _by_stream(
    one: Study | str, baseline: str, metric: str, level: float, ledger: Ledger | None
) -> list[tuple[str, Comparison]]:
    name, home = found(one, ledger)
    streams = lengths(plan(home, name))
    return [
        (s, contrasts.compare(name, baseline=baseline, metric=metric, stream=s, level=level, ledger=home))
        for s in streams
    ]


def _cells(label: str, stream: str, made: Comparison) -> list[Cell]:
    """The rows of one comparison; an arm on another model than its baseline is doubted."""
    base = made.row(made.baseline).model
    cells = []
    for row in made.rows:
        if base and row.model and row.model != base and row.difference:
            told = f"the baseline ran on {base}: arm and model differ at once"
            row = replace(row, doubts=(*row.doubts, told))
        cells.append(Cell(label, stream, row.model, made.baseline, row))
    return cells


def _pooled(cells: Sequence[Cell], level: float) -> tuple[Pooled, ...]:
    """A line for each arm, model and baseline that ran on several streams."""
    groups: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for cell in cells:
        if cell.row.difference and not math.isnan(cell.row.difference.value):
            key = cell.row.arm, cell.model, cell.baseline
            groups.setdefault(key, {}).setdefault(cell.stream, []).append(cell.row.difference.value)
    return tuple(Pooled(*key, _over_streams(values, level)) for key, values in groups.items() if len(values) > 1)


def _over_streams(values: dict[str, list[float]], level: float) -> Estimate:
    means = [sum(own) / len(own) for own in values.values()]
    made = one_way(means, list(values), level=level, unit="stream")
    made = replace(made, runs=0, target="new streams drawn like these", method="t over streams, each counted once")
    if len(means) >= FEW_STREAMS:
        return made
    reason = f"{len(means)} streams: with fewer than {FEW_STREAMS} nothing is said of new ones"
    return replace(made, low=math.nan, high=math.nan, p_value=math.nan, df=math.nan, reason=reason)
