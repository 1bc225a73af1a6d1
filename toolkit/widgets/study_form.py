"""The form of a whole study: all that it is made of, what it will cost and can show, and the button that runs it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import ipywidgets

from toolkit.agents.arm import Arm
from toolkit.analysis.shown import visible
from toolkit.component import Config, digest
from toolkit.errors import SpecError, ToolkitError
from toolkit.evaluation import spec
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target
from toolkit.streams.desk import Desk
from toolkit.streams.scoring import as_named
from toolkit.streams.stream import Stream
from toolkit.traits.memory import Retrieval
from toolkit.widgets.arms_form import ArmsForm, code_lines
from toolkit.widgets.budget_form import BudgetForm
from toolkit.widgets.claims_form import ConditionsForm, HypothesesForm
from toolkit.widgets.component_fields import MixedField
from toolkit.widgets.field import Field, quiet
from toolkit.widgets.fields import ChoiceField, NumberField, SwitchField, TextField
from toolkit.widgets.fold import Fold
from toolkit.widgets.form import ComponentForm, Form
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.passes_form import ExamsField, OrdersField, SecondPassField
from toolkit.widgets.plan_view import PlanView
from toolkit.widgets.rows import ArmChoice, Named, Rows

_SEEDS = re.compile(r"\d+(\s*,\s*\d+)*,?")
_BLAME = (
    ("seeds", r"^seeds "),
    ("order", r"^orders? "),
    ("name", r"^a study's name"),
    ("baseline", r"^the baseline"),
    ("deciding", r"cannot decide by"),
    ("scorers", r"scorer"),
    ("lm", r"^lm: "),
    ("channel", r"^channel: "),
    ("second_pass", r"^second_pass "),
    ("counterfactuals", r"^counterfactuals "),
    ("exams", r"^exams"),
    ("tracking", r"tracking"),
    ("budget", r"^budget"),
    ("stop_when", r"^stop_when "),
    ("hypotheses", r"hypothes[ie]s"),
    ("stream", r"^the streams? |\bpool of "),
)
_FRONT = ("name", "lm", "stream", "seeds", "arms")
_MORE = (
    *("baseline", "order", "deciding", "channel", "scorers", "study_seed", "stop_when", "second_pass"),
    *("counterfactuals", "exams", "workers", "reuse", "tracking"),
)
_SHOWN = 3  # mistakes that are told beside the button


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


class StudyForm(Form):
    """A form for a study, with its plan beside, the button that runs it, and a live view below.

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
    parts
        By parameter of `Study` its field.
    plan
        What `Study.plan` says of the study that the form shows, worked out in the background.

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
        self._beyond: dict[str, Any] = {}  # what no field shows
        self._target = Target("")
        self._seen: dict[Field, tuple[str, str]] = {}
        self.arms, self.budget, self.hypotheses = ArmsForm(), BudgetForm(), HypothesesForm()
        own = {"arms": self.arms, "budget": self.budget, "hypotheses": self.hypotheses}
        self.parts: Mapping[str, Field] = {**_fields(), **own}
        self.plan = PlanView()
        self.button = ipywidgets.Button(description="Run study", button_style="primary", icon="play")
        self.button.on_click(lambda _: self.start())
        self.said, self.live, self.kept = ipywidgets.HTML(), ipywidgets.VBox(), ipywidgets.VBox()
        self.folds = {
            "hypotheses": Fold("hypotheses", [self.hypotheses]),
            "budget": Fold("budget", [self.budget]),
            "more": Fold("more", [*(self.parts[part] for part in _MORE), self.kept]),
        }
        run = ipywidgets.HBox([self.button, self.said])
        body = [*(self.parts[part] for part in _FRONT), *self.folds.values(), self.plan, run, self.live]
        super().__init__("study", body, nested=False)
        for field in self.parts.values():
            field.on_change(self.changed)
        self.set(value if value is not None else self._usual())

    def set(self, value: Study | str | Path) -> None:
        """Show a study, or what a file says."""
        study = value if isinstance(value, Study) else spec.load(value, ledger=self.ledger.root)
        shown = {part: getattr(study, part) for part in self.parts if hasattr(study, part)}
        shown["scorers"] = list(map(as_named, study.scorers)) if study.scorers_named else []
        shown["tracking"] = study.tracking.target.asked
        self.ledger, self._target = study.ledger, study.tracking.target
        self._beyond = {"streams": study.streams[1:], "code": study.code}
        self.kept.children = _kept(study)
        self._quiet = True
        try:
            self.arms.set(study.arms)
            self._offer()
            for part, field in self.parts.items():
                if field is not self.arms:
                    field.set(shown[part])
        finally:
            self._quiet = False
        self.changed()

    def get(self) -> Study:
        """The study."""
        self._offer()
        values = self.gather(self.parts)
        values |= {part: values[part] or None for part in ("deciding", "scorers")}
        values["tracking"] = _in_full(values["tracking"], self._target)
        name, stream = values.pop("name"), values.pop("stream")
        try:
            study = Study(name, stream, **values, **self._beyond, ledger=self.ledger)
        except (ToolkitError, ValueError) as error:
            told = list(error.mistakes) if isinstance(error, SpecError) else [str(error)]
            for mistake in told:
                self._at(mistake).mark(mistake)
            self.settle(told)
            raise
        self.hypotheses.measure([scorer.name for scorer in study.scorers])
        self._check_stream(study.stream, self.parts["stream"])
        if isinstance(study.second_pass, Stream):
            self._check_stream(study.second_pass, self.parts["second_pass"])
        return study

    def look(self) -> Any:
        """Mark every mistake at its field, and plan what has none; the value, or None where there are mistakes."""
        found = super().look()
        self.plan.wish(found)
        return found

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

    def close(self) -> None:
        """Take the form away; a study that it has started goes on."""
        self.plan.close()
        super().close()

    def _refill(self, contents: Any) -> None:
        self.arms.refill(contents["arms"])  # first: what speaks of arms must know them
        self._offer()
        super()._refill(contents)

    def _look(self) -> None:
        super()._look()
        count = len(self.mistakes)
        self.button.disabled = count > 0
        more = [f"and {count - _SHOWN} more"] if count > _SHOWN else []
        told = "; ".join([*self.mistakes[:_SHOWN], *more])
        self._say(f"Cannot run: {count} mistake{'s' * (count > 1)}: {told}" if count else "", wrong=True)
        self._title()

    def _title(self) -> None:
        """The folds say what is in them, and that something is wrong there."""
        claims = len(self.hypotheses.rows)
        told = {
            "hypotheses": f"hypotheses: {claims or 'none'}",
            "budget": f"budget: {self.budget.told()}",
            "more": "more: baseline, order, deciding, channel, scorers, second pass, exams, early stop, tracking",
        }
        for part, fold in self.folds.items():
            fold.title = told[part] + " · ✗ mistake" * any(map(_wrong, fold.body.children))

    def _check_stream(self, stream: Stream, field: Field) -> None:
        """Read the tasks once for each stream that is shown: its data may be missing, its numbers out of range."""
        shown, (seen, wrong) = digest(stream.config()), self._seen.get(field, ("", ""))
        if shown != seen:
            try:
                stream.pairs()
            except (ToolkitError, ValueError, OSError) as error:
                wrong = str(error).removeprefix("1 mistake:\n  - ")
            else:
                wrong = ""
            self._seen[field] = shown, wrong
        if not wrong:
            return
        form = field.form if isinstance(field, SecondPassField) else field
        inner = form.fields.items() if isinstance(form, ComponentForm) else ()
        named = [one for name, one in inner if re.search(rf"\b{name}\b", wrong)]
        (named or [form])[0].mark(wrong)
        self.settle([wrong])

    def _offer(self) -> None:
        """Let everything that is about an arm know which arms there are, and what they are called by now."""
        named: Named = self.arms.named
        self._quiet, quiet = True, self._quiet
        try:
            for part in self.parts.values():
                if isinstance(part, ArmChoice | Rows | BudgetForm):
                    part.offer(named)
        finally:
            self._quiet = quiet

    def _at(self, mistake: str) -> Field:
        """Where a mistake of the whole study is marked."""
        if found := re.match(r"hypothesis (\d+):", mistake):
            return self.hypotheses.rows[int(found[1]) - 1]
        if found := re.match(r"budget(?: of arm '([^']+)')?: (?:no arm is called '([^']+)'|(\w+) must)", mistake):
            return self.budget.at(found[1] or found[2] or "", found[3] or "")
        if found := re.match(r"stop_when '([^']+)'", mistake):
            rows = self.parts["stop_when"]
            fit = [row for row in rows.rows if row.get() == found[1]] if isinstance(rows, Rows) else []
            return (fit or [rows])[-1]
        if found := re.match(r"arm '([^']+)'", mistake):
            return self.arms.arm(found[1])
        return next((self.parts[part] for part, said in _BLAME if re.search(said, mistake)), self.arms)

    def _say(self, text: str, wrong: bool = False) -> None:
        colour = "var(--jp-error-color1, #b00020)" if wrong else "inherit"
        role = ' role="alert"' if wrong and text else ""
        self.said.value = f'<span{role} style="color: {colour}">{html.escape(visible(text))}</span>'

    def _usual(self) -> Study:
        arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2))]
        return Study("my-study", Desk(tasks=30, queues=8), arms=arms, seeds=3, ledger=self.ledger)


