"""The learned threshold: it comes to the best one there is, whatever confidences mean, and keeps its invariants."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from toolkit.traits.learning.cutoff import NEVER, Cutoff

WORTH = 0.4
SKILLS: dict[str, tuple[Callable[[float], float], float]] = {
    "calibrated": (lambda sure: sure, WORTH),
    "too sure": (lambda sure: sure**3, WORTH ** (1 / 3)),
    "not sure enough": (lambda sure: sure ** (1 / 3), WORTH**3),
}
"""How often it is right at a confidence, and from which confidence on acting then pays."""


def lived(chance: Callable[[float], float], seed: int, tasks: int = 500) -> tuple[float, float, float]:
    """Where the threshold ends, and the regret a task against the best fixed one in hindsight, and Chow's regret."""
    rng, cutoff = np.random.default_rng(seed), Cutoff(instead=WORTH)
    sure, earned = rng.random(tasks), np.zeros(tasks)
    right = (rng.random(tasks) < [chance(one) for one in sure]).astype(float)
    for t in range(tasks):
        earned[t] = right[t] if cutoff.pays(sure[t]) else WORTH
        cutoff.seen(sure[t], right[t])
    fixed = [np.where(sure >= at, right, WORTH).mean() for at in [*sure, 0.0, NEVER]]
    return cutoff.at, max(fixed) - earned.mean(), max(fixed) - np.where(sure >= WORTH, right, WORTH).mean()


@pytest.mark.parametrize("name", SKILLS)
def test_it_comes_to_the_threshold_that_is_best_and_regrets_little(name: str) -> None:
    chance, best = SKILLS[name]
    at, regret, unlearned = np.array([lived(chance, seed) for seed in range(12)]).T
    assert abs(at.mean() - best) < 0.06
    assert regret.mean() < 0.02
    if name != "calibrated":
        assert regret.mean() < unlearned.mean() / 3, "taking the confidences at their word costs more"


def test_from_what_was_acted_on_alone_it_learns_only_by_exploring() -> None:
    """It says .2 and is right nine times in ten, so Chow's threshold would never act."""

    def end(explore: float, seed: int) -> bool:
        rng, cutoff = np.random.default_rng(seed), Cutoff(instead=WORTH)
        for _ in range(300):
            if cutoff.pays(0.2) or rng.random() < explore:
                cutoff.seen(0.2, float(rng.random() < 0.9))
        return cutoff.pays(0.2)

    assert not any(end(0.0, seed) for seed in range(5))
    assert all(end(0.1, seed) for seed in range(5))


def test_a_change_is_followed_within_the_window() -> None:
    cutoff = Cutoff(instead=WORTH, window=60)
    for _ in range(300):
        cutoff.seen(0.7, 1.0)
    assert cutoff.pays(0.7)
    for _ in range(60):
        cutoff.seen(0.7, 0.0)
    assert not cutoff.pays(0.7)


@pytest.mark.parametrize(("instead", "at"), [(-0.5, 0.0), (0.0, 0.0), (0.123, 0.123), (1.0, 1.0), (1.5, NEVER)])
def test_before_anything_is_known_it_is_chows(instead: float, at: float) -> None:
    assert Cutoff(instead=instead).at == Cutoff(instead=instead).chow == at
    assert Cutoff(right=3.0, wrong=-1.0, instead=4 * instead - 1).at == pytest.approx(at)


shares = st.integers(0, 20).map(lambda number: number / 20)  # coarse, so that ties occur
pairs = st.lists(st.tuples(shares, shares), max_size=40)


def learned(told: list[tuple[float, float]], instead: float = WORTH) -> Cutoff:
    cutoff = Cutoff(instead=instead, window=50)
    for sure, right in told:
        cutoff.seen(sure, right)
    return cutoff


@given(told=pairs, instead=st.floats(-0.5, 1.5))
def test_no_other_threshold_would_have_earned_more(told: list[tuple[float, float]], instead: float) -> None:
    cutoff = learned(told, instead)
    made_up = [((place + 0.5) / 20,) * 2 for place in range(20)]

    def earned(at: float) -> float:
        return math.fsum(right - instead for sure, right in [*told, *made_up] if sure >= at)

    assert 0 <= cutoff.at <= NEVER
    best = earned(cutoff.at)
    for other in [sure for sure, _ in [*told, *made_up]] + [0.0, NEVER]:
        assert best >= earned(other) - 1e-8


@given(told=pairs)
def test_it_acts_where_the_isotonic_regression_of_the_gain_does_not_lose(told: list[tuple[float, float]]) -> None:
    cutoff, rows = learned(told), [*told, *(((place + 0.5) / 20,) * 2 for place in range(20))]
    levels = sorted({sure for sure, _ in rows})
    gains = [[right - WORTH for sure, right in rows if sure == level] for level in levels]
    fitted = isotonic_regression([float(np.mean(one)) for one in gains], weights=[len(one) for one in gains]).x
    for level, gain in zip(levels, fitted, strict=True):
        if abs(gain) > 1e-9:  # a tie may be taken either way by rounding
            assert cutoff.pays(level) == (gain > 0)


@given(told=pairs, order=st.randoms(use_true_random=False))
def test_order_does_not_matter_and_its_state_is_all_of_it(told: list[tuple[float, float]], order: object) -> None:
    mixed = list(told)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    cutoff, again = learned(told), Cutoff(window=50)
    assert learned(mixed).at == cutoff.at
    again.restore(json.loads(json.dumps(cutoff.state())))
    assert (again.at, again.state()) == (cutoff.at, cutoff.state())


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({"right": 0.0}, "right must be more than wrong"),
        ({"instead": math.nan}, "instead must be a finite number"),
        ({"window": 0}, "window must be an integer of at least 1"),
        ({"prior": 0}, "prior must be an integer of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(rest: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Cutoff(**rest)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"confidence must be in \[0, 1\] but is nan"):
        Cutoff().seen(math.nan, 1.0)
