"""The plan of a study while it is being written: what `Study.plan` says of it, worked out beside the typing."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import ipywidgets

from toolkit.analysis.shown import html_table, visible
from toolkit.component import digest
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.design import Run
from toolkit.evaluation.forecast import Forecast, forecast
from toolkit.evaluation.rehearsal import Course, rehearse
from toolkit.evaluation.study import Study
from toolkit.widgets.page import text
from toolkit.widgets.rows import LimitField

_MOST = 500  # rehearsals that are kept
_EFFECT = "A difference of scores to be shown: adds the seeds, or the tasks, that it takes."


class Planner(Protocol):
    """What makes a plan: `toolkit.evaluation.forecast.forecast`."""

    def __call__(self, study: Study, *, effect: float | None, rehearsing: Callable[[Run], Course]) -> Forecast:
        """The plan of a study."""
        ...


class _Outdated(Exception):
    """Nobody waits for this plan any more."""


class Rehearsals:
    """Rehearsals of before, each by all that it depends on: of an arm that is as it was, nothing is rehearsed again."""

    def __init__(self) -> None:
        self._known: dict[str, Course] = {}

    def of(self, run: Run, go_on: Callable[[], None]) -> Course:
        """The rehearsal of a run; ``go_on`` is called before a new one, and may raise."""
        model = run.model  # what its identity leaves out, prices above all, is in its settings
        said = [model.dollars_in, model.dollars_out, model.max_tokens, model.adapter, model.label]
        key = digest([run.id, model.config(), said])
        if key not in self._known:
            go_on()
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = rehearse(run)
        return self._known[key]

    def forget(self) -> None:
        """Rehearse everything anew."""
        self._known = {}


class PlanView(ipywidgets.VBox):
    """A study's plan, worked out in a thread of its own; of several wishes the last one counts.

    Parameters
    ----------
    planner
        What makes the plan.

    Attributes
    ----------
    plan
        What is shown; None before the first, and where there is none.
    error
        Why there is no plan of the last study; None if there is one.
    """

    def __init__(self, planner: Planner = forecast) -> None:
        self.plan: Forecast | None = None
        self.error: Exception | None = None
        self._planner, self._rehearsals = planner, Rehearsals()
        self._changed = threading.Condition()
        self._study: Study | None = None
        self._wanted: Study | None = None
        self._wish = 0
        self._thread: threading.Thread | None = None
        self.status, self.shown = ipywidgets.HTML(), ipywidgets.HTML()
        self.effect = LimitField("effect", float, _EFFECT, none="none")
        self.effect.on_change(self.again)
        anew = ipywidgets.Button(description="Plan again", tooltip="When the ledger or a file has changed.")
        anew.on_click(lambda _: self.anew())
        head = ipywidgets.HTML("<b>Plan</b>")
        super().__init__([head, self.status, self.shown, self.effect, anew])

    def wish(self, study: Study | None) -> None:
        """Ask for the plan of a study, in place of all that was asked before; None = of none, for it has mistakes."""
        with self._changed:
            self._wish += 1
            self._study = self._wanted = study
            if study is None:
                old = "; below is the plan of the last study without any" if self.plan is not None else ""
                self._say(f"No plan while there are mistakes{old}.")
                return
            self._say("Working out the plan" + "; below is the one before." * (self.plan is not None))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="study-plan", daemon=True)
                self._thread.start()

    def again(self) -> None:
        """Plan the same study once more; what was rehearsed is kept."""
        self.wish(self._study)

    def anew(self) -> None:
        """Plan the same study once more, and rehearse all of it."""
        self._rehearsals.forget()
        self.again()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being worked out, at most ``timeout`` seconds; True if that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    def close(self) -> None:
        """Take the view away; what is being worked out is given up."""
        with self._changed:
            self._wish, self._wanted = self._wish + 1, None
        super().close()

    def _work(self) -> None:
        """Plan what is wanted until nothing is."""
        while True:
            with self._changed:
                study, wish, self._wanted = self._wanted, self._wish, None
                if study is None:
                    self._thread = None
                    self._changed.notify_all()
                    return
            found: Forecast | Exception
            try:
                found = self._planned(study, wish)
            except Exception as error:  # noqa: BLE001  (told below: nobody sees an exception of a thread)
                found = error
            with self._changed:
                if wish == self._wish:
                    self._show(study, found)

    def _planned(self, study: Study, wish: int) -> Forecast:
        effect = self._effect()

        def go_on() -> None:
            if wish != self._wish:
                raise _Outdated

        return self._planner(study, effect=effect, rehearsing=partial(self._rehearsals.of, go_on=go_on))

    def _effect(self) -> float | None:
        """The wanted effect; one that is none is marked, and left out."""
        try:
            found: float | None = self.effect.get()
            if found is not None and not 0 < found < math.inf:
                raise ValueError(f"must be a number above 0 but is {found!r}")
        except ValueError as error:
            self.effect.mark(str(error))
            return None
        self.effect.mark("")
        return found

    def _show(self, study: Study, found: Forecast | Exception) -> None:
        if isinstance(found, Forecast):
            self.plan, self.error = found, None
            self.shown.value = page(study.budget, found)
            self._say(summary(found))
            return
        self.plan, self.error = None, found
        self.shown.value = ""
        told = list(found.mistakes) if isinstance(found, SpecError) else [f"{type(found).__name__}: {found}"]
        self._say("✗ No plan: " + "; ".join(told), wrong=True)

    def _say(self, told: str, wrong: bool = False) -> None:
        colour = "var(--jp-error-color1, #b00020)" if wrong else "inherit"
        self.status.value = f'<span role="status" style="color: {colour}">{text(told)}</span>'


def summary(found: Forecast) -> str:
    """A plan in one line.

    Parameters
    ----------
    found
        The plan.
    """
    total = found.total
    cost = {"calls": f"{total.calls:,.0f}", "tokens": f"{total.tokens:,.0f}", "dollars": f"{total.dollars:,.2f}"}
    known = [f"{told} {name}" for name, told in cost.items() if not math.isnan(getattr(total, name))]
    unknown = [name for name in cost if math.isnan(getattr(total, name))]
    known += [f"{total.seconds / 3600:.3f} hours"] if not math.isnan(total.seconds) else []
    unknown += ["hours"] if math.isnan(total.seconds) else []
    return f"{total.runs} runs, {total.episodes:,} episodes; about {', '.join(known) or 'nothing known'}" + (
        f"; not known: {', '.join(unknown)}" if unknown else ""
    )


def page(budget: Budget, found: Forecast) -> str:
    """A plan as HTML, and whether a budget suffices for it."""
    costs, *contrasts = found.tables()
    limits = list(verdicts(budget, found))
    told = [_table("What it costs", *costs)]
    if limits:
        told.append(_table("Whether the budget suffices", ["budget of", "limit", "allowed", "expected", ""], limits))
    told += [_table("What it can show", *one) for one in contrasts]
    told += [f"<p><b>Warning:</b> {text(one)}</p>" for one in found.warnings]
    return "".join([*told, *(f"<p>{text(note)}</p>" for note in found.notes)])


def verdicts(budget: Budget, found: Forecast) -> Iterator[list[str]]:
    """A row for each limit of a budget: whose, which, how much is allowed, how much is expected, does it suffice."""
    arms = {arm.arm: arm for arm in found.arms}
    scopes = [("the study", budget, found.total), *((name, own, arms[name]) for name, own in budget.arms.items())]
    for name, own, told in scopes:
        for limit, allowed in own.limits.items():
            yield [name, limit, f"{allowed:,g}", *_verdict(getattr(told, limit), allowed)]


def _verdict(expected: float, allowed: float) -> tuple[str, str]:
    if math.isnan(expected):
        return "n/a", "not known: see the notes"
    return f"{expected:,.6g}", "suffices" if expected <= allowed else "✗ too small: stops before the end"


def _table(title: str, head: list[str], rows: list[list[str]]) -> str:
    return f"<b>{text(title)}</b>" + html_table(head, [[visible(cell) for cell in row] for row in rows])
