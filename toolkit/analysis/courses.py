"""How scores went along the stream: learning curves, regret, slopes at the end, recovery after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.analysis.recorded import found, plan
from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.matrix import matrices
from toolkit.ledger.planned import only
from toolkit.ledger.store import Ledger
from toolkit.stats import (
    CurveBand,
    Estimate,
    Recovery,
    cumulative_band,
    curve_band,
    recovery_time,
    slope_last_third,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from toolkit.evaluation.study import Study


def learning_curves(
    study: Study | str,
    *,
    ledger: Ledger | None = None,
    window: int | None = None,
    fading: float | None = None,
    stream: str = "",
    level: float = 0.95,
) -> dict[str, CurveBand]:
    """The course of each arm's score along the stream, with a band over runs.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    window
        Tasks in the trailing mean; None = the running mean since the start.
    fading
        In its place: the weight of a task relative to the next, in (0, 1].
    stream
        Only this one of several streams; else all, as far as the shortest goes: beyond, the longer ones would be alone
        in the mean.
    level
        Coverage of the band at each task by itself, in (0, 1).

    Returns
    -------
    dict
        Per arm a `CurveBand`; the band is NaN with fewer than two runs.

    Raises
    ------
    LedgerError
        If there is no such study or stream.
    ValueError
        As `toolkit.stats.curve_band`.
    """
    own, _ = _scores(study, ledger, stream)
    return {arm: curve_band(matrix, level=level, window=window, fading=fading) for arm, matrix in own.items()}


def regret(
    study: Study | str,
    *,
    baseline: str = "",
    since: int = 0,
    ledger: Ledger | None = None,
    stream: str = "",
    level: float = 0.95,
) -> dict[str, CurveBand]:
    """What each arm has lost to the baseline so far, summed along the stream, with a band over runs.

    Parameters
    ----------
    baseline
        Another arm than the study's own; empty = that one.
    since
        Tasks that are left out from the front, as those before a change.
    study, ledger, stream, level
        As in `learning_curves`.

    Returns
    -------
    dict
        Per arm but the baseline a `CurveBand` in units of score: the sum, over the tasks so far, of the baseline's
        score less the arm's in the run that met the same tasks in the same order. Below 0 the arm has gained.

    Raises
    ------
    LedgerError
        As `learning_curves`, and for a baseline without episodes.
    """
    own, gaps = _scores(study, ledger, stream, baseline)
    return {arm: cumulative_band(-gap[:, since:], level=level) for arm, gap in gaps.items() if arm in own}


def slopes(
    study: Study | str, *, baseline: str = "", ledger: Ledger | None = None, stream: str = "", level: float = 0.95
) -> dict[str, Estimate]:
    """Score gained per task over the last third of the stream, of each arm and of its difference to the baseline.

    Parameters
    ----------
    baseline
        Another arm than the study's own; empty = that one.
    study, ledger, stream, level
        As in `learning_curves`.

    Returns
    -------
    dict
        An `Estimate` by arm, and one by ``"ARM - BASELINE"``; see `toolkit.stats.slope_last_third`. It is the last
        third of the tasks met so far: of a study that was cut off, not of its stream.

    Raises
    ------
    LedgerError
        As `regret`.
    """
    own, gaps = _scores(study, ledger, stream, baseline)
    base = next(arm for arm in own if arm not in gaps)
    found = {**own, **{f"{arm} - {base}": gap for arm, gap in gaps.items()}}
    return {name: slope_last_third(matrix, level=level) for name, matrix in found.items()}


def recovery(
    study: Study | str,
    at: int | None = None,
    *,
    window: int = 20,
    tolerance: float = 0.0,
    ledger: Ledger | None = None,
    stream: str = "",
    level: float = 0.95,
) -> dict[str, Recovery]:
    """Tasks that each arm needs, after the tasks have changed, to be back at its own level before.

    Parameters
    ----------
    at
        How many tasks every run has met before the change; None = the first that the stream declares, see
        `toolkit.Stream.drifts` and `drifts`. Orders keep a change that was declared in its place; for one that was
        not, use ``order="given"``. Each arm's tasks end, for this, where the next declared change comes.
    window, tolerance
        As in `toolkit.stats.recovery_time`.
    study, ledger, stream, level
        As in `learning_curves`.

    Returns
    -------
    dict
        Per arm a `Recovery`: the median over runs with an interval, and how many runs were back at all.

    Raises
    ------
    LedgerError
        As `learning_curves`; without ``at``, also where no change was declared.
    ValueError
        As `toolkit.stats.recovery_time`.
    """
    own, _ = _scores(study, ledger, stream)
    told = drifts(study, ledger=ledger, stream=stream) if at is None else declared(study, ledger, stream)
    start = told[0] if at is None else at
    end = next((place for place in told if place > start), None)
    how = {"tolerance": tolerance, "level": level}
    return {arm: recovery_time(matrix[:, :end], start, window=window, **how) for arm, matrix in own.items()}


def drifts(study: Study | str, *, ledger: Ledger | None = None, stream: str = "") -> tuple[int, ...]:
    """How many tasks every run has met before each change that a study's streams declare, from its plan.

    Parameters
    ----------
    study, ledger, stream
        As in `learning_curves`.

    Raises
    ------
    LedgerError
        If there is no such study or stream, none is declared, or several streams declare different ones.
    """
    if told := declared(study, ledger, stream):
        return told
    raise LedgerError(
        f"no stream of study {found(study, ledger)[0]!r} declares where it drifts; "
        "give the change as at=, or its class a drifts()"
    )


def declared(study: Study | str, ledger: Ledger | None, stream: str) -> tuple[int, ...]:
    """As `drifts`, but nothing where none is declared."""
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    rows = [row for row in planned.get("streams", ()) if not stream or row["label"] == stream]
    told = {row["label"]: tuple(row.get("drifts", ())) for row in rows}
    if len(set(told.values())) > 1:
        raise LedgerError(f"the streams of study {name!r} drift at different places: {told}; name one as stream=")
    return next(iter(told.values()), ())


Matrices = dict[str, "NDArray[np.float64]"]


def _scores(study: Study | str, ledger: Ledger | None, stream: str, baseline: str = "") -> tuple[Matrices, Matrices]:
    """Scores of each arm as runs × tasks, and those of every other arm less the baseline's, run by run."""
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    own = matrices(ledger, name, planned)
    base = baseline or str(planned["baseline"])
    if base not in own:
        if baseline:
            raise LedgerError(f"the baseline {base!r} has no episodes; {nearest(base, own)}")
        return own, {}
    gaps = {}
    for arm, matrix in own.items():
        far = min(matrix.shape[1], own[base].shape[1])
        if arm != base:
            gaps[arm] = matrix[:, :far] - own[base][:, :far]
    return own, gaps
