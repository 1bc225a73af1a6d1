"""The forms of an agent: its role, its memory, its learner, and the arm that holds all its traits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.component import Component, Config, read_toml
from toolkit.errors import SpecError
from toolkit.lm.model import Model
from toolkit.streams.channel import Channel
from toolkit.traits.learning import Learner
from toolkit.traits.memory import MemoryPolicy
from toolkit.traits.role import Role, RolePolicy
from toolkit.traits.role_files import library, role
from toolkit.widgets.fields import Field, NumberField, SwitchField, TextField
from toolkit.widgets.form import ComponentForm, Form

_OWN = "as written below"


class MemoryForm(ComponentForm):
    """A form for a memory policy: which one, and its parameters.

    Parameters
    ----------
    value
        What to show first; None = no memory.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> print(MemoryForm(Retrieval(k=3)).code())
    import toolkit as tk
    <BLANKLINE>
    memory = tk.Retrieval(k=3)
    """

    def __init__(self, value: MemoryPolicy | None = None, name: str = "memory", nested: bool = False) -> None:
        super().__init__("memory", value, name, nested)


class LearnerForm(ComponentForm):
    """A form for a learner: which one, and its parameters.

    Parameters
    ----------
    value
        What to show first; None = nothing is learned.

    Examples
    --------
    >>> from toolkit.traits.learning import DemoBuffer
    >>> print(LearnerForm(DemoBuffer(size=4)).code())
    import toolkit as tk
    <BLANKLINE>
    learning = tk.DemoBuffer(size=4)
    """

    def __init__(self, value: Learner | None = None, name: str = "learning", nested: bool = False) -> None:
        super().__init__("learning", value, name, nested)


class RoleForm(ComponentForm):
    """A form for a role: from the library, changed, or written anew.

    A role that is saved is a file as in the library: `toolkit.role` reads it, and an arm may name it.

    Parameters
    ----------
    value
        What to show first: a role, or the name of one in the library; None = no role.
    """

    def __init__(self, value: RolePolicy | str | None = None, name: str = "role", nested: bool = False) -> None:
        self.library = ipywidgets.Dropdown(
            description="library", options=[_OWN, *library()], style={"description_width": "9.5em"}
        )
        super().__init__("role", role(value) if isinstance(value, str) else value, name, nested)
        self.children: tuple[ipywidgets.Widget, ...] = (self.library, *self.children)
        self.library.observe(self._take, "value")

    def set(self, value: Component) -> None:
        """Show a role."""
        super().set(value)
        self.library.value = next((name for name in library() if role(name) == value), _OWN)

    def save(self, path: str | Path) -> Path:
        """Write the role as a file of the library's form."""
        if not isinstance(self.value, Role):
            raise SpecError([f"{path}: there is no role to save: choose Role, or one of the library, first"])
        return super().save(path)

    def config(self) -> Config:
        """A role's file has its parameters without ``use``."""
        found = super().config()
        return {name: one for name, one in found.items() if name != "use"}

    def read(self, file: Path) -> Component:
        """A role's file."""
        if file.suffix != ".toml":
            raise SpecError([f"{file}: a role's file ends in .toml"])
        return role(str(file))

    def _take(self, _: object) -> None:
        if self.library.value != _OWN:
            self.set(role(self.library.value))

    def _look(self) -> None:
        """What was changed is no longer the library's."""
        super()._look()
        shown = self.library.value
        if shown != _OWN and not self.mistakes and self.value != role(shown):
            self.library.value = _OWN


class ModelField(Form):
    """A model of the arm's own, or the study's."""

    def __init__(self) -> None:
        self.own = ipywidgets.Checkbox(description="a model of its own", style={"description_width": "9.5em"})
        self.form = ComponentForm("lm", name="lm", nested=True)
        super().__init__("lm", [self.own, self.form], nested=True)
        self.own.observe(self._switch, "value")
        self.form.on_change(self.changed)
        self.set(None)

    def set(self, value: Model | None) -> None:
        """Show a model, or that there is none."""
        if value is not None:
            self.form.set(value)
        self.own.value = value is not None
        self.form.layout.display = "" if self.own.value else "none"

    def get(self) -> Any:
        """The model, or None."""
        return self.form.get() if self.own.value else None

    def _switch(self, _: object) -> None:
        self.form.layout.display = "" if self.own.value else "none"
        self.changed()


class ArmForm(Form):
    """A form for an arm: its name and its four traits; under "more", who decides and what model it has.

    Parameters
    ----------
    value
        What to show first; None = the static arm.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> form = ArmForm(Arm("memory", memory=Retrieval(k=3)))
    >>> form.parts["memory"].fields["k"].control.value = "5"
    >>> form.value.memory
    Retrieval(k=5)
    """

    def __init__(self, value: Arm | None = None, name: str = "arm", nested: bool = False) -> None:
        told = "Letters, digits, '.', '_' or '-'."
        self.title = TextField("name", told)
        self._channel: Channel | None = None  # which no field shows
        self.parts: Mapping[str, Field] = {
            "role": RoleForm(nested=True),
            "memory": MemoryForm(nested=True),
            "goals": ComponentForm("goals", nested=True),
            "learning": LearnerForm(nested=True),
            "decider": ComponentForm("decider", nested=True),
            "transcript": SwitchField("transcript", "The running session's earlier tasks and own answers."),
            "lm": ModelField(),
            "repeat": NumberField("repeat", int, "Another number is an independent repeat, as an A/A test needs."),
        }
        more = [self.parts[part] for part in ("decider", "transcript", "lm", "repeat")]
        self.more = ipywidgets.Accordion([ipywidgets.VBox(more)], titles=("more: decider, transcript, model, repeat",))
        traits = [self.parts[part] for part in Arm.traits]
        super().__init__(name, [self.title, *traits, self.more], nested)
        for field in (self.title, *self.parts.values()):
            field.on_change(self.changed)
        self.set(value if value is not None else Arm.static())

    def set(self, value: Arm) -> None:
        """Show an arm."""
        self._quiet = True
        self._channel = value.channel
        try:
            self.title.set(value.name)
            for part, field in self.parts.items():
                field.set(getattr(value, part))
        finally:
            self._quiet = False
        self.changed()

    def get(self) -> Arm:
        """The arm."""
        values = self.gather({"name": self.title, **self.parts})
        try:
            return Arm(**values, channel=self._channel)
        except ValueError as error:
            told = str(error)
            at = self.title if "name must" in told else self.parts["repeat"] if "repeat" in told else self
            at.mark(told)
            self.settle([told])
            raise

    def read(self, file: Path) -> Arm:
        """An arm from a TOML file."""
        return Arm.from_config(read_toml(file), file.name)
