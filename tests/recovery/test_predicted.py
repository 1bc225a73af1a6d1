"""Human means with a judge's help: covered as often as said, whether the judge is biased, useless or perfect."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.stats import predicted_difference, predicted_mean

RUNS, TASKS, TRUTH = 5, 40, 0.5
RUN, TASK = np.repeat(np.arange(RUNS), TASKS), np.tile(np.arange(TASKS), RUNS)
JUDGES = ("biased", "useless", "perfect")
Draw = np.random.Generator
Ratings = tuple[np.ndarray, np.ndarray]


def rated(rng: Draw, judge: str, humans: int, mean: float = TRUTH, spread: float = 1.0) -> Ratings:
    """A judge's ratings of all episodes, and human ones of some; runs and tasks shift what humans say."""
    own = rng.normal(0, 0.1 * spread, RUNS)[RUN] + rng.normal(0, 0.25 * spread, TASKS)[TASK]
    human = mean + own + rng.normal(0, 0.3, len(RUN))
    said = {
        "biased": 3 + 0.6 * human + rng.normal(0, 0.15, len(RUN)),
        "useless": rng.normal(3, 1, len(RUN)),
        "perfect": human.copy(),
    }[judge]
    kept = np.full(len(RUN), np.nan)
    drawn = rng.choice(len(RUN), humans, replace=False)
    kept[drawn] = human[drawn]
    return said, kept


def covered(judge: str, humans: int, studies: int, spread: float = 1.0) -> tuple[float, float]:
    """How often the mean is covered, and the median gain."""
    rng = np.random.default_rng(41)
    found = [predicted_mean(*rated(rng, judge, humans, spread=spread), RUN, TASK) for _ in range(studies)]
    held = np.mean([one.estimate.low <= TRUTH <= one.estimate.high for one in found])
    return float(held), float(np.median([one.gain for one in found]))


@pytest.mark.parametrize("judge", JUDGES)
def test_the_human_mean_is_covered_and_a_good_judge_helps(judge: str) -> None:
    held, gain = covered(judge, 40, 200)
    assert 0.91 <= held <= 0.995  # 200 studies: a Monte-Carlo error of .015
    assert (gain > 1.3) == (judge != "useless")
    assert gain > 0.8


@pytest.mark.parametrize("judge", JUDGES)
def test_the_difference_of_two_arms_is_covered(judge: str) -> None:
    rng = np.random.default_rng(42)
    held = []
    for _ in range(150):
        one, base = (rated(rng, judge, 40, mean) for mean in (0.7, 0.5))
        base = (base[0] + 1, base[1])  # a judge that favours the baseline
        found = predicted_difference(*one, *base, RUN, TASK).estimate
        held.append(found.low <= 0.2 <= found.high)
    assert 0.91 <= np.mean(held) <= 1


def test_the_judge_alone_would_be_wrong() -> None:
    """The simulation tells a right interval from a wrong one."""
    said, kept = rated(np.random.default_rng(43), "biased", 40)
    assert abs(said.mean() - TRUTH) > 2
    assert abs(predicted_mean(said, kept, RUN, TASK).estimate.value - TRUTH) < 0.4


@pytest.mark.validate
@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("humans", [10, 20, 40, 100])
@pytest.mark.parametrize("judge", JUDGES)
def test_the_human_mean_is_covered_as_often_as_it_says(judge: str, humans: int, spread: float) -> None:
    held, _ = covered(judge, humans, 1500, spread)
    assert 0.93 <= held <= 0.995  # errs towards wide, as two_way does where runs and tasks do not matter
