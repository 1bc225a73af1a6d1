"""How results are shown: as a table in text or HTML, with notes below it."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from toolkit.display import visible as visible
from toolkit.errors import nearest

Cells = Sequence[str]


class OfArm(Protocol):
    """A row that tells of one arm."""

    @property
    def arm(self) -> str:
        """Its name."""
        ...


R = TypeVar("R", bound=OfArm)


class Shown(ABC):
    """A result that prints as a table with its notes, and is HTML in a notebook.

    Attributes
    ----------
    left
        How many columns, from the first, hold words; those after them hold numbers, the last one words again.
    notes
        What has to be known to read it, a sentence or two each; stand below the table.
    """

    left: ClassVar[int] = 1
    notes: tuple[str, ...]

    @abstractmethod
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""

    def __str__(self) -> str:
        return visible("\n".join([text_table(*self.table(), left=self.left), "", *self.notes]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(visible(note))}</p>" for note in self.notes)
        return html_table(*self.table(), left=self.left) + notes


class ByArm(Shown, Generic[R]):
    """A table of one row for each arm.

    Attributes
    ----------
    rows
        What it says of each arm; `row` finds one.
    """

    rows: tuple[R, ...]
    told_of: ClassVar[str] = "arm"

    def row(self, arm: str) -> R:
        """The row of one arm.

        Raises
        ------
        KeyError
            If there is none.
        """
        for row in self.rows:
            if row.arm == arm:
                return row
        raise KeyError(f"no {self.told_of} is called {arm!r}; {nearest(arm, [row.arm for row in self.rows])}")


def text_table(head: Cells, body: Sequence[Cells], *, left: int = 1) -> str:
    """Lines with a rule below the head: words to the left, numbers to the right, the last column as it is.

    Examples
    --------
    >>> print(text_table(["arm", "score", "doubts"], [["static", "0.2", ""], ["m", "0.43", "one run"]]))
    arm     score  doubts
    ----------------------
    static    0.2
    m        0.43  one run
    """
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)][:-1]
    lines = []
    for *cells, last in [head, *body]:
        words = [cell.ljust(width) for cell, width in zip(cells[:left], widths[:left], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(cells[left:], widths[left:], strict=True)]
        lines.append("  ".join([*words, *numbers, last]).rstrip())
    rule = "-" * min(160, max(map(len, lines)))
    return "\n".join([lines[0], rule, *lines[1:]])


def html_table(head: Cells, body: Sequence[Cells], *, left: int = 1) -> str:
    """The same as HTML; every cell is escaped, and no number is broken over two lines.

    Examples
    --------
    >>> html_table(["arm", "score", "doubts"], [["<b>", "0.2", ""]]).count('<td style="text-align: left">')
    2
    """
    words = "text-align: left"
    styles = [words if place < left else "white-space: nowrap" for place in range(len(head) - 1)] + [words]
    heads = [how if how == words else "" for how in styles]  # a heading may be broken: it is longer than its numbers
    top, rows = _row("th", head, heads), "".join(_row("td", line, styles) for line in body)
    return f"<table><thead>{top}</thead><tbody>{rows}</tbody></table>"


def _row(cell: str, texts: Cells, styles: Sequence[str]) -> str:
    told = (
        f'<{cell} style="{how}">{html.escape(visible(one))}</{cell}>' for one, how in zip(texts, styles, strict=True)
    )
    return f"<tr>{''.join(told)}</tr>"
