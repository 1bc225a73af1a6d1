"""Results made elsewhere, checked: a frame of whatever origin becomes one row per arm, run and task, or is refused."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import SpecError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

REQUIRED = ("arm", "task", "score")
OPTIONAL = ("order", "seed", "session", "stream", "model", "tokens", "dollars")
NUMBERS = ("score", "tokens", "dollars")
FILES = (".csv", ".parquet", ".jsonl")
_LARGEST = 1e100  # beyond, sums of squares overflow
_CELLS = 50_000_000  # runs x units of one arm: the interval holds them as a dense table, 400 MB


def tidy(source: object, columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame of results with the columns of `REQUIRED` and `OPTIONAL`, and ``run``: what tells an arm's runs apart.

    Labels are text, "" where there are none; numbers are floats, NaN where there are none. A ``unit`` is the session,
    or the task where there is none.

    Parameters
    ----------
    source
        See `toolkit.analysis.elsewhere.compare`.
    columns
        Which column plays which part; "" = the one that is called like the part, if there is one.

    Raises
    ------
    SpecError
        Listing every mistake found.
    """
    frame = opened(source)
    named, mistakes = _named(frame, columns)
    if mistakes:
        raise SpecError(mistakes)
    found = _converted(frame, named, mistakes)
    if not mistakes:
        mistakes += _strange_rows(found)
    if mistakes:
        raise SpecError(mistakes)
    return found


def opened(source: object) -> pd.DataFrame:
    """What is given, as a pandas frame.

    Raises
    ------
    SpecError
        If it is no table, or a file that is not there or cannot be read.
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, str | os.PathLike):
        return _file(Path(source))
    if hasattr(source, "to_pandas"):  # Polars, Arrow, DuckDB's relations
        return opened(source.to_pandas())
    if isinstance(source, Mapping) or (
        isinstance(source, Sequence) and all(isinstance(row, Mapping) for row in source)
    ):
        try:
            return pd.DataFrame(source)
        except (ValueError, TypeError) as error:
            raise SpecError([f"the columns make no table: {error}; give lists of one length"]) from error
    raise SpecError([f"results are a data frame, a dictionary of columns or a path, not {type(source).__name__}"])


def _file(path: Path) -> pd.DataFrame:
    import pandas as pd

    if path.suffix not in FILES:
        raise SpecError([f"{path} must end in {', '.join(FILES)}; other results: toolkit.read_results"])
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path, lines=True)
    except FileNotFoundError:
        raise SpecError([f"there is no file {path}; relative paths begin at {Path.cwd()}"]) from None
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors, Arrow's are as well
        raise SpecError([f"{path} cannot be read: {error}"]) from error


def _named(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The column of each part, and what is wrong with them."""
    known = list(frame.columns)
    named: dict[str, str] = {}
    mistakes: list[str] = []
    for role in (*REQUIRED, *OPTIONAL):
        column = columns.get(role, "") or role
        if column in known:
            named[role] = column
            if known.count(column) > 1:
                mistakes.append(f"{known.count(column)} columns are called {column!r}; rename all but one")
        elif role in REQUIRED or columns.get(role):
            mistakes.append(
                f"there is no column {column!r}; {nearest(column, map(str, known)):.300} (name it with {role}=...)"
            )
    parts = [named[role] for role in REQUIRED if role in named]
    if len(set(parts)) < len(parts):
        mistakes.append(f"arm, task and score must be different columns but are {', '.join(parts)}")
    if not len(frame):
        mistakes.append("there are no rows; a comparison needs results of at least two arms")
    return named, mistakes


def _converted(frame: pd.DataFrame, named: Mapping[str, str], mistakes: list[str]) -> pd.DataFrame:
    import pandas as pd

    parts: dict[str, Any] = {}
    for role in (*REQUIRED, *OPTIONAL):
        empty: Any = math.nan if role in NUMBERS else ""
        if role not in named:
            parts[role] = np.full(len(frame), empty, dtype=float if role in NUMBERS else object)
        elif role in NUMBERS:
            parts[role] = _numbers(frame[named[role]], named[role], mistakes)
        else:
            parts[role] = _labels(frame[named[role]], named[role], role in REQUIRED, mistakes)
    found = pd.DataFrame(parts)
    found["run"] = (found.order + " " + found.seed).str.strip()
    found["unit"] = found.session.where(found.session != "", found.task)
    return found


