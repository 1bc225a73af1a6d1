"""One arm against another: the paired differences, and all that is said of them beside the headline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.component import digest
from toolkit.stats import Estimate, crossed_bootstrap, one_way, sign_flip, standardised, two_way

if TYPE_CHECKING:
    from toolkit.analysis.comparison import ArmRow

Labels = NDArray[np.str_]

FEW_STREAMS = 5
"""From so many pooled streams on they are a random factor; of fewer, nothing can be said of other streams."""

_SUSPECTS = 3  # sessions whose leaving could turn a verdict: those that speak loudest for it


@dataclass(frozen=True, eq=False)
class Gap:
    """Paired differences, of every pair that was planned and begun: NaN where one of the two is missing.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        One difference per pair.
    runs, units, streams : ndarray of str, shape (n,)
        Labels of the run (stream, order, seed), of the session or task, and of the stream.
    unit
        What ``units`` are, in the singular.
    """

    values: NDArray[np.float64]
    runs: Labels
    units: Labels
    streams: Labels
    unit: str

    @property
    def factors(self) -> tuple[Labels, Labels]:
        """What is drawn: runs and units; or, of many streams, streams and the units within them."""
        if not self.random_streams:
            return self.runs, self.units
        within = [f"{stream}\n{unit}" for stream, unit in zip(self.streams, self.units, strict=True)]
        return self.streams, np.asarray(within, dtype=np.str_)

    @property
    def random_streams(self) -> bool:
        """Whether there are enough streams to speak of others."""
        return len(set(self.streams.tolist())) >= FEW_STREAMS

    def estimate(self, level: float) -> Estimate:
        """The mean difference, two-way cluster-robust; the target says of what."""
        first, second = self.factors
        found = two_way(self.values, first, second, level=level, unit=self.unit)
        streams = sorted(set(self.streams.tolist()))
        if self.random_streams:
            runs = len(set(self.runs[~np.isnan(self.values)].tolist()))
            return replace(found, runs=runs, target=f"new streams drawn like these {len(streams)}, in new orders")
        return replace(found, target=f"{found.target}, of these {len(streams)} streams") if len(streams) > 1 else found

    def bootstrap(self, level: float, names: Sequence[str]) -> Estimate:
        """The crossed bootstrap; its draws derive from what is compared, so that they are the same everywhere."""
        seed = int(digest([*names, sorted(set(self.runs.tolist())), len(self.values)])[:16], 16)
        first, second = self.factors
        rng = np.random.default_rng(seed)
        return crossed_bootstrap(self.values, first, second, rng=rng, level=level, unit=self.unit)

    def permutation(self, names: Sequence[str]) -> tuple[float, str]:
        """P value of sign flips of whole runs, and what that means."""
        seed = int(digest(["flips", *names, sorted(set(self.runs.tolist()))])[:16], 16)
        p_value = sign_flip(self.values, self.runs, rng=np.random.default_rng(seed))
        runs = len(set(self.runs[~np.isnan(self.values)].tolist()))
        least = f", which can show no p below {2.0 ** (1 - runs):.2g}" if 1 <= runs <= 12 else ""
        return p_value, f"whole runs ({runs}{least}) change sign: new orders of these tasks"

    def size(self, level: float) -> Estimate:
        """Standardised, see `toolkit.stats.standardised`."""
        return standardised(self.values, *self.factors, level=level, unit=self.unit)


@dataclass(frozen=True, eq=False)
class OneRun(Gap):
    """Paired differences of a single run: of its units alone anything can be said."""

    def estimate(self, level: float) -> Estimate:
        """The mean difference, clustered by unit; see `toolkit.stats.one_way`."""
        return one_way(self.values, self.units, level=level, unit=self.unit)

    def permutation(self, names: Sequence[str]) -> tuple[float, str]:
        """P value of sign flips of whole units, and what that means."""
        seed = int(digest(["flips", *names, len(self.values)])[:16], 16)
        p_value = sign_flip(self.values, self.units, rng=np.random.default_rng(seed))
        return p_value, f"whole {self.unit}s change sign: this run only"


def decisive(gap: Gap, whole: Estimate) -> Iterator[str]:
    """By which single run or unit a verdict stands: without it the interval would hold 0."""
    if not whole.excludes_zero:
        return
    sign = math.copysign(1, whole.value)
    for what, labels, fewest in (("run", gap.runs, 4), (gap.unit, gap.units, 4)):
        there = ~np.isnan(gap.values)
        names, codes = np.unique(labels[there], return_inverse=True)
        if len(names) < fewest:
            continue  # of three, any one decides
        loudest = np.argsort(-sign * np.bincount(codes, weights=gap.values[there]), kind="stable")[:_SUSPECTS]
        for name in names[loudest]:
            kept = labels != name
            parts = {part: getattr(gap, part)[kept] for part in ("values", "runs", "units", "streams")}
            rest = replace(gap, **parts)
            if not rest.estimate(whole.level).excludes_zero:
                yield f"decided by one {what}: without {name} the interval holds 0"
                break


@dataclass(frozen=True, eq=False)
class Contrast:
    """An arm against the baseline, with everything that was computed. Prints as a page of lines.

    Parameters
    ----------
    row
        The arm's row of the comparison.
    baseline
        What it is compared with.
    gap
        The paired differences.
    """

    row: ArmRow
    baseline: str
    gap: Gap
    level: float

    @cached_property
    def mixed(self) -> Estimate:
        """A cross-check by another road: a mixed-effects model with crossed random runs and sessions. Seconds.

        See `toolkit.stats.mixed.mixed_effects`.
        """
        from toolkit.stats.mixed import mixed_effects

        return mixed_effects(self.gap.values, *self.gap.factors, level=self.level, unit=self.gap.unit)

    def __str__(self) -> str:
        row = self.row
        gap, bootstrap, size = row.difference, row.bootstrap, row.size
        if gap is None or bootstrap is None or size is None:
            return f"{row.arm} is the baseline: nothing to compare it with"
        low, high = row.bounds
        lines = [
            ("difference", f"{_told(gap)}; {gap.method}"),
            (
                "rests on",
                f"{gap.n} pairs, {gap.runs} runs x {gap.clusters} {self.gap.unit}s, df {_plain(gap.df, '.1f')}",
            ),
            ("speaks of", gap.target),
            ("bootstrap", f"{_told(bootstrap)}; {bootstrap.method}"),
            ("permutation", f"p {_plain(row.permutation_p, '.4g')}; {row.exchangeable}"),
            ("effect size", f"{_told(size, p_value=False)} standard deviations of single differences"),
            ("missing pairs", "none" if low == high else f"the difference may be {low:+.3f} to {high:+.3f}"),
            ("standing", row.registered),
            ("Holm", f"p {row.adjusted_p:.4g}" if not math.isnan(row.adjusted_p) else ""),
            ("verdict", row.verdict),
            ("doubts", "; ".join(row.doubts)),
        ]
        return "\n".join([f"{row.arm} - {self.baseline}", *(f"  {name:<14}{text}" for name, text in lines if text)])

    __repr__ = __str__


def _told(one: Estimate, *, p_value: bool = True) -> str:
    interval = f"{_plain(one.value, '+.3f')} [{_plain(one.low, '+.3f')}, {_plain(one.high, '+.3f')}]"
    text = interval + (f", p {_plain(one.p_value, '.4g')}" if p_value else "")
    return f"{text} ({one.reason})" if one.reason else text


def _plain(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
