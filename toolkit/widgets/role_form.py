"""The form of a role: from the library, from elsewhere or written anew; its parts can be switched off."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.agents.role_import import Imported, import_role, roles_in
from toolkit.component import Component, Config, read_toml
from toolkit.errors import SpecError
from toolkit.streams.stream import Stream
from toolkit.traits.role import PARTS, Role, RolePolicy
from toolkit.traits.role_files import library, role
from toolkit.widgets.adds import AddsView, attach
from toolkit.widgets.fold import Fold
from toolkit.widgets.form import ComponentForm

_OWN = "as written below"
_LABEL = {"description_width": "9.5em"}


class RoleForm(ComponentForm):
    """A form for a role: from the library, from elsewhere, changed, or written anew.

    A role that is saved is a file as in the library: `toolkit.role` reads it, and an arm may name it. The wordings of
    the file that it came from are saved with it, as they are.

    Parameters
    ----------
    value
        What to show first: a role, or the name of one in the library; None = no role.
    stream
        What it is tried on without a model, to tell what it adds: the first 20 tasks; None = a small `Desk`.

    Attributes
    ----------
    switches
        By part of the role a checkbox: what is switched off stays in its field and is not in `value`.
    adds
        What it adds to the static arm, and what each of its parts costs, kept up to date; None in a form within
        another.

    Examples
    --------
    >>> form = RoleForm("service-desk")
    >>> form.switches["rules"].value = False
    >>> form.value == role("service-desk").without("rules")
    True
    """

    def __init__(
        self,
        value: RolePolicy | str | None = None,
        name: str = "role",
        nested: bool = False,
        stream: Stream | None = None,
    ) -> None:
        self.adds: AddsView | None = None
        self.library = ipywidgets.Dropdown(description="library", options=[_OWN, *library()], style=_LABEL)
        self.switches = {part: ipywidgets.Checkbox(True, description=part, indent=False) for part in PARTS}
        for switch in self.switches.values():
            switch.layout.width = "8em"
        self.elsewhere = _Elsewhere(self)
        self.told = ipywidgets.HTML()
        self._wordings: tuple[Config, ...] = ()
        self._whole: Component | None = None
        super().__init__("role", role(value) if isinstance(value, str) else value, name, nested)
        parts = ipywidgets.HBox([ipywidgets.Label("parts", layout={"width": "9.5em"}), *self.switches.values()])
        self.children: tuple[ipywidgets.Widget, ...] = (
            self.library, self.elsewhere, parts, self.children[0], self.told, *self.children[1:],
        )  # fmt: skip
        if not nested:
            self.adds = attach(self, lambda role: Arm("sample", role=role), stream, self.costs)
        self.library.observe(self._take, "value")
        for switch in self.switches.values():
            switch.observe(self.changed, "value")

    def set(self, value: Component) -> None:
        """Show a role, with all its parts."""
        shipped = library() if isinstance(value, Role) else ()
        named = next((name for name in shipped if role(name) == value), _OWN)
        self._wordings = _wordings(library()[named]) if named != _OWN else ()
        for switch in self.switches.values():
            switch.value = True
        super().set(value)
        self.library.value = named

    def get(self) -> Component:
        """The role, without the parts that are switched off."""
        found = self._whole = super().get()
        off = [part for part, switch in self.switches.items() if not switch.value]
        return found.without(*off) if isinstance(found, Role) and off else found

    def contents(self) -> Any:
        """What stands in its fields, and the wordings that came with it, which no field shows."""
        return {**super().contents(), "wordings": list(self._wordings)}

    def _refill(self, contents: Any) -> None:
        super()._refill({name: one for name, one in contents.items() if name != "wordings"})
        self._wordings = tuple(dict(one) for one in contents["wordings"])

    def save(self, path: str | Path) -> Path:
        """Write the role as a file of the library's form, with the wordings that it came with.

        Raises
        ------
        SpecError
            If there is no role, or a part is switched off: a file holds the whole role.
        """
        value, off = self.value, [part for part, switch in self.switches.items() if not switch.value]
        if not isinstance(self._whole, Role):
            raise SpecError([f"{path}: there is no role to save: choose Role, or one of the library, first"])
        if off and value != self._whole:
            raise SpecError([f"{path}: a file holds the whole role; switch on {', '.join(off)} first"])
        return super().save(path)

    def costs(self) -> str:
        """What each part costs in every prompt, in words; of a part that is off, what it would cost.

        Examples
        --------
        >>> form = RoleForm(Role("Clerk", "Files letters.", rules=("Ask first.",)))
        >>> form.switches["rules"].value = False
        >>> form.costs()
        'tokens by part: identity 8, rules 5 (off)'
        """
        if self.mistakes or not isinstance(self._whole, Role):
            return ""
        off = [part for part, switch in self.switches.items() if not switch.value]
        told = [f"{part} {count}{' (off)' * (part in off)}" for part, count in _tokens(self._whole).items() if count]
        return f"tokens by part: {', '.join(told)}"

    def config(self) -> Config:
        """A role's file has its parameters without ``use``, and its wordings."""
        found = {name: one for name, one in super().config().items() if name != "use"}
        fitting = self._fitting()
        return {**found, "wordings": list(fitting)} if fitting else found

    def read(self, file: Path) -> Component:
        """A role's file."""
        if file.suffix != ".toml":
            raise SpecError([f"{file}: a role's file ends in .toml"])
        return role(str(file))

    def load(self, path: str | Path) -> None:
        """Show the role of a TOML file; its wordings come with it."""
        file = Path(path).expanduser()
        super().load(file)
        self._wordings = _wordings(file)
        self._look()

    def import_from(self, source: object, name: str = "", **options: Any) -> Imported:
        """Show a role from elsewhere; what could not be carried over. As `toolkit.import_role`."""
        found = import_role(source, name, **options)
        self.set(found.role)
        return found

    def _take(self, _: object) -> None:
        if self.library.value != _OWN:
            self.set(role(self.library.value))

    def _look(self) -> None:
        """What was changed is no longer the library's."""
        super()._look()
        shown = self.library.value
        if shown != _OWN and not self.mistakes and self._whole != role(shown):
            self.library.value = _OWN
        kept, all_ = len(self._fitting()), len(self._wordings)
        lost = f"; {all_ - kept} have another number of rules and are not" if kept < all_ else ""
        told = f"It comes in {all_} other wordings; {kept} are saved with it{lost}." if all_ else ""
        self.told.value = f"<small>{html.escape(told)}</small>"

    def _fitting(self) -> tuple[Config, ...]:
        """The wordings that still have as many rules as the role."""
        rules = len(self._whole.rules) if isinstance(self._whole, Role) else 0
        return tuple(one for one in self._wordings if len(one.get("rules", [None] * rules)) == rules)


