"""The plan of a study: what it forecasts and where from, what it warns of and refuses; planning spends nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from errands import Errands, finish
from halls import Nights

from toolkit.agents.arm import Arm, floors
from toolkit.agents.decider import Decider
from toolkit.cli import main
from toolkit.errors import SpecError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.forecast import Forecast
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.rehearsal import LONGEST, rehearse
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.records import Memory, Task
from toolkit.stats import binary_prior, detectable_effect, variance_components
from toolkit.traits.goals import ReAct
from toolkit.traits.learning import FixedExamples
from toolkit.traits.memory import FullContext, Retrieval, Shuffled
from toolkit.traits.role import Role

Make = Callable[..., Study]
ARMS = (Arm.static(), Arm("memory", memory=Retrieval(k=3)), Arm("all", memory=FullContext()))


class Priced(Scripted):
    """A scripted model that costs a dollar a thousand tokens."""

    dollars_in = dollars_out = 1000.0


class Unpriced(Scripted):
    """Nobody knows what it costs."""

    dollars_in = dollars_out = None


class Cold(Scripted):
    """A scripted model that claims to draw nothing."""

    temperature = 0.0
    deterministic = True


class Untouchable(Scripted):
    """A model that must not be asked."""

    def engine(self, stream):
        raise AssertionError("a plan opened the model")


def recorded(study: Study, arm: str) -> dict[str, float]:
    """What an arm's runs came to, by their episodes."""
    frame = study.episodes()
    own = frame[frame.arm == arm]
    kinds = ("acting", "adapting", "judging")
    found = {what: sum(own[f"{kind}_{what}"].sum() for kind in kinds) for what in ("calls", "dollars", "seconds")}
    tokens = sum(own[f"{kind}_{side}_tokens"].sum() for kind in kinds for side in ("input", "output"))
    return {**found, "tokens": tokens}


def row(plan: Forecast, arm: str):
    return next(one for one in plan.arms if one.arm == arm)


def contrast(plan: Forecast, arm: str):
    return next(one for one in plan.contrasts if one.arm == arm)


# What is forecast agrees with what is recorded.


def test_a_pilot_forecasts_what_the_study_then_records(study: Make) -> None:
    finish(study(*ARMS, seeds=2, stream=Errands(60), lm=Priced()))
    whole = study(*ARMS, seeds=8, stream=Errands(60), lm=Priced())
    plan = whole.plan()
    finish(whole)
    for arm in ("static", "memory", "all"):
        found, truth = row(plan, arm), recorded(whole, arm)
        assert found.calls == truth["calls"] == 8 * 60
        assert found.tokens == pytest.approx(truth["tokens"], rel=0.02)
        assert found.dollars == pytest.approx(truth["dollars"], rel=0.02)
        assert found.seconds > 0
        assert found.source == "2 runs of this study"
    assert plan.finished == 2 * 3
    assert plan.total.calls == 3 * 8 * 60


def test_a_shorter_pilot_forecasts_a_longer_study(study: Make) -> None:
    """Retrieval costs most once it has something to retrieve: the last quarter of the pilot tells of what follows."""
    finish(study(*ARMS[:2], name="pilot", seeds=3, stream=Errands(16)))
    whole = study(*ARMS[:2], seeds=4, stream=Errands(120))
    plan = whole.plan()
    finish(whole)
    for arm in ("static", "memory"):
        assert row(plan, arm).tokens == pytest.approx(recorded(whole, arm)["tokens"], rel=0.03)
        assert row(plan, arm).source == "3 runs of study 'pilot' (other tasks of the same kind)"


def test_a_rehearsal_forecasts_calls_exactly_and_growth_of_prompts(study: Make) -> None:
    whole = study(*ARMS, seeds=3, stream=Errands(60))
    plan = whole.plan()
    finish(whole)
    truth = {arm.name: recorded(whole, arm.name) for arm in ARMS}
    for arm in ARMS:
        assert row(plan, arm.name).calls == truth[arm.name]["calls"]
        assert "prompts of 60 tasks" in row(plan, arm.name).source
    for one, other in (("all", "static"), ("memory", "static"), ("all", "memory")):
        grown = row(plan, one).tokens / row(plan, other).tokens
        assert grown == pytest.approx(truth[one]["tokens"] / truth[other]["tokens"], rel=0.2)


