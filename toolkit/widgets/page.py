"""What views of the ledger have in common: a page that Python makes and escapes, buttons that are methods, its SQL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from toolkit.analysis.shown import visible
from toolkit.errors import ToolkitError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.widgets.kernel import hear_beside_a_running_cell
from toolkit.widgets.queries import Noted, Query, disclosure

_HERE = Path(__file__).parent


class Page(anywidget.AnyWidget):
    """A page of HTML with buttons; a subclass says what stands on it, and what a button does.

    Where there is no kernel the same page stands without its buttons; where there is no HTML, it is plain text.

    Attributes
    ----------
    html
        What is shown, escaped.
    note
        What was wrong with what was chosen last; empty if nothing.
    """

    _esm: ClassVar[str] = (_HERE / "page.js").read_text(encoding="utf-8")
    _css: ClassVar[str] = (_HERE / "page.css").read_text(encoding="utf-8")
    html = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, ledger: Ledger | str | Path | None = None) -> None:
        self._ledger = Noted(ledger)
        super().__init__()
        self.on_msg(self._heard)
        hear_beside_a_running_cell(self.comm)

    @property
    def queries(self) -> tuple[Query, ...]:
        """What the ledger was asked for what is shown."""
        return tuple(self._ledger.asked)

    @abstractmethod
    def page(self, guided: bool) -> str:
        """What is shown, as HTML; ``guided`` = with buttons."""

    @abstractmethod
    def plain(self) -> str:
        """What is shown, as plain text."""

    @abstractmethod
    def does(self, command: str, value: str) -> None:
        """Do what a button was pressed for."""

    def draw(self) -> None:
        """Show what has changed."""
        with self.hold_sync():
            self.html, self.note = self.page(True) + disclosure(self.queries, True), ""

    def document(self) -> str:
        """The page as it stands where there is no kernel."""
        style = (_HERE / "page.css").read_text(encoding="utf-8")
        body = self.page(False) + disclosure(self.queries, False)
        return f'<style>{style}</style><div class="toolkit-page">{body}</div>'

    def _heard(self, _: object, content: Mapping[str, Any], __: object) -> None:
        try:
            self.does(str(content.get("command", "")), str(content.get("value", "")))
        except (ToolkitError, ValueError) as error:  # nobody sees an exception of a button
            self.note = visible(error)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:  # for a reader without a kernel: they are taken where the view cannot be
            bundle[0]["text/html"] = self.document()
            bundle[0]["text/plain"] = self.plain()
        return bundle

    def __repr__(self) -> str:
        return self.plain()


def of_study(study: Study | str, ledger: Ledger | str | Path | None) -> tuple[str, Ledger | str | Path | None]:
    """The name of a study, and where it is kept."""
    return (study.name, study.ledger) if isinstance(study, Study) else (study, ledger)


def text(told: object) -> str:
    """What stands in data, as text only."""
    return escape(visible(told))


def short(told: object, most: int = 80) -> str:
    """The beginning of a text on one line, harmless in plain text; what is left out is an ellipsis.

    Examples
    --------
    >>> short("one\\ntwo \\x1b[31m", 12)
    'one two \\\\x1b…'
    """
    line = " ".join(str(told).split())
    return visible(line if len(line) <= most else line[: most - 3] + "…")


def press(label: str, command: str, value: object = "", *, barred: str = "", told: str = "") -> str:
    """A button; ``barred`` = why it cannot be pressed, ``told`` = its name where the label alone says too little."""
    off = f' disabled title="{text(barred)}"' if barred else ""
    off += f' aria-label="{text(told)}"' if told else ""
    sent = text(value)
    key = f"{command} {sent}"  # so that the focus stays where it was
    return f'<button type="button" data-do="{command}" data-value="{sent}" data-key="{key}"{off}>{text(label)}</button>'


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; its head is not."""
    heads = "".join(f"<th>{text(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def choose(label: str, command: str, values: Sequence[object], chosen: int) -> str:
    """A menu; what is sent is the place of the value."""
    if len(values) < 2:
        return ""
    listed = "".join(
        f'<option value="{place}"{" selected" if place == chosen else ""}>{text(one)}</option>'
        for place, one in enumerate(values)
    )
    return f'<label>{text(label)} <select data-do="{command}" data-key="{command}">{listed}</select></label>'


def picked(values: Sequence[Any], place: str) -> Any:
    """The value at a place that a menu has sent.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not place.isdigit() or int(place) >= len(values):
        raise ValueError(f"a menu of {len(values)} has no place {place!r}: show the view again")
    return values[int(place)]


def numbered(value: str) -> int:
    """The number that a button or a field has sent.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (value.isascii() and value.isdecimal() and len(value) < 12):
        raise ValueError(f"a task has a number, counted from 0, but this is {short(value, 20)!r}")
    return int(value)
