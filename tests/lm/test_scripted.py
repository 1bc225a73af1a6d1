"""The scripted model has the skill it says it has, by reading its prompt, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from errands import Errands

from toolkit.agents.decision import Context, Decision
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.lm.tape import Recorder
from toolkit.records import Example, Recall

STREAM = Errands(tasks=900)


def decision_of(skill: Scripted) -> Decision:
    engine = ScriptedEngine(skill, STREAM.pairs())
    return Decision(skill, "likelihood", Recorder(skill, engine, (0, 0), lambda call: None))


def rate(skill: Scripted, given: str = "", role: str = "", said: str | None = None) -> float:
    decision = decision_of(skill)
    right = []
    for t, (task, key) in enumerate(STREAM.pairs()):
        decision.at("stream", t)
        answer = {"right": key.answers[0], "wrong": "none of them"}.get(given)
        examples = (Example({"note": "an earlier one"}, answer, feedback=said),) if answer else ()
        context = Context(role=role, recall=Recall(examples))
        right.append(decision.decide(STREAM.step, task, context).answer == key.answers[0])
    return float(np.mean(right))


@pytest.mark.parametrize("adapter", ["turns", "completion", "chat"])
def test_the_skill_is_what_it_says_in_every_layout(adapter: str) -> None:
    skill = Scripted(p=0.3, p_example=0.8, role_gain=0.15, adapter=adapter)
    margin = 3 * 0.5 / np.sqrt(900)
    assert rate(skill) == pytest.approx(0.3, abs=margin)
    assert rate(skill, "right") == pytest.approx(0.8, abs=margin)
    assert rate(skill, "wrong") == pytest.approx(0.3, abs=margin)
    assert rate(skill, role="You are: Clerk.") == pytest.approx(0.45, abs=margin)
    assert rate(skill, "right", said="not correct") == pytest.approx(0.8, abs=margin), "it reads no feedback"


def test_wrong_answers_spread_over_the_other_options() -> None:
    skill = Scripted(p=0, p_example=0)
    decision = decision_of(skill)
    seen = set()
    for t, (task, key) in enumerate(STREAM.pairs()[:60]):
        decision.at("stream", t)
        answer = decision.decide(STREAM.step, task, Context()).answer
        assert answer != key.answers[0]
        assert answer in task.options
        seen.add(answer)
    assert seen == {"post", "bread", "bank"}


def test_equal_seeds_answer_equally_and_others_do_not() -> None:
    assert rate(Scripted(seed=1)) == rate(Scripted(seed=1))
    assert rate(Scripted(seed=1)) != rate(Scripted(seed=2))


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_probability_outside_0_to_1_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1 but is {p}"):
        Scripted(p=p).check()
