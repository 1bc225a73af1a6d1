"""From a run in MLflow back to the study whose it is."""

from __future__ import annotations

from pathlib import Path

from toolkit.evaluation.extend import opened
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import target
from toolkit.ledger.tracked import STUDY, asked, remembered, run_id


def study_of(run: str, *, ledger: Ledger | str | Path | None = None, tracking: str = "") -> Study:
    """The study that one of MLflow's runs shows: an arm's with its seed, or the study's own.

    The ledger knows which runs show its studies; where it does not, the tags of the run are read.
    The other way round, ``study.mlflow().runs`` has MLflow's id of each run of a study.

    Parameters
    ----------
    run
        MLflow's id of the run, or the address of its page.
    ledger
        Where the study is kept.
    tracking
        Where MLflow has the run, as of `Study`.

    Raises
    ------
    ValueError
        If that is no id.
    TrackingError
        If MLflow does not know the run, or cannot be asked.
    LedgerError
        If the run is none of the toolkit's, or its study is not in this ledger.

    Examples
    --------
    >>> study_of("0123", ledger="ledger")
    Traceback (most recent call last):
    ValueError: a run of MLflow's must be 32 hexadecimal digits, or its page's address, but is '0123'
    """
    wanted, kept = run_id(run), ledger if isinstance(ledger, Ledger) else Ledger(ledger)
    for name in kept.names():
        if any(place.holds(wanted) for place in remembered(kept.study(name))):
            return opened(name, kept, tracking)
    where = target(tracking, kept.root)
    if not where.uri or (where.own and not (kept.root / "mlflow.db").exists()):
        raise LedgerError(
            f"no study in {kept.root} is shown by MLflow's run {wanted}: give ledger= that of its study, or tracking= "
            "where MLflow has it"
        )
    name = asked(where, wanted).get(STUDY, "")
    if not name:
        raise LedgerError(
            f"MLflow's run {wanted} does not say of which study it is: if the toolkit made it, bring it up to date "
            "with toolkit track NAME"
        )
    return opened(name, kept, tracking)
