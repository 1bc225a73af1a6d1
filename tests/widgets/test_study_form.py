"""The form of a study loses nothing that a study has, knows arms by more than their names, marks each mistake."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.design import ORDERS
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.hypotheses import DIRECTIONS, Hypothesis
from toolkit.evaluation.judge import Judge
from toolkit.evaluation.spec import load
from toolkit.evaluation.study import Study
from toolkit.lm.embedders import OwnEmbedder
from toolkit.lm.scripted import Scripted
from toolkit.streams.channel import FullLabel
from toolkit.streams.channels import Noisy
from toolkit.streams.desk import Desk
from toolkit.streams.scoring import Numeric
from toolkit.traits.memory import FullContext, Retrieval
from toolkit.widgets.arms_form import KeptArm
from toolkit.widgets.code import source
from toolkit.widgets.fields import ChoiceField
from toolkit.widgets.forms import ArmForm
from toolkit.widgets.plan_view import PlanView
from toolkit.widgets.rows import ArmChoice, Rows
from toolkit.widgets.study_form import StudyForm

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
STATIC, MEMORY, ALL = Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("all", memory=FullContext())


@pytest.fixture
def form(tmp_path: Path) -> StudyForm:
    made = StudyForm(ledger=tmp_path / "ledger")
    made.parts["lm"].set(Scripted())
    return made


def said(study: Study) -> dict[str, Any]:
    """Everything that a study was given, by parameter; what is missing here would be lost without notice."""
    found = {name: getattr(study, name) for name in inspect.signature(Study).parameters}
    found["tracking"] = study.tracking.target
    return {**found, "ledger": study.ledger.root, "scorers_named": study.scorers_named}


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
COUNT = st.none() | st.integers(1, 10**9)
AMOUNT = COUNT | st.floats(1e-6, 1e6)
LIMITS = {"calls": COUNT, "tokens": COUNT, "dollars": AMOUNT, "seconds": AMOUNT}
SCORERS = [None, ["exact"], ["set", "exact"], [Numeric(tolerance=0.5), "exact"], [Judge(lm=Scripted())]]


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """What studies are given, valid together."""
    names = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    memories = [Retrieval(k=place + 1) for place in range(len(names))]
    pairs = st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True)
    scorers = draw(st.sampled_from(SCORERS))
    claims = draw(st.lists(st.tuples(pairs, st.sampled_from(DIRECTIONS), st.none() | st.floats(0.01, 1)), max_size=3))
    conditions = draw(st.lists(st.tuples(pairs, st.sampled_from("<>")), max_size=3))
    own = st.dictionaries(st.sampled_from(names), st.builds(Budget, **LIMITS), max_size=2)
    return {
        "name": draw(NAMES),
        "streams": [Desk(tasks=6 + place) for place in range(draw(st.integers(1, 2)))],
        "arms": [Arm(name, memory=memory) for name, memory in zip(names, memories, strict=True)],
        "lm": draw(st.sampled_from([Scripted(), Scripted(p=0.1)])),
        "seeds": draw(st.integers(1, 9) | st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True)),
        "study_seed": draw(st.integers(0, 10**6)),
        "order": draw(st.lists(st.sampled_from(ORDERS[:3]), min_size=1, max_size=3, unique=True)),
        "deciding": draw(st.sampled_from([None, "likelihood", "grammar"])),
        "channel": draw(st.sampled_from([None, FullLabel(), Noisy(FullLabel(), rate=0.2)])),
        "scorers": scorers,
        "baseline": draw(st.sampled_from(["", *names])),
        "workers": draw(st.integers(0, 8)),
        "code": draw(st.lists(st.sampled_from(["own.py", "<b>.py"]), max_size=2, unique=True)),
        "budget": Budget(**{name: draw(value) for name, value in LIMITS.items()}, arms=draw(own)),
        "tracking": draw(st.sampled_from(["off", "ledger", "http://ann:s%40crt@host:5000", "sqlite:///there.db"])),
        "reuse": draw(st.booleans()),
        "stop_when": list(dict.fromkeys(f"{left}{sign}{right}" for (left, right), sign in conditions)),
        "hypotheses": list({told[0][0]: Hypothesis(*told[0], *told[1:]) for told in claims}.values()),
        "second_pass": draw(st.sampled_from(["", "same", Desk(tasks=4, draw=1)])),
        "counterfactuals": draw(st.sampled_from([0.0, 0, 0.1, 1])),
        "exams": draw(st.none() | st.builds(Exams, st.just(True), st.integers(0, 9), st.integers(1, 9))),
    }


@pytest.fixture
def unplanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms that work out no plan: what they show and give back is all that is looked at."""
    monkeypatch.setattr(PlanView, "wish", lambda self, study: None)


