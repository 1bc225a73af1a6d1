"""Do the intervals keep their promise? Simulated studies with shared session effects and a known true mean.

Seeded, so the figures are fixed; 2000 studies put the Monte-Carlo error of a coverage of .95 at .005, four of which
fit between .95 and either limit.
"""

import numpy as np
import pytest

from toolkit.stats import crossed_bootstrap, sign_flip, two_way

TRUTH = 0.1
STUDIES = 2000
SESSIONS, TASKS = 60, 5
Study = tuple[np.ndarray, np.ndarray, np.ndarray]


def study(
    runs: int, rng: np.random.Generator, *, truth: float = TRUTH, run_sd: float = 0.03, uneven: bool = False
) -> Study:
    """Differences of two arms, their runs and their sessions.

    A session shifts its scores alike in all runs (sd .25), a run alike in all sessions; single scores differ by -1, 0
    or 1. Uneven: sessions hold 1 to 9 tasks, and a tenth of the cells is missing.
    """
    sizes = rng.integers(1, 2 * TASKS, SESSIONS) if uneven else np.full(SESSIONS, TASKS)
    session = np.tile(np.repeat(np.arange(SESSIONS), sizes), runs)
    run = np.repeat(np.arange(runs), sizes.sum())
    noise = rng.choice([-1.0, 0.0, 1.0], len(run), p=[0.2, 0.6, 0.2])
    values = truth + rng.normal(0, 0.25, SESSIONS)[session] + rng.normal(0, run_sd, runs)[run] + noise
    if uneven:
        values[(rng.random((runs, SESSIONS)) < 0.1)[run, session]] = np.nan
    return values, run, session


def nested_covers(data: Study, rng: np.random.Generator, draws: int = 200) -> bool:
    """The tempting way: runs are resampled, and within each the sessions anew, as if not shared."""
    values, run, _ = data
    table = values.reshape(run.max() + 1, SESSIONS, TASKS).mean(2)
    rows = rng.integers(0, len(table), (draws, len(table), 1))
    means = table[rows, rng.integers(0, SESSIONS, (draws, len(table), SESSIONS))].mean((1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return bool(low <= TRUTH <= high)


@pytest.mark.parametrize("run_sd", [0.03, 0.3])
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("runs", [5, 10])
def test_two_way_covers_as_often_as_it_says(runs: int, uneven: bool, run_sd: float) -> None:
    rng = np.random.default_rng(20)
    found = [two_way(*study(runs, rng, run_sd=run_sd, uneven=uneven)) for _ in range(STUDIES)]
    assert 0.93 <= np.mean([one.low <= TRUTH <= one.high for one in found]) <= 0.97
    assert not any(one.reason for one in found)


@pytest.mark.parametrize("runs", [5, 10])
def test_nested_resampling_covers_less_than_it_says(runs: int) -> None:
    """The simulation tells a wrong interval from a right one."""
    rng = np.random.default_rng(21)
    assert np.mean([nested_covers(study(runs, rng), rng) for _ in range(300)]) < 0.89


@pytest.mark.parametrize("runs", [5, 10])
def test_crossed_bootstrap_covers_as_often_as_it_says(runs: int) -> None:
    rng = np.random.default_rng(22)
    found = [crossed_bootstrap(*study(runs, rng), rng=rng, draws=400) for _ in range(600)]
    assert 0.93 <= np.mean([one.low <= TRUTH <= one.high for one in found]) <= 0.985


def test_crossed_bootstrap_doubts_itself_where_it_covers_less() -> None:
    """Five runs that differ more than sessions do: too narrow, and nearly always said so."""
    rng = np.random.default_rng(23)
    found = [crossed_bootstrap(*study(5, rng, run_sd=0.3), rng=rng, draws=400) for _ in range(300)]
    assert np.mean([one.low <= TRUTH <= one.high for one in found]) < 0.93
    assert np.mean([bool(one.reason) for one in found]) > 0.9


@pytest.mark.parametrize("runs", [5, 10])
def test_arms_that_are_alike_differ_at_the_nominal_rate(runs: int) -> None:
    rng = np.random.default_rng(24)
    found = [two_way(*study(runs, rng, truth=0.0)) for _ in range(STUDIES)]
    assert 0.035 <= np.mean([one.excludes_zero for one in found]) <= 0.065


def test_sign_flips_keep_their_level_over_orders() -> None:
    """Sessions without effects of their own, as the test takes them as given: 8 runs, exact level 12/256."""
    rng = np.random.default_rng(25)
    p_values = [sign_flip(rng.normal(0, 1, 8).repeat(3), np.arange(8).repeat(3), rng=rng) for _ in range(STUDIES)]
    assert 0.035 <= np.mean(np.array(p_values) <= 0.05) <= 0.06


def test_planted_effect_is_found_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(26)
    found = [two_way(*study(10, rng, truth=0.3)) for _ in range(300)]
    assert np.mean([one.excludes_zero for one in found]) > 0.99
    assert np.mean([one.low <= 0.3 <= one.high for one in found]) > 0.92
