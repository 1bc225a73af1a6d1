"""Steps other than the decision are learned: with what instruction they are taken, and which feedback is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from errands import Errands, finish, prompts

import toolkit as tk
from toolkit.agents.agent import Agent
from toolkit.agents.decision import Decision
from toolkit.agents.rivals import ChainOfThought
from toolkit.component import digest
from toolkit.evaluation.prequential import Bench, heard, iter_episodes
from toolkit.lm.model import Engine
from toolkit.lm.scripted import Scripted, ScriptedEngine, replied, turns_of
from toolkit.lm.tape import Recorder
from toolkit.records import Experience, Feedback, Learned, Task
from toolkit.streams.channel import Channel, FullLabel
from toolkit.streams.channels import Delayed, ShuffledFeedback
from toolkit.streams.scoring import scorer_by_name
from toolkit.streams.stream import Stream
from toolkit.traits.learning import Bandit, DemoBuffer, Together
from toolkit.traits.memory import Facts, Layered, Lessons, MemoryPolicy, RunningSummary, SlidingWindow

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

BEST, WAYS = "Note what was asked.", ("", "Be brief.", "Note what was asked.", "Write in verse.")
WELL = "Everything was noted well indeed."


class Archivist(Scripted):
    """Right more often where memory holds a good summary; it writes one only where it is told to in the best way."""

    def __init__(self) -> None:
        super().__init__(0.3, 0.3, gains={WELL: 0.5})

    def engine(self, stream: Stream) -> Engine:
        return _Writing(self, [*stream.pairs(), *stream.pool()])


class _Writing(ScriptedEngine):
    def complete(self, request: Request) -> Response:
        system, _, question = turns_of(request)
        if "New: " not in question:
            return super().complete(request)
        return replied(request, WELL if BEST in system else "Much was done today.", [system, question], 4)


def lived(learner: tk.Learner, seed: int, channel: Channel, tasks: int = 200) -> tuple[Agent, list[float]]:
    stream, lm = Errands(tasks, sessions=False), Archivist()
    decision = Decision(lm, lm.ways[0], Recorder(lm, lm.engine(stream), (0, seed), lambda call: None))
    arm = tk.Arm("noting", memory=RunningSummary(), learning=learner, transcript=False)
    agent = Agent(arm, stream.step, decision, (0, seed))
    rng = np.random.default_rng(seed)
    bench = Bench(scorer_by_name(["exact"]), heard(channel, agent, lambda: None), rng)
    pairs = [stream.pairs()[place] for place in rng.permutation(tasks)]
    return agent, [one.score for one in iter_episodes(agent, pairs, bench)]


def test_the_planted_instruction_of_a_summary_is_found_though_its_feedback_is_late() -> None:
    gained, tried = [], Counter[str]()
    for seed in range(3):
        agent, scores = lived(Bandit(WAYS, step="summarise"), seed, Delayed(FullLabel(), by=3))
        gained.append(np.mean(scores[-60:]) - np.mean(scores[:20]))
        tried.update(dict(zip(WAYS, agent.learning.state()["tried"], strict=True)))
    assert np.mean(gained) > 0.2, gained
    assert tried[BEST] > sum(tried.values()) / 2, tried


def test_with_feedback_that_belongs_to_other_tasks_no_instruction_of_a_summary_is_found() -> None:
    tried = []
    for seed in range(6):
        agent, _ = lived(Bandit(WAYS, "thompson", "summarise"), seed, ShuffledFeedback(FullLabel()), 120)
        found = agent.learning.state()["tried"]
        tried.append(found[WAYS.index(BEST)] / sum(found))
    spread = 0.15  # of a run's share where nothing can be found: of 150 bandits that were told coins
    assert abs(np.mean(tried) - 1 / 4) < 3 * spread / np.sqrt(6), tried


def told(number: int, score: float) -> Experience:
    return Experience(f"stream/{number}", Task("t", {"note": "n"}), "a", Feedback(score))


def test_an_answer_counts_for_the_instruction_under_which_what_stood_in_its_prompt_was_made() -> None:
    bandit = Bandit(("", "b", "c"), "ucb", step="summarise")
    bandit.reset(np.random.default_rng(0), lambda step, **inputs: "")
    bandit.applied("stream/0")
    bandit.observe(told(0, 1.0))
    assert bandit.state()["tried"] == [0, 0, 0], "nothing was written yet"
    bandit.asked("rate", "b")  # another step
    bandit.asked("summarise", "")
    for number in (1, 2):
        bandit.applied(f"stream/{number}")
    bandit.observe(told(1, 1.0))
    assert bandit.learned() == Learned(steps={"summarise": "b"})
    bandit.applied("stream/3")  # "b" is chosen, and the old summary still stands
    bandit.asked("summarise", "b")
    bandit.applied("stream/4")
    for number, score in ((2, 0.0), (3, 0.0), (4, 1.0)):
        bandit.observe(told(number, score))
    assert bandit.state()["tried"] == [3, 1, 0]
    assert bandit.state()["earned"] == [1.0, 1.0, 0.0]
    bandit.observe(told(4, 1.0))
    assert bandit.state()["tried"] == [3, 1, 0], "the first feedback on an answer counts"


def test_a_choice_holds_until_so_many_answers_that_count_for_it_were_judged() -> None:
    bandit = Bandit(("a", "b"), "ucb", step="summarise", hold=2)
    bandit.reset(np.random.default_rng(0), lambda step, **inputs: "")
    chosen = []
    for number in range(10):
        if number % 3 == 0:
            bandit.asked("summarise", bandit.learned().steps["summarise"])
        bandit.applied(f"stream/{number}")
        bandit.observe(told(number, 0.0))
        chosen.append(bandit.learned().steps["summarise"])
    assert "".join(chosen) == "abbbbbaaaa", "two of its own each: 0 and 1; 3 and 4; 5 and 6; 9"


def test_what_is_learned_is_in_force_for_the_step_is_charged_and_replays(study: Callable[..., tk.Study]) -> None:
    arms = [
        tk.Arm("plain", memory=RunningSummary(), transcript=False),
        tk.Arm("noting", memory=RunningSummary(), learning=Bandit(WAYS[1:3], "ucb", "summarise"), transcript=False),
    ]
    made = finish(study(*arms, stream=Errands(20, sessions=False), lm=Archivist(), seeds=1, baseline="plain"))
    plain, noting = ([one for one in prompts(made, arm.name) if "New: " in one] for arm in arms)
    assert len(plain) == len(noting) == 4
    assert not any(way in one for one in plain for way in WAYS[1:])
    assert all(sum(way in one for way in WAYS[1:3]) == 1 for one in noting)
    assert any(BEST in one for one in noting)
    assert made.replay().identical


def test_a_step_before_the_decision_is_learned_too() -> None:
    class Noted(tk.Learner):
        def reset(self, rng, think):
            self.heard = []

        def asked(self, step, instruction):
            self.heard.append((step, instruction))

        def learned(self):
            return Learned(steps={"reason": "Count on your fingers."})

    stream, lm, calls = Errands(2), Scripted(), []
    decision = Decision(lm, lm.ways[0], Recorder(lm, lm.engine(stream), (0, 0), calls.append))
    agent = Agent(tk.Arm("x", decider=ChainOfThought(), learning=Noted()), stream.step, decision, (0, 0))
    agent.act(stream.pairs()[0][0], "stream", 0)
    assert [("Count on your fingers." in str(one.prompt), one.step) for one in calls] == [
        (True, "reason"),
        (False, "decide"),
    ]
    assert agent.learning.heard == [("reason", "Count on your fingers.")]


def test_learners_of_several_steps_each_have_their_own() -> None:
    both = Together((DemoBuffer(2), Bandit(("a", "b"), "ucb", "summarise"), Bandit(("c", "d"), "ucb")))
    both.check()
    both.reset(np.random.default_rng(0), lambda step, **inputs: "")
    for number in range(3):
        both.asked("summarise", both.learned().steps["summarise"])
        both.applied(f"stream/{number}")
        both.observe(told(number, float(number == 1)))
    assert [one["tried"] for one in both.state()["parts"][1:]] == [[1, 2], [1, 2]]
    assert both.learned().instruction in "cd"
    assert [one.source for one in both.learned().examples] == ["stream/1"]
    with pytest.raises(ValueError, match="must learn alone"):
        Together((tk.Tuned(), DemoBuffer())).check()
    with pytest.raises(ValueError, match="different steps but learn a, a"):
        Together((Bandit(WAYS, step="a"), Bandit(WAYS, step="a"))).check()


@pytest.mark.parametrize(
    ("memory", "step", "told"),
    [
        (RunningSummary(), "sumarise", "learns the step 'sumarise', which no part .* did you mean 'summarise'"),
        (SlidingWindow(), "lesson", "known: none; a part of one's own names .* thinks = \\('lesson',\\)"),
        (Facts(extract="rule"), "extract-facts", "known: none"),
    ],
)
def test_a_step_that_nobody_takes_is_refused_when_the_arm_is_made(memory: MemoryPolicy, step: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tk.Arm("x", memory=memory, learning=Bandit(WAYS, step=step))
    tk.Arm("x", memory=Layered(SlidingWindow(), Lessons()), learning=Bandit(WAYS, step="lesson"))


def test_a_learner_that_does_not_say_so_is_refused_at_its_first_word() -> None:
    class Sudden(tk.Learner):
        def learned(self):
            return Learned(steps={"lesson": "Be kind."})

    stream, lm = Errands(2), Scripted()
    decision = Decision(lm, lm.ways[0], Recorder(lm, lm.engine(stream), (0, 0), lambda call: None))
    with pytest.raises(ValueError, match="learns the step 'lesson'"):
        Agent(tk.Arm("x", learning=Sudden()), stream.step, decision, (0, 0))


def test_who_learns_the_decision_alone_is_who_it_was() -> None:
    assert Bandit(("", "b")).config() == {"use": "Bandit", "instructions": ["", "b"], "policy": "thompson"}
    assert digest(Learned("a")) == digest({"instruction": "a", "examples": [], "notes": ""})
    for wrong in ({"step": ""}, {"hold": 0}):
        with pytest.raises(ValueError, match=r"Bandit\.(step|hold) must"):
            Bandit(("", "b"), **wrong).check()