@pytest.mark.usefixtures("unplanned")
def test_nothing_that_a_study_has_is_lost(tmp_path: Path) -> None:
    form = StudyForm(ledger=tmp_path)

    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
    @given(given_to=studies())
    def comes_back(given_to: dict[str, Any]) -> None:
        study = Study(**given_to, ledger=tmp_path)
        form.value = study
        assert form.mistakes == ()
        assert said(form.value) == said(study)
        assert [run.id for run in form.value.runs] == [run.id for run in study.runs]
        names: dict[str, Any] = {}
        exec(source("written", study), names)
        written = names["written"]
        assert (written.config(), written.workers, written.reuse) == (study.config(), study.workers, study.reuse)
        assert written.tracking.target.asked == study.tracking.target.asked

    comes_back()


@pytest.mark.usefixtures("unplanned")
@pytest.mark.parametrize("spec", ["first-study", "memory/desk"])
def test_shipped_studies_come_back(spec: str, tmp_path: Path) -> None:
    study = load(EXPERIMENTS / spec, ledger=tmp_path, lm="scripted")
    form = StudyForm(study)
    assert form.mistakes == ()
    assert said(form.value) == said(study)


def test_a_password_is_handed_on_and_shown_to_nobody(form: StudyForm) -> None:
    arms = [STATIC, MEMORY]
    form.value = Study("s", Desk(tasks=6), arms=arms, lm=Scripted(), ledger=form.ledger, tracking="http://a:b c@h:5")
    assert form.value.tracking.target.password == "b c"
    assert form.parts["tracking"].control.value == "http://h:5"
    form.parts["tracking"].control.value = "http://other:5"
    assert (form.value.tracking.target.uri, form.value.tracking.target.password) == ("http://other:5", "")


def test_what_no_form_gives_back_is_kept_and_can_be_renamed(form: StudyForm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArmForm, "look", lambda self: None)
    own = Arm("own", memory=Retrieval())
    form.value = Study("s", Desk(tasks=6), arms=[STATIC, own], lm=Scripted(), ledger=form.ledger)
    assert form.value.arms == (STATIC, own)
    assert form.value.arms[1].memory is own.memory
    kept = form.arms.arm("own")
    assert isinstance(kept, KeptArm)
    assert form.arms.place.titles[1] == "own · lives in code"
    kept.title.control.value = "mine"
    assert form.value.arms[1].name == "mine"
    kept.title.control.value = "not a name"
    assert "an arm's name" in kept.title.marked
    assert form.arms.place.titles[1].endswith("✗ mistake")


def test_an_embedder_of_ones_own_stays_the_same_one(form: StudyForm) -> None:
    embedder = OwnEmbedder(lambda texts: [[1.0] for _ in texts])
    own = Arm("own", memory=Retrieval(embedder=embedder))
    form.value = Study("s", Desk(tasks=6), arms=[STATIC, own], lm=Scripted(), ledger=form.ledger)
    form.arms.arm("own").parts["memory"].fields["k"].control.value = "7"
    assert form.value.arms[1].memory.embedder is embedder


