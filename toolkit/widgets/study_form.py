"""The form of a whole study: its stream, its arms, how often and in which order; and the button that runs it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.component import Config, digest
from toolkit.errors import SpecError, ToolkitError
from toolkit.evaluation import spec
from toolkit.evaluation.design import ORDERS
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.streams.desk import Desk
from toolkit.streams.scoring import as_named
from toolkit.traits.memory import Retrieval
from toolkit.widgets.fields import ChoiceField, Field, ListField, NumberField, TextField
from toolkit.widgets.form import ComponentForm, Form
from toolkit.widgets.forms import ArmForm
from toolkit.widgets.live import LiveStudy

_SEEDS = re.compile(r"\d+(\s*,\s*\d+)*,?")
_FIRST_WAY = "the model's usual way"
_BLAME = (
    ("seeds", r"^seeds "),
    ("order", r"^order "),
    ("name", r"^a study's name"),
    ("baseline", r"^the baseline"),
    ("deciding", r"cannot decide by"),
    ("scorers", r"scorer"),
    ("lm", r"^lm: "),
)


class SeedsField(TextField):
    """How many seeds, or which: ``5``, or ``0, 3, 7``."""

    def spell(self, value: Any) -> str:
        """A number where the seeds are the first ones."""
        first = len(value) > 0 and tuple(value) == tuple(range(len(value)))
        return str(len(value)) if first else ", ".join(map(str, value)) + "," * (len(value) == 1)

    def read(self, text: str) -> tuple[int, ...]:
        """The seeds."""
        if not _SEEDS.fullmatch(text.strip()):
            raise ValueError(f"must be a number, such as 5, or a list, such as 0, 3, 7, but is {text!r}")
        found = tuple(int(one) for one in text.split(",") if one.strip())
        return found if "," in text else tuple(range(found[0]))


class ArmsForm(Form):
    """The arms of a study, one below the other; those that are folded keep what they say."""

    def __init__(self) -> None:
        self.forms: list[ArmForm] = []
        self.place = ipywidgets.Accordion()
        add, copy, remove = (ipywidgets.Button(description=f"{verb} arm") for verb in ("Add", "Copy", "Remove"))
        add.on_click(lambda _: self._add(Arm(self._unused("arm"))))
        copy.on_click(lambda _: self._copy())
        remove.on_click(lambda _: self._remove())
        buttons = ipywidgets.HBox([add, copy, remove])
        super().__init__("arms", [ipywidgets.HTML("<b>Arms</b>"), self.place, buttons], nested=True)

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
        """What stands in each arm's form."""
        return [form.contents() for form in self.forms]

    def _refill(self, contents: Any) -> None:
        del self.forms[len(contents) :]
        while len(self.forms) < len(contents):
            self.forms.append(self._made(Arm(self._unused("arm"))))
        for form, standing in zip(self.forms, contents, strict=True):
            form.refill(standing)
        self._show(opened=None)

    def arm(self, name: str) -> ArmForm:
        """The form of the arm of that name."""
        for form in self.forms:
            if form.title.control.value == name:
                return form
        raise KeyError(f"no arm is called {name!r}: {', '.join(form.title.control.value for form in self.forms)}")

    def _made(self, arm: Arm) -> ArmForm:
        form = ArmForm(arm, nested=True)
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
        chosen = self.forms[at] if at is not None and self.forms else None
        arm = chosen.look() if chosen is not None else None
        if arm is None:
            self.mark("open the arm to copy first; it must have no mistakes")
            return
        values = {part: getattr(arm, part) for part in chosen.parts} if chosen is not None else {}
        self._add(Arm(self._unused(arm.name), **values))

    def _remove(self) -> None:
        at = self.place.selected_index
        if at is None:
            self.mark("open the arm to remove first")
            return
        del self.forms[at]
        self._show(opened=None)

    def _show(self, opened: int | None) -> None:
        self.place.children = self.forms
        self.place.selected_index = opened
        self._changed_one()

    def _title(self) -> None:
        self.place.titles = tuple(_headline(form) for form in self.forms)

    def _unused(self, name: str) -> str:
        taken = {form.title.control.value for form in self.forms}
        return next(found for n in range(2, 1000) if (found := f"{name}-{n}") not in taken)


