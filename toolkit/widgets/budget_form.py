"""The form of a budget: what a study may spend, and what single arms may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from toolkit.errors import SpecError
from toolkit.evaluation.budget import LIMITS, Budget
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.form import Form
from toolkit.widgets.rows import ArmChoice, LimitField, Named, Row, Rows, beside

_TOLD = "What the whole study may spend; an empty line is no limit. Seconds: time on the clock; an hour has 3600."
_ARMS = "Limits of single arms, beside those of the study. Seconds: the model's latencies over all runs of the arm."


def _limits() -> dict[str, Field]:
    return {name: LimitField(name, int if name in ("calls", "tokens") else float) for name in LIMITS}


class _ArmLimits(Row):
    """What one arm may spend."""

    def __init__(self) -> None:
        super().__init__("limits of an arm", {"arm": ArmChoice("arm"), **_limits()})

    def apart(self, value: tuple[str, Budget]) -> dict[str, Any]:
        """The arm's name and its limits."""
        arm, budget = value
        return {"arm": arm, **{name: getattr(budget, name) for name in LIMITS}}

    def made(self, values: dict[str, Any]) -> tuple[str, Budget]:
        """The arm's name and its budget."""
        return values.pop("arm"), Budget(**values)


class BudgetForm(Form):
    """A form for a budget.

    Examples
    --------
    >>> form = BudgetForm()
    >>> form.limits["tokens"].control.value = "1000"
    >>> form.get()
    Budget(calls=None, tokens=1000, dollars=None, seconds=None, arms={})
    """

    def __init__(self) -> None:
        self.limits: Mapping[str, Field] = _limits()
        self.arms = Rows("limits of an arm", _ArmLimits, _ARMS, "Add limits of an arm")
        for field in self.limits.values():
            beside(field)
        line = ipywidgets.HBox(list(self.limits.values()), layout={"flex_flow": "row wrap"})
        super().__init__("budget", [ipywidgets.HTML(quiet(_TOLD)), line, self.arms], nested=True)
        for one in (*self.limits.values(), self.arms):
            one.on_change(self.changed)

    def set(self, value: Budget) -> None:
        """Show a budget."""
        for name, field in self.limits.items():
            field.set(getattr(value, name))
        self.arms.set(value.arms.items())

    def get(self) -> Budget:
        """The budget."""
        values = self.gather({**self.limits, "arms": self.arms}, "budget: ")
        rows = values.pop("arms")
        names = [arm for arm, _ in rows]
        for place, name in enumerate(names):
            if name in names[:place]:
                told = f"budget: two rows are of arm {name!r}: put its limits on one"
                self.arms.rows[place].mark(told)
                self.settle([told])
        return Budget(**values, arms=dict(rows))

    def offer(self, named: Named) -> None:
        """Offer the arms that there are."""
        self.arms.offer(named)

    def at(self, arm: str, limit: str = "") -> Field:
        """Where a limit stands: the study's where no arm is named; the row itself where no limit is.

        Raises
        ------
        SpecError
            If there is none.
        """
        if not arm:
            return self.limits.get(limit, self)
        for row in self.arms.rows:
            if row.fields["arm"].get() == arm:
                return row.fields.get(limit, row)
        raise SpecError([f"the budget has no row of arm {arm!r}"])

    def told(self) -> str:
        """In a few words: what is limited."""
        said = [f"{name} {field.control.value.strip()}" for name, field in self.limits.items() if _typed(field)]
        said += [f"{len(self.arms.rows)} of single arms"] if self.arms.rows else []
        return ", ".join(said) or "no limit"


def _typed(field: Field) -> bool:
    return isinstance(field, LimitField) and bool(field.control.value.strip())
