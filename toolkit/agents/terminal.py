"""A conversation with a live agent in a terminal, line by line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from toolkit.agents.agent import Agent
from toolkit.agents.answer import Answer
from toolkit.agents.arm import Arm
from toolkit.agents.live import LiveAgent
from toolkit.agents.opening import path_of
from toolkit.errors import ToolkitError, nearest
from toolkit.ledger.store import Ledger
from toolkit.traits.memory import Retrieval
from toolkit.traits.role import NoRole
from toolkit.traits.role_files import role

HELP = """/good                 the last answer was right
/bad RIGHT ANSWER     it was wrong; what is right
/memories             what is remembered
/forget USER          remove everything of a user
/user NAME            who is speaking from here on
/quit                 end; it goes on remembering"""
_LAST = 20  # memories that are listed


class Talk:
    """One conversation: its lines go in, what is to be shown comes out.

    Parameters
    ----------
    agent
        Open.
    user
        Who is speaking.
    say
        Shows a text; None = on the standard output.
    """

    def __init__(self, agent: LiveAgent, user: str = "", say: Callable[[str], object] | None = None) -> None:
        self.agent, self.user, self._say = agent, user, say or _say
        self._session = f"chat-{len(agent.history())}"
        self._last: Answer | None = None
        self._given: list[str] = []

    @property
    def prompt(self) -> str:
        """What the next line is: an input by its name where a task has several."""
        wanted = self.agent.identity.step.inputs
        return f"{wanted[len(self._given)]}> " if len(wanted) > 1 else "> "

    def hear(self, line: str) -> bool:
        """Take a line; False if it was the last."""
        line = line.strip()
        word, _, rest = line.partition(" ")
        if word == "/quit":
            return False
        try:
            if word.startswith("/"):
                self._command(word, rest.strip())
            elif line or self._given:
                self._input(line)
        except (ToolkitError, ValueError) as error:
            self._given = []
            self._say(f"({error})")
        except KeyboardInterrupt:
            self._given = []
            self._say("(interrupted: this was not kept)")
        return True

    def _input(self, line: str) -> None:
        wanted = self.agent.identity.step.inputs
        self._given.append(line)
        if len(self._given) == len(wanted):
            inputs, self._given = dict(zip(wanted, self._given, strict=True)), []
            self._last = self.agent.answer(inputs, user=self.user, session=self._session)
            self._say(shown(str(self._last)))

    def _command(self, word: str, rest: str) -> None:
        commands: dict[str, Callable[[str], None]] = {
            "/good": self._good,
            "/bad": self._bad,
            "/memories": self._memories,
            "/forget": self._forget,
            "/user": self._user,
            "/help": self._help,
        }
        if word not in commands:
            raise ValueError(f"there is no {word}; {nearest(word, [*commands, '/quit'])}; /help says what they do")
        commands[word](rest)

    def _good(self, _: str) -> None:
        self.agent.feedback(self._judged(), score=1.0)
        self._say("(noted)")

    def _bad(self, right: str) -> None:
        self.agent.feedback(self._judged(), score=0.0, correction=right or None)
        self._say("(noted)")

    def _help(self, _: str) -> None:
        self._say(HELP)

    def _judged(self) -> Answer:
        if self._last is None or not self._last.text:
            raise ValueError("there is no answer yet that could be judged: say something first")
        return self._last

    def _memories(self, _: str) -> None:
        kept = self.agent.memories()
        for one in kept[-_LAST:]:
            whose = f"[{one.user}] " if one.user else ""
            self._say(shown(f"- {whose}{one.text}{f' -> {one.answer}' if one.answer else ''}"))
        self._say(f"({len(kept)} memories{f', the last {_LAST} shown' if len(kept) > _LAST else ''})")

    def _forget(self, user: str) -> None:
        if not user:
            raise ValueError("whom? say /forget USER")
        done = self.agent.forget(user)
        self._say(f"({len(done.removed)} answers of {user!r} are forgotten)")
        for left in done.could_not:
            self._say(f"(not removed: {left})")

    def _user(self, name: str) -> None:
        self.user = name
        self._say(f"({name or 'nobody in particular'} is speaking)")


def talk(name: str, *, lm: str | None, role: str | None, user: str, ledger: str | None) -> int:
    """Open an agent, or make it, and talk until the input ends; the exit code."""
    with _agent(name, lm, role, Ledger(ledger)) as agent:
        known = len(agent.history())
        _say(f"{name}: {agent.model.label}; {known} answers so far. /help says what there is, /quit or Ctrl-D ends.")
        conversation = Talk(agent, user)
        for line in _lines(conversation, sys.stdin):
            if not conversation.hear(line):
                break
    return 0


def shown(text: str) -> str:
    """A text without what a terminal would take for orders.

    Examples
    --------
    >>> shown("red\\x1b[2J\\nblue")
    'red [2J\\nblue'
    """
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _agent(name: str, lm: str | None, called: str | None, ledger: Ledger) -> LiveAgent:
    if path_of(name, ledger).exists() and called is None:
        return Agent.open(name, lm=lm, ledger=ledger)
    arm = Arm("chat", role=role(called) if called else NoRole(), memory=Retrieval(k=4))
    return Agent.open(name, arm=arm, lm=lm, ledger=ledger)


def _lines(conversation: Talk, source: TextIO) -> Iterator[str]:
    """What is typed, until it ends; from a pipe whatever comes, odd bytes replaced."""
    if source.isatty():
        while True:
            try:
                yield input(conversation.prompt)
            except (EOFError, KeyboardInterrupt):
                _say("")
                return
    if hasattr(source, "reconfigure"):
        source.reconfigure(errors="replace")
    yield from source
