"""Forms made from components: from signature, types and docstring to fields, and from fields back to the component."""

from __future__ import annotations

import html
import inspect
import re
import typing
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.component import Component, Config, build, read_toml, registered, watch_registry
from toolkit.errors import SpecError
from toolkit.widgets.code import source
from toolkit.widgets.fields import Field, field_for, quiet
from toolkit.widgets.help import parameter_help, summary

_INDENTED = {"margin": "0 0 0 1.5em", "padding": "0 0 0 0.5em", "border_left": "2px solid #d4d5d6"}
_CODE_ONLY = {"Wrapped"}  # a program of one's own: it has no parameters that a form could show
_offering: weakref.WeakSet[ComponentForm] = weakref.WeakSet()


class Form(Field):
    """A form for one thing that can be said in code and in a file too.

    `value` is the thing; `mistakes` is empty when all is well. `code` writes it as Python, `save` and `load` as TOML.

    Parameters
    ----------
    name
        What the thing is called, in labels and in code.
    body
        The widgets between the label and the mistakes.
    nested
        True within another form: without the line for code and files.
    """

    def __init__(self, name: str, body: Sequence[ipywidgets.Widget], nested: bool) -> None:
        self.name = name
        self.mistakes: tuple[str, ...] = ()
        self._desk = None if nested else _Desk(self)
        super().__init__([*body] if self._desk is None else [*body, self._desk])
        self.on_change(self._look)

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
        text = tomli_w.dumps(self.config())
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
                if not isinstance(field, Form):  # a form within has marked its own fields
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

    def _look(self) -> None:
        value = self.look()
        if self._desk is not None:
            self._desk.show(value)


