"""What an agent remembers: of a recorded run as the ledger knows it, of a live agent as it keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from toolkit.agents.live import LiveAgent
from toolkit.analysis.remembered import Life, Remembered, lives, remembered
from toolkit.errors import SpecError, names
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.records import Experience, Memory
from toolkit.traits.memory.policy import Forgotten
from toolkit.widgets.answer_view import AnswerView
from toolkit.widgets.episode import EpisodeView
from toolkit.widgets.memory_table import MemoryTable
from toolkit.widgets.page import choose, of_study, picked, press
from toolkit.widgets.trace import played_html

_TASK = """
    SELECT task, outcome IS NOT NULL AS played FROM episodes
    WHERE study = $1 AND run = $2 AND phase = 'stream' AND t = $3
"""


class MemoryInspector(MemoryTable):
    """What a run remembered: written when, recalled how often and where, and how the tasks went that recalled it.

    Parameters
    ----------
    study
        A `Study`, or the name of one; it may be running.
    arm, seed, stream, order
        Whose run; empty and None = the first of the plan that has recalled anything.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    rows
        What was recalled at least once, filtered and sorted; a page shows 25.
    life
        The run.
    opened
        The view of the task that was opened last, which stands below the table; None = none.

    Raises
    ------
    SpecError
        If the study has no such run that has begun.
    LedgerError
        If there is no such study.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    >>> study = tk.Study("kept", tk.Desk(tasks=6), arms=arms, lm="scripted", seeds=1, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = tk.MemoryInspector(study).show(sort="recalled")
    >>> len(view.rows[0].recalled) >= len(view.rows[-1].recalled) > 0
    True
    >>> view.episode(5).sides[0].which.t
    5
    """

    about = (
        "with: mean score of the tasks whose prompts it stood in (how many); without: of the run's other tasks since "
        "it was written. Their difference is an association, not an effect: tasks that recall the same memory are "
        "alike, and may be easier or harder than others. left out: score less the score with this memory alone left "
        "out, where the study asked again (counterfactuals): that is what it was worth there.",
        "A ledger knows the memories that were recalled on the stream. What was kept and never recalled, what a policy "
        "superseded or forgot, and when a note was written are not recorded: 'without' then counts from the first "
        "recall. A case is shown as it was met; tk.AgentMemory(study.agent(arm)) has the memory that the run left.",
    )

    def __init__(
        self,
        study: Study | str,
        arm: str = "",
        *,
        seed: int | None = None,
        stream: str = "",
        order: str = "",
        ledger: Ledger | str | Path | None = None,
    ) -> None:
        self.name, kept = of_study(study, ledger)
        self._wanted: dict[str, object] = {"arm": arm, "seed": seed, "stream": stream, "order": order}
        self._lives: tuple[Life, ...] = ()
        self.life: Life | None = None
        self.opened: AnswerView | EpisodeView | None = None
        super().__init__(kept)
        self.look()

    def look(self) -> Self:
        """Read the ledger again."""
        return self.choose()

    def choose(self, arm: str | None = None, *, seed: int | None = None) -> Self:
        """Show another run's memories; what is None stays as it is.

        Raises
        ------
        SpecError
            If there is no such run.
        """
        told = {"arm": arm, "seed": seed}
        wanted = self._wanted | {name: one for name, one in told.items() if one is not None}
        self._ledger.begin()
        self._lives = lives(self._ledger, self.name)
        life = _chosen(self._lives, wanted, self.name)
        if life is not None and life != self.life and self.opened is not None:
            self.opened = None
        self._wanted, self.life = wanted, life
        if life is not None:
            self._wanted |= {name: getattr(life, name) for name in wanted}
            self._all = remembered(self._ledger, self.name, life.run)
        return self.show()

    def episode(self, t: int) -> AnswerView | EpisodeView:
        """Show one of the run's tasks below the table: its prompts, or in a world its turns. The view of it alone.

        Raises
        ------
        ValueError
            If the run has not come to it.
        """
        life = self.life
        found = [] if life is None else self._ledger.sql(_TASK, self.name, life.run, t).to_dict("records")
        if life is None or not found:
            raise ValueError(f"there is no task {t!r} yet: the run has {life.tasks if life else 0}, counted from 0")
        make = EpisodeView if found[0]["played"] else AnswerView
        self.opened = make(
            self.name, life.arm, str(found[0]["task"]),
            seed=life.seed, stream=life.stream, order=life.order, ledger=self._ledger.root,
        )  # fmt: skip
        self.draw()
        return self.opened

    def does(self, command: str, value: str) -> None:
        """Open a task, choose a run, or what a table does."""
        if command == "open":
            self.episode(int(value))
        elif command == "close":
            self.opened = None
            self.draw()
        elif command == "life":
            self._wanted |= {"seed": None, "stream": "", "order": ""}
            one = picked(self._lives, value)
            self._wanted |= {"stream": one.stream, "order": one.order}
            self.choose(one.arm, seed=one.seed)
        else:
            super().does(command, value)

    def head(self) -> str:
        """The run."""
        if self.life is None:
            return f"study {self.name}: no run has begun"
        told = f"study {self.name}, {_told(self.life)}, {self.life.tasks} tasks"
        return told if self._all else f"{told}: no memory has been recalled"

    def menus(self) -> str:
        """The runs."""
        here = self._lives.index(self.life) if self.life in self._lives else 0
        return choose("run", "life", [f"{_told(one)} ({one.recalled} recalled)" for one in self._lives], here)

    def place_of(self, t: int, task: str, guided: bool) -> str:
        """A button that opens the task."""
        return press(str(t), "open", t) if guided else super().place_of(t, task, guided)

    def below(self, guided: bool) -> str:
        """The task that was opened."""
        if self.opened is None:
            return ""
        if isinstance(self.opened, AnswerView):
            return f"{press('Close', 'close') if guided else ''}{self.opened.document()}"
        shown = played_html(self.opened.sides, self.name, guided)  # goes through its turns here, too
        return f"{press('Close', 'close') if guided else ''}{shown}"


@dataclass(frozen=True, slots=True)
class _Scored:
    """A live agent's answer with the score that feedback told."""

    t: int
    seen: Experience

    @property
    def score(self) -> float:
        told = None if self.seen.feedback is None else self.seen.feedback.score
        return math.nan if told is None else told


class AgentMemory(MemoryTable):
    """What a live agent remembers now, with what can be done about it: correct a case, forget a user.

    Parameters
    ----------
    agent
        Open.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arm = tk.Arm("clerk", memory=tk.Retrieval(k=2))
    >>> with tk.Agent.open("clerk", arm=arm, lm="scripted", ledger=tempfile.mkdtemp()) as clerk:
    ...     _ = clerk.answer("where is my parcel?", user="mara")
    ...     view = tk.AgentMemory(clerk).correct("stream/0", "at the depot")
    ...     print(view.rows[0].told)
    ...     view.forget("mara")
    where is my parcel? → at the depot
    1 memory removed: stream/0
    """

    about = (
        "Scores are those that feedback told: 'with' of the answers that recalled it, 'without' of the others since it "
        "was written. Their difference is an association, not an effect.",
        "This is what the agent keeps (agent.memories(), agent.history()), no query of a ledger. A case is corrected "
        "by feedback on its answer, which is also learned from; what a policy wrote itself cannot be edited. Deleting "
        "is by user: agent.forget lives through everything else again without them.",
    )

    def __init__(self, agent: LiveAgent) -> None:
        self.agent = agent
        self._forgetting = ""
        self._said = ""
        super().__init__()
        self.look()

    def look(self) -> Self:
        """Ask the agent again."""
        past = [_Scored(t, seen) for t, seen in enumerate(self.agent.history())]
        self._all = tuple(_kept(one, past) for one in self.agent.memories())
        return self.show()

    def correct(self, memory: str, answer: str) -> Self:
        """Tell the right answer of a case, as `LiveAgent.feedback` does.

        Raises
        ------
        ValueError
            If there is no such memory, or it is no case.
        """
        kinds = {one.id: one.kind for one in self.agent.memories()}
        if kinds.get(memory) != "case":
            told = f"is a {kinds[memory]}" if memory in kinds else "is not there"
            raise ValueError(f"only the answer of a case can be corrected, but {memory!r} {told}")
        self.agent.feedback(memory, correction=answer)
        return self.look()

    def forget(self, user: str) -> Forgotten:
        """Have the agent forget everything of a user; see `LiveAgent.forget`."""
        done = self.agent.forget(user)
        self._forgetting, self._said = "", str(done)
        self.look()
        return done

    def does(self, command: str, value: str) -> None:
        """Correct, forget when asked twice, or what a table does."""
        place, _, said = value.partition(":")
        if command == "correct":
            if said.strip():
                self.correct(picked(self.shown, place).id, said.strip())
        elif command == "forget":
            user = picked(self.shown, place).user
            if user != self._forgetting:
                self._forgetting = user
                self.draw()
            else:
                self.forget(user)
        else:
            super().does(command, value)

    def head(self) -> str:
        """The agent."""
        return f"agent {self.agent.name}: {len(self.agent.history())} answers" + (
            f"; {self._said}" if self._said else ""
        )

    def buttons(self, place: int, one: Remembered) -> str:
        """A field for the right answer of a case, and a button to forget its user."""
        right = f'<input data-do="correct" data-place="{place}" placeholder="the right answer">'
        again = one.user and one.user == self._forgetting
        label = f"Really forget everything of {one.user}" if again else f"Forget {one.user}"
        gone = press(label, "forget", place) if one.user else ""
        return f"{right if one.kind == 'case' else ''}{gone}"


def _kept(one: Memory, past: Sequence[_Scored]) -> Remembered:
    """A memory of a live agent, with how the answers went that recalled it."""
    ids = {each.seen.id: each.t for each in past}
    written = next((ids[source] for source in (one.id, *one.sources) if source in ids), None)
    since = [each for each in past if written is None or each.t > written]
    used = [each for each in since if one.id in each.seen.recalled]
    score, n = _mean(used)
    others, n_others = _mean([each for each in since if one.id not in each.seen.recalled])
    return Remembered(
        one.id,
        one.kind,
        one.text,
        one.answer,
        user=one.user,
        source=names(one.sources) if one.sources and one.sources != (one.id,) else "",
        written=written,
        right=one.known if one.kind == "case" else None,
        until=one.until,
        recalled=tuple((each.t, each.seen.task.id) for each in used),
        score=score,
        n=n,
        others=others,
        n_others=n_others,
    )


def _mean(past: Sequence[_Scored]) -> tuple[float, int]:
    told = [one.score for one in past if not math.isnan(one.score)]
    return (sum(told) / len(told), len(told)) if told else (math.nan, 0)


def _chosen(found: Sequence[Life], wanted: Mapping[str, object], study: str) -> Life | None:
    """The run that is meant; of several the first that has recalled anything. None before anything has begun."""
    fits = [one for one in found if all(value in ("", None, getattr(one, name)) for name, value in wanted.items())]
    if not fits and (found or any(value not in ("", None) for value in wanted.values())):
        known = "; ".join(dict.fromkeys(_told(one) for one in found)) or "none so far"
        some = ", ".join(f"{name} {value!r}" for name, value in wanted.items() if value not in ("", None))
        raise SpecError([f"study {study!r} has no run of {some} that has begun; begun have: {known:.300}"])
    return next((one for one in fits if one.recalled), fits[0] if fits else None)


def _told(life: Life) -> str:
    return f"arm {life.arm}, seed {life.seed}, stream {life.stream}, order {life.order}"
