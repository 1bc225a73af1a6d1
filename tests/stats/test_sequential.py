"""Confidence sequences: against published numbers and plain integration, and on data that say too little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize

from toolkit.stats import ConfidenceSequence, Crossing, confidence_sequence, crosses, running_difference, split_alpha
from toolkit.stats.sequential import _boundary, _log_mixture

UNIT = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def rho(tight_at: float, level: float) -> float:
    """Of the normal mixture that is lowest at `tight_at`, for one side."""
    spread = 2 * math.log(1 / (1 - level))
    return tight_at / (spread + math.log(1 + spread))


def mixture(s: float, v: float, r: float, c: float) -> float:
    """The mean of exp(a * s - v * psi(a)) over its density of a in (0, 1/c), integrated numerically."""
    # With b**power = 1 - c * a the density has no pole where a nears 1 / c.
    power = max(1.0, 2 * c**2 / r)

    def total(s: float, v: float) -> float:
        def integrand(b: float) -> float:
            log_rest = power * math.log(b)  # of 1 - c * a
            a = -math.expm1(log_rest) / c
            psi = (-log_rest - c * a) / c**2
            log_density = (r / c**2 - 1) * log_rest + r * a / c
            return math.exp(a * s - v * psi + log_density + (power - 1) * math.log(b))

        return float(integrate.quad(integrand, 0, 1, epsabs=0, epsrel=1e-10, limit=200)[0])

    return total(s, v) / total(0, 0)


def test_mixture_and_boundary_are_those_of_the_authors_software() -> None:
    """Its unit test has c = 2, v = v_opt = 100 and one side at .05: in units of c, v is 25 and sums are halved."""
    value, _ = _log_mixture(np.array([10 / 2]), np.array([100 / 4]), rho(100 / 4, 0.9))
    assert value[0] == pytest.approx(-0.2490165, abs=1e-6)
    assert 2 * _boundary(np.array([100 / 4]), 0.9, 100 / 4)[0] == pytest.approx(33.02017, abs=1e-5)


@pytest.mark.parametrize("v", [0.0, 0.3, 4.0, 60.0])
@pytest.mark.parametrize("tight_at", [0.5, 4.0, 40.0])
def test_boundary_is_where_the_integrated_mixture_reaches_its_threshold(v: float, tight_at: float) -> None:
    s = float(_boundary(np.array([v]), 0.95, tight_at)[0])
    assert mixture(s, v, rho(tight_at, 0.95), 1.0) == pytest.approx(40, rel=1e-7)


def test_derivative_is_that_of_the_mixture() -> None:
    s, v = np.array([0.0, 2.0, 9.0]), np.array([0.0, 5.0, 1.0])
    around = [_log_mixture(s + step, v, 0.5)[0] for step in (2e-5, 1e-5, 0)]
    forward = (4 * around[1] - around[0] - 3 * around[2]) / 2e-5
    assert _log_mixture(s, v, 0.5)[1].tolist() == pytest.approx(forward.tolist(), rel=1e-5)


def by_hand(values: list[float], low: float, high: float, level: float) -> list[tuple[float, float]]:
    """Theorem 4, step by step, in the unit of the values."""
    c, v, found = high - low, 0.0, []
    for t in range(1, len(values) + 1):
        predicted = ((low + high) / 2 + sum(values[: t - 1])) / t
        v += (values[t - 1] - predicted) ** 2
        r = rho(4.0, level) * c**2
        u = optimize.brentq(lambda s, v=v, r=r: mixture(s, v, r, c) - 2 / (1 - level), 0.1 * c, 40 * c, xtol=1e-12)
        mean = sum(values[:t]) / t
        found.append((max(low, mean - u / t), min(high, mean + u / t)))
    return found


@pytest.mark.parametrize(("low", "high", "level"), [(-1.0, 1.0, 0.95), (0.0, 1.0, 0.8), (-3.0, 7.0, 0.99)])
def test_band_equals_a_plain_loop(low: float, high: float, level: float) -> None:
    values = (low + (high - low) * np.random.default_rng(1).beta(6, 2, 30)).tolist()
    band = confidence_sequence(values, low=low, high=high, level=level)
    expected = np.array(by_hand(values, low, high, level))
    assert band.t.tolist() == list(range(1, 31))
    assert band.mean.tolist() == pytest.approx([np.mean(values[:t]) for t in band.t])
    assert band.low.tolist() == pytest.approx(expected[:, 0].tolist(), rel=1e-7)
    assert band.high.tolist() == pytest.approx(expected[:, 1].tolist(), rel=1e-7)
    assert band.low[-1] > low
    assert band.high[-1] < high
    assert (band.level, band.span) == (level, (low, high))
    assert band.reason == ""


@given(UNIT, st.integers(1, 60))
def test_a_step_knows_nothing_of_later_ones(values: list[float], stop: int) -> None:
    whole = confidence_sequence(values, low=0, high=1)
    part = confidence_sequence(values[:stop], low=0, high=1)
    for name in ("t", "mean", "low", "high"):
        assert getattr(part, name).tolist() == pytest.approx(getattr(whole, name)[:stop].tolist(), rel=1e-9, abs=1e-12)


@given(UNIT, st.sampled_from([1e-6, 0.3, 2.0, 1e5]), st.sampled_from([-3.0, 0.0, 0.7]))
def test_the_unit_is_of_no_account(values: list[float], scale: float, shift: float) -> None:
    plain = confidence_sequence(values, low=0, high=1)
    moved = confidence_sequence(scale * (np.array(values) + shift), low=scale * shift, high=scale * (1 + shift))
    for name in ("mean", "low", "high"):
        back = getattr(moved, name) / scale - shift
        assert back.tolist() == pytest.approx(getattr(plain, name).tolist(), abs=1e-7)


@given(UNIT)
def test_swapping_the_arms_mirrors_the_band(values: list[float]) -> None:
    plain = confidence_sequence(values, low=-1, high=1)
    swapped = confidence_sequence([-value for value in values], low=-1, high=1)
    assert swapped.low.tolist() == pytest.approx((-plain.high).tolist(), abs=1e-12)
    assert swapped.high.tolist() == pytest.approx((-plain.low).tolist(), abs=1e-12)


@given(UNIT, st.floats(0.01, 0.999), st.floats(0.01, 500))
def test_bounds_hold_the_mean_and_stay_within_the_range(values: list[float], level: float, tight_at: float) -> None:
    band = confidence_sequence(values, low=0, high=1, level=level, tight_at=tight_at)
    assert (band.low >= 0).all()
    assert (band.low <= band.mean).all()
    assert (band.mean <= band.high).all()
    assert (band.high <= 1).all()


@given(UNIT, st.floats(0.5, 0.99), st.floats(0.001, 0.5))
def test_a_band_of_a_higher_level_holds_that_of_a_lower(values: list[float], level: float, more: float) -> None:
    """At levels in use: the tuning moves with the level, and below .35 it would outweigh it."""
    lower, higher = (confidence_sequence(values, low=0, high=1, level=at) for at in (level, level + more * (1 - level)))
    assert (higher.low <= lower.low + 1e-9).all()
    assert (higher.high >= lower.high - 1e-9).all()


@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=30, unique=True), st.floats(0.5, 0.99), st.floats(0.1, 100))
def test_boundary_rises_with_spread_and_less_than_in_proportion(v: list[float], level: float, tight_at: float) -> None:
    spread = np.sort(v)
    u = _boundary(spread, level, tight_at)
    assert (np.diff(u) >= -1e-6).all()
    assert (u[1:] * spread[:-1] <= u[:-1] * spread[1:] * (1 + 1e-9)).all()
    assert (_log_mixture(u, spread, rho(tight_at, level))[0] >= math.log(2 / (1 - level)) - 1e-6).all(), "the safe side"


def test_more_spread_makes_a_wider_band() -> None:
    calm, wild = (confidence_sequence(np.tile([-step, step], 100), low=-1, high=1) for step in (0.1, 0.8))
    assert wild.high[-1] - wild.low[-1] > 2 * (calm.high[-1] - calm.low[-1])


def test_the_range_counts_and_not_what_was_seen() -> None:
    values = np.random.default_rng(2).random(50)
    narrow, wide = (confidence_sequence(values, low=0, high=high) for high in (1, 10))
    assert wide.high[-1] - wide.low[-1] > 2 * (narrow.high[-1] - narrow.low[-1])


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_one_observation_says_next_to_nothing(value: float) -> None:
    band = confidence_sequence([value], low=-1, high=1)
    assert (band.low[0], band.high[0], band.mean[0]) == (-1, 1, pytest.approx(value))
    assert all(crosses(band, at=at) is None for at in (-1, 0, 1))


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_equal_values_give_no_certainty(value: float) -> None:
    """Ten equal values are no proof; the band closes in as one over t."""
    band = confidence_sequence([value] * 400, low=-1, high=1)
    assert ((band.low <= value + 1e-12) & (value - 1e-12 <= band.high)).all()
    assert band.high[-1] - band.low[-1] < 0.06
    assert (band.high - band.low)[9] > 0.4


def test_no_step_gives_an_empty_band_and_a_reason() -> None:
    band = confidence_sequence([], low=-1, high=1)
    assert [len(part) for part in (band.t, band.mean, band.low, band.high)] == [0, 0, 0, 0]
    assert "no step" in band.reason
    assert crosses(band) is None
    assert isinstance(band, ConfidenceSequence)


def test_rounding_beyond_the_range_is_no_error() -> None:
    averages = running_difference([[0.1]] * 3, low=0, high=0.1)
    assert np.mean([0.1] * 3) > 0.1, "the case is one"
    band = confidence_sequence(averages, low=0, high=0.1)
    assert band.mean[0] <= 0.1


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        ([0.5, 1.5], {}, r"within \[-1, 1\], but values\[1\] is 1.5; give the range"),
        ([0.5, -math.inf], {}, r"values\[1\] is -inf"),
        ([0.5, math.nan], {}, r"values must not be missing, but values\[1\] is nan"),
        ([[0.5], [0.1]], {}, r"values must be flat, not of shape \(2, 1\); see running_difference"),
        (0.5, {}, "values must be flat"),
        ([0.5], {"low": 1}, "low must be below high and both finite, not 1 and 1"),
        ([0.5], {"high": math.inf}, "not -1 and inf"),
        ([0.5], {"low": math.nan}, "not nan and 1"),
        ([0.5], {"level": 95}, "level must be between 0 and 1, not 95"),
        ([0.5], {"tight_at": 0}, "tight_at must be above 0 and finite, not 0"),
        ([0.5], {"tight_at": math.nan}, "tight_at must be above 0 and finite, not nan"),
    ],
)
def test_wrong_input_is_named(values: object, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confidence_sequence(values, **{"low": -1, "high": 1, **settings})  # type: ignore[arg-type]


def test_a_band_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        confidence_sequence([0.5], low=0, high=1).level = 0.5  # type: ignore[misc]


def test_runs_are_averaged_step_by_step() -> None:
    table = np.random.default_rng(3).uniform(-1, 1, (5, 8))
    assert running_difference(table).tolist() == pytest.approx([np.mean(column) for column in table.T])
    assert running_difference([[0.5, -1]]).tolist() == [0.5, -1]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_only_steps_that_all_runs_have_passed_count(lengths: list[int]) -> None:
    table = np.random.default_rng(4).uniform(-1, 1, (len(lengths), 9))
    begun = table.copy()
    for row, length in enumerate(lengths):
        begun[row, length:] = math.nan
    assert running_difference(begun).tolist() == running_difference(table)[: min(lengths)].tolist()


def test_a_gap_holds_back_what_is_behind_it() -> None:
    assert running_difference([[1, math.nan, 0.5], [0, 1, 1]]).tolist() == [0.5]
    assert running_difference([[math.nan, 1], [1, 1]]).shape == (0,)
    assert running_difference(np.empty((3, 0))).shape == (0,)


@pytest.mark.parametrize(
    ("matrix", "settings", "message"),
    [
        ([0.5, 1], {}, r"runs x tasks with at least one run, not of shape \(2,\)"),
        (np.empty((0, 4)), {}, r"not of shape \(0, 4\)"),
        ([[0, 0], [0, 1.5]], {}, r"within \[-1.0, 1.0\], but matrix\[1, 1\] is 1.5"),
        ([[0, math.inf]], {}, r"matrix\[0, 1\] is inf"),
        ([[0, -0.5]], {"low": 0}, r"matrix\[0, 1\] is -0.5"),
        ([[0.0]], {"low": 2}, "low must be below high"),
    ],
)
def test_a_wrong_matrix_is_named(matrix: object, settings: dict[str, float], message: str) -> None:
    """A value out of range is found even where the average over runs hides it."""
    with pytest.raises(ValueError, match=message):
        running_difference(matrix, **settings)  # type: ignore[arg-type]


def made(low: list[float], high: list[float]) -> ConfidenceSequence:
    t = np.arange(1, len(low) + 1)
    middle = (np.array(low) + high) / 2
    return ConfidenceSequence(t, middle, np.array(low), np.array(high), 0.95, (-1.0, 1.0), "by hand", "nothing")


@pytest.mark.parametrize(
    ("low", "high", "at", "found"),
    [
        ([-1, -0.1, 0.1, -0.1, 0.2], [1, 0.5, 0.5, 0.5, 0.5], 0.0, Crossing(3, "above")),
        ([-1, -0.5, -0.5], [1, -0.1, -0.2], 0.0, Crossing(2, "below")),
        ([-0.5, -0.3], [0.5, 0.2], 0.3, Crossing(2, "below")),
        ([0.0, -0.5], [0.5, 0.0], 0.0, None),
        ([0.1], [0.2], 0.0, Crossing(1, "above")),
    ],
)
def test_the_first_exclusion_counts_and_touching_is_none(
    low: list[float], high: list[float], at: float, found: Crossing | None
) -> None:
    assert crosses(made(low, high), at=at) == found


@pytest.mark.parametrize("at", [-1.1, 2.0, math.nan])
def test_a_value_that_no_observation_can_have_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match=rf"at must be within \[-1.0, 1.0\].* but is {at}"):
        crosses(made([0], [1]), at=at)


def test_shares_add_up_and_follow_their_weights() -> None:
    assert split_alpha(0.05, 1) == (0.05,)
    assert split_alpha(0.06, 3) == pytest.approx((0.02, 0.02, 0.02))
    assert split_alpha(0.05, [4, 1]) == pytest.approx((0.04, 0.01))
    assert split_alpha(0.05, [0.8, 0.2]) == pytest.approx((0.04, 0.01))


@given(st.floats(1e-6, 0.999), st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20))
def test_shares_never_exceed_the_whole(alpha: float, weights: list[float]) -> None:
    assert math.fsum(split_alpha(alpha, weights)) == pytest.approx(alpha, rel=1e-12)


@pytest.mark.parametrize(
    ("alpha", "parts", "message"),
    [
        (0, 2, "alpha must be between 0 and 1, not 0"),
        (5, 2, "alpha must be between 0 and 1, not 5"),
        (0.05, 0, "parts must be at least 1, or a list of weights, not 0"),
        (0.05, -1, "not -1"),
        (0.05, [], r"not \[\]"),
        (0.05, [1, 0], "weights of parts must be above 0, not 0.0"),
        (0.05, [1, math.nan], "not nan"),
    ],
)
def test_wrong_shares_are_named(alpha: float, parts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_alpha(alpha, parts)  # type: ignore[arg-type]
