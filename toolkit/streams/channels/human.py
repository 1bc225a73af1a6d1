"""A person who says how good answers are, into the loop of a running study.

The run's thread puts a question into the waiting room; whoever shows questions to a person (`toolkit.FeedbackPanel`)
takes the reply back. What was said goes onto the run's tape like anything from outside: when the run is resumed or
replayed, nobody is asked again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from toolkit.component import canonical
from toolkit.errors import Outage
from toolkit.records import Feedback, Key, Task
from toolkit.streams.channel import Ask, Channel, Wait

RIGHT = canonical({"score": 1.0})
"""What a rehearsal puts in a person's place."""

ABSENT = (
    "nobody is here to say how good the answer is: show tk.FeedbackPanel() in the notebook, then study.start() there, "
    "which goes on from here. A person can be asked only by the process that shows the panel: not by executor="
    "'processes' or 'dask', and not in a terminal"
)

_LOOK = 0.1  # seconds between two looks at whether the study is to stop
_MOST = 7  # grades


class HumanFeedback(Channel):
    """A person sees the task and the answer, and gives a grade, the right answer, words, or nothing.

    Neither the key nor the arm is shown. The run waits for as long as it takes; a study that is stopped meanwhile asks
    again when it goes on, and what was said before stands on the tape. A person's time is not charged.

    Parameters
    ----------
    grades
        Steps of the scale, from 2 (wrong, right) to 7; a score is 0 for the lowest and 1 for the highest.
    corrections
        Whether the person may also say what would have been right.

    See Also
    --------
    toolkit.FeedbackPanel : where the person sees it.
    """

    stateless = False
    asks_person = True

    def __init__(self, grades: int = 2, corrections: bool = True) -> None:
        self.grades = grades
        self.corrections = corrections

    @property
    def reveals_label(self) -> bool:  # type: ignore[override]
        """If the person may say what would have been right."""
        return self.corrections

    def check(self) -> None:
        """2 to 7 grades."""
        if isinstance(self.grades, bool) or not isinstance(self.grades, int) or not 2 <= self.grades <= _MOST:
            raise ValueError(f"HumanFeedback.grades must be an integer from 2 to {_MOST} but is {self.grades!r}")

    def reset(self, ask: Ask) -> None:
        """Begin a run; ``ask`` is the way to the person."""
        self._ask = ask

    def feedback(self, task: Task, answer: str, key: Key, score: float, rng: np.random.Generator) -> Feedback | None:
        """What the person says, or said when this was first run."""
        question = Question(task, answer, self.grades, self.corrections)
        shown = {"task": task.text, "options": "\n".join(task.options), "answer": answer}
        said = json.loads(self._ask(shown, lambda wait: ROOM.reply_to(question, wait)))
        return Feedback(said.get("score"), said.get("correction"), said.get("text", "")) if said else None


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """What a person is asked: how good an answer to a task is.

    Parameters
    ----------
    task, answer
        What the agent was given and what it said.
    grades, corrections
        As of `HumanFeedback`.
    """

    task: Task
    answer: str
    grades: int = 2
    corrections: bool = True
    replied: threading.Event = field(default_factory=threading.Event)
    replies: list[str] = field(default_factory=list)

    def said(self, grade: int | None, correction: str | None, text: str) -> str:
        """A reply in the words of the tape; a correction alone makes the answer wrong, unless it is the answer.

        Raises
        ------
        ValueError
            If it cannot be said, with what can.
        """
        if grade is not None and not 1 <= grade <= self.grades:
            raise ValueError(f"a grade must be from 1 to {self.grades} but is {grade!r}")
        score = None if grade is None else (grade - 1) / (self.grades - 1)
        if correction is not None:
            if not self.corrections:
                raise ValueError("this study takes no corrections: give a grade, or words")
            if self.task.options and correction not in self.task.options:
                raise ValueError(f"correction must be one of {', '.join(self.task.options)} but is {correction!r}")
            score = float(correction == self.answer) if score is None else score
        told = {"score": score, "correction": correction, "text": text or None}
        return canonical({name: value for name, value in told.items() if value is not None})


class WaitingRoom:
    """Where questions of all runs of this process wait for a person, in the order in which they came.

    Examples
    --------
    >>> room = WaitingRoom()
    >>> room.attach(lambda: room.first and room.reply(room.first, grade=2))  # somebody who is always content
    >>> room.reply_to(Question(Task("1", {}), "fig"), lambda: None)
    '{"score": 1.0}'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Question] = []
        self._shown: list[Callable[[], object]] = []

    def attach(self, told: Callable[[], object]) -> None:
        """Tell somebody, from whatever thread, whenever a question has come or gone."""
        self._shown.append(told)

    def detach(self, told: Callable[[], object]) -> None:
        """Tell them no more; if nobody is left, runs that wait are suspended."""
        if told in self._shown:
            self._shown.remove(told)

    @property
    def first(self) -> Question | None:
        """The question whose turn it is; one that has its reply already is not asked again."""
        with self._lock:
            return next((question for question in self._waiting if not question.replied.is_set()), None)

    def __len__(self) -> int:
        with self._lock:
            return sum(not question.replied.is_set() for question in self._waiting)

    def reply(
        self, question: Question, *, grade: int | None = None, correction: str | None = None, text: str = ""
    ) -> None:
        """Say something of an answer; nothing at all means that one would rather not.

        Raises
        ------
        ValueError
            If that cannot be said, or the question does not wait any more.
        """
        said = question.said(grade, correction, text)
        with self._lock:
            if question not in self._waiting or question.replied.is_set():
                raise ValueError("this answer is not asked about any more: the study has stopped, or somebody replied")
            question.replies.append(said)
            question.replied.set()

    def reply_to(self, question: Question, wait: Wait) -> str:
        """Let a question wait for its reply.

        Raises
        ------
        Outage
            If there is nobody who could reply.
        Exception
            Whatever ``wait`` raises, which is called ten times a second; the question goes with it.
        """
        with self._lock:
            self._waiting.append(question)
        try:
            self._tell()
            while not question.replied.wait(_LOOK):
                if not self._shown:
                    raise Outage(ABSENT)
                wait()
        except BaseException:
            self._close(question)
            if not question.replies:  # one that came in the meantime is kept: whoever stops, stops after it
                raise
        else:
            self._close(question)
        finally:
            self._tell()
        return question.replies[0]

    def _close(self, question: Question) -> None:
        """Take no reply any more, so that none is lost."""
        with self._lock:
            self._waiting.remove(question)

    def _tell(self) -> None:
        for told in list(self._shown):
            told()


ROOM = WaitingRoom()
"""The one of this process."""
