"""What a study set out to do and what it has recorded: where every analysis begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, two_way

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

OWN = "list_contains($1, run) AND study = $2"  # equal runs of other studies in the ledger have the same ids
RUN = ["stream", "order", "seed"]  # what tells the runs of one arm apart
PAIRING = [*RUN, "phase", "task"]  # what tells the episodes of one arm apart


def found(study: Study | str, ledger: Ledger | None) -> tuple[str, Ledger]:
    """The name of a study and the ledger that holds it."""
    return (study, ledger or Ledger()) if isinstance(study, str) else (study.name, study.ledger)


def plan(ledger: Ledger, study: str) -> Row:
    """What a study set out to do, as it stands in its ``plan.json``."""
    found: Row = json.loads((ledger.find(study) / "plan.json").read_text(encoding="utf-8"))
    return found


def episodes(ledger: Ledger, study: str) -> pd.DataFrame:
    """Every episode of a study's present design so far, one row each; see the view ``episodes``."""
    query = f"SELECT * FROM episodes WHERE {OWN} ORDER BY arm, seed, phase, t"
    return ledger.sql(query, [run["id"] for run in plan(ledger, study)["runs"]], study)


def crossed(frame: pd.DataFrame, values: pd.Series[float], level: float) -> Estimate:
    """The mean of values, one for each of the episodes in ``frame``, runs crossed with their sessions (or tasks)."""
    return two_way(values, runs_of(frame), frame.unit, level=level, unit=unit_of(frame))


def runs_of(frame: pd.DataFrame) -> list[str]:
    """Which run each row belongs to, by the same name for all arms."""
    return [f"{stream} {order} {seed}" for stream, order, seed in frame[RUN].itertuples(index=False)]


def unit_of(frame: pd.DataFrame) -> str:
    """What the clusters of ``frame.unit`` are: ``"session"``, or ``"task"`` where each task is one of its own."""
    return "session" if bool((frame.unit != frame.task).any()) else "task"
