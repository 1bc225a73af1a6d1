"""Rows: what a study has several of, each on a line of its own that can be removed; and arms that rows are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets

from toolkit.errors import SpecError
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.fields import NumberField
from toolkit.widgets.form import Form

Named = Sequence[tuple[object, str]]
"""The arms now in a form: what stays the same of each while it is renamed, and its name."""

_LABEL_WIDTH = "5.4em"


class LimitField(NumberField):
    """A number, or none: an empty line.

    Examples
    --------
    >>> field = LimitField("tokens", int)
    >>> field.get() is None
    True
    >>> field.control.value = "1000"
    >>> field.get()
    1000
    """

    def __init__(self, name: str, kind: type[int] | type[float], help_text: str = "", none: str = "no limit") -> None:
        super().__init__(name, kind, help_text)
        self.control.placeholder = none

    def spell(self, value: Any) -> str:
        """Nothing for none."""
        return "" if value is None else super().spell(value)

    def read(self, text: str) -> Any:
        """None for nothing."""
        return super().read(text) if text.strip() else None


class ArmChoice(Field):
    """One of the arms now in the form, or a name that none of them has; an arm stays chosen while it is renamed.

    Parameters
    ----------
    name
        The label.
    usual
        What is meant where no arm is chosen, in words; empty = one must be chosen.
    """

    def __init__(self, name: str, help_text: str = "", usual: str = "") -> None:
        self._usual, self._named, self._showing = usual, tuple[tuple[object, str], ...](), False
        self._chosen: object = ""  # the arm itself, or the name of one that is not there
        self.control = ipywidgets.Dropdown(description=name, style={"description_width": "9.5em"}, tooltip=help_text)
        super().__init__([self.control], help_text)
        self.control.observe(self._pick, "index")
        self._show()

    def offer(self, named: Named) -> None:
        """Take these arms for those that there are; what is chosen stays chosen."""
        gone = {id(arm): name for arm, name in self._named}
        self._named = tuple(named)
        if not isinstance(self._chosen, str) and not any(arm is self._chosen for arm, _ in self._named):
            self._chosen = gone.get(id(self._chosen), "")
        self._show()

    def set(self, value: str) -> None:
        """Choose the arm of that name; a name that no arm has stays as it is, to be marked."""
        self._chosen = next((arm for arm, name in self._named if value and name == value), value)
        self._show()
        self.changed()

    def get(self) -> str:
        """The arm's name as it is now; empty for the usual."""
        found = self._name()
        if not found and not self._usual:
            raise ValueError("must be an arm: choose one")
        return found

    def contents(self) -> Any:
        """The name that is chosen."""
        return self._name()

    def _refill(self, contents: Any) -> None:
        self.set(str(contents))

    def _name(self) -> str:
        told = (name for arm, name in self._named if arm is self._chosen)
        return self._chosen if isinstance(self._chosen, str) else next(told, "")

    def _show(self) -> None:
        """Options and choice as they are now, without taking that for a choice of the user's."""
        names = [name for _, name in self._named]
        options = [(self._usual or "(choose an arm)", ""), *((name or "(no name)", name) for name in names)]
        place = next((at for at, (arm, _) in enumerate(self._named, start=1) if arm is self._chosen), 0)
        if isinstance(self._chosen, str) and self._chosen:
            place = names.index(self._chosen) + 1 if self._chosen in names else len(options)
            options += [(f"{self._chosen} (no such arm)", self._chosen)] if place == len(options) else []
        self._showing = True
        try:
            if self.control.options != tuple(options):
                self.control.options = options
            if self.control.index != place:
                self.control.index = place
        finally:
            self._showing = False

    def _pick(self, _: object) -> None:
        if self._showing:
            return
        place = self.control.index or 0
        if place <= len(self._named):
            self._chosen = self._named[place - 1][0] if place else ""
        self.changed()


