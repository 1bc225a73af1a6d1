"""Drafts: what was typed into a form outlives its kernel, in a small file of its own.

A draft belongs to a notebook, to a form's class and name, and to the value that the form began with. Run the cell
again as it was, and the form shows what was typed; change the value in the code, and the code wins. A draft holds what
the form holds, also what is no value yet. It goes when the form is back at the code's value.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
from traitlets import TraitError

from toolkit.component import digest
from toolkit.ledger.store import write_atomically
from toolkit.widgets.field import quiet

if TYPE_CHECKING:
    from toolkit.widgets.form_base import Form

FORMAT = 1
"""Of a draft's file; raised when fields keep what stands in them in another way."""


def notebook() -> str:
    """The notebook whose kernel this is, by its path; empty in plain Python, and where Jupyter does not say."""
    told = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return os.environ.get("JPY_SESSION_NAME", "") if hasattr(told, "kernel") else ""


class Draft:
    """A form's draft: written at every change, so that nothing typed is lost; shown when the form begins as then.

    Two forms of one class in a notebook share a draft only if they have the same name and begin with the same value:
    give them names.

    Parameters
    ----------
    form
        As the code made it; if there is a draft, it shows that from now on, and says so.
    folder
        Of all drafts, such as ``ledger/drafts``; made when there is something to write.
    notebook
        Whose drafts they are.

    Attributes
    ----------
    file
        Where it is kept; there is none while the form shows what the code says.
    said
        The line above the form; empty while there is nothing to say.
    button
        Back to the code's value.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.traits.memory import Retrieval
    >>> from toolkit.widgets.forms import MemoryForm
    >>> form, folder = MemoryForm(Retrieval(k=2)), tempfile.mkdtemp()
    >>> draft = Draft(form, folder, "work.ipynb")
    >>> form.fields["k"].control.value = "many"
    >>> again = MemoryForm(Retrieval(k=2))
    >>> draft = Draft(again, folder, "work.ipynb")
    >>> again.fields["k"].control.value
    'many'
    >>> draft.button.click()
    >>> again.value
    Retrieval(k=2)
    """

    def __init__(self, form: Form, folder: str | Path, notebook: str) -> None:
        self._form = form
        self._paused = False
        self._value, self._start = form.look(), form.contents()
        self._of = [notebook, type(form).__name__, form.name]
        self.file = Path(folder) / f"{digest([*self._of, _stands_for(form) or self._start])[:24]}.json"
        self.said = ipywidgets.HTML()
        self.button = ipywidgets.Button(description="Back to the code's value", layout={"width": "auto"})
        self.button.on_click(lambda _: self.drop())
        self._line = ipywidgets.HBox([self.said, self.button])
        self._line.layout.display = "none"
        form.children = (self._line, *form.children)
        self._show()
        form.on_change(self._write)

    def drop(self) -> None:
        """Show what the code says again, and forget the draft."""
        self._back()
        self.file.unlink(missing_ok=True)
        self._say("")

    def _show(self) -> None:
        """Show what is kept; what cannot be shown is put aside, and the form shows what the code says."""
        try:
            told = json.loads(self.file.read_text(encoding="utf-8"))
            saved = self._filled(told)
        except FileNotFoundError:
            return
        # A file that anything may have happened to: whatever it holds, the form opens, and says what was wrong with it.
        except (ValueError, TypeError, LookupError, AttributeError, OSError, TraitError) as error:
            self._back()
            self._put_aside(str(error) or type(error).__name__)
            return
        self._say(f"Edits of {saved:%d %B %Y, %H:%M} are shown, which the code does not say.", back=True)

    def _filled(self, told: dict[str, Any]) -> datetime:
        """Fill the form; when the draft was written."""
        if told["format"] != FORMAT:
            raise ValueError(f"it is of format {told['format']!r:.20}, and this toolkit reads {FORMAT}")
        if told["of"] != self._of:
            raise ValueError("it is another form's")
        saved = datetime.fromisoformat(told["saved"])
        self._paused = True
        try:
            self._form.refill(told["contents"])
        finally:
            self._paused = False
        shown = _stands_for(self._form)
        if told["stands_for"] and shown and told["stands_for"] != shown:
            raise ValueError(
                "it stood for more than its fields show, such as the further keys of a file that was opened"
            )
        return saved

    def _write(self) -> None:
        """Keep what stands in the form now, or nothing if it is what the code says."""
        if self._paused:
            return
        contents = self._form.contents()
        told = {
            "format": FORMAT,
            "of": self._of,
            "saved": datetime.now().astimezone().isoformat(timespec="seconds"),
            "stands_for": _stands_for(self._form),
            "contents": contents,
        }
        try:
            if contents == self._start:
                self.file.unlink(missing_ok=True)
                self._say("")
                return
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.file, json.dumps(told, ensure_ascii=False))
        except OSError as error:
            self._say(f"Edits are not kept: {self.file}: {error.strerror}.", back=True)

    def _back(self) -> None:
        self._paused = True
        try:
            if self._value is not None:
                self._form.set(self._value)
            else:
                self._form.refill(self._start)
        finally:
            self._paused = False

    def _put_aside(self, why: str) -> None:
        aside = self.file.with_suffix(".unread")
        try:
            self.file.replace(aside)
            where = f"it is now {aside}"
        except OSError as error:
            where = f"{self.file}: {error.strerror}"
        self._say(f"A draft could not be shown, so this is what the code says: {why}; {where}.")

    def _say(self, text: str, back: bool = False) -> None:
        self.said.value = f'<span role="status">{quiet(text)}</span>' if text else ""
        self.button.layout.display = "" if back else "none"
        self._line.layout.display = "" if text else "none"


def _stands_for(form: Form) -> str:
    """A hash of what a form says, with what no field of it shows; empty while it has mistakes."""
    try:
        return digest(form.config())
    except (ValueError, TypeError):
        return ""
