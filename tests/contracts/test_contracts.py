"""Every registered component of the toolkit, crossed with every contract check."""

from __future__ import annotations

import sys
from typing import ClassVar

import pytest

import toolkit.evaluation.spec  # noqa: F401  (its imports register every component that a file can name)
from toolkit.agents.abstaining import Abstaining
from toolkit.agents.decider import ByModel
from toolkit.agents.rivals import ChainOfThought, SelfConsistency
from toolkit.agents.routing import OnModel, Routed
from toolkit.checks import Check, ContractError, check, checks
from toolkit.component import Component, is_shipped, kinds, registered
from toolkit.evaluation.judge import Judge
from toolkit.lm.hosted import Hosted
from toolkit.lm.scripted import Scripted
from toolkit.lm.turns import Several, TakingTurns
from toolkit.moves import WAIT, Act
from toolkit.records import Feedback, Learned, Recall, Step
from toolkit.streams.answers import Selective
from toolkit.streams.channel import Channel, FullLabel, OneBit, Scalar
from toolkit.streams.channels import Adversarial, Delayed, Implicit, Missing, Noisy, ShuffledFeedback
from toolkit.streams.questions import TwentyQuestions
from toolkit.streams.scoring import Numeric
from toolkit.streams.table import Table
from toolkit.streams.toy_text import ToyText
from toolkit.traits.goals import (
    Agenda,
    AskWhenUnsure,
    GoalPolicy,
    PlanActCheck,
    ReAct,
    Reactive,
    Watch,
)
from toolkit.traits.learning import Bandit, DemoBuffer, Given, Learner, PageHinkley, Playbook, Together, Tuned, Watched
from toolkit.traits.memory import (
    Bounded,
    Facts,
    Layered,
    Lessons,
    LinkedNotes,
    MemoryPolicy,
    PermutedLabels,
    Renewed,
    Retrieval,
    Shuffled,
    SlidingWindow,
)
from toolkit.traits.role import Role
from toolkit.traits.rules import (
    AmongOptions,
    AtMostTimes,
    AtMostWords,
    MustNotSay,
    MustSay,
    NotAgain,
    OnlyAfter,
    Rule,
    SilentUnless,
)

WITH = {
    "Abstaining": Abstaining(SelfConsistency(3), worth=0.3),
    "Bandit": Bandit(("", "Think first.")),
    "Together": Together((DemoBuffer(2), Bandit(("", "Be brief."), step="note"), Playbook())),
    "Noisy": Noisy(FullLabel(), rate=0.4),
    "Adversarial": Adversarial(Scalar(), share=0.8),
    "Missing": Missing(Noisy(OneBit(), rate=0.5), share=0.3),
    "Delayed": Delayed(Missing(FullLabel()), by=2),
    "ShuffledFeedback": ShuffledFeedback(FullLabel()),
    "Given": Given("Heed it.", ({"inputs": {"ticket": "lamp broken"}, "answer": "b"},), "Be brief."),
    "Implicit": Implicit(p_retry=0.5, p_correct=0.0),
    "Hosted": Hosted("openai/m", api_base="http://127.0.0.1:1/v1", dollars_in=1, dollars_out=2, options={"top_k": 3}),
    "Role": Role("Clerk", objective="Sorts.", rules=("Be brief.",), examples=({"inputs": {"x": "1"}, "answer": "a"},)),
    "Bounded": Bounded(Retrieval(k=2), size=5, drop="decayed"),
    "Facts": Facts(extract="rule", history=True),
    "Judge": Judge(Scripted(p=0.5), instruction="Is it right?"),
    "Layered": Layered(SlidingWindow(k=2), Lessons(), consolidate="session"),
    "TakingTurns": TakingTurns((Scripted(p=0.2), Scripted(p=0.6))),
    "OnModel": OnModel(1, ChainOfThought()),
    "Routed": Routed((ByModel(), ChainOfThought()), policy="thompson", price=0.5),
    "Selective": Selective(Numeric(0.5), abstained=0.2),
    "Several": Several((Scripted(p=0.2), Scripted(p=0.6))),
    "Shuffled": Shuffled(Retrieval(k=2)),
    "PermutedLabels": PermutedLabels(Retrieval(k=3, store="correct")),
    "AmongOptions": AmongOptions("Name one of them."),
    "AtMostTimes": AtMostTimes("Ask once.", "ask"),
    "AtMostWords": AtMostWords("Be brief.", 3),
    "MustNotSay": MustNotSay("Promise nothing.", "promise", when="lamp"),
    "MustSay": MustSay("Say please.", "please"),
    "NotAgain": NotAgain("Never ask twice.", "ask"),
    "OnlyAfter": OnlyAfter("Look first.", "close", "look"),
    "SilentUnless": SilentUnless("Be silent unless there is smoke.", "smoke"),
    "ToyText": ToyText("slippery_lake", tasks=2, turns=20),
    "TwentyQuestions": TwentyQuestions(tasks=3, things=8),
}
ALSO = (
    Bandit(("", "Think first."), step="summarise", hold=2),
    Facts(extract="rule", merge="model", k=2),
    Retrieval(k=3, store="feedback"),
    SlidingWindow(k=2, store="feedback"),
    SlidingWindow(k=2, scope="user", store="correct"),
    LinkedNotes(links_by="model", rewrite=True),
    Bounded(LinkedNotes(links_by="model", rewrite=True, scope="user"), size=3),
    Abstaining(threshold=0.7),
    Scripted(sure=((0.6, 0.2), (0.9, 0.8))),
    Reactive("ticks"),
    ReAct(ticks=True),
    PlanActCheck(replans=0, ticks=True),
    Agenda(max_open=1, review=False),
    AskWhenUnsure(questions=1, learn=True),
    Watch(("smoke",), judge=False),
    *(
        Watched(of, PageHinkley(min_instances=2, threshold=0.3), response)
        for of, response in (
            (Bandit(("", "Think first."), "ucb"), "explore"),
            (Bandit(("", "Think first.")), "forget"),
            (Playbook(every=2), "forget"),
            (Tuned(every=1, window=6, trial=2, risk=1.0), "retune"),
        )
    ),
    Renewed(Layered(SlidingWindow(k=2), Retrieval(k=2)), PageHinkley(min_instances=2, threshold=0.3), keep=3),
    Renewed(Shuffled(Retrieval(k=2)), PageHinkley(min_instances=2, threshold=0.3)),
)  # settings by which another code runs
BY_DATA = {
    "Banking77",
    "ChatLog",
    "Gguf",
    "Locomo",
    "LongMemEval",
    "OwnEmbedder",
    "ProactiveBench",
    "Table",
    "Tau2",
    "TextWorld",
    "TextWorldFiles",
    "Wrapped",
}  # identified by content, which is read or takes long to make: tested where the content is


