"""Talking with a live agent through a pipe: nonsense, the end of the input and a kill leave it whole."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from errands import ROOT
from parrot import Parrot

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.live import LiveAgent
from toolkit.agents.terminal import Talk
from toolkit.cli import main
from toolkit.ledger.store import Ledger
from toolkit.traits.memory import Retrieval

COMMAND = [sys.executable, "-m", "toolkit", "chat", "desk", "--ledger"]
PLACE = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Ledger) -> Callable[..., str]:
    """Say something to the command; what it says."""

    def said(given: bytes, *more: str) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        assert main(["chat", "desk", "--ledger", str(ledger.root), *more]) == 0
        return capsys.readouterr().out

    return said


@pytest.fixture
def agent(ledger: Ledger) -> LiveAgent:
    with tk.Agent.open("pet", arm=Arm("a", memory=Retrieval(k=2)), lm=Parrot(), ledger=ledger) as made:
        yield made


def talked(agent: LiveAgent, *lines: str, user: str = "mara") -> list[str]:
    """What is said to these lines."""
    said: list[str] = []
    talk = Talk(agent, user, said.append)
    assert all(talk.hear(line) for line in lines)
    assert not talk.hear("/quit")
    return said


def test_a_conversation_goes_on_the_next_day(chat: Callable[..., str]) -> None:
    first = chat(b"where is my parcel?\n/bad at the depot\n\n", "--lm", "scripted", "--user", "mara")
    assert first.splitlines()[1:] == ["unknown", "(noted)"]
    odd = b"\xff\xfe\x00 nonsense \x1b[2J\n/nothing\n/bad\n/memories\n/qui"
    told = chat(odd)
    assert "1 answers so far" in told
    assert "- [mara] where is my parcel? -> at the depot" in told
    assert "(2 memories)" in told
    assert "there is no /nothing" in told
    assert "did you mean '/quit'" in told  # an unfinished last line is a line
    assert "\x1b" not in told


def test_a_conversation_that_is_killed_loses_nothing_it_has_said(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        [*COMMAND, str(ledger.root), "--lm", "scripted"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=PLACE
    )
    process.stdout.readline()
    for text in ("one", "two"):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"unknown\n"
    assert main(["chat", "desk", "--ledger", str(ledger.root)]) == 2
    assert f"process {process.pid} on" in capsys.readouterr().err
    process.stdin.write(b"three\n")
    process.stdin.flush()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with tk.Agent.open("desk", ledger=ledger) as agent:
        assert [one.task.text for one in agent.history()][:2] == ["one", "two"]


def test_every_command_does_what_it_says(agent: LiveAgent) -> None:
    answered, *said = talked(
        agent, "hello", "/good", "/user tobias", "and me?", "/bad yes, you", "/forget mara", "/help"
    )
    assert answered.startswith("said ")
    assert said[0] == "(noted)"
    assert "(1 answers of 'mara' are forgotten)" in said
    assert any(one.startswith("(not removed: others were answered with") for one in said)
    assert said[-1].startswith("/good")
    (left,) = agent.history()
    assert (left.task.user, left.task.session, left.feedback.correction) == ("tobias", "chat-0", "yes, you")


def test_mistakes_are_told_and_it_goes_on(agent: LiveAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    Parrot.away = True
    assert "the parrot has flown" in talked(agent, "hello")[0]
    Parrot.away = False
    said = talked(agent, "/good", "/forget", "/badd", "hello")
    assert [one for one in said if "no answer yet" in one or "whom?" in one or "did you mean '/bad'" in one] == said[:3]
    monkeypatch.setattr(LiveAgent, "answer", _interrupted)
    assert talked(agent, "hello") == ["(interrupted: this was not kept)"]


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_several_inputs_are_asked_for_one_by_one(ledger: Ledger) -> None:
    with tk.Agent.open("two", arm=Arm.static(), lm=Parrot(), step="ticket, desk -> queue", ledger=ledger) as agent:
        talk = Talk(agent, say=lambda text: None)
        asked = []
        for line in ("late", "7", "broken"):
            asked.append(talk.prompt)
            talk.hear(line)
        assert asked == ["ticket> ", "desk> ", "ticket> "]
        assert dict(agent.history()[0].task.inputs) == {"ticket": "late", "desk": "7"}


def test_what_cannot_be_opened_is_a_mistake_in_what_was_asked(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, told in (
        (["pat", "--role", "nobody"], "no role is called"),
        (["x/y"], "an agent's name"),
        (["p", "--lm", "q"], "no model is called"),
    ):
        assert main(["chat", *more, "--ledger", str(ledger.root)]) == 2
        assert told in capsys.readouterr().err
