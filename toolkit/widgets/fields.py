"""Fields: one control for one type of parameter, which shows a value, reads it back exactly, and bears its mistake."""

from __future__ import annotations

import html
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import ipywidgets

from toolkit.component import Component, Prose, build, fits

_LABEL = {"description_width": "9.5em"}
_WIDTHS = {"wide": "46em", "line": "34em", "number": "20em"}
_INTEGER = re.compile(r"[+-]?\d+")


class Field(ipywidgets.VBox):
    """Base of all fields.

    Parameters
    ----------
    control
        The widget that holds the value, or several.
    help_text
        What the value means; shown when the pointer rests on the control, and below it where there is room.
    """

    def __init__(self, control: Sequence[ipywidgets.Widget], help_text: str = "") -> None:
        self._told: list[Callable[[], None]] = []
        self._quiet = False
        self._help = ipywidgets.HTML(_under_the_control(help_text)) if help_text else None
        self._wrong = ipywidgets.HTML()
        self._wrong.add_class("toolkit-mistake")
        below = [self._help] if self._help is not None else []
        super().__init__([*control, *below, self._wrong], layout=ipywidgets.Layout(margin="0 0 2px 0"))

    def get(self) -> Any:
        """The value.

        Raises
        ------
        ValueError
            If what stands in the control is none; says why.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what its value is: define get()")

    def set(self, value: Any) -> None:
        """Show a value."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a value is shown: define set()")

    def mark(self, mistake: str) -> None:
        """Show a mistake at this field; an empty text takes the mark away."""
        style = "color: var(--jp-error-color1, #b00020); margin-left: 9.9em"
        told = f'<span role="alert" style="{style}">✗ {html.escape(mistake)}</span>'
        self._wrong.value = told if mistake else ""

    @property
    def marked(self) -> str:
        """The mistake shown at this field; empty if there is none."""
        return html.unescape(re.sub(r"<[^>]+>", "", self._wrong.value)).removeprefix("✗ ")

    def on_change(self, told: Callable[[], None]) -> None:
        """Call ``told`` whenever the value may have changed."""
        self._told.append(told)

    def changed(self, _: object = None) -> None:
        """Tell everyone who asked to be told."""
        if not self._quiet:
            for told in self._told:
                told()


class _Line(Field):
    """A field on one plain text control."""

    def __init__(self, name: str, help_text: str = "", rows: int = 1) -> None:
        make = ipywidgets.Text if rows == 1 else ipywidgets.Textarea
        more = {} if rows == 1 else {"rows": rows}
        self.control = make(description=name, style=_LABEL, tooltip=help_text, **more)
        self.control.layout = _layout("line" if rows == 1 else "wide")
        super().__init__([self.control], help_text)
        self.control.observe(self.changed, "value")

    def set(self, value: Any) -> None:
        """Show a value as text."""
        self.control.value = self.spell(value)

    def get(self) -> Any:
        """The value that the text stands for."""
        return self.read(self.control.value)

    def spell(self, value: Any) -> str:
        """A value as it is typed."""
        return str(value)

    def read(self, text: str) -> Any:
        """The value that was typed."""
        return text


class TextField(_Line):
    """A text."""


