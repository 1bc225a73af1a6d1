"""What a form's trait adds to the static arm, told below the form while one edits it; see `toolkit.evaluation.adds`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.analysis.answered import Piece
from toolkit.evaluation.adds import Adds, Sample
from toolkit.streams.stream import Stream
from toolkit.widgets.fold import Fold
from toolkit.widgets.form import Form
from toolkit.widgets.page import text

COLOURS = {
    "role": "#cc79a7",
    "goal": "#e69f00",
    "learned": "#009e73",
    "memory": "#0072b2",
    "transcript": "#56b4e9",
}
"""Of blocks, as in every view of a prompt; each is labelled as well."""

MOST = 10_000
"""Characters of a prompt that are shown."""

_LETTERS = 4  # of a token
_EVENTS = 12  # ticks that are shown
_OTHER = "#999"
_USUAL = Sample()  # of all forms: the static arm is tried once


class AddsView(ipywidgets.VBox):
    """A line that says what an arm adds, and a prompt of the sample, block by block, in a fold.

    Nothing is tried twice: where the arm is the one tried last, nothing is done.

    Parameters
    ----------
    sample
        What arms are tried on.
    folded
        True = all of it is in a fold, and nothing is tried before that is opened.

    Attributes
    ----------
    found
        What was found last; None before that, and while there is no arm.
    line, prompt
        The widgets.
    """

    def __init__(self, sample: Sample, folded: bool = False) -> None:
        self.sample = sample
        self.found: Adds | None = None
        self._arm: Arm | None = None
        self._wanted: tuple[Arm | None, str] = (None, "")
        self.line, self.prompt = ipywidgets.HTML(), ipywidgets.HTML()
        self.fold = Fold("A prompt of the sample, block by block", [self.prompt])
        self._outer: Fold | None = None
        children: list[ipywidgets.Widget] = [self.line, self.fold]
        if folded:
            self._outer = Fold("What this adds", children)
            self._outer.button.observe(self._opened, "opened")
            children = [self._outer]
        super().__init__(children)

    def show(self, arm: Arm | None, more: str = "") -> None:
        """Show what an arm adds; None = there is none, since the form has mistakes. ``more`` is told below the line."""
        self._wanted = (arm, more)
        if self._outer is None or self._outer.opened:
            self._tell()

    def _opened(self, _: object) -> None:
        if self._outer is not None and self._outer.opened:
            self._tell()

    def _tell(self) -> None:
        arm, more = self._wanted
        if arm is None:
            self.line.value = _line("not known while the form has mistakes", "")
            self.found = self._arm = None
            self.prompt.value = ""
            return
        if self.found is None or arm != self._arm:
            self.found, self._arm = self.sample.adds(arm), arm
            self.prompt.value = "".join(_shown(self.found))
        self.line.value = _line(str(self.found), more, self.found)


def attach(
    form: Form,
    made: Callable[[Any], Arm],
    stream: Stream | None,
    told: Callable[[], str] = str,
    *,
    folded: bool = False,
) -> AddsView:
    """Put a view below a form's fields and keep it up to date.

    Parameters
    ----------
    form
        Whose value is told of.
    made
        The arm that has this value.
    stream
        As of `Sample`.
    told
        What else to say in the line.
    folded
        As of `AddsView`; the form is then one within another, without a foot.
    """
    view = AddsView(_USUAL if stream is None else Sample(stream), folded)
    foot = 1 if folded else 2  # the mistakes; the code and files above them
    form.children = (*form.children[:-foot], view, *form.children[-foot:])

    def look() -> None:
        value = form.look()
        view.show(None if value is None else made(value), told())

    form.on_change(look)
    look()
    return view


def _line(told: str, more: str, found: Adds | None = None) -> str:
    notes = [f"{found.stream}; no model is asked"] if found is not None and found.stream else []
    notes += found.notes if found is not None else []
    small = "".join(f"<br><small>{text(one)}</small>" for one in (more, *notes) if one)
    return f'<div role="status" style="{_FONT}"><b>What this adds</b> to the static arm: {text(told)}.{small}</div>'


_FONT = "color: var(--jp-ui-font-color1, #17191c); line-height: 1.45; overflow-wrap: anywhere; max-width: 60em"


def _shown(found: Adds) -> Iterator[str]:
    if found.waking is not None:
        yield from _events(found)
    if not found.prompt:
        yield "<p>No prompt of the sample is there to show.</p>"
        return
    sizes: dict[str, int] = {}
    for one in found.prompt:
        sizes[one.block] = sizes.get(one.block, 0) + len(one.text)
    told = ", ".join(f"{name} {-(-size // _LETTERS):,}" for name, size in sizes.items())
    yield f'<p style="{_FONT}">Task {text(found.task)}; tokens by block: {text(told)}.</p>'
    yield prompt_html(found.prompt)


def _events(found: Adds) -> Iterator[str]:
    if found.waking is None:
        return
    events = found.waking.events
    rows = "".join(f"<li>{'woken' if woke else 'asleep'}: {text(seen[:200])}</li>" for seen, woke in events[:_EVENTS])
    left = len(events) - _EVENTS
    rest = f"<li>… and {left} more</li>" if left > 0 else ""
    yield f'<div style="{_FONT}">What passed unprompted in the sample:<ul>{rows}{rest}</ul></div>'


def prompt_html(pieces: Sequence[Piece], most: int = MOST) -> str:
    """A prompt as HTML, each block with its colour and its name; what is cut off is told.

    Examples
    --------
    >>> print(prompt_html([Piece("memory", "user", "<b>")]).count("&lt;b&gt;"))
    1
    """
    told, left = list[str](), most
    for one in pieces:
        if left <= 0:
            break
        told.append(_piece(one, one.text[:left]))
        left -= len(one.text)
    whole = sum(len(one.text) for one in pieces)
    cut = f"<p>Cut off here: {whole:,} characters in all, {most:,} are shown.</p>" if whole > most else ""
    return "".join(told) + cut


def _piece(one: Piece, shown: str) -> str:
    own = next((name for name in COLOURS if name in one.block.split(" and ")), "")
    style = (
        f"border-left: 4px solid {COLOURS.get(own, _OTHER)}; margin: 2px 0; padding: 0 0.6em; white-space: pre-wrap; "
        f"{_FONT}"
    )
    head = f"<b>{text(one.block)}</b> <small>{text(one.said_by)}</small>"
    return f'<div style="{style}">{head}\n{text(shown)}</div>'