def test_a_copy_of_an_arm_has_all_that_the_arm_has(form: StudyForm) -> None:
    heard = Arm("heard", memory=Retrieval(k=4), channel=Noisy(FullLabel(), rate=0.3), repeat=1)
    form.arms.set((STATIC, heard))
    form.arms.place.selected_index = 1
    form.arms.children[2].children[1].click()
    assert form.arms.get()[2] == Arm("heard-2", memory=Retrieval(k=4), channel=Noisy(FullLabel(), rate=0.3), repeat=1)


# Rows that are about arms.


def with_rows(form: StudyForm) -> None:
    form.value = Study(
        "s",
        Desk(tasks=6),
        arms=[STATIC, MEMORY, ALL],
        lm=Scripted(),
        ledger=form.ledger,
        baseline="memory",
        hypotheses=[Hypothesis("all", against="memory", direction="greater")],
        stop_when=["all>memory"],
        budget=Budget(arms={"memory": Budget(calls=9)}),
    )


def test_what_is_about_an_arm_follows_it_through_every_letter_of_another_name(form: StudyForm) -> None:
    with_rows(form)
    title = form.arms.arm("memory").title.control
    for typed in ("memor", "m", "", "a", "al", "all", "allow"):  # on the way it is called as another arm is
        title.value = typed
    study = form.value
    assert study.baseline == "allow"
    assert study.hypotheses == (Hypothesis("all", against="allow", direction="greater"),)
    assert study.stop_when == ("all>allow",)
    assert study.budget == Budget(arms={"allow": Budget(calls=9)})


def test_what_is_about_an_arm_that_is_removed_is_marked_where_it_stands(form: StudyForm) -> None:
    with_rows(form)
    form.arms.place.selected_index = 1
    form.arms.children[2].children[2].click()
    assert form.arms.place.titles == ("static · all traits off", "all · memory: FullContext")
    assert form.button.disabled
    assert "no arm is called 'memory'" in form.hypotheses.rows[0].marked
    assert "no arm is called 'memory'" in form.budget.arms.rows[0].marked
    assert "no arm is called 'memory'" in form.parts["stop_when"].rows[0].marked
    assert "the baseline 'memory' is no arm" in form.parts["baseline"].marked
    assert form.folds["budget"].title.endswith("✗ mistake")
    form.hypotheses.rows[0].fields["against"].control.value = "static"
    form.parts["baseline"].control.value = "static"
    form.budget.arms.rows[0].remove.click()
    form.parts["stop_when"].rows[0].fields["right"].control.value = "static"
    assert form.mistakes == ()
    assert form.value.hypotheses == (Hypothesis("all", against="static", direction="greater"),)
    assert form.value.stop_when == ("all>static",)
    assert not form.folds["budget"].title.endswith("✗ mistake")


def test_two_arms_of_one_name_are_told_apart_by_who_chose_them() -> None:
    one, other = object(), object()
    choice = ArmChoice("arm")
    choice.offer([(one, "a"), (other, "b")])
    choice.control.value = "b"
    choice.offer([(one, "a"), (other, "a")])
    assert choice.control.index == 2
    choice.offer([(one, "a"), (other, "ab")])
    assert choice.get() == "ab"
    choice.set("gone")
    assert choice.get() == "gone"
    assert choice.control.label == "gone (no such arm)"
    with pytest.raises(ValueError, match="choose one"):
        ArmChoice("arm").get()


