"""What a study sets out to show, and when that ends it early: its hypotheses and its conditions, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit.evaluation.hypotheses import DIRECTIONS, Hypothesis
from toolkit.evaluation.stopping import Condition
from toolkit.widgets.fields import ChoiceField
from toolkit.widgets.rows import ArmChoice, LimitField, Row, Rows

_CLAIMS = (
    "The primary contrasts, set down before the first run; all others are exploratory. What is claimed is of the arm's "
    "score, less the other's. With a margin, in the metric's unit: that the arm is not below (greater), or not above "
    "(less), the other by as much, or that they differ by less (different)."
)
_STOP = "The study ends early once one of these is shown; the error of looking is kept in check."


class HypothesisRow(Row):
    """One hypothesis."""

    def __init__(self) -> None:
        self.metric = ChoiceField("metric", [""])
        super().__init__(
            "hypothesis",
            {
                "arm": ArmChoice("arm"),
                "direction": ChoiceField("is", DIRECTIONS),
                "against": ArmChoice("against", usual="the baseline"),
                "margin": LimitField("margin", float, none="none"),
                "metric": self.metric,
            },
        )
        self.fields["direction"].set(Hypothesis("").direction)

    def made(self, values: dict[str, Any]) -> Hypothesis:
        """The hypothesis."""
        return Hypothesis(**values)


class HypothesesForm(Rows):
    """A form for hypotheses.

    Examples
    --------
    >>> form = HypothesesForm()
    >>> form.set([Hypothesis("memory", direction="greater")])
    >>> form.get()
    (Hypothesis(arm='memory', against='', direction='greater', margin=None, metric=''),)
    """

    def __init__(self) -> None:
        self._metrics: tuple[str, ...] = ()
        super().__init__("hypothesis", self._new, _CLAIMS, "Add hypothesis")

    def measure(self, metrics: Sequence[str]) -> None:
        """Offer these metrics in every row."""
        if tuple(metrics) != self._metrics:
            self._metrics = tuple(metrics)
            for row in self.rows:
                self._offer(row)

    def _new(self) -> Row:
        row = HypothesisRow()
        self._offer(row)
        return row

    def _offer(self, row: Row) -> None:
        if isinstance(row, HypothesisRow):
            row.metric.offer(["", *self._metrics])


class _ConditionRow(Row):
    """One condition: which arm is to be ahead of which."""

    def __init__(self) -> None:
        left, right = ArmChoice("arm"), ArmChoice("other arm")
        super().__init__("condition", {"left": left, "sign": ChoiceField("is", (">", "<")), "right": right})

    def apart(self, value: str) -> dict[str, Any]:
        """The arms and the sign between them."""
        told = Condition.of(value)
        names = [told.ahead, told.behind] if ">" in value else [told.behind, told.ahead]
        return {"left": names[0], "sign": ">" if ">" in value else "<", "right": names[1]}

    def made(self, values: dict[str, Any]) -> str:
        """The condition as a study has it."""
        return "{left}{sign}{right}".format(**values)


class ConditionsForm(Rows):
    """A form for the conditions that end a study early.

    Examples
    --------
    >>> form = ConditionsForm()
    >>> form.set(["static<memory"])
    >>> form.get()
    ('static<memory',)
    """

    def __init__(self) -> None:
        super().__init__("condition", _ConditionRow, _STOP, "Add condition")