def _wordings(file: Path) -> tuple[Config, ...]:
    return tuple(read_toml(file).get("wordings", ()))


def _tokens(whole: Role) -> dict[str, int]:
    """By part, what a role has less without it."""
    rest = {part: whole.without(part) for part in PARTS}
    return {part: whole.tokens - (one.tokens if isinstance(one, Role) else 0) for part, one in rest.items()}


class _Elsewhere(Fold):
    """The part of a role's form that imports: a text that is pasted, or a file and which of its roles."""

    def __init__(self, form: RoleForm) -> None:
        self._form = form
        wide = {"width": "46em", "max_width": "98%"}
        self.text = ipywidgets.Textarea(
            description="system prompt", placeholder="paste a text", rows=4, style=_LABEL, layout=wide
        )
        self.path = ipywidgets.Text(
            description="or a file", placeholder="agents.yaml, prompts.csv, prompt.txt", continuous_update=False,
            style=_LABEL, layout=wide,
        )  # fmt: skip
        self.search = ipywidgets.Text(
            description="search it", placeholder="words of its name or text; empty = all", continuous_update=False,
            style=_LABEL, layout=wide,
        )  # fmt: skip
        self.name = ipywidgets.Combobox(description="name", placeholder="which, or how called", style=_LABEL)
        self.take = ipywidgets.Button(description="Import")
        self.said = ipywidgets.HTML()
        for one in (self.path, self.search):
            one.observe(self._offer, "value")
        self.take.on_click(self._take)
        row = ipywidgets.HBox([self.name, self.take])
        super().__init__("from elsewhere", [self.text, self.path, self.search, row, self.said])

    def _offer(self, _: object) -> None:
        """Offer the names in the file, where it has names."""
        try:
            found = self.name.options = roles_in(self.path.value, self.search.value)
            self.said.value = _told(_several(len(found), self.search.value), False) if len(found) != 1 else ""
        except SpecError as error:
            self.name.options = ()
            file = Path(self.path.value)
            self.said.value = _told(str(error), True) if file.suffix in (".yaml", ".yml", ".csv", ".tsv") else ""

    def _take(self, _: object) -> None:
        try:
            source = Path(self.path.value) if self.path.value.strip() else f"{self.text.value}\n"
            self.said.value = _told(str(self._form.import_from(source, self.name.value.strip())), False)
        except SpecError as error:
            self.said.value = _told(str(error), True)


def _several(found: int, search: str) -> str:
    if not search.strip():
        return f"{found} in the file: choose a name"
    return f"{found} hold {search!r}: choose a name" if found else f"none holds {search!r}: search by fewer words"


def _told(text: str, wrong: bool) -> str:
    style = "color: var(--jp-error-color1, #b00020)" if wrong else ""
    return f'<pre style="white-space: pre-wrap; {style}" {"role=alert" if wrong else ""}>{html.escape(text)}</pre>'
