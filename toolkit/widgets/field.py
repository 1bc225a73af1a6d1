"""A field: what shows a value of some type in a form, reads it back exactly, bears its mistake, and fills a draft."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

_CONTROLS = (ipywidgets.Text, ipywidgets.Textarea, ipywidgets.Checkbox, ipywidgets.Dropdown, ipywidgets.Combobox)


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
        self._help = ipywidgets.HTML(under_the_control(help_text)) if help_text else None
        self._wrong = ipywidgets.HTML()
        self._wrong.add_class("toolkit-mistake")
        below = [self._help] if self._help is not None else []
        super().__init__([*control, *below, self._wrong], layout=ipywidgets.Layout(margin="0 0 2px 0"))

    marks_itself = False  # whether what is within marks its own mistakes

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

    def contents(self) -> Any:
        """What stands in its controls, whether or not it is a value, as plain values for a draft."""
        held = self._held().items()
        return {name: one.contents() if isinstance(one, Field) else one.value for name, one in held}

    def refill(self, contents: Any) -> None:
        """Put back what `contents` gave.

        Raises
        ------
        ValueError, TypeError, LookupError, TraitError
            If it is another field's.
        """
        before, self._quiet = self._quiet, True
        try:
            self._refill(contents)
        finally:
            self._quiet = before
        self.changed()

    def _refill(self, contents: Any) -> None:
        held = self._held()
        if set(contents) != set(held):
            raise ValueError(f"it has {', '.join(contents)}, not {', '.join(held)}")
        for name, one in held.items():
            if isinstance(one, Field):
                one.refill(contents[name])
            else:
                one.value = contents[name]

    def _held(self) -> dict[str, Any]:
        """Its controls and the fields within it, by the public name under which it has them; each once."""
        found, seen = dict[str, Any](), set[int]()
        for name, one in list(vars(self).items()):
            several = one.items() if isinstance(one, Mapping) else [("", one)]
            for key, held in several if not name.startswith("_") else ():
                if isinstance(held, (Field, *_CONTROLS)) and id(held) not in seen:
                    found[f"{name}.{key}".strip(".")] = held
                    seen.add(id(held))
        return found

    def changed(self, _: object = None) -> None:
        """Tell everyone who asked to be told."""
        if not self._quiet:
            for told in self._told:
                told()


def under_the_control(text: str) -> str:
    """Help as it stands below a control, in line with it."""
    return (
        f'<div style="font-size: 0.85em; line-height: 1.3; margin: 0 0 4px 11.2em; max-width: 54em">{quiet(text)}</div>'
    )


def quiet(text: str) -> str:
    """A docstring's words as HTML in a fainter colour; what stands between backquotes as code."""
    marked = re.sub(r"`{1,2}([^`]+)`{1,2}", r"<code>\1</code>", html.escape(text))
    return f'<span style="color: var(--jp-ui-font-color2, #555)">{marked}</span>'
