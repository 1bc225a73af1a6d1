"""The fast ways of resampling have the distribution of the plain one."""

import numpy as np
import pytest

from toolkit.stats import bootstrap, crossed_bootstrap

Data = tuple[np.ndarray, np.ndarray, np.ndarray]


def binary(runs: int, tasks: int, *, missing: float = 0.0, runs_alike: bool = False) -> Data:
    """Differences of -1, 0 or 1; a share of them missing."""
    rng = np.random.default_rng(runs)
    table = rng.choice([-1.0, 0.0, 1.0], (runs, tasks), p=[0.2, 0.5, 0.3])
    if runs_alike:
        table = np.where(rng.random((runs, tasks)) < 0.01, table, table[0])
    table[rng.random((runs, tasks)) < missing] = np.nan
    return table.ravel(), np.repeat(np.arange(runs), tasks), np.tile(np.arange(tasks), runs)


def plain(data: Data, draws: int) -> np.ndarray:
    """Rows and columns picked and averaged, one draw after another."""
    values, run, _ = data
    table = values.reshape(run.max() + 1, -1)
    rng = np.random.default_rng(6)
    found = []
    for _ in range(draws):
        rows, columns = (rng.integers(0, size, size) for size in table.shape)
        found.append(np.nanmean(table[rows][:, columns]))
    return np.array(found)


@pytest.mark.parametrize(
    ("way", "data"),
    [
        ("distribution", binary(3, 80)),
        ("distribution", binary(6, 90)),
        ("_by_pattern", binary(4, 400, missing=0.2)),
        ("rng.multinomial", binary(12, 400, runs_alike=True)),
        ("_by_pattern, _gathered", binary(4, 60, missing=0.2)),
        ("_picked", binary(12, 60)),
    ],
)
def test_each_way_has_the_distribution_of_plain_resampling(
    way: str, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = set()
    for name in ("_by_pattern", "_gathered", "_picked", "distribution"):
        real = getattr(bootstrap, name)

        def counted(*given: object, name: str = name, whole=real):
            found = whole(*given)
            used.update([name] if found is not None else [])
            return found

        monkeypatch.setattr(bootstrap, name, counted)
    levels = (0.5, 0.9)
    found = [crossed_bootstrap(*data, rng=np.random.default_rng(1), draws=20_000, level=level) for level in levels]
    means = plain(data, 8000)
    expected = [np.quantile(means, [(1 - level) / 2, (1 + level) / 2]) for level in levels]
    spread = float(means.std())
    assert [(one.low, one.high) for one in found] == [pytest.approx(two, abs=0.1 * spread) for two in expected]
    assert used == ({*way.split(", ")} - {"rng.multinomial"})


def test_few_classes_do_not_change_what_scores_of_any_size_give() -> None:
    """A hair on every score takes the slow way: the same interval but for the draws."""
    values, run, task = binary(5, 300)
    hair = np.random.default_rng(2).normal(0, 1e-6, len(values))
    fast, slow = (
        crossed_bootstrap(one, run, task, rng=np.random.default_rng(3), draws=20_000) for one in (values, values + hair)
    )
    width = slow.high - slow.low
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.02 * width)


def test_offsets_and_units_move_the_interval_along() -> None:
    values, run, task = binary(5, 100)
    first = crossed_bootstrap(values, run, task, rng=np.random.default_rng(1))
    moved = crossed_bootstrap(values * 1e9 + 4e9, run, task, rng=np.random.default_rng(1))
    assert (moved.low, moved.high) == pytest.approx((first.low * 1e9 + 4e9, first.high * 1e9 + 4e9), rel=1e-9)
