"""Ablations, factorials and fractions: which arms come out, and what their names and aliases promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from math import prod

import pytest
from errands import Errands, finish

from toolkit.agents.arm import NAME, Arm, floors
from toolkit.agents.designs import Factorial, by_channel, factorial
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.report.facts import gather
from toolkit.report.methods import methods
from toolkit.streams.channel import FullLabel, NoFeedback, OneBit
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.learning import Compiled, DemoBuffer, FixedExamples, Tuned
from toolkit.traits.memory import FullContext, PermutedLabels, Retrieval, Shuffled, SlidingWindow
from toolkit.traits.role import Role
from toolkit.widgets import ArmForm

Make = Callable[..., Study]


class Stubborn(GoalPolicy):
    """Wants something, so that all four traits can be on."""

    def block(self, task):
        return "Goal: finish the list."


TRAITS = {"role": Role("Clerk"), "memory": Retrieval(k=2), "goals": Stubborn(), "learning": DemoBuffer(size=3)}
SETS = [names for k in (1, 2, 3, 4) for names in combinations(TRAITS, k)]
HALVES = [names for names in SETS if len(names) >= 3]


def arm(*on: str, name: str = "full", **rest: object) -> Arm:
    rest = {"transcript": False, "lm": Scripted(p=0.4), "repeat": 2, **rest}
    return Arm(name, **{trait: TRAITS[trait] for trait in on}, **rest)


def differing(one: Arm, other: Arm) -> set[str]:
    return {part for part in (*Arm.traits, "decider", "transcript", "lm", "repeat")
            if getattr(one, part) != getattr(other, part)}  # fmt: skip


def column(design: Factorial, effect: str) -> list[int]:
    """The signs of an effect over the cells of a design, from its factors' levels alone."""
    places = [design.factors.index(factor) for factor in effect.split(" x ")]
    return [prod(row[place] for place in places) for row in design.levels.values()]


@pytest.mark.parametrize("on", SETS, ids="-".join)
@pytest.mark.parametrize("shams", [False, True])
def test_every_arm_of_every_design_is_valid_its_own_and_comes_back_from_its_config(
    on: tuple[str, ...], shams: bool
) -> None:
    designs = [arm(*on).ablations(shams=shams), factorial(arm(*on), shams=shams).arms]
    if len(on) >= 3:
        designs.append(factorial(arm(*on), half=True, shams=shams).arms)
    for arms in designs:
        assert len({one.name for one in arms}) == len(arms)
        assert len({one.fingerprint() for one in arms}) == len(arms), "a study refuses arms that do the same"
        for one in arms:
            assert NAME.fullmatch(one.name)
            assert Arm.from_config(one.config()) == one


@pytest.mark.parametrize("on", [names for names in SETS if len(names) > 1], ids="-".join)
def test_each_ablation_differs_from_the_full_arm_in_one_trait(on: tuple[str, ...]) -> None:
    full = arm(*on)
    first, *without, static = full.ablations()
    assert first is full
    assert [one.name for one in without] == [f"full-no-{trait}" for trait in on]
    for trait, one in zip(on, without, strict=True):
        assert differing(full, one) == {trait}
        assert one.on == tuple(other for other in on if other != trait)
    assert (static.name, static.on, differing(full, static)) == ("static", (), set(on))


def test_the_ablation_of_a_single_trait_is_static() -> None:
    assert [(one.name, one.on) for one in arm("memory").ablations()] == [("full", ("memory",)), ("static", ())]


@pytest.mark.parametrize("on", SETS, ids="-".join)
def test_a_factorial_has_every_combination_once_in_standard_order(on: tuple[str, ...]) -> None:
    design = factorial(arm(*on))
    assert design.factors == on
    assert design.aliases == design.shams == ()
    assert [one.on for one in design.arms] == sorted(
        (subset for k in range(len(on) + 1) for subset in combinations(on, k)),
        key=lambda subset: sum(2 ** on.index(trait) for trait in subset),
    )
    for one in design.arms:
        assert one.name == ("-".join(one.on) or "static")
        assert design.levels[one.name] == tuple(1 if trait in one.on else -1 for trait in on)
        assert differing(arm(*on), one) == set(on) - set(one.on)


