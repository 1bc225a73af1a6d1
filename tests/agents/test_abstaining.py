"""Keeping answers that do not pay: the planted threshold is found, from feedback of every kind, and lives again."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from errands import Errands, finish, prompts

import toolkit as tk
from toolkit.agents.abstaining import Abstaining
from toolkit.agents.arm import Arm
from toolkit.agents.decider import Decider, GroundTruth
from toolkit.agents.rivals import SelfConsistency
from toolkit.errors import SpecError
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.judge import Judge
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.records import ABSTAINED, Experience, Feedback, Key, Step, Task, Turn, Weighed
from toolkit.streams.answers import Selective
from toolkit.streams.channel import OneBit
from toolkit.streams.scoring import Numeric, scorer_by_name
from toolkit.streams.table import table

SURE = ((0.6, 0.2), (0.9, 0.8))  # to be had at most: 0.4 for the one half of tasks and 0.8 for the other
LM = Scripted(sure=SURE)


def arm(name: str, decider: Decider | None = None, **rest: object) -> Arm:
    given = {} if decider is None else {"decider": decider}
    return Arm(name, transcript=False, **given, **rest)


def test_the_planted_threshold_is_found_and_measured(study: Callable[..., Study]) -> None:
    arms = [
        arm("static"),
        arm("told", Abstaining()),
        arm("one-bit", Abstaining(explore=0.1), channel=OneBit()),
        arm("fixed", Abstaining(threshold=0.7)),
    ]
    made = finish(study(*arms, stream=Errands(120, sessions=False), lm=LM, seeds=3, scorers=[Selective(), "exact"]))
    rows = made.episodes()
    weighed = rows[rows.arm != "static"].assign(
        sure=lambda frame: [one["confidence"] for one in frame.weighed],
        at=lambda frame: [one["threshold"] for one in frame.weighed],
        explored=lambda frame: [one["explored"] for one in frame.weighed],
    )
    kept = weighed.answer == ABSTAINED
    assert set(weighed.sure) == {0.6, 0.9}
    assert (kept == ((weighed["sure"] < weighed["at"]) & ~weighed.explored)).all()
    assert (weighed.score[kept] == 0.4).all()
    assert set(weighed.status) == {"ok"}
    for name in ("told", "one-bit"):
        late = weighed[(weighed.arm == name) & (weighed.t >= 80)]
        assert ((late["at"] > 0.6) & (late["at"] <= 0.9)).mean() > 0.9
    assert weighed.explored[weighed.arm == "one-bit"].any()
    assert not weighed.explored[weighed.arm == "fixed"].any()

    found = tk.abstentions(made)
    static, fixed = found.row("static"), found.row("fixed")
    share = (weighed.sure[weighed.arm == "fixed"] == 0.9).mean()
    assert (static.coverage.value, fixed.coverage.value) == (1.0, pytest.approx(share))
    assert static.kept.n == 0
    assert math.isnan(static.kept.value)
    assert fixed.accuracy.value > 0.65 > 0.4 > fixed.kept.value
    assert fixed.score.value == pytest.approx(share * fixed.accuracy.value + (1 - share) * 0.4)
    for name in ("told", "one-bit", "fixed"):
        assert found.row(name).score.value > static.score.value
        curve = found.curve[found.curve.arm == name]
        assert curve.threshold.tolist() == [0.9, 0.6]
        assert curve.coverage.tolist() == [pytest.approx(share), 1.0]
        assert curve.accuracy.tolist()[1] == pytest.approx(rows[rows.arm == "static"].score.mean(), abs=0.12)
    assert "told" in str(found)
    assert len(found.frame) == 16
    assert set(rows.labels[rows.arm == "fixed"]) == {0}, "a fixed threshold learns nothing"


def test_it_is_frozen_copied_and_replayed_and_no_other_request_changes(study: Callable[..., Study]) -> None:
    arms = [arm("static"), arm("all", Abstaining(threshold=0.0)), arm("one-bit", Abstaining(), channel=OneBit())]
    stream = Errands(10, delay=2, sessions=False)
    made = study(
        *arms, stream=stream, lm=LM, seeds=1, second_pass="same", exams=Exams(False, 5, 2), counterfactuals=0.5
    )
    finish(made)
    assert made.replay().identical
    assert sorted(prompts(made, "static")) == sorted(prompts(made, "all"))
    calls = made.ledger.sql("SELECT arm, response FROM calls JOIN runs USING (run)")
    told = calls.response.str.contains("logprob")
    assert told[calls.arm == "all"].all()
    assert not told[calls.arm == "static"].any()


def test_votes_say_how_sure_they_are(study: Callable[..., Study]) -> None:
    decider = Abstaining(SelfConsistency(5), threshold=0.7)
    made = finish(study(arm("votes", decider), stream=Errands(8, sessions=False), seeds=1, deciding="grammar"))
    rows = made.episodes()
    sure = np.array([one["confidence"] for one in rows.weighed])
    assert set(np.round(sure * 5, 6)) <= {1, 2, 3, 4, 5}
    assert ((rows.answer == ABSTAINED) == (sure < 0.7)).all()


def test_a_live_agent_that_abstains_is_the_same_after_a_restart(ledger: Ledger) -> None:
    stream = Errands(8, sessions=False)
    with tk.Agent.open("shy", arm=arm("a", Abstaining()), lm=LM, stream=stream, ledger=ledger) as agent:
        for number, (task, key) in enumerate(stream.pairs()):
            answer = agent.answer(task)
            if number % 3:
                agent.feedback(answer, correction=key.answers[0])
        before, kept = agent.state(), agent._living().decider.state()
    with tk.Agent.open("shy", ledger=ledger) as again:
        assert again.state() == before
    assert len(kept["pairs"]) == 5
    assert len(kept["open"]) == 3


class Sure(Decider):
    """Says what it is told to, and keeps what it hears."""

    uses_model, weighs = False, True

    def reset(self, rng):
        self.heard = []

    def decide(self, step, task, context, decision):
        return Turn(step.name, task.inputs["says"], confidence=float(task.inputs["sure"]))

    def observe(self, experience):
        self.heard.append((experience.answer, experience.feedback))


class Nowhere:
    """Stands for a run's access to a model, of which only the place is asked."""

    place = ("stream", 0)