def _fields() -> dict[str, Field]:
    """The fields that are neither arms, nor budget, nor hypotheses."""
    return {
        "name": TextField("name", "Its folder in the ledger."),
        "lm": ComponentForm("lm", name="lm", nested=True),
        "stream": ComponentForm("stream", Desk(), name="stream", nested=True),
        "seeds": SeedsField("seeds", "How many, such as 5, or which, such as 0, 3, 7."),
        "baseline": ArmChoice("baseline", "The arm that others are compared with.", usual="as usual"),
        "order": OrdersField("order", "Shuffled: sessions in another random order for each seed."),
        "deciding": ChoiceField("deciding", ["", "likelihood", "grammar", "generation"], "How options are chosen."),
        "channel": ComponentForm("channel", name="channel", nested=True),
        "scorers": MixedField("scorers", "scorer", "Metrics, the main one first; empty = the stream's."),
        "study_seed": NumberField("study_seed", int, "What all randomness of the study derives from."),
        "stop_when": ConditionsForm(),
        "second_pass": SecondPassField(),
        "counterfactuals": NumberField(
            "counterfactuals", float, "Share of the tasks, in [0, 1], asked again without what was recalled."
        ),
        "exams": ExamsField(),
        "workers": NumberField("workers", int, "Runs at a time; 0 = as many as the models serve at once."),
        "reuse": SwitchField("reuse", "Take over runs that another study of the ledger has finished."),
        "tracking": TextField("tracking", "Where MLflow shows the runs: ledger, off, or a tracking URI."),
    }


