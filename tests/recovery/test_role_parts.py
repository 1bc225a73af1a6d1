"""Planted effects of a role's rules and examples are told apart by its own ablation; its persona's zero stays zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm
from toolkit.agents.controls import role_controls
from toolkit.analysis.comparison import Comparison
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.traits.role import Role

ROLE = Role(
    "Clerk",
    "Names errands for ann.",
    "Read the whole note.",
    ["A note names one errand."],
    [{"inputs": {"note": "stamps are needed"}, "answer": "letters"}],
)
PLACEBO = Role("Beekeeper", "Keeps bees in a garden.", "Watch over the hives.", ["A hive has one queen."])
GAINS = {"A note names one errand.": 0.25, "stamps are needed": 0.15}
# What an arm is worth against the whole role, to the digit: the model looks for two texts and nothing else.
PLANTED = {"static": -0.4, "clerk-no-rules": -0.25, "clerk-no-examples": -0.15, "clerk-handbook": 0.0,
           "clerk-no-instructions": 0.0, "clerk-placebo1": -0.4}  # fmt: skip
ZEROS = [name for name, effect in PLANTED.items() if not effect]


def ablated(make: Callable[..., Study], tasks: int, seeds: int, **rest: object) -> Comparison:
    """A role and its controls; no two arms share their luck."""
    arms = role_controls(Arm("clerk", role=ROLE, transcript=False), placebos=[PLACEBO])
    arms = tuple(replace(arm, repeat=number) for number, arm in enumerate(arms))
    lm = Scripted(0.3, 0.3, gains=GAINS)
    stream = Errands(tasks, sessions=False)
    return finish(make(*arms, stream=stream, lm=lm, seeds=seeds, baseline="clerk", **rest)).compare()


def test_rules_and_examples_are_told_apart_and_the_persona_is_not_declared(study: Callable[..., Study]) -> None:
    found = ablated(study, 80, 8)
    for name, planted in PLANTED.items():
        row = found.row(name)
        assert row.difference.low <= planted <= row.difference.high, (name, found)
        assert row.difference.high - row.difference.low < 0.2
        assert (row.permutation_p < 0.05) == (planted != 0), (name, found)
    assert found.row("clerk-no-rules").difference.high < 0
    assert found.row("clerk-no-examples").difference.high < 0


@pytest.mark.validate
def test_over_many_studies_the_intervals_cover_and_the_persona_is_declared_at_the_nominal_rate(
    study: Callable[..., Study],
) -> None:
    studies, covered, declared = 60, dict.fromkeys(PLANTED, 0), dict.fromkeys(ZEROS, 0)
    for number in range(studies):
        found = ablated(study, 40, 4, name=f"s{number}", study_seed=number)
        for name, planted in PLANTED.items():
            estimate = found.row(name).difference
            covered[name] += estimate.low <= planted <= estimate.high
            if name in declared:
                declared[name] += estimate.excludes_zero
    # P(fewer than 51 of 60 at .95) = .003 for one effect; P(more than 8 of 60 at .05) = .003
    assert min(covered.values()) >= 51, covered
    assert max(declared.values()) <= 8, declared