class Row(Form):
    """One line of several fields, with a button that removes it.

    Parameters
    ----------
    name
        What one of them is called.
    fields
        By name; the values of `get` and `set` have the same names.
    """

    def __init__(self, name: str, fields: Mapping[str, Field]) -> None:
        self.fields = dict(fields)
        self.remove = ipywidgets.Button(layout={"width": "auto"})
        for field in self.fields.values():
            beside(field)
        line = ipywidgets.HBox([*self.fields.values(), self.remove], layout={"flex_flow": "row wrap"})
        super().__init__(name, [line], nested=True)
        for field in self.fields.values():
            field.on_change(self.changed)

    def set(self, value: Any) -> None:
        """Show a value."""
        for name, one in self.apart(value).items():
            self.fields[name].set(one)

    def get(self) -> Any:
        """The value; a mistake is marked at its field."""
        return self.made(self.gather(self.fields))

    def apart(self, value: Any) -> dict[str, Any]:
        """A value as what its fields show."""
        return {name: getattr(value, name) for name in self.fields}

    def made(self, values: dict[str, Any]) -> Any:
        """The value of what the fields say."""
        return values

    def offer(self, named: Named) -> None:
        """Offer the arms that there are."""
        for field in self.fields.values():
            if isinstance(field, ArmChoice):
                field.offer(named)


class Rows(Form):
    """Rows of a kind below each other; each can be removed, others added.

    Parameters
    ----------
    name
        What one of them is called.
    make
        A new row.
    told
        What they are for.
    add
        What the button for another says.
    """

    def __init__(self, name: str, make: Callable[[], Row], told: str, add: str) -> None:
        self._make, self._named = make, tuple[tuple[object, str], ...]()
        self.rows: list[Row] = []
        self.place = ipywidgets.VBox()
        self.more = ipywidgets.Button(description=add, layout={"width": "auto"})
        self.more.on_click(lambda _: self.add())
        super().__init__(name, [ipywidgets.HTML(quiet(told)), self.place, self.more], nested=True)

    def set(self, value: Iterable[Any]) -> None:
        """Show values, a row each."""
        self._put([self._row(one) for one in value])

    def get(self) -> tuple[Any, ...]:
        """The values, in order."""
        found, mistakes = list[Any](), list[str]()
        self.mark("")
        for number, row in enumerate(self.rows, start=1):
            try:
                found.append(row.get())
            except SpecError as error:
                mistakes += [f"{self.name} {number}: {mistake}" for mistake in error.mistakes]
        self.settle(mistakes)
        return tuple(found)

    def contents(self) -> Any:
        """What stands in each row."""
        return [row.contents() for row in self.rows]

    def _refill(self, contents: Any) -> None:
        rows = [self._row(None) for _ in contents]
        for row, standing in zip(rows, contents, strict=True):
            row.refill(standing)
        self._put(rows)

    def add(self) -> Row:
        """Another row, at the end."""
        row = self._row(None)
        self._put([*self.rows, row])
        return row

    def drop(self, row: Row) -> None:
        """Remove a row."""
        self._put([one for one in self.rows if one is not row])

    def offer(self, named: Named) -> None:
        """Offer the arms that there are, in every row."""
        self._named = tuple(named)
        for row in self.rows:
            row.offer(named)

    def _row(self, value: Any) -> Row:
        row = self._make()
        row.offer(self._named)
        if value is not None:
            row.set(value)
        row.remove.on_click(lambda _: self.drop(row))
        row.on_change(self.changed)
        return row

    def _put(self, rows: list[Row]) -> None:
        self.rows = rows
        for number, row in enumerate(rows, start=1):
            row.remove.description = f"Remove {self.name} {number}"
        self.place.children = rows
        self.changed()


def beside(field: Field) -> None:
    """Make a field narrow enough to stand beside others."""
    control = getattr(field, "control", None)
    if control is not None:
        control.style.description_width = _LABEL_WIDTH
        control.layout.width = "14em"
