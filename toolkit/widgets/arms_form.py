"""The form of a study's arms: one below the other, each in a fold of its own; and arms that no form can show."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ipywidgets
from traitlets import TraitError

from toolkit.agents.arm import Arm
from toolkit.analysis.shown import visible
from toolkit.component import Component
from toolkit.errors import SpecError
from toolkit.widgets.code import source
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.fields import TextField
from toolkit.widgets.fold import Folds
from toolkit.widgets.form import ComponentForm, Form
from toolkit.widgets.forms import ArmForm
from toolkit.widgets.rows import Named


class KeptArm(Form):
    """An arm that holds what only code can make: it is kept as it is, and can be renamed.

    Parameters
    ----------
    arm
        What was given.
    """

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.title = TextField("name", "Letters, digits, '.', '_' or '-'.")
        self.parts: Mapping[str, Field] = {}
        told = quiet("This arm holds what only code can make; change it there.")
        super().__init__("arm", [self.title, ipywidgets.HTML(told), code_lines("arm", arm)], nested=True)
        self.title.set(arm.name)
        self.title.on_change(self.changed)

    def get(self) -> Arm:
        """The arm under the name that stands there."""
        name = self.gather({"name": self.title})["name"]
        try:
            return replace(self.arm, name=name)
        except ValueError as error:
            self.title.mark(str(error))
            self.settle([str(error)])
            raise


OneArm = ArmForm | KeptArm


class ArmsForm(Form):
    """The arms of a study, one below the other; those that are folded keep what they say."""

    def __init__(self) -> None:
        self.forms: list[OneArm] = []
        self._kept: list[KeptArm] = []  # all that were ever shown: a draft can name them, not make them
        self.place = Folds()
        add, copy, remove = (ipywidgets.Button(description=f"{verb} arm") for verb in ("Add", "Copy", "Remove"))
        add.on_click(lambda _: self._add(Arm(self._unused("arm"))))
        copy.on_click(lambda _: self._copy())
        remove.on_click(lambda _: self._remove())
        buttons = ipywidgets.HBox([add, copy, remove])
        super().__init__("arms", [ipywidgets.HTML("<b>Arms</b>"), self.place, buttons], nested=True)

    @property
    def named(self) -> Named:
        """The arms with the names that now stand there."""
        return [(form, form.title.control.value) for form in self.forms]

    def set(self, value: tuple[Arm, ...]) -> None:
        """Show arms."""
        self.forms = [self._made(arm) for arm in value]
        self._show(opened=None)

    def get(self) -> tuple[Arm, ...]:
        """The arms."""
        found, mistakes = list[Arm](), list[str]()
        self.mark("")
        for form in self.forms:
            try:
                found.append(form.get())
            except SpecError as error:
                mistakes += [f"arm {form.title.control.value!r}: {mistake}" for mistake in error.mistakes]
        self.settle(mistakes)
        return tuple(found)

    def contents(self) -> Any:
        """What stands in each arm's form; of one that lives in code, which it is and its name."""
        return [
            {"kept": self._kept.index(form), "name": form.title.control.value}
            if isinstance(form, KeptArm)
            else form.contents()
            for form in self.forms
        ]

    def _refill(self, contents: Any) -> None:
        spare = [form for form in self.forms if isinstance(form, ArmForm)]
        found = list[OneArm]()
        for standing in contents:
            if "kept" in standing:
                kept = self._kept[standing["kept"]]
                kept.title.control.value = standing["name"]
                found.append(kept)
            else:
                form = spare.pop(0) if spare else self._made(Arm(self._unused("arm")))
                form.refill(standing)
                found.append(form)
        self.forms = found
        self._show(opened=None)

    def arm(self, name: str) -> OneArm:
        """The form of the arm of that name."""
        for form in self.forms:
            if form.title.control.value == name:
                return form
        raise KeyError(f"no arm is called {name!r}: {', '.join(form.title.control.value for form in self.forms)}")

    def _made(self, arm: Arm) -> OneArm:
        form = _shown(arm)
        if isinstance(form, KeptArm):
            self._kept.append(form)
        form.on_change(self._changed_one)
        return form

    def _changed_one(self) -> None:
        self._title()
        self.changed()

    def _add(self, arm: Arm) -> None:
        self.forms.append(self._made(arm))
        self._show(opened=len(self.forms) - 1)

    def _copy(self) -> None:
        at = self.place.selected_index
        arm = self.forms[at].look() if at is not None else None
        if arm is None:
            self.mark("open the arm to copy first; it must have no mistakes")
            return
        self._add(replace(arm, name=self._unused(arm.name)))

    def _remove(self) -> None:
        at = self.place.selected_index
        if at is None:
            self.mark("open the arm to remove first")
            return
        del self.forms[at]
        self._show(opened=None)

    def _show(self, opened: int | None) -> None:
        self.place.bodies = self.forms
        self.place.selected_index = opened
        self._changed_one()

    def _title(self) -> None:
        self.place.titles = tuple(_headline(form) for form in self.forms)

    def _unused(self, name: str) -> str:
        taken = {form.title.control.value for form in self.forms}
        return next(found for n in range(2, 1000) if (found := f"{name}-{n}") not in taken)


def code_lines(name: str, value: Component | Arm) -> ipywidgets.HTML:
    """Code that can be read and not changed."""
    text = source(name, value).partition("\n\n")[2]
    return ipywidgets.HTML(f'<pre style="line-height: 1.35">{html.escape(visible(text))}</pre>')


def _shown(arm: Arm) -> OneArm:
    """A form for an arm; one that would not give it back is not made."""
    try:
        form = ArmForm(arm, nested=True)
        found = form.look()
    except (TraitError, TypeError, ValueError):  # a part that has no fields: the arm is shown as it is
        return KeptArm(arm)
    same = found is not None and (found.fingerprint(), found.lm) == (arm.fingerprint(), arm.lm)
    return form if same else KeptArm(arm)


def _headline(form: OneArm) -> str:
    """An arm in one line: its name, and which class each trait is of where it is on."""
    name = form.title.control.value or "(no name)"
    wrong = " · ✗ mistake" * bool(form.mistakes)
    if isinstance(form, KeptArm):
        return f"{name} · lives in code{wrong}"
    chosen = {part: one.choice.value for part, one in form.parts.items() if isinstance(one, ComponentForm)}
    usual = {part: type(getattr(Arm.static(), part)).__name__ for part in Arm.traits}
    on = [f"{part}: {chosen[part]}" for part in Arm.traits if chosen[part] != usual[part]]
    return " · ".join([name, *(on or ["all traits off"])]) + wrong