def _kept(study: Study) -> list[ipywidgets.Widget]:
    """What came by value and no field shows: as code, to be read."""
    found: list[ipywidgets.Widget] = []
    for number, stream in enumerate(study.streams[1:], start=2):
        found += [
            ipywidgets.HTML(quiet(f"stream {number} (change it in code)")),
            code_lines(f"stream_{number}", stream),
        ]
    if study.code:
        listed = "".join(f"<li><code>{html.escape(visible(path))}</code></li>" for path in study.code)
        found.append(ipywidgets.HTML(quiet("code (change it in code)") + f"<ul>{listed}</ul>"))
    return [*found, ipywidgets.HTML(quiet(f"ledger: {visible(study.ledger.root)}"))]


def _in_full(asked: str, known: Target) -> str:
    """Where runs are shown, with the user and password that came with it and are shown to nobody."""
    if asked != known.asked or not (known.user or known.password):
        return asked
    parts = urlsplit(asked)
    return urlunsplit(parts._replace(netloc=f"{quote(known.user, '')}:{quote(known.password, '')}@{parts.netloc}"))


def _wrong(widget: ipywidgets.DOMWidget) -> bool:
    """Whether a mistake is marked at a field, or at one within it that counts: what is hidden does not."""
    if getattr(widget.layout, "display", None) == "none":
        return False
    if isinstance(widget, Field) and widget.marked:
        return True
    inner: Sequence[ipywidgets.DOMWidget] = getattr(widget, "children", ())
    return any(map(_wrong, inner))
