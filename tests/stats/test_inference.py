"""Intervals and tests for crossed runs and sessions: against independent formulas, and on data that say too little."""

import math

import numpy as np
import pytest
from scipy import stats

from toolkit.stats import Estimate, crossed_bootstrap, sign_flip, two_way


def grid(runs: int = 6, clusters: int = 9, tasks: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Balanced values with effects of runs and clusters, and their labels."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), clusters * tasks)
    cluster = np.tile(np.repeat(np.arange(clusters), tasks), runs)
    values = 0.1 + rng.normal(0, 0.2, runs)[run] + rng.normal(0, 0.5, clusters)[cluster] + rng.normal(0, 1, len(run))
    return values, run, cluster


def anova(table: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Bounds and degrees of freedom by the balanced two-way analysis of variance, from mean squares."""
    runs, clusters = table.shape
    rest = table - table.mean(1)[:, None] - table.mean(0)[None, :] + table.mean()
    square_run = clusters * np.var(table.mean(1), ddof=1)
    square_cluster = runs * np.var(table.mean(0), ddof=1)
    square_rest = np.sum(rest**2) / ((runs - 1) * (clusters - 1))
    variance = max(square_run + square_cluster - square_rest, square_run, square_cluster) / table.size
    df = (variance * table.size) ** 2 / (square_run**2 / (runs - 1) + square_cluster**2 / (clusters - 1))
    half = stats.t.ppf((1 + level) / 2, df) * math.sqrt(variance)
    return table.mean() - half, table.mean() + half, df


@pytest.mark.parametrize("tasks", [1, 4])
@pytest.mark.parametrize(("runs", "clusters"), [(2, 2), (3, 40), (40, 3), (6, 9)])
def test_balanced_data_give_the_analysis_of_variance(runs: int, clusters: int, tasks: int) -> None:
    values, run, cluster = grid(runs, clusters, tasks, seed=runs)
    found = two_way(values, run, cluster, level=0.9)
    low, high, df = anova(values.reshape(runs, clusters, tasks).mean(2), 0.9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12, abs=1e-12)
    assert found.df == pytest.approx(df, rel=1e-9)
    assert (found.n, found.runs, found.clusters, found.level) == (len(values), runs, clusters, 0.9)


def test_p_value_and_interval_agree() -> None:
    values, run, cluster = grid()
    found = two_way(values, run, cluster)
    at_the_edge = two_way(values, run, cluster, level=1 - found.p_value)
    assert min(abs(at_the_edge.low), abs(at_the_edge.high)) == pytest.approx(0, abs=1e-9)
    assert found.excludes_zero == (found.p_value < 0.05)
    assert two_way(values + 5, run, cluster).excludes_zero
    assert two_way(values - 5, run, cluster).excludes_zero


def test_runs_with_sessions_of_their_own_are_clustered_by_run() -> None:
    values, run, _ = grid(5, 12)
    found = two_way(values, run, np.arange(len(values)))
    means = values.reshape(5, 12).mean(1)
    half = (found.high - found.low) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, found.df) * stats.sem(means), rel=1e-9)


def test_cell_term_is_the_residual_of_a_weighted_two_way_fit() -> None:
    """Unbalanced and with empty cells, compared with a regression on indicator columns."""
    values, run, cluster = grid(4, 7, 3, seed=3)
    rng = np.random.default_rng(4)
    there = rng.random(len(values)) < 0.6
    there &= ~((run == 1) & (cluster < 2))
    values, run, cluster = values[there], run[there], cluster[there]
    columns = np.hstack([run[:, None] == np.arange(4), cluster[:, None] == np.arange(7)]).astype(float)
    deviations = values - values.mean()
    rest = deviations - columns @ np.linalg.lstsq(columns, deviations, rcond=None)[0]
    cells = sorted(set(zip(run, cluster, strict=True)))
    squares = sum(rest[(run == r) & (cluster == c)].sum() ** 2 for r, c in cells)
    cell_term = squares / len(values) ** 2 * len(cells) / (len(cells) - (4 + 7 - 1))

    def clustered(labels: np.ndarray) -> float:
        share = np.array([np.mean(labels == label) for label in np.unique(labels)])
        sums = np.array([deviations[labels == label].sum() for label in np.unique(labels)])
        return np.sum((sums / len(values)) ** 2) / (1 - np.sum(share**2))

    found = two_way(values, run, cluster)
    by_run, by_cluster = clustered(run), clustered(cluster)
    expected = max(by_run + by_cluster - cell_term, by_run, by_cluster)
    assert by_run + by_cluster - cell_term > max(by_run, by_cluster), "the guard would hide the cell term"
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, found.df)
    assert error**2 == pytest.approx(expected, rel=1e-9)


def test_missing_values_are_as_if_never_given() -> None:
    values, run, cluster = grid()
    holes = values.copy()
    holes[[3, 17, 40]] = np.nan
    there = ~np.isnan(holes)
    assert two_way(holes, run, cluster) == two_way(values[there], run[there], cluster[there])
    assert two_way(holes, run, cluster).n == len(values) - 3


def test_a_run_whose_values_are_all_missing_is_not_counted() -> None:
    values, run, cluster = grid(3, 5)
    values[run == 1] = np.nan
    assert two_way(values, run, cluster).runs == 2


@pytest.mark.parametrize("labels", [list("aabb"), [("x", 1), ("x", 1), ("y", 2), ("y", 2)], [1.5, 1.5, 2.5, 2.5]])
def test_labels_may_be_of_any_kind(labels: list[object]) -> None:
    column = np.empty(4, dtype=object)
    column[:] = labels
    assert two_way([1, 0, 3, 1], column, [1, 2, 1, 2]) == two_way([1, 0, 3, 1], [0, 0, 1, 1], [1, 2, 1, 2])


@pytest.mark.parametrize("estimate", ["two_way", "crossed_bootstrap"])
@pytest.mark.parametrize(
    ("values", "run", "cluster", "word"),
    [
        ([], [], [], "no values"),
        ([np.nan] * 4, [1, 1, 2, 2], [1, 2, 1, 2], "no values"),
        ([1, 0, 1, 0], [1, 1, 1, 1], [1, 2, 3, 4], "one run"),
        ([1, 0, 1, 0], [1, 2, 3, 4], [1, 1, 1, 1], "one task"),
        ([0, 0, 0, 0], [1, 1, 2, 2], [1, 2, 1, 2], "all 4 values are 0"),
        ([0.1, 0.1, 0.1, 0.1], [1, 1, 2, 2], [1, 2, 1, 2], "all 4 values are 0.1"),
    ],
)
def test_too_little_gives_no_interval_but_a_reason(
    estimate: str, values: list[float], run: list[int], cluster: list[int], word: str
) -> None:
    if estimate == "two_way":
        found = two_way(values, run, cluster, unit="task")
    else:
        found = crossed_bootstrap(values, run, cluster, rng=np.random.default_rng(0), unit="task")
    assert all(math.isnan(number) for number in (found.low, found.high, found.p_value))
    assert word in found.reason
    assert not found.excludes_zero
    known = np.asarray(values)[~np.isnan(values)]
    assert found.value == pytest.approx(known.mean()) if len(known) else math.isnan(found.value)


def test_values_that_cancel_in_every_run_and_session_give_no_certainty() -> None:
    found = two_way([1.1, -0.9, -0.9, 1.1], [1, 1, 2, 2], [1, 2, 1, 2])
    assert math.isnan(found.low)
    assert "same mean" in found.reason


def test_values_equal_but_for_rounding_give_no_certainty() -> None:
    found = two_way([0.1 + 0.2, 0.3, 0.3, 0.3], [1, 1, 2, 2], [1, 2, 1, 2])
    assert math.isnan(found.low)
    assert found.reason


def test_few_runs_are_doubted_and_enough_are_not() -> None:
    assert "3 runs" in two_way(*grid(3, 9)).reason
    assert two_way(*grid(5, 9)).reason == ""


def test_nothing_but_identical_runs_rests_on_the_sessions() -> None:
    row = np.array([1.0, 0, 0, 1, 1, 0, 1])
    found = two_way(np.tile(row, 5), np.repeat(np.arange(5), 7), np.tile(np.arange(7), 5))
    half = stats.t.ppf(0.975, 6) * stats.sem(row)
    assert (found.low, found.high) == pytest.approx((row.mean() - half, row.mean() + half))


def test_unequal_sessions_count_for_less_than_their_number() -> None:
    """Identical runs, so that sessions alone carry the spread: one of 13 and five of 1 are worth 324/174 sessions."""
    sizes = np.array([13, 1, 1, 1, 1, 1])
    row = np.repeat([1.0, 0, 1, 1, 0, 0], sizes)
    found = two_way(np.tile(row, 4), np.repeat(np.arange(4), 18), np.tile(np.repeat(np.arange(6), sizes), 4))
    assert found.df == pytest.approx(324 / 174 - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1], [1, 2]), "run must hold one label per value"),
        (([1, 2], [1, 2], [1, 2, 3]), "cluster must hold one label per value"),
        (([[1, 2]], [[1, 2]], [[1, 2]]), "values must be flat"),
        (([1, np.inf], [1, 2], [1, 2]), r"values\[1\] is inf"),
        (([1, 2], [1, np.nan], [1, 2]), "run labels must not be missing"),
        (([1, 2], [1, 2], [None, "a"]), "cluster labels must not be missing"),
        (([1, 2], [1, 2], np.array(["a", np.nan], dtype=object)), "cluster labels must not be missing"),
    ],
)
def test_wrong_input_is_named(arguments: tuple[list[float], list[object], list[object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_way(*arguments)
    with pytest.raises(ValueError, match=message):
        crossed_bootstrap(*arguments, rng=np.random.default_rng(0))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        two_way([1, 0], [1, 2], [1, 2], level=level)


def test_bootstrap_means_are_those_of_resampled_rows_and_columns() -> None:
    """The weights against a plain loop that picks whole rows and columns, on unequal cells."""
    values, run, cluster = grid(5, 6, 2)
    there = np.random.default_rng(1).random(len(values)) < 0.7
    values, run, cluster = values[there], run[there], cluster[there]
    cells = {(r, c): values[(run == r) & (cluster == c)] for r in range(5) for c in range(6)}
    rng = np.random.default_rng(2)
    means = []
    for _ in range(8000):
        rows, columns = rng.integers(0, 5, 5).tolist(), rng.integers(0, 6, 6).tolist()
        means.append(np.concatenate([cells[row, column] for row in rows for column in columns]).mean())
    for level in (0.5, 0.95):
        found = crossed_bootstrap(values, run, cluster, rng=np.random.default_rng(3), draws=20_000, level=level)
        expected = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        assert [found.low, found.high] == pytest.approx(expected.tolist(), abs=0.04)


def test_bootstrap_repeats_with_its_generator_only() -> None:
    data = grid()
    first, again, other = (crossed_bootstrap(*data, rng=np.random.default_rng(seed), draws=200) for seed in (1, 1, 2))
    assert repr(first) == repr(again)
    assert first.low != other.low


def test_bootstrap_in_blocks_equals_fresh_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks fill every draw."""
    data = grid()
    whole = crossed_bootstrap(*data, rng=np.random.default_rng(1), draws=4000)
    monkeypatch.setattr("toolkit.stats.bootstrap._BLOCK", 63)
    blocks = crossed_bootstrap(*data, rng=np.random.default_rng(1), draws=4000)
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high), abs=0.05)


