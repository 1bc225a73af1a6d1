"""What a model said of recorded answers: by arm, corrected by human ratings, and of two answers which it preferred.

Judged figures are opinions. They stand in tables and columns of their own and never beside scores.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.analysis.recorded import RUN, crossed, runs_of, unit_of
from toolkit.analysis.shown import ByArm, R, visible
from toolkit.stats import Agreement, Estimate, Predicted, krippendorff_alpha, predicted_difference, predicted_mean

if TYPE_CHECKING:
    import pandas as pd

_CELL = [*RUN, "task"]


class Opinions(ByArm[R]):
    """A table that says in its title whose opinion it holds.

    Attributes
    ----------
    title
        Says that these are opinions, and whose.
    baseline
        The arm that the others are compared with.
    """

    title: str

    def __str__(self) -> str:
        return f"{visible(self.title)}\n\n{super().__str__()}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(visible(self.title))}</b></p>{super()._repr_html_()}"


@dataclass(frozen=True)
class JudgedRow:
    """One arm: its mean rating, and how much that is above the baseline's on the same tasks (None for the baseline)."""

    arm: str
    estimate: Estimate
    difference: Estimate | None
    missing: int


@dataclass(frozen=True)
class CorrectedRow:
    """One arm: what humans would have said on average, and how much above the baseline."""

    arm: str
    found: Predicted
    difference: Predicted | None


@dataclass(frozen=True)
class PreferredRow:
    """One arm against the baseline, asked in both positions.

    Parameters
    ----------
    estimate
        Share of answers preferred less share not preferred, in [-1, 1]; 0 = none is better.
    first
        Share of askings in which the answer shown first won less share in which the second did, in [-1, 1]: position
        bias. Taken over both positions, so it is 0 for a judge who looks at answers alone, whichever arm is better.
    won, tied, lost
        Pairs; a preference that flips with the position is tied.
    flipped
        Pairs whose preference went with the position.
    """

    arm: str
    estimate: Estimate
    first: Estimate
    won: int
    tied: int
    lost: int
    flipped: int