def shipped() -> list[Component]:
    classes = [cls for kind in kinds() for cls in registered(kind).values() if is_shipped(cls)]
    classes = [cls for cls in classes if hasattr(sys.modules[cls.__module__], cls.__name__)]  # not a docstring's
    return [WITH.get(cls.__name__) or cls() for cls in classes if cls.__name__ not in BY_DATA]


def around(inner: Channel) -> list[Channel]:
    """Every wrapper around a channel that the bench speaks for."""
    lying = [Noisy(inner, rate=0.5), Adversarial(inner, share=0.5), ShuffledFeedback(inner)]
    return [Missing(inner, share=0.3), Delayed(inner, by=3), *(lying if not inner.asks_person else [])]


CASES = [(component, one) for component in (*shipped(), *ALSO) for one in checks(component)]


@pytest.mark.parametrize(("component", "one"), CASES, ids=[f"{type(c).__name__}:{one.__name__}" for c, one in CASES])
def test_contract(component: Component, one: Check) -> None:
    one(component)


def test_every_kind_is_crossed() -> None:
    kinds_known = {
        "channel",
        "decider",
        "detector",
        "embedder",
        "goals",
        "learning",
        "lm",
        "memory",
        "role",
        "rule",
        "scorer",
        "stream",
    }
    assert {c.kind for c in shipped()} == kinds_known
    assert "Table" in registered("stream")
    assert Table is registered("stream")["Table"]


class Moody(Rule):
    """Counts how often it was asked."""

    def __init__(self, text: str = "Be kind.") -> None:
        self.text = text
        self.asked = 0

    def kept(self, said):
        self.asked += 1
        return self.asked > 3


def test_a_rule_that_remembers_is_caught() -> None:
    with pytest.raises(ContractError, match="a rule remembers nothing"):
        check(Moody())


class Forgetful(MemoryPolicy):
    """Keeps its list over a reset."""

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def reset(self, rng, think):
        self.kept = getattr(self, "kept", [])

    def observe(self, experience):
        self.kept.append(experience)

    def recall(self, task):
        return Recall(tuple(e.example(e.answer) for e in self.kept[-self.k :]))


class Eager(MemoryPolicy):
    """Recalls before anything has happened."""

    def recall(self, task):
        return Recall(notes="always there")


class Restless(MemoryPolicy):
    """Draws from a generator of its own."""

    def recall(self, task):
        import random

        return Recall(notes=str(random.random()))