def test_bootstrap_p_value_is_small_only_far_from_zero() -> None:
    values, run, cluster = grid()
    centred = crossed_bootstrap(values - values.mean(), run, cluster, rng=np.random.default_rng(1))
    far = crossed_bootstrap(values + 9, run, cluster, rng=np.random.default_rng(1))
    assert centred.p_value > 0.5
    assert far.p_value == pytest.approx(2 / 2001)
    assert far.excludes_zero


def test_bootstrap_of_few_runs_that_differ_much_is_doubted() -> None:
    values, run, cluster = grid(4, 30)
    assert crossed_bootstrap(values, run, cluster, rng=np.random.default_rng(1)).reason == ""
    shifted = values + np.array([-3, 0, 2, 4])[run]
    assert "narrower" in crossed_bootstrap(shifted, run, cluster, rng=np.random.default_rng(1)).reason


def test_bootstrap_of_runs_that_hardly_overlap_gives_no_interval() -> None:
    found = crossed_bootstrap([1.0, 2.0, 4.0], [1, 2, 3], [1, 2, 3], rng=np.random.default_rng(1))
    assert math.isnan(found.low)
    assert "hold no value" in found.reason


def test_bootstrap_needs_draws() -> None:
    with pytest.raises(ValueError, match="draws must be at least 100, not 10"):
        crossed_bootstrap(*grid(), rng=np.random.default_rng(0), draws=10)


