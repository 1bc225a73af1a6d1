"""Which field a parameter's type asks for, and the fields that hold others: one of several types, or nothing."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import ipywidgets

from toolkit.component import Component, Prose
from toolkit.hints import fits, fixed_length, spelt
from toolkit.widgets.component_fields import ComponentsField, MixedField
from toolkit.widgets.examples_field import ExamplesField
from toolkit.widgets.field import Field
from toolkit.widgets.fields import (
    LABEL,
    ChoiceField,
    ListField,
    NothingField,
    NumberField,
    NumbersField,
    PlainField,
    SwitchField,
    TextField,
)

_SEVERAL = (tuple, list, Sequence)
_TABLES = (dict, Mapping)
_NAMES = {str: "one text", int: "a whole number", float: "a number", bool: "yes or no", type(None): "none"}


class UnionField(Field):
    """A value of one of several types: which one is chosen, then the value, in a field of that type.

    The field of a type is made when it is first chosen: a component may be of a type that names itself.

    Parameters
    ----------
    hints
        The types.
    """

    def __init__(self, name: str, hints: Sequence[Any], help_text: str = "") -> None:
        self._hints: dict[str, Any] = {}
        for hint in hints:
            short = named(hint)
            self._hints[short if short not in self._hints else f"{short}: {spelt(hint)}"] = hint
        self._fields: dict[str, Field] = {}
        self.control = ipywidgets.Dropdown(options=list(self._hints), description=name, style=LABEL, tooltip=help_text)
        self._place = ipywidgets.VBox()
        super().__init__([self.control, self._place], help_text)
        self._show()
        self.control.observe(self._switch, "value")

    @property
    def chosen(self) -> Field:
        """The field of the type now chosen."""
        name = self.control.value
        if name not in self._fields:
            self._fields[name] = field_for(name, self._hints[name])
            self._fields[name].on_change(self.changed)
        return self._fields[name]

    @property
    def marks_itself(self) -> bool:  # type: ignore[override]  # it depends on what is chosen
        """Whether a form is chosen, which marks its own fields."""
        return self.chosen.marks_itself

    def get(self) -> Any:
        """The value of the chosen type."""
        return self.chosen.get()

    def set(self, value: Any) -> None:
        """Choose the first type that the value is of; one that is of none is shown where it will be marked."""
        of = [name for name, hint in self._hints.items() if fits(value, hint)]
        shown = [name for name, hint in self._hints.items() if hint is not type(None)]
        self.control.value = (of or shown)[0]
        self.chosen.set(value)

    def contents(self) -> Any:
        """Which type is chosen, and what stands in its field."""
        return {"type": self.control.value, "value": self.chosen.contents()}

    def _refill(self, contents: Any) -> None:
        self.control.value = contents["type"]
        self.chosen.refill(contents["value"])

    def _show(self) -> None:
        self._place.children = [self.chosen]

    def _switch(self, _: object) -> None:
        self._show()
        self.changed()


class OptionalField(Field):
    """A component that there need not be: a switch, and below it the component's form while it is on.

    Attributes
    ----------
    form
        The component's form; None until the switch is first on.
    """

    marks_itself = True

    def __init__(self, name: str, hint: type[Component], help_text: str = "") -> None:
        self.control = ipywidgets.Checkbox(description=name, style=LABEL, indent=True, tooltip=help_text)
        self.form: Field | None = None
        self._hint = hint
        self._place = ipywidgets.VBox()
        super().__init__([self.control], help_text)
        self.children: tuple[ipywidgets.Widget, ...] = (*self.children, self._place)
        self.control.observe(self._switch, "value")

    def get(self) -> Any:
        """The component, or None."""
        return self._made().get() if self.control.value else None

    def set(self, value: Component | None) -> None:
        """Show a component, or that there is none."""
        if value is not None:
            self._made().set(value)
        self.control.value = value is not None

    def contents(self) -> Any:
        """Whether it is on, and what stands in the form, also while it is off."""
        return {"on": self.control.value, "form": None if self.form is None else self.form.contents()}

    def _refill(self, contents: Any) -> None:
        if contents["form"] is not None:
            self._made().refill(contents["form"])
        self.control.value = contents["on"]

    def _made(self) -> Field:
        if self.form is None:
            self.form = field_for(f"which {self._hint.kind}", self._hint)
            self.form.on_change(self.changed)
        return self.form

    def _switch(self, _: object) -> None:
        self._place.children = [self._made()] if self.control.value else []
        self.changed()


def field_for(name: str, hint: Any, help_text: str = "") -> Field:
    """The field that fits a parameter's type; a component's is a form.

    Examples
    --------
    >>> type(field_for("k", int)).__name__, type(field_for("inputs", str | tuple[str, ...])).__name__
    ('NumberField', 'UnionField')
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Prose:
        return TextField(name, help_text, rows=3)
    if origin is Annotated or isinstance(hint, typing.NewType):
        return field_for(name, inner[0] if inner else hint.__supertype__, help_text)
    if origin is typing.Literal:
        return ChoiceField(name, inner, help_text)
    if origin in (typing.Union, types.UnionType):
        return _one_of(name, inner, help_text)
    if origin in _SEVERAL and inner:
        return _several(name, hint, help_text)
    if isinstance(hint, type) and issubclass(hint, Component):
        from toolkit.widgets.form import ComponentForm  # a form holds fields, and a field may hold a form

        return ComponentForm(hint.kind, name=name, nested=True, family=hint, help_text=help_text)
    return _single(name, hint, help_text)


