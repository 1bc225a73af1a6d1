"""Forms made from components: from signature, types and docstring to fields, and from fields back to the component."""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.component import Component, build, read_toml, registered, watch_registry
from toolkit.errors import SpecError
from toolkit.hints import hints_of
from toolkit.widgets.choosing import field_for
from toolkit.widgets.field import Field, quiet, under_the_control
from toolkit.widgets.form_base import Form as Form
from toolkit.widgets.help import parameter_help, summary

_INDENTED = {"margin": "0 0 0 1.5em", "padding": "0 0 0 0.5em", "border_left": "2px solid #d4d5d6"}
_CODE_ONLY = {"Wrapped"}  # a program of one's own: it has no parameters that a form could show
_offering: weakref.WeakSet[ComponentForm] = weakref.WeakSet()


class ComponentForm(Form):
    """A form for one component of a kind: which class, and its parameters.

    Parameters
    ----------
    kind
        Of component, e.g. ``"memory"``.
    value
        What to show first; None = the kind's first class that needs no parameter, or, without one, none yet.
    name
        What it is called, in labels and in code; empty = its kind.
    nested
        True within another form.
    family
        Offer only its classes; None = all of the kind.
    help_text
        What it is for; shown below the choice.

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

    def __init__(
        self,
        kind: str,
        value: Component | None = None,
        name: str = "",
        nested: bool = False,
        family: type[Component] | None = None,
        help_text: str = "",
    ) -> None:
        self.kind = kind
        self._family = family or Component
        self._known: dict[str, dict[str, Field]] = {}
        self._fresh: dict[str, Any] = {}  # by class what its fields showed at first
        self._given: Component | None = None  # a component that no form can take apart
        self.choice = ipywidgets.Dropdown(
            description=name or kind, style={"description_width": "9.5em"}, tooltip=help_text
        )
        self.choice.options, self.choice.value = list(self._classes()), None
        self._told_of = ipywidgets.HTML()
        self._place = ipywidgets.VBox(layout=_INDENTED)
        told = [ipywidgets.HTML(under_the_control(help_text))] if help_text else []
        super().__init__(name or kind, [ipywidgets.HBox([self.choice, self._told_of]), *told, self._place], nested)
        self.choice.observe(self._switch, "value")
        first = value if value is not None else self._first()
        if first is not None:
            self.set(first)
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
            self._given = None if name in self._classes() else value
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
        cls = self._classes().get(self.choice.value)
        if cls is None:
            told = f"{self.name}: choose which {self.kind}"
            self.mark(told)
            self.mistakes = (told,)
            raise SpecError([told])
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

    def contents(self) -> Any:
        """Which class is chosen, and what stands in its fields and in those of others that were changed."""
        typed = {name: _standing(fields) for name, fields in self._known.items()}
        chosen = self.choice.value
        changed = {name: one for name, one in typed.items() if name == chosen or one != self._fresh[name]}
        return {**super().contents(), "classes": changed}

    def _refill(self, contents: Any) -> None:
        chosen = contents["choice"]
        if chosen not in self.choice.options:
            raise ValueError(f"no {self.kind} is called {chosen!r} here")
        super()._refill({name: one for name, one in contents.items() if name != "classes"})
        self._show()
        for name, standing in contents["classes"].items():
            if name == chosen or name in self._classes():
                fields = self._fields_of(name)
                if set(fields) != set(standing):
                    raise ValueError(f"{name} has other parameters now")
                for parameter, field in fields.items():
                    field.refill(standing[parameter])

    def offer(self) -> None:
        """Offer every class of the kind that there is by now; the choice stays."""
        names = list(self._classes())
        if list(self.choice.options) != names:
            chosen = self.choice.value
            self.choice.options = names
            self.choice.value = chosen if chosen in names else None if chosen is None else names[0]

    def _classes(self) -> dict[str, type[Component]]:
        family = registered(self.kind)
        return {name: cls for name, cls in family.items() if name not in _CODE_ONLY and issubclass(cls, self._family)}

    def _first(self) -> Component | None:
        """The first class that needs no parameter; None = the user has to choose."""
        able = (cls for cls in self._classes().values() if all(_may_be_left_out(cls)))
        cls = next(able, None)
        return None if cls is None else cls()

    def _switch(self, _: object) -> None:
        if not self._quiet:
            self._show()
            self.changed()

    def _show(self) -> None:
        """The fields of the class that is chosen; those of other classes keep what was typed into them."""
        cls = self._classes().get(self.choice.value)
        fields = {} if self.choice.value is None else self._fields_of(self.choice.value)
        told = "lives in code: change it there" if cls is None and self._given is not None else ""
        self._told_of.value = quiet(told or (summary(cls) if cls is not None else ""))
        self._place.children = list(fields.values())
        self._place.layout.display = "" if fields else "none"

    def _fields_of(self, name: str) -> dict[str, Field]:
        """The fields of a class, made when it is first chosen."""
        if name not in self._known:
            cls = self._classes().get(name)
            self._known[name] = {} if cls is None else self._made(cls)
            self._fresh[name] = _standing(self._known[name])
        return self._known[name]

    def _made(self, cls: type[Component]) -> dict[str, Field]:
        hints, told = hints_of(cls), parameter_help(cls)
        found = dict[str, Field]()
        for name, parameter in cls.parameters().items():
            usual = parameter.default
            hint = hints.get(name, _family_of(usual))
            field = field_for(name, hint, told.get(name, ""))
            if usual is not inspect.Parameter.empty:
                field.set(usual)
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


def _standing(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: field.contents() for name, field in fields.items()}


def _may_be_left_out(cls: type[Component]) -> list[bool]:
    return [p.default is not p.empty for p in cls.parameters().values()]


def _family_of(usual: object) -> Any:
    """What a parameter without a type is: a component of its default's kind, else any plain value."""
    if not isinstance(usual, Component):
        return object
    return next(cls for cls in reversed(type(usual).__mro__) if getattr(cls, "kind", ""))


def _offer(cls: type[Component]) -> None:
    for form in list(_offering):
        if form.kind == cls.kind and form.comm is not None:  # else it was closed: nobody sees it
            form.offer()


watch_registry(_offer)
