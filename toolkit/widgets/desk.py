"""The foot of a form: the same in code, and a file to save it in or open it from."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit.analysis.shown import visible
from toolkit.widgets.code import source
from toolkit.widgets.fold import Fold

if TYPE_CHECKING:
    from toolkit.widgets.form_base import Form


class Desk(Fold):
    """What a form says as code, folded until it is asked for, and the buttons that save and open a file.

    Attributes
    ----------
    text
        The code; where there is none, what is wrong.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self.text = ""
        self._code = ipywidgets.HTML()
        self._path = ipywidgets.Text(value=f"{form.name}.toml", description="file", style={"description_width": "3em"})
        self._said = ipywidgets.HTML()
        save, fetch = ipywidgets.Button(description="Save"), ipywidgets.Button(description="Open")
        save.on_click(lambda _: self._try(self._save))
        fetch.on_click(lambda _: self._try(self._fetch))
        files = ipywidgets.HBox([self._path, save, fetch, self._said])
        super().__init__("The same in code · save and open", [self._code, files])

    def show(self, value: Any) -> None:
        """Show the code of a value; without one, what is wrong."""
        self.text = source(self._form.name, value) if value is not None else "\n".join(self._form.mistakes)
        self._code.value = self.page()

    def page(self) -> str:
        """The text as HTML."""
        return f'<pre style="line-height: 1.35">{html.escape(visible(self.text))}</pre>'

    def _try(self, action: Callable[[], str]) -> None:
        try:
            self._said.value = html.escape(action())
        except ValueError as error:
            style = "color: var(--jp-error-color1, #b00020)"
            self._said.value = f'<span role="alert" style="{style}">{html.escape(str(error))}</span>'

    def _save(self) -> str:
        return f"saved: {self._form.save(self._path.value)}"

    def _fetch(self) -> str:
        self._form.load(self._path.value)
        return f"opened: {self._path.value}"