def _single(name: str, hint: Any, help_text: str) -> Field:
    if hint in (int, float):
        return NumberField(name, hint, help_text)
    if hint is bool:
        return SwitchField(name, help_text)
    if hint is str:
        return TextField(name, help_text)
    if hint is type(None):
        return NothingField()
    return PlainField(name, help_text, object if hint is Any else hint)


def _one_of(name: str, hints: Sequence[Any], help_text: str) -> Field:
    if all(one is type(None) or typing.get_origin(one) is typing.Literal for one in hints):
        known = [value for one in hints for value in typing.get_args(one) if value is not None]
        return ChoiceField(name, [None, *known], help_text)
    given = [one for one in hints if one is not type(None)]
    if len(given) == 1 and len(hints) == 2 and isinstance(given[0], type) and issubclass(given[0], Component):
        return OptionalField(name, given[0], help_text)
    return UnionField(name, hints, help_text)


def _several(name: str, hint: Any, help_text: str) -> Field:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    fixed = fixed_length(origin, inner)
    held = {one for one in inner if one is not Ellipsis}
    if len(held) == 1 and held <= {int, float}:
        return NumbersField(name, inner[0], help_text, len(inner) if fixed else None)
    if fixed:
        return PlainField(name, help_text, hint)
    among = typing.get_args(inner[0])
    if inner[0] is str:
        return ListField(name, help_text)
    if isinstance(inner[0], type) and issubclass(inner[0], Component):
        return ComponentsField(name, inner[0].kind, help_text)
    families = [one for one in among if isinstance(one, type) and issubclass(one, Component)]
    if str in among and len(families) == 1 and len(among) == 2:
        return MixedField(name, families[0].kind, help_text)
    if typing.get_origin(inner[0]) in _TABLES and among in ((str, str), (str, object), (str, Any)):
        return ExamplesField(name, help_text, hint)
    return PlainField(name, help_text, hint)


def named(hint: Any) -> str:
    """A type in words, as the choice among several offers it.

    Examples
    --------
    >>> named(tuple[str, ...]), named(int), named(Mapping[str, float])
    ('several texts', 'a whole number', 'a table')
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return named(inner[0])
    if hint in _NAMES:
        return _NAMES[hint]
    if isinstance(hint, type) and issubclass(hint, Component):
        return f"a {hint.kind}"
    if origin in _TABLES or hint in _TABLES:
        return "a table"
    if origin in _SEVERAL and inner:
        return {str: "several texts", int: "several numbers", float: "several numbers"}.get(inner[0], "several")
    return spelt(hint)
