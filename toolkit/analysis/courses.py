"""How scores went along the stream: learning curves with bands over runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis.recorded import RUN, found, plan
from toolkit.ledger.planned import lengths, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import CurveBand, curve_band

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from toolkit.evaluation.study import Study


def learning_curves(
    study: Study | str, *, ledger: Ledger | None = None, window: int | None = None, level: float = 0.95
) -> dict[str, CurveBand]:
    """The course of each arm's score along the stream, with a band over runs.

    Parameters
    ----------
    window
        Tasks in the trailing mean; None = the running mean since the start.

    Returns
    -------
    dict
        Per arm a `CurveBand`; the band is NaN with fewer than two runs.
    """
    name, ledger = found(study, ledger)
    planned = plan(ledger, name)
    frame, _ = scores(ledger, name, planned)
    frame = frame[frame.t < min(lengths(planned).values())]  # beyond, the longer streams would be alone in the mean
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    return {arm: curve_band(_matrix(frame[frame.arm == arm]), level=level, window=window) for arm in arms}


def _matrix(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Scores as runs × tasks; NaN where a run has not come so far."""
    table = frame.pivot(index=RUN, columns="t", values="score")
    return np.asarray(table.to_numpy(dtype=float))