class NumberField(_Line):
    """A number, read as strictly as it will be checked; nonsense stays where it was typed, and is marked."""

    def __init__(self, name: str, kind: type[int] | type[float], help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind
        self.control.layout = _layout("number")

    def spell(self, value: Any) -> str:
        """As Python writes it."""
        return repr(value)

    def read(self, text: str) -> int | float:
        """A whole number stays one, also where any number may stand."""
        wanted = "a whole number" if self._kind is int else "a number"
        if _INTEGER.fullmatch(text.strip()):
            return int(text)
        try:
            if self._kind is float:
                return float(text)
        except ValueError:
            pass  # said below, in one way for all
        raise ValueError(f"must be {wanted} but is {text!r}")


class SwitchField(Field):
    """True or false."""

    def __init__(self, name: str, help_text: str = "") -> None:
        self.control = ipywidgets.Checkbox(description=name, style=_LABEL, indent=True, tooltip=help_text)
        super().__init__([self.control], help_text)
        self.control.observe(self.changed, "value")

    def get(self) -> bool:
        """Whether it is ticked."""
        return bool(self.control.value)

    def set(self, value: bool) -> None:
        """Tick it or not."""
        self.control.value = value


class ChoiceField(Field):
    """One of several values that are known beforehand."""

    def __init__(self, name: str, choices: Iterable[Any], help_text: str = "") -> None:
        self.control = ipywidgets.Dropdown(
            options=[_option(one) for one in choices], description=name, style=_LABEL, tooltip=help_text
        )
        super().__init__([self.control], help_text)
        self.control.observe(self.changed, "value")

    def get(self) -> Any:
        """What is chosen."""
        return self.control.value

    def set(self, value: Any) -> None:
        """Choose a value; one that is not on offer is added, so that opening a file never changes what it said."""
        if value not in [one for _, one in self.control.options]:
            self.control.options = [*self.control.options, _option(value)]
        self.control.value = value

    def offer(self, choices: Iterable[Any]) -> None:
        """Replace what is on offer; what is chosen stays chosen."""
        chosen, options = self.control.value, [_option(one) for one in choices]
        if chosen not in [one for _, one in options]:
            options.append(_option(chosen))
        self.control.options = options
        self.control.value = chosen


def _option(value: Any) -> tuple[str, Any]:
    return ("as usual" if value in (None, "") else str(value), value)


class ListField(_Line):
    """Several texts, one on a line; one that a line could not hold is written as JSON, between double quotes."""

    def __init__(self, name: str, help_text: str = "", rows: int = 3) -> None:
        super().__init__(name, f"{help_text} One on each line.".strip(), rows)

    def spell(self, value: Sequence[str | Component]) -> str:
        """One on a line."""
        return "\n".join(map(_spelt, value))

    def read(self, text: str) -> tuple[str, ...]:
        """Empty lines are left out."""
        return tuple(_unquoted(line.strip(), place) for place, line in enumerate(text.split("\n"), 1) if line.strip())


class MixedField(ListField):
    """Texts and components of a kind, one on a line: a component as a table in JSON, as it would stand in a file."""

    def __init__(self, name: str, kind: str, help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind

    def read(self, text: str) -> tuple[Any, ...]:
        """A line that begins with a brace is a component."""
        lines = [(place, line.strip()) for place, line in enumerate(text.split("\n"), start=1) if line.strip()]
        return tuple(
            build(self._kind, _loaded(line), f"line {place}") if line.startswith("{") else _unquoted(line, place)
            for place, line in lines
        )


def _spelt(one: str | Component) -> str:
    if isinstance(one, Component):
        return json.dumps(one.config(), ensure_ascii=False, default=_table)
    plain = one == one.strip() and one and not set("\n\r") & set(one) and one[0] not in '"{'
    return one if plain else json.dumps(one, ensure_ascii=False)


def _unquoted(line: str, place: int) -> str:
    if not line.startswith('"'):
        return line
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, str):
        raise ValueError(f"line {place} begins with a double quote but is no text in JSON: {line!r}")
    return found


class PlainField(_Line):
    """Any other plain value (tables, lists of tables), as JSON."""

    def __init__(self, name: str, help_text: str = "") -> None:
        super().__init__(name, f"{help_text} As JSON.".strip(), rows=4)

    def spell(self, value: Any) -> str:
        """Indented JSON."""
        return json.dumps(value, ensure_ascii=False, indent=1, default=_table)

    def read(self, text: str) -> Any:
        """Lists become tuples, as in a component read from a file."""
        return _loaded(text)


class ComponentsField(PlainField):
    """Several components of a kind, as a list of tables in JSON, each as it would stand in a file."""

    def __init__(self, name: str, kind: str, help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind

    def spell(self, value: Sequence[Component]) -> str:
        """Their tables."""
        return super().spell([one.config() for one in value])

    def read(self, text: str) -> tuple[Component, ...]:
        """What the tables describe."""
        tables = super().read(text)
        if not isinstance(tables, tuple):
            raise ValueError(f"must be a list, [...], of tables but is {text!r:.80}")
        return tuple(build(self._kind, one, f"number {place}") for place, one in enumerate(tables, start=1))


class OneComponentField(PlainField):
    """A component beside another type, which has no form of its own there: as a table in JSON, as in a file."""

    def __init__(self, name: str, kind: str, help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind

    def spell(self, value: Component | None) -> str:
        """Its table; nothing where there is none."""
        return "" if value is None else super().spell(value.config())

    def read(self, text: str) -> Component:
        """What the table describes; a name alone will do."""
        return build(self._kind, super().read(text), self._kind)


def _table(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot be written as JSON: {value!r:.80}")


def _loaded(text: str) -> Any:
    try:
        return _frozen(json.loads(text))
    except ValueError as error:
        raise ValueError(f"must be JSON: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


class NothingField(Field):
    """No value: the ``None`` of an optional parameter."""

    def __init__(self) -> None:
        super().__init__([])

    def get(self) -> None:
        """None."""

    def set(self, value: None) -> None:
        """Nothing to show."""


class UnionField(Field):
    """A value of one of several types: which one is chosen, then the value."""

    def __init__(self, name: str, alternatives: Mapping[str, Field], hints: Sequence[Any], help_text: str = "") -> None:
        self._fields, self._hints = dict(alternatives), dict(zip(alternatives, hints, strict=True))
        self.control = ipywidgets.Dropdown(options=list(alternatives), description=name, style=_LABEL)
        self._place = ipywidgets.VBox([self._fields[self.control.value]])
        super().__init__([self.control, self._place], help_text)
        self.control.observe(self._switch, "value")
        for field in self._fields.values():
            field.on_change(self.changed)

    def get(self) -> Any:
        """The value of the chosen type."""
        return self._fields[self.control.value].get()

    def set(self, value: Any) -> None:
        """Choose the first type that the value is of."""
        name = next((one for one, hint in self._hints.items() if fits(value, hint)), self.control.value)
        self.control.value = name
        self._fields[name].set(value)

    def _switch(self, _: object) -> None:
        self._place.children = [self._fields[self.control.value]]
        self.changed()


def field_for(name: str, hint: Any, help_text: str = "") -> Field:
    """The field that fits a parameter's type; components have forms of their own (`toolkit.widgets.form`)."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Prose:
        return TextField(name, help_text, rows=3)
    if origin is Annotated:
        return field_for(name, inner[0], help_text)
    if hint in (int, float):
        return NumberField(name, hint, help_text)
    if hint is bool:
        return SwitchField(name, help_text)
    if origin is typing.Literal:
        return ChoiceField(name, inner, help_text)
    if origin in (tuple, list, Sequence) and inner and inner[0] is str and set(inner[1:]) <= {Ellipsis}:
        return ListField(name, help_text)
    if origin in (tuple, Sequence) and inner and isinstance(inner[0], type) and issubclass(inner[0], Component):
        return ComponentsField(name, inner[0].kind, help_text)
    mixed = typing.get_args(inner[0]) if origin in (tuple, Sequence) and inner else ()
    if mixed[:1] == (str,) and isinstance(mixed[-1], type) and issubclass(mixed[-1], Component):
        return MixedField(name, mixed[-1].kind, help_text)
    if isinstance(hint, type) and issubclass(hint, Component):
        return OneComponentField(name, hint.kind, help_text)
    if hint is type(None):
        return NothingField()
    if hint is str:
        return TextField(name, help_text)
    if origin in (typing.Union, types.UnionType):
        if all(one is type(None) or typing.get_origin(one) is typing.Literal for one in inner):
            return ChoiceField(name, [None, *(value for one in inner for value in typing.get_args(one))], help_text)
        named = {_named(one): field_for("", one) for one in inner}
        return UnionField(name, named, inner, help_text)
    return PlainField(name, help_text)


def _named(hint: Any) -> str:
    known = {str: "one text", int: "a whole number", float: "a number", bool: "yes or no", type(None): "none"}
    if hint in known:
        return known[hint]
    if isinstance(hint, type) and issubclass(hint, Component):
        return f"a {hint.kind}"
    return "several texts" if typing.get_origin(hint) in (tuple, list, Sequence) else str(hint)


def _under_the_control(text: str) -> str:
    return (
        f'<div style="font-size: 0.85em; line-height: 1.3; margin: 0 0 4px 11.2em; max-width: 54em">{quiet(text)}</div>'
    )


def _layout(width: str) -> ipywidgets.Layout:
    """A layout of its own for each widget: they can be changed, and a shared one would change for all."""
    return ipywidgets.Layout(width=_WIDTHS[width], max_width="98%")


def quiet(text: str) -> str:
    """A docstring's words as HTML in a fainter colour; what stands between backquotes as code."""
    marked = re.sub(r"`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", html.escape(text))
    return f'<span style="color: var(--jp-ui-font-color2, #555)">{marked}</span>'
