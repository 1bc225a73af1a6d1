"""Detectors of drift: they ring when less is earned, seldom for nothing, and learners and memories respond."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.component import digest
from toolkit.records import Change, Experience, Feedback, Recall, Task
from toolkit.traits.learning import (
    Adwin,
    Bandit,
    Cheatsheet,
    DemoBuffer,
    Detector,
    FixedExamples,
    Frozen,
    Kswin,
    Learner,
    PageHinkley,
    Tuned,
    Watched,
)
from toolkit.traits.learning.detectors import Fall, Watch
from toolkit.traits.memory import Bounded, Layered, MemoryPolicy, NoMemory, Renewed, Retrieval, SlidingWindow

ALL = (Adwin(), PageHinkley(), Kswin())
NERVOUS = PageHinkley(min_instances=5, threshold=2.0)


def begun(detector: Detector, seed: int = 0) -> Detector:
    own = detector.clone()
    own.reset(np.random.default_rng(seed))
    return own


def rang(detector: Detector, values: np.ndarray, seed: int = 0) -> list[int]:
    own = begun(detector, seed)
    return [place for place, value in enumerate(values) if own.update(float(value))]


@pytest.mark.parametrize(("detector", "within", "lives"), [(ALL[0], 30, 60), (ALL[1], 30, 60), (ALL[2], 30, 12)])
def test_a_planted_fall_is_found_within_the_stated_delay(detector: Detector, within: int, lives: int) -> None:
    rng, delays = np.random.default_rng(1), []
    for seed in range(lives):
        values = np.concatenate([rng.random(100) < 0.8, rng.random(70) < 0.3])
        delays.append(next((place - 100 for place in rang(detector, values, seed) if place >= 100), math.inf))
    assert np.median(delays) <= within
    assert np.mean(np.isinf(delays)) <= 0.2


@pytest.mark.parametrize(("detector", "lives"), [(ALL[0], 60), (ALL[1], 60), (ALL[2], 6)])
@pytest.mark.parametrize("mean", [0.5, 0.8])
def test_where_nothing_changes_fewer_than_one_value_in_a_thousand_rings(
    detector: Detector, lives: int, mean: float
) -> None:
    rng = np.random.default_rng(2)
    false = sum(len(rang(detector, rng.random(300) < mean, seed)) for seed in range(lives))
    assert false <= 0.001 * 300 * lives + 3 * math.sqrt(0.001 * 300 * lives)


@pytest.mark.parametrize("detector", ALL)
def test_who_gets_better_rings_for_nothing_and_the_better_level_is_the_new_one(detector: Detector) -> None:
    rng = np.random.default_rng(3)
    rise = np.concatenate([rng.random(120) < 0.1, rng.random(200) < 0.9])
    assert rang(detector, rise) == []
    back = [place for place in rang(detector, np.concatenate([rise, rng.random(100) < 0.2])) if place >= 320]
    assert back


@pytest.mark.parametrize("detector", ALL)
def test_equal_seeds_ring_alike_and_a_copy_goes_its_own_way(detector: Detector) -> None:
    values = np.random.default_rng(4).random(180) < np.repeat([0.9, 0.3], [110, 70])
    assert rang(detector, values, 5) == rang(detector, values, 5)
    one = begun(detector)
    for value in values[:90]:
        one.update(float(value))
    others = copy.deepcopy(one), pickle.loads(pickle.dumps(one))
    before = digest(one.state())
    told = [[other.update(float(value)) for value in values[90:]] for other in others]
    assert digest(one.state()) == before
    assert told[0] == told[1] == [one.update(float(value)) for value in values[90:]]
    assert any(told[0])


@settings(max_examples=25)
@given(high=st.floats(0.6, 1.0), low=st.floats(0.0, 0.2), before=st.integers(30, 90))
def test_of_certain_values_the_place_of_the_fall_is_exact(high: float, low: float, before: int) -> None:
    own = begun(Adwin())
    for place in range(before + 60):
        fall = own.update(high if place < before else low)
        if fall:
            assert fall.since == place - before + 1
            assert (fall.before, fall.after) == pytest.approx((high, low))
            return
    raise AssertionError("it must ring")


@pytest.mark.parametrize(
    ("detector", "told"),
    [
        (Adwin(delta=0.0), "Adwin.delta must be a number between 0 and 1 but is 0.0"),
        (Adwin(clock=0), "Adwin.clock"),
        (Adwin(grace_period=-1), "Adwin.grace_period must be an integer of at least 0"),
        (PageHinkley(threshold=0), "threshold must be a number above 0"),
        (PageHinkley(delta=-0.1), "delta must be a number of at least 0"),
        (PageHinkley(alpha=1.5), "at most 1 but is 1.5"),
        (Kswin(alpha=1), "Kswin.alpha"),
        (Kswin(window_size=50, stat_size=30), "window_size must be an integer of at least 60 but is 50"),
    ],
)
def test_parameters_out_of_range_are_refused(detector: Detector, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        detector.check()


# Learners


def met(t: int, score: float, answer: str = "yes") -> Experience:
    return Experience(f"stream/{t}", Task(f"t{t}", {"text": f"hi {t}"}, time=t), answer, Feedback(score, "yes"))


def lived(learner: Learner, scores: list[float], think: Callable[..., str] = lambda step, **_: "Be brief.") -> None:
    learner.reset(np.random.default_rng(0), think)
    for t, score in enumerate(scores):
        learner.applied(f"stream/{t}")
        learner.observe(met(t, score))


FALLING = [1.0] * 20 + [0.0] * 8


def test_forgetting_begins_anew_with_the_feedback_that_rang() -> None:
    watched = Watched(DemoBuffer(size=20), NERVOUS)
    lived(watched, FALLING)
    [alarm] = watched.changes()
    assert (alarm.kind, alarm.number, alarm.fate) == ("drift", 0, "forget")
    kept = [int(one.source.split("/")[1]) for one in watched.learned().examples]
    assert kept == list(range(kept[0], 28))
    assert 20 < kept[0] < 26
    assert watched.changes() == (), "each is told once"


def test_what_was_handed_over_before_the_first_task_is_no_answer_of_its_own() -> None:
    watched = Watched(DemoBuffer(), NERVOUS)
    watched.reset(np.random.default_rng(0), lambda step, **_: "")
    for number in range(40):
        watched.observe(replace(met(number, float(number < 20)), id=f"prepare/{number}"))
    assert watched.changes() == ()


def test_feedback_on_answers_from_before_an_alarm_is_learned_from_but_not_judged_by() -> None:
    watched = Watched(DemoBuffer(size=50), NERVOUS)
    watched.reset(np.random.default_rng(0), lambda step, **_: "")
    for t in range(40):  # all were given before anything is heard
        watched.applied(f"stream/{t}")
    for t in range(40):
        watched.observe(met(t, float(t < 20)))
    assert [one.number for one in watched.changes()] == [0]
    assert watched.state()["watch"]["detector"] == {"values": []}
    assert watched.learned().examples[-1].source == "stream/39"


def test_only_the_first_feedback_on_an_answer_counts() -> None:
    watch = Watch(PageHinkley(), np.random.default_rng(0))
    watch.given("stream/0")
    watch.heard(met(0, 1.0))
    watch.heard(met(0, 0.0))
    assert watch.state()["detector"] == {"values": [1.0]}


def test_a_bandit_that_explores_believes_less_and_leans_where_it_leant() -> None:
    bandit = Bandit(("A.", "B."), "ucb")
    lived(bandit, [1.0] * 40)
    before = bandit.state()
    bandit.drifted()
    after = bandit.state()
    assert after["tried"] == pytest.approx([0.1 * one for one in before["tried"]])
    assert after["earned"] == pytest.approx([0.1 * one for one in before["earned"]])
    for drifts in range(30):  # however often, it still chooses
        bandit.drifted()
        assert bandit.learned().instruction in ("A.", "B."), drifts


def test_a_bandit_that_explores_changes_its_mind_sooner_than_one_that_does_not() -> None:
    """The better instruction changes places after 150 tasks; the mean of the 100 after that, over 20 lives."""
    means = []
    for learner in (Bandit(("A.", "B.")), Watched(Bandit(("A.", "B.")), PageHinkley(), "explore")):
        scores = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            learner.reset(np.random.default_rng(seed), lambda step, **_: "")
            for t in range(250):
                learner.applied(f"stream/{t}")
                right = (learner.learned().instruction == "A.") == (t < 150)
                earned = float(rng.random() < (0.9 if right else 0.1))
                learner.observe(met(t, earned))
                scores += [earned] if t >= 150 else []
        means.append(np.mean(scores))
    assert means[1] > means[0] + 0.05


def test_labels_and_revisits_are_those_of_the_learner_inside() -> None:
    assert Watched(Tuned(window=9)).revisits == 9
    assert Watched(DemoBuffer()).labels == 0
    assert Renewed(Retrieval()).limit is None


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Watched(Frozen()), "must learn from the stream"),
        (Watched(FixedExamples()), "must learn from the stream"),
        (Watched(DemoBuffer(), response="explore"), "response must be 'forget' where of=DemoBuffer but is 'explore'"),
        (Watched(Tuned(), response="forget"), "response must be 'retune' where of=Tuned"),
        (Watched(Cheatsheet(), Adwin(delta=2)), "Adwin.delta"),
        (Watched(Retrieval()), "Watched.of must be a learner"),  # type: ignore[arg-type]
        (Watched(DemoBuffer(), "adwin"), "Watched.detector must be a detector"),  # type: ignore[arg-type]
        (Renewed(NoMemory()), "must store what is met"),
        (Renewed(Retrieval(), keep=257), "from 0 to 256"),
        (Renewed(Retrieval(), keep=-1), "from 0 to 256"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(part: Learner | MemoryPolicy, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        part.check()


# Memories


def remembered(policy: MemoryPolicy, scores: list[float], late: int = 0) -> list[int]:
    policy.reset(np.random.default_rng(0), lambda step, **_: "")
    for t in range(len(scores) + late):
        if t < len(scores):
            policy.observe(replace(met(t, scores[t]), feedback=None))
        if t >= late:
            policy.observe(met(t - late, scores[t - late]))
    return [int(one.id.split("/")[1]) for one in policy.memories()]


def test_a_memory_forgets_what_came_before_the_change_and_keeps_what_came_since() -> None:
    assert remembered(Renewed(Retrieval(), NERVOUS), FALLING) == list(range(20, 28))


@pytest.mark.parametrize(("keep", "first"), [(0, 23), (2, 21)])
def test_a_memory_keeps_as_many_as_it_is_told(keep: int, first: int) -> None:
    """The third wrong answer, of task 22, rings."""
    assert remembered(Renewed(Retrieval(), NERVOUS, keep=keep), FALLING) == list(range(first, 28))


def test_late_feedback_is_news_to_a_memory_and_nothing_to_its_detector() -> None:
    policy = Renewed(Retrieval(), NERVOUS, keep=0)
    kept = remembered(policy, FALLING, late=4)
    assert [one.fate for one in policy.changes()] == ["forget"]
    assert sorted(kept) == [23, 24, 25, 26, 27]
    assert all(one.known for one in policy.memories())


def test_what_is_held_back_is_bounded_and_goes_with_its_user() -> None:
    policy = Renewed(SlidingWindow(k=3))
    policy.reset(np.random.default_rng(0), lambda step, **_: "")
    for t in range(400):
        user = "mara" if t % 2 else "tobias"
        policy.observe(Experience(f"stream/{t}", Task(f"t{t}", {"text": "x"}, user=user), "a"))
    assert len(policy.state()["latest"]) == 256
    policy.forget("mara")
    assert len(policy.state()["latest"]) == 128


class Telling(MemoryPolicy):
    """Has something to tell."""

    def changes(self) -> tuple[Change, ...]:
        return (Change("drift", "told"),)

    def recall(self, task: Task) -> Recall:
        return Recall()


def test_every_memory_around_another_passes_on_what_that_has_to_tell() -> None:
    import inspect

    import toolkit.evaluation.spec  # noqa: F401
    from toolkit.component import is_shipped, registered
    from toolkit.traits.memory import PermutedLabels, Shuffled

    around = {"Renewed", "Shuffled", "PermutedLabels", "Layered", "Bounded"}
    shipped = [cls for cls in registered("memory").values() if is_shipped(cls)]
    taking = {
        cls.__name__
        for cls in shipped
        if any("MemoryPolicy" in str(p.annotation) or "StoredMemory" in str(p.annotation)
               for p in inspect.signature(cls.__init__).parameters.values())
    }  # fmt: skip
    assert taking == around, "a new one must be tried below"
    for policy in (Shuffled(Telling()), PermutedLabels(Telling()), Layered(Telling(), NoMemory()), Renewed(Telling())):
        policy.reset(np.random.default_rng(0), lambda step, **_: "")
        assert policy.changes() == (Change("drift", "told"),)
    bounded = Bounded(Retrieval())
    bounded.of = Telling()  # type: ignore[assignment]
    assert bounded.changes() == (Change("drift", "told"),)


def test_a_fall_is_told_in_words() -> None:
    assert str(Fall(12, 0.81, 0.33)) == "earned 0.33 over the last 12 answers, 0.81 before"
