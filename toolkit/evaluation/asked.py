"""One recorded episode, and what the arm would have answered without one of the memories that it recalled.

The run is led once more, from its tape, to the moment of the answer; only the question without the memory is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from toolkit.display import visible
from toolkit.episode import Episode
from toolkit.errors import AnswerError, SpecError, nearest
from toolkit.evaluation.design import Run
from toolkit.evaluation.prequential import iter_episodes
from toolkit.evaluation.run import begun
from toolkit.ledger.asked import keep
from toolkit.ledger.call import Call
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import call_of
from toolkit.ledger.tables import rows as rows_of
from toolkit.records import Recall, Usage

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent
    from toolkit.analysis.played import Which
    from toolkit.evaluation.prequential import Bench
    from toolkit.evaluation.study import Study


@dataclass(frozen=True)
class Both:
    """An answer with all memories and one without some; prints as two lines."""

    left_out: tuple[str, ...]
    answer: str
    score: float
    other: str
    other_score: float

    def __repr__(self) -> str:
        told = ", ".join(self.left_out)
        return (
            f"as it was        {self.answer!r}, score {self.score:g}\n"
            f"without {told}: {self.other!r}, score {self.other_score:g}"
        )


class AskedAgain:
    """An episode of a study, at the moment of its answer.

    Attributes
    ----------
    episode
        The record: task, answer, scores, cost.
    recalled
        The memories that stood in the prompt, by id, as they stood there.
    """

    def __init__(self, episode: Episode, agent: Agent, bench: Bench, run: Run) -> None:
        self.episode = episode
        self._agent, self._bench, self._run = agent, bench, run
        self._recall = agent.context.recall

    @property
    def recalled(self) -> Mapping[str, str]:
        """By id."""
        notes = self._recall.notes.split("\n") if self._recall.notes else []
        told = dict(zip(self._recall.sources, notes, strict=False))
        cases = {one.source: f"{' '.join(one.inputs.values())} → {one.answer}" for one in self._recall.examples}
        return told | cases

    def without(self, *memories: str) -> Both:
        """Ask again with memories left out, all of them where none is named. The model is asked; nothing is recorded.

        Parameters
        ----------
        *memories
            Their ids, as in `recalled`; of a case its task's will do, as in the table of `toolkit.attribution`.

        Raises
        ------
        ValueError
            If one was not recalled, or the notes cannot be taken apart.
        """
        recall = self._recall if memories else Recall()
        for memory in memories:
            recall = recall.without(self._named(memory))
        task, key = self.episode.task, self._run.stream.pairs()[self._run.places[self.episode.t]][1]
        try:
            answer = self._agent.again(task, recall).answer
            score = self._bench.score(task, answer, key)
        except AnswerError as error:
            answer, score = f"({error.status})", 0.0
        return Both(memories or ("any memory",), self.episode.answer, self.episode.score, answer, score)

    def _named(self, memory: str) -> str:
        """The id of a recalled memory that is called by it, or by the task of its case."""
        pairs, places = self._run.stream.pairs(), self._run.places
        tasks = {pairs[place][0].id: f"stream/{t}" for t, place in enumerate(places[: self.episode.t])}
        return memory if memory in self.recalled else tasks.get(memory, memory)

    def __repr__(self) -> str:
        lines = [f"{self._run.arm.name}, seed {self._run.seed}, {self.episode.id}: {self.episode.task.text}"]
        lines += [f"  recalled {name}: {text}" for name, text in self.recalled.items()]
        return visible("\n".join([*lines, f"  answered {self.episode.answer!r}, score {self.episode.score:g}"]))


def asked_again(study: Study, arm: str, t: int, *, seed: int | None = None, stream: str = "") -> AskedAgain:
    """An episode of a study's stream, led to from the run's tape; see `AskedAgain`.

    Raises
    ------
    SpecError
        If there is no such run.
    LedgerError
        If the run has not come so far.
    """
    return _led_to(study, _run_of(study, arm, seed, stream), t, _nowhere)


def ask_without(study: Study, which: Which, *memories: str) -> Both:
    """Ask for a recorded answer again with memories left out, and keep what comes of it.

    The answer stands in the study's folder ``asked``, with the calls that it took; they are booked to judging, to no
    arm, and are no part of the study's budget. The run's own files stay as they are.

    Parameters
    ----------
    which
        An episode of the study's stream.
    *memories
        As in `AskedAgain.without`; all of them, where none is named.

    Raises
    ------
    SpecError
        If the study has no such run: it was made with other settings than those that the ledger holds; or if the
        episode was in a world, where there is no single answer to ask for.
    LedgerError
        If the run has not come so far.
    ValueError
        As `AskedAgain.without`.
    Outage
        If the model cannot be reached.
    """
    run = next((one for one in study.runs if one.id == which.run), None)
    if run is None:
        told = f"arm {which.arm!r}, seed {which.seed}, as it was recorded ({which.run[:12]})"
        raise SpecError([f"study {study.name!r} has no run of {told}: open it by its name, tk.Study.open"])
    if run.stream.plays:
        raise SpecError([f"{which.task!r} is a world: it was met with many actions, so there is no one answer to ask"])
    calls: list[Call] = []
    both = _led_to(study, run, which.t, calls.append).without(*memories)
    row = {"run": run.id, "t": which.t, "task": which.task, "left_out": list(memories)}
    row |= {"answer": both.other, "score": both.other_score}
    keep(study.folder, run.folder, row, calls, sum((call.usage for call in calls), Usage()))
    return both


def _led_to(study: Study, run: Run, t: int, write: Callable[[Call], None]) -> AskedAgain:
    """A run at the moment of an answer; ``write`` takes the calls that are made from there on."""
    folder = study.folder / "runs" / run.folder
    episodes = len(rows_of(folder, "episodes")) if folder.exists() else 0
    if not 0 <= t < min(episodes, len(run.places)):
        told = f"{min(episodes, len(run.places))} episodes recorded"
        raise LedgerError(f"arm {run.arm.name!r}, seed {run.seed} has no task {t}: {told}, counted from 0")
    engine = run.model.engine(run.stream) if run.arm.decider.uses_model else None
    agent, bench, _ = begun(run, engine, write, [call_of(row) for row in rows_of(folder, "calls")])
    pairs = run.stream.pairs()
    course = iter_episodes(agent, [pairs[place] for place in run.places[: t + 1]], bench)
    return AskedAgain(next(islice(course, t, None)), agent, bench, run)


def _run_of(study: Study, arm: str, seed: int | None, stream: str) -> Run:
    names = [one.name for one in study.arms]
    if arm not in names:
        raise SpecError([f"no arm is called {arm!r}; {nearest(arm, names)}"])
    own = [run for run in study.runs if run.arm.name == arm]
    runs = [run for run in own if stream in ("", run.label) and seed in (None, run.seed)]
    if not runs:
        held = ", ".join(dict.fromkeys(f"{run.seed} on {run.label}" for run in own))
        raise SpecError([f"arm {arm!r} has no run of seed {seed!r} on stream {stream or 'any'!r}; it has {held}"])
    return runs[0]


def _nowhere(call: Call) -> None:
    """What is asked here is no part of the run."""
