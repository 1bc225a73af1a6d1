"""What a study's arms allow to be told of each trait: which are cells, which are not, and what is n/a and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm, floors
from toolkit.agents.designs import factorial
from toolkit.analysis import main_effects
from toolkit.analysis.cells import factorial_cells, left_out, pairs
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.records import Recall
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.learning import DemoBuffer, FixedExamples
from toolkit.traits.memory import Retrieval, SlidingWindow
from toolkit.traits.role import Role

FULL = Arm("full", role=Role("Clerk"), memory=Retrieval(k=2), learning=DemoBuffer(size=3))


class Wish(GoalPolicy):
    """Wants something."""

    def block(self, task):
        return "Goal: done by noon."


def tables(*arms: Arm) -> list[dict[str, object]]:
    return [arm.config() for arm in arms]


def test_cells_are_found_among_shams_floors_rivals_and_repeats() -> None:
    design = factorial(FULL, shams=True)
    rival = Arm("few-shot", learning=FixedExamples(4), transcript=False)
    window = replace(design.arms[2], name="window", memory=SlidingWindow(k=2))
    others = (*floors(), rival, window, replace(design.arms[1], name="role-again", repeat=1))
    arms = tables(*reversed(others), *reversed(design.arms))
    found = factorial_cells(arms)
    assert found is not None
    assert (found.kind, found.factors) == ("full", ("role", "memory", "learning"))
    assert found.levels == design.levels
    told = " ".join(left_out(arms, found))
    for words in [
        "nearest (decides by NearestNeighbour)",
        "few-shot (differs in more than traits)",
        "window (memory is SlidingWindow(k=2))",
        "role-again (a repeat)",
        "role-memory-learning-shuffled (a sham: Shuffled(of=Retrieval(k=2)))",
    ]:
        assert words in told


@pytest.mark.parametrize("goals", [True, False])
def test_a_half_fraction_is_known_for_one(goals: bool) -> None:
    design = factorial(replace(FULL, goals=Wish()) if goals else FULL, half=True)
    found = factorial_cells(tables(*design.arms))
    assert found is not None
    assert (found.kind, found.levels) == ("half", design.levels)


def test_of_ablations_only_pairs_can_be_told() -> None:
    arms = tables(*FULL.ablations(shams=True))
    assert factorial_cells(arms) is None
    found = [(pair.trait, pair.with_it, pair.without, pair.beside) for pair in pairs(arms)]
    assert found == [
        ("role", "full", "full-no-role", ("memory", "learning")),
        ("memory", "full", "full-no-memory", ("role", "learning")),
        ("learning", "full", "full-no-learning", ("role", "memory")),
    ]
    alone = pairs(tables(Arm.static(), Arm("m", memory=Retrieval()), Arm("r", role=Role("Clerk"))))
    assert [(pair.with_it, pair.beside) for pair in alone] == [("r", ()), ("m", ())]


def test_effects_are_of_policies_with_all_that_a_reader_needs(study: Callable[..., Study]) -> None:
    design = factorial(FULL, shams=True)
    made = finish(study(*design.arms, *floors()[:1], stream=Errands(12)))
    found = main_effects(made)
    assert [row.trait for row in found.rows[:3]] == ["role", "memory", "learning"]
    assert found.row("memory").effect == "Retrieval(k=2)"
    assert found.row("learning x memory").effect == "Retrieval x DemoBuffer"
    rows = made.episodes()
    own = rows[rows.arm.isin(list(design.levels))]
    on = own.arm.map(lambda arm: "memory" in arm)
    assert found.row("memory").estimate.value == pytest.approx(own[on].score.mean() - own[~on].score.mean())
    gain = own[own.arm == "role-memory-learning"].score.mean() - own[own.arm == "static"].score.mean()
    assert sum(found.row(name).share for name in design.factors) == pytest.approx(gain)
    text = str(found)
    for words in ["24 of 24 pairs", "No cells of it: role-memory-learning-shuffled", "Only 2 runs", "SCRIPTED MODEL"]:
        assert words in text
    assert list(found.frame.trait) == [row.trait for row in found.rows]
    assert found._repr_html_().count("<tr>") == 1 + len(found.rows)
    report = made.report().read_text()
    assert "What each trait is worth" in report
    assert "Retrieval(k=2)" in report


def test_a_fraction_has_aliases_and_no_shares(study: Callable[..., Study]) -> None:
    found = finish(study(*factorial(FULL, half=True).arms, stream=Errands(12))).main_effects()
    assert len(found.rows) == 3
    assert all(math.isnan(row.share) and row.alias for row in found.rows)
    assert "aliased with memory x learning, sign reversed" in str(found)
    assert "refused on a half fraction" in str(found)


def test_an_ablation_says_what_it_is_an_effect_beside(study: Callable[..., Study]) -> None:
    made = finish(study(*FULL.ablations(), stream=Errands(12)))
    found = made.main_effects()
    memory = found.row("memory")
    assert (memory.estimand, memory.arms) == ("beside role, learning", ("full", "full-no-memory"))
    contrast = made.compare().row("full").score.value - made.compare().row("full-no-memory").score.value
    assert memory.estimate.value == pytest.approx(contrast)
    assert "No factorial among the arms" in str(found)
    assert "full - full-no-memory" in str(found)


def test_where_no_stream_can_reward_a_trait_its_effects_are_na_with_a_reason(study: Callable[..., Study]) -> None:
    full = Arm("full", memory=Retrieval(k=2), goals=Wish())
    found = finish(study(*factorial(full).arms, stream=Errands(12))).main_effects()
    for name in ("goals", "memory x goals"):
        row = found.row(name)
        assert math.isnan(row.estimate.value)
        assert not row.estimate.excludes_zero
        assert row.estimate.reason == "errands cannot reward goals: take a stream that can"
    assert not math.isnan(found.row("memory").estimate.value)


def test_what_cannot_be_told_is_said(study: Callable[..., Study]) -> None:
    made = finish(study(Arm.static(), Arm("both", memory=Retrieval(), role=Role("Clerk")), seeds=1))
    found = made.main_effects()
    assert found.rows == ()
    assert "No two arms differ in one trait alone" in str(found)
    assert "What each trait is worth" not in made.report().read_text()
    with pytest.raises(KeyError, match="there is no effect of 'memory'"):
        found.row("memory")
    with pytest.raises(LedgerError, match="no stream called 'desk'"):
        main_effects(made, stream="desk")


def test_a_cell_that_is_missing_is_a_reason_and_no_crash(study: Callable[..., Study]) -> None:
    class Broken(Retrieval):
        def recall(self, task):
            if self.k == 3:
                raise RuntimeError("broken")
            return Recall()

    full = Arm("full", memory=Broken(k=3), role=Role("Clerk"))
    made = study(*factorial(full).arms, stream=Errands(12))
    made.run()
    found = made.main_effects()
    assert all(math.isnan(row.estimate.value) for row in found.rows)
    assert "2 of the 4 cells have scores" in found.row("role").estimate.reason


def test_several_streams_are_pooled_or_taken_one_by_one(study: Callable[..., Study]) -> None:
    design = factorial(Arm("full", memory=Retrieval(k=2), role=Role("Clerk")))
    made = finish(study(*design.arms, stream=Errands(12), streams=[Errands(8, sessions=False)]))
    both, one = main_effects(made), main_effects(made, stream="errands-2")
    assert (both.row("role").estimate.n, one.row("role").estimate.n) == (2 * 20, 2 * 8)
    assert one.row("role").estimate.clusters == 8
