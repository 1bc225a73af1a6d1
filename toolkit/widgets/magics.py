"""SQL in cells of its own: ``%load_ext toolkit``, then ``%%ledger`` asks the ledger and shows a data frame."""

from __future__ import annotations

import argparse
import textwrap
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from IPython.core.completer import SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from toolkit.analysis.shown import visible
from toolkit.errors import ToolkitError
from toolkit.ledger.reading import columns, read
from toolkit.ledger.store import Ledger
from toolkit.widgets.completing import following

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

_CELL = "%%ledger"


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1 but is {text!r}")
    return int(text)


class Column(pd.Series):
    """A column of what a query gave; shown as `Rows` are."""

    @property
    def _constructor(self) -> type[Column]:
        return Column

    @property
    def _constructor_expanddim(self) -> type[Rows]:
        return Rows

    def __repr__(self) -> str:
        return visible(super().__repr__())


class Rows(pd.DataFrame):
    """What a query gave: a data frame that shows every text as text.

    Its values are those of the ledger. Where it is shown, HTML and formulas in them stay as they are written, and
    control characters, which could colour a line or turn it round, stand as their codes.

    Examples
    --------
    >>> print(Rows({"answer": ["\\x1b[31m<b>"]}))
         answer
    0  \\x1b[31m<b>
    """

    @property
    def _constructor(self) -> type[Rows]:
        return Rows

    @property
    def _constructor_sliced(self) -> type[Column]:
        return Column

    def __repr__(self) -> str:
        return visible(super().__repr__())

    def _repr_html_(self) -> str | None:
        with pd.option_context("display.html.use_mathjax", False):
            drawn = super()._repr_html_()
        return None if drawn is None else visible(drawn)


@magics_class
class LedgerMagics(Magics):
    """``%ledger`` and ``%%ledger``.

    Attributes
    ----------
    chosen
        The folder of the ledger that is asked; None = ``$TOOLKIT_LEDGER``, else ``./ledger``.
    """

    chosen: str | None = None

    @line_magic("ledger")  # type: ignore[arg-type]
    def choose(self, line: str) -> None:
        """Choose a ledger by its folder, ``%ledger PATH``; which one is asked, and its views with their columns."""
        path = _unquoted(line.strip())
        if path:
            self.chosen = str(_opened(path).root)
        ledger = Ledger(self.chosen)
        try:
            views = columns(ledger)
        except (ToolkitError, OSError) as error:
            raise UsageError(visible(error)) from error
        studies = ledger.names()
        number = f"{len(studies)} stud{'y' if len(studies) == 1 else 'ies'}"
        print(f"ledger: {visible(ledger.root)} ({number})")
        width = max(map(len, views))
        for view, names in views.items():
            told = f"  {view:<{width}}  {', '.join(names)}"
            print(textwrap.fill(told, 110, subsequent_indent=" " * (width + 4)))

    @cell_magic("ledger")
    @magic_arguments("ledger")
    @argument("name", nargs="?", default="", help="a variable that the data frame is bound to")
    @argument("--ledger", default="", metavar="PATH", help="another ledger's folder, for this cell")
    @argument("--limit", type=_count, metavar="N", help="so many rows at most")
    def ask(self, line: str, cell: str) -> Rows:
        """Ask the ledger one query in SQL; the answer is a data frame. Only reading is possible."""
        given = parse_argstring(self.ask, line)
        if given.name and (not given.name.isidentifier() or iskeyword(given.name)):
            raise UsageError(f"what a frame is bound to must be a variable's name but is {given.name!r}")
        try:
            rows = Rows(read(self.ledger(given.ledger), cell, given.limit))
        except (ToolkitError, OSError) as error:
            raise UsageError(visible(error)) from error
        if given.name and self.shell is not None:
            self.shell.push({given.name: rows})
        return rows

    def ledger(self, path: str = "") -> Ledger:
        """The ledger of that folder, or the one chosen."""
        return _opened(_unquoted(path)) if path else Ledger(self.chosen)

    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Views and columns for the word at the cursor, in a cell of SQL."""
        lines = context.full_text.split("\n")
        typed = "\n".join([*lines[: context.cursor_line], context.text_until_cursor]).lstrip()
        head, _, before = typed.partition("\n")
        if head.split()[:1] != [_CELL] or "\n" not in typed:
            return SimpleMatcherResult(completions=[])
        whole = context.full_text.lstrip().partition("\n")[2]
        try:
            views = columns(self.ledger(parse_argstring(self.ask, head.removeprefix(_CELL)).ledger))
        except (UsageError, ToolkitError, OSError):
            return SimpleMatcherResult(completions=[])  # running the cell says what is wrong
        word, names = following(before, whole, views)
        found = [SimpleCompletion(text=name, type="field") for name in names]
        return SimpleMatcherResult(completions=found, matched_fragment=word, suppress=True)


def load(shell: InteractiveShell) -> None:
    """Add the magics to a session, and their completion; once, however often it is asked for."""
    unload(shell)
    magics = LedgerMagics(shell)
    shell.register_magics(magics)

    @context_matcher(identifier="toolkit.ledger")
    def match(context: CompletionContext) -> SimpleMatcherResult:
        return magics.complete(context)

    shell.Completer.custom_matchers.append(match)


def unload(shell: InteractiveShell) -> None:
    """Take them away again; what was bound stays."""
    if not isinstance(shell.magics_manager.registry.pop(LedgerMagics.__name__, None), LedgerMagics):
        return
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("ledger", None)
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != "toolkit.ledger"]


def _opened(path: str) -> Ledger:
    if not Path(path).expanduser().is_dir():
        raise UsageError(f"a ledger is a folder, but {visible(path)!r} is none; the first study run there makes it")
    return Ledger(path)


def _unquoted(path: str) -> str:
    """A path as it was meant: with spaces it is typed between quotes, which IPython leaves."""
    return path[1:-1] if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'" else path