class ComponentForm(Form):
    """A form for one component of a kind: which class, and its parameters.

    Parameters
    ----------
    kind
        Of component, e.g. ``"memory"``.
    value
        What to show first; None = the kind's first class with its defaults.
    name
        What it is called, in labels and in code; empty = its kind.
    nested
        True within another form.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> form = ComponentForm("memory", Retrieval(k=2))
    >>> form.fields["k"].control.value = "0"
    >>> form.mistakes
    ('Retrieval.k must be an integer of at least 1 but is 0',)
    >>> form.fields["k"].marked
    'Retrieval.k must be an integer of at least 1 but is 0'
    >>> form.fields["k"].control.value = "3"
    >>> form.value
    Retrieval(k=3)
    """

    def __init__(self, kind: str, value: Component | None = None, name: str = "", nested: bool = False) -> None:
        self.kind = kind
        self._known: dict[str, dict[str, Field]] = {}
        self._given: Component | None = None  # a component that no form can take apart
        self.choice = ipywidgets.Dropdown(description=name or kind, style={"description_width": "9.5em"})
        self.choice.options = list(_classes(kind))
        self._told_of = ipywidgets.HTML()
        self._place = ipywidgets.VBox(layout=_INDENTED)
        super().__init__(name or kind, [ipywidgets.HBox([self.choice, self._told_of]), self._place], nested)
        self.choice.observe(self._switch, "value")
        self.set(value if value is not None else _first(kind))
        _offering.add(self)

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of the class now chosen, by parameter."""
        return self._known.get(self.choice.value, {})

    def set(self, value: Component) -> None:
        """Show a component."""
        name = type(value).__name__
        self._quiet = True
        try:
            self._given = value if name in _CODE_ONLY else None
            self.offer()
            if self._given is not None:
                self.choice.options = [*self.choice.options, name]
            self.choice.value = name
            self._show()
            for parameter, field in self.fields.items():
                field.set(getattr(value, parameter))
        finally:
            self._quiet = False
        self.changed()

    def get(self) -> Component:
        """The component, checked."""
        if self._given is not None and self.choice.value == type(self._given).__name__:
            return self._given
        cls = _classes(self.kind)[self.choice.value]
        values = self.gather(self.fields, f"{cls.__name__}.")
        try:
            made = cls(**values)
            made.check()
        except (ValueError, TypeError) as error:
            self.settle(self._blame(cls.__name__, error))
        return made

    def read(self, file: Path) -> Component:
        """A component of this kind from a TOML file with ``use`` and parameters."""
        return build(self.kind, read_toml(file), file.name)

    def offer(self) -> None:
        """Offer every class of the kind that there is by now; the choice stays."""
        names = list(_classes(self.kind))
        if list(self.choice.options) != names:
            chosen = self.choice.value
            self.choice.options = names
            self.choice.value = chosen if chosen in names else names[0]

    def _switch(self, _: object) -> None:
        if not self._quiet:
            self._show()
            self.changed()

    def _show(self) -> None:
        """The fields of the class that is chosen; those of other classes keep what was typed into them."""
        name = self.choice.value
        cls = registered(self.kind)[name]
        if name not in self._known:
            self._known[name] = self._made(cls)
        told = "lives in code: change it there" if self._given is not None else summary(cls)
        self._told_of.value = quiet(told)
        self._place.children = list(self.fields.values())
        self._place.layout.display = "" if self.fields else "none"

    def _made(self, cls: type[Component]) -> dict[str, Field]:
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
        told, found = parameter_help(cls), dict[str, Field]()
        for name, parameter in cls.parameters().items():
            hint = hints.get(name, object)
            field: Field
            if isinstance(hint, type) and issubclass(hint, Component):
                field = ComponentForm(hint.kind, name=name, nested=True)
            else:
                field = field_for(name, hint, told.get(name, ""))
            if parameter.default is not inspect.Parameter.empty:
                field.set(parameter.default)
            elif hint in (int, float):
                field.set(0)
            field.on_change(self.changed)
            found[name] = field
        return found

    def _blame(self, cls: str, error: Exception) -> list[str]:
        """Mark a mistake at the parameter that it names, else at the foot; a form within marks its own."""
        told = list(error.mistakes) if isinstance(error, SpecError) else [str(error)]
        for mistake in told:
            dotted = [name for name in self.fields if re.search(rf"\b{cls}\.{name}\b", mistake)]
            spoken = [name for name in self.fields if len(name) > 3 and re.search(rf"\b{name}\b", mistake)]
            at = (dotted or spoken or [""])[0]
            (self.fields[at] if at else self).mark(mistake)
        return told


class _Desk(ipywidgets.Accordion):
    """The foot of a form: the same in code, and a file to save it in or open it from."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._code = ipywidgets.HTML()
        self._path = ipywidgets.Text(value=f"{form.name}.toml", description="file", style={"description_width": "3em"})
        self._said = ipywidgets.HTML()
        save, fetch = ipywidgets.Button(description="Save"), ipywidgets.Button(description="Open")
        save.on_click(lambda _: self._try(self._save))
        fetch.on_click(lambda _: self._try(self._fetch))
        files = ipywidgets.HBox([self._path, save, fetch, self._said])
        super().__init__([ipywidgets.VBox([self._code, files])], titles=("The same in code · save and open",))
        self.selected_index = None

    def show(self, value: Any) -> None:
        """Show the code of a value; without one, what is wrong."""
        text = source(self._form.name, value) if value is not None else "\n".join(self._form.mistakes)
        self._code.value = f'<pre style="line-height: 1.35">{html.escape(text)}</pre>'

    def _try(self, action: Any) -> None:
        try:
            self._said.value = html.escape(action())
        except ValueError as error:
            self._said.value = f'<span role="alert" style="color: #b00020">{html.escape(str(error))}</span>'

    def _save(self) -> str:
        return f"saved: {self._form.save(self._path.value)}"

    def _fetch(self) -> str:
        self._form.load(self._path.value)
        return f"opened: {self._path.value}"


def _classes(kind: str) -> dict[str, type[Component]]:
    return {name: cls for name, cls in registered(kind).items() if name not in _CODE_ONLY}


def _first(kind: str) -> Component:
    """The kind's first class that needs no parameter."""
    for cls in _classes(kind).values():
        if all(p.default is not p.empty for p in cls.parameters().values()):
            return cls()
    raise SpecError([f"no {kind} can be made without parameters: give the form a value to begin with"])


def _offer(cls: type[Component]) -> None:
    for form in list(_offering):
        if form.kind == cls.kind:
            form.offer()


watch_registry(_offer)