def test_a_long_stream_is_rehearsed_in_part(study: Make) -> None:
    made = study(*ARMS[:2], stream=Errands(LONGEST + 50), seeds=2)
    assert len(rehearse(made.runs[0]).calls) == LONGEST
    assert row(made.plan(), "static").calls == 2 * (LONGEST + 50)


# Where numbers come from, and that what is unknown is not 0.


def test_planning_opens_no_model_and_writes_nothing(study: Make) -> None:
    made = study(*ARMS, lm=Untouchable(), seeds=6)
    made.plan(effect=0.1)
    assert not made.ledger.root.exists()


def test_what_is_unknown_is_na_with_a_reason(study: Make) -> None:
    wrapped = Arm.wrap(lambda task: task.options[0], name="program")
    plan = study(Arm.static(), wrapped, lm=Unpriced(), seeds=6).plan()
    static, program = row(plan, "static"), row(plan, "program")
    assert static.tokens > 0
    assert math.isnan(static.dollars)
    assert math.isnan(static.seconds)
    assert all(math.isnan(getattr(program, name)) for name in ("calls", "tokens", "dollars", "seconds"))
    assert math.isnan(plan.total.tokens)
    shown = str(plan)
    assert "n/a: program: a program of one's own is not tried out" in shown
    assert "dollars: the model states no prices" in shown
    assert "hours: no pilot" in shown


def test_a_decider_of_ones_own_is_not_tried_out(study: Make) -> None:
    """It might ask anything of anyone."""

    class Costly(Decider):
        def decide(self, step, task, context, decision):
            raise AssertionError("a plan carried it out")

    plan = study(Arm.static(), Arm("own", decider=Costly()), seeds=6).plan()
    assert math.isnan(row(plan, "own").calls)
    assert "run a pilot" in row(plan, "own").reasons[0]


def test_prices_that_a_pilot_did_not_know_stay_unknown(study: Make) -> None:
    finish(study(*ARMS[:2], name="pilot", lm=Scripted(), seeds=2))
    made = study(*ARMS[:2], seeds=6)
    known = made.ledger.study("pilot") / "runs"
    file = next(known.glob("static-*/episodes.jsonl"))  # of one run in two
    file.write_text(file.read_text().replace('"acting_dollars":0.0', '"acting_dollars":null'))
    plan = made.plan()
    assert math.isnan(row(plan, "static").dollars)
    assert row(plan, "memory").dollars == 0
    assert "the price of some calls is not known" in str(plan)


def test_floors_are_known_to_cost_nothing(study: Make) -> None:
    found = row(study(Arm.static(), *floors(), seeds=6).plan(), "nearest")
    assert (found.calls, found.tokens, found.dollars, found.seconds) == (0, 0, 0, 0)
    assert found.source == "uses no model"


def test_another_model_is_no_pilot_and_another_build_is_told(study: Make) -> None:
    finish(study(*ARMS[:2], name="pilot", seeds=2, lm=Priced()))
    assert "prompts of" in row(study(*ARMS[:2], seeds=6).plan(), "static").source
    same_name = study(*ARMS[:2], seeds=6, lm=Priced(p=0.4)).plan()
    assert row(same_name, "static").source == "2 runs of study 'pilot' (another build of the model)"


class Brittle(Retrieval):
    """A memory that breaks at the third task."""

    def read(self, task: Task) -> Sequence[Memory]:
        if len(self.kept) == 2:
            raise ZeroDivisionError("brittle")
        return super().read(task)


def test_a_run_that_failed_is_no_pilot(study: Make) -> None:
    arms = (Arm.static(), Arm("memory", memory=Brittle(k=3)))
    broken = study(*arms, seeds=2)
    assert {record.status for record in broken.run() if record.arm == "memory"} == {"failed"}
    assert set(broken.episodes().arm) == {"static", "memory"}, "what it did before is recorded"
    plan = study(*arms, seeds=4).plan()
    assert "of this study" in row(plan, "static").source
    assert "of this study" not in row(plan, "memory").source
    assert "no pilot" in contrast(plan, "memory").parts.source


