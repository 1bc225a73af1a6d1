"""Carrying out one run: from its specification to rows in its own folder and a summary."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from toolkit.episode import Episode
from toolkit.errors import Outage, Stopped
from toolkit.evaluation.budget import Budget, Free, purse
from toolkit.evaluation.counterfactual import Counterfactuals
from toolkit.evaluation.design import Run
from toolkit.evaluation.exams import examiner
from toolkit.evaluation.frozen import iter_frozen
from toolkit.evaluation.judge import seated
from toolkit.evaluation.prequential import Bench, Pending, heard, iter_episodes, prepare, worlds_of
from toolkit.ledger.call import Call
from toolkit.ledger.disk import Unwritable, held, writing
from toolkit.ledger.rows import RunRecord, episode_row
from toolkit.ledger.store import Ledger, RunFolder, write_atomically
from toolkit.randomness import generator
from toolkit.streams.channel import Wait

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent
    from toolkit.lm.model import Engine, Model
    from toolkit.lm.tape import Recorder

Command = Literal["run", "pause", "stop"]
_opening = threading.Lock()  # runs that begin together would only get in one another's way
_LOOK = 0.05  # seconds between two looks at what was commanded


class Control:
    """``control.json`` of a study: how anyone steers it while it runs.

    Parameters
    ----------
    path
        The file; absent means ``"run"``.
    """

    _known: ClassVar[dict[Path, tuple[float, str]]] = {}  # by file: when it was looked at last, and what it said

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """The command now in force; all runs of a process together look at the file 20 times a second."""
        looked, command = self._known.get(self.path, (-_LOOK, "run"))
        now = time.monotonic()
        if now - looked >= _LOOK:
            command = self._read()
            self._known[self.path] = now, command
        return command

    def write(self, command: Command, why: str = "") -> None:
        """Give a command; ``why`` is what runs say of themselves that end by it, if it is not just someone's wish."""
        told = {"command": command, **({"why": why} if why else {})}
        write_atomically(self.path, json.dumps(told) + "\n", synced=False)
        self._known[self.path] = time.monotonic(), command

    def _read(self, key: str = "command", usual: str = "run") -> str:
        try:
            return str(json.loads(self.path.read_text(encoding="utf-8")).get(key, usual))
        except FileNotFoundError:
            return usual

    def obey(self) -> None:
        """Wait while paused.

        Raises
        ------
        Stopped
            If the study is to stop.
        """
        while (command := self.read()) == "pause":
            time.sleep(0.1)
        if command == "stop":
            raise Stopped(self._read("why", "the study was asked to stop; run it again to go on"))


def record_of(run: Run) -> RunRecord:
    """What is known of a run before it begins."""
    uses = run.arm.decider.uses_model
    return RunRecord(
        study=run.study,
        run=run.id,
        arm=run.arm.name,
        seed=run.seed,
        stream=run.label or run.stream.label,
        order=run.order,
        tasks=len(run.places),
        model=run.model.label if uses else "none",
        adapter=run.model.adapter if uses else "",
        deciding=run.deciding if uses else "",
        temperature=run.model.temperature if uses else 0.0,
        scripted=uses and run.model.scripted,
        uses_model=uses,
        traits=run.arm.on,
    )


def carry_out(
    run: Run, study: Path, on_episode: Callable[[Episode], None] | None = None, budget: Budget | None = None
) -> RunRecord:
    """Carry out a run, or go on with it where it was cut off, or return what it came to.

    Whoever else is at work on the same run, in whatever process, is waited for: a scheduler may take a worker for dead
    that is not.

    Parameters
    ----------
    run
        What to do.
    study
        The study's folder; the run writes below ``runs/`` there.
    on_episode
        Is told of each episode once it is recorded.
    budget
        The study's; see `toolkit.evaluation.budget`.

    Returns
    -------
    RunRecord
        Its status: ``finished``; ``suspended`` (the model could not be reached, or the ledger takes no more; go on
        later); ``stopped`` (by hand, or by a budget); or ``failed`` (memory, learner, scorer or the bench raised;
        ``error`` says what, ``error.txt`` where).
    """
    try:
        with held(study / "locks" / run.folder):
            return _carry_out(run, study, on_episode, budget or Budget())
    except Unwritable as error:  # before it could begin
        return replace(record_of(run), status="suspended", error=str(error))


def _carry_out(run: Run, study: Path, on_episode: Callable[[Episode], None] | None, budget: Budget) -> RunRecord:
    known = Ledger(study.parents[1]).record(study / "runs" / run.folder)
    if known is not None and known.status == "finished":
        return known
    control = Control(study / "control.json")
    money = purse(study, budget, run, control.obey)
    try:
        control.obey()
        money.check()
    except Stopped as error:  # a run that has not begun leaves no folder behind
        return replace(known or record_of(run), status="stopped", error=str(error))
    with _opening:
        folder = RunFolder(study / "runs" / run.folder, record_of(run))
    try:
        with _opening:
            tape = folder.open()
            folder.note(folder.record)
        record = _ended(lambda: _pass(run, folder, tape, control, money, on_episode), folder)
        money.close()
        _conclude(folder, record)
    except Unwritable as error:
        record = replace(folder.record, status="suspended", hash="", error=str(error))
        with suppress(Unwritable):
            folder.close()
        with suppress(Unwritable):  # there may be room for so little
            folder.note(record)
    return record


