"""A field for worked cases: tables of texts, each a row of text controls that is added and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from toolkit.hints import fits, spelt
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.fields import LABEL, PlainField

_USUAL = "inputs.text, answer"
_TOLD = "The columns of a case, with commas between; inputs.ticket is the text 'ticket' of the table 'inputs'."


class ExamplesField(Field):
    """Tables of texts, or of tables of texts: one control a column and case; what is not of that form, as JSON.

    Attributes
    ----------
    columns
        Their names, with commas between; what was typed into a column that is taken away comes back with it.
    cases
        By case the controls of its columns.
    as_json
        Whether the cases are shown as one JSON text.

    Examples
    --------
    >>> field = ExamplesField("examples")
    >>> field.set([{"inputs": {"ticket": "Torn!"}, "answer": "repair"}])
    >>> field.add()
    >>> field.cases[1]["inputs.ticket"].value, field.cases[1]["answer"].value = "It is late.", "post"
    >>> field.get()[1]
    {'inputs': {'ticket': 'It is late.'}, 'answer': 'post'}
    """

    def __init__(self, name: str, help_text: str = "", hint: Any = Sequence[Mapping[str, object]]) -> None:
        self._hint = hint
        self._texts: list[dict[str, str]] = []
        self.cases: list[dict[str, ipywidgets.Textarea]] = []
        self.columns = ipywidgets.Text(
            _USUAL, description=name, style=LABEL, continuous_update=False, tooltip=f"{help_text} {_TOLD}".strip()
        )
        self.columns.layout = ipywidgets.Layout(width="34em", max_width="98%")
        self.as_json = ipywidgets.Checkbox(description=f"{name} as JSON", style=LABEL, indent=True)
        self.add_button = ipywidgets.Button(description="Add case", layout={"margin": "2px 0 4px 10.1em"})
        self._json = PlainField(f"{name}: JSON", hint=hint)
        self._place = ipywidgets.VBox()
        super().__init__([self.columns, self._place, self.add_button, self._json, self.as_json], f"{help_text} {_TOLD}")
        self.columns.observe(self._rebuilt, "value")
        self.as_json.observe(self._switch, "value")
        self.add_button.on_click(lambda _: self.add())
        self._json.on_change(self.changed)
        self._show()

    def get(self) -> tuple[Mapping[str, object], ...]:
        """The cases."""
        if self.as_json.value:
            return tuple(self._json.get())
        names = _names(self.columns.value)
        found = tuple(_table({name: texts.get(name, "") for name in names}) for texts in self._texts)
        if not fits(found, self._hint):
            raise ValueError(f"must be {spelt(self._hint)}, which has no table within a case: take the dots away")
        return found

    def set(self, value: Sequence[Mapping[str, object]]) -> None:
        """Show cases."""
        self._quiet = True
        try:
            shown = self._take(value)
            self.as_json.value = not shown
            if not shown:
                self._json.set(value)
        finally:
            self._quiet = False
        self._show()
        self.changed()

    def add(self) -> None:
        """Add a case without texts."""
        self._texts.append({})
        self._rebuilt(None)

    def remove(self, place: int) -> None:
        """Take a case away; the first is 0."""
        del self._texts[place]
        self._rebuilt(None)

    def contents(self) -> Any:
        """The columns, what stands in each case, and the JSON while it is that."""
        rows = [{name: one.value for name, one in case.items()} for case in self.cases]
        held: dict[str, Any] = {"columns": self.columns.value, "rows": rows, "json": None}
        return {**held, "json": self._json.contents()} if self.as_json.value else held

    def _refill(self, contents: Any) -> None:
        self._texts = [{str(name): text for name, text in row.items()} for row in contents["rows"]]
        self.columns.value = contents["columns"]
        if contents["json"] is not None:
            self._json.refill(contents["json"])
        self.as_json.value = contents["json"] is not None
        self._show()

    def _take(self, value: Sequence[Mapping[str, object]]) -> bool:
        """Whether the cases are tables of texts with the same columns; if so, they are now those of the rows."""
        try:
            flat = [_flat(one) for one in value]
            names = list(flat[0]) if flat else _names(self.columns.value)
            text = ", ".join(names)
            back = [_table(dict(zip(_names(text), one.values(), strict=True))) for one in flat]
        except (AttributeError, TypeError, ValueError):  # not of that form: JSON can show it
            return False
        if any(list(one) != names for one in flat) or self._json.spell(back) != self._json.spell(list(value)):
            return False
        self._texts, self.columns.value = flat, text
        return True

    def _switch(self, _: object) -> None:
        if not self._quiet and self.as_json.value:
            self._to_json()
        elif not self._quiet:
            self._to_rows()
        self._show()
        self.changed()

    def _to_json(self) -> None:
        self._quiet = True
        try:
            names = _names(self.columns.value)
            self._json.set([_table({name: texts.get(name, "") for name in names}) for texts in self._texts])
        except ValueError:
            pass  # the columns are no names: what was typed as JSON before stands there still
        finally:
            self._quiet = False

    def _to_rows(self) -> None:
        """Back to rows, where the JSON can be shown so; else it stays, and says why."""
        try:
            shown = self._take(self._json.get())
        except ValueError as error:
            shown, told = False, str(error)
        else:
            told = "rows need the same columns in every case, and texts in them"
        if not shown:
            self._quiet, self.as_json.value = True, True
            self._quiet = False
            self._json.mark(told)

    def _rebuilt(self, _: object) -> None:
        if not self._quiet:
            self._show()
            self.changed()

    def _show(self) -> None:
        """The controls of the columns and cases that there are."""
        try:
            names = _names(self.columns.value)
        except ValueError:
            names = list(self.cases[0]) if self.cases else []  # marked by get(); the cases stay as they are
        self.cases = [{name: self._control(place, name) for name in names} for place in range(len(self._texts))]
        self._place.children = [self._row(place, case) for place, case in enumerate(self.cases)]
        rows = "none" if self.as_json.value else ""
        for widget in (self.columns, self._place, self.add_button):
            widget.layout.display = rows
        self._json.layout.display = "" if self.as_json.value else "none"

    def _row(self, place: int, case: Mapping[str, ipywidgets.Textarea]) -> ipywidgets.VBox:
        button = ipywidgets.Button(description=f"Remove case {place + 1}", layout={"margin": "0 0 0 10.1em"})
        button.on_click(lambda _: self.remove(place))
        return ipywidgets.VBox([ipywidgets.HTML(quiet(f"case {place + 1}")), *case.values(), button])

    def _control(self, place: int, name: str) -> ipywidgets.Textarea:
        text = self._texts[place].get(name, "")
        made = ipywidgets.Textarea(text, description=f"{place + 1}. {name}", style=LABEL, rows=1 + text.count("\n"))
        made.layout = ipywidgets.Layout(width="46em", max_width="98%")
        made.observe(lambda change: self._typed(place, name, change["new"]), "value")
        return made

    def _typed(self, place: int, name: str, text: str) -> None:
        self._texts[place][name] = text
        self.changed()


def _names(text: str) -> list[str]:
    """The columns that a line names."""
    found = [one.strip() for one in text.split(",")]
    tables = {one.partition(".")[0] for one in found if "." in one}
    if len(set(found)) < len(found) or not all(found):
        raise ValueError(f"columns must be names that differ, with commas between, but are {text!r}")
    if tables & set(found) or any(one.count(".") > 1 or not all(one.split(".")) for one in found):
        raise ValueError(f"a column is a text, or a text of a table, such as inputs.ticket; but they are {text!r}")
    return found


def _flat(table: Mapping[str, Any]) -> dict[str, str]:
    found = dict[str, str]()
    for name, one in table.items():
        within = {f"{name}.{key}": text for key, text in one.items()} if isinstance(one, Mapping) else {name: one}
        found |= within
    if not all(isinstance(text, str) for text in found.values()):
        raise TypeError("a column holds a text")
    return found


def _table(texts: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in texts.items():
        table, _, key = name.partition(".")
        if key:
            found.setdefault(table, {})[key] = text
        else:
            found[name] = text
    return found