@pytest.mark.parametrize("on", HALVES, ids="-".join)
def test_aliased_effects_have_the_same_signs_over_the_fraction_and_no_others_have(on: tuple[str, ...]) -> None:
    design = factorial(arm(*on), half=True)
    assert len(design.arms) == 2 ** (len(on) - 1)
    assert "static" in design.levels
    assert {prod(row) for row in design.levels.values()} == {(-1) ** len(on)}
    told = set()
    for line in design.aliases:
        effect, _, other = line.partition(" is aliased with ")
        other, _, reversed_ = other.partition(", ")
        assert reversed_ in ("", "sign reversed")
        sign = -1 if reversed_ else 1
        assert column(design, effect) == [sign * entry for entry in column(design, other)]
        told.add(frozenset([effect, other]))
    effects = [" x ".join(names) for k in (1, 2, 3) for names in combinations(on, k) if k < len(on)]
    same = {
        frozenset([one, other])
        for one, other in combinations(effects, 2)
        if abs(sum(a * b for a, b in zip(column(design, one), column(design, other), strict=True))) == len(design.arms)
    }
    assert told == same
    assert len(design.aliases) == len(told)


def test_a_fraction_of_four_traits_has_both_ends_and_says_its_aliases_in_words() -> None:
    design = factorial(arm(*TRAITS), half=True)
    assert {"static", "role-memory-goals-learning"} <= set(design.levels)
    assert "role is aliased with memory x goals x learning" in design.aliases
    assert "role x memory is aliased with goals x learning" in design.aliases


def test_a_printed_design_shows_levels_shams_and_aliases() -> None:
    lines = str(factorial(arm("role", "memory", "learning"), half=True, shams=True)).splitlines()
    assert lines[0].split() == ["arm", "role", "memory", "learning"]
    assert [line.split() for line in lines[1:5]] == [
        ["static", "-", "-", "-"],
        ["role-memory", "+", "+", "-"],
        ["role-learning", "+", "-", "+"],
        ["memory-learning", "-", "+", "+"],
    ]
    shams = ["role-memory-shuffled", "role-memory-permuted", "role-learning-fixed"]
    assert [line.split() for line in lines[5:8]] == [[name, "sham"] for name in shams]
    assert lines[8] == "role is aliased with memory x learning, sign reversed"
    assert len(lines) == 11


def test_shams_spoil_one_trait_of_the_fullest_arm() -> None:
    full = arm("role", "memory", "learning")
    for arms, base in [(full.ablations(shams=True), full), (factorial(full, shams=True).shams, full)]:
        shuffled, permuted, fixed = arms[-3:]
        assert shuffled.memory == Shuffled(Retrieval(k=2))
        assert permuted.memory == PermutedLabels(Retrieval(k=2))
        assert fixed.learning == FixedExamples(k=3)
        assert [differing(base, sham) for sham in arms[-3:]] == [{"memory"}, {"memory"}, {"learning"}]
    design = factorial(full, shams=True)
    assert set(design.levels) == {one.name for one in design.arms} - {one.name for one in design.shams}


def test_what_tunes_stands_beside_the_same_optimiser_beforehand() -> None:
    *_, rival = Arm("tuned", learning=Tuned("gepa", window=12, budget=9, reflection_lm=1)).ablations(shams=True)
    assert rival.name == "tuned-compiled"
    assert rival.learning == Compiled("gepa", labels=12, budget=9, reflection_lm=1)


@pytest.mark.parametrize(
    ("memory", "names"),
    [
        (Retrieval(), ["full-shuffled", "full-permuted"]),
        (SlidingWindow(), ["full-permuted"]),
        (FullContext(), ["full-permuted"]),
        (Shuffled(Retrieval()), []),
        (PermutedLabels(Retrieval()), []),
    ],
    ids=repr,
)
def test_only_what_can_be_spoiled_has_a_sham(memory: Retrieval, names: list[str]) -> None:
    assert [one.name for one in Arm("full", memory=memory).ablations(shams=True)[2:]] == names
    assert len(arm("role").ablations(shams=True)) == 2
    assert len(Arm("few", learning=FixedExamples()).ablations(shams=True)) == 2


