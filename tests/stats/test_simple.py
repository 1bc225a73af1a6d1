"""The simple tests agree with scipy and statsmodels to 1e-9, and say why where they cannot be made."""

from __future__ import annotations

import importlib
import math
from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as theirs

from toolkit.stats.mixed import mixed_effects
from toolkit.stats.simple import mcnemar, paired_t, wilcoxon

CLOSE = {"rel": 1e-9, "abs": 1e-12}
scores = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=60)
numbers = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=60)


@settings(max_examples=60)
@given(scores, st.booleans())
def test_mcnemar_agrees_with_statsmodels(pairs: list[tuple[float, float]], exact: bool) -> None:
    one, other = np.array(pairs).T
    up, down = int(((one - other) > 0).sum()), int(((one - other) < 0).sum())
    found = mcnemar(one, other, exact=exact)
    if not up + down:
        assert math.isnan(found.p_value)
        assert found.reason
        return
    if not exact and up == down:
        assert found.p_value == 1  # theirs squares |0| - 1
        return
    expected = theirs([[0, up], [down, 0]], exact=exact, correction=True)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), **CLOSE)


@settings(max_examples=60)
@given(numbers)
def test_wilcoxon_and_t_agree_with_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, dtype=float).T
    gaps = one - other
    if gaps.any():
        expected = stats.wilcoxon(gaps[gaps != 0], method="exact" if np.count_nonzero(gaps) <= 50 else "asymptotic")
        assert wilcoxon(one, other).p_value == pytest.approx(float(expected.pvalue), **CLOSE)
    else:
        assert wilcoxon(one, other).reason == "no task tells the arms apart"
    found = paired_t(one, other)
    if np.ptp(gaps):
        expected = stats.ttest_1samp(gaps, 0)
        assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), **CLOSE)
    else:
        assert math.isnan(found.p_value)
        assert found.reason


@pytest.mark.skipif(Version(version("mlflow")) < Version("3.18"), reason="compare_evaluations came with MLflow 3.18")
@pytest.mark.parametrize("size", [6, 20, 40, 49, 60, 200])
@pytest.mark.parametrize("binary", [True, False])
def test_the_same_p_values_as_mlflows(size: int, binary: bool) -> None:
    """Of ``mlflow.genai.compare_evaluations``, which takes these from the paired values of two runs."""
    theirs = importlib.import_module("mlflow.genai.evaluation.comparison.paired_comparison")
    rng = np.random.default_rng(size)
    one = rng.integers(0, 2 if binary else 9, size).astype(float)
    other = np.where(rng.random(size) < 0.5, one, rng.integers(0, 2 if binary else 9, size)).astype(float)
    other[:2] = 1 - one[:2] if binary else one[:2] + 1  # something tells them apart
    found = theirs._compare_paired_values("s", other, one, value_type="binary" if binary else "numeric")
    first = mcnemar(one, other) if binary else wilcoxon(one, other)
    assert first.p_value == pytest.approx(found.p_value, **CLOSE)
    assert first.difference == pytest.approx(found.diff, **CLOSE)
    if not binary:
        assert paired_t(one, other).p_value == pytest.approx(found.t_test_p_value, **CLOSE)


@pytest.mark.parametrize("test", [mcnemar, wilcoxon, paired_t])
def test_missing_scores_drop_their_pair_and_nothing_is_no_number(test) -> None:
    whole = test([1, 0, 1, 1, 0], [0, 0, 1, 0, 1])
    assert test([1, 0, 1, 1, 0, math.nan, 1], [0, 0, 1, 0, 1, 1, math.nan]) == whole
    empty = test([math.nan], [1])
    assert math.isnan(empty.p_value)
    assert math.isnan(empty.difference)
    assert empty.reason.startswith("no complete pairs")
    with pytest.raises(ValueError, match="flat, but have shapes"):
        test([1, 0], [1])
    with pytest.raises(ValueError, match="must be finite"):
        test([1, math.inf], [1, 0])


def test_mcnemar_refuses_other_scores() -> None:
    with pytest.raises(ValueError, match=r"takes scores of 0 and 1, not 0\.5"):
        mcnemar([0.5, 1], [0, 1])


def test_a_mixed_model_of_balanced_normal_effects_is_the_two_way_analysis_of_variance() -> None:
    """On balanced data with every component above 0, REML is the analysis of variance: variances in closed form."""
    rng = np.random.default_rng(1)
    table = 0.1 + rng.normal(0, 0.3, (4, 1)) + rng.normal(0, 0.4, (1, 8)) + rng.normal(0, 0.2, (4, 8))
    run, task = np.repeat(np.arange(4), 8), np.tile(np.arange(8), 4)
    found = mixed_effects(table.ravel(), run, task)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    by_run, by_task = 8 * table.mean(1).var(ddof=1), 4 * table.mean(0).var(ddof=1)
    error = math.sqrt((by_run + by_task - (rest**2).sum() / 21) / 32)
    assert found.reason == ""
    assert found.value == pytest.approx(table.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * error, rel=1e-3)


def test_a_mixed_model_says_when_it_is_too_large_or_has_no_spread() -> None:
    values = np.tile([0.0, 1.0], 5000)
    found = mixed_effects(values, np.repeat(range(5), 2000), np.tile(range(2000), 5))
    assert math.isnan(found.low)
    assert "more than its dense matrices bear" in found.reason
    assert "no spread" in mixed_effects([1, 1, 1, 1], [1, 1, 2, 2], [1, 2, 1, 2]).reason
