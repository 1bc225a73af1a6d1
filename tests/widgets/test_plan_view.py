"""The plan beside the form: the one that `Study.plan` gives, of the last wish, never in the way, nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.forecast import Forecast, forecast
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.rehearsal import rehearse
from toolkit.evaluation.study import Study
from toolkit.lm.hosted import Hosted
from toolkit.streams.desk import Desk
from toolkit.traits.memory import FullContext, Retrieval
from toolkit.widgets import plan_view
from toolkit.widgets.plan_view import PlanView, verdicts

Make = Callable[..., Study]
ARMS = (Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("all", memory=FullContext()))


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the arms that were rehearsed."""
    names: list[str] = []

    def counted(run):
        names.append(run.arm.name)
        return rehearse(run)

    monkeypatch.setattr(plan_view, "rehearse", counted)
    return names


def planned(view: PlanView, study: Study) -> Forecast:
    view.wish(study)
    assert view.wait(600)
    assert view.plan is not None
    return view.plan


class Gate:
    """A planner that waits to be let through, and tells that it has begun."""

    def __init__(self) -> None:
        self.begun, self.let, self.names = threading.Event(), threading.Event(), list[str]()

    def __call__(self, study, *, effect, rehearsing):
        self.names.append(study.name)
        self.begun.set()
        assert self.let.wait(300)
        return forecast(study, effect=effect, rehearsing=rehearsing)


def test_what_is_shown_is_what_the_study_says(study: Make) -> None:
    view = PlanView()
    for made in (
        study(*ARMS, stream=Desk(tasks=20)),
        study(*ARMS, stream=Desk(tasks=20), seeds=5),
        study(*ARMS[:2], stream=Desk(tasks=20), order="given", hypotheses=[Hypothesis("memory", margin=0.1)]),
        study(*ARMS[:2], stream=Desk(tasks=12), order=("given", "shuffled"), budget=Budget(tokens=10)),
    ):
        assert str(planned(view, made)) == str(made.plan())
    view.effect.control.value = "0.2"
    assert view.wait(600)
    assert str(view.plan) == str(made.plan(effect=0.2))


def test_prices_are_no_part_of_an_identity_and_still_count(study: Make) -> None:
    view, dollars = PlanView(), list[float]()
    for price in (1.0, 3.0):
        lm = Hosted("openai/some", dollars_in=price, dollars_out=price)
        made = study(*ARMS[:2], stream=Desk(tasks=8), lm=lm)
        dollars.append(planned(view, made).total.dollars)
        assert dollars[-1] == made.plan().total.dollars
    assert dollars[1] == pytest.approx(3 * dollars[0])


def test_an_arm_that_is_as_it_was_is_not_rehearsed_again(study: Make, rehearsed: list[str]) -> None:
    view = PlanView()
    planned(view, study(*ARMS, stream=Desk(tasks=10)))
    assert rehearsed == ["static", "memory", "all"]
    changed = replace(ARMS[1], memory=Retrieval(k=5))
    planned(view, study(ARMS[0], changed, replace(ARMS[2], name="renamed"), stream=Desk(tasks=10), seeds=4))
    assert rehearsed[3:] == ["memory"]
    planned(view, study(*ARMS[:2], stream=Desk(tasks=11)))
    assert rehearsed[4:] == ["static", "memory"]
    view.anew()
    assert view.wait(600)
    assert rehearsed[6:] == ["static", "memory"]


def test_the_last_wish_counts_and_wishing_never_waits(study: Make) -> None:
    gate = Gate()
    view = PlanView(gate)
    view.wish(study(*ARMS[:2], name="first"))
    assert gate.begun.wait(300)
    view.wish(study(*ARMS[:2], name="second"))
    view.wish(study(*ARMS[:2], name="third"))
    assert "Working out" in view.status.value
    assert view.plan is None
    gate.let.set()
    assert view.wait(600)
    assert gate.names == ["first", "third"]
    assert view.plan is not None
    assert view.plan.study == "third"


def test_what_nobody_waits_for_is_given_up_between_two_arms(study: Make, rehearsed: list[str]) -> None:
    gate = Gate()
    view = PlanView(gate)
    view.wish(study(*ARMS, stream=Desk(tasks=10)))
    assert gate.begun.wait(300)
    view.wish(None)
    gate.let.set()
    assert view.wait(600)
    assert rehearsed == []
    assert (view.plan, view.error, view.shown.value) == (None, None, "")
    assert "No plan while there are mistakes." in view.status.value


def test_mistakes_leave_the_plan_of_before_and_say_so(study: Make) -> None:
    view = PlanView()
    planned(view, study(*ARMS[:2], stream=Desk(tasks=10)))
    shown = view.shown.value
    view.wish(None)
    assert view.shown.value == shown
    assert "below is the plan of the last study without any" in view.status.value


def test_nothing_that_goes_wrong_is_lost(study: Make) -> None:
    def torn(study, **rest):
        raise OSError(f"<b>{study.name}</b> is torn")

    view = PlanView(torn)
    view.wish(study(*ARMS[:2]))
    assert view.wait(600)
    assert isinstance(view.error, OSError)
    assert "OSError: &lt;b&gt;test&lt;/b&gt; is torn" in view.status.value
    view._planner = forecast
    assert planned(view, study(*ARMS[:2], stream=Desk(tasks=10))).study == "test"
    assert view.error is None


def test_a_study_that_answers_no_question_is_told_why(study: Make) -> None:
    view = PlanView()
    view.wish(study(ARMS[0], stream=Desk(tasks=10)))
    assert view.wait(600)
    assert isinstance(view.error, SpecError)
    assert "is compared with nothing" in view.status.value
    assert view.plan is None


def test_a_closed_view_is_left_alone(study: Make) -> None:
    gate = Gate()
    view = PlanView(gate)
    view.wish(study(*ARMS[:2]))
    assert gate.begun.wait(300)
    view.close()
    gate.let.set()
    assert view.wait(600)
    assert (view.plan, view.error, view.shown.value) == (None, None, "")


def test_each_limit_has_a_verdict(study: Make) -> None:
    budget = Budget(tokens=1, calls=10**6, seconds=5.0, arms={"memory": Budget(calls=1), "static": Budget(calls=10**6)})
    made = study(*ARMS[:2], stream=Desk(tasks=10), budget=budget)
    view = PlanView()
    found = planned(view, made)
    told = {(whose, limit): said for whose, limit, _, _, said in verdicts(budget, found)}
    assert told == {
        ("the study", "tokens"): "✗ too small: stops before the end",
        ("the study", "calls"): "suffices",
        ("the study", "seconds"): "not known: see the notes",
        ("memory", "calls"): "✗ too small: stops before the end",
        ("static", "calls"): "suffices",
    }
    assert "Whether the budget suffices" in view.shown.value


@pytest.mark.parametrize("typed", ["much", "-1", "0", "inf", "nan"])
def test_an_effect_that_is_none_is_marked_and_left_out(study: Make, typed: str) -> None:
    view, made = PlanView(), study(*ARMS[:2], stream=Desk(tasks=10))
    view.effect.control.value = typed
    found = planned(view, made)
    assert str(found) == str(made.plan())
    assert "must be" in view.effect.marked
