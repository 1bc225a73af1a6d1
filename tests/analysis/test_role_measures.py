"""Measures of roles, from the ledger: wordings, catching up, roles by streams; planted effects lie in the intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from errands import Errands, finish

import toolkit as tk
from toolkit.figures import Drawn
from toolkit.records import Learned
from toolkit.report.content import content
from toolkit.report.facts import gather
from toolkit.report.methods import methods
from toolkit.report.roles import role_section
from toolkit.traits.learning import Learner
from toolkit.traits.rules import MustNotSay

GAINS = {"Clerk one": 0.3, "Clerk two": 0.4, "Clerk three": 0.5, "Clerk & parcel": -0.6}
"""Of three wordings, in the mean .4; on sendings, which are not its own, that much less."""


class Sendings(Errands):
    """The same with other notes."""

    def load(self):
        told = [(task, key) for task, key in super().load()]
        return [(replace(task, inputs={"note": f"parcel, {task.inputs['note']}"}), key) for task, key in told]


class Sudden(Learner):
    """Knows everything from the twelfth task on."""

    def reset(self, rng, think):
        self.met = 0

    def observe(self, experience):
        self.met += 1

    def learned(self):
        return Learned(instruction="Playbook: name the errand.") if self.met >= 12 else Learned()


RULE = MustNotSay("Never name the bank.", "^bank$")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    """A role in three wordings and three placebos, no two arms with the same luck, on its own stream and another."""
    clerks = {"clerk": "Clerk one", "clerk-w1": "Clerk two", "clerk-w2": "Clerk three"}
    bland = {f"clerk-placebo{n}": f"Walker {n}" for n in (1, 2, 3)}
    roles = {name: tk.Role(text, rules=[RULE]) for name, text in clerks.items()}
    roles |= {name: tk.Role(text) for name, text in bland.items()}
    arms = [tk.Arm("static"), *(tk.Arm(name, role=role, repeat=n + 1) for n, (name, role) in enumerate(roles.items()))]
    folder = tmp_path_factory.mktemp("roles") / "ledger"
    streams = [Errands(20, sessions=False), Sendings(20, sessions=False)]
    lm = tk.Scripted(0.4, 0.4, gains=GAINS)
    return finish(tk.Study("roles", streams=streams, arms=arms, baseline="static", seeds=4, lm=lm, ledger=folder))


ROLE = ("clerk", "clerk-w1", "clerk-w2")
PLACEBOS = ("clerk-placebo1", "clerk-placebo2", "clerk-placebo3")


def test_the_worth_of_a_role_is_found_over_its_wordings(study: tk.Study) -> None:
    found = tk.wording_effect(study, wordings=ROLE, placebos=PLACEBOS, stream="errands")
    assert found.estimate.excludes_zero
    assert found.estimate.low <= 0.4 <= found.estimate.high
    assert found.estimate.n == 80
    assert found.row("clerk").score.value == pytest.approx(0.7, abs=0.15)
    assert found.spreads["role"].low <= 0.1 <= found.spreads["role"].high
    whole = found.frame.set_index("wording")
    assert whole.loc["role - placebo"].value == pytest.approx(found.estimate.value)
    assert "Of these wordings alone" in str(found)
    other = tk.wording_effect("roles", wordings=ROLE, placebos=PLACEBOS, stream="sendings", ledger=study.ledger)
    assert other.estimate.low <= -0.2 <= other.estimate.high


def test_a_planted_zero_is_none_and_one_wording_says_nothing(study: tk.Study) -> None:
    null = tk.wording_effect(study, wordings=["static", PLACEBOS[0]], placebos=PLACEBOS[1:])
    assert null.estimate.low < 0 < null.estimate.high
    one = tk.wording_effect(study, wordings=["clerk"], placebos=PLACEBOS)
    assert math.isnan(one.estimate.low)
    assert "one wording of the role" in str(one)
    with pytest.raises(tk.ToolkitError, match="named twice"):
        tk.wording_effect(study, wordings=ROLE, placebos=["clerk"])
    with pytest.raises(tk.ToolkitError, match="no arm 'clark'"):
        tk.wording_effect(study, wordings=["clark"], placebos=PLACEBOS)
    with pytest.raises(tk.ToolkitError, match="name two or more"):
        tk.wording_effect(study, wordings=ROLE, placebos=[])


def test_what_a_role_costs_elsewhere_stands_beside_what_it_gains(study: tk.Study) -> None:
    found = tk.role_matrix(study, {"clerk": "errands", "clerk-w2": "sendings", "clerk-placebo1": ""})
    clerk = found.row("clerk")
    assert clerk.gain.low <= 0.3 <= clerk.gain.high
    assert clerk.elsewhere.low <= -0.3 <= clerk.elsewhere.high
    assert found.cell("clerk", "errands") == clerk.gain
    plain = tk.compare(study, stream="sendings").row("clerk").difference
    assert (clerk.elsewhere.value, clerk.elsewhere.low) == pytest.approx((plain.value, plain.low))
    both = found.row("clerk-placebo1")
    assert both.gain is None
    assert both.elsewhere.low < 0 < both.elsewhere.high
    assert both.elsewhere.n == 160
    assert list(found.frame.columns[:4]) == ["role", "stream", "own", "difference"]
    assert "(80)*" in str(found)


def test_cells_that_were_not_run_are_not_available(study: tk.Study, tmp_path: object) -> None:
    arms = [tk.Arm("static"), tk.Arm("cook", role=tk.Role("Cook"))]
    other = finish(
        tk.Study("kitchen", Errands(6, sessions=False), arms=arms, seeds=2, ledger=tmp_path, lm=tk.Scripted())
    )
    found = tk.role_matrix([study, other], {"clerk": "errands", "cook": "sendings"})
    assert found.cell("cook", "sendings") is None
    assert "n/a*" in str(found)
    assert found.frame.reason.eq("not run").sum() == 1
    with pytest.raises(tk.ToolkitError, match="no study has a stream 'errand'"):
        tk.role_matrix(study, {"clerk": "errand"})
    with pytest.raises(tk.ToolkitError, match="is in 'roles' and 'roles'"):
        tk.role_matrix([study, study], {"clerk": "errands"})


def test_a_generalist_that_learns_is_there_when_it_was_planted_to_be(study: Callable[..., tk.Study], tmp_path) -> None:
    arms = [tk.Arm("static"), tk.Arm("clerk", role=tk.Role("Clerk")), tk.Arm("learner", learning=Sudden())]
    lm = tk.Scripted(0.05, 0.05, gains={"Clerk": 0.55, "Playbook:": 0.95})
    settings = {"arms": arms, "seeds": 6, "lm": lm, "ledger": tmp_path}
    sat = finish(tk.Study("sat", Errands(30, sessions=False), exams=tk.Exams(every=5, tasks=8), **settings))
    found = tk.catch_up(sat, generalist="learner", role="clerk")
    assert found.found.times.tolist() == [15.0] * 6  # known after 12, seen by the exam after 15
    assert found.target.low <= 0.6 <= found.target.high
    assert found.target.n == 6 * 8
    assert len(found.frame) == 3
    never = tk.catch_up(sat, generalist="static", role="clerk")
    assert never.found.reached == 0
    assert "0 of 6 runs were there" in str(never)
    plain = finish(tk.Study("plain", Errands(30, sessions=False), **settings))
    seen = tk.catch_up(plain, generalist="learner", role="clerk", window=6)
    assert all(12 < time <= 18 for time in seen.found.times)
    assert "No exams of both arms" in str(seen)
    with pytest.raises(tk.ToolkitError, match="no arm 'clark'"):
        tk.catch_up(sat, generalist="learner", role="clark")


def test_the_ledger_says_how_often_each_arm_broke_the_role_s_rules(study: tk.Study) -> None:
    found = tk.rule_violations(study, stream="errands", turns=(5, 10))
    rows = study.episodes().query("phase == 'stream' and stream == 'errands'")
    for arm in ("static", "clerk", "clerk-placebo2"):
        own = rows[rows.arm == arm]
        one = found.row(arm, RULE.text)
        assert (one.broken, one.applied) == (int((own.answer == "bank").sum()), 80)
        early = found.row(arm, turns="1-5")
        assert early.broken == int(((own.answer == "bank") & (own.t < 5)).sum())
    assert found.row("static").difference is None
    gap = found.row("clerk").difference
    assert gap.value == pytest.approx((found.row("clerk").broken - found.row("static").broken) / 80)
    assert str(tk.rule_violations("roles", stream="errands", turns=(5, 10), ledger=study.ledger)) == str(found)
    with pytest.raises(KeyError, match="1-5"):
        found.row("clerk", turns="1-4")


def test_a_report_tells_of_roles_where_there_are_any(study: tk.Study) -> None:
    facts = gather(study.ledger, study.name)
    blank = dict.fromkeys(("differences", "curves", "costs", "worth", "utility"), Drawn())
    page = "".join(content(facts, blank))
    for told in ("<h3>Roles</h3>", "clerk: in other words", "Rules that were broken", "Never name the bank."):
        assert told in page
    written = methods(facts)
    assert "wordings are a random factor" in "".join(written.texts)
    assert {"clark1973", "judd2012", "deng2018"} <= set(written.keys)
    assert "Rules of roles were checked by a program" in "".join(written.texts)


def test_a_report_says_nothing_of_roles_where_there_are_none(tmp_path: Path) -> None:
    arms = [tk.Arm("static"), tk.Arm("clerk", role=tk.Role("Clerk", rules=["Never guess."]))]
    made = finish(tk.Study("bare", Errands(4), arms=arms, seeds=1, ledger=tmp_path, lm=tk.Scripted()))
    facts = gather(made.ledger, made.name)
    assert facts.violations is None
    assert role_section(facts) == ""
    assert "Rules of roles" not in "".join(methods(facts).texts)
