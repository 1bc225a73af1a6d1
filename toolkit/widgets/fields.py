"""Fields: one control for one type of parameter, which shows a value, reads it back exactly, and bears its mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ipywidgets

from toolkit.component import Component, from_plain
from toolkit.hints import fits, spelt
from toolkit.widgets.field import Field as Field

LABEL = {"description_width": "9.5em"}
_WIDTHS = {"wide": "46em", "line": "34em", "number": "20em"}
_INTEGER = re.compile(r"[+-]?\d+")


class _Line(Field):
    """A field on one plain text control."""

    def __init__(self, name: str, help_text: str = "", rows: int = 1) -> None:
        make = ipywidgets.Text if rows == 1 else ipywidgets.Textarea
        more = {} if rows == 1 else {"rows": rows}
        self.control = make(description=name, style=LABEL, tooltip=help_text, **more)
        self.control.layout = _layout("line" if rows == 1 else "wide")
        super().__init__([self.control], help_text)
        self.control.observe(self.changed, "value")

    def set(self, value: Any) -> None:
        """Show a value as text; one of another type as Python writes it, to be marked."""
        try:
            self.control.value = self.spell(value)
        except (AttributeError, TypeError):
            self.control.value = repr(value)

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
        return _number(text, self._kind)


class NumbersField(_Line):
    """Several numbers, between commas; ``count`` of them, or any number.

    Examples
    --------
    >>> field = NumbersField("lags", int)
    >>> field.control.value = "1, 4, 16"
    >>> field.get()
    (1, 4, 16)
    """

    def __init__(self, name: str, kind: type[int] | type[float], help_text: str = "", count: int | None = None) -> None:
        told = "Numbers, with commas between." if count is None else f"{count} numbers, with commas between."
        super().__init__(name, f"{help_text} {told}".strip())
        self._kind, self._count = kind, count

    def spell(self, value: Any) -> str:
        """Each as Python writes it."""
        return ", ".join(map(repr, value))

    def read(self, text: str) -> tuple[int | float, ...]:
        """The numbers; none of an empty text."""
        found = tuple(_number(one, self._kind) for one in text.split(",")) if text.strip() else ()
        if self._count not in (None, len(found)):
            raise ValueError(f"must be {self._count} numbers, with commas between, but is {text!r}")
        return found


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    wanted = "a whole number" if kind is int else "a number"
    if _INTEGER.fullmatch(text.strip()):
        return int(text)
    try:
        if kind is float:
            return float(text)
    except ValueError:
        pass  # said below, in one way for all
    raise ValueError(f"must be {wanted} but is {text!r}")


class SwitchField(Field):
    """True or false."""

    def __init__(self, name: str, help_text: str = "") -> None:
        self.control = ipywidgets.Checkbox(description=name, style=LABEL, indent=True, tooltip=help_text)
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
            options=[_option(one) for one in choices], description=name, style=LABEL, tooltip=help_text
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

    def _refill(self, contents: Any) -> None:
        self.set(frozen(contents["control"]))

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
        return "\n".join(map(line_of, value))

    def read(self, text: str) -> tuple[str, ...]:
        """Empty lines are left out."""
        return tuple(unquoted(line.strip(), place) for place, line in enumerate(text.split("\n"), 1) if line.strip())


def line_of(one: str | Component) -> str:
    """A text or a component as one line that can be read back."""
    if isinstance(one, Component):
        return json.dumps(one.config(), ensure_ascii=False, default=_table)
    plain = one == one.strip() and one and not set("\n\r") & set(one) and one[0] not in '"{'
    return one if plain else json.dumps(one, ensure_ascii=False)


def unquoted(line: str, place: int) -> str:
    """The text of a line; one between double quotes is read as JSON."""
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
    """Any other plain value (tables, lists of tables), as JSON.

    Parameters
    ----------
    hint
        Its type, which is checked where it is typed; `object` lets everything through.
    """

    def __init__(self, name: str, help_text: str = "", hint: Any = object) -> None:
        super().__init__(name, f"{help_text} As JSON.".strip(), rows=4)
        self._hint = hint

    def spell(self, value: Any) -> str:
        """Indented JSON."""
        return json.dumps(value, ensure_ascii=False, indent=1, default=_table)

    def read(self, text: str) -> Any:
        """Lists become tuples, as in a component read from a file."""
        found = from_plain(_json(text), "it")
        if not fits(found, self._hint):
            raise ValueError(f"must be {spelt(self._hint)} but is {text!r:.80}")
        return found


class NothingField(Field):
    """No value: the ``None`` of an optional parameter."""

    def __init__(self) -> None:
        super().__init__([])

    def get(self) -> None:
        """None."""

    def set(self, value: None) -> None:
        """Nothing to show."""


def _table(value: Any) -> Any:
    if isinstance(value, Component):
        return value.config()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot be written as JSON: {value!r:.80}")


def loaded(text: str) -> Any:
    """The value that a JSON text stands for, its lists as tuples.

    Raises
    ------
    ValueError
        If it is none, saying where.
    """
    return frozen(_json(text))


def _json(text: str) -> Any:
    if not text.strip():
        raise ValueError("needs a value, as JSON")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"must be JSON: {error}") from error


def frozen(value: Any) -> Any:
    """A plain value with tuples for its lists."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def _layout(width: str) -> ipywidgets.Layout:
    """A layout of its own for each widget: they can be changed, and a shared one would change for all."""
    return ipywidgets.Layout(width=_WIDTHS[width], max_width="98%")