@dataclass(frozen=True, repr=False)
class Corrected(Opinions[CorrectedRow]):
    """Human means by arm, with the judge's help. Prints as a table; `frame` has every number."""

    title: str
    baseline: str
    rows: tuple[CorrectedRow, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm: corrected mean, interval, lambda, ratings by humans, gain, difference, and doubts."""
        import pandas as pd

        return pd.DataFrame([_corrected(row) for row in self.rows])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = [
            "arm",
            "corrected",
            "interval",
            f"over {self.baseline}",
            "interval",
            "humans",
            "lambda",
            "gain",
            "doubts",
        ]
        body = []
        for row in self.rows:
            one, gap = row.found, row.difference
            between = ["baseline", ""] if gap is None else _cells(gap.estimate, "+.3f")
            humans = f"{one.rated[0]} of {one.n}"
            reasons = (one.estimate.reason, gap.estimate.reason if gap else "")
            told = [humans, _number(one.weights[0], ".2f"), _number(one.gain, ".1f"), _doubts(*reasons)]
            body.append([row.arm, *_cells(one.estimate, ".3f"), *between, *told])
        return head, body


@dataclass(frozen=True, repr=False)
class Judged(Opinions[JudgedRow]):
    """Ratings by arm. Prints as a table; `frame` has every rating.

    Parameters
    ----------
    scale
        What could be said.
    level
        Coverage of the intervals, in (0, 1).
    episodes
        A row for each episode that was to be rated.
    anew
        Questions that were asked now; the others stood on the tape. Never part of a comparison of two records.
    """

    title: str
    baseline: str
    scale: tuple[int, ...]
    rows: tuple[JudgedRow, ...]
    notes: tuple[str, ...]
    level: float
    episodes: pd.DataFrame = field(compare=False)
    anew: int = field(default=0, compare=False)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per episode: where it stands, ``judged`` (NaN where there is no verdict) and ``why`` not."""
        return self.episodes.copy()

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "judged", "interval", f"over {self.baseline}", "interval", "n", "no verdict", "doubts"]
        body = []
        for row in self.rows:
            gap = row.difference
            between = ["baseline", ""] if gap is None else _cells(gap, "+.3f")
            told = [str(row.estimate.n), str(row.missing), _doubts(row.estimate.reason, gap.reason if gap else "")]
            body.append([row.arm, *_cells(row.estimate, ".3f"), *between, *told])
        return head, body

    def sample(self, n: int, *, seed: int = 0) -> pd.DataFrame:
        """Episodes for humans to rate: ``n`` of each arm at random, in random order, without a word on the arm.

        Returns
        -------
        pandas.DataFrame
            ``run``, ``t``, ``task``, ``asked`` (the task's text) and ``answer``; fill in a column ``human``, and
            give it to `corrected`. Who reads ``run`` could look the arm up: hide that column from the rater.

        Raises
        ------
        ValueError
            If no episode has a verdict.
        """
        kept = self.episodes[self.episodes.judged.notna()]
        if kept.empty:
            raise ValueError("no episode has a verdict: there is nothing to correct; see frame.why")
        parts = [own.sample(min(n, len(own)), random_state=seed) for _, own in kept.groupby("arm", sort=True)]
        import pandas as pd

        drawn = pd.concat(parts).sample(frac=1, random_state=seed)
        return drawn[["run", "t", "task", "asked", "answer"]].reset_index(drop=True)

    def corrected(self, human: Mapping[tuple[str, int], float] | pd.DataFrame) -> Corrected:
        """What humans would say of each arm on average, from ratings of some episodes: `toolkit.stats.predicted_mean`.

        Parameters
        ----------
        human
            Ratings by (run, t), or a frame with the columns ``run``, ``t`` and ``human``; of episodes drawn at random
            within each arm, as `sample` does. On any scale, which is then that of the result.

        Raises
        ------
        ValueError
            If an episode is not among those judged, is rated twice, or the frame lacks a column.
        """
        rated = self._with(human)
        base = rated[rated.arm == self.baseline]
        rows = tuple(self._row(rated[rated.arm == row.arm], base, row.arm) for row in self.rows)
        notes = (
            f"Corrected: the mean that humans would give, {100 * self.level:g} % intervals; the judge's mean on all "
            "episodes less its error where humans rated (Angelopoulos et al. 2023), lambda by least variance (PPI++).",
            "That holds only if the episodes rated by humans were drawn at random within each arm.",
            "Gain: as if so many times the episodes had been rated by humans.",
        )
        return Corrected(f"CORRECTED by human ratings: {self.title}", self.baseline, rows, notes)

    def agreement(self, human: Mapping[tuple[str, int], float] | pd.DataFrame, *, seed: int = 0) -> Agreement:
        """How far judge and humans agree where both rated: Krippendorff's alpha on an ordinal scale."""
        import numpy as np

        rated = self._with(human)
        return krippendorff_alpha(
            rated[["judged", "human"]].to_numpy(), "ordinal", rng=np.random.default_rng(seed), level=self.level
        )

    def _with(self, human: Mapping[tuple[str, int], float] | pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        if isinstance(human, Mapping):
            human = pd.DataFrame([(*place, value) for place, value in human.items()], columns=["run", "t", "human"])
        if gone := [name for name in ("run", "t", "human") if name not in human]:
            raise ValueError(
                f"human ratings need the columns run, t and human but lack {gone[0]!r}: start from sample()"
            )
        own = human[["run", "t", "human"]]
        if bool((twice := own.duplicated(["run", "t"])).any()):
            raise ValueError(
                f"episode {tuple(own[twice].iloc[0][['run', 't']])} is rated twice: give one rating, as the mean"
            )
        found = self.episodes.merge(own.astype({"human": float}), on=["run", "t"], how="outer", indicator=True)
        if bool((strange := found._merge == "right_only").any()):
            raise ValueError(f"no episode judged is {tuple(found[strange].iloc[0][['run', 't']])}: start from sample()")
        return found.drop(columns="_merge")

    def _row(self, own: pd.DataFrame, base: pd.DataFrame, arm: str) -> CorrectedRow:
        runs, unit = runs_of(own), unit_of(own)
        found = predicted_mean(own.judged, own.human, runs, own.unit, level=self.level, unit=unit)
        if arm == self.baseline:
            return CorrectedRow(arm, found, None)
        both = own.merge(base[[*_CELL, "judged", "human"]], on=_CELL, suffixes=("", "_base"))
        gap = predicted_difference(
            both.judged,
            both.human,
            both.judged_base,
            both.human_base,
            runs_of(both),
            both.unit,
            level=self.level,
            unit=unit,
        )
        return CorrectedRow(arm, found, gap)


@dataclass(frozen=True, repr=False)
class Preferred(Opinions[PreferredRow]):
    """Which of two answers to a task was preferred, each arm against the baseline. `frame` has every pair.

    Parameters
    ----------
    pairs
        A row for each pair of answers.
    anew
        Questions that were asked now; the others stood on the tape. Never part of a comparison of two records.
    """

    title: str
    baseline: str
    rows: tuple[PreferredRow, ...]
    notes: tuple[str, ...]
    pairs: pd.DataFrame = field(compare=False)
    anew: int = field(default=0, compare=False)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per pair: ``preferred`` (1 the arm, 0 tied, -1 the baseline, NaN none), ``first``, ``flipped``."""
        return self.pairs.copy()

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        against = f"against {self.baseline}"
        head = [
            against,
            "preference",
            "interval",
            "won",
            "tied",
            "lost",
            "flipped",
            "first favoured",
            "interval",
            "doubts",
        ]
        body = []
        for row in self.rows:
            counts = [str(n) for n in (row.won, row.tied, row.lost, row.flipped)]
            cells = [*_cells(row.estimate, "+.3f"), *counts, *_cells(row.first, "+.3f")]
            body.append([row.arm, *cells, _doubts(row.estimate.reason)])
        return head, body


def judged_rows(frame: pd.DataFrame, arms: Sequence[str], baseline: str, level: float) -> Iterator[JudgedRow]:
    """What `Judged` shows of ratings, arm by arm."""
    base = frame[frame.arm == baseline]
    for arm in arms:
        own = frame[frame.arm == arm]
        gap = None
        if arm != baseline:
            both = own.merge(base[[*_CELL, "judged"]], on=_CELL, suffixes=("", "_base"))
            gap = crossed(both, both.judged - both.judged_base, level)
        yield JudgedRow(arm, crossed(own, own.judged, level), gap, int(own.judged.isna().sum()))


def preferred_rows(pairs: pd.DataFrame, level: float) -> Iterator[PreferredRow]:
    """What `Preferred` shows of pairs, arm by arm."""
    for arm, own in pairs.groupby("arm", sort=False):
        won, tied, lost = (int((own.preferred == value).sum()) for value in (1, 0, -1))
        ahead, first = (crossed(own, values, level) for values in (own.preferred, own["first"]))
        yield PreferredRow(str(arm), ahead, first, won, tied, lost, int(own.flipped.sum()))


def _corrected(row: CorrectedRow) -> dict[str, object]:
    one, gap = row.found, row.difference
    told = {"arm": row.arm, "corrected": one.estimate.value, "low": one.estimate.low, "high": one.estimate.high}
    told |= {"weight": one.weights[0], "humans": one.rated[0], "n": one.n, "gain": one.gain}
    numbers = (math.nan,) * 4 if gap is None else _four(gap.estimate)
    names = ("difference", "difference_low", "difference_high", "p_value")
    reasons = (one.estimate.reason, gap.estimate.reason if gap else "")
    return told | dict(zip(names, numbers, strict=True)) | {"reason": _doubts(*reasons)}


def _four(one: Estimate) -> tuple[float, float, float, float]:
    return one.value, one.low, one.high, one.p_value


def _cells(one: Estimate, form: str) -> list[str]:
    bounds = "n/a" if math.isnan(one.low) else f"[{one.low:{form}}, {one.high:{form}}]"
    return [_number(one.value, form), bounds]


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)


def _doubts(own: str, between: str = "") -> str:
    return "; ".join([one for one in (own, f"difference: {between}" if between and between != own else "") if one])
