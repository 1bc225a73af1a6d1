"""Figures computed later from recorded answers: kept beside the runs, apart from what was recorded when they ran."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.ledger.parquet import replace_parquet
from toolkit.ledger.rows import RESCORED, Row
from toolkit.ledger.store import Ledger

if TYPE_CHECKING:
    import pandas as pd

FILE = "rescored.parquet"
_OWN = "list_contains($1, run) AND study = $2"


def figures(ledger: Ledger, study: str, runs: Sequence[str], metric: str = "") -> pd.DataFrame:
    """What was computed later for a study's runs: one row an episode and metric; of one metric if it is named."""
    only = "AND metric = $3" if metric else ""
    query = f"SELECT * FROM rescored WHERE {_OWN} {only} ORDER BY metric, run, phase, t"
    return ledger.sql(query, list(runs), study, *([metric] if metric else []))


def told(found: pd.DataFrame, metric: str) -> str:
    """When and by which scorer figures were computed, in words."""
    days = " and ".join(sorted({day[:10] for day in found.computed}))
    marks = " and ".join(sorted({mark[:12] for mark in found.scorer}))
    return (
        f"Scores: {metric}, computed later, on {days}, from the recorded answers of {found.run.nunique()} runs "
        f"(scorer {marks}); agents heard what was scored when they ran."
    )


def read(folder: Path) -> list[Row]:
    """What was computed later for one run, as it stands in its folder."""
    if not (folder / FILE).exists():
        return []
    import pyarrow.parquet as pq

    rows: list[Row] = pq.ParquetFile(folder / FILE).read().to_pylist()
    return rows


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Replace what was computed later for one run."""
    replace_parquet(rows, folder / FILE, RESCORED)