def test_variances_come_from_the_pilot(study: Make) -> None:
    pilot = finish(study(*ARMS[:2], seeds=6, stream=Errands(60)))
    plan = study(*ARMS[:2], seeds=20, stream=Errands(60)).plan()
    both = pilot.episodes().pivot_table(index=["seed", "session", "task"], columns="arm", values="score").reset_index()
    parts = variance_components(both.memory - both.static, both.seed, both.session, both.task)
    mde = detectable_effect(parts, runs=20, clusters=30, tasks=2)
    assert contrast(plan, "memory").detectable.effect == pytest.approx(mde.effect)
    found = contrast(plan, "memory").parts
    assert found.source == "6 runs of this study"
    for name in ("run", "cluster", "cell", "task", "residual"):
        assert getattr(found, name) == pytest.approx(getattr(parts, name)), name
    assert parts.residual > 0
    before = detectable_effect(binary_prior(), runs=20, clusters=30, tasks=2)
    assert mde.effect < before.effect


def test_without_a_pilot_the_worst_case_is_planned_for(study: Make) -> None:
    plan = study(*ARMS[:2], seeds=6, stream=Errands(60)).plan()
    mde = detectable_effect(binary_prior(), runs=6, clusters=30, tasks=2)
    assert contrast(plan, "memory").detectable == mde
    assert "no pilot" in contrast(plan, "memory").parts.source
    assert "No pilot: variance .5" in str(plan)


def test_a_pilot_of_one_seed_tells_costs_but_no_variance(study: Make) -> None:
    finish(study(*ARMS[:2], seeds=1))
    plan = study(*ARMS[:2], seeds=6).plan()
    assert row(plan, "static").source == "1 run of this study"
    assert "no pilot" in contrast(plan, "memory").parts.source


def test_hypotheses_are_planned_for_as_a_family(study: Make) -> None:
    alone = study(*ARMS, seeds=6).plan()
    assert [(one.arm, one.baseline) for one in alone.contrasts] == [("memory", "static"), ("all", "static")]
    assert "uncorrected" in str(alone)
    claims = [
        Hypothesis("memory"),
        Hypothesis("all"),
        Hypothesis("all", against="memory"),
        Hypothesis("all", margin=0.1),
    ]
    made = study(*ARMS, seeds=6, hypotheses=claims).plan()
    pairs = [("memory", "static"), ("all", "static"), ("all", "memory")]
    assert [(one.arm, one.baseline) for one in made.contrasts] == pairs
    assert [one.detectable.level for one in made.contrasts] == pytest.approx([1 - 0.05 / 4] * 3)
    assert made.contrasts[0].detectable.effect > alone.contrasts[0].detectable.effect
    assert "98.75% two-way interval" in str(made)
    assert "for each of 4 hypotheses" in str(made)


def test_what_is_kept_for_looking_early_is_not_planned_with(study: Make) -> None:
    made = study(*ARMS, seeds=6, stop_when="memory>static").plan()
    assert [one.detectable.level for one in made.contrasts] == pytest.approx([0.975] * 2)
    assert "Half of the error is kept for looking early" in str(made)


def test_a_second_pass_is_counted(study: Make) -> None:
    once, twice = study(*ARMS).plan(), study(*ARMS, second_pass="same").plan()
    assert twice.total.calls == 2 * once.total.calls
    assert twice.total.episodes == 2 * once.total.episodes


def test_what_a_wanted_effect_needs(study: Make) -> None:
    made = study(*ARMS[:2], seeds=10, stream=Errands(200))
    plan = made.plan(effect=0.2)
    found = contrast(plan, "memory")
    assert found.detectable.effect > 0.15
    enough = study(*ARMS[:2], seeds=10, stream=Errands(int(found.tasks))).plan()
    assert contrast(enough, "memory").detectable.effect <= 0.2
    fewer = study(*ARMS[:2], seeds=10, stream=Errands(int(found.tasks) - 4)).plan()
    assert contrast(fewer, "memory").detectable.effect > 0.2
    hopeless = made.plan(effect=0.001)
    assert math.isnan(contrast(hopeless, "memory").seeds)
    assert "no number of runs shows 0.001" in str(hopeless)
    assert "add sessions" in str(hopeless)


