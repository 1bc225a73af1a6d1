"""Where a person says how good answers are while a study runs: one answer at a time, neither key nor arm shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape

import ipywidgets

from toolkit.streams.channels.human import ROOM, Question
from toolkit.widgets.kernel import hear_beside_a_running_cell

_GRADES = 7
_NOTHING = "<i>Nothing to judge at the moment.</i>"
_PICK = "what would have been right?"


class FeedbackPanel(ipywidgets.VBox):
    """A panel for `toolkit.HumanFeedback`: the answer that waits, buttons to grade it, a place for what is right.

    Show it before the study is started; it serves every study of this kernel. Whatever a button does, a method does. If
    it is closed, runs that wait for it are suspended, and go on when the study is run again.

    Examples
    --------
    >>> panel = FeedbackPanel()
    >>> panel.question is None
    True
    >>> panel.close()
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.question: Question | None = None
        self.shown = ipywidgets.HTML(_NOTHING)
        self.grades = [ipywidgets.Button(layout={"width": "4.5em"}) for _ in range(_GRADES)]
        self.options = ipywidgets.Dropdown(options=[_PICK], layout={"width": "20em"})
        self.right = ipywidgets.Text(placeholder=_PICK, layout={"width": "20em"}, continuous_update=False)
        self.words = ipywidgets.Text(placeholder="in words, if you like", layout={"width": "30em"})
        self.pass_by = ipywidgets.Button(description="Skip", layout={"width": "4em"}, tooltip="say nothing of this one")
        self.note = ipywidgets.HTML()
        for place, button in enumerate(self.grades):
            button.on_click(lambda _, grade=place + 1: self._heard(lambda: self.grade(grade)))
        self.pass_by.on_click(lambda _: self._heard(self.skip))
        self.options.observe(lambda change: self._chosen(str(change["new"])), "value")
        self.right.observe(lambda change: self._chosen(str(change["new"])), "value")
        self._row = ipywidgets.HBox([*self.grades, self.options, self.right, self.pass_by])
        super().__init__([self.shown, self.words, self._row, self.note])
        for control in (*self.grades, self.options, self.right, self.words, self.pass_by):
            hear_beside_a_running_cell(control.comm)
        self.show()
        ROOM.attach(self.show)

    def __repr__(self) -> str:
        waits = "nothing to judge at the moment" if self.question is None else "an answer waits to be judged"
        return f"FeedbackPanel: {waits}"

    def grade(self, grade: int) -> None:
        """Grade the answer, from 1 to as many grades as the study has.

        Raises
        ------
        ValueError
            If there is no such grade, or nothing waits.
        """
        self._reply(grade=grade)

    def correct(self, right: str) -> None:
        """Say what would have been right.

        Raises
        ------
        ValueError
            If it is none of the options, the study takes no corrections, or nothing waits.
        """
        self._reply(correction=right)

    def skip(self) -> None:
        """Say nothing of the answer, but for words that may stand there: the agent then hears no more than those."""
        self._reply()

    def show(self) -> None:
        """Show the question whose turn it is; called by runs, from threads of theirs."""
        with self._lock:
            question = ROOM.first
            if question is None or question is not self.question:
                self._fill(question)

    def close(self) -> None:
        """Take the panel away."""
        ROOM.detach(self.show)
        super().close()

    def _fill(self, question: Question | None) -> None:
        """Put another question, or none, in the place of the one that is shown."""
        more = len(ROOM) - 1
        self.question = question
        self.words.value = self.right.value = ""
        self.note.value = f"{more} more wait" if more > 0 else ""
        self.shown.value = _NOTHING if question is None else _page(question)
        self._offer(question)

    def _offer(self, question: Question | None) -> None:
        """The controls that this question needs."""
        count = 0 if question is None else question.grades
        for place, button in enumerate(self.grades):
            button.description = ("wrong", "right")[place] if count == 2 and place < 2 else str(place + 1)
            button.layout.display = "" if place < count else "none"
        options = question.task.options if question is not None and question.corrections else ()
        self.options.options = [_PICK, *options]
        self.options.layout.display = "" if options else "none"
        free = question is not None and question.corrections and not options
        self.right.layout.display = "" if free else "none"
        for control in (self.words, self.pass_by):
            control.layout.display = "" if question is not None else "none"

    def _chosen(self, right: str) -> None:
        if self.question is not None and right.strip() and right != _PICK:
            self._heard(lambda: self.correct(right.strip()))

    def _reply(self, grade: int | None = None, correction: str | None = None) -> None:
        question = self.question
        if question is None:
            raise ValueError("no answer waits to be judged: a study with HumanFeedback must be running")
        ROOM.reply(question, grade=grade, correction=correction, text=self.words.value.strip())
        with self._lock:
            if self.question is question:
                self._fill(None)  # words typed from here on would be of an answer that is not there yet

    def _heard(self, done: Callable[[], object]) -> None:
        """Do what a control was used for; what goes wrong is shown, since nobody sees an exception of a button."""
        self.note.value = ""
        try:
            done()
        except ValueError as error:
            self.note.value = escape(str(error))


def _page(question: Question) -> str:
    asked = "<br>".join(f"<b>{escape(name)}</b>: {escape(text)}" for name, text in question.task.inputs.items())
    answer = escape(question.answer) or "<i>(no answer)</i>"
    return (
        f"<div style='opacity:.8; white-space:pre-wrap'>{asked}</div>"
        f"<div style='white-space:pre-wrap; margin:.4em 0'><b>answer</b>: {answer}</div>"
    )