def test_hypotheses_are_added_and_removed_and_each_mistake_is_at_its_row(form: StudyForm) -> None:
    claims = form.hypotheses
    assert form.folds["hypotheses"].title == "hypotheses: none"
    claims.more.click()
    assert form.mistakes == ("hypothesis 1: arm must be an arm: choose one",)
    assert "choose one" in claims.rows[0].fields["arm"].marked
    assert form.folds["hypotheses"].title == "hypotheses: 1 · ✗ mistake"
    claims.rows[0].fields["arm"].control.value = "memory"
    assert form.value.hypotheses == (Hypothesis("memory"),)
    claims.more.click()
    second = claims.rows[1]
    second.fields["arm"].control.value = "static"
    assert "'static' is compared with itself" in second.marked
    assert claims.rows[0].marked == ""
    second.fields["arm"].control.value = "memory"
    assert "two hypotheses say the same" in claims.marked
    second.fields["direction"].control.value = "greater"
    second.fields["margin"].control.value = "-0.1"
    assert "margin must be a number above 0" in second.marked
    second.fields["margin"].control.value = "little"
    assert "must be a number but is 'little'" in second.fields["margin"].marked
    second.fields["margin"].control.value = "0.05"
    metric = second.fields["metric"]
    assert isinstance(metric, ChoiceField)
    assert [value for _, value in metric.control.options] == ["", "exact"]
    assert form.value.hypotheses == (Hypothesis("memory"), Hypothesis("memory", direction="greater", margin=0.05))
    claims.rows[0].remove.click()
    assert form.value.hypotheses == (Hypothesis("memory", direction="greater", margin=0.05),)
    assert claims.rows[0].remove.description == "Remove hypothesis 1"


# Budget.


@pytest.mark.parametrize(
    ("limit", "typed", "told"),
    [("tokens", "1.5", "whole number"), ("calls", "0", "an integer above 0"), ("dollars", "-1", "a number above 0")],
)
def test_a_limit_that_is_none_is_marked_at_its_field(form: StudyForm, limit: str, typed: str, told: str) -> None:
    assert form.value.budget == Budget()
    field = form.budget.limits[limit]
    field.control.value = typed
    assert told in field.marked
    assert form.button.disabled
    field.control.value = "7"
    assert (field.marked, form.mistakes) == ("", ())
    assert form.value.budget == Budget(**{limit: 7})
    assert form.folds["budget"].title == f"budget: {limit} 7"


def test_limits_of_an_arm_stand_in_one_row(form: StudyForm) -> None:
    rows = form.budget.arms
    for _ in range(2):
        rows.add().fields["arm"].control.value = "memory"
    assert form.mistakes == ("budget: two rows are of arm 'memory': put its limits on one",)
    assert "two rows" in rows.rows[1].marked
    rows.rows[1].fields["arm"].control.value = "static"
    rows.rows[1].fields["calls"].control.value = "-2"
    assert "calls must be an integer above 0" in rows.rows[1].fields["calls"].marked
    rows.rows[1].fields["calls"].control.value = "2"
    assert form.value.budget == Budget(arms={"memory": Budget(), "static": Budget(calls=2)})


# All the rest.


@pytest.mark.parametrize(
    ("part", "typed", "told"),
    [
        ("counterfactuals", "2", "a share of the tasks in [0, 1]"),
        ("workers", "two", "whole number"),
        ("tracking", "gopher://x", "a tracking URI"),
        ("scorers", '{"use": "Nummeric"}', "Numeric"),
    ],
)
def test_more_mistakes_are_marked_at_their_field(form: StudyForm, part: str, typed: str, told: str) -> None:
    before = form.parts[part].control.value
    form.parts[part].control.value = typed
    assert told in form.parts[part].marked
    assert form.button.disabled
    assert "Cannot run: 1 mistake: " in form.said.value
    assert told in form.said.value
    assert form.folds["more"].title.endswith("✗ mistake")
    form.parts[part].control.value = before
    assert (form.parts[part].marked, form.button.disabled, form.said.value) == ("", False, form.said.value)
    assert "Cannot run" not in form.said.value


def test_orders_are_kept_in_the_order_in_which_they_were_chosen(form: StudyForm) -> None:
    orders = form.parts["order"]
    orders.boxes["given"].value = True
    assert form.value.order == ("shuffled", "given")
    orders.boxes["shuffled"].value = False
    assert form.value.order == "given"
    orders.boxes["shuffled"].value = True
    assert form.value.order == ("given", "shuffled")
    orders.boxes["given"].value = orders.boxes["shuffled"].value = False
    assert "tick one" in orders.marked


