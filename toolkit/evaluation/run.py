"""Carrying out one run: from its specification to rows in its own folder and a summary."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from toolkit.errors import Outage, Stopped
from toolkit.evaluation.design import Run
from toolkit.evaluation.prequential import Bench, iter_episodes, prepare
from toolkit.ledger.rows import RunRecord, episode_row
from toolkit.ledger.store import RunFolder, write_atomically
from toolkit.randomness import generator
from toolkit.records import Call, Episode
from toolkit.streams.channel import Channel
from toolkit.streams.scoring import scorer_by_name

Command = Literal["run", "pause", "stop"]


class Control:
    """``control.json`` of a study: how anyone steers it while it runs.

    Parameters
    ----------
    path
        The file; absent means ``"run"``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen, self._command = -1, "run"

    def read(self) -> str:
        """The command now in force; the file is read only when it has changed."""
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return "run"
        if changed != self._seen:
            self._command = str(json.loads(self.path.read_text(encoding="utf-8")).get("command", "run"))
            self._seen = changed
        return self._command

    def write(self, command: Command) -> None:
        """Give a command."""
        write_atomically(self.path, json.dumps({"command": command}) + "\n")

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
            raise Stopped("the study was asked to stop; run it again to go on")


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


def carry_out(run: Run, study: Path, on_episode: Callable[[Episode], None] | None = None) -> RunRecord:
    """Carry out a run, or go on with it where it was cut off, or return what it came to.

    Parameters
    ----------
    run
        What to do.
    study
        The study's folder; the run writes below ``runs/`` there.
    on_episode
        Is told of each episode once it is recorded.

    Returns
    -------
    RunRecord
        Its status: ``finished``; ``suspended`` (the model could not be reached; go on later); ``stopped``; or
        ``failed`` (memory, learner, scorer or the bench raised; ``error`` says what, ``error.txt`` where).
    """
    control = Control(study / "control.json")
    try:
        control.obey()
    except Stopped as error:  # a run that has not begun leaves no folder behind
        return replace(record_of(run), status="stopped", error=str(error))
    folder = RunFolder(study / "runs" / run.folder, record_of(run))
    tape = folder.open()
    folder.note(folder.record)
    try:
        record = _pass(run, folder, tape, control, on_episode)
    except Stopped as error:
        record = replace(folder.record, status="stopped", error=str(error))
    except Outage as error:
        record = replace(folder.record, status="suspended", error=str(error))
    except Exception as error:  # noqa: BLE001  (whatever it was: this run fails loudly, the others go on)
        (folder.folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        record = replace(folder.record, status="failed", error=f"{type(error).__name__}: {error}"[:1000])
    if record.status == "finished":
        folder.finish(record)
    else:
        folder.close()
        folder.note(record)
    return record


def _pass(
    run: Run, folder: RunFolder, tape: list[Call], control: Control, on_episode: Callable[[Episode], None] | None
) -> RunRecord:
    from toolkit.agents.agent import Agent
    from toolkit.agents.decision import Decision
    from toolkit.lm.tape import Recorder

    pairs = run.stream.pairs()
    engine = run.model.engine(run.stream) if run.arm.decider.uses_model else None
    recorder = Recorder(run.model, engine, (*run.seeds, "repeat", run.arm.repeat), folder.call, tape)
    agent = Agent(run.arm, run.stream.step, Decision(run.model, run.deciding, recorder), run.seeds)
    if agent.decider.peeks:
        agent.decider.reveal({task.id: key.answers[0] for task, key in pairs})
    labels = prepare(agent, run.stream.pool())
    channel = run.channel
    if not isinstance(channel, Channel):
        raise TypeError(f"{channel!r} is no channel")
    bench = Bench(scorer_by_name(run.scorers), channel, generator(*run.seeds, "channel"))
    course = iter_episodes(agent, [pairs[place] for place in run.places], bench)
    record, done = folder.record, 0
    try:
        for episode in course:
            folder.episode(episode_row(episode, record))
            done += 1
            if on_episode is not None:
                on_episode(episode)
            if done < len(run.places):
                control.obey()
    finally:  # however it ended: what is known of the run goes as far as its last episode
        folder.record = replace(
            record,
            episodes=done,
            labels_before=labels,
            replayed=recorder.replayed,
            servers=recorder.servers,
            adapted=recorder.adapted,
        )
    return replace(folder.record, status="finished", hash=folder.hash(agent.state()))


def again(run: Run, folder: RunFolder, tape: list[Call]) -> RunRecord:
    """Carry out a run once more from its tape alone, into a folder that is open; nobody steers it.

    Raises
    ------
    TapeError
        Where the tape ends, or holds another request.
    Exception
        Whatever memory, learner or scorer raises.
    """
    return _pass(run, folder, tape, Control(folder.folder / "control.json"), None)
