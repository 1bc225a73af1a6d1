"""How everything here is measured: two pieces of work in turn, several times, as a ratio with its median and spread."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

REPEATS = 5
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    name
        The work, and what it is compared with.
    goal
        The ratio aimed at, as text; empty = none, the row is there to compare with.
    median, low, high
        Over the repeats; low and high hold the middle half of ten repeats or more, else all of them.
    processor
        The median where only processor time is counted; None where that says nothing. On a busy machine it is the one
        to read.
    quickest
        The quickest repeat of ours by the quickest of theirs: what both take where nothing disturbs them. None where
        only ratios are known.
    """

    name: str
    goal: str
    median: float
    low: float
    high: float
    processor: float | None = None
    unit: str = "x"
    quickest: float | None = None


_rows: list[Row] = []


def spent(work: Work) -> tuple[float, float]:
    """Seconds on the wall and of the processor."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own


def row(
    name: str, goal: str, ours: Work, theirs: Work, *, scale: float = 1.0, repeats: int = REPEATS, apart: bool = False
) -> None:
    """Time both in turn; show the ratio of ours to theirs, times ``scale``.

    Parameters
    ----------
    apart
        True where the work is done by other processes, whose processor time is not this one's.
    """
    pairs = [_pair(ours, theirs, number) for number in range(repeats)]
    walls = [scale * mine[0] / other[0] for other, mine in pairs]
    owns = [scale * mine[1] / other[1] for other, mine in pairs if other[1] > 0]
    quickest = scale * min(mine[0] for _, mine in pairs) / min(other[0] for other, _ in pairs)
    show(name, goal, walls, processor=None if apart else statistics.median(owns), quickest=quickest)


def _pair(ours: Work, theirs: Work, number: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Theirs and ours, by turns the one or the other first: whoever comes second finds what the other left behind."""
    if number % 2 == 0:
        return spent(theirs), spent(ours)
    mine = spent(ours)
    return spent(theirs), mine


def show(
    name: str,
    goal: str,
    values: list[float],
    *,
    processor: float | None = None,
    unit: str = "x",
    quickest: float | None = None,
) -> None:
    """Print a row and keep it for `save`."""
    low, _, high = statistics.quantiles(values) if len(values) >= 10 else (min(values), 0, max(values))
    found = Row(name, goal, statistics.median(values), low, high, processor, unit, quickest)
    _rows.append(found)
    digits = 0 if unit != "x" else 3 if found.median < 0.1 else 2
    own, least = ("" if one is None else f"{one:.{max(2, digits)}f}" for one in (processor, quickest))
    figures = f"{found.median:9.{digits}f}{unit:<4}{own:>9}{least:>10}   {low:.{digits}f} to {high:.{digits}f}"
    print(f"{name:<70}{figures:<54}{goal}".rstrip(), flush=True)


def skip(name: str, why: str) -> None:
    """Say that a row could not be measured."""
    print(f"{name:<70}{'skipped':>9}    {why}", flush=True)


def head() -> None:
    """Print what the columns are, and how busy the machine is."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"{os.cpu_count()} processors, load {load}; threads for linear algebra: {threads}")
    print(f"{'work / peer':<70}{'wall':>9}    {'processor':>9}{'quickest':>10}   {'spread of wall':<19}goal")


def save(path: Path) -> None:
    """Every row so far, and the load, as JSON."""
    found = {"processors": os.cpu_count(), "load": os.getloadavg(), "rows": [asdict(one) for one in _rows]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
