"""Prequential means, their bands over runs, slopes at the end."""

import math

import numpy as np
import pytest
from scipy import stats

from toolkit.stats import cumulative_band, curve_band, prequential_mean, slope_last_third

NAN = math.nan


def by_definition(row: np.ndarray, window: int | None, fading: float | None) -> np.ndarray:
    """Weighted mean at each place, written out."""
    means = []
    for t in range(len(row)):
        age = t - np.arange(t + 1)
        weight = np.ones(t + 1) if fading is None else fading**age
        if window is not None:
            weight = weight * (age < window)
        weight = weight * ~np.isnan(row[: t + 1])
        means.append(np.nansum(weight * row[: t + 1]) / weight.sum() if weight.sum() else NAN)
    return np.array(means)


@pytest.mark.parametrize(
    ("window", "fading"), [(None, None), (1, None), (4, None), (11, None), (99, None), (None, 0.8), (None, 1.0)]
)
def test_means_follow_their_definition_with_holes(window: int | None, fading: float | None) -> None:
    scores = np.random.default_rng(1).random((2, 3, 12))
    scores[0, 0, :3] = NAN
    scores[1, 2, 4:9] = NAN
    scores[0, 1] = NAN
    means = prequential_mean(scores, window=window, fading=fading)
    expected = np.apply_along_axis(by_definition, -1, scores, window, fading)
    assert means.shape == scores.shape
    np.testing.assert_allclose(means, expected, atol=1e-12)


def test_a_long_gap_leaves_no_recent_score() -> None:
    scores = np.array([1.0, *[NAN] * 20_000, 0.0])
    means = prequential_mean(scores, fading=0.9)
    assert means[1] == 1
    assert math.isnan(means[-2])
    assert means[-1] == pytest.approx(0)
    assert np.nanmax(means) == 1


def test_scores_are_left_as_they_were() -> None:
    scores = np.array([1.0, NAN, 0.0])
    prequential_mean(scores, window=2)
    np.testing.assert_array_equal(scores, [1.0, NAN, 0.0])


def test_empty_streams_give_empty_curves() -> None:
    assert prequential_mean([]).shape == (0,)
    assert prequential_mean(np.empty((3, 0)), window=2).shape == (3, 0)
    assert "no scores" in curve_band(np.empty((3, 0))).reason
    assert "no scores" in curve_band(np.empty((0, 4))).reason


