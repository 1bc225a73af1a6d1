"""Who decides: models and strategies, by what the task is about and what they cost; the same again from the tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from errands import Errands, finish

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.decider import ByModel, Decider
from toolkit.agents.rivals import ChainOfThought
from toolkit.agents.routing import OnModel, Routed
from toolkit.errors import AnswerError, SpecError
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.lm.turns import Several
from toolkit.records import Experience, Feedback, Key, Step, Task, Turn, Usage
from toolkit.streams.stream import Pair, Stream

PRICE = 3.0


class Dear(Scripted):
    """Twelve words read cost a tenth of a dollar."""

    dollars_in = 8000.0


class Letters(Stream):
    """Every other task is about a lamp, the others are about a contract."""

    step = Step("decide", "Name the desk.", ("letter",), "desk")

    def __init__(self, tasks: int = 60, delay: int = 0) -> None:
        self.tasks, self.delay = tasks, delay

    def load(self) -> Sequence[Pair]:
        return [(letter(number), Key(("abc"[number * number % 3],), self.delay)) for number in range(self.tasks)]


def letter(number: int) -> Task:
    about = "the kitchen lamp is broken and dark" if number % 2 else "a clause of the legal contract is disputed"
    return Task(f"t{number}", {"letter": f"{about} {number}"}, ("a", "b", "c"), time=number)


def models(*, price: float | None = None) -> Several:
    """The cheap one knows of lamps, the dear one of everything."""
    cheap, dear = Scripted(p=0.1, gains={"lamp": 0.8}, seed=1), Dear(p=0.9, seed=2)
    return Several((cheap, dear))


def arms() -> list[Arm]:
    both = (OnModel(0), OnModel(1))
    ways = {
        "uniform": Routed(both, "uniform", price=PRICE),
        "linucb": Routed(both, "linucb", price=PRICE),
        "thompson": Routed(both, "thompson", price=PRICE, explore=0.5),
    }
    return [Arm(name, decider=way, lm=models(), transcript=False) for name, way in ways.items()]


def test_a_router_finds_that_the_cheap_model_does_for_half_of_the_tasks(study: Callable[..., Study]) -> None:
    made = finish(study(*arms(), stream=Letters(72, delay=2), seeds=4))
    rows = made.episodes()
    worth = (rows.score - PRICE * rows.acting_dollars).groupby([rows.arm, rows.seed]).mean().unstack()
    asked = made.ledger.sql("SELECT e.arm, e.t, c.server, e.task FROM calls c JOIN episodes e USING (run, phase, t)")
    asked["lamp"] = asked.task.str[1:].astype(int) % 2 == 1
    for policy in ("linucb", "thompson"):
        gained = (worth.loc[policy] - worth.loc["uniform"]).to_numpy()
        assert gained.mean() - 3.18 * gained.std(ddof=1) / 2 > 0, "t of 3 degrees of freedom"
        late = asked[(asked.arm == policy) & (asked.t >= 40)]
        dear = late.server == "dear (1)"
        assert dear[late.lamp].mean() < 0.25
        assert dear[~late.lamp].mean() > 0.75


def test_a_router_is_frozen_copied_and_replayed_like_anybody(study: Callable[..., Study]) -> None:
    made = study(*arms()[1:], stream=Letters(8, delay=2), seeds=1, second_pass="same", exams=Exams(False, 8, 2))
    finish(made)
    assert made.replay().identical


class Way(Decider):
    """Stands for one in tests of the choice alone."""

    def __init__(self, name: str = "a") -> None:
        self.name = name


def chosen(
    router: Routed, chance: Callable[[int, Task], float], *, tasks: int, seed: int, delay: int = 0
) -> np.ndarray:
    """Who decided each task, where the first is right with chance(0, task), and so on."""
    router.check()
    router.reset(np.random.default_rng([seed, 0]))
    rng, found, late = np.random.default_rng([seed, 1]), [], []
    for t in range(tasks):
        while late and late[0][0] < t:
            router.observe(late.pop(0)[1])
        task = letter(t)
        router.asked(f"stream/{t}", task)
        found.append(router._choice(f"stream/{t}", task))
        scored = Feedback(float(rng.random() < chance(found[-1], task)))
        late.append((t + delay, Experience(f"stream/{t}", task, "", scored)))
    return np.array(found)


def apart(place: int, task: Task) -> float:
    """The first is good at lamps, the second at contracts."""
    return 0.9 if ("lamp" in task.text) == (place == 0) else 0.1


@pytest.mark.parametrize("policy", ["linucb", "thompson"])
@pytest.mark.parametrize("delay", [0, 8])
def test_a_rule_that_hangs_on_the_task_is_found_and_only_by_who_looks_at_it(policy: str, delay: int) -> None:
    best = np.array([0 if "lamp" in letter(t).text else 1 for t in range(160)])

    def share(dimensions: int) -> float:
        router = Routed((Way("a"), Way("b")), policy, dimensions=dimensions)
        runs = [chosen(router, apart, tasks=160, seed=seed, delay=delay) for seed in range(6)]
        return float(np.mean([(run == best)[60:].mean() for run in runs]))

    assert share(16) > 0.85
    assert share(0) < 0.65


@pytest.mark.parametrize("policy", ["linucb", "thompson"])
def test_from_noise_nothing_is_gained(policy: str) -> None:
    """Right is who is good at the task, but what is told has nothing to do with it."""
    gains = []
    for seed in range(12):
        run = chosen(Routed((Way("a"), Way("b")), policy), lambda place, task: 0.5, tasks=80, seed=seed)
        gains.append(np.mean([apart(place, letter(t)) for t, place in enumerate(run)]) - 0.5)
    assert abs(np.mean(gains)) < 2.2 * np.std(gains, ddof=1) / np.sqrt(12), gains


def test_equal_ways_are_told_apart_by_what_they_cost() -> None:
    router = Routed((Way("a"), Way("b")), price=1.0, unit="kilotokens", dimensions=0)
    router.reset(np.random.default_rng(0))
    found = []
    for t in range(40):
        router.asked(f"stream/{t}", letter(t))
        found.append(router._choice(f"stream/{t}", letter(t)))
        used = Usage(calls=1, input_tokens=100 if found[-1] else 600)
        router.observe(Experience(f"stream/{t}", letter(t), "a", Feedback(1.0), usage=used))
    assert np.mean(found[20:]) > 0.9


def test_dollars_that_are_not_known_are_not_weighed() -> None:
    router = Routed((Way("a"), Way("b")), price=1.0)
    router.reset(np.random.default_rng(0))
    router.asked("stream/0", letter(0))
    with pytest.raises(ValueError, match="dollars_in and dollars_out, or weigh unit='kilotokens'"):
        router.observe(Experience("stream/0", letter(0), "a", Feedback(1.0), usage=Usage(dollars=np.nan)))


class Broken(Decider):
    """Gives no answer, and pays for it."""

    def decide(self, step: Step, task: Task, context, decision) -> Turn:
        decision.decide(step, task, context)
        raise AnswerError("failed", "it cannot")


def test_a_way_that_fails_is_left(study: Callable[..., Study]) -> None:
    arm = Arm("routed", decider=Routed((Broken(), ByModel()), dimensions=0), transcript=False)
    made = finish(study(arm, stream=Errands(40, sessions=False), lm=Scripted(p=0.8), seeds=2))
    rows = made.episodes()
    assert (rows.status == "failed").sum() > 0
    assert (rows[rows.t >= 15].status == "failed").mean() < 0.2


def test_a_live_agent_with_a_router_is_the_same_after_a_restart(ledger: Ledger) -> None:
    way = Routed((OnModel(0), OnModel(1, ChainOfThought())), "thompson", price=1.0, unit="kilotokens")
    with tk.Agent.open("pet", arm=Arm("a", decider=way), lm=models(), stream=Letters(12), ledger=ledger) as agent:
        for number in range(6):
            answer = agent.answer(letter(number))
            if number != 3:
                agent.feedback(answer, score=float(number % 2))
        before = agent.state()
        brought = agent._living().decider.state()["brought"]
    with tk.Agent.open("pet", ledger=ledger) as again:
        assert again.state() == before
    assert any(one % 1 for one in brought), "what the answers cost is in it"


def test_a_model_that_the_arm_does_not_have_is_refused_before_anything_is_spent(study: Callable[..., Study]) -> None:
    for lm in (None, models()):
        with pytest.raises(SpecError, match="arm 'on' has no model 2 among its own: give it lm=Several"):
            study(Arm("on", decider=Routed((OnModel(0 if lm else 2), OnModel(2))), lm=lm)).run()


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Routed((ByModel(),)), "two deciders or more"),
        (Routed((ByModel(), OnModel(-1))), "number must be an integer of at least 0"),
        (Routed((ByModel(), ByModel()), "greedy"), "policy must be one of linucb, thompson, uniform but is 'greedy'"),
        (Routed((ByModel(), ByModel()), unit="euros"), "unit must be one of"),
        (Routed((ByModel(), ByModel()), dimensions=257), "from 0 to 256 but is 257"),
        (Routed((ByModel(), ByModel()), explore=-1.0), "explore must be a number of at least 0"),
    ],
)
def test_what_cannot_be_is_refused(part: Decider, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        part.check()
