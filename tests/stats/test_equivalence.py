"""Equivalence: sameness within a margin is shown, never assumed."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.stats.equivalence import equivalence
from toolkit.stats.inference import two_way


def cells(runs: int, clusters: int, mean: float, spread: float, seed: int = 0):
    """Differences of crossed runs and sessions, with their labels."""
    rng = np.random.default_rng(seed)
    table = mean + spread * (
        rng.normal(size=(runs, 1)) + rng.normal(size=(1, clusters)) + rng.normal(size=(runs, clusters))
    )
    return table.ravel(), np.repeat(range(runs), clusters), np.tile(range(clusters), runs)


@pytest.mark.parametrize(
    ("mean", "spread", "verdict"), [(0.0, 0.02, "equivalent"), (0.3, 0.05, "different"), (0.0, 0.6, "not shown")]
)
def test_the_verdict_fits_what_was_planted(mean: float, spread: float, verdict: str) -> None:
    assert equivalence(*cells(8, 20, mean, spread), margin=0.05).verdict == verdict


def test_a_difference_that_is_sure_but_within_the_margin_is_equivalent() -> None:
    found = equivalence(*cells(10, 40, 0.02, 0.005), margin=0.05)
    assert found.estimate.excludes_zero
    assert found.verdict == "equivalent"


def test_both_tests_reject_exactly_if_the_inner_interval_lies_within_the_margin() -> None:
    seen = set()
    for seed in range(60):
        values, run, cluster = cells(6, 12, 0.02, 0.03, seed)
        found = equivalence(values, run, cluster, margin=0.05)
        inner = two_way(values, run, cluster, level=0.9)
        assert (
            (found.verdict == "equivalent") == (max(abs(inner.low), abs(inner.high)) < 0.05) == (found.p_value < 0.05)
        )
        seen.add(found.verdict)
    assert len(seen) > 1


def test_at_the_margin_equivalence_is_seldom_said() -> None:
    said = [equivalence(*cells(6, 15, 0.05, 0.02, seed), margin=0.05).verdict == "equivalent" for seed in range(400)]
    assert np.mean(said) <= 0.08  # nominal 5 %; 400 draws have a standard error of one point


def test_equal_results_are_equivalent_and_say_that_nothing_was_estimated() -> None:
    found = equivalence(np.zeros(20), np.repeat(range(2), 10), np.tile(range(10), 2), margin=0.05)
    assert found.verdict == "equivalent"
    assert "nothing was estimated" in found.reason


@pytest.mark.parametrize("values", [[], [0.2] * 6, [float("nan")] * 6])
def test_too_little_shows_nothing(values: list[float]) -> None:
    found = equivalence(values, list(range(2)) * (len(values) // 2), list(range(len(values))), margin=0.05)
    assert found.verdict == "not shown"
    assert found.reason


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan"), float("inf")])
def test_a_margin_is_above_0(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be above 0"):
        equivalence([0.1, 0.2], [0, 1], [0, 1], margin=margin)
