"""What became of the hypotheses that a study set down: one test each, Holm over those set down before the first run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from toolkit.analysis.contrast import Gap
from toolkit.component import digest
from toolkit.stats import Estimate, holm
from toolkit.stats.equivalence import one_sided

Verdict = Literal["supported", "not supported", "equivalent within the margin", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """A hypothesis and its verdict. Prints as a sentence.

    Parameters
    ----------
    arm, against, direction, margin, metric
        As set down; see `toolkit.Hypothesis`. ``margin`` is 0 where there is none.
    registered
        ``"primary"`` or ``"late"``.
    at
        When, in UTC.
    estimate
        The difference with its two-sided interval.
    p_value
        Of the test that the hypothesis asks for: one-sided, two-sided, or the larger of two one-sided ones.
    adjusted_p
        By Holm over all primary hypotheses; NaN for a late one.
    verdict
        ``"supported"`` and ``"equivalent within the margin"`` are claims at the comparison's level, over the whole
        family; ``"not supported"``: the interval excludes what was claimed; ``"inconclusive"``: neither.
    """

    arm: str
    against: str
    direction: str
    margin: float
    metric: str
    registered: str
    at: str
    estimate: Estimate
    p_value: float
    adjusted_p: float = math.nan
    verdict: Verdict = "inconclusive"

    @property
    def claim(self) -> str:
        """The hypothesis in words."""
        on = f" on {self.metric}" if self.metric else ""
        words = {
            ("greater", False): f"{self.arm} is above {self.against}",
            ("less", False): f"{self.arm} is below {self.against}",
            ("different", False): f"{self.arm} differs from {self.against}",
            ("greater", True): f"{self.arm} is not below {self.against} by {self.margin:g} or more",
            ("less", True): f"{self.arm} is not above {self.against} by {self.margin:g} or more",
            ("different", True): f"{self.arm} and {self.against} differ by less than {self.margin:g}",
        }
        return words[self.direction, self.margin > 0] + on

    def __str__(self) -> str:
        one = self.estimate
        told = f"{_form(one.value, '+.3f')} [{_form(one.low, '+.3f')}, {_form(one.high, '+.3f')}]"
        p_value = f"p {_form(self.p_value, '.3g')}"
        if self.registered == "primary":
            p_value += f", {_form(self.adjusted_p, '.3g')} by Holm"
        late = ", registered after the first run: exploratory" if self.registered == "late" else ""
        why = f"; {one.reason}" if math.isnan(self.p_value) and one.reason else ""
        return f"{self.claim}: {self.verdict} ({told}, {p_value}{why}{late})"


def family(planned: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each hypothesis of a plan, whether it is primary or late, and when it was set down.

    Primary are those of the last registration before any run began; what was added afterwards is late, and what was
    taken away afterwards stays.
    """
    made = planned.get("hypotheses", [])
    in_time = [one for one in made if not one["begun"]]
    primary = in_time[-1]["hypotheses"] if in_time else []
    yield from ((row, "primary", in_time[-1]["at"]) for row in primary)
    seen = list(primary)
    for one in made:
        for row in one["hypotheses"] if one["begun"] else ():
            if row not in seen:
                seen.append(row)
                yield row, "late", one["at"]


def edited(planned: Mapping[str, Any]) -> list[str]:
    """When registrations were made that are not what they were then."""
    return [one["at"] for one in planned.get("hypotheses", []) if one["sha256"] != seal(one)]


def seal(registration: Mapping[str, Any]) -> str:
    """The hash of a registration: its time, the runs that had begun, its hypotheses."""
    return digest([registration[key] for key in ("at", "begun", "hypotheses")])


def tried(row: Mapping[str, Any], registered: str, at: str, gap: Gap, level: float) -> Finding:
    """A hypothesis with its p value; see `judged` for verdicts."""
    margin = float(row.get("margin", 0.0))
    estimate = gap.estimate(level)
    below, above = one_sided(estimate, margin, "less"), one_sided(estimate, -margin, "greater")
    p_values = {"greater": above, "less": below, "different": max(below, above) if margin else estimate.p_value}
    arm, against, direction = (str(row[key]) for key in ("arm", "against", "direction"))
    metric = str(row.get("metric", ""))
    return Finding(arm, against, direction, margin, metric, registered, at, estimate, p_values[direction])


def judged(found: Sequence[Finding], level: float) -> tuple[Finding, ...]:
    """Verdicts: the primary ones after Holm, the late ones each by itself."""
    primary = [one for one in found if one.registered == "primary"]
    adjusted = iter(holm([one.p_value for one in primary]).tolist())
    done = [replace(one, adjusted_p=next(adjusted)) if one.registered == "primary" else one for one in found]
    return tuple(replace(one, verdict=_verdict(one, 1 - level)) for one in done)


def _verdict(one: Finding, alpha: float) -> Verdict:
    p_value = one.adjusted_p if one.registered == "primary" else one.p_value
    if p_value < alpha:
        return "equivalent within the margin" if one.direction == "different" and one.margin else "supported"
    low, high = one.estimate.low, one.estimate.high
    against = {
        "greater": high < -one.margin,
        "less": low > one.margin,
        "different": bool(one.margin) and (low > one.margin or high < -one.margin),
    }
    return "not supported" if against[one.direction] else "inconclusive"


def _form(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
