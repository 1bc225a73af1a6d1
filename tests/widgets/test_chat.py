"""The conversation in the notebook: what a press of a button does, a method does, and the next kernel shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import ipywidgets
import pytest
from parrot import Parrot

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.live import LiveAgent
from toolkit.errors import AnswerError
from toolkit.ledger.store import Ledger
from toolkit.traits.goals import Watch
from toolkit.traits.memory import Retrieval


@pytest.fixture
def agent(ledger: Ledger) -> Iterator[LiveAgent]:
    Parrot.away = False
    with tk.Agent.open("pet", arm=Arm("a", memory=Retrieval(k=2)), lm=Parrot(), ledger=ledger) as made:
        yield made
    ipywidgets.Widget.close_all()


def test_what_is_said_and_judged_stands_there_after_a_restart(agent: LiveAgent, ledger: Ledger) -> None:
    chat = agent.chat(user="mara")
    chat.inputs["message"].value = "is <b>it</b> late?"
    chat.button.click()
    assert chat.inputs["message"].value == ""
    (turn,) = chat.turns.children
    assert "is &lt;b&gt;it&lt;/b&gt; late?" in turn.said.value
    turn.right.value = "two days"
    chat.send("thanks").good.click()
    agent.close()
    with tk.Agent.open("pet", ledger=ledger) as again:
        shown = again.chat().turns.children
        assert [one.judged.value for one in shown] == ["right: two days", "✓ right"]
        assert shown[0].said.value == turn.said.value
        assert [one.task.user for one in again.history()] == ["mara", "mara"]
        shown[0].good.click()  # on another day
        assert again.history()[0].feedback.score == 1


def test_what_goes_wrong_is_shown_and_no_answer_is_no_turn_to_judge(agent: LiveAgent) -> None:
    chat = agent.chat()
    chat.button.click()  # nothing to send
    Parrot.away = True
    chat.inputs["message"].value = "hello?"
    chat.button.click()
    assert "the parrot has flown" in chat.note.value
    assert chat.inputs["message"].value == "hello?"  # to be sent again
    assert chat.turns.children == ()
    Parrot.away = False
    chat.button.click()
    assert (chat.note.value, len(chat.turns.children)) == ("", 1)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        chat.send("one", "two")


def test_without_a_kernel_it_is_named(agent: LiveAgent) -> None:
    agent.answer("hello")
    assert repr(agent.chat()) == "Chat with 'pet', turns so far: 1"


def test_a_long_past_is_cut(agent: LiveAgent) -> None:
    for number in range(23):
        agent.answer(f"number {number}")
    chat = agent.chat()
    assert len(chat.turns.children) == 20
    assert "3 earlier turns" in chat.children[0].value


def test_another_arm_answers_beside_it_and_nothing_of_that_is_kept(agent: LiveAgent) -> None:
    agent.feedback(agent.answer("where is it?"), correction="in <i>Ghent</i>")
    before = agent.state()
    alone = agent.beside("where is it?")
    assert agent.state() == before
    assert (alone.id, alone.recalled) == ("", ())
    assert alone.usage.calls == 1
    chat = agent.chat(against="static")
    turn = chat.send("where is it?")
    assert alone.text in turn.said.value
    assert "static, with nothing behind it" in turn.said.value
    last = agent.history()[-1]
    assert last.answer in turn.said.value
    assert last.answer != alone.text  # a memory stood in one prompt and not in the other
    assert len(agent.history()) == 2
    assert "<b>▸ where is it? → in &lt;i&gt;Ghent&lt;/i&gt;</b>" in chat.memory.value


def test_what_cannot_answer_beside_it_is_refused(agent: LiveAgent) -> None:
    for wrong in ("nobody", Arm("b", lm=Parrot("other"))):
        with pytest.raises(ValueError, match="against must"):
            agent.chat(against=wrong)


def test_what_nobody_can_see_is_shown(agent: LiveAgent) -> None:
    agent.answer("\x1b[31mred\u202edab")
    shown = agent.chat().turns.children[0].said.value
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.fixture
def watching(ledger: Ledger) -> Iterator[LiveAgent]:
    Parrot.away = False
    arm = Arm("a", goals=Watch(("late", "<b>"), judge=False), memory=Retrieval(k=2))
    with tk.Agent.open("pet", arm=arm, lm=Parrot(), ledger=ledger) as made:
        yield made
        ipywidgets.Widget.close_all()  # and the threads of panels


def test_what_is_said_unprompted_is_marked_with_its_goal_and_judged_like_an_answer(
    watching: LiveAgent, ledger: Ledger
) -> None:
    chat = watching.chat(user="mara")
    assert "so far 0 calls, 0 tokens" in chat.cost.value
    chat.send("where is it?")
    chat.passes.click()
    assert chat.note.value == "A moment has passed: it is silent."
    assert len(chat.turns.children) == 1
    chat.happens.value = "it is <b>late</b>\x1b[31m"
    chat.passes.click()
    assert (chat.happens.value, chat.note.value) == ("", "")
    turn = chat.turns.children[-1]
    assert "<b>unprompted</b>, for the goal <b>late, &lt;b&gt;</b>; it saw: it is &lt;b&gt;late" in turn.said.value
    assert "\x1b" not in turn.said.value
    assert watching.history()[-1].answer in turn.said.value
    spent = watching.spent()
    assert f"so far 2 calls, {spent.tokens:,} tokens" in chat.cost.value
    turn.good.click()
    assert watching.history()[-1].feedback.score == 1
    assert [one.task.session for one in watching.history()] == ["chat-0", "chat-0"]
    watching.close()
    with tk.Agent.open("pet", ledger=ledger) as again:
        shown = again.chat().turns.children
        assert [one.goal for one in shown] == ["", "late, <b>"]
        assert shown[1].said.value == turn.said.value
        assert shown[1].judged.value == "✓ right"


class _Clock(threading.Event):
    """Time passes so many times, without waiting; then it has ended."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def wait(self, timeout: float | None = None) -> bool:
        self.times -= 1
        return self.times < 0 or self.is_set()


