"""What a run has learned, taken out of it: to be saved, looked at, or given to another arm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis import versions
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.prequential import iter_episodes
from toolkit.evaluation.run import begun
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import call_of
from toolkit.ledger.tables import rows as rows_of
from toolkit.traits.learning import Given

if TYPE_CHECKING:
    from toolkit.evaluation.design import Run
    from toolkit.evaluation.study import Study
    from toolkit.ledger.call import Call
    from toolkit.ledger.store import Ledger


def learned(
    study: Study | str,
    arm: str,
    *,
    seed: int | None = None,
    version: int | None = None,
    stream: str = "",
    order: str = "",
    ledger: Ledger | str | Path | None = None,
) -> Given:
    """What the prompts of a run carried at its last task, as a learner that never changes; `Given.save` keeps it.

    Of whatever learner: the run is lived through once more from its tape, without the model and without writing.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    arm, seed, stream, order
        Which run; where several are meant, the first of the design.
    version
        Another than the one that stood in the last prompt, by its number in `toolkit.versions`.

    Returns
    -------
    Given
        Use it as ``tk.Arm("tuned-elsewhere", learning=...)``. An agent that learns goes on learning by
        `Study.agent` instead.

    Raises
    ------
    SpecError
        If the study has no such arm, run or version.
    LedgerError
        If the run has not recorded a task yet.
    """
    if isinstance(study, str):
        from toolkit.evaluation.study import Study as Opened

        study = Opened.open(study, ledger=ledger)
    run = _run(study, arm, seed, stream, order)
    if version is not None:
        found = versions(study, arm=arm, seed=run.seed, stream=run.label, order=run.order)
        return Given.of(found.row(version).learned)
    folder = study.folder / "runs" / run.folder
    recorded = [row for row in rows_of(folder, "episodes") if row["phase"] == "stream"] if folder.exists() else []
    if not recorded:
        raise LedgerError(f"arm {arm!r}, seed {run.seed} has recorded no task yet: run the study first (study.run())")
    agent, bench, _ = begun(run, None, _nowhere, [call_of(row) for row in rows_of(folder, "calls")])
    pairs = run.stream.pairs()
    for _ in iter_episodes(agent, [pairs[place] for place in run.places[: len(recorded)]], bench):
        pass  # only where it leads to is wanted
    return Given.of(agent.learning.learned())


def _run(study: Study, arm: str, seed: int | None, stream: str, order: str) -> Run:
    """The run that is meant; of several, the first of the design."""
    names = [one.name for one in study.arms]
    if arm not in names:
        raise SpecError([f"study {study.name!r} has no arm {arm!r}; {nearest(arm, names)}"])
    for run in study.runs:
        told = {"seed": run.seed, "stream": run.label, "order": run.order}
        wanted = {"seed": seed, "stream": stream or None, "order": order or None}
        if run.arm.name == arm and all(value in (None, told[key]) for key, value in wanted.items()):
            return run
    raise SpecError(
        [f"arm {arm!r} has no run of seed {seed!r} {stream} {order}; its seeds are {', '.join(map(str, study.seeds))}"]
    )


def _nowhere(call: Call) -> None:
    """All that is asked here stands on the tape."""
