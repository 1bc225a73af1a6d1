"""The forms of an agent: its memory, goals and learner, and the arm that holds all traits; see `role_form` too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.component import read_toml
from toolkit.lm.model import Model
from toolkit.streams.channel import Channel
from toolkit.streams.stream import Stream
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.learning import Learner
from toolkit.traits.memory import MemoryPolicy
from toolkit.widgets.adds import AddsView, attach
from toolkit.widgets.fields import Field, NumberField, SwitchField, TextField
from toolkit.widgets.fold import Fold
from toolkit.widgets.form import ComponentForm, Form
from toolkit.widgets.memory_try import MemoryTry
from toolkit.widgets.role_form import RoleForm


class MemoryForm(ComponentForm):
    """A form for a memory policy: which one, and its parameters; what it adds, how it works, and a box to try it.

    Parameters
    ----------
    value
        What to show first; None = no memory.
    stream
        What it is tried on without a model, to tell what it adds: the first 20 tasks; None = a small `Desk`.

    Attributes
    ----------
    adds
        What it adds to the static arm, kept up to date; None in a form within another.
    tried
        What it wrote of the sample, and what it would recall for a text; None likewise.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> print(MemoryForm(Retrieval(k=3)).code())
    import toolkit as tk
    <BLANKLINE>
    memory = tk.Retrieval(k=3)
    """

    def __init__(
        self,
        value: MemoryPolicy | None = None,
        name: str = "memory",
        nested: bool = False,
        stream: Stream | None = None,
    ) -> None:
        super().__init__("memory", value, name, nested)
        self.adds: AddsView | None = None
        self.tried: MemoryTry | None = None
        if not nested:
            self.adds = attach(self, lambda memory: Arm("sample", memory=memory), stream)
            self.tried = MemoryTry(self.adds)
            above, foot = self.children[:-2], self.children[-2:]
            self.children: tuple[ipywidgets.Widget, ...] = (*above, self.tried, *foot)
            self.on_change(self.tried.look)


class GoalForm(ComponentForm):
    """A form for a goal policy: which one, and its parameters; what it adds, and what would wake the agent.

    Parameters
    ----------
    value
        What to show first; None = the agent answers when prompted.
    stream
        What it is tried on without a model, to tell what it adds: the first 20 tasks; None = a small `DeskCases`.

    Attributes
    ----------
    adds
        What it adds to the static arm, kept up to date; None in a form within another.

    Examples
    --------
    >>> from toolkit.traits.goals import Watch
    >>> form = GoalForm(Watch(("smoke",)))
    >>> print(form.code())
    import toolkit as tk
    <BLANKLINE>
    goals = tk.Watch(conditions=('smoke',))
    >>> form.adds.found.waking.woken
    0
    """

    def __init__(
        self, value: GoalPolicy | None = None, name: str = "goals", nested: bool = False, stream: Stream | None = None
    ) -> None:
        super().__init__("goals", value, name, nested)
        self.adds: AddsView | None = None
        if not nested:
            self.adds = attach(self, lambda goals: Arm("sample", goals=goals), stream)


class LearnerForm(ComponentForm):
    """A form for a learner: which one, and its parameters; what it adds.

    Parameters
    ----------
    value
        What to show first; None = nothing is learned.
    stream
        What it is tried on without a model, to tell what it adds: the first 20 tasks; None = a small `Desk`.

    Attributes
    ----------
    adds
        What it adds to the static arm, kept up to date; None in a form within another.

    Examples
    --------
    >>> from toolkit.traits.learning import DemoBuffer
    >>> print(LearnerForm(DemoBuffer(size=4)).code())
    import toolkit as tk
    <BLANKLINE>
    learning = tk.DemoBuffer(size=4)
    """

    def __init__(
        self, value: Learner | None = None, name: str = "learning", nested: bool = False, stream: Stream | None = None
    ) -> None:
        super().__init__("learning", value, name, nested)
        self.adds: AddsView | None = None
        if not nested:
            self.adds = attach(self, lambda learning: Arm("sample", learning=learning), stream)


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
    stream
        What it is tried on without a model, to tell what it adds: the first 20 tasks; None = a small `Desk`, or a small
        `DeskCases` where it has a goal policy.

    Attributes
    ----------
    adds
        What it adds to the static arm, kept up to date; in a form within another it stands in a fold, and nothing is
        tried before that is opened.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval
    >>> form = ArmForm(Arm("memory", memory=Retrieval(k=3)))
    >>> form.parts["memory"].fields["k"].control.value = "5"
    >>> form.value.memory
    Retrieval(k=5)
    """

    def __init__(
        self, value: Arm | None = None, name: str = "arm", nested: bool = False, stream: Stream | None = None
    ) -> None:
        told = "Letters, digits, '.', '_' or '-'."
        self.title = TextField("name", told)
        self._channel: Channel | None = None  # which no field shows
        self.parts: Mapping[str, Field] = {
            "role": RoleForm(nested=True),
            "memory": MemoryForm(nested=True),
            "goals": GoalForm(nested=True),
            "learning": LearnerForm(nested=True),
            "decider": ComponentForm("decider", nested=True),
            "transcript": SwitchField("transcript", "The running session's earlier tasks and own answers."),
            "lm": ModelField(),
            "repeat": NumberField("repeat", int, "Another number is an independent repeat, as an A/A test needs."),
        }
        more = [self.parts[part] for part in ("decider", "transcript", "lm", "repeat")]
        self.more = Fold("more: decider, transcript, model, repeat", more)
        traits = [self.parts[part] for part in Arm.traits]
        super().__init__(name, [self.title, *traits, self.more], nested)
        for field in (self.title, *self.parts.values()):
            field.on_change(self.changed)
        self.set(value if value is not None else Arm.static())
        self.adds = attach(self, lambda arm: replace(arm, name="sample"), stream, folded=nested)

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
