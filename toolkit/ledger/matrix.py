"""Scores of a study as runs x tasks: read by DuckDB from the runs' own files, without a row of a data frame between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.ledger.planned import lengths
from toolkit.ledger.rows import EPISODE, Row
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import from_lines, quoted

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

_ATTEMPTS = 5  # a log may be turned into Parquet between listing and reading


def matrices(ledger: Ledger, study: str, planned: Row, *, phase: str = "stream") -> dict[str, NDArray[np.float64]]:
    """The scores of each arm's runs in the order they met their tasks.

    Parameters
    ----------
    ledger, study
        Whose files.
    planned
        Its plan, or a part of it; see `toolkit.ledger.planned.only`.
    phase
        Which episodes; those of the stream are meant as a rule.

    Returns
    -------
    dict of ndarray of float, shape (R, T)
        Arms in the order of the plan, those without an episode left out. One row per planned run, sorted by stream,
        order and seed, so that rows of two arms are pairs; NaN where a run has no score, or has not come so far. T: up
        to the last task that any run of the arm has a score for, or the end of the shortest stream.
    """
    import duckdb

    runs = sorted(planned["runs"], key=lambda run: (run.get("stream", ""), run.get("order", ""), run["seed"]))
    rows = [run for arm in planned["arms"] for run in runs if run["arm"] == arm]
    folder = ledger.study(study).resolve() / "runs"
    tasks = min(lengths(planned).get(run.get("stream", planned["stream"]), 0) for run in rows) if rows else 0
    for attempt in range(_ATTEMPTS):
        try:
            with duckdb.connect() as con:
                whole = _filled(con, folder, rows, tasks, phase)
            break
        except duckdb.IOException:
            if attempt == _ATTEMPTS - 1:
                raise
    arms = [run["arm"] for run in rows]
    own = {arm: whole[arms.index(arm) :][: arms.count(arm)] for arm in dict.fromkeys(arms)}
    return {arm: matrix[:, :far] for arm, matrix in own.items() if (far := _length(matrix))}


def _filled(
    con: duckdb.DuckDBPyConnection, folder: Path, rows: Sequence[Row], tasks: int, phase: str
) -> NDArray[np.float64]:
    """All runs x tasks."""
    whole = np.full((len(rows), tasks), np.nan)
    narrow = "USMALLINT" if tasks <= 2**16 else "UINTEGER"  # fewer bytes to hand over
    for form, source in (("parquet", _shards), ("jsonl", _logs)):
        own = [place for place, run in enumerate(rows) if _form(folder / run["folder"]) == form]
        if not own:
            continue
        query = f"SELECT place, t::{narrow} AS t, score FROM ({source(folder, [rows[place] for place in own])})"
        told = con.execute(f"{query} WHERE phase = $1 AND t < $2", [phase, tasks]).fetchnumpy()
        place = told["place"] if len(own) == len(rows) else np.asarray(own)[told["place"]]
        whole[place, told["t"]] = np.ma.filled(told["score"], np.nan)
    return whole


def _form(folder: Path) -> str:
    """In which form a run's episodes are there, if they are."""
    return next((form for form in ("parquet", "jsonl") if (folder / f"episodes.{form}").exists()), "")


def _shards(folder: Path, runs: Sequence[Row]) -> str:
    listed = ", ".join(f"'{quoted(folder / run['folder'] / 'episodes.parquet')}'" for run in runs)
    return f"SELECT file_index::USMALLINT AS place, phase, t, score FROM read_parquet([{listed}])"


def _logs(folder: Path, runs: Sequence[Row]) -> str:
    paths = [str(folder / run["folder"] / "episodes.jsonl") for run in runs]
    lines = from_lines(paths, {name: EPISODE[name] for name in ("run", "phase", "t", "score")})
    listed = ", ".join(f"'{quoted(run['id'])}'" for run in runs)
    return f"SELECT list_position([{listed}], run) - 1 AS place, phase, t, score FROM ({lines})"


def _length(matrix: NDArray[np.float64]) -> int:
    """Tasks up to the last that any run has a score for."""
    length = int(matrix.shape[1])
    while length and np.isnan(matrix[:, length - 1]).all():
        length -= 1
    return length
