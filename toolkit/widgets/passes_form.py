"""How a study meets its tasks: in which orders, whether a second time, and when a copy is examined on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from toolkit.evaluation.design import ORDERS
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.frozen import SAME
from toolkit.streams.stream import Stream
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.fields import NumberField, SwitchField
from toolkit.widgets.form import ComponentForm, Form

_LABEL = {"description_width": "9.5em"}
_PASSES = (("none", ""), ("over the same stream again", SAME), ("over another stream, held out", "other"))


class OrdersField(Field):
    """One kind of order or several, a box each; the first that was ticked comes first.

    Examples
    --------
    >>> field = OrdersField("order")
    >>> field.set("given")
    >>> field.boxes["shuffled"].value = True
    >>> field.get()
    ('given', 'shuffled')
    """

    def __init__(self, name: str, help_text: str = "") -> None:
        self._asked: tuple[str, ...] = ()
        self.boxes = {kind: ipywidgets.Checkbox(description=kind, indent=False) for kind in ORDERS}
        for box in self.boxes.values():
            box.layout.width = "8em"
            box.observe(self._ticked, "value")
        label = ipywidgets.Label(name, layout={"width": "9.5em"})
        super().__init__([ipywidgets.HBox([label, *self.boxes.values()], layout={"flex_flow": "row wrap"})], help_text)

    def set(self, value: str | Sequence[str]) -> None:
        """Tick a kind, or several."""
        asked = (value,) if isinstance(value, str) else tuple(value)
        self._quiet, quiet = True, self._quiet
        for kind, box in self.boxes.items():
            box.value = kind in asked
        self._asked, self._quiet = asked, quiet
        self.changed()

    def get(self) -> str | tuple[str, ...]:
        """The kind, or the kinds where there are several."""
        if not self._asked:
            raise ValueError(f"must be at least one of {', '.join(ORDERS)}: tick one")
        return self._asked[0] if len(self._asked) == 1 else self._asked

    def contents(self) -> Any:
        """What is ticked, in order."""
        return list(self._asked)

    def _refill(self, contents: Any) -> None:
        self.set(contents)

    def _ticked(self, _: object) -> None:
        ticked = [kind for kind, box in self.boxes.items() if box.value]
        kept = [kind for kind in self._asked if kind in ticked]
        asked = (*kept, *(kind for kind in ticked if kind not in kept))
        if asked != self._asked:
            self._asked = asked
            self.changed()


class SecondPassField(Form):
    """None, the same stream once more, or a stream that is held out until then."""

    def __init__(self) -> None:
        self.choice = ipywidgets.Dropdown(options=_PASSES, description="second_pass", style=_LABEL)
        self.form = ComponentForm("stream", name="held out", nested=True)
        told = "After the stream and all its feedback, with all updating off: what was kept, and how far it carries."
        super().__init__("second_pass", [self.choice, ipywidgets.HTML(quiet(told)), self.form], nested=True)
        self.choice.observe(self._switch, "value")
        self.form.on_change(self.changed)
        self._show()

    def set(self, value: str | Stream) -> None:
        """Show what is passed over a second time."""
        if isinstance(value, Stream):
            self.form.set(value)
        self.choice.value = "other" if isinstance(value, Stream) else value
        self._show()

    def get(self) -> Any:
        """As a study takes it: empty, ``"same"``, or a stream."""
        self.mark("")
        self.settle([])
        return self.form.get() if self.choice.value == "other" else self.choice.value

    def _show(self) -> None:
        self.form.layout.display = "" if self.choice.value == "other" else "none"

    def _switch(self, _: object) -> None:
        self._show()
        self.changed()


class ExamsField(Form):
    """When a copy of each agent is examined, or never."""

    def __init__(self) -> None:
        self.asked = ipywidgets.Checkbox(description="exams", style=_LABEL, tooltip="Examine a copy of each agent.")
        self.fields: Mapping[str, Field] = {
            "before": SwitchField("before", "The whole stream before the first task: the day-one pass."),
            "every": NumberField("every", int, "Again after every so many tasks, and after the last; 0 = never."),
            "tasks": NumberField("tasks", int, "How many tasks, the same ones each time; of the day-one pass, all."),
        }
        self.place = ipywidgets.VBox(list(self.fields.values()))
        super().__init__("exams", [self.asked, self.place], nested=True)
        self.asked.observe(self._switch, "value")
        for field in self.fields.values():
            field.on_change(self.changed)
        self.set(None)

    def set(self, value: Exams | None) -> None:
        """Show exams, or that there are none."""
        for name, field in self.fields.items():
            field.set(getattr(value or Exams(), name))
        self.asked.value = value is not None
        self._show()

    def get(self) -> Exams | None:
        """The exams, checked; None where there are none."""
        if not self.asked.value:
            self.mark("")
            self.settle([])
            return None
        made = Exams(**self.gather(self.fields))
        mistakes = list(made.mistakes())
        for mistake in mistakes:
            at = next((field for name, field in self.fields.items() if mistake.startswith(f"exams.{name} ")), self)
            at.mark(mistake)
        self.settle(mistakes)
        return made

    def _show(self) -> None:
        self.place.layout.display = "" if self.asked.value else "none"

    def _switch(self, _: object) -> None:
        self._show()
        self.changed()
