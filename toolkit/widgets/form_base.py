"""What every form has: a value and its mistakes, the same as code and as a file, and a draft of what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
from traitlets import MetaHasTraits

from toolkit.analysis.shown import visible
from toolkit.component import Config
from toolkit.errors import SpecError
from toolkit.ledger.store import Ledger
from toolkit.widgets.code import source
from toolkit.widgets.desk import Desk
from toolkit.widgets.drafts import Draft, notebook
from toolkit.widgets.field import Field
from toolkit.widgets.kernel import lose_no_message


class _Finished(MetaHasTraits):  # type: ignore[misc]  # of a package without types
    """Says to a form that it is whole: a draft is shown over what its constructor showed last, whichever it is."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lose_no_message()  # before there is any
        made = super().__call__(*args, **kwargs)
        made.finished()
        return made


class Form(Field, metaclass=_Finished):
    """A form for one thing that can be said in code and in a file too.

    `value` is the thing; `mistakes` is empty when all is well. `code` writes it as Python, `save` and `load` as TOML.
    In a notebook what is typed is kept as a draft, under the ledger's folder; see `toolkit.widgets.drafts`.

    Parameters
    ----------
    name
        What the thing is called, in labels and in code.
    body
        The widgets between the label and the mistakes.
    nested
        True within another form: without the line for code and files.
    """

    marks_itself = True

    def __init__(self, name: str, body: Sequence[ipywidgets.Widget], nested: bool) -> None:
        self.name = name
        self.mistakes: tuple[str, ...] = ()
        self.draft: Draft | None = None
        self._desk = None if nested else Desk(self)
        super().__init__([*body] if self._desk is None else [*body, self._desk])
        if self._desk is not None:
            self.add_class("toolkit-form")  # its menus have their keys: see fold.js
        self.on_change(self._look)

    def finished(self) -> None:
        """Called when the form is whole: in a notebook, one that is not within another shows and keeps its draft."""
        where = notebook() if self._desk is not None else ""
        if where:
            own = vars(self).get("ledger")  # a study's form has one
            ledger = own if isinstance(own, Ledger) else Ledger()
            self.draft = Draft(self, ledger.root / "drafts", where)

    @property
    def value(self) -> Any:
        """What the form says.

        Raises
        ------
        SpecError
            Listing every mistake; each is also marked at its field.
        """
        return self.get()

    @value.setter
    def value(self, value: Any) -> None:
        self.set(value)

    def code(self) -> str:
        """Python that makes the value."""
        return source(self.name, self.value)

    def config(self) -> Config:
        """The value as plain values, as they stand in a file."""
        found: Config = self.value.config()
        return found

    def save(self, path: str | Path) -> Path:
        """Write the value as TOML; the file's path."""
        import tomli_w

        file = Path(path).expanduser()
        try:
            text = tomli_w.dumps(self.config())
        except TypeError as error:  # of what TOML knows, only None is missing
            told = "a file can hold None only where it is the default"
            raise SpecError([f"{file}: {told}, but this has it elsewhere: {self.value!r:.200}"]) from error
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SpecError([f"{file}: cannot be written: {error.strerror}; choose another place"]) from error
        return file

    def load(self, path: str | Path) -> None:
        """Show what a TOML file says.

        Raises
        ------
        SpecError
            If it cannot be read or says something else; the form stays as it was.
        """
        self.set(self.read(Path(path).expanduser()))

    def read(self, file: Path) -> Any:
        """The thing that a file describes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its files hold: define read()")

    def gather(self, fields: Mapping[str, Field], owner: str = "") -> dict[str, Any]:
        """What the fields say, by name; each mistake is marked at its field.

        Raises
        ------
        SpecError
            Listing every mistake, those within nested forms included.
        """
        values, mistakes = dict[str, Any](), list[str]()
        self.mark("")
        for name, field in fields.items():
            try:
                if not isinstance(field, Form):
                    field.mark("")
                values[name] = field.get()
            except SpecError as error:
                if not field.marks_itself:
                    field.mark("; ".join(error.mistakes))
                mistakes += error.mistakes
            except ValueError as error:
                field.mark(str(error))
                mistakes.append(f"{owner}{name} {error}")
        self.settle(mistakes)
        return values

    def settle(self, mistakes: Sequence[str]) -> None:
        """Keep the mistakes of this look; a `SpecError` if there are any."""
        self.mistakes = tuple(mistakes)
        if mistakes:
            raise SpecError(mistakes)

    def look(self) -> Any:
        """Mark every mistake at its field; the value, or None where there are mistakes."""
        try:
            found = self.get()
        except SpecError:
            return None
        return found

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if self._desk is not None:  # for a reader without a kernel
            bundle |= {"text/html": self._desk.page(), "text/plain": visible(self._desk.text)}
        return bundle

    def _look(self) -> None:
        value = self.look()
        if self._desk is not None:
            self._desk.show(value)