def _headline(form: ArmForm) -> str:
    """An arm in one line: its name, and which class each trait is of where it is on."""
    chosen = {part: one.choice.value for part, one in form.parts.items() if isinstance(one, ComponentForm)}
    usual = {part: type(getattr(Arm.static(), part)).__name__ for part in Arm.traits}
    on = [f"{part}: {chosen[part]}" for part in Arm.traits if chosen[part] != usual[part]]
    return " · ".join([form.title.control.value or "(no name)", *(on or ["all traits off"])])


class StudyForm(Form):
    """A form for a study, with the button that runs it and a live view below.

    Parameters
    ----------
    value
        What to show first: a `Study`, or the path of a study.toml; None = static against memory on the service desk.
    ledger
        Where studies are kept.

    Attributes
    ----------
    study
        The study that was last started here; None before.

    Examples
    --------
    >>> form = StudyForm()
    >>> form.arms.arm("memory").parts["memory"].fields["k"].control.value = "2"
    >>> form.value.arms[1].memory
    Retrieval(k=2)
    """

    def __init__(self, value: Study | str | Path | None = None, ledger: Ledger | str | Path | None = None) -> None:
        self.study: Study | None = None
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        self._extra: dict[str, Any] = {}
        self._seen: tuple[str, str] = ("", "")
        self.arms = ArmsForm()
        self.parts: Mapping[str, Field] = {
            "name": TextField("name", "Its folder in the ledger."),
            "lm": ComponentForm("lm", name="lm", nested=True),
            "stream": ComponentForm("stream", Desk(), name="stream", nested=True),
            "seeds": SeedsField("seeds", "How many, such as 5, or which, such as 0, 3, 7."),
            "arms": self.arms,
            "baseline": ChoiceField("baseline", [""], "The arm that others are compared with; empty = the usual one."),
            "order": ChoiceField("order", ORDERS, "Shuffled: sessions in another random order for each seed."),
            "deciding": ChoiceField("deciding", ["", "likelihood", "grammar", "generation"], "How options are chosen."),
            "channel": ComponentForm("channel", name="channel", nested=True),
            "scorers": ListField("scorers", "Metrics, the main one first; empty = the stream's.", rows=2),
            "study_seed": NumberField("study_seed", int, "What all randomness of the study derives from."),
        }
        self.button = ipywidgets.Button(description="Run study", button_style="primary", icon="play")
        self.button.on_click(lambda _: self.start())
        self.said = ipywidgets.HTML()
        self.live = ipywidgets.VBox()
        front = [self.parts[part] for part in ("name", "lm", "stream", "seeds", "arms")]
        back = [self.parts[part] for part in ("baseline", "order", "deciding", "channel", "scorers", "study_seed")]
        more = ipywidgets.Accordion([ipywidgets.VBox(back)], titles=("more: baseline, order, deciding, channel",))
        run = ipywidgets.HBox([self.button, self.said])
        super().__init__("study", [*front, more, run, self.live], nested=False)
        for field in self.parts.values():
            field.on_change(self.changed)
        self.set(value if value is not None else self._usual())

    def set(self, value: Study | str | Path) -> None:
        """Show a study, or what a file says."""
        study = value if isinstance(value, Study) else spec.load(value, ledger=self.ledger.root)
        if len(study.streams) > 1 or len(study.orders) > 1:
            told = f"{len(study.streams)} streams and {len(study.orders)} orders"
            raise SpecError([f"a form shows one stream and one order, but {study.name!r} has {told}: edit its file"])
        for one in map(as_named, study.scorers):
            if not isinstance(one, str):
                raise SpecError([f"a form shows scorers by name, but {study.name!r} has {one!r}: edit its file"])
        self.ledger = study.ledger
        self._extra = {"code": study.code, "workers": study.workers, "budget": study.budget, "reuse": study.reuse}
        self._extra |= {"hypotheses": study.hypotheses, "stop_when": study.stop_when}
        self._extra |= {"second_pass": study.second_pass, "counterfactuals": study.counterfactuals}
        self._extra["exams"] = study.exams
        self._extra["tracking"] = study.tracking.target.asked
        self._quiet = True
        try:
            for part, field in self.parts.items():
                field.set([s.name for s in study.scorers] if part == "scorers" else getattr(study, part))
        finally:
            self._quiet = False
        self.changed()

    def get(self) -> Study:
        """The study."""
        self._offer_baselines()
        values = self.gather(self.parts)
        values |= {part: values[part] or None for part in ("deciding", "scorers")}
        name, stream = values.pop("name"), values.pop("stream")
        try:
            study = Study(name, stream, **values, **self._extra, ledger=self.ledger)
        except ValueError as error:
            told = list(error.mistakes) if isinstance(error, SpecError) else [str(error)]
            for mistake in told:
                self._at(mistake).mark(mistake)
            self.settle(told)
            raise
        self._check_stream(study)
        return study

    def config(self) -> Config:
        """The study's tables."""
        study: Study = self.value
        return study.config()

    def save(self, path: str | Path) -> Path:
        """Write the study as a study.toml that ``toolkit run`` runs."""
        return spec.save(self.value, path)

    def read(self, file: Path) -> Study:
        """The study of a file."""
        return spec.load(file, ledger=self.ledger.root)

    def start(self) -> LiveStudy | None:
        """Run the study in the background and show it live; None (and the reason) if it cannot start."""
        try:
            study = self.value
            if self.study is not None and self.study.running:
                raise SpecError([f"study {self.study.name!r} is running: stop it first"])
            study.start()
        except (ToolkitError, ValueError) as error:
            self._say(str(error), wrong=True)
            return None
        self.study = study
        self._say(f"ledger: {study.folder}")
        for old in self.live.children:
            old.close()
        view = LiveStudy(study)
        self.live.children = [view]
        return view

    def _look(self) -> None:
        super()._look()
        count = len(self.mistakes)
        self.button.disabled = count > 0
        self._say(f"{count} mistake{'s' * (count > 1)}: mend what is marked" if count else "", wrong=True)

    def _check_stream(self, study: Study) -> None:
        """Read the tasks once for each stream that is shown: its data may be missing, its numbers out of range."""
        shown = digest(study.stream.config())
        if shown != self._seen[0]:
            try:
                study.stream.pairs()
            except (ToolkitError, ValueError, OSError) as error:
                self._seen = shown, str(error)
            else:
                self._seen = shown, ""
        if self._seen[1]:
            told = self._seen[1].removeprefix("1 mistake:\n  - ")
            form = self.parts["stream"]
            named = (
                [f for n, f in form.fields.items() if re.search(rf"\b{n}\b", told)]
                if isinstance(form, ComponentForm)
                else []
            )
            (named or [form])[0].mark(told)
            self.settle([told])

    def _offer_baselines(self) -> None:
        field = self.parts["baseline"]
        if isinstance(field, ChoiceField):
            self._quiet, quiet = True, self._quiet
            field.offer(["", *(form.title.control.value for form in self.arms.forms)])
            self._quiet = quiet

    def _at(self, mistake: str) -> Field:
        arm = re.match(r"arm '([^']+)'", mistake)
        if arm is not None:
            return self.arms.arm(arm[1])
        return next((self.parts[part] for part, said in _BLAME if re.search(said, mistake)), self.arms)

    def _say(self, text: str, wrong: bool = False) -> None:
        colour = "var(--jp-error-color1, #b00020)" if wrong else "inherit"
        role = ' role="alert"' if wrong and text else ""
        self.said.value = f'<span{role} style="color: {colour}">{html.escape(text)}</span>'

    def _usual(self) -> Study:
        arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2))]
        return Study("my-study", Desk(tasks=30, queues=8), arms=arms, seeds=3, ledger=self.ledger)