@pytest.mark.parametrize(
    ("scores", "form", "message"),
    [
        ([1], {"window": 0}, "window must be at least 1"),
        ([1], {"fading": 0.0}, "fading must be in"),
        ([1], {"fading": 1.1}, "fading must be in"),
        ([1], {"window": 2, "fading": 0.9}, "not both"),
        (1.0, {}, "an axis of episodes"),
        ([math.inf], {}, "finite"),
    ],
)
def test_wrong_forms_are_named(scores: object, form: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prequential_mean(scores, **form)  # type: ignore[arg-type]


def test_band_is_the_t_interval_of_the_curves() -> None:
    scores = np.random.default_rng(2).random((6, 20))
    band = curve_band(scores, level=0.9, window=5)
    curves = prequential_mean(scores, window=5)
    low, high = stats.t.interval(0.9, 5, loc=curves.mean(0), scale=stats.sem(curves))
    np.testing.assert_allclose(band.low, low)
    np.testing.assert_allclose(band.high, high)
    np.testing.assert_allclose(band.mean, curves.mean(0))
    assert band.t.tolist() == list(range(1, 21))
    assert band.n_runs.tolist() == [6] * 20
    assert band.target == "new orders of these tasks"
    assert band.reason == ""


def test_a_run_that_ended_says_nothing_about_later_episodes() -> None:
    scores = np.array([[1, 0, 1, 1], [0, 1, NAN, 0], [1, 1, NAN, NAN]], dtype=float)
    band = curve_band(scores)
    assert band.n_runs.tolist() == [3, 3, 2, 2]
    assert band.mean[2] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_one_run_has_a_curve_and_no_band() -> None:
    band = curve_band([[1, 0, 1]])
    assert band.mean.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert np.isnan(band.low).all()
    assert np.isnan(band.high).all()
    assert "one run" in band.reason


def test_runs_that_agree_are_no_certainty() -> None:
    band = curve_band([[1, 1, 0], [1, 0, 1], [1, 0, 0]])
    assert math.isnan(band.low[0])
    assert not np.isnan(band.low[1:]).any()
    assert band.reason == ""
    same = curve_band([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    assert math.isnan(same.low[2]), "0.6 / 3 summed in two orders differs by rounding only"
    assert "agree" in curve_band(np.ones((4, 5))).reason


def test_a_band_that_ends_in_agreement_says_so_where_it_is_printed() -> None:
    assert "all runs agree there" in repr(curve_band([[0, 1], [1, 1]], window=1))
    assert "agree" not in repr(curve_band([[0, 1], [1, 0]], window=1))


def test_all_missing_is_said() -> None:
    assert "no scores" in curve_band(np.full((3, 4), NAN)).reason
    with pytest.raises(ValueError, match="runs x episodes"):
        curve_band([1.0, 0.0])
    with pytest.raises(ValueError, match="level"):
        curve_band([[1.0, 0.0]], level=95)


def test_slope_is_the_mean_of_the_least_squares_slopes() -> None:
    scores = np.random.default_rng(3).random((5, 30))
    scores[2, 24] = NAN
    slopes = []
    for row in scores[:, 20:]:
        place = np.flatnonzero(~np.isnan(row))
        slopes.append(stats.linregress(place, row[place]).slope)
    expected = stats.ttest_1samp(slopes, 0)
    found = slope_last_third(scores)
    assert found.value == pytest.approx(np.mean(slopes))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.n, found.runs, found.clusters, found.df) == (49, 5, 0, 4)


def test_slope_sees_the_last_third_only() -> None:
    ramp = np.tile(np.concatenate([np.linspace(0, 1, 40), np.ones(20)]), (4, 1))
    ramp += np.random.default_rng(4).normal(0, 0.01, ramp.shape)
    assert not slope_last_third(ramp).excludes_zero
    assert slope_last_third(ramp[:, :40]).excludes_zero


@pytest.mark.parametrize(
    ("scores", "word"),
    [
        (np.eye(5), "5 episodes"),
        (np.full((3, 9), NAN), "no run has two scores"),
        (np.array([[0, 0, 0, 0, 0, 0, 1, 0, 1.0]]), "one run"),
        (np.tile([0, 0, 0, 0, 0, 0, 1, 0, 1.0], (3, 1)), "agree"),
    ],
)
def test_slope_of_too_little_has_a_reason(scores: np.ndarray, word: str) -> None:
    found = slope_last_third(scores)
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)
    assert word in found.reason


def test_sums_so_far_end_before_a_gap() -> None:
    rng = np.random.default_rng(5)
    gaps = rng.normal(0.1, 1, (6, 50))
    band = cumulative_band(gaps)
    np.testing.assert_allclose(band.mean, np.cumsum(gaps, axis=1).mean(axis=0), atol=1e-12)
    low, high = stats.t.interval(0.95, 5, band.mean[-1], stats.sem(gaps.sum(axis=1)))
    assert (band.low[-1], band.high[-1]) == pytest.approx((low, high))
    assert band.reason == ""
    gaps[2, 30] = NAN
    gaps[4, 40:] = NAN  # has not come further: no gap
    band = cumulative_band(gaps)
    assert band.n_runs.tolist() == [6] * 30 + [5] * 10 + [4] * 10
    assert band.reason.startswith("1 of 6 runs have a task without a score")


def test_sums_cover_what_is_expected() -> None:
    rng = np.random.default_rng(6)
    bands = [cumulative_band(rng.normal(0.2, 1, (8, 40))) for _ in range(1000)]
    covered = np.mean([band.low[-1] <= 0.2 * 40 <= band.high[-1] for band in bands])
    assert 0.95 - 4 * 0.0069 <= covered <= 0.95 + 4 * 0.0069


def test_a_large_table_is_worked_on_in_parts_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(7).random((23, 91))
    scores[4, 50:] = scores[7, 20:40] = NAN
    whole = curve_band(scores, window=9)
    monkeypatch.setattr("toolkit.stats.curves._BLOCK", 64)
    parts = curve_band(scores, window=9)
    for name in ("mean", "low", "high", "n_runs"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
