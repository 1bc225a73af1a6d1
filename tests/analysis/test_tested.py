"""Verdicts on hypotheses: each word where it belongs, over the whole family, and never for want of data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from toolkit.analysis.contrast import Gap
from toolkit.analysis.tested import Finding, family, judged, seal, tried


def gap(mean: float, *, spread: float = 0.1, seed: int = 0, runs: int = 8, tasks: int = 30) -> Gap:
    """Differences around a mean that is met exactly."""
    rng = np.random.default_rng(seed)
    table = rng.normal(0, spread, (runs, tasks)) + rng.normal(0, spread / 3, (runs, 1)) + rng.normal(0, spread, tasks)
    run, task = (labels.astype(str) for labels in np.divmod(np.arange(runs * tasks), tasks))
    return Gap((table - table.mean() + mean).ravel(), run, task, np.full(runs * tasks, "s"), "task")


def one(direction: str, mean: float, margin: float = 0.0, registered: str = "primary", **rest: float) -> Finding:
    row = {"arm": "a", "against": "b", "direction": direction} | ({"margin": margin} if margin else {})
    return judged([tried(row, registered, "then", gap(mean, **rest), 0.95)], 0.95)[0]


@pytest.mark.parametrize(
    ("direction", "mean", "margin", "verdict"),
    [
        ("greater", 0.2, 0, "supported"),
        ("greater", -0.2, 0, "not supported"),
        ("greater", 0.01, 0, "inconclusive"),
        ("less", -0.2, 0, "supported"),
        ("less", 0.2, 0, "not supported"),
        ("different", -0.2, 0, "supported"),
        ("different", 0.01, 0, "inconclusive"),
        ("greater", -0.01, 0.15, "supported"),
        ("greater", -0.4, 0.15, "not supported"),
        ("less", 0.01, 0.15, "supported"),
        ("less", 0.4, 0.15, "not supported"),
        ("different", 0.01, 0.15, "equivalent within the margin"),
        ("different", 0.4, 0.15, "not supported"),
        ("different", 0.15, 0.15, "inconclusive"),
    ],
)
def test_each_verdict_has_its_place(direction: str, mean: float, margin: float, verdict: str) -> None:
    assert one(direction, mean, margin).verdict == verdict


def test_p_values_are_those_of_one_sided_t_tests() -> None:
    found = one("greater", 0.05, 0.02)
    half = found.estimate.high - found.estimate.value
    error = half / stats.t.ppf(0.975, found.estimate.df)
    assert found.p_value == pytest.approx(stats.t.sf(0.07 / error, found.estimate.df), rel=1e-9)
    both = one("different", 0.05, 0.1)
    assert both.p_value == pytest.approx(stats.t.cdf(-0.05 / error, found.estimate.df), rel=1e-9)
    assert one("different", 0.05).p_value == one("different", 0.05).estimate.p_value


def test_sentences_hold_the_claim_the_numbers_and_the_verdict() -> None:
    text = str(one("different", 0.01, 0.15))
    assert text.startswith("a and b differ by less than 0.15: equivalent within the margin (+0.010 [")
    assert "by Holm" in text
    assert str(one("greater", 0.2, 0.1)).startswith("a is not below b by 0.1 or more: supported")
    late = str(one("greater", 0.2, registered="late"))
    assert late.endswith("registered after the first run: exploratory)")
    assert "Holm" not in late


def test_a_family_shares_its_error_and_late_claims_do_not_count() -> None:
    row = {"arm": "a", "against": "b", "direction": "different"}
    means = (0.055, 0.055, 0.055)
    made = [tried(row, "primary", "t", gap(mean), 0.95) for mean in means]
    made.append(tried(row, "late", "t", gap(0.055), 0.95))
    alone, *_ = judged(made[:1], 0.95)
    together = judged(made, 0.95)
    assert alone.p_value < 0.05 < 3 * alone.p_value
    assert alone.verdict == "supported"
    assert [one.verdict for one in together] == ["inconclusive"] * 3 + ["supported"]
    assert together[0].adjusted_p == pytest.approx(3 * alone.p_value)
    assert math.isnan(together[3].adjusted_p)


@pytest.mark.parametrize("margin", [0.0, 0.1])
@pytest.mark.parametrize("direction", ["greater", "less", "different"])
def test_no_data_and_no_spread_are_inconclusive_and_say_why(direction: str, margin: float) -> None:
    row = {"arm": "a", "against": "b", "direction": direction} | ({"margin": margin} if margin else {})
    empty = Gap(np.empty(0), *[np.empty(0, dtype=np.str_)] * 3, "task")
    ties = gap(0.0)
    ties = Gap(np.zeros(len(ties.values)), ties.runs, ties.units, ties.streams, "task")
    for data, why in ((empty, "no values"), (ties, "no spread")):
        (found,) = judged([tried(row, "primary", "t", data, 0.95)], 0.95)
        assert found.verdict == "inconclusive"
        assert math.isnan(found.p_value)
        assert why in str(found)


def registration(begun: int, *arms: str) -> dict:
    made = {"at": f"t{begun}", "begun": begun, "hypotheses": [{"arm": arm} for arm in arms]}
    return made | {"sha256": seal(made)}


def test_the_last_registration_before_the_first_run_counts_and_nothing_is_lost() -> None:
    planned = {
        "hypotheses": [registration(0, "a"), registration(0, "b", "c"), registration(3, "c", "d"), registration(9)]
    }
    assert [(row["arm"], standing, at) for row, standing, at in family(planned)] == [
        ("b", "primary", "t0"),
        ("c", "primary", "t0"),
        ("d", "late", "t3"),
    ]
    assert list(family({})) == []


def test_false_claims_are_rare_over_a_family_of_true_nulls() -> None:
    """Three hypotheses, one of each direction, none true: at most one study in twenty supports any."""
    wrong = 0
    for seed in range(300):
        made = []
        rng = np.random.default_rng(seed)
        for direction in ("greater", "less", "different"):
            table = rng.normal(0, 0.1, (6, 20)) + rng.normal(0, 0.05, (6, 1)) + rng.normal(0, 0.1, 20)
            run, task = (labels.astype(str) for labels in np.divmod(np.arange(120), 20))
            data = Gap(table.ravel(), run, task, np.full(120, "s"), "task")
            made.append(tried({"arm": "a", "against": "b", "direction": direction}, "primary", "t", data, 0.95))
        wrong += any(found.verdict == "supported" for found in judged(made, 0.95))
    assert wrong / 300 <= 0.075
