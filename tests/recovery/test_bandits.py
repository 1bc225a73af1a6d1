"""Bandits find what was planted, and nothing where there is nothing: against choosing at random, at equal cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.records import Experience, Feedback, Task
from toolkit.streams.channel import Channel, OneBit
from toolkit.traits.learning import Bandit

WORDS = ("", "Be quick.", "Look at the note twice.", "Be kind.")
BEST = Scripted(p=0.2, gains={"Look at the note twice.": 0.5})


class Lottery(Channel):
    """A score that has nothing to do with the answer."""

    def feedback(self, task, answer, key, score, rng):
        return Feedback(float(rng.integers(2)))


def arms(*policies: str) -> list[Arm]:
    return [Arm(policy, learning=Bandit(WORDS, policy), transcript=False) for policy in ("uniform", *policies)]


def test_the_planted_instruction_is_found_and_the_learning_curve_shows_it(study: Callable[..., Study]) -> None:
    stream = Errands(120, sessions=False)
    made = finish(study(*arms("thompson", "ucb"), stream=stream, lm=BEST, channel=OneBit(), seeds=6))
    rows = made.episodes()
    for policy in ("thompson", "ucb"):
        gained = made.compare().row(policy).difference
        assert gained is not None
        assert gained.low > 0, gained
        scores = rows[rows.arm == policy].groupby("t").score.mean()
        assert scores[60:].mean() > scores[:30].mean() + 0.05
    late = rows[(rows.arm == "thompson") & (rows.t >= 60)].score.mean()
    assert late > 0.55, "the best is worth .7, any .325"


def test_from_noise_nothing_is_gained(study: Callable[..., Study]) -> None:
    stream = Errands(80, sessions=False)
    made = finish(study(*arms("thompson", "ucb"), stream=stream, lm=BEST, channel=Lottery(), seeds=6))
    for policy in ("thompson", "ucb"):
        gained = made.compare().row(policy).difference
        assert gained is not None
        assert gained.low < 0 < gained.high, gained


def lived(policy: str, chance: tuple[float, ...], *, tasks: int, delay: int, seed: int) -> list[int]:
    """Which of several instructions of known worth was in force at each task, where feedback is late."""
    bandit, rng = Bandit(tuple("abcdefgh"[: len(chance)]), policy), np.random.default_rng([seed, 1])
    bandit.reset(np.random.default_rng([seed, 0]), lambda step, **inputs: "")
    chosen, late = [], []
    for t in range(tasks):
        for experience in [one for one in late if int(one.id.split("/")[1]) + delay < t]:
            late.remove(experience)
            bandit.observe(experience)
        chosen.append(ord(bandit.learned().instruction) - ord("a"))
        bandit.applied(f"stream/{t}")
        told = Feedback(float(rng.random() < chance[chosen[-1]]))
        late.append(Experience(f"stream/{t}", Task(str(t), {}), "", told))
    return chosen


@pytest.mark.parametrize("policy", ["thompson", "ucb"])
@pytest.mark.parametrize("delay", [0, 10])
def test_late_feedback_belongs_to_the_instruction_it_was_given_for(policy: str, delay: int) -> None:
    share = np.mean([lived(policy, (0.1, 0.9), tasks=200, delay=delay, seed=seed)[100:] for seed in range(10)])
    assert share > 0.9


def test_regret_grows_ever_more_slowly() -> None:
    """Auer et al. (2002), theorem 1: UCB1's expected regret is at most 8 ln n / gap + (1 + pi^2 / 3) gap."""
    gap, tasks = 0.4, 1000
    chosen = np.array([lived("ucb", (0.3, 0.7), tasks=tasks, delay=0, seed=seed) for seed in range(10)])
    regret = gap * (chosen == 0).sum(axis=1)
    assert regret.mean() < 8 * np.log(tasks) / gap + (1 + np.pi**2 / 3) * gap
    assert regret.mean() < 0.25 * gap * tasks / 2
    assert (chosen[:, 500:] == 0).mean() < (chosen[:, :500] == 0).mean()


def test_a_score_that_nobody_gave_and_an_answer_that_nobody_noted_change_nothing() -> None:
    bandit = Bandit(("a", "b"))
    bandit.reset(np.random.default_rng(0), lambda step, **inputs: "")
    before = bandit.state()
    bandit.observe(Experience("stream/9", Task("9", {}), "x", Feedback(1.0)))
    bandit.applied("stream/0")
    bandit.observe(Experience("stream/0", Task("0", {}), "x", Feedback(text="hm")))
    assert bandit.state() == {**before, "under": {"stream/0": bandit.state()["now"]}}


@pytest.mark.parametrize(
    ("bandit", "told"),
    [
        (Bandit(), "two texts or more"),
        (Bandit(("a", "a")), "all different"),
        (Bandit(("a", "b"), "greedy"), "but is 'greedy'"),
    ],
)
def test_what_cannot_be_is_refused(bandit: Bandit, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        bandit.check()