class Worn(MemoryPolicy):
    """Forgets what was recalled."""

    def reset(self, rng, think):
        self._kept = []

    def observe(self, experience):
        self._kept = [one for one in self._kept if one.id != experience.id] + [experience]

    def recall(self, task):
        return Recall((self._kept.pop(0).example("a"),)) if self._kept else Recall()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Forgetful(), "remembers what happened before reset"),
        (Eager(), "before anything"),
        (Restless(), "equal seeds|before reset"),
        (Worn(), "changes by recalling"),
    ],
)
def test_a_broken_policy_is_found(broken: MemoryPolicy, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        check(broken)


class Drawing(Learner):
    """Draws whenever it is asked."""

    def reset(self, rng, think):
        self._rng = rng

    def learned(self):
        return Learned(instruction=str(self._rng.random()))


class Spying(Learner):
    """Counts how often it was asked, and so would tell a long session from a short one."""

    def reset(self, rng, think):
        self.asked = 0

    def applied(self, id):
        self.asked += 1

    def learned(self):
        return Learned(instruction=f"Task {self.asked}.")


class Gossiping(Learner):
    """Keeps what it hears where other agents find it, too."""

    heard: ClassVar[list[str]] = []

    def reset(self, rng, think):
        self.known = 0

    def observe(self, experience):
        Gossiping.heard.append(experience.id)
        self.known = len(Gossiping.heard)


@pytest.mark.parametrize(
    ("broken", "told"),
    [(Drawing(), "draw in reset"), (Spying(), "by being asked"), (Gossiping(), "after acting on another task")],
)
def test_a_learner_that_hangs_on_the_task_is_found(broken: Learner, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        one_by_name(broken, "same_for_any_two_tasks")


class Grudge(GoalPolicy):
    """Goes on with what it was after in the task before."""

    def begin(self, task, tools):
        self._said = getattr(self, "_said", 0)

    def act(self, now, choose):
        self._said += 1
        return self.acted(now, choose(thought=f"Turn {self._said}."))


class Counting(GoalPolicy):
    """Learns by acting."""

    def reset(self, rng, think):
        self.turns = 0

    def begin(self, task, tools):
        self.turns = 0

    def act(self, now, choose):
        self.turns += 1
        return self.acted(now, choose())


class Inventive(GoalPolicy):
    """Does what cannot be done."""

    def act(self, now, choose):
        return Act("fly")


class PonderingAtEveryTask(GoalPolicy):
    """Asks and asks."""

    def act(self, now, choose):
        return max((self.acted(now, choose()) for _ in range(9)), key=lambda act: act.action)


class Trusting(GoalPolicy):
    """Takes a number for a number."""

    def reset(self, rng, think):
        self._think = think

    def act(self, now, choose):
        said = self._think(Step("rate", "How urgent is it?", ("now",)), now=now.now.text)
        return self.acted(now, choose()) if len(said) < 100 else Act(WAIT, prompts=int(said))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Grudge(), "after another task"),
        (Counting(), "by acting"),
        (Inventive(), "makes up the action 'fly'"),
        (PonderingAtEveryTask(), "9 times on a turn"),
    ],
)
def test_a_broken_goal_policy_is_found(broken: GoalPolicy, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        check(broken)


def test_a_goal_policy_that_nonsense_breaks_is_found() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        check(Trusting())


def one_by_name(component: Component, name: str) -> None:
    next(one for one in checks(component) if one.__name__ == name)(component)


@pytest.mark.parametrize("inner", [one for one in shipped() if isinstance(one, Channel)], ids=repr)
def test_every_wrapper_around_every_channel_keeps_the_contract(inner: Channel) -> None:
    for wrapped in around(inner):
        check(wrapped)


class Gossip(Channel):
    """Tells what it should not, and says that it does not."""

    def feedback(self, task, answer, key, score, rng):
        return Feedback(text=f"It was {key.answers[0]}.")


class Elephant(Channel):
    """Never forgets a run."""

    def feedback(self, task, answer, key, score, rng):
        self.heard = getattr(self, "heard", 0) + 1
        return Feedback(text=f"answer number {self.heard}")


class Careless(Channel):
    """Corrects with whatever comes to mind."""

    def feedback(self, task, answer, key, score, rng):
        return Feedback(correction="whatever")


@pytest.mark.parametrize(
    ("broken", "told"),
    [(Gossip(), "reveals no label"), (Elephant(), "before reset"), (Careless(), "none of"),
     (Missing(Gossip()), "reveals no label"), (ShuffledFeedback(Gossip()), "reveals no label")],
)  # fmt: skip
def test_a_broken_channel_is_found(broken: Channel, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        check(broken)
