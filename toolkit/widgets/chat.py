"""A conversation with a live agent in the notebook: a line to write on, what was said and kept, a word on answers.

What the agent says unprompted, when time passes, stands among the answers, marked, with the goal that made it speak.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets

from toolkit.agents.answer import Answer
from toolkit.agents.arm import Arm
from toolkit.agents.beside import rival
from toolkit.agents.live import LiveAgent
from toolkit.agents.unprompted import MOMENT
from toolkit.analysis.shown import visible
from toolkit.errors import ToolkitError
from toolkit.records import Experience, Feedback, Task
from toolkit.widgets.fold import Fold

_LABEL = {"description_width": "initial"}
_PAST = 20  # turns from before that are shown
_KEPT = 12  # memories that are shown, the latest
_SOONEST = 1.0  # seconds between two ticks of a timer, at least: each may cost calls


class Turn(ipywidgets.VBox):
    """One answer, and what is said of it.

    Parameters
    ----------
    chat
        The conversation.
    seen
        What was asked and answered, with the feedback so far.
    note
        What was wrong, where there is no answer.
    other
        What the other arm answered, which is nobody's to judge.
    goal
        What made it speak, where nobody had prompted it; empty = it was asked.
    """

    def __init__(
        self, chat: Chat, seen: Experience, note: str = "", other: Answer | None = None, goal: str = ""
    ) -> None:
        self._chat, self.id, self.goal = chat, seen.id, goal
        self.said = ipywidgets.HTML()
        self.good = ipywidgets.Button(description="✓ right", tooltip="this was right", layout={"width": "6em"})
        self.right = ipywidgets.Text(description="right would be", layout={"width": "24em"}, style=_LABEL)
        self.judged = ipywidgets.HTML()
        self.good.on_click(lambda _: chat.heard(lambda: chat.judge(self, score=1.0)))
        self.right.continuous_update = False
        self.right.observe(lambda change: self._corrected(str(change["new"])), "value")
        row = ipywidgets.HBox([self.good, self.right, self.judged])
        asked = "<br>".join(escape(visible(text)) for text in seen.task.inputs.values() if text or not goal)
        if goal:
            asked = f"<b>unprompted</b>, for the goal <b>{escape(visible(goal))}</b>; it saw: {asked}"
        answered = escape(visible(seen.answer)) or f"<i>(no answer: {escape(visible(note))})</i>"
        both = _column(chat.agent.name, answered) if other is None else _columns(chat, answered, other)
        self.said.value = f"<div style='opacity:.7'>{asked}</div>{both}"
        self.show(seen.feedback)
        super().__init__([self.said, row] if seen.answer else [self.said])

    def show(self, feedback: Feedback | None) -> None:
        """Say what is known of the answer."""
        corrected = feedback is not None and feedback.correction is not None
        told = "" if feedback is None else f"right: {feedback.correction}" if corrected else "✓ right"
        if feedback is not None and feedback.correction is None and feedback.score != 1:
            told = f"score {feedback.score:g}" if feedback.score is not None else feedback.text
        self.judged.value = escape(visible(told))

    def _corrected(self, right: str) -> None:
        if right.strip():
            self._chat.heard(lambda: self._chat.judge(self, score=0.0, correction=right.strip()))


def _column(name: str, words: str) -> str:
    return f"<div style='white-space:pre-wrap' title='{escape(name)}'>{words}</div>"


def _columns(chat: Chat, answered: str, other: Answer) -> str:
    """Both answers side by side, under the names of who gave them."""
    heads = (chat.agent.name, f"{chat.rival}, with nothing behind it")
    said = (answered, escape(visible(str(other))))
    cells = "".join(
        f"<div style='flex:1;min-width:12em'><small>{escape(head)}</small>{_column(head, words)}</div>"
        for head, words in zip(heads, said, strict=True)
    )
    return f"<div style='display:flex;gap:2em;flex-wrap:wrap'>{cells}</div>"


class Chat(ipywidgets.VBox):
    """A conversation with a live agent; what was said before stands above it. Whatever a button does, a method does.

    Parameters
    ----------
    agent
        Open.
    user
        Who is speaking; can be changed in the view.
    against
        An arm, or ``"static"``, that answers everything too, as by `LiveAgent.beside`; empty = none.
    every
        How often a moment passes by itself, in seconds, at least 1, as by `moment`; 0 = only when it is said. Each may
        cost calls. It ends when the panel is closed, by ``timer.value = False``, and where anything goes wrong.

    Attributes
    ----------
    memory
        What the agent has kept, the latest last; what stood in the last prompt is marked.
    timer
        Whether moments pass by themselves; None without ``every``.

    Raises
    ------
    ValueError
        If ``every`` is too short, or ``against`` is no arm.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arm = tk.Arm("clerk", memory=tk.Retrieval(k=2))
    >>> with tk.Agent.open("clerk", arm=arm, lm="scripted", ledger=tempfile.mkdtemp()) as clerk:
    ...     chat = clerk.chat(user="mara")
    ...     turn = chat.send("where is my parcel?")
    ...     chat.judge(turn, correction="at the depot")
    ...     clerk.memories()[0].answer
    'at the depot'
    """

    def __init__(self, agent: LiveAgent, user: str = "", against: Arm | str = "", every: float = 0.0) -> None:
        self._one, self._ended = threading.RLock(), threading.Event()
        if every and not _SOONEST <= every < math.inf:
            raise ValueError(f"every must be 0 (no timer) or at least {_SOONEST:g} second but is {every!r}")
        self.agent, self.every = agent, every
        self._against = rival(against) if against else None
        past = agent.history()
        self._session = f"chat-{len(past)}"
        goals = agent.unprompted()
        self.turns = ipywidgets.VBox([Turn(self, seen, goal=goals.get(seen.id, "")) for seen in past[-_PAST:]])
        wanted = agent.identity.step.inputs
        wide = {"layout": {"width": "34em", "max_width": "98%"}, "style": _LABEL}
        self.inputs = {name: ipywidgets.Text(description=name, **wide) for name in wanted}
        self.user = ipywidgets.Text(value=user, description="user", layout={"width": "14em"}, style=_LABEL)
        self.button = ipywidgets.Button(description="Send", button_style="primary", layout={"width": "5em"})
        self.button.on_click(lambda _: self.heard(self._sent))
        self.note = ipywidgets.HTML()
        head = [ipywidgets.HTML(f"<i>{len(past) - _PAST} earlier turns</i>")] if len(past) > _PAST else []
        row = ipywidgets.HBox([self.user, *self.inputs.values(), self.button])
        self.memory = ipywidgets.HTML()
        aside = Fold("What it has kept", [self.memory])
        super().__init__([*head, self.turns, row, self._moments(), self.note, aside])
        self.add_class("toolkit-form")  # its menus have their keys: see fold.js
        self._remembered(())
        if self.timer is not None:
            self.timer.value = True

    def _moments(self) -> ipywidgets.HBox:
        """The row by which time passes, and what all has cost."""
        self.happens = ipywidgets.Text(
            description="happens", placeholder="nothing in particular", layout={"width": "24em"}
        )
        self.passes = ipywidgets.Button(description="A moment passes", layout={"width": "11em"})
        self.passes.on_click(lambda _: self.heard(self._passed))
        self.cost = ipywidgets.HTML()
        self.timer = ipywidgets.ToggleButton(description=f"every {self.every:g} s") if self.every else None
        if self.timer is not None:
            self.timer.observe(self._timed, "value")
        return ipywidgets.HBox([self.happens, self.passes, *([self.timer] if self.timer else []), self.cost])

    def __repr__(self) -> str:
        return f"Chat with {visible(self.agent.name)!r}, turns so far: {len(self.agent.history())}"

    @property
    def rival(self) -> str:
        """The name of the other arm; empty where there is none."""
        return "" if self._against is None else self._against.name

    def send(self, *given: str) -> Turn:
        """Say something, one text for each input of the agent's step; the turn that came of it.

        Raises
        ------
        ValueError
            If there are too few or too many texts.
        Outage
            If the model cannot be reached.
        """
        inputs = dict(zip(self.inputs, given, strict=True))
        where = {"user": self.user.value, "session": self._session}
        with self._one:
            other = None if self._against is None else self.agent.beside(inputs, against=self._against, **where)
            answer: Answer = self.agent.answer(inputs, **where)
            turn = Turn(self, Experience(answer.id, Task("", inputs), answer.text), answer.error, other)
            return self._stands(turn, answer.recalled)

    def moment(self, seen: str = "") -> Turn | None:
        """Let a moment pass, or something happen, as by `LiveAgent.tick`; what was said unprompted, None if nothing.

        Raises
        ------
        Outage
            If the model cannot be reached.
        """
        told = seen.strip() or MOMENT
        with self._one:
            said = self.agent.tick(told, user=self.user.value, session=self._session)
            if said is None or not said.text:
                self.note.value = "A moment has passed: it is silent." if said is None else escape(visible(str(said)))
                self._remembered(())
                return None
            turn = Turn(self, Experience(said.id, Task("", {"seen": told}), said.text), goal=said.goal)
            return self._stands(turn, said.recalled)

    def close(self) -> None:
        """Take the panel away; its timer ends."""
        self._ended.set()
        super().close()

    def _stands(self, turn: Turn, recalled: Sequence[str]) -> Turn:
        self.turns.children = (*self.turns.children, turn)
        self._remembered(recalled)
        return turn

    def _passed(self) -> None:
        self.moment(self.happens.value)
        self.happens.value = ""

    def _timed(self, change: dict[str, Any]) -> None:
        """The timer was switched on or off."""
        self._ended.set()  # the thread that may be there
        if change["new"]:
            self._ended = threading.Event()
            self.thread = threading.Thread(target=self._passing, args=(self._ended,), daemon=True, name="moments")
            self.thread.start()

    def _passing(self, ended: threading.Event) -> None:
        """Let moments pass until it is ended, or something goes wrong."""
        while not ended.wait(self.every):
            if not self.heard(self.moment):
                ended.set()
                if self.timer is not None:
                    self.timer.value = False

    def judge(self, turn: Turn, *, score: float | None = None, correction: str | None = None) -> None:
        """Say how good an answer was, of an earlier day too; see `LiveAgent.feedback`."""
        self.agent.feedback(turn.id, score=score, correction=correction)
        turn.show(Feedback(score, correction))
        self._remembered(())

    def heard(self, done: Callable[[], object]) -> bool:
        """Do what a button was pressed for; what goes wrong is shown, since nobody sees an exception of a button.

        Returns
        -------
        bool
            Whether it went well.
        """
        self.note.value = ""
        try:
            done()
        except (ToolkitError, ValueError) as error:
            self.note.value = escape(visible(error))
            return False
        return True

    def _sent(self) -> None:
        given = [field.value.strip() for field in self.inputs.values()]
        if any(given):
            self.send(*given)
            for field in self.inputs.values():
                field.value = ""

    def _remembered(self, recalled: Sequence[str]) -> None:
        """Show what memory keeps, what of it stood in the last prompt, and what all has cost."""
        kept = self.agent.memories()
        lines = [
            f"<li>{'<b>▸ ' if one.id in recalled else ''}{escape(visible(one.text))} → {escape(visible(one.answer))}"
            f"{'</b>' if one.id in recalled else ''}</li>"
            for one in kept[-_KEPT:]
        ]
        more = f"<p>{len(kept) - _KEPT} earlier ones are not shown.</p>" if len(kept) > _KEPT else ""
        told = f"{more}<ul>{''.join(lines)}</ul>" if kept else "<p>Nothing yet.</p>"
        self.memory.value = told
        spent = self.agent.spent()
        dollars = "" if spent.dollars == 0 else f", {spent.dollars:.4f} dollars"
        self.cost.value = f"<small>so far {spent.calls:,} calls, {spent.tokens:,} tokens{dollars}</small>"
