"""What must hold for the statistics whatever the data."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from toolkit.stats import crossed_bootstrap, curve_band, holm, prequential_mean, sign_flip, two_way, worst_case

Data = tuple[np.ndarray, np.ndarray, np.ndarray]
P_VALUES = st.lists(st.floats(0, 1), max_size=12)
# Halves: sums are exact, so that ties stay ties in any order.
SCORES = st.lists(st.one_of(st.integers(-4, 4).map(lambda x: x / 2), st.just(math.nan)), min_size=1, max_size=40)


@st.composite
def crossed(draw: st.DrawFn) -> Data:
    """Runs x clusters with cells of any size, some empty, some values missing."""
    runs, clusters = draw(st.integers(2, 5)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = rng.integers(0, draw(st.integers(2, 4)), (runs, clusters))
    run, cluster = (np.repeat(index.ravel(), sizes.ravel()) for index in np.indices(sizes.shape))
    values = rng.choice([-1.0, 0.0, 0.5, 1.0, math.nan], len(run), p=[0.2, 0.3, 0.2, 0.2, 0.1])
    return values, run, cluster


def bounds(data: Data) -> tuple[float, float, float, float]:
    found = two_way(*data)
    return found.value, found.low, found.high, found.df


@given(crossed(), st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order(data: Data, shuffler: st.DataObject) -> None:
    order = list(range(len(data[0])))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    shuffled = tuple(column[order] for column in data)
    assert bounds(shuffled) == pytest.approx(bounds(data), rel=1e-9, abs=1e-12, nan_ok=True)  # type: ignore[arg-type]


@given(crossed())
def test_labels_are_only_names(data: Data) -> None:
    values, run, cluster = data
    renamed = (values, np.array([f"order {9 - label}" for label in run], dtype=str), 100 - 7 * cluster)
    assert bounds(renamed) == pytest.approx(bounds(data), rel=1e-9, abs=1e-12, nan_ok=True)


@given(crossed())
def test_runs_and_clusters_play_the_same_part(data: Data) -> None:
    values, run, cluster = data
    assert bounds((values, cluster, run)) == pytest.approx(bounds(data), rel=1e-9, abs=1e-12, nan_ok=True)


@given(crossed(), st.sampled_from([1e-6, 0.3, 2.0, 1e5]), st.sampled_from([-3.0, 0.0, 0.7]))
def test_interval_shifts_and_scales_with_the_values(data: Data, scale: float, shift: float) -> None:
    values, run, cluster = data
    value, low, high, df = bounds(data)
    moved = bounds((values * scale + shift * scale, run, cluster))
    expected = ((value + shift) * scale, (low + shift) * scale, (high + shift) * scale, df)
    assert moved == pytest.approx(expected, rel=1e-7, abs=1e-9 * scale, nan_ok=True)


@given(crossed())
def test_sign_turns_the_interval_round(data: Data) -> None:
    values, run, cluster = data
    found, turned = two_way(values, run, cluster), two_way(-values, run, cluster)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), nan_ok=True)
    assert turned.p_value == pytest.approx(found.p_value, nan_ok=True)


@given(crossed())
def test_bounds_are_around_the_value_or_missing_with_a_reason(data: Data) -> None:
    for found in (two_way(*data), crossed_bootstrap(*data, rng=np.random.default_rng(1), draws=100)):
        if math.isnan(found.low):
            assert math.isnan(found.high)
            assert math.isnan(found.p_value)
            assert found.reason
        else:
            assert found.low < found.high
            assert 0 <= found.p_value <= 1
    found = two_way(*data)
    assert math.isnan(found.low) or found.low < found.value < found.high


@given(st.integers(2, 6), st.integers(2, 8), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_balanced_error_is_that_of_the_mean_squares(runs: int, clusters: int, tasks: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(runs, clusters, tasks))
    run, cluster, _ = np.indices(scores.shape)
    found = two_way(scores.ravel(), run.ravel(), cluster.ravel())
    table = scores.mean(2)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    by_run, by_cluster = table.mean(1).var(ddof=1) / runs, table.mean(0).var(ddof=1) / clusters
    cell = (rest**2).sum() / (runs - 1) / (clusters - 1) / table.size
    variance = max(by_run + by_cluster - cell, by_run, by_cluster)
    df = variance**2 / (by_run**2 / (runs - 1) + by_cluster**2 / (clusters - 1))
    assert found.df == pytest.approx(df, rel=1e-9)
    from scipy.special import stdtrit

    assert found.high - found.value == pytest.approx(stdtrit(df, 0.975) * variance**0.5, rel=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_sign_flip_is_a_share_of_all_sign_vectors(values: list[float]) -> None:
    p_value = sign_flip(values, range(len(values)), rng=np.random.default_rng(0))  # type: ignore[arg-type]
    assert 2.0 ** (1 - len(values)) <= p_value <= 1
    assert (p_value * 2 ** len(values)).is_integer()
    assert sign_flip([-x for x in values], range(len(values)), rng=np.random.default_rng(0)) == p_value  # type: ignore[arg-type]


@given(P_VALUES)
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert (adjusted >= np.array(p_values)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()
    if p_values:
        assert min(adjusted) == min(1, min(p_values) * len(p_values))


@given(P_VALUES, st.floats(0, 1))
def test_one_more_test_makes_none_easier(p_values: list[float], more: float) -> None:
    assert (holm([*p_values, more])[: len(p_values)] >= holm(p_values)).all()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.lists(st.floats(-1, 1), max_size=20))
def test_worst_case_holds_the_mean_of_any_filling(joint: list[float], missing: list[float]) -> None:
    low, high = worst_case(float(np.mean(joint)), len(joint), len(missing))
    assert low - 1e-12 <= np.mean([*joint, *missing]) <= high + 1e-12


@given(SCORES, st.integers(1, 50))
def test_a_window_sees_its_scores_only(scores: list[float], window: int) -> None:
    means = prequential_mean(scores, window=window)
    for t in range(len(scores)):
        seen = [x for x in scores[max(0, t + 1 - window) : t + 1] if not math.isnan(x)]
        assert means[t] == pytest.approx(np.mean(seen) if seen else math.nan, nan_ok=True)


@given(SCORES)
def test_last_point_of_the_plain_curve_is_the_mean_of_all(scores: list[float]) -> None:
    seen = [x for x in scores if not math.isnan(x)]
    assume(seen)
    for form in ({}, {"window": len(scores)}, {"fading": 1.0}):
        assert prequential_mean(scores, **form)[-1] == pytest.approx(np.mean(seen))  # type: ignore[arg-type]


@given(SCORES, SCORES)
def test_curves_do_not_look_ahead(past: list[float], future: list[float]) -> None:
    for form in ({}, {"window": 3}, {"fading": 0.7}):
        whole = prequential_mean(past + future, **form)[: len(past)]  # type: ignore[arg-type]
        np.testing.assert_allclose(whole, prequential_mean(past, **form), atol=1e-12)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.integers(1, 6), st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_bands_hold_their_mean_and_widen_with_the_level(runs: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.0, 1.0, math.nan], (runs, length), p=[0.4, 0.5, 0.1])
    narrow, wide = curve_band(scores, level=0.8), curve_band(scores, level=0.99)
    there = ~np.isnan(narrow.low)
    assert (narrow.n_runs[there] >= 2).all()
    assert (wide.low[there] < narrow.low[there]).all()
    assert (narrow.low[there] < narrow.mean[there]).all()
    assert bool(there.any()) == (narrow.reason == "")
