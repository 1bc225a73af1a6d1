"""What people said of recorded answers: by arm, and how far they agree.

Rated figures are opinions, as a judge's are. They stand in tables and columns of their own and never beside scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from toolkit.analysis.judged import Opinions
from toolkit.analysis.recorded import RUN, crossed
from toolkit.ledger.rated import Rating
from toolkit.stats import Agreement, Estimate, cohen_kappa, fleiss_kappa, krippendorff_alpha

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Measure = Literal["krippendorff", "cohen", "fleiss"]

_CELL = [*RUN, "task"]
_COLUMNS = [
    "rater", "item", "run", "arm", *RUN, "t", "task", "unit", "answer", "against", "said", "rated", "first", "said_at",
]  # fmt: skip
_WON = ((1.0, "won"), (0.0, "tied"), (-1.0, "lost"))


@dataclass(frozen=True)
class RatedRow:
    """One arm.

    Parameters
    ----------
    estimate
        Its mean rating; of a pair its preference in [-1, 1]. None where labels were given.
    difference
        How much that is above the baseline's on the same tasks. None for the baseline, and for a pair.
    first
        Of a pair: share of verdicts for A less share for B, in [-1, 1]; A is the first arm's answer half the time.
    said
        How often each thing was said of it.
    episodes, ratings
        How many were rated, by how many verdicts of people.
    """

    arm: str
    estimate: Estimate | None
    difference: Estimate | None
    first: Estimate | None
    said: tuple[tuple[str, int], ...]
    episodes: int
    ratings: int


@dataclass(frozen=True, repr=False)
class Rated(Opinions[RatedRow]):
    """Ratings by people, arm by arm. Prints as a table; `frame` has every rating.

    Parameters
    ----------
    kind
        ``scale``, ``right/wrong``, ``labels`` or ``pair``.
    raters
        Who has rated any, by name.
    level
        Coverage of the intervals, in (0, 1).
    ratings, passed
        A row for each rating, and for each item that somebody passed over.
    """

    left: ClassVar[int] = 1
    title: str
    kind: str
    baseline: str
    raters: tuple[str, ...]
    rows: tuple[RatedRow, ...]
    notes: tuple[str, ...]
    level: float
    ratings: pd.DataFrame = field(compare=False)
    passed: pd.DataFrame = field(compare=False)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per rater and episode: what was ``said``, and ``rated``, that as a number (NaN of a label).

        Of a pair ``arm`` is the first arm, whose answer was held against that of the arm ``against``; ``rated`` is 1
        where it was preferred, and ``first`` says whether it stood at A.
        """
        return self.ratings.copy()

    @property
    def skipped(self) -> pd.DataFrame:
        """What was skipped: ``rater``, ``item``, ``why``."""
        return self.passed.copy()

    def human(self) -> pd.DataFrame:
        """The mean rating of each episode over raters, as `Judged.corrected` and `Judged.agreement` take it.

        Returns
        -------
        pandas.DataFrame
            ``run``, ``t`` and ``human``; of right or wrong, 1 or 0.

        Raises
        ------
        ValueError
            If labels were given, or preferences: neither is a rating of one answer by a number.
        """
        if self.kind not in ("scale", "right/wrong"):
            raise ValueError(f"a mean needs numbers but {self.kind} was asked: use a scale, or right/wrong")
        return _means(self.ratings)[["run", "t", "rated"]].rename(columns={"rated": "human"})

    def agreement(self, measure: Measure = "krippendorff", *, seed: int = 0) -> Agreement:
        """How far raters agree on what several of them rated.

        Parameters
        ----------
        measure
            ``krippendorff``: alpha, ordinal on a scale and for preferences, else nominal; it takes ratings that are
            missing. ``cohen`` (two raters) and ``fleiss``: kappa, of labels without order, where everybody rated.
        seed
            Of the resamples.

        Raises
        ------
        ValueError
            If there is no such measure, or Cohen's is asked of more or fewer than two raters.
        """
        import numpy as np

        rng, table = np.random.default_rng(seed), self._table()
        if measure == "krippendorff":
            ordered = self.kind in ("scale", "pair")
            return krippendorff_alpha(table, "ordinal" if ordered else "nominal", rng=rng, level=self.level)
        if measure not in ("cohen", "fleiss"):
            raise ValueError(f"measure must be krippendorff, cohen or fleiss but is {measure!r}")
        return (cohen_kappa if measure == "cohen" else fleiss_kappa)(table, rng=rng, level=self.level)

    def agreements(self) -> tuple[Agreement, ...]:
        """Alpha and, of two raters Cohen's kappa, of more Fleiss'; nothing if no two have rated the same."""
        table = self._table()
        if not len(table) or not bool(((table != None).sum(1) > 1).any()):  # noqa: E711  (element by element)
            return ()
        return self.agreement(), self.agreement("cohen" if len(self.raters) == 2 else "fleiss")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        told = [name for name, _ in self.rows[0].said] if self.rows else []
        if self.kind == "pair":
            head = [f"against {self.baseline}", "preference", "interval", *told, "A favoured", "interval"]
        elif self.kind == "labels":
            head = ["arm", *told]
        else:
            head = ["arm", "rated", "interval", f"over {self.baseline}", "interval"]
        return [*head, "episodes", "ratings", "doubts"], [self._line(row) for row in self.rows]

    def _line(self, row: RatedRow) -> list[str]:
        counts = [str(many) for _, many in row.said]
        if self.kind == "pair":
            cells = [*_cells(row.estimate, "+.3f"), *counts, *_cells(row.first, "+.3f")]
        elif self.kind == "labels":
            cells = counts
        else:
            gap = ["baseline", ""] if row.arm == self.baseline else _cells(row.difference, "+.3f")
            cells = [*_cells(row.estimate, ".3f"), *gap]
        reasons = dict.fromkeys(one.reason for one in (row.estimate, row.difference) if one is not None and one.reason)
        return [row.arm, *cells, str(row.episodes), str(row.ratings), "; ".join(reasons)]

    def _table(self) -> np.ndarray:
        """Items by raters: what was said; of a scale, right or wrong, and preferences, as numbers; None = nothing."""
        import numpy as np

        each = self.ratings.drop_duplicates(["rater", "item"])
        items, raters = list(dict.fromkeys(each["item"])), list(self.raters)
        found = np.full((len(items), len(raters)), None, dtype=object)
        for one in each.itertuples():
            value = one.said if self.kind == "labels" else float(one.rated)
            found[items.index(one.item), raters.index(one.rater)] = value
        return found


