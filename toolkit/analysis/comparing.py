"""The one `compare` for users: a study, results made elsewhere, or several of them side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from toolkit.analysis import across, contrasts, elsewhere
from toolkit.analysis.across import Across
from toolkit.analysis.comparison import Comparison
from toolkit.analysis.tidy import FILES
from toolkit.ledger.store import Ledger

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study


class Framed(Protocol):
    """A table of another library that pandas can take: of Polars, Arrow, DuckDB."""

    def to_pandas(self) -> Any:
        """The same as a pandas frame."""


@overload
def compare(
    given: Study | str,
    *,
    baseline: str = "",
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Comparison: ...


@overload
def compare(
    given: pd.DataFrame | Framed | Mapping[str, Sequence[object]] | Path,
    *,
    arm: str = "arm",
    task: str = "task",
    order: str = "",
    score: str = "score",
    baseline: str = "",
    session: str = "",
    stream: str = "",
    model: str = "",
    tokens: str = "",
    dollars: str = "",
    seed: str = "",
    level: float = 0.95,
) -> Comparison: ...


@overload
def compare(
    given: list[Study] | list[str] | list[Comparison] | list[Study | Comparison | str],
    *,
    baseline: str = "",
    metric: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Across: ...


def compare(given: Any, **rest: Any) -> Comparison | Across:
    """Arms against a baseline, with intervals that hold what they promise.

    Parameters
    ----------
    given
        What is compared:

        - a `Study`, or the name of one in a ledger: see `toolkit.analysis.contrasts.compare` for ``baseline``,
          ``metric``, ``stream``, ``level`` and ``ledger``;
        - a data frame, a dictionary of columns or a path (a text that ends in .csv, .parquet or .jsonl is one) with
          results made elsewhere, a row per arm, run and task: see `toolkit.analysis.elsewhere.compare` for the names
          of its columns, ``baseline`` and ``level``;
        - a list of studies, names and comparisons: a row for each stream, model and arm; see
          `toolkit.analysis.across.compare`.
    **rest
        As there.

    Returns
    -------
    Comparison or Across
        `Across` for a list. Both print as a table, and their ``frame`` has every number.

    Raises
    ------
    ToolkitError
        With what is wrong and the way out.
    TypeError
        If ``given`` is none of these, or an argument belongs to another kind of them.

    Examples
    --------
    >>> rows = {"arm": ["a"] * 3 + ["b"] * 3, "task": [1, 2, 3] * 2, "score": [0, 1, 0, 1, 1, 1]}
    >>> print(f"{compare(rows, baseline='a').row('b').difference.value:.2f}")
    0.67
    """
    if isinstance(given, str):
        return elsewhere.compare(given, **rest) if given.endswith(FILES) else contrasts.compare(given, **rest)
    if isinstance(given, os.PathLike | Mapping) or hasattr(given, "columns") or hasattr(given, "to_pandas"):
        return elsewhere.compare(given, **rest)
    if isinstance(given, list | tuple):
        rows = bool(given) and all(isinstance(one, Mapping) for one in given)
        return elsewhere.compare(given, **rest) if rows else across.compare(given, **rest)
    if hasattr(given, "ledger") and hasattr(given, "name"):
        return contrasts.compare(given, **rest)
    raise TypeError(f"compare takes a study, its name, a frame, a path or a list of studies, not {given!r:.80}")
