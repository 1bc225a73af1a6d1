"""Backward transfer: the definition, what is planted is found, and noise is no forgetting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from toolkit.stats import backward_transfer, forgetting


def by_definition(matrix: np.ndarray) -> float:
    """Of one run: R[i, j] = score on task j after learning task i."""
    last = len(matrix) - 1
    return sum(matrix[last, j] - matrix[j, j] for j in range(last)) / last


@given(some.arrays(float, (3, 5, 5), elements=st.floats(0, 1)))
def test_it_is_the_definition_of_its_source(matrices: np.ndarray) -> None:
    soon = np.array([matrix.diagonal()[:-1] for matrix in matrices])
    found = backward_transfer(soon, matrices[:, -1, :-1])
    assert found.value == pytest.approx(np.mean([by_definition(matrix) for matrix in matrices]), abs=1e-12)
    opposite = forgetting(soon, matrices[:, -1, :-1])
    assert (opposite.value, opposite.low) == pytest.approx((-found.value, -found.high), nan_ok=True)


def asked(drop: float, rng: np.random.Generator, runs: int = 8, tasks: int = 60) -> tuple[np.ndarray, np.ndarray]:
    return tuple((rng.random((runs, tasks)) < p).astype(float) for p in (0.7, 0.7 - drop))  # type: ignore[return-value]


def test_planted_forgetting_is_found_and_noise_is_none() -> None:
    rng = np.random.default_rng(3)
    assert sum(forgetting(*asked(0.25, rng)).low > 0 for _ in range(100)) >= 95
    wrong = sum(forgetting(*asked(0.0, rng)).excludes_zero for _ in range(400))
    assert 400 * 0.05 - 4 * math.sqrt(19) <= wrong <= 400 * 0.05 + 4 * math.sqrt(19)


def test_tasks_without_both_scores_are_left_out() -> None:
    nan = math.nan
    found = backward_transfer([[1, nan, 0], [1, 1, nan]], [[0, 1, 0], [nan, 1, 1]])
    assert found.n == 3
    assert found.value == pytest.approx((-0.5 + 0.0) / 2)


@pytest.mark.parametrize(
    ("soon", "late", "told"),
    [
        (np.empty((0, 0)), np.empty((0, 0)), "no task was asked twice"),
        (np.full((3, 2), math.nan), np.ones((3, 2)), "no task was asked twice"),
        (np.ones((1, 4)), np.zeros((1, 4)), "one run"),
        (np.ones((5, 4)), np.zeros((5, 4)), "all runs agree"),
    ],
)
def test_too_little_is_no_certainty(soon: np.ndarray, late: np.ndarray, told: str) -> None:
    found = backward_transfer(soon, late)
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)
    assert told in found.reason


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="one shape"):
        backward_transfer([[1, 0]], [[1]])
    with pytest.raises(ValueError, match="level"):
        backward_transfer([[1, 0]], [[1, 0]], level=95)