def give_up(run: Run, study: Path, budget: Budget, why: str) -> RunRecord:
    """Note that a run failed whose workers died of it; what it recorded stays.

    A run that had come to its end when its worker died has not failed: it is returned as it is.
    """
    with held(study / "locks" / run.folder):
        known = Ledger(study.parents[1]).record(study / "runs" / run.folder) or record_of(run)
        if known.status == "finished":
            return known
        record = replace(known, status="failed", error=why)
        RunFolder(study / "runs" / run.folder, record).note(record)
        purse(study, budget, run, lambda: None).close()
    return record


def _ended(course: Callable[[], RunRecord], folder: RunFolder) -> RunRecord:
    """What a run came to, however it ended."""
    try:
        return course()
    except Stopped as error:
        return replace(folder.record, status="stopped", error=str(error))
    except (Outage, Unwritable) as error:
        return replace(folder.record, status="suspended", error=str(error))
    except Exception as error:  # noqa: BLE001  (whatever it was: this run fails loudly, the others go on)
        with writing(folder.folder):
            (folder.folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        return replace(folder.record, status="failed", error=f"{type(error).__name__}: {error}"[:1000])


def _conclude(folder: RunFolder, record: RunRecord) -> None:
    if record.status == "finished":
        folder.finish(record)
    else:
        folder.close()
        folder.note(record)


def _pass(
    run: Run,
    folder: RunFolder,
    tape: list[Call],
    control: Control,
    money: Free,
    on_episode: Callable[[Episode], None] | None,
) -> RunRecord:
    engine = run.model.engine(run.stream) if run.arm.decider.uses_model else None
    money.begin(tape)
    agent, bench, labels = begun(
        run, money.engine(engine, run.model), money.kept(folder.call), tape, money.engine, control.obey
    )
    recorder, pairs = agent.decision.recorder, run.stream.pairs()
    recorders = (recorder, *bench.judging)
    pending = Pending()
    exam = examiner(run.exams, agent, pairs, run.places, bench) if run.exams else None
    first = iter_episodes(agent, [pairs[place] for place in run.places], bench, pending=pending, exam=exam)
    course = chain(first, _second(run, agent, recorder, money, bench, pending))
    record, done = folder.record, 0
    try:
        for episode in course:
            money.insist()
            folder.episode(episode_row(episode, record))
            done += 1
            if on_episode is not None:
                on_episode(episode)
            if done < run.length:
                control.obey()
    finally:  # however it ended: what is known of the run goes as far as its last episode
        folder.record = replace(
            record,
            episodes=done,
            labels_before=labels,
            replayed=sum(one.replayed for one in recorders),
            servers=tuple(dict.fromkeys(name for one in recorders for name in one.servers)),
            adapted=tuple(dict.fromkeys(note for one in recorders for note in one.adapted)),
        )
    return replace(folder.record, status="finished", hash=folder.hash(agent.state()))


def begun(
    run: Run,
    engine: Engine | None,
    write: Callable[[Call], None],
    tape: Sequence[Call],
    metered: Callable[[Engine | None, Model], Engine | None] = lambda engine, model: engine,
    wait: Wait = lambda: None,
) -> tuple[Agent, Bench, int]:
    """The agent before its first task, prepared; its bench; and the labels it was given.

    ``metered`` puts the engine of a judge behind the run's purse; that of the run's own model is there already.
    ``wait`` is called now and then while a person is waited for, and may raise.
    """
    from toolkit.agents.agent import Agent
    from toolkit.agents.decision import Decision
    from toolkit.lm.tape import Recorder

    recorder = Recorder(run.model, engine, (*run.seeds, "repeat", run.arm.repeat), write, tape)
    agent = Agent(run.arm, run.stream.step, Decision(run.model, run.deciding, recorder), run.seeds)
    if agent.decider.peeks:
        agent.decider.reveal({task.id: key.answers[0] for task, key in run.stream.pairs()})
    labels = prepare(agent, run.stream.pool())
    agent.tell(run.stream.told())
    channel = heard(run.channel, agent, wait)
    asks = Counterfactuals(run.counterfactuals, run.seeds) if run.counterfactuals else None
    scorers, judging = seated(run, agent, write, tape, metered)
    drawn = generator(*run.seeds, "channel")
    return agent, Bench(scorers, channel, drawn, asks, judging, worlds_of(run.stream), run.seeds), labels


def _second(
    run: Run, agent: Agent, recorder: Recorder, money: Free, bench: Bench, pending: Pending
) -> Iterator[Episode]:
    """The second pass, if the run has one."""
    if run.second is None:
        return
    pairs = run.second.pairs()
    if run.second is not run.stream:
        if agent.decider.uses_model:
            recorder.turn_to(money.engine(run.model.engine(run.second), run.model))
        if agent.decider.peeks:
            agent.decider.reveal({task.id: key.answers[0] for task, key in pairs})
        agent.step = run.second.step
        bench = replace(bench, worlds=worlds_of(run.second))
    yield from iter_frozen(agent, [pairs[place] for place in run.second_places], bench, pending)


def again(run: Run, folder: RunFolder, tape: list[Call]) -> RunRecord:
    """Carry out a run once more from its tape alone, into a folder that is open; nobody steers it.

    Raises
    ------
    TapeError
        Where the tape ends, or holds another request.
    Exception
        Whatever memory, learner or scorer raises.
    """
    return _pass(run, folder, tape, Control(folder.folder / "control.json"), Free(), None)
