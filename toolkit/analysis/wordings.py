"""What a role's text is worth when its wording is one of many: paraphrases against placebos, crossed with runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.doubts import notes
from toolkit.analysis.recorded import OWN, RUN, crossed, found, plan, unit_of
from toolkit.analysis.shown import ByArm
from toolkit.errors import SpecError, nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, Spread, WordingContrast, wording_contrast

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_COLUMN = [*RUN, "task", "unit"]


@dataclass(frozen=True)
class WordingRow:
    """One wording: which arm has it, of which text it is (``role`` or ``placebo``), and what it scored."""

    arm: str
    text: str
    score: Estimate


@dataclass(frozen=True, repr=False)
class WordingEffect(ByArm[WordingRow]):
    """What a role's text is worth over its wordings. Prints as a table; `frame` has every number.

    Parameters
    ----------
    study
        Its name.
    rows
        The wordings of the role, then the placebos.
    contrast
        Mean over wordings of the role less mean over placebos.
    """

    left: ClassVar[int] = 2
    told_of: ClassVar[str] = "wording"

    study: str
    rows: tuple[WordingRow, ...]
    contrast: WordingContrast
    notes: tuple[str, ...]

    @property
    def estimate(self) -> Estimate:
        """The effect, with an interval over wordings, runs and tasks."""
        return self.contrast.estimate

    @property
    def spreads(self) -> dict[str, Spread]:
        """Standard deviation between wordings, of the role and of placebos."""
        return {"role": self.contrast.first, "placebo": self.contrast.second}

    @property
    def frame(self) -> pd.DataFrame:
        """One row per wording, and one for the effect: value, interval, n, runs, wordings, and why it is missing."""
        import pandas as pd

        told = [(row.arm, row.text, row.score, 1) for row in self.rows]
        effects = (("role - placebo", self.estimate), ("role - placebo, these wordings", self.contrast.fixed))
        return pd.DataFrame([_flat(*one) for one in [*told, *((name, "", one, len(told)) for name, one in effects)]])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["wording", "text", "score", "interval", "n", "doubts"]
        body = [[row.arm, row.text, *_cells(row.score, ".3f")] for row in self.rows]
        body += [[f"mean of {self._many(text)}", text, *_mean(self.rows, text)] for text in self.spreads]
        return head, [*body, ["role - placebo", "", *_cells(self.estimate, "+.3f")]]

    def _many(self, text: str) -> str:
        return str(sum(row.text == text for row in self.rows))


def wording_effect(
    study: Study | str,
    *,
    wordings: Sequence[str],
    placebos: Sequence[str],
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> WordingEffect:
    """What a role's text is worth over a placebo's, as far as several wordings of either can tell.

    One role against one placebo is n = 1 wording: its interval over runs and tasks speaks of these two texts alone.
    Here wordings are drawn too, nested in role and placebo and crossed with runs and tasks.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    wordings
        Arms that have the role, each in other words: the original and its paraphrases.
    placebos
        Arms that have a persona of equal length without relevant content, each in other words.
    metric, stream, level
        As in `toolkit.compare`.

    Returns
    -------
    WordingEffect
        With one wording of either the interval is NaN with a reason. Only tasks count that all arms have a score for.

    Raises
    ------
    LedgerError
        If there is no such study, stream or arm, or an arm has no episodes yet.
    SpecError
        If no wording or no placebo is named, or an arm is named twice.

    See Also
    --------
    toolkit.stats.wording_contrast : the formula and its sources.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    texts = {"role": list(wordings), "placebo": list(placebos)}
    arms = [arm for own in texts.values() for arm in own]
    _check(texts, arms, planned["arms"])
    frame, told = scores(ledger, name, planned, metric)
    if gone := [arm for arm in arms if arm not in set(frame.arm)]:
        raise LedgerError(f"no episode of arm {gone[0]!r} has been recorded in study {name!r}: run it first")
    table = frame.set_index([*_COLUMN, "arm"]).score.unstack("arm")[arms]
    runs = [f"{one} {order} {seed}" for one, order, seed, *_ in table.index]
    units = table.index.get_level_values("unit")
    unit = unit_of(frame)
    role, placebo = (table[own].to_numpy(dtype=float).T for own in texts.values())
    contrast = wording_contrast(role, placebo, runs, units, level=level, unit=unit, texts=("role", "placebo"))
    rows = tuple(
        WordingRow(arm, text, crossed(own, own.score, level))
        for text, arms in texts.items()
        for arm, own in ((arm, frame[frame.arm == arm]) for arm in arms)
    )
    recorded = ledger.sql(
        f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", [r["id"] for r in planned["runs"]], name
    )
    return WordingEffect(name, rows, contrast, (*_about(contrast, level), *told, *notes(planned, recorded, level)))


def _check(texts: dict[str, list[str]], arms: Sequence[str], known: Sequence[str]) -> None:
    for text, own in texts.items():
        if not own:
            raise SpecError([f"wording_effect needs arms with a {text} but {text} is {own!r}; name two or more"])
    if twice := [arm for arm in dict.fromkeys(arms) if arms.count(arm) > 1]:
        raise SpecError([f"arm {twice[0]!r} is named twice: a wording is of the role or a placebo, and counts once"])
    if strange := [arm for arm in arms if arm not in known]:
        raise LedgerError(f"the study has no arm {strange[0]!r}; {nearest(strange[0], list(known))}")


def _about(found: WordingContrast, level: float) -> Iterator[str]:
    whole, fixed = found.estimate, found.fixed
    yield (
        f"Role less placebo, {100 * level:g} % interval over wordings, runs and tasks, all drawn (Clark 1973; Judd, "
        "Westfall & Kenny 2012)."
    )
    if not math.isnan(fixed.low):
        yield (
            f"Of these wordings alone it would be {fixed.value:+.3f} [{fixed.low:+.3f}, {fixed.high:+.3f}]: that says "
            "nothing of other words."
        )
    sds = [(text, one) for text, one in (("role", found.first), ("placebo", found.second)) if not math.isnan(one.sd)]
    if sds:
        told = ", ".join(f"{text} {one.sd:.3f} [{one.low:.3f}, {one.high:.3f}]" for text, one in sds)
        yield f"Standard deviation between wordings, beyond chance: {told}."
    if whole.reason:
        yield f"Role less placebo: {whole.reason}."
    if found.left_out:
        yield f"{found.left_out} tasks of a run miss the score of some wording and are left out."


def _mean(rows: Sequence[WordingRow], text: str) -> list[str]:
    own = [row.score for row in rows if row.text == text]
    return [f"{sum(one.value for one in own) / len(own):.3f}", "", str(sum(one.n for one in own)), ""]


def _flat(name: str, text: str, one: Estimate, wordings: int) -> dict[str, object]:
    numbers = {"value": one.value, "low": one.low, "high": one.high, "p_value": one.p_value, "df": one.df}
    rest = {"n": one.n, "runs": one.runs, "wordings": wordings, "target": one.target, "reason": one.reason}
    return {"wording": name, "text": text, **numbers, **rest}


def _cells(one: Estimate, form: str) -> list[str]:
    value, low, high = ("n/a" if math.isnan(x) else format(x, form) for x in (one.value, one.low, one.high))
    return [value, "n/a" if math.isnan(one.low) else f"[{low}, {high}]", str(one.n), one.reason]
