"""The conversation in the notebook: what a press of a button does, a method does, and the next kernel shows it."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest
from parrot import Parrot

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.live import LiveAgent
from toolkit.ledger.store import Ledger
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
        assert [one.judged.value for one in shown] == ["right: two days", "👍"]
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
