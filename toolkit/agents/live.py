"""An agent in live use: it goes on remembering after the kernel or the machine restarts.

>>> import tempfile, toolkit as tk
>>> place = tempfile.mkdtemp()
>>> arm = tk.Arm("clerk", memory=tk.Retrieval(k=2))
>>> with tk.Agent.open("clerk", arm=arm, lm="scripted", ledger=place) as clerk:
...     answer = clerk.answer("where is my parcel?", user="mara")
...     clerk.feedback(answer, correction="at the depot")
>>> with tk.Agent.open("clerk", ledger=place) as clerk:  # another day, another process
...     print([(one.text, one.answer) for one in clerk.memories()])
[('where is my parcel?', 'at the depot')]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.agents.answer import Answer, recalled
from toolkit.agents.beside import answered_beside
from toolkit.agents.diary import Diary, draws, relive, with_bar
from toolkit.agents.forgetting import forgotten
from toolkit.agents.given import checked, task_of, tick_of
from toolkit.agents.identity import Identity
from toolkit.agents.unprompted import MOMENT, Unprompted
from toolkit.errors import AnswerError
from toolkit.ledger.agents import AgentFile
from toolkit.ledger.events import Event
from toolkit.records import Experience, Memory, Task, Usage
from toolkit.traits.memory.policy import Forgotten

if TYPE_CHECKING:
    from toolkit.agents.arm import Arm
    from toolkit.widgets.chat import Chat


class LiveAgent:
    """An agent with a file: whatever it acknowledged it still knows when it is opened again.

    Made by `toolkit.Agent.open` or `Study.agent`. Several threads may share one: they wait for each other. Close it, or
    use it in a ``with``: as long as it is open, nobody else can open it.

    Parameters
    ----------
    file
        Open, and described.
    identity
        What the agent is.
    anew
        Whether what memory and learning ask the model may differ from the tape, and is then asked anew.
    """

    def __init__(self, file: AgentFile, identity: Identity, *, anew: bool = False) -> None:
        self._file, self.identity = file, identity
        self.name, self.arm, self.model = file.path.stem, identity.arm, identity.model
        self._lock = threading.RLock()
        self._life: Diary | None = None
        self._seen: dict[str, Experience] = {}
        self._why: dict[str, str] = {}
        self._next, self._open = 0, True
        if anew:
            self._derive_again()
        else:
            self._begin()

    def answer(
        self,
        given: Task | Mapping[str, str] | str,
        *,
        user: str = "",
        session: str = "",
        options: Sequence[str] = (),
    ) -> Answer:
        """Answer a task, and remember it.

        Parameters
        ----------
        given
            A text, where the agent's step has one input; the inputs by name; or a `Task`, which says all the rest.
        user, session
            Whose task it is and in which conversation.
        options
            Closed answers to choose one from; none = the agent's own, else free text.

        Returns
        -------
        Answer
            Once it is returned, it is in the file.

        Raises
        ------
        Outage
            If the model cannot be reached; nothing is remembered then.
        """
        with self._lock:
            task = task_of(self.identity, self.name, self._next, given, user, session, options)
            with self._working(task, asked=True) as life:
                return self._answered(life, task)

    def tick(
        self, seen: str = MOMENT, *, user: str = "", session: str = "", actions: Sequence[str] = ()
    ) -> Unprompted | None:
        """Let a moment pass, or something happen, without asking anything: what its goal policy makes of that.

        The policy sees what was asked last in the conversation and what came since, as in a world. What it says is
        remembered like an answer; a tick on which it is silent is kept too, and costs what the policy asks the model.

        Parameters
        ----------
        seen
            What is seen: an event, in words.
        user, session
            In which conversation.
        actions
            Closed actions to choose one from; ``"wait"`` is always among them. None = it says something in words.

        Returns
        -------
        Unprompted or None
            What it says or does; None = it is silent. Once it is returned, it is in the file.

        Raises
        ------
        Outage
            If the model cannot be reached; it is then as if no time had passed.
        """
        with self._lock:
            self._living()
            task = tick_of(self.identity, self._next, seen, user, session, actions)
            with self._working(task, asked=False) as life:
                try:
                    said, why = life.tick(task, self._next)
                except AnswerError as error:
                    spent, self._life = self._keep(life.take()), None  # what its policy half did is undone
                    return Unprompted(
                        f"stream/{self._next - 1}", "", "", seen, "ask", error.status, str(error), (), spent
                    )
                spent = self._keep(life.take())
                manner = life.goals.autonomy
            return (
                Unprompted(said.id, said.answer, why, seen, manner, recalled=said.recalled, usage=spent)
                if why
                else None
            )

    def beside(
        self,
        given: Task | Mapping[str, str] | str,
        *,
        against: Arm | str = "static",
        user: str = "",
        session: str = "",
        options: Sequence[str] = (),
    ) -> Answer:
        """What another arm that has met nothing says to the same, by the same model and with the same luck.

        Nothing of it is kept, learned or charged to the agent. Asked before `answer`, it is about the same task.

        Parameters
        ----------
        given, user, session, options
            As of `answer`.
        against
            ``"static"``, which is the model without any trait, or an arm.

        Raises
        ------
        ValueError
            If ``against`` is no arm, or one with a model of its own.
        Outage
            If the model cannot be reached.
        """
        with self._lock:
            self._living()
            task = task_of(self.identity, self.name, self._next, given, user, session, options)
            return answered_beside(self.identity, against, task, self._next)

    def feedback(
        self, answer: Answer | str, *, score: float | None = None, correction: str | None = None, text: str = ""
    ) -> None:
        """Tell the agent how good an answer was, whenever that is known: memory is revised, and learning learns.

        Parameters
        ----------
        answer
            The answer or its id.
        score
            In [0, 1].
        correction
            The right answer.
        text
            In words.

        Raises
        ------
        ValueError
            If nothing is told, the score is out of range, or there is no such answer.
        """
        told = checked(score, correction, text)
        with self._lock:
            name = answer.id if isinstance(answer, Answer) else answer
            seen = self._seen.get(name)
            if seen is None:
                known = f"the last is {next(reversed(self._seen))!r}" if self._seen else "it has not answered anything"
                raise ValueError(f"agent {self.name!r} has no answer of the id {name!r} (any more): {known}")
            if seen.task.options and correction is not None and correction not in seen.task.options:
                raise ValueError(f"correction must be one of {', '.join(seen.task.options)} but is {correction!r}")
            with self._working(seen.task, asked=False) as life:
                life.decision.at("stream", self._next)
                life.learn(replace(seen, feedback=told))
                self._keep(life.take())

    def memories(self) -> tuple[Memory, ...]:
        """Everything that memory keeps, in order."""
        with self._lock:
            return tuple(self._living().memory.memories())

    def history(self) -> tuple[Experience, ...]:
        """Everything that was answered, in order, each with the latest feedback."""
        with self._lock:
            return tuple(self._seen.values())

    def unprompted(self) -> dict[str, str]:
        """Of everything in `history` that it said unprompted: the goal that made it speak, by id."""
        with self._lock:
            return dict(self._why)

    def state(self) -> str:
        """A hash of all that memory, learning and the decider keep; equal before and after a restart."""
        with self._lock:
            return self._living().state()

    def spent(self) -> Usage:
        """What all calls have cost, those for what is forgotten included."""
        with self._lock:
            self._living()
            return self._file.spent()

    def forget(self, user: str) -> Forgotten:
        """Remove everything of a user: tasks, answers, feedback, and what memory and learning made of them.

        What is left is lived through again without them, so that no policy has to know how. Where memory or learning
        then ask the model something else than they did, it is asked anew. Other calls whose prompts held the user's
        words lose their words. The file is written anew, so that nothing of it stays in free blocks.

        Returns
        -------
        Forgotten
            Ids of what was removed; in words, what could not be: what was said to others, and other copies.

        Raises
        ------
        Outage
            If the model has to be asked and cannot be reached: then nothing is forgotten yet.
        """
        with self._lock:
            self._living()
            done = forgotten(self._file, user, self._relived)
            self._begin()
            return done

    def export(self, path: str | Path) -> Path:
        """Write a copy of the file, for whoever wants to look at it with DuckDB while the agent is in use.

        Raises
        ------
        LedgerError
            If the path exists.
        """
        with self._lock:
            self._living()
            self._file.copy(Path(path))
            return Path(path)

    def chat(self, *, user: str = "", against: Arm | str = "", every: float = 0.0) -> Chat:
        """A conversation in the notebook, with the past turns above it and memory beside it.

        With ``against="static"``, or an arm, everything is answered twice, as by `beside`; with ``every``, a moment
        passes so often, in seconds, as by `tick`.
        """
        from toolkit.widgets.chat import Chat

        return Chat(self, user=user, against=against, every=every)

    def close(self) -> None:
        """Let others open it. What was acknowledged is in the file already."""
        with self._lock:
            self._open = False
            self._life = None
            self._file.close()

    def __enter__(self) -> LiveAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"{len(self._seen)} answers" if self._open else "closed"
        return f"LiveAgent({self.name!r}: {self.arm!r}, {self.model!r}; {state})"

    def _answered(self, life: Diary, task: Task) -> Answer:
        name = f"stream/{self._next}"
        life.decision.at("stream", self._next)
        try:
            turns = life.act(task, "stream", self._next)
        except AnswerError as error:
            return Answer(name, "", error.status, str(error), usage=self._keep(life.take()))
        cut = life.decision.recorder.last_status == "truncated" and turns[-1].usage.calls > 0
        found = recalled(turns)
        used = replace(sum((turn.usage for turn in turns), Usage()), seconds=0.0)  # no agent is told the clock
        given, weighed = turns[-1].answer, turns[-1].weighed
        life.observe(Experience(name, task, given, recalled=found, usage=used, weighed=weighed))
        spent = self._keep(life.take())
        return Answer(name, given, "truncated" if cut else "ok", "", found, spent)

    @contextmanager
    def _working(self, task: Task, *, asked: bool) -> Iterator[Diary]:
        """The agent, awake. Where anything raises, what it half did is undone: it is made anew from its file."""
        life = self._living()
        try:
            life.decision.recorder.turn_to(self.identity.engine() if asked else self.identity.on_call())
            yield life
        except BaseException as error:
            self._life = None
            if isinstance(error, Exception) and (paid := life.lost(task, error)):
                self._keep(paid)
            raise

    def _living(self) -> Diary:
        if not self._open:
            raise ValueError(f"agent {self.name!r} is closed: open it again with tk.Agent.open({self.name!r})")
        if self._life is None:
            self._begin()
        if self._life is None:
            raise AssertionError("unreachable")
        return self._life

    def _keep(self, events: list[Event]) -> Usage:
        """Write down what was met: from here on it is acknowledged."""
        vectors = {} if self._life is None else self._life.embedded()
        for event in self._file.append(events, vectors=vectors):
            self._remember(event)
        return sum((call.usage for event in events for _, call in event.calls), Usage())

    def _remember(self, event: Event) -> None:
        if event.kind in ("answer", "feedback") or event.why:
            self._seen[event.experience.id] = event.experience
        if event.why:
            self._why[event.experience.id] = event.why
        if event.phase == "stream" and event.kind != "prepare":
            self._next = max(self._next, event.t + 1)

    def _begin(self) -> None:
        """Live through everything again, from the tape alone."""
        self._seen, self._why, self._next = {}, {}, 0
        self._life = self._relived(self._file.events(), lambda event, _: self._remember(event))

    def _relived(
        self, events: Iterable[Event], told: Callable[[Event, list[Event]], object], *, anew: bool = False
    ) -> Diary:
        who, recalls = self.identity, draws(self.arm.memory)
        life = Diary(
            who.arm,
            who.step,
            who.model,
            who.deciding,
            who.seeds,
            engine=who.on_call() if anew else who.absent(),
            tape=self._file.tape(recalls=recalls),
            lenient=anew,
            vectors=self._file.vectors(),
        )
        total = len(events) if isinstance(events, Sequence) else self._file.count()
        relive(life, with_bar(events, total, self.name, anew), self._file.passed(recalls=recalls), told)
        return life

    def _derive_again(self) -> None:
        """As `_begin`, as what the agent is now: it is written down when all is done, or nothing is."""
        from toolkit.agents.forgetting import derived

        derived(self._file, self._relived, self.identity.config())
        self._begin()
