"""Effects of two-level designs: exact on tables without noise, and NaN with a reason where nothing can be said."""

import math
from itertools import combinations, permutations
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.stats import main_effects, shapley, two_way
from toolkit.stats.factorial import Effects

FACTORS = ("role", "memory", "goals", "learning")


def cells(k: int, sign: int = 0) -> np.ndarray:
    """Levels of all cells, or of the half whose product is ``sign``."""
    every = np.indices((2,) * k).reshape(k, -1).T * 2 - 1
    return every if not sign else every[every.prod(1) == sign]


def rows(means: np.ndarray, levels: np.ndarray, runs: int = 3, tasks: int = 4, spread: float = 0.0, seed: int = 0):
    """Scores in shuffled rows: a cell's mean, plus what run and task add to all cells alike, plus noise."""
    rng = np.random.default_rng(seed)
    run, task, cell = (axis.ravel() for axis in np.indices((runs, tasks, len(levels))))
    shared = 0.01 * run + 0.02 * task
    scores = np.asarray(means)[cell] + shared + rng.normal(0, spread, len(run)) * (spread > 0)
    mixed = rng.permutation(len(run))
    return SimpleNamespace(scores=scores[mixed], run=run[mixed], task=task[mixed], levels=levels[cell][mixed])


def effects(data: SimpleNamespace, **rest: object) -> Effects:
    return main_effects(data.scores, data.run, data.task, data.levels, **rest)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_effects_of_a_noiseless_table_are_exact(k: int) -> None:
    rng, levels = np.random.default_rng(k), cells(k)
    means = rng.uniform(0.2, 0.6, len(levels))
    found = effects(rows(means, levels), factors=FACTORS[:k])
    assert [row.name for row in found.rows[:k]] == list(FACTORS[:k])
    assert len(found.rows) == k + math.comb(k, 2)
    for place, name in enumerate(FACTORS[:k]):
        on = levels[:, place] > 0
        assert found.row(name).estimate.value == pytest.approx(means[on].mean() - means[~on].mean(), abs=1e-10)
    for one, other in combinations(range(k), 2):
        gains = [
            means[(levels[:, other] == state) & (levels[:, one] == 1)].mean()
            - means[(levels[:, other] == state) & (levels[:, one] == -1)].mean()
            for state in (-1, 1)
        ]
        row = found.row(f"{FACTORS[one]} x {FACTORS[other]}")
        assert row.estimate.value == pytest.approx((gains[1] - gains[0]) / 2, abs=1e-10)
        assert found.row(f"{FACTORS[other]} x {FACTORS[one]}") is row
        assert row.alias == ""
    assert (found.pairs, found.left_out) == (12, 0)
    shared = 0.01 * 1 + 0.02 * 1.5  # mean over runs and tasks
    assert found.means.shape == (2,) * k
    assert found.means.ravel() == pytest.approx(means + shared)


def test_a_difference_of_differences_of_minus_a_tenth_is_an_interaction_of_minus_a_twentieth() -> None:
    levels = cells(2)
    memory, learning = (levels > 0).T
    found = effects(rows(0.3 + 0.2 * memory + 0.1 * learning - 0.1 * memory * learning, levels))
    values = [row.estimate.value for row in found.rows]
    assert [row.name for row in found.rows] == ["A", "B", "A x B"]
    assert values == pytest.approx([0.15, 0.05, -0.05])


@pytest.mark.parametrize(("k", "sign"), [(3, -1), (3, 1), (4, 1), (4, -1), (5, 1)])
def test_a_half_fraction_estimates_each_effect_with_its_alias(k: int, sign: int) -> None:
    names = (*FACTORS, "tools")[:k]
    rng = np.random.default_rng(10 * k + sign)
    true = {e: rng.uniform(-0.05, 0.05) for n in range(1, k) for e in combinations(names, n)}
    levels = cells(k, sign)
    column = {e: levels[:, [names.index(f) for f in e]].prod(1) for e in true}
    found = effects(rows(0.5 + sum(true[e] / 2 * column[e] for e in true), levels), factors=names)
    assert len(found.rows) == {3: 3, 4: 7, 5: 15}[k]
    for row in found.rows:
        effect, alias = tuple(row.name.split(" x ")), tuple(row.alias.lstrip("-").split(" x "))
        assert set(effect) | set(alias) == set(names)
        assert row.alias.startswith("-") == (sign < 0)
        assert (column[effect] == sign * column[alias]).all()
        assert row.estimate.value == pytest.approx(true[effect] + sign * true[alias], abs=1e-10)
    assert np.isnan(found.means).sum() == 2 ** (k - 1)
    assert "aliased with" in str(found)


