"""Folds: headings that open and close what stands below them, by mouse and by keyboard.

The headings of ``ipywidgets.Accordion`` are no buttons: nothing but a click opens them, and Tab passes them by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import anywidget
import ipywidgets
import traitlets

from toolkit.widgets.kernel import hear_beside_a_running_cell

_HERE = Path(__file__).parent


class FoldButton(anywidget.AnyWidget):
    """The heading of a fold: a button that says whether what stands below it is shown.

    Attributes
    ----------
    text
        Shown as text, whatever it holds.
    opened
        Whether what stands below is shown.
    """

    _esm: ClassVar[str] = (_HERE / "fold.js").read_text(encoding="utf-8")
    _css: ClassVar[str] = (_HERE / "fold.css").read_text(encoding="utf-8")
    text = traitlets.Unicode().tag(sync=True)
    opened = traitlets.Bool().tag(sync=True)

    def __init__(self, text: str = "", opened: bool = False) -> None:
        super().__init__(text=text, opened=opened)
        hear_beside_a_running_cell(self.comm)


class Fold(ipywidgets.VBox):
    """A heading, and widgets that are shown below it while it is open; what is folded keeps what it says.

    Parameters
    ----------
    title
        The heading.
    inner
        What it opens.
    opened
        Whether it is open at first.

    Examples
    --------
    >>> fold = Fold("more", [ipywidgets.Text(description="name")])
    >>> fold.opened, fold.body.layout.display
    (False, 'none')
    >>> fold.opened = True
    >>> fold.body.layout.display
    ''
    """

    def __init__(self, title: str, inner: Sequence[ipywidgets.Widget], opened: bool = False) -> None:
        self.button = FoldButton(title, opened)
        self.body = ipywidgets.VBox(list(inner), layout={"margin": "2px 0 6px 0.9em"})
        super().__init__([self.button, self.body])
        self.button.observe(self._show, "opened")
        self._show()

    @property
    def title(self) -> str:
        """The heading."""
        return str(self.button.text)

    @title.setter
    def title(self, text: str) -> None:
        self.button.text = text

    @property
    def opened(self) -> bool:
        """Whether what stands below the heading is shown."""
        return bool(self.button.opened)

    @opened.setter
    def opened(self, shown: bool) -> None:
        self.button.opened = shown

    def _show(self, _: object = None) -> None:
        self.body.layout.display = "" if self.opened else "none"


class Folds(ipywidgets.VBox):
    """Several folds below each other, of which at most one is open; it takes and tells what an accordion would.

    Parameters
    ----------
    bodies
        What each of them opens.
    titles
        Their headings.
    selected_index
        Which one is open; None = none.

    Examples
    --------
    >>> folds = Folds([ipywidgets.Text(), ipywidgets.Text()], ("one", "two"), 0)
    >>> folds.folds[1].opened = True
    >>> folds.selected_index, folds.folds[0].opened
    (1, False)
    """

    def __init__(
        self,
        bodies: Sequence[ipywidgets.Widget] = (),
        titles: Sequence[str] = (),
        selected_index: int | None = None,
    ) -> None:
        self.folds: list[Fold] = []
        super().__init__()
        self.bodies = tuple(bodies)
        self.titles = tuple(titles)
        self.selected_index = selected_index

    @property
    def bodies(self) -> tuple[ipywidgets.Widget, ...]:
        """What each of them opens; a body that was there before keeps its fold."""
        return tuple(fold.body.children[0] for fold in self.folds)

    @bodies.setter
    def bodies(self, bodies: Sequence[ipywidgets.Widget]) -> None:
        known = {fold.body.children[0].model_id: fold for fold in self.folds}
        self.folds = [known.pop(one.model_id) if one.model_id in known else self._made(one) for one in bodies]
        self.children: tuple[ipywidgets.Widget, ...] = tuple(self.folds)
        for old in known.values():
            old.button.close()
            old.close()

    @property
    def titles(self) -> tuple[str, ...]:
        """Their headings."""
        return tuple(fold.title for fold in self.folds)

    @titles.setter
    def titles(self, titles: Sequence[str]) -> None:
        for fold, title in zip(self.folds, titles, strict=False):
            fold.title = title

    @property
    def selected_index(self) -> int | None:
        """Which one is open; None = none."""
        return next((place for place, fold in enumerate(self.folds) if fold.opened), None)

    @selected_index.setter
    def selected_index(self, place: int | None) -> None:
        for at, fold in enumerate(self.folds):
            fold.opened = at == place

    def _made(self, body: ipywidgets.Widget) -> Fold:
        fold = Fold("", [body])
        fold.button.observe(lambda change: self._opened(fold) if change["new"] else None, "opened")
        return fold

    def _opened(self, chosen: Fold) -> None:
        for fold in self.folds:
            fold.opened = fold is chosen