@pytest.mark.parametrize("make", [Arm.ablations, factorial])
def test_what_has_no_trait_to_take_away_is_refused(make: Callable[[Arm], object]) -> None:
    with pytest.raises(ValueError, match="'static' has none: switch on any of role, memory, goals, learning"):
        make(Arm.static())
    with pytest.raises(ValueError, match="'program' decides by Wrapped, which takes no notice of traits"):
        make(replace(Arm.wrap(str), memory=Retrieval()))
    make(floors()[0])  # the nearest neighbour copies from memory, so that memory is worth something to it


@pytest.mark.parametrize("name", ["static", "x" * 29])
def test_a_name_that_leaves_no_room_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"at most 28 characters, other than 'static', but is called '{name}'"):
        arm("role", "memory", "learning", name=name).ablations()
    assert factorial(arm("role", "memory", name=name)).arms
    assert arm("learning", "memory", name="x" * 28).ablations()[2].name == "x" * 28 + "-no-learning"


@pytest.mark.parametrize("on", [names for names in SETS if len(names) < 3], ids="-".join)
def test_half_of_fewer_than_three_traits_is_refused(on: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=rf"at least 3 traits, but arm 'full' has {len(on)} on \({', '.join(on)}\)"):
        factorial(arm(*on), half=True)


def test_a_study_takes_a_design_as_it_is(study: Callable[..., Study]) -> None:
    full = arm("role", "memory", "learning", lm=None, repeat=0)
    made = finish(study(*factorial(full, half=True, shams=True).arms, seeds=1))
    assert made.baseline == "static"
    assert {row.arm: row.on for row in made.compare().rows}["role-memory"] == ("role", "memory")
    assert len(made.compare().rows) == 7


def test_arms_hear_what_their_own_channel_says(study: Make) -> None:
    channels = {"label": FullLabel(), "bit": OneBit(), "deaf": NoFeedback()}
    arms = (Arm.static(), *by_channel(Arm("memory", memory=Retrieval()), channels))
    made = finish(study(*arms, seeds=3, stream=Errands(tasks=40)))
    frame = made.episodes()
    heard = frame[frame.arm != "static"].groupby("arm").labels.sum()
    assert heard["memory-deaf"] == 0
    assert heard["memory-label"] == heard["memory-bit"] == 3 * 40
    found = made.compare()
    gains = [found.row(f"memory-{word}").difference.value for word in channels]
    assert gains[0] > gains[1] > gains[2] - 0.02
    assert [found.row(f"memory-{word}").difference.n for word in channels] == [120] * 3
    note = "Feedback: FullLabel(); memory-bit: OneBit(); memory-deaf: NoFeedback()."
    assert any(note in one for one in found.notes)
    told = methods(gather(made.ledger, made.name)).markdown()
    assert "memory-bit learned whether it was right" in told
    assert "memory-deaf learned nothing" in told


def test_a_channel_of_ones_own_is_part_of_what_a_run_is(study: Make) -> None:
    arm = Arm("memory", memory=Retrieval())
    ids = [{run.id for run in study(Arm.static(), replace(arm, channel=own)).runs} for own in (None, OneBit())]
    assert len(ids[0] & ids[1]) == 2  # static's
    assert len(ids[0] | ids[1]) == 6
    again = Arm.from_config(replace(arm, channel=OneBit()).config())
    assert again.channel == OneBit()
    assert again.fingerprint() == replace(arm, channel=OneBit()).fingerprint() != arm.fingerprint()
    assert ArmForm(again).value == again
    with pytest.raises(ValueError, match="channel must be a Channel but is 'bit'"):
        replace(arm, channel="bit")
    with pytest.raises(ValueError, match="changed by nothing it hears"):
        by_channel(Arm.static(), {"bit": OneBit()})