def decided(decider: Abstaining, sure: float, t: int = 0) -> Experience:
    """An answer "b" of which it is so sure."""
    task, where = Task(f"t{t}", {"says": "b", "sure": str(sure)}), Nowhere()
    where.place = ("stream", t)
    decider.asked(f"stream/{t}", task)
    turn = decider.decide(Step("decide", "", ("says",)), task, None, where)
    return Experience(f"stream/{t}", task, turn.answer, weighed=turn.weighed)


@pytest.fixture
def shy() -> Abstaining:
    decider = Abstaining(Sure(), explore=0.0)
    decider.reset(np.random.default_rng(0))
    return decider


@pytest.mark.parametrize(
    ("sure", "told", "pairs", "heard"),
    [
        (0.2, Feedback(0.0), [], []),  # one bit says nothing of an answer that was kept
        (0.2, Feedback(0.4, text="Hm."), [], []),
        (0.2, Feedback(0.0, "B."), [[0.2, 1.0]], [("b", Feedback(1.0, "B."))]),
        (0.2, Feedback(0.0, "c"), [[0.2, 0.0]], [("b", Feedback(0.0, "c"))]),
        (0.8, Feedback(1.0), [[0.8, 1.0]], [("b", Feedback(1.0))]),
        (0.8, Feedback(None, "c"), [[0.8, 0.0]], [("b", Feedback(None, "c"))]),
    ],
)
def test_what_teaches_it(shy: Abstaining, sure: float, told: Feedback, pairs: list, heard: list) -> None:
    seen = decided(shy, sure)
    assert seen.answer == ("b" if sure > 0.4 else ABSTAINED)
    assert seen.weighed == Weighed("b", sure, 0.4)
    for _ in range(2):  # the second time it is no news
        shy.observe(tk.Experience(seen.id, seen.task, seen.answer, told, weighed=seen.weighed))
    assert shy.state()["pairs"] == pairs
    assert shy.of.heard == 2 * heard


def test_an_abstention_is_no_right_answer_whatever_a_false_bit_says(shy: Abstaining) -> None:
    seen = decided(shy, 0.2)
    lied = tk.Experience(seen.id, seen.task, seen.answer, Feedback(1.0), weighed=seen.weighed)
    assert lied.known_answer is None
    shy.observe(lied)
    assert shy.state()["pairs"] == []


def test_it_explores_until_corrections_tell_of_what_was_kept() -> None:
    decider = Abstaining(Sure(), explore=0.5)
    decider.reset(np.random.default_rng(0))
    found = [decided(decider, 0.2, t) for t in range(40)]
    given = [one for one in found if one.weighed.explored]
    assert 10 <= len(given) <= 30
    assert all((one.answer == "b") == one.weighed.explored for one in found)
    again = [decided(decider, 0.2, t) for t in range(40)]
    assert again == found, "asking changes nothing"
    kept = next(one for one in found if one.answer == ABSTAINED)
    decider.observe(tk.Experience(kept.id, kept.task, kept.answer, Feedback(0.0, "c"), weighed=kept.weighed))
    assert not any(decided(decider, 0.2, t).weighed.explored for t in range(40))


def test_an_abstention_is_worth_what_is_said_unless_nothing_can_be_scored() -> None:
    scorer, task = Selective(Numeric(), abstained=0.3), Task("1", {})
    assert [scorer(task, answer, Key(("7",))) for answer in ("7.0", "8", ABSTAINED)] == [1.0, 0.0, 0.3]
    assert math.isnan(scorer(task, ABSTAINED, Key(("seven",))))
    assert scorer_by_name(["selective"]) == (Selective(),)
    assert Numeric()(task, ABSTAINED, Key(("7",))) == 0.0


def test_a_study_in_which_nobody_says_how_sure_he_is_is_refused(study: Callable[..., Study]) -> None:
    with pytest.raises(SpecError, match=r"which deciding='likelihood' alone tells \(not 'grammar'"):
        study(arm("a", Abstaining()), deciding="grammar").run()
    with pytest.raises(SpecError, match="must be a scorer that asks no model"):
        study(arm("a"), scorers=[Selective(Judge(Scripted()))]).run()
    free = table([{"q": f"What is {n}?", "a": str(n)} for n in range(4)], inputs="q", answer="a", instruction="Say.")
    [record] = study(arm("a", Abstaining()), stream=free, seeds=1).run()
    assert "known of a choice among options by likelihood, and of votes" in record.error


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Abstaining(worth=1.0), "worth must be at least 0 and below 1 but is 1.0"),
        (Abstaining(explore=-0.1), "explore must be at least 0 and below 1"),
        (Abstaining(threshold=1.5), "threshold must be between 0 and 1"),
        (Abstaining(window=0), "window must be an integer of at least 1"),
        (Abstaining(Abstaining()), "must say how sure it is"),
        (Abstaining(GroundTruth()), "must say how sure it is"),
        (Selective(abstained=1.0), "abstained must be at least 0 and below 1"),
        (Scripted(sure=((0.5, 1.5),)), r"sure must be pairs of numbers in \[0, 1\]"),
    ],
)
def test_what_cannot_be_is_refused(part: tk.Component, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        part.check()
