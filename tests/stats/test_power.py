"""Planning arithmetic: what must hold whatever the numbers, and what degenerate designs say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.stats import sign_flip, two_way
from toolkit.stats.estimate import t_quantile
from toolkit.stats.power import detectable_effect, needed, planned_power, sign_flip_limit, smallest_p
from toolkit.stats.variance import Components, binary_prior, variance_components

VARIANCE = st.floats(0.001, 1)
PARTS = st.builds(Components, run=VARIANCE, cluster=VARIANCE, cell=VARIANCE)
SOME = settings(max_examples=25)


@SOME
@given(PARTS, st.integers(2, 30), st.integers(2, 300), st.floats(0.2, 0.95))
def test_the_detectable_effect_has_the_wanted_power(parts: Components, runs: int, clusters: int, want: float) -> None:
    found = detectable_effect(parts, runs=runs, clusters=clusters, power=want)
    assert planned_power(parts, found.effect, runs=runs, clusters=clusters).power == pytest.approx(want, abs=1e-4)
    assert planned_power(parts, -found.effect, runs=runs, clusters=clusters).power == pytest.approx(want, abs=1e-4)


@SOME
@given(PARTS, st.integers(4, 30), st.integers(10, 300))
def test_more_of_anything_detects_less(parts: Components, runs: int, clusters: int) -> None:
    here = detectable_effect(parts, runs=runs, clusters=clusters).effect
    assert detectable_effect(parts, runs=2 * runs, clusters=clusters).effect < here
    # With few runs, more clusters leave the runs' share of the variance larger, and Satterthwaite's df smaller.
    assert detectable_effect(parts, runs=runs, clusters=2 * clusters).effect < 1.02 * here
    assert detectable_effect(parts, runs=runs, clusters=clusters, level=0.99).effect > here
    assert detectable_effect(parts, runs=runs, clusters=clusters, power=0.9).effect > here


@SOME
@given(PARTS, st.integers(2, 20), st.integers(2, 200), st.floats(0.01, 100))
def test_the_unit_of_the_score_does_not_matter(parts: Components, runs: int, clusters: int, unit: float) -> None:
    scaled = Components(*(value * unit**2 for value in (parts.run, parts.cluster, parts.cell)))
    effect = detectable_effect(parts, runs=runs, clusters=clusters).effect
    assert detectable_effect(scaled, runs=runs, clusters=clusters).effect == pytest.approx(effect * unit, rel=1e-4)


@SOME
@given(PARTS, st.floats(0.2, 1), st.integers(5, 20))
def test_what_is_needed_suffices_and_one_less_does_not(parts: Components, effect: float, runs: int) -> None:
    found = needed(parts, effect, runs=runs)
    if found.power < 0.8:
        assert "no number of sessions" in found.reason
        return
    assert found.clusters == 2 or planned_power(parts, effect, runs=runs, clusters=found.clusters - 1).power < 0.8


def test_one_more_run_is_what_was_missing() -> None:
    parts = Components(run=0.001, cluster=0.1, cell=0.3)
    found = needed(parts, 0.1, clusters=150)
    assert found.power > 0.8 > planned_power(parts, 0.1, runs=found.runs - 1, clusters=150).power


def test_components_by_hand() -> None:
    """A table that is a sum of rows and columns: no cell term; variances of the two sets of means."""
    rows, columns = np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 6.0, 9.0])
    run, cluster = (index.ravel() for index in np.indices((3, 4)))
    found = variance_components(rows[run] + columns[cluster], run, cluster)
    assert found.cell == pytest.approx(0, abs=1e-12)
    assert found.run == pytest.approx(1)
    assert found.cluster == pytest.approx(15)
    assert "12 differences, 3 runs x 4 clusters" in found.source
    assert "3 runs" in found.reason


def test_components_give_back_the_error_of_the_test() -> None:
    rng = np.random.default_rng(50)
    table = rng.normal(0, 0.3, (6, 1)) + rng.normal(0, 0.5, (1, 30)) + rng.normal(0, 1, (6, 30))
    run, cluster = (index.ravel() for index in np.indices(table.shape))
    found, tested = variance_components(table.ravel(), run, cluster), two_way(table.ravel(), run, cluster)
    assert min(found.run, found.cluster) > 0
    half = t_quantile(0.95, tested.df) * found.mean_variance(6, 30) ** 0.5
    assert half == pytest.approx((tested.high - tested.low) / 2)


def test_components_are_never_negative() -> None:
    run, cluster = (index.ravel() for index in np.indices((4, 4)))
    found = variance_components(np.where(run == cluster, 3.0, -1.0), run, cluster)  # equal means
    assert (found.run, found.cluster) == (0.0, 0.0)
    assert found.cell > 0


@pytest.mark.parametrize(
    ("values", "run", "cluster"),
    [([], [], []), ([1.0, math.nan], [1, 2], [1, 2]), ([1.0, 0.0], [1, 1], [1, 2]), ([1.0, 0.0], [1, 2], [1, 1])],
)
def test_too_small_a_pilot_says_so_and_so_does_the_plan(
    values: list[float], run: list[int], cluster: list[int]
) -> None:
    found = variance_components(values, run, cluster)
    assert math.isnan(found.run)
    assert "two of either are needed" in found.reason
    for planned in (planned_power(found, 0.1, runs=5, clusters=50), detectable_effect(found, runs=5, clusters=50)):
        assert math.isnan(planned.power)
        assert planned.reason == found.reason
    assert math.isnan(needed(found, 0.1, runs=5).power)


@pytest.mark.parametrize(
    ("runs", "clusters", "told"),
    [(1, 50, "1 run"), (5, 1, "1 session"), (2, 50, "fewer than 4"), (5, 3, "fewer than 4"), (5, 50, "")],
)
def test_small_designs_are_told_as_the_test_tells_them(runs: int, clusters: int, told: str) -> None:
    found = detectable_effect(Components(0.01, 0.1, 0.3), runs=runs, clusters=clusters)
    assert told in found.reason
    assert bool(found.reason) == bool(told)
    assert math.isnan(found.power) == (min(runs, clusters) == 1)


def test_a_pilot_without_spread_promises_nothing() -> None:
    found = detectable_effect(Components(0, 0, 0), runs=5, clusters=50)
    assert math.isnan(found.effect)
    assert "no spread" in found.reason


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"power": 0.03}, "power must be between"),
        ({"power": 1.0}, "power must be between"),
        ({"level": 95}, "level must be between"),
        ({"runs": 0}, "runs must be at least 1"),
        ({"tasks": 0.5}, "tasks must be at least 1"),
    ],
)
def test_mistakes_are_named(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        detectable_effect(binary_prior(), **{"runs": 5, "clusters": 50, **wrong})  # type: ignore[arg-type]


def test_a_design_is_sought_on_one_side() -> None:
    with pytest.raises(ValueError, match="either runs or clusters"):
        needed(binary_prior(), 0.1, runs=5, clusters=50)
    with pytest.raises(ValueError, match="other than 0"):
        needed(binary_prior(), 0.0, runs=5)
    with pytest.raises(ValueError, match="finite"):
        planned_power(binary_prior(), math.inf, runs=5, clusters=50)


def test_the_prior_is_as_bad_as_independent_coins() -> None:
    prior = binary_prior()
    assert prior.cluster + prior.task + prior.cell + prior.residual == pytest.approx(0.25 + 0.25)
    assert "no pilot" in prior.source


@pytest.mark.parametrize("runs", [2, 5, 6, 12, 13, 20])
def test_the_smallest_p_is_what_sign_flips_reach(runs: int) -> None:
    reached = sign_flip(np.ones(runs), np.arange(runs), rng=np.random.default_rng(1))
    assert reached >= smallest_p(runs)
    assert runs > 12 or reached == smallest_p(runs)


@pytest.mark.parametrize(
    ("runs", "level", "told"), [(5, 0.95, "6 runs"), (6, 0.95, ""), (7, 0.99, "8 runs"), (13, 0.95, "")]
)
def test_a_limit_of_sign_flips_names_the_way_out(runs: int, level: float, told: str) -> None:
    found = sign_flip_limit(runs, level)
    assert told in found
    assert bool(found) == bool(told)
