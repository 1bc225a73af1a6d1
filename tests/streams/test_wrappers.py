"""Channels around channels: they lie, fall silent and are late at the rates that they state, also in each other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar
from toolkit.streams.channels import Adversarial, Delayed, Missing, Noisy, ShuffledFeedback

OPTIONS = ("nut", "pear", "fig", "plum")
SHARES = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
MANY = 600


def begun(channel: Channel) -> Channel:
    channel = channel.clone()
    channel.reset(lambda question, answer: "")
    return channel


def said(channel: Channel, answers, tasks=None, seed: int = 0, right: str = "pear") -> list[Feedback | None]:
    """What is told of one answer after the other; a task of four options each, the right one always the same."""
    told, rng, channel = [], np.random.default_rng(seed), begun(channel)
    for place, answer in enumerate(answers):
        task = tasks[place] if tasks else Task(f"t{place}", {}, OPTIONS)
        told.append(channel.feedback(task, answer, Key((right,)), float(answer == right), rng))
    return told


def near(count: int, share: float, of: int = MANY) -> bool:
    """Whether a count is what a share comes to, within five standard errors."""
    return abs(count - share * of) <= 5 * math.sqrt(of * share * (1 - share)) + 1e-9


@given(rate=SHARES, answer=st.sampled_from(OPTIONS))
def test_a_noisy_bit_is_false_at_its_rate(rate, answer):
    truth = float(answer == "pear")
    assert near(sum(one.score != truth for one in said(Noisy(OneBit(), rate), [answer] * MANY)), rate)


@given(rate=SHARES, answer=st.sampled_from(OPTIONS))
def test_a_noisy_label_is_another_one_at_its_rate_each_as_often_and_its_score_goes_with_it(rate, answer):
    told = said(Noisy(FullLabel(), rate), [answer] * MANY)
    counts = Counter(one.correction for one in told)
    assert near(MANY - counts["pear"], rate)
    assert all(near(counts[other], rate / 3) for other in OPTIONS if other != "pear")
    assert all(one.score == float(one.correction == answer) for one in told)


@given(share=SHARES, inner=st.sampled_from([FullLabel(), OneBit(), Noisy(OneBit(), 0.3)]))
def test_a_stated_share_is_missing_and_the_rest_is_as_within(share, inner):
    told = said(Missing(inner, share), ["nut"] * MANY)
    assert near(sum(one is None for one in told), share)
    if share == 0.5 and isinstance(inner, Noisy):
        assert near(sum(one is not None and one.score == 1 for one in told), 0.15)


@given(share=SHARES, answer=st.sampled_from(OPTIONS))
def test_an_adversary_calls_wrong_right_and_opposes_one_wrong_answer_to_a_right_one(share, answer):
    told = said(Adversarial(FullLabel(), share), [answer] * MANY)
    lie = Feedback(0.0, "fig") if answer == "pear" else Feedback(1.0, answer)
    truth = Feedback(float(answer == "pear"), "pear")
    assert set(told) <= {lie, truth}
    assert near(told.count(lie), share)


@pytest.mark.parametrize(
    ("channel", "answer", "score", "expected"),
    [
        (Noisy(Scalar(), 1.0), "nut", 0.25, Feedback(0.75)),
        (Noisy(Scalar(), 1.0), "nut", math.nan, None),
        (Adversarial(Scalar()), "nut", 0.25, Feedback(1.0)),
        (Adversarial(Scalar()), "pear", 0.75, Feedback(0.0)),
        (Adversarial(FullLabel()), "", 0.0, Feedback(0.0, "fig")),  # no answer cannot be called right
        (Adversarial(FullLabel()), "kiwi", 0.0, Feedback(0.0, "fig")),
        (Noisy(NoFeedback(), 1.0), "nut", 0.0, None),
        (Noisy(Noisy(OneBit(), 1.0), 1.0), "nut", 0.0, Feedback(0.0)),  # a lie about a lie
        (Adversarial(Adversarial(OneBit())), "nut", 0.0, Feedback(0.0)),
    ],
)
def test_single_lies(channel, answer, score, expected):
    rng = np.random.default_rng(0)
    assert begun(channel).feedback(Task("t", {}, OPTIONS), answer, Key(("pear",)), score, rng) == expected


def test_of_free_answers_a_lie_is_what_was_right_before_and_silence_at_first():
    for made in (Noisy(FullLabel(), 1.0), Adversarial(FullLabel())):
        channel, rng = begun(made), np.random.default_rng(0)
        told = [
            channel.feedback(Task(word, {}), word, Key((word,)), 1.0, rng) for word in ("one", "two", "three", "two")
        ]
        assert told[0] is None
        assert told[1] == Feedback(0.0, "one")
        assert all(one.score == 0 for one in told[1:])
        assert told[3].correction in {"one", "three"}


@given(share=SHARES, seed=st.integers(0, 50))
def test_the_same_tasks_are_hit_whatever_was_answered(share, seed):
    channel, lies = Missing(Noisy(OneBit(), 0.5), share), []  # a lie about a right answer draws more
    for answers in (["nut"] * 60, ["pear", "fig"] * 30):
        told = said(channel, answers, seed=seed)
        lies.append([one and one.score != (answer == "pear") for one, answer in zip(told, answers, strict=True)])
    assert lies[0] == lies[1]


def test_what_wrappers_say_of_labels_and_delay_is_what_is_within():
    for wrapped in (Noisy, Missing, Adversarial, Delayed, ShuffledFeedback):
        assert wrapped(FullLabel()).reveals_label
        assert not wrapped(OneBit()).reveals_label
        assert wrapped(Delayed(FullLabel(), by=4)).delay == (5 if wrapped is Delayed else 4)


channels = st.recursive(
    st.sampled_from([FullLabel(), OneBit(), Scalar(), NoFeedback()]),
    lambda inner: st.one_of(
        st.builds(Noisy, inner, st.floats(0, 1)),
        st.builds(Missing, inner, st.floats(0, 1)),
        st.builds(Adversarial, inner, st.floats(0, 1)),
        st.builds(Delayed, inner, st.integers(0, 9)),
        st.builds(ShuffledFeedback, inner),
    ),
    max_leaves=4,
)


@given(channels, st.lists(st.sampled_from([*OPTIONS, "", "kiwi"]), max_size=8), st.integers(0, 5))
def test_they_compose_and_come_back_from_their_config(channel, answers, seed):
    again = Channel.from_config(channel.config())
    assert again == channel
    assert again.fingerprint() == channel.fingerprint()
    assert said(again, answers, seed=seed) == said(channel, answers, seed=seed)
    for one in said(channel, answers, seed=seed):
        assert one is None or ((one.correction in OPTIONS) if channel.reveals_label else one.correction is None)


@pytest.mark.parametrize(
    "made",
    [Noisy(OneBit(), 1.5), Missing(OneBit(), -0.1), Adversarial(OneBit(), True), Delayed(OneBit(), -1),
     Delayed(OneBit(), 0.5), Missing(Noisy(OneBit(), 2)), Noisy(Delayed(OneBit(), -1))],
)  # fmt: skip
def test_what_is_out_of_range_is_refused(made):
    with pytest.raises(ValueError, match=r"(Noisy|Missing|Adversarial|Delayed)\.\w+ must be .* but is"):
        made.check()
    with pytest.raises(SpecError):
        Channel.from_config(made.config())


# Law 10: shuffled feedback gains nothing.


def learned(channel: Channel, seed: int, tasks: int = 300) -> list[float]:
    """Scores of a learner by heart: each of ten cues has a right option, it gives what it was told last, or guesses."""
    rng = np.random.default_rng([seed, 1])
    rule, known = {cue: OPTIONS[int(rng.integers(4))] for cue in range(10)}, {}
    votes, found, channel = defaultdict(Counter), [], begun(channel)
    for place in range(tasks):
        cue = int(rng.integers(10))
        answer = known.get(cue) or OPTIONS[int(rng.integers(4))]
        score = float(answer == rule[cue])
        found.append(score)
        told = channel.feedback(Task(f"t{place}", {"cue": str(cue)}, OPTIONS), answer, Key((rule[cue],)), score, rng)
        if told is None:
            continue
        if told.correction is not None:
            known[cue] = told.correction
        else:  # a bit: stay with what was praised, most often, more than blamed
            votes[cue][answer] += 1 if told.score == 1 else -1
            best = max(OPTIONS, key=lambda one: votes[cue][one])
            known[cue] = best if votes[cue][best] > 0 else None
    return found[tasks // 2 :]


@pytest.mark.parametrize("inner", [FullLabel(), OneBit()], ids=repr)
def test_shuffled_feedback_gains_nothing_where_feedback_gains_much(inner):
    runs = range(60)
    true = np.array([np.mean(learned(inner, seed)) for seed in runs])
    sham = np.array([np.mean(learned(ShuffledFeedback(inner), seed)) for seed in runs])
    assert true.mean() > 0.9
    chance, error = _frequencies(runs), sham.std(ddof=1) / math.sqrt(len(runs))
    if inner == FullLabel():  # what is right most often is told most often: nothing but that can be had
        assert abs(sham.mean() - chance) < 4 * error
    else:
        assert abs(sham.mean() - 0.25) < 4 * error


def _frequencies(runs) -> float:
    """How often an answer that is drawn as right answers are frequent is right."""
    found = []
    for seed in runs:
        rng = np.random.default_rng([seed, 1])
        shares = np.bincount([int(rng.integers(4)) for _ in range(10)], minlength=4) / 10
        found.append(float((shares**2).sum()))
    return float(np.mean(found))


def test_what_is_told_by_shuffled_feedback_is_as_frequent_as_ever_and_hangs_on_nothing():
    rng, channel = np.random.default_rng(3), begun(ShuffledFeedback(FullLabel()))
    rights = [str(one) for one in rng.choice(OPTIONS, size=MANY, p=[0.1, 0.2, 0.3, 0.4])]
    told = [channel.feedback(Task("t", {}, OPTIONS), "nut", Key((one,)), float(one == "nut"), rng) for one in rights]
    heard = Counter(one.correction for one in told[1:])
    assert all(near(heard[one], share) for one, share in zip(OPTIONS, [0.1, 0.2, 0.3, 0.4], strict=True))
    agree = sum(one.correction == right for one, right in zip(told[1:], rights[1:], strict=True))
    assert near(agree, 0.1**2 + 0.2**2 + 0.3**2 + 0.4**2)