def test_an_aliased_effect_is_found_by_way_of_the_row_that_holds_it() -> None:
    found = effects(rows(np.linspace(0.2, 0.6, 4), cells(3, -1)), factors=FACTORS[:3])
    with pytest.raises(KeyError, match="aliased with 'role': ask for that"):
        found.row("goals x memory")
    with pytest.raises(KeyError, match="known: \\['role', 'memory', 'goals'\\]"):
        found.row("tools")


def test_the_interval_is_that_of_two_way_for_the_contrast() -> None:
    data = rows(np.array([0.3, 0.4, 0.5, 0.7]), cells(2), runs=5, tasks=12, spread=0.2)
    found = effects(data, level=0.9)
    table = {}
    for score, run, task, level in zip(data.scores, data.run, data.task, map(tuple, data.levels), strict=True):
        table.setdefault((run, task), {})[level] = score
    gains = [(c[1, -1] + c[1, 1] - c[-1, -1] - c[-1, 1]) / 2 for c in table.values()]
    own = two_way(gains, *zip(*table, strict=True), level=0.9, unit="task")
    row = found.row("A").estimate
    assert (row.value, row.low, row.high, row.p_value, row.df) == pytest.approx(
        (own.value, own.low, own.high, own.p_value, own.df), rel=1e-6
    )
    assert (row.n, row.runs, row.clusters, row.level) == (60, 5, 12, 0.9)
    assert row.reason == ""
    widths = [one.estimate.high - one.estimate.low for one in found.rows]
    assert max(widths) < 2 * min(widths)