def test_a_timer_lets_moments_pass_and_ends_where_anything_goes_wrong(watching: LiveAgent) -> None:
    chat = watching.chat(every=3600)
    assert chat.timer.description == "every 3600 s"
    chat._passing(_Clock(3))
    assert watching._next == 3
    first = chat.thread
    chat.timer.value = False
    first.join(300)
    assert not first.is_alive()
    chat.timer.value = True
    Parrot.away, watching._living().goals.conditions = True, ()
    clock = _Clock(3)
    chat._passing(clock)
    assert "the parrot has flown" in chat.note.value
    assert (clock.times, clock.is_set(), chat.timer.value) == (1, True, False)  # one tick, and the look that ended it
    chat.thread.join(300)
    assert not chat.thread.is_alive()


def test_a_timer_ends_with_its_panel(watching: LiveAgent) -> None:
    chat = watching.chat(every=3600)
    assert chat.thread.is_alive()
    chat.close()
    chat.thread.join(300)
    assert not chat.thread.is_alive()
    quiet = watching.chat()
    assert (quiet.timer, hasattr(quiet, "thread")) == (None, False)  # off unless it is asked for
    for wrong in (0.5, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="every must be 0"):
            watching.chat(every=wrong)


def test_what_fails_on_a_tick_is_shown_and_is_no_turn(watching: LiveAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(*_: object, **__: object) -> None:
        raise AnswerError("overflow", "it does <not> fit")

    monkeypatch.setattr("toolkit.agents.decision.Decision.decide", too_long)
    chat = watching.chat()
    assert chat.moment("late") is None
    assert chat.note.value == "(nothing said: it does &lt;not&gt; fit)"
    assert chat.turns.children == ()
