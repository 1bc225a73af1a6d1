"""A conversation with a live agent in the notebook: a line to write on, what was said, and a word on each answer."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets

from toolkit.agents.live import Answer, LiveAgent
from toolkit.errors import ToolkitError
from toolkit.records import Experience, Feedback, Task

_PAST = 20  # turns from before that are shown


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
    """

    def __init__(self, chat: Chat, seen: Experience, note: str = "") -> None:
        self._chat, self.id = chat, seen.id
        self.said = ipywidgets.HTML()
        self.good = ipywidgets.Button(description="👍", tooltip="this was right", layout={"width": "3.5em"})
        self.right = ipywidgets.Text(placeholder="what would have been right?", layout={"width": "20em"})
        self.judged = ipywidgets.HTML()
        self.good.on_click(lambda _: chat.heard(lambda: chat.judge(self, score=1.0)))
        self.right.continuous_update = False
        self.right.observe(lambda change: self._corrected(str(change["new"])), "value")
        row = ipywidgets.HBox([self.good, self.right, self.judged])
        asked = "<br>".join(escape(text) for text in seen.task.inputs.values())
        answered = escape(seen.answer) or f"<i>(no answer: {escape(note)})</i>"
        self.said.value = f"<div style='opacity:.7'>{asked}</div><div style='white-space:pre-wrap'>{answered}</div>"
        self.show(seen.feedback)
        super().__init__([self.said, row] if seen.answer else [self.said])

    def show(self, feedback: Feedback | None) -> None:
        """Say what is known of the answer."""
        told = "" if feedback is None else f"right: {feedback.correction}" if feedback.correction is not None else "👍"
        if feedback is not None and feedback.correction is None and feedback.score != 1:
            told = f"score {feedback.score:g}" if feedback.score is not None else feedback.text
        self.judged.value = escape(told)

    def _corrected(self, right: str) -> None:
        if right.strip():
            self._chat.heard(lambda: self._chat.judge(self, score=0.0, correction=right.strip()))


class Chat(ipywidgets.VBox):
    """A conversation with a live agent; what was said before stands above it. Whatever a button does, a method does.

    Parameters
    ----------
    agent
        Open.
    user
        Who is speaking; can be changed in the view.

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

    def __init__(self, agent: LiveAgent, user: str = "") -> None:
        self.agent = agent
        past = agent.history()
        self._session = f"chat-{len(past)}"
        self.turns = ipywidgets.VBox([Turn(self, seen) for seen in past[-_PAST:]])
        wanted = agent.identity.step.inputs
        self.inputs = {name: ipywidgets.Text(placeholder=name, layout={"width": "30em"}) for name in wanted}
        self.user = ipywidgets.Text(value=user, placeholder="who is speaking", layout={"width": "10em"})
        self.button = ipywidgets.Button(description="Send", button_style="primary", layout={"width": "5em"})
        self.button.on_click(lambda _: self.heard(self._sent))
        self.note = ipywidgets.HTML()
        head = [ipywidgets.HTML(f"<i>{len(past) - _PAST} earlier turns</i>")] if len(past) > _PAST else []
        row = ipywidgets.HBox([self.user, *self.inputs.values(), self.button])
        super().__init__([*head, self.turns, row, self.note])

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
        answer: Answer = self.agent.answer(inputs, user=self.user.value, session=self._session)
        turn = Turn(self, Experience(answer.id, Task("", inputs), answer.text), answer.error)
        self.turns.children = (*self.turns.children, turn)
        return turn

    def judge(self, turn: Turn, *, score: float | None = None, correction: str | None = None) -> None:
        """Say how good an answer was, of an earlier day too; see `LiveAgent.feedback`."""
        self.agent.feedback(turn.id, score=score, correction=correction)
        turn.show(Feedback(score, correction))

    def heard(self, done: Callable[[], object]) -> None:
        """Do what a button was pressed for; what goes wrong is shown, since nobody sees an exception of a button."""
        self.note.value = ""
        try:
            done()
        except (ToolkitError, ValueError) as error:
            self.note.value = escape(str(error))

    def _sent(self) -> None:
        given = [field.value.strip() for field in self.inputs.values()]
        if any(given):
            self.send(*given)
            for field in self.inputs.values():
                field.value = ""
