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
        Over the repeats.
    processor
        The median where only processor time is counted; None where that says nothing. On a busy machine it is the one
        to read.
    """

    name: str
    goal: str
    median: float
    low: float
    high: float
    processor: float | None = None
    unit: str = "x"


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
    pairs = [(spent(theirs), spent(ours)) for _ in range(repeats)]
    walls = [scale * mine[0] / other[0] for other, mine in pairs]
    owns = [scale * mine[1] / other[1] for other, mine in pairs if other[1] > 0]
    show(name, goal, walls, processor=None if apart else statistics.median(owns))


def show(name: str, goal: str, values: list[float], *, processor: float | None = None, unit: str = "x") -> None:
    """Print a row and keep it for `save`."""
    found = Row(name, goal, statistics.median(values), min(values), max(values), processor, unit)
    _rows.append(found)
    own = f"{processor:9.2f}" if processor is not None else " " * 9
    digits = 0 if unit != "x" else 3 if found.median < 0.1 else 2
    figures = f"{found.median:9.{digits}f}{unit:<4}{own}   {found.low:.{digits}f} to {found.high:.{digits}f}"
    print(f"{name:<70}{figures:<44}{goal}".rstrip(), flush=True)


def skip(name: str, why: str) -> None:
    """Say that a row could not be measured."""
    print(f"{name:<70}{'skipped':>9}    {why}", flush=True)


def head() -> None:
    """Print what the columns are, and how busy the machine is."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"{os.cpu_count()} processors, load {load}; threads for linear algebra: {threads}")
    print(f"{'work / peer':<70}{'wall':>9}    {'processor':>9}   {'spread of wall':<19}goal")


def save(path: Path) -> None:
    """Every row so far, and the load, as JSON."""
    found = {"processors": os.cpu_count(), "load": os.getloadavg(), "rows": [asdict(one) for one in _rows]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