def test_sessions_are_what_is_drawn_where_they_are_given() -> None:
    data = rows(np.array([0.3, 0.4]), cells(1), runs=5, tasks=12, spread=0.2)
    row = effects(data, cluster=data.task // 3, unit="session").row("A").estimate
    assert (row.n, row.clusters) == (60, 4)
    assert "new sessions" in row.target


def test_swapping_levels_turns_signs_and_swapping_factors_moves_rows() -> None:
    data = rows(np.array([0.3, 0.4, 0.5, 0.7]), cells(2), runs=5, tasks=12, spread=0.2)
    found = effects(data)
    turned = effects(SimpleNamespace(**{**vars(data), "levels": data.levels * [-1, 1]}))
    swapped = effects(SimpleNamespace(**{**vars(data), "levels": data.levels[:, ::-1]}))
    for name, sign, other in [("A", -1, "B"), ("B", 1, "A"), ("A x B", -1, "A x B")]:
        own = found.row(name).estimate
        moved, same = turned.row(name).estimate, swapped.row(other).estimate
        assert sorted([sign * moved.low, sign * moved.high]) == pytest.approx([own.low, own.high])
        assert (same.value, same.low, same.high) == pytest.approx((own.value, own.low, own.high))


@pytest.mark.parametrize("missing", ["rows", "nan"])
def test_a_pair_that_misses_a_cell_is_left_out_of_every_effect_and_counted(missing: str) -> None:
    data = rows(np.array([0.3, 0.4, 0.5, 0.7]), cells(2), runs=5, tasks=12, spread=0.2)
    lost = (data.run == 0) & (data.task == 3) & (data.levels == [1, -1]).all(1)
    lost |= (data.run == 2) & (data.task == 7)
    scores = np.where(lost, np.nan, data.scores)
    kept = ~lost if missing == "rows" else np.ones(len(lost), bool)
    found = main_effects(scores[kept], data.run[kept], data.task[kept], data.levels[kept])
    hurt = ((data.run == 0) & (data.task == 3)) | ((data.run == 2) & (data.task == 7))
    whole = main_effects(data.scores[~hurt], data.run[~hurt], data.task[~hurt], data.levels[~hurt])
    assert found.pairs == 58
    # Of a pair without any row nothing is known, not even that it was planned.
    assert found.left_out == (1 if missing == "rows" else 2)
    assert [row.estimate for row in found.rows] == [row.estimate for row in whole.rows]
    assert f"58 pairs of run and task; {found.left_out} left out" in str(found)


def no_bounds(found: Effects, value: float, reason: str) -> None:
    for row in found.rows:
        assert row.estimate.value == pytest.approx(value, nan_ok=True, abs=1e-10)
        assert math.isnan(row.estimate.low)
        assert math.isnan(row.estimate.p_value)
        assert not row.estimate.excludes_zero
        assert reason in row.estimate.reason
        assert reason in str(found)


def test_constants_have_no_interval() -> None:
    no_bounds(effects(rows(np.full(4, 0.3), cells(2))), 0.0, "all 12 values are 0: no spread")


def test_contrasts_that_differ_by_rounding_only_are_constants() -> None:
    """Scores differ from pair to pair, effects do not: what floats make of it is no evidence."""
    rng = np.random.default_rng(3)
    run, task, cell = (axis.ravel() for axis in np.indices((6, 20, 8)))
    shared = rng.uniform(0, 1, (6, 20))[run, task]
    for gain in (0.0, 0.1):
        levels = cells(3)[cell]
        found = main_effects(shared + gain / 2 * levels[:, 0], run, task, levels)
        for row in found.rows:
            assert math.isnan(row.estimate.low), row
            assert "no spread" in row.estimate.reason
        assert found.row("A").estimate.value == pytest.approx(gain)


def test_without_data_without_pairs_or_without_runs_there_is_a_reason() -> None:
    data = rows(np.array([0.3, 0.4, 0.5, 0.7]), cells(2), spread=0.1)
    no_bounds(main_effects([], [], [], np.empty((0, 2))), math.nan, "0 of the 4 cells")
    no_bounds(main_effects(data.scores * np.nan, data.run, data.task, data.levels), math.nan, "no values")
    blank = np.where((data.levels == [1, 1]).all(1), np.nan, data.scores)
    found = main_effects(blank, data.run, data.task, data.levels)
    no_bounds(found, math.nan, "no values")
    assert (found.pairs, found.left_out) == (0, 12)
    one = data.run == 1
    lonely = main_effects(data.scores[one], data.run[one], data.task[one], data.levels[one])
    assert all("one run" in row.estimate.reason and math.isnan(row.estimate.low) for row in lonely.rows)


@pytest.mark.parametrize("present", [[0, 1, 2], [0, 1, 2, 4], [0, 3, 5, 6, 7], [0]])
def test_cells_that_make_no_design_have_no_effects(present: list[int]) -> None:
    levels = cells(3)[present]
    found = effects(rows(np.linspace(0.2, 0.6, len(present)), levels, spread=0.1))
    no_bounds(found, math.nan, f"{len(present)} of the 8 cells have scores")
    assert all(math.isnan(row.log_odds.value) and row.log_odds.reason for row in found.rows)


@pytest.mark.parametrize("k", [1, 2])
def test_half_of_fewer_than_three_factors_is_no_design(k: int) -> None:
    """One cell has no contrast; with two of two factors, both main effects are one contrast."""
    levels = cells(k, 1)
    no_bounds(effects(rows(np.linspace(0.2, 0.6, len(levels)), levels, spread=0.1)), math.nan, f"of the {2**k} cells")


def test_log_odds_are_contrasts_of_the_cells_log_odds() -> None:
    data = rows(np.array([0.2, 0.3, 0.5, 0.6]), cells(2), runs=5, tasks=12, spread=0.05)
    found = effects(data)
    logit = np.log(found.means / (1 - found.means))
    wanted = {"A": (logit[1] - logit[0]).mean(), "B": (logit[:, 1] - logit[:, 0]).mean(),
              "A x B": (logit[1, 1] - logit[0, 1] - logit[1, 0] + logit[0, 0]) / 2}  # fmt: skip
    for name, value in wanted.items():
        own = found.row(name).log_odds
        assert own.value == pytest.approx(value)
        assert own.low < value < own.high
        assert "log odds" in own.method


def test_the_interval_of_log_odds_is_that_of_the_delta_method() -> None:
    """One factor, means .5 and .8, small noise: a logit moves by 1 / (m (1 - m)) times what the mean moves by."""
    rng = np.random.default_rng(5)
    run, task, cell = (axis.ravel() for axis in np.indices((8, 40, 2)))
    noise = np.where(cell == 0, rng.normal(0, 0.01, len(run)), 0)
    found = main_effects(np.array([0.5, 0.8])[cell] + noise, run, task, cells(1)[cell]).row("A")
    width, odds = (one.high - one.low for one in (found.estimate, found.log_odds))
    assert odds == pytest.approx(4 * width, rel=0.01)


def test_a_ceiling_has_no_log_odds_and_says_in_which_cell() -> None:
    run, task, cell = (axis.ravel() for axis in np.indices((4, 10, 4)))
    scores = np.where(cell == 2, 1.0, np.random.default_rng(6).integers(0, 2, len(run)))
    found = main_effects(scores, run, task, cells(2)[cell], factors=("role", "memory"))
    for row in found.rows:
        assert not math.isnan(row.estimate.low)
        assert all(math.isnan(n) for n in (row.log_odds.value, row.log_odds.low, row.log_odds.p_value))
        assert row.log_odds.reason.startswith("the mean with role on, memory off is 1: its log odds are infinite")
    floor = main_effects(1 - scores, run, task, cells(2)[cell])
    assert "A on, B off is 0" in floor.row("A").log_odds.reason
    wide = main_effects(scores * 3, run, task, cells(2)[cell])
    assert "a score is 3" in wide.row("A").log_odds.reason


GOOD = rows(np.array([0.3, 0.4, 0.5, 0.7]), cells(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": GOOD.levels[:-1]}, r"one row per score \(48\)"),
        ({"levels": GOOD.levels[:, 0]}, r"not shape \(48,\)"),
        ({"levels": GOOD.levels[:, :0]}, "1 to 10 columns, not 0"),
        ({"levels": (GOOD.levels + 1) // 2}, r"must be -1 \(off\) or 1 \(on\), not 0"),
        ({"levels": GOOD.levels * np.nan}, "not nan"),
        ({"scores": np.where(GOOD.run == 1, np.inf, GOOD.scores)}, "finite"),
        ({"run": GOOD.run[1:]}, "run must hold one label per value"),
        ({"run": GOOD.run * 0}, "run 0, task [0-3] has 3 scores in one cell"),
        ({"cluster": np.arange(48)}, "has two cluster labels"),
        ({"factors": ("a",)}, "2 different names"),
        ({"factors": ("a", "a")}, "2 different names"),
        ({"factors": ("a", "b x c")}, "2 different names"),
        ({"factors": ("a", "-b")}, "2 different names"),
        ({"factors": ("a", "")}, "2 different names"),
        ({"level": 95}, "level must be between 0 and 1"),
    ],
)
def test_what_is_no_design_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        main_effects(**{**vars(GOOD), **change})


def by_orders(table: np.ndarray) -> list[float]:
    """Shapley's definition: the mean gain over all orders of switching on."""
    k = table.ndim
    shares = np.zeros(k)
    for order in permutations(range(k)):
        state = [0] * k
        for axis in order:
            before = table[tuple(state)]
            state[axis] = 1
            shares[axis] += table[tuple(state)] - before
    return list(shares / math.factorial(k))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_shares_are_mean_gains_over_all_orders_and_sum_to_the_whole(k: int) -> None:
    table = np.random.default_rng(k).uniform(0, 1, (2,) * k)
    shares = shapley(table)
    assert shares.tolist() == pytest.approx(by_orders(table))
    assert shares.sum() == pytest.approx(table[(1,) * k] - table[(0,) * k])


def test_shares_are_symmetric_and_a_factor_that_does_nothing_has_none() -> None:
    table = np.random.default_rng(7).uniform(0, 1, (2, 2, 2))
    assert shapley(table.transpose(2, 0, 1)).tolist() == pytest.approx(shapley(table)[[2, 0, 1]].tolist())
    alike = (table + table.swapaxes(0, 1)) / 2
    assert shapley(alike)[0] == pytest.approx(shapley(alike)[1])
    idle = np.repeat(table[:, :1], 2, axis=1)
    assert shapley(idle)[1] == pytest.approx(0)
    assert shapley(np.full((2, 2), 0.4)).tolist() == [0, 0]


def test_shares_are_those_of_the_cells_that_effects_were_made_of() -> None:
    means = np.linspace(0.2, 0.6, 8) ** 2
    found = effects(rows(means, cells(3)))
    assert shapley(found.means).tolist() == pytest.approx(shapley(means.reshape(2, 2, 2)).tolist())


def test_shares_of_a_fraction_are_refused() -> None:
    fraction = effects(rows(np.linspace(0.2, 0.6, 4), cells(3, -1))).means
    with pytest.raises(ValueError, match=r"every cell of a full design, but values\[0, 0, 1\] is nan: a fraction"):
        shapley(fraction)
    for wrong in (np.zeros(4), np.zeros((2, 3)), 0.5, []):
        with pytest.raises(ValueError, match="one axis per factor"):
            shapley(wrong)