# What is warned of.


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({"seeds": 5}, "sign flips of 5 runs stop at p = 0.0625"),
        ({"seeds": 3}, "only 3 runs"),
        ({"lm": Cold()}, "temperature 0: seeds vary the order of tasks only"),
        ({"seeds": 1, "order": ["given", "shuffled"]}, "one seed"),
        ({"streams": [Errands(30)]}, "several streams"),
        ({"budget": Budget(calls=100)}, "the budget of 100 calls stops the study before its end: about 288"),
        ({"stream": Errands(4)}, "only a difference above 1 would be shown"),
    ],
)
def test_what_a_reader_will_hold_against_it(study: Make, rest: dict[str, object], told: str) -> None:
    plan = study(*ARMS[:2], **{"seeds": 6, **rest})
    assert [one for one in plan.plan().warnings if told in one]


def test_a_sound_design_is_not_warned_of(study: Make) -> None:
    assert study(*ARMS[:2], seeds=10, stream=Errands(200)).plan().warnings == ()


def test_arms_that_no_order_changes_are_named(study: Make) -> None:
    few = Arm("few-shot", learning=FixedExamples(4))
    told = " ".join(study(*ARMS[:2], few, seeds=6, lm=Cold()).plan().warnings)
    assert "few-shot and static answer alike in every order" in told
    assert "alike" not in " ".join(study(*ARMS[:2], few, seeds=6).plan().warnings)  # a warm model draws


def test_a_role_whose_tools_leave_out_those_of_a_solution_is_named(study: Make) -> None:
    deaf = Arm("deaf", role=Role("Porter", tools=("who",)), goals=ReAct(ticks=True))
    able = Arm("able", role=Role("Porter", tools=("ring", "who")), goals=ReAct(ticks=True))
    told = study(Arm.static(), deaf, able, seeds=6, stream=Nights(tasks=4)).plan().warnings
    (barred,) = [one for one in told if "may not act" in one]
    assert barred.startswith("deaf: the role may not act as the solution does in 4 of 4 tasks of nights")
    assert 'ring {"floor": ' in barred


# What is refused; running it is not.


@pytest.mark.parametrize(
    ("arms", "rest", "told"),
    [
        (ARMS[:1], {}, "one arm (static) is compared with nothing: add"),
        (ARMS[:2], {"seeds": 1}, "one seed, one order"),
        (ARMS[:2], {"order": "given", "lm": Cold()}, "all runs are the same run"),
        (ARMS[:2], {"stream": Errands(2)}, "2 tasks in one session"),
        (ARMS[:2], {"stream": Errands(1)}, "1 task in one session"),
    ],
)
def test_designs_that_answer_nothing(study: Make, arms: tuple[Arm, ...], rest: dict[str, object], told: str) -> None:
    made = study(*arms, **{"seeds": 2, **rest})
    with pytest.raises(SpecError) as refused:
        made.plan()
    assert told in str(refused.value)
    finish(made)


def test_a_given_order_is_allowed_where_something_is_drawn(study: Make) -> None:
    study(*ARMS[:2], order="given", seeds=6).plan()  # at a temperature above 0
    sham = Arm("sham", memory=Shuffled(of=Retrieval()))
    study(*ARMS[:2], sham, order="given", seeds=6, lm=Cold()).plan()


# How it is shown.


def test_it_is_shown_as_text_html_and_frame(study: Make) -> None:
    odd = replace(ARMS[1], name="m.1")
    plan = study(Arm.static(), odd, seeds=5).plan(effect=0.2, power=0.9)
    text, page = str(plan), plan._repr_html_()
    for word in ("m.1 - static", "detects at power 0.9", "seeds for 0.2", "in all", "warning: sign flips"):
        assert word in text
    assert page.count("<table>") == 2
    assert ">m.1 - static</td>" in page
    frame = plan.frame.set_index("arm")
    assert frame.loc["m.1", "detectable"] == contrast(plan, "m.1").detectable.effect
    assert math.isnan(frame.loc["static", "detectable"])
    assert frame.calls.sum() == plan.total.calls


def test_the_command(typed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", str(typed), "--effect", "0.2", "--power", "0.9", "--seeds", "6", "--tasks", "40"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "memory - static" in shown
    assert "seeds for 0.2" in shown
    assert "480" in shown  # 2 arms x 6 seeds x 40 tasks
    assert not (typed / "ledger").exists()
    assert main(["plan", str(typed), "--seeds", "1"]) == 2
    assert "answers no question" in capsys.readouterr().err
    assert main(["plan", str(typed), "--effect", "0"]) == 2
    assert "other than 0" in capsys.readouterr().err
