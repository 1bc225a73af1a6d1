"""How long an arm will still take, from the pace of its own episodes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.ledger.follow import Glimpse

ENOUGH = 5
"""Episodes with a known time that an arm must have before anything is said."""

_RECENT = 20  # episodes of each run that its pace is taken from: prompts may grow as a memory fills


class Pace:
    """How fast the runs of one arm go.

    Records hold no clock times, but the seconds that each episode waited for models. With E = episodes that the arm's
    runs still lack, L = the most that one of them lacks, s = mean seconds over the last 20 episodes of each run, and
    k = runs that are under way now, ::

        seconds left = max(E * s / k, L * s)

    since the episodes of one run come one after the other. It is not known (None) before 5 episodes have a time, where
    none took any, and while none of the arm's runs is under way. Pauses are no part of it. Nor are waiting for a free
    worker and the bench's own work: then the end comes later. An answer from a memo counts with what it took when it
    was made: then it comes sooner.

    Examples
    --------
    >>> pace = Pace()
    >>> for _ in range(5):
    ...     pace.seconds("run 0", 2.0)
    >>> pace.left([30, 30, 10], under_way=2), pace.left([60], under_way=0)
    (70.0, None)
    """

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}

    def take(self, one: Glimpse) -> None:
        """The next episode of the arm."""
        self.seconds(one.run, one.seconds)

    def seconds(self, run: str, seconds: float) -> None:
        """What the next episode of a run took; NaN = not known."""
        if not math.isnan(seconds):
            self._recent.setdefault(run, deque(maxlen=_RECENT)).append(seconds)

    def left(self, lacking: Sequence[int], under_way: int) -> float | None:
        """Seconds until the arm's runs have what they lack; None where it is not known.

        Parameters
        ----------
        lacking
            Episodes that each run that goes on still lacks.
        under_way
            Runs that go at once now.
        """
        times = [one for recent in self._recent.values() for one in recent]
        pace = math.fsum(times) / len(times) if len(times) >= ENOUGH else 0.0
        if not (pace and under_way):
            return None
        return max(sum(lacking) * pace / under_way, max(lacking, default=0) * pace)


def duration(seconds: float | None) -> str:
    """A duration in at most two units; n/a where it is not known.

    Examples
    --------
    >>> [duration(seconds) for seconds in (None, 0.4, 59.7, 754, 7500, 200_000)]
    ['n/a', 'under 1 s', '1 min', '12 min 34 s', '2 h 5 min', '2 d 7 h']
    """
    if seconds is None:
        return "n/a"
    whole = round(seconds)
    if whole < 1:
        return "under 1 s"
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(place for place, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)
