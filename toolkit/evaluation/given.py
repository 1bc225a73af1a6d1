"""The answers that a study has recorded, as they are put before whoever rates them: a model or people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.analysis.recorded import OWN, plan
from toolkit.errors import SpecError, nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only
from toolkit.ledger.rows import USABLE

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study
    from toolkit.ledger.store import Ledger

_QUERY = (
    "SELECT run, arm, stream, \"order\", seed, t, task, session, if(session = '', task, session) AS unit, inputs, "
    f"answer, status, outcome IS NOT NULL AS played, {USABLE} AS usable FROM episodes "
    f"WHERE {OWN} AND phase = 'stream' ORDER BY arm, stream, \"order\", seed, t"
)


def recorded(
    study: Study | str, ledger: Ledger | None, stream: str, baseline: str
) -> tuple[Study, dict[str, Any], pd.DataFrame, str]:
    """The study, its plan, its episodes, and the baseline."""
    if isinstance(study, str):
        from toolkit.evaluation.study import Study as Opened

        study = Opened.open(study, ledger=ledger)
    planned = only(plan(study.ledger, study.name), stream)
    rows = study.ledger.sql(_QUERY, [run["id"] for run in planned["runs"]], study.name)
    if rows.empty:
        raise LedgerError(f"study {study.name!r} has no episodes yet: run it first")
    if bool(rows.played.any()):
        raise SpecError(
            [f"study {study.name!r} plays in worlds: its episodes are no single answers that could be judged"]
        )
    base = baseline or str(planned["baseline"])
    if base not in set(rows.arm):
        raise LedgerError(f"the baseline {base!r} has no episodes; {nearest(base, sorted(set(rows.arm)))}")
    return study, planned, rows, base


def asked_of(row: dict[str, Any]) -> str:
    """The task as it was put, input by input."""
    return "\n".join(f"{name}: {text}" for name, text in dict(row["inputs"]).items())
