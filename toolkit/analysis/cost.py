"""What each arm gains for what it costs: per token, dollar and label; the Pareto front; when it has paid for itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.cost_table import Payoff, PayoffRow, with_bounds
from toolkit.analysis.recorded import PAIRING, RUN, found, plan, runs_of, unit_of
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import BreakEven, CurveBand, Estimate, break_even, cumulative_band, front, ratio, two_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_COSTS = ("tokens", "dollars", "labels")
_NO_PRICE = "every call cost 0 dollars: a model without a price; give it dollars_in and dollars_out"


def payoff(
    study: Study | str,
    *,
    value: float | None = None,
    baseline: str = "",
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Payoff:
    """What each arm of a study gains over its baseline for each extra 1,000 tokens, dollar and label; whether it pays.

    Equal cost is not equal information: an arm may win because it was told more right answers, so labels stand beside
    tokens and dollars.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    value
        What one right answer is worth, in dollars, above 0: then each row says from which task on the arm has paid.
    baseline, metric, stream, level, ledger
        As in `toolkit.compare`.

    Returns
    -------
    Payoff
        Prints as a table; ``frame`` has every number.

    Raises
    ------
    LedgerError
        If there is no such study, or the baseline has recorded nothing yet.
    ValueError
        If ``value`` is not above 0.

    References
    ----------
    .. [1] Fieller (1954), Some problems in interval estimation, J. R. Stat. Soc. B 16(2).
    .. [2] Stinnett & Mullahy (1998), Net health benefits, Med. Decis. Making 18(2) suppl.
    """
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise ValueError(f"value must be above 0 dollars, not {value}; say what one right answer is worth")
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    baseline = baseline or str(planned["baseline"])
    frame, told = scores(ledger, name, planned, metric)
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    if baseline not in arms:
        raise LedgerError(f"the baseline {baseline!r} has no episodes; {nearest(baseline, arms)}")
    priced = _spread(frame, _before(ledger, name, [run["id"] for run in planned["runs"]]))
    knowing = [arm for arm in arms if "decider = GroundTruth()" in planned["arms"][arm]["repr"]]
    made = _Paired(priced, baseline, level, value)
    apart = [f"Not on any front: {', '.join(knowing)}, told the right answers."] if knowing else []
    return Payoff(name, baseline, made.rows(arms, knowing), level, value, (*apart, *told))


def _before(ledger: Ledger, study: str, ids: list[str]) -> dict[str, int]:
    """Labels that each run was given before its first task."""
    runs = ledger.sql("SELECT run, labels_before FROM runs WHERE list_contains($1, run) AND study = $2", ids, study)
    return {run: int(labels) for run, labels in zip(runs.run, runs.labels_before, strict=True)}


def _spread(frame: pd.DataFrame, before: dict[str, int]) -> pd.DataFrame:
    """Episodes with the labels given beforehand spread evenly over those of their run, so that sums are kept."""
    size = frame.groupby("run").t.transform("size")
    return frame.assign(labels=frame.labels + frame.run.map(before).fillna(0) / size)


@dataclass(frozen=True)
class _Paired:
    frame: pd.DataFrame
    baseline: str
    level: float
    value: float | None

    def rows(self, arms: list[str], knowing: list[str]) -> tuple[PayoffRow, ...]:
        """A row an arm; those that know the right answers are no rivals for a front."""
        means = {arm: self._means(arm) for arm in arms}
        score = [math.nan if arm in knowing else means[arm][0] for arm in arms]
        tokens, dollars = ([means[arm][place] for arm in arms] for place in (1, 2))
        if self._unpriced(self.frame) == _NO_PRICE:
            dollars = [math.nan] * len(arms)
        best = zip(front(score, tokens).tolist(), front(score, dollars).tolist(), strict=True)
        return tuple(self._row(arm, means[arm], *on) for arm, on in zip(arms, best, strict=True))

    def _means(self, arm: str) -> tuple[float, float, float, float]:
        own = self.frame[self.frame.arm == arm]
        labels = float(own.labels.sum() / own.run.nunique())
        return float(own.score.mean()), float(own.tokens.mean()), float(own.dollars.mean(skipna=False)), labels

    def _row(self, arm: str, means: tuple[float, float, float, float], tokens: bool, dollars: bool) -> PayoffRow:
        if arm == self.baseline:
            return PayoffRow(arm, *means, tokens, dollars)
        frame = self.frame
        both = frame[frame.arm == arm].merge(frame[frame.arm == self.baseline], on=PAIRING, suffixes=("", "_base"))
        both = both.assign(gain=both.score - both.score_base, of_run=runs_of(both))
        both = both.assign(**{f"extra_{name}": both[name] - both[f"{name}_base"] for name in _COSTS})
        gain, unpriced = self._mean(both, "gain"), self._unpriced(both)
        even, net = self._even(both, unpriced)
        return PayoffRow(
            arm,
            *means,
            tokens,
            dollars,
            gain=gain,
            extra_tokens=self._mean(both, "extra_tokens"),
            extra_dollars=_unknown(gain, unpriced) if unpriced else self._mean(both, "extra_dollars"),
            per_1k_tokens=self._over(both, "tokens", "1,000 tokens", 1000),
            per_dollar=_unknown(gain, unpriced) if unpriced else self._over(both, "dollars", "dollar"),
            per_label=self._over(both, "labels", "label"),
            break_even=even,
            net=net,
        )

    def _unpriced(self, frame: pd.DataFrame) -> str:
        """Why there is no cost in dollars; empty if there is."""
        prices = [frame[name] for name in ("dollars", "dollars_base") if name in frame]
        missing = sum(int(price.isna().sum()) for price in prices)
        if missing:
            return f"the price of {missing} episodes is not known: give the model dollars_in and dollars_out"
        return "" if any((price != 0).any() for price in prices) else _NO_PRICE

    def _mean(self, both: pd.DataFrame, column: str) -> Estimate:
        return two_way(both[column], both.of_run, both.unit, level=self.level, unit=unit_of(both))

    def _over(self, both: pd.DataFrame, cost: str, each: str, units: int = 1) -> Estimate:
        """The gain for one unit more of a cost; NaN with a reason in words where the arm costs less."""
        spent = both[f"extra_{cost}"] / units
        of = cost if units == 1 else f"{cost} (in units of {units:,})"
        found = ratio(both.gain, spent, both.of_run, both.unit, level=self.level, unit=unit_of(both), of=of)
        if math.isnan(found.value) or spent[both.gain.notna()].mean() > 0:
            return found
        if found.low > 0:  # both fall, beyond chance: a price for saving
            return _unknown(found, f"it costs less, and loses {with_bounds(found)} for each {each} that it saves")
        return _unknown(found, "it costs less: there is no gain for more")

    def _even(self, both: pd.DataFrame, unpriced: str) -> tuple[BreakEven | None, CurveBand | None]:
        """From which task on it has paid, and the course of what it has brought so far; a missing pair adds nothing."""
        if self.value is None:
            return None, None
        if unpriced or both.empty:
            nothing = math.nan
            why = unpriced or "no pairs: see which episodes failed"
            return BreakEven((), nothing, nothing, nothing, self.level, 0, 0, why), None
        gain, cost = (
            both.pivot(index=RUN, columns="t", values=name).to_numpy(dtype=float) for name in ("gain", "extra_dollars")
        )
        net = self.value * gain - cost
        later = np.logical_or.accumulate(~np.isnan(net[:, ::-1]), axis=1)[:, ::-1]  # a pair is still to come
        course = cumulative_band(np.where(later, np.nan_to_num(net), math.nan), level=self.level)
        return break_even(gain, cost, self.value, level=self.level), course


def _unknown(like: Estimate, reason: str) -> Estimate:
    nothing = math.nan
    return replace(like, value=nothing, low=nothing, high=nothing, p_value=nothing, df=nothing, reason=reason)