def test_passes_and_exams_are_chosen_and_checked(form: StudyForm) -> None:
    second, exams = form.parts["second_pass"], form.parts["exams"]
    second.choice.value = "same"
    exams.asked.value = True
    assert (form.value.second_pass, form.value.exams) == ("same", Exams())
    exams.fields["before"].control.value = False
    assert "exams ask nothing" in exams.marked
    exams.fields["every"].control.value = "-1"
    assert "exams.every must be a whole number of at least 0" in exams.fields["every"].marked
    exams.asked.value = False
    assert (form.mistakes, form.value.exams) == ((), None)
    assert not form.folds["more"].title.endswith("mistake")  # what is hidden marks nothing
    second.choice.value = "other"
    second.form.set(Desk(tasks=5, draw=3))
    assert form.value.second_pass == Desk(tasks=5, draw=3)
    second.form.fields["tasks"].control.value = "0"
    assert second.form.fields["tasks"].marked
    assert form.button.disabled


def test_every_mistake_is_told_beside_the_button(form: StudyForm) -> None:
    for part in ("seeds", "study_seed", "workers", "counterfactuals"):
        form.parts[part].control.value = "<b>"
    assert "Cannot run: 4 mistakes: " in form.said.value
    assert "&lt;b&gt;" in form.said.value
    assert "<b>" not in form.said.value
    assert "and 1 more" in form.said.value


def test_the_plan_is_that_of_the_study_that_is_shown(form: StudyForm) -> None:
    form.parts["stream"].fields["tasks"].control.value = "8"
    form.parts["seeds"].control.value = "4"
    form.budget.limits["tokens"].control.value = "10"
    assert form.plan.wait(600)
    assert str(form.plan.plan) == str(form.value.plan())
    assert "✗ too small" in form.plan.shown.value
    form.parts["seeds"].control.value = "none"
    assert form.plan.wait(600)
    assert "No plan while there are mistakes" in form.plan.status.value
    form.parts["seeds"].control.value = "2"
    assert form.plan.wait(600)
    assert str(form.plan.plan) == str(form.value.plan())


def within(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """A widget and all that it holds."""
    yield widget
    for one in getattr(widget, "children", ()):
        yield from within(one)


def test_everything_can_be_reached_by_keyboard(form: StudyForm) -> None:
    """Controls are the browser's own, or buttons; what is folded at the top of the form is folded by a button."""
    own = [*form.folds.values(), form.arms.place, *form.arms.place.folds, form.budget, form.hypotheses, form.plan]
    assert not any(isinstance(one, ipywidgets.Accordion | ipywidgets.Tab) for one in own)
    labelled = [one for row in (form.hypotheses.add(), form.budget.arms.add()) for one in row.fields.values()]
    labelled += [field for field in form.parts.values() if hasattr(field, "control")]
    assert all(field.control.description for field in labelled)
    buttons = [one for one in within(form) if isinstance(one, ipywidgets.Button)]
    assert len(buttons) >= 8
    assert all(button.description for button in buttons)


def test_further_streams_and_files_of_code_are_shown_as_they_are(form: StudyForm) -> None:
    streams = [Desk(tasks=6), Desk(tasks=7, queues=4)]
    form.value = Study(
        "s", streams=streams, arms=[STATIC, MEMORY], lm=Scripted(), ledger=form.ledger, code=["<own>.py"]
    )
    told = "".join(one.value for one in form.kept.children)
    assert "stream_2 = tk.Desk(tasks=7, queues=4)" in told
    assert "&lt;own&gt;.py" in told
    assert form.value.streams == tuple(streams)
    assert isinstance(form.parts["stop_when"], Rows)
