"""A study's plan, and what its runs were recorded to score: what every analysis starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.errors import nearest
from toolkit.ledger import later
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import USABLE, Row
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import quoted

if TYPE_CHECKING:
    import pandas as pd


def lengths(planned: Mapping[str, Any]) -> dict[str, int]:
    """How many tasks each stream of a plan has, by what it is called."""
    streams = planned.get("streams") or [{"label": planned["stream"], "tasks": planned["tasks"]}]
    return {stream["label"]: len(stream["tasks"]) for stream in streams}


def planned_tasks(planned: Row, arm: str) -> int:
    """How many episodes the runs of an arm come to when all are finished."""
    return sum(run.get("tasks", len(planned["tasks"])) for run in planned["runs"] if run["arm"] == arm)


def scored_by(planned: Mapping[str, Any]) -> tuple[str, ...]:
    """A study's metrics, the main one first; of a judge, which model and which prompt."""
    by = {one["metric"]: f"{one['model']}, prompt {one['prompt'][:12]}" for one in planned.get("judges", ())}
    return tuple(f"{name} ({by[name]})" if name in by else str(name) for name in planned["scorers"])


def heard(planned: Mapping[str, Any]) -> str:
    """What agents are told of their answers, and which arms are told something else."""
    own = {name: arm["channel"] for name, arm in planned["arms"].items() if "channel" in arm}
    told = [f"{name}: {channel}" for name, channel in own.items() if channel != planned["channel"]]
    return "; ".join([str(planned["channel"]), *told])


def only(planned: Row, stream: str) -> Row:
    """A plan with the runs on one of its streams alone; the whole plan if none is named.

    Raises
    ------
    LedgerError
        If it has no such stream.
    """
    known = lengths(planned)
    if not stream:
        return planned
    if stream not in known:
        raise LedgerError(f"study {planned['study']!r} has no stream called {stream!r}; {nearest(stream, known)}")
    runs = [run for run in planned["runs"] if run.get("stream", stream) == stream]
    return planned | {"stream": stream, "runs": runs}


def scores(
    ledger: Ledger, study: str, planned: Row, metric: str = "", phase: str = "stream"
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Episodes of a plan's runs with scores, tokens and costs; and in words whose scores, if not the main metric's.

    Figures of the metric that were computed later count before those recorded when the runs ran.

    Raises
    ------
    LedgerError
        If the metric was neither recorded nor computed later.
    """
    ids = [run["id"] for run in planned["runs"]]
    frame = _recorded(ledger, study, ids, f"scores['{quoted(metric)}']" if metric else "score", phase)
    if not metric:
        return frame, ()
    found = later.figures(ledger, study, ids, metric)
    if not found.empty:
        keys = ["run", "phase", "t"]
        both = frame.drop(columns="score").merge(found[[*keys, "score"]], on=keys, how="left")
        return both, (later.told(found, metric),)
    if metric not in planned["scorers"]:
        raise LedgerError(
            f"study {study!r} has no metric {metric!r}; {nearest(metric, planned['scorers'])} "
            f"('toolkit rescore {study} --metric {metric}' computes one from the recorded answers)"
        )
    return frame, (as_recorded(metric),)


def as_recorded(metric: str) -> str:
    """The note on a metric that was recorded when the runs ran."""
    return f"Scores: {metric}, as recorded."


def _recorded(ledger: Ledger, study: str, ids: Sequence[str], score: str, phase: str) -> pd.DataFrame:
    cost = "acting_{0} + adapting_{0}"  # judging is the bench's own, not what the arm costs
    return ledger.sql(
        "SELECT run, arm, seed, stream, \"order\", phase, t, task, if(session = '', task, session) AS unit, status, "
        f"{score} AS score, {cost.format('calls')} AS calls, {cost.format('seconds')} AS seconds, "
        f"{cost.format('dollars')} AS dollars, "
        f"{cost.format('input_tokens')} + {cost.format('output_tokens')} AS tokens, "
        "adapting_input_tokens + adapting_output_tokens AS adapting_tokens, labels, "
        f"NOT {USABLE} AS failed FROM episodes WHERE list_contains($1, run) AND study = $2 AND phase = $3 "
        'ORDER BY arm, stream, "order", seed, t',
        list(ids),
        study,
        phase,
    )
