"""What a reader should know of the servers that answered a study's calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import names

if TYPE_CHECKING:
    import pandas as pd


def doubts(own: pd.DataFrame, ran: pd.DataFrame) -> Iterator[str]:
    """What to hold against the server that answered."""
    ignored = _named(ran.adapted)
    if ignored:
        yield f"the provider did not do as asked: {', '.join(ignored)}"
    servers = _named(ran.servers)
    if len(servers) > 1:
        yield f"{len(servers)} versions of the model answered: {names(servers)}"
    unpriced = int(own.dollars.isna().sum())
    if unpriced:
        yield f"the price of {unpriced} episodes is not known: give the model dollars_in and dollars_out"


def _named(lists: pd.Series[Any]) -> list[str]:
    """What stands in any of the lists, sorted; older runs have none."""
    return sorted({str(one) for each in lists if isinstance(each, list | np.ndarray) for one in each})


def cold(used: pd.DataFrame) -> str:
    """What temperature 0 means for the repeats of a study."""
    if any(one.startswith("temperature ") for one in _named(used.adapted)):
        return "Temperature 0 was asked for but not used: repeats vary the order of tasks and the model's own draws."
    if _named(used.servers):
        return (
            "At temperature 0 seeds vary the order of tasks; a served model may also answer the same request in more "
            "than one way, which adds to that."
        )
    return "At temperature 0 the model draws nothing: seeds vary the order of tasks only."
