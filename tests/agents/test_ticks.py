"""Time passes for an agent in use: its goal policy speaks or is silent, and all of it lasts as answers do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from parrot import Outside, Parrot, Pondering

from toolkit.agents.arm import Arm
from toolkit.agents.live import LiveAgent
from toolkit.agents.unprompted import MOMENT
from toolkit.errors import AnswerError, Outage
from toolkit.moves import WAIT, Act
from toolkit.traits.goals import Agenda, GoalPolicy, ReAct, Reactive, Watch
from toolkit.traits.learning import Bandit
from toolkit.traits.memory import Retrieval, Shuffled

Open = Callable[..., LiveAgent]
EVIL = "a \x1b[2J \ud83d <b>tick</b>"


class EveryThird(GoalPolicy):
    """Speaks on every third tick of a scene: what it counts follows from the ticks alone."""

    stateless = True

    def begin(self, task, tools):
        self._ticks, self._about = 0, task.text

    def wants(self, now):
        self._ticks += now.now.cause == "tick"
        return self._ticks % 3 == 0

    def block(self, task):
        return f"tick {self._ticks}" if getattr(self, "_ticks", 0) else ""


def test_what_is_only_prompted_is_silent_and_that_costs_nothing(opened: Open) -> None:
    agent = opened(arm=Arm.static(), lm=Parrot())
    agent.answer("hello")
    assert agent.tick() is None
    assert agent.tick("the house burns", user="mara", session="s") is None
    assert (agent.spent().calls, len(agent.history()), agent.unprompted()) == (1, 1, {})


def test_a_watch_speaks_when_its_condition_is_met_and_is_thanked_for_it(opened: Open) -> None:
    arm = Arm("a", goals=Watch(("late", "fire"), judge=False, autonomy="notify"), memory=Retrieval(k=2))
    agent = opened(arm=arm, lm=Parrot())
    agent.answer("where is my parcel?", session="s")
    assert agent.tick(session="s") is None
    assert agent.spent().calls == 1
    said = agent.tick("the parcel is late", session="s")
    assert (said.goal, said.manner, said.seen, said.status) == ("late", "notify", "the parcel is late", "ok")
    assert said.usage.calls == 1
    prompt = Parrot.asked[-1]
    assert "where is my parcel?" in prompt
    assert "Now: the parcel is late" in prompt
    assert "Can: say anything in words; wait" in prompt
    agent.feedback(said.id, score=1)
    assert agent.history()[-1].feedback.score == 1
    assert agent.memories()[-1].answer == said.text  # it is remembered like an answer
    assert agent.unprompted() == {said.id: "late"}
    asked = len(Parrot.asked)
    agent.close()
    again = opened()
    assert (again.unprompted(), again.history()[-1].answer) == ({said.id: "late"}, said.text)
    assert len(Parrot.asked) == asked


ARMS = [
    Arm("a", goals=Agenda(), memory=Retrieval(k=2)),
    Arm("a", goals=Agenda(), memory=Pondering(), learning=Bandit(("", "Be brief."))),
    Arm("a", goals=ReAct(ticks=True), memory=Shuffled(Retrieval(k=2))),
    Arm("a", goals=Reactive("ticks"), memory=Outside()),
    Arm("a", goals=EveryThird(), learning=Bandit(("", "Be brief."))),
]


def lived(agent: Callable[[], LiveAgent]) -> list[object]:
    """A life in two conversations, in which time passes; what was said unprompted."""
    said = []
    for place, text in enumerate(("my parcel is late", "the lamp is broken", "and now?")):
        told = agent().answer(text, user="mara", session="s")
        agent().feedback(told, score=place / 2)
        for event in (MOMENT, EVIL, MOMENT, MOMENT):
            said.append(agent().tick(event, user="mara", session="s"))
        said.append(agent().tick("the bell rings", session="other", actions=("open", "call")))
    return [(one and (one.id, one.text, one.goal)) for one in said]


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: repr(arm.goals) + repr(arm.memory))
def test_a_life_with_restarts_says_what_the_life_without_says(arm: Arm, opened: Open) -> None:
    whole = opened("whole", arm=arm, lm=Parrot())
    opened("broken", arm=arm, lm=Parrot()).close()
    held: list[LiveAgent] = []

    def anew() -> LiveAgent:
        for one in held:
            one.close()
        held[:] = [opened("broken")]
        return held[0]

    told = lived(lambda: whole)
    assert any(told)
    assert lived(anew) == told
    asked = len(Parrot.asked)
    last = anew()
    assert len(Parrot.asked) == asked  # opening it asks nothing
    assert last.state() == whole.state()
    assert last.history() == whole.history()
    assert last.unprompted() == whole.unprompted()
    assert last.spent().calls == whole.spent().calls
    block = [one._living().goals.block(one._living()._scene.task) for one in (last, whole)]
    assert block[0] == block[1]  # what the policy keeps of the scene


def test_a_scene_begins_anew_when_something_is_asked_or_elsewhere_time_passes(opened: Open) -> None:
    agent = opened(arm=Arm("a", goals=EveryThird()), lm=Parrot())
    assert [agent.tick() is None for _ in range(4)] == [True, True, False, True]
    agent.answer("hello")
    assert [agent.tick() is None for _ in range(3)] == [True, True, False]
    assert agent._living().goals._about == "hello"
    agent.answer("a secret of mara's", user="mara")
    assert [agent.tick(user="tobias") is None for _ in range(3)] == [True, True, False]
    assert "secret" not in Parrot.asked[-1]  # another's conversation is no part of the scene


def test_an_outage_is_as_if_no_time_had_passed(opened: Open) -> None:
    agent = opened(arm=Arm("a", goals=Agenda()), lm=Parrot())
    agent.answer("see to the parcel")
    before = agent.history()
    Parrot.away = True
    with pytest.raises(Outage, match="has flown"):
        agent.tick()
    Parrot.away = False
    assert agent.history() == before
    said = agent.tick()
    assert said.goal.startswith("said ")
    agent.close()
    assert opened().unprompted() == {said.id: said.goal}


def test_what_does_not_fit_is_told_kept_and_undone(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = opened(arm=Arm("a", goals=EveryThird()), lm=Parrot())
    agent.tick()
    agent.tick()
    broken = pytest.MonkeyPatch()

    def too_long(*_: object, **__: object) -> None:
        raise AnswerError("overflow", "the prompt does not fit")

    broken.setattr("toolkit.agents.decision.Decision.decide", too_long)
    said = agent.tick()
    broken.undo()
    assert (said.text, said.status, str(said)) == ("", "overflow", "(nothing said: the prompt does not fit)")
    assert agent.unprompted() == {}
    assert agent.tick() is not None  # the third one has not happened
    agent.close()
    assert list(opened().unprompted()) == ["stream/3"]


def test_a_user_is_forgotten_with_what_was_said_unprompted(opened: Open) -> None:
    agent = opened(arm=Arm("a", goals=Agenda(), memory=Retrieval(k=2)), lm=Parrot())
    agent.answer("my parcel is late", user="mara")
    said = agent.tick("a bell of mara's rings", user="mara")
    agent.answer("and mine?", user="tobias")
    other = agent.tick("the door opens", user="tobias")
    done = agent.forget("mara")
    assert said.id in done.removed
    assert agent.unprompted() == {other.id: other.goal}
    after, asked = agent.state(), len(Parrot.asked)
    agent.close()
    again = opened()
    assert (again.state(), len(Parrot.asked)) == (after, asked)
    assert b"bell of mara" not in again._file.path.read_bytes()


def test_as_another_arm_it_lives_through_its_ticks_again(opened: Open) -> None:
    agent = opened(arm=Arm("a", goals=Reactive("ticks")), lm=Parrot())
    said = agent.tick("the door opens")
    agent.close()
    other = opened(arm=Arm("a", goals=Agenda()), reembed=True)
    assert other.history()[0].answer == said.text  # what was said was said
    assert other._living().goals.goals != ()
    other.close()
    asked = len(Parrot.asked)
    assert opened()._living().goals.goals != ()
    assert len(Parrot.asked) == asked


def test_what_a_policy_refuses_or_cannot_be_is_silence(opened: Open) -> None:
    agent = opened(arm=Arm("a", goals=Reactive("ticks")), lm=Parrot())
    assert agent.tick("the bell rings", actions=("open",)) is None  # it says none of the actions
    assert agent.spent().calls == 1
    with pytest.raises(ValueError, match="a tick must say what is seen"):
        agent.tick(" ")
    with pytest.raises(ValueError, match="actions must be texts but hold ''"):
        agent.tick(actions=("",))
    agent.close()
    with pytest.raises(ValueError, match="is closed"):
        agent.tick()


def test_waiting_is_always_among_the_actions(opened: Open) -> None:
    seen: list[tuple[str, ...]] = []

    class Looking(Reactive):
        def act(self, now, choose):
            seen.append(now.now.actions)
            return Act(WAIT)

    agent = opened(arm=Arm("a", goals=Looking("ticks")), lm=Parrot())
    assert agent.tick(actions=("open", "open")) is None
    assert seen == [("open", WAIT)]