def rated_table(
    rows: pd.DataFrame,
    ratings: Sequence[Rating],
    kind: str,
    arms: Sequence[str],
    baseline: str,
    offered: Sequence[str],
    about: Sequence[str],
    level: float,
) -> Rated:
    """What people said, of the episodes in ``rows``."""
    from dataclasses import replace

    frame = _frame(rows, ratings)
    raters = tuple(sorted({one.rater for one in ratings if one.did == "rated"}))
    base = arms[1] if kind == "pair" else baseline
    found = tuple(_rows(frame, kind, arms[:1] if kind == "pair" else arms, base, offered, level))
    passed = _skips(ratings)
    what = f"preferences between {arms[0]} and {base}" if kind == "pair" else f"ratings ({kind})"
    title = f"RATED by people, not scored: {what} by {', '.join(raters) or 'nobody yet'}, blind to the arm"
    table = Rated(title, kind, base, raters, found, (), level, frame, passed)
    return replace(table, notes=tuple(_notes(table, about)))


def _frame(rows: pd.DataFrame, ratings: Sequence[Rating]) -> pd.DataFrame:
    import pandas as pd

    names = ["rater", "item", "said", "rated", "first", "said_at", "run", "t", "other"]
    told = [
        (one.rater, one.item, one.said, one.rated, one.first, one.said_at, place.run, place.t, place.other)
        for one in ratings
        if one.did == "rated"
        for place in one.places
    ]
    own = pd.DataFrame(told, columns=names).astype({"rated": float, "t": int})
    arms = dict(zip(rows.run, rows.arm, strict=True))
    found = own.merge(rows[["run", "arm", *RUN, "t", "task", "unit", "answer"]], on=["run", "t"], how="left")
    return found.assign(against=[arms.get(one, "") for one in found.other])[_COLUMNS]


def _rows(
    frame: pd.DataFrame, kind: str, arms: Sequence[str], baseline: str, offered: Sequence[str], level: float
) -> Iterator[RatedRow]:
    means = _means(frame)
    base = means[means.arm == baseline][[*_CELL, "rated"]]
    for arm in arms:
        own, each = means[means.arm == arm], frame[frame.arm == arm]
        if kind == "pair":
            said = tuple((name, int((each.rated == value).sum())) for value, name in _WON)
        else:
            said = tuple((name, int((each.said == name).sum())) for name in offered)
        estimate = None if kind == "labels" else crossed(own, own.rated, level)
        first = crossed(own, own.at_a, level) if kind == "pair" else None
        gap = None
        if kind in ("scale", "right/wrong") and arm != baseline:
            both = own.merge(base, on=_CELL, suffixes=("", "_base"))
            gap = crossed(both, both.rated - both.rated_base, level)
        yield RatedRow(arm, estimate, gap, first, said, len(own), len(each))


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per episode: the mean over its raters, and of how far they went for A."""
    at_a = frame.said.map({"a": 1.0, "b": -1.0}).fillna(0.0)
    keys = ["run", "arm", *RUN, "t", "task", "unit"]
    return frame.assign(at_a=at_a).groupby(keys, sort=False, as_index=False)[["rated", "at_a"]].mean()


def _skips(ratings: Sequence[Rating]) -> pd.DataFrame:
    import pandas as pd

    told = [(one.rater, one.item, one.why) for one in ratings if one.did == "skipped"]
    return pd.DataFrame(told, columns=["rater", "item", "why"])


def _notes(table: Rated, about: Sequence[str]) -> Iterator[str]:
    yield f"Opinions of people: {100 * table.level:g} % intervals are over runs and tasks, not over people."
    yield from about
    if len(table.passed):
        each = ", ".join(f"{rater} {len(own)}" for rater, own in table.passed.groupby("rater"))
        yield f"Skipped, and missing here: {each}; see skipped. What is left is a random sample only if skips are."
    yield from (f"Between raters: {one}." for one in table.agreements())


def _cells(one: Estimate | None, form: str) -> list[str]:
    if one is None or math.isnan(one.value):
        return ["n/a", "n/a"]
    return [f"{one.value:{form}}", "n/a" if math.isnan(one.low) else f"[{one.low:{form}}, {one.high:{form}}]"]