@pytest.mark.parametrize("runs", [1, 2, 5, 8, 12])
def test_smallest_p_of_a_sign_flip(runs: int) -> None:
    values = np.linspace(1, 2, 3 * runs)
    p_value = sign_flip(values, np.repeat(np.arange(runs), 3), rng=np.random.default_rng(0))
    assert p_value == 2.0 ** (1 - runs)


def test_sign_flip_equals_scipy_on_one_value_per_run() -> None:
    values = np.random.default_rng(5).normal(0.4, 1, 9)
    ours = sign_flip(values, np.arange(9), rng=np.random.default_rng(0))
    theirs = stats.permutation_test(
        (values,), lambda x: abs(x.mean()), permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert ours == pytest.approx(theirs.pvalue, abs=1e-12)


def test_sign_flip_flips_runs_and_not_values() -> None:
    """Forty equal values of one run are one piece of evidence."""
    assert sign_flip(np.ones(40), np.zeros(40), rng=np.random.default_rng(0)) == 1.0


def test_sampled_sign_flip_is_near_the_normal_approximation_and_never_zero() -> None:
    values = np.random.default_rng(6).normal(0.3, 1, 60)
    near = stats.ttest_1samp(values, 0).pvalue
    assert sign_flip(values, np.arange(60), rng=np.random.default_rng(1)) == pytest.approx(near, abs=0.01)
    assert sign_flip(values + 9, np.arange(60), rng=np.random.default_rng(1), draws=999) == 1 / 1000


def test_sign_flip_of_ties_or_nothing() -> None:
    assert sign_flip([0, 0, 0], [1, 2, 3], rng=np.random.default_rng(0)) == 1.0
    assert math.isnan(sign_flip([np.nan], [1], rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="draws must be"):
        sign_flip([1], [1], rng=np.random.default_rng(0), draws=1)


def test_estimate_cannot_be_changed() -> None:
    found = two_way(*grid())
    with pytest.raises(AttributeError):
        found.low = 0.0  # type: ignore[misc]
    assert isinstance(found, Estimate)


def test_estimates_hold_plain_numbers() -> None:
    """So that they print, compare and go into JSON or a table without numpy."""
    for found in (two_way(*grid()), crossed_bootstrap(*grid(), rng=np.random.default_rng(0))):
        numbers = [found.value, found.low, found.high, found.level, found.p_value, found.df]
        assert {type(number) for number in numbers} == {float}
        assert {type(found.n), type(found.runs), type(found.clusters)} == {int}