def _labels(column: pd.Series[Any], name: str, required: bool, mistakes: list[str]) -> NDArray[np.object_]:
    missing = column.isna().to_numpy()
    if required and missing.any():
        first = int(np.flatnonzero(missing)[0])
        mistakes.append(f"{name} is missing in {missing.sum()} rows, first in row {first}; name it or drop the rows")
    values = column.astype(object).to_numpy()
    return np.array(["" if gone else str(value) for value, gone in zip(values, missing, strict=True)], dtype=object)


def _numbers(column: pd.Series[Any], name: str, mistakes: list[str]) -> NDArray[np.float64]:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        found = np.asarray(column.to_numpy(dtype=float))
    else:
        missing = column.isna().to_numpy()
        read = [math.nan if gone else _number(v) for v, gone in zip(column.astype(object), missing, strict=True)]
        wrong = [place for place, value in enumerate(read) if value is None]
        if wrong:
            shown = repr(column.iloc[wrong[0]])[:60]
            mistakes.append(
                f"{name} must hold numbers but row {wrong[0]} has {shown} ({len(wrong)} such rows); "
                "convert them, and leave missing ones empty"
            )
        found = np.array([math.nan if value is None else value for value in read], dtype=float)
    large = np.flatnonzero(np.abs(found) > _LARGEST)
    if len(large):
        mistakes.append(
            f"{name} must be at most {_LARGEST:g} in size but row {large[0]} has {found[large[0]]}; "
            "leave missing ones empty, rescale the others"
        )
    return found


def _number(value: object) -> float | None:
    """The value as a float; None if it is no number."""
    if not isinstance(value, Real | Decimal | np.bool_):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _strange_rows(found: pd.DataFrame) -> list[str]:
    """What makes rows unfit for a comparison although each is well formed."""
    arms = found.arm.unique()
    if len(arms) < 2:
        return [f"a comparison needs two arms but all rows are of {arms[0]!r}; see the column that names the arm"]
    return [*_twice(found), *_odd_runs(found), *_odd_models(found)]


def _twice(found: pd.DataFrame) -> list[str]:
    keys = ["arm", "stream", "run", "task"]
    again = found.duplicated(keys, keep=False)
    if not again.any():
        return []
    counts = found[again].groupby(keys, sort=False).size()
    shown = [
        f"{arm!r}, {f'run {run!r}, ' * bool(run)}{task!r}: {n} rows"
        for (arm, _, run, task), n in counts.head(3).items()
    ]
    return [
        f"an arm has one row per run and task, but {len(counts)} have more ({'; '.join(shown)}); "
        "say which run a row is of (order=... or seed=...), or average them"
    ]


def _odd_runs(found: pd.DataFrame) -> list[str]:
    mistakes = []
    blank = found.run.eq("").groupby(found.arm).mean()
    for arm in blank[(blank > 0) & (blank < 1)].index:
        mistakes.append(f"some rows of arm {arm!r} have no order; give it in all of them, or (one run) in none")
    sizes = found.groupby(["arm", "stream", "run"]).size()
    if len(sizes) > 2 * found.arm.nunique() and sizes.max() == 1 and found.task.nunique() > 2:
        mistakes.append("each order holds one task: order=... must name the run (such as its seed), not the row")
    for arm, own in found.groupby("arm"):
        cells = (own.stream + " " + own.run).nunique() * own.unit.nunique()
        if cells > _CELLS:
            mistakes.append(f"arm {arm!r} has {cells:,} runs x tasks, above {_CELLS:,}; name sessions, or fewer runs")
            break
    return mistakes


def _odd_models(found: pd.DataFrame) -> list[str]:
    several = found.groupby("arm").model.unique()
    for arm, models in several[several.map(len) > 1].items():
        shown = ", ".join(sorted(map(repr, models))[:4])
        return [
            f"arm {arm!r} ran on several models ({shown}); compare them one by one, or make the model part of the arm"
        ]
    return []
