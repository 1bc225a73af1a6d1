"""From a study to an agent in live use: a finished run lived through once more from its tape, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.agents.diary import Diary
from toolkit.agents.identity import Identity
from toolkit.agents.live import LiveAgent
from toolkit.agents.opening import made
from toolkit.component import digest
from toolkit.episode import Episode
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.counterfactual import Counterfactuals
from toolkit.evaluation.design import Run
from toolkit.evaluation.judge import seated
from toolkit.evaluation.prequential import Bench, Pending, heard, iter_episodes, prepare
from toolkit.evaluation.run import record_of
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import Row, call_of, content, episode_row
from toolkit.ledger.tables import rows as rows_of
from toolkit.randomness import generator

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.ledger.call import Call


def live_agent(
    study: Study, arm: str, *, seed: int | None = None, stream: str = "", order: str = "", name: str = ""
) -> LiveAgent:
    """An agent in live use that has behind it what a finished run has: its memory and what it learned.

    Feedback that was still on its way when the stream ended is delivered. The run itself stays as it is. Asked
    again, the same agent goes on, with all that it has met since.

    Parameters
    ----------
    arm, seed, stream, order
        Which run; where several are meant, the first of the design.
    name
        What the agent is called from now on, see `toolkit.Agent.open`; empty = ``<study>-<arm>``.

    Raises
    ------
    SpecError
        If the study has no such run.
    LedgerError
        If the run is not finished, if it does not come to the same again (its code has changed since), or if there is
        another agent of that name.
    """
    run = _run(study, arm, seed, stream, order)
    folder = study.folder / "runs" / run.folder
    record = study.ledger.record(folder)
    if record is None or record.status != "finished":
        state = "has not begun" if record is None else f"is {record.status}"
        raise LedgerError(f"the run of arm {arm!r}, seed {run.seed}, {state}: run the study to its end (study.run())")
    identity = _identity(run)
    life = _lived(run, identity, folder, record.hash)
    return made(name or f"{study.name}-{arm}"[:40], identity, life.take(), study.ledger, life.embedded())


def _run(study: Study, arm: str, seed: int | None, stream: str, order: str) -> Run:
    """The one run that is meant; of several, the first of the design."""
    arms = [one.name for one in study.arms]
    if arm not in arms:
        raise SpecError([f"study {study.name!r} has no arm {arm!r}; {nearest(arm, arms)}"])
    asked = {"arm": arm, "seed": seed, "stream": stream, "order": order}
    for run in study.runs:
        told = {"arm": run.arm.name, "seed": run.seed, "stream": run.label, "order": run.order}
        if all(value in (None, "", told[key]) for key, value in asked.items()):
            if run.arm.decider.peeks:
                raise SpecError([f"arm {arm!r} is shown the right answers, which in live use nobody knows"])
            return run
    some = ", ".join(f"{key} {value!r}" for key, value in asked.items() if value not in (None, ""))
    raise SpecError([f"study {study.name!r} has no run of {some}; its seeds are {', '.join(map(str, study.seeds))}"])


def _identity(run: Run) -> Identity:
    options = {task.options for task, _ in run.stream.pairs()}
    return Identity(
        replace(run.arm, lm=None, channel=None),
        run.model,
        run.stream.step,
        options.pop() if len(options) == 1 else (),
        run.deciding,
        run.seeds,
        run.stream if run.model.scripted else None,
        {"study": run.study, "run": run.id, "arm": run.arm.name, "seed": run.seed, "order": run.order},
    )


def _lived(run: Run, identity: Identity, folder: Path, expected: str) -> Diary:
    """The run once more, from its tape; then the feedback that was still on its way is delivered."""
    pairs = run.stream.pairs()
    tape = [call_of(row) for row in rows_of(folder, "calls")]
    life = Diary(identity.arm, run.stream.step, run.model, run.deciding, run.seeds, engine=identity.absent(), tape=tape)
    prepare(life, run.stream.pool())
    life.tell(run.stream.told())
    asks = Counterfactuals(run.counterfactuals, run.seeds) if run.counterfactuals else None
    scorers, judging = seated(run, life, _nowhere, tape)
    channel, pending = heard(run.channel, life, lambda: None), Pending()
    bench = Bench(scorers, channel, generator(*run.seeds, "channel"), asks, judging)
    episodes = list(iter_episodes(life, [pairs[place] for place in run.places], bench, pending=pending))
    recorded = rows_of(folder, "episodes")
    if run.second is None:
        _insist(run, episodes, recorded, life.state(), expected)
        _deliver(life, identity, pending, len(run.places))
    else:
        life.decision.at("frozen", 0)
        for late in pending.rest():
            life.learn(late)
        _insist(run, episodes, recorded, life.state(), expected)
    return life


def _nowhere(call: Call) -> None:
    """A verdict that is no news: it stands on the run's tape."""


def _deliver(life: Diary, identity: Identity, pending: Pending, t: int) -> None:
    """What was still on its way; only where memory or learning ask the model is it needed for that."""
    life.decision.recorder.turn_to(identity.on_call())
    for place, late in enumerate(pending.rest()):
        life.decision.at("stream", t + place)
        life.learn(late)


def _insist(run: Run, episodes: Sequence[Episode], recorded: Sequence[Row], state: str, expected: str) -> None:
    """It came to what is recorded: the same answers, scores and cost, the same memory and steps in the end.

    Exams and a second pass teach nothing and are not lived through again: their rows are taken as they are.
    """
    told = record_of(run)
    lived = iter([episode_row(episode, told) for episode in episodes])
    rows = [content(next(lived, {}) if row["phase"] == "stream" else row) for row in recorded]
    if digest([rows, state]) != expected:
        raise LedgerError(
            f"the run of arm {run.arm.name!r}, seed {run.seed}, comes to something else than when it was recorded: its "
            "code has changed since ('toolkit replay' says where); run the study again, or use the version of then"
        )
