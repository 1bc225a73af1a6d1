"""From the ledger to answers: comparisons and curves, each number with its interval, its n and its doubts."""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import nearest
from toolkit.ledger import served
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import lengths, only, planned_tasks, scores
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import CurveBand, Estimate, curve_band, two_way, worst_case

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from toolkit.evaluation.study import Study

FEW_RUNS = 5
_OWN = "list_contains($1, run) AND study = $2"  # equal runs of other studies in the ledger have the same ids
_PAIRING = ["stream", "order", "seed", "phase", "task"]
_RUN = ["stream", "order", "seed"]  # what tells the runs of one arm apart


@dataclass(frozen=True)
class ArmRow:
    """One arm of a comparison.

    Parameters
    ----------
    arm, on, model
        Its name, the traits that are switched on, and what it ran on.
    score
        Mean main score over its episodes, with an interval.
    difference
        Paired difference to the baseline on jointly completed tasks; None for the baseline itself.
    bounds
        What the difference could be at worst and at best if the missing pairs were anything.
    episodes, runs, failed
        Episodes recorded, runs finished, episodes without a usable answer (they score 0).
    tokens, calls, seconds, dollars
        Means for one task: tokens in and out, model calls, model latency, price. Adapting is included. Dollars are
        NaN where the price of any call is not known.
    adapting_tokens
        The part of ``tokens`` that memory and learning spent.
    labels
        Labels that one run saw, those before the first task included.
    doubts
        What a reader should hold against this row; empty when all is well.
    """

    arm: str
    on: tuple[str, ...]
    model: str
    score: Estimate
    difference: Estimate | None
    bounds: tuple[float, float]
    episodes: int
    runs: int
    failed: int
    tokens: float
    adapting_tokens: float
    calls: float
    seconds: float
    dollars: float
    labels: float
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Arms against a baseline. Prints as a table; `frame` has every number."""

    study: str
    baseline: str
    rows: tuple[ArmRow, ...]
    level: float
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per arm, every number a column."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def row(self, arm: str) -> ArmRow:
        """The row of one arm."""
        for row in self.rows:
            if row.arm == arm:
                return row
        raise KeyError(f"no arm is called {arm!r}; {nearest(arm, [row.arm for row in self.rows])}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["arm", "score", f"difference to {self.baseline}", "interval", "pairs", "runs", "tokens/task"]
        head += ["labels/run", "$/1k tasks", "s/task", "doubts"]
        return head, [_cells(row) for row in self.rows]

    def __str__(self) -> str:
        head, body = self.table()
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head) - 1)]
        lines = []
        for first, *cells, doubts in [head, *body]:
            shown = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append("  ".join([first.ljust(widths[0]), *shown, doubts]).rstrip())
        lines.insert(1, "-" * min(160, max(map(len, lines))))
        return "\n".join([*lines, "", *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, body = self.table()
        top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in body)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>{notes}"


def plan(ledger: Ledger, study: str) -> Row:
    """What a study set out to do, as it stands in its ``plan.json``."""
    found: Row = json.loads((ledger.find(study) / "plan.json").read_text(encoding="utf-8"))
    return found


def episodes(ledger: Ledger, study: str) -> pd.DataFrame:
    """Every episode of a study's present design so far, one row each; see the view ``episodes``."""
    query = f"SELECT * FROM episodes WHERE {_OWN} ORDER BY arm, seed, phase, t"
    return ledger.sql(query, [run["id"] for run in plan(ledger, study)["runs"]], study)


def compare(
    study: Study | str,
    *,
    baseline: str = "",
    metric: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Comparison:
    """Each arm of a study against its baseline, on the same tasks in the same orders.

    The interval is the two-way cluster-robust t interval: runs (orders) and sessions are crossed, since every order
    goes over the same sessions. It speaks of new orders and new sessions like these, of this stream and this model. Of
    several streams every episode counts the same; a seed on two streams is two runs, sessions of one name one cluster.

    Parameters
    ----------
    study
        A `Study`, or the name of one in ``ledger``.
    baseline
        Another arm to compare with.
    metric
        Another than the main one: recorded beside it, or computed later (`toolkit rescore`), which then counts.
    stream
        Only this one of several streams, as it is called in the table ``episodes``.
    level
        Coverage of the intervals, in (0, 1).

    Raises
    ------
    LedgerError
        If there is no such study, or nothing has been recorded yet.
    """
    name, ledger = (study, ledger or Ledger()) if isinstance(study, str) else (study.name, study.ledger)
    planned = only(plan(ledger, name), stream)
    baseline = baseline or str(planned["baseline"])
    ids = [run["id"] for run in planned["runs"]]
    frame, computed = scores(ledger, name, planned, metric)
    runs = ledger.sql(f"SELECT * FROM runs WHERE {_OWN} ORDER BY arm, seed", ids, name)
    if frame.empty:
        raise LedgerError(f"study {name!r} has no episodes yet: run it first")
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    if baseline not in arms:
        raise LedgerError(f"the baseline {baseline!r} has no episodes; {nearest(baseline, arms)}")
    wanted = {arm: sum(run["arm"] == arm for run in planned["runs"]) for arm in arms}
    tasks = {arm: planned_tasks(planned, arm) for arm in arms}
    rows = tuple(_row(frame, runs, arm, baseline, level, wanted[arm], tasks[arm]) for arm in arms)
    return Comparison(name, baseline, rows, level, (*_notes(planned, runs, level), *computed))


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
    name, ledger = (study, ledger or Ledger()) if isinstance(study, str) else (study.name, study.ledger)
    planned = plan(ledger, name)
    frame, _ = scores(ledger, name, planned)
    frame = frame[frame.t < min(lengths(planned).values())]  # beyond, the longer streams would be alone in the mean
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    return {arm: curve_band(_matrix(frame[frame.arm == arm]), level=level, window=window) for arm in arms}


def _matrix(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Scores as runs × tasks; NaN where a run has not come so far."""
    table = frame.pivot(index=_RUN, columns="t", values="score")
    return np.asarray(table.to_numpy(dtype=float))


def _row(
    frame: pd.DataFrame, runs: pd.DataFrame, arm: str, baseline: str, level: float, wanted: int, tasks: int
) -> ArmRow:
    """One arm's row; ``wanted`` runs of ``tasks`` tasks in all were planned."""
    own = frame[frame.arm == arm]
    ran = runs[runs.arm == arm]
    unit = "session" if bool((own.unit != own.task).any()) else "task"
    score = two_way(own.score, _runs(own), own.unit, level=level, unit=unit)
    difference, bounds, missing, pairs = None, (math.nan, math.nan), 0, 0
    if arm != baseline:
        other = frame[frame.arm == baseline]
        both = own.merge(other, on=_PAIRING, how="outer", suffixes=("", "_base"))
        gap = both.score - both.score_base
        pairs = int(gap.notna().sum())
        missing = tasks - pairs
        units = both.unit.fillna(both.unit_base)
        difference = two_way(gap, _runs(both), units, level=level, unit=unit)
        bounds = worst_case(difference.value, pairs, missing) if pairs else (-1.0, 1.0)
    first = ran.iloc[0]
    return ArmRow(
        arm=arm,
        on=tuple(first.traits),
        model=str(first.model),
        score=score,
        difference=difference,
        bounds=bounds,
        episodes=len(own),
        runs=int((ran.status == "finished").sum()),
        failed=int(own.failed.sum()),
        tokens=float(own.tokens.mean()),
        adapting_tokens=float(own.adapting_tokens.mean()),
        calls=float(own.calls.mean()),
        seconds=float(own.seconds.mean()),
        dollars=float(own.dollars.mean(skipna=False)),
        labels=float((own.labels.sum() + ran.labels_before.sum()) / max(1, len(ran))),
        doubts=tuple(_doubts(own, ran, score, difference, missing, pairs, bounds, wanted)),
    )


def _runs(frame: pd.DataFrame) -> list[str]:
    """Which run each row belongs to, the same for all arms."""
    return [f"{stream} {order} {seed}" for stream, order, seed in frame[_RUN].itertuples(index=False)]


def _doubts(
    own: pd.DataFrame,
    ran: pd.DataFrame,
    score: Estimate,
    difference: Estimate | None,
    missing: int,
    pairs: int,
    bounds: tuple[float, float],
    wanted: int,
) -> list[str]:
    found = []
    if bool(ran.scripted.any()):
        found.append("scripted model: plays a known skill, says nothing about a real one")
    if len(ran) < wanted:
        found.append(f"{wanted - len(ran)} runs not begun")
    unfinished = ran[ran.status != "finished"]
    found += [f"{count} runs {status}" for status, count in unfinished.status.value_counts().items()]
    found += _budget_stops(unfinished)
    shown = difference or score
    if shown.reason:
        found.append(shown.reason)
    if score.runs < FEW_RUNS and "run" not in shown.reason:
        found.append(f"only {score.runs} runs")
    if missing:
        low, high = bounds
        found.append(f"{missing} of {pairs + missing} pairs missing: the difference may be {low:+.2f} to {high:+.2f}")
    failed = int(own.failed.sum())
    if failed:
        found.append(f"{failed} episodes without a usable answer")
    cut = int((own.status == "truncated").sum())
    if cut:
        found.append(f"{cut} answers truncated")
    return [*found, *served.doubts(own, ran)]


def _budget_stops(unfinished: pd.DataFrame) -> list[str]:
    """Which limits stopped runs, e.g. ``budget stop: tokens``; see `toolkit.evaluation.budget`."""
    stops = unfinished.error[unfinished.error.str.startswith("budget stop: ", na=False)]
    return sorted({": ".join(told.split(": ", 2)[:2]) for told in stops})


def _notes(planned: Row, runs: pd.DataFrame, level: float) -> tuple[str, ...]:
    used = runs[runs.uses_model]
    found = [
        f"Intervals: two-way cluster-robust t, {level:.0%}, runs (orders) crossed with sessions; they speak of new "
        f"orders of new sessions of {planned['stream']} for {planned['model']}, and of nothing else."
    ]
    if len(used):
        ways = f"Closed options are decided by {planned['deciding']}, for all arms."
        found.append(f"{ways} Feedback: {planned['channel']}.")
        if bool((used.temperature == 0).all()):
            found.append(served.cold(used))
    if len(_several(planned)) > 1:
        found.append(f"Episodes of {', '.join(_several(planned))} are pooled; one by one: compare(stream=...).")
    taken = runs.reused_from.fillna("")
    for other in sorted(set(taken[taken != ""])):
        found.append(f"{int((taken == other).sum())} of {len(planned['runs'])} runs reused from study {other}.")
    if stops := _budget_stops(runs[runs.status != "finished"]):
        found.append(f"A limit was reached before the study was finished ({', '.join(stops)}): a higher one goes on.")
    if bool(runs.scripted.any()):
        found.append("SCRIPTED MODEL: answers were drawn with planted probabilities; a rehearsal, not a finding.")
    return tuple(found)


def _several(planned: Row) -> list[str]:
    """The streams that a plan's runs go over."""
    return list(dict.fromkeys(run.get("stream", planned["stream"]) for run in planned["runs"]))


def _flat(row: ArmRow) -> dict[str, object]:
    gap = row.difference
    nothing = math.nan
    return {
        "arm": row.arm,
        "on": "+".join(row.on),
        "model": row.model,
        "score": row.score.value,
        "score_low": row.score.low,
        "score_high": row.score.high,
        "difference": gap.value if gap else nothing,
        "low": gap.low if gap else nothing,
        "high": gap.high if gap else nothing,
        "p_value": gap.p_value if gap else nothing,
        "worst": row.bounds[0],
        "best": row.bounds[1],
        "pairs": gap.n if gap else row.score.n,
        "units": gap.clusters if gap else row.score.clusters,
        "episodes": row.episodes,
        "runs": row.runs,
        "failed": row.failed,
        "tokens": row.tokens,
        "adapting_tokens": row.adapting_tokens,
        "calls": row.calls,
        "labels": row.labels,
        "dollars": row.dollars,
        "seconds": row.seconds,
        "method": (gap or row.score).method,
        "target": (gap or row.score).target,
        "doubts": "; ".join(row.doubts),
    }


def _cells(row: ArmRow) -> list[str]:
    gap = row.difference
    return [
        row.arm,
        _number(row.score.value, ".3f"),
        "baseline" if gap is None else _number(gap.value, "+.3f"),
        _interval(row.score, ".3f") if gap is None else _interval(gap, "+.3f"),
        str(gap.n if gap else row.score.n),
        str(row.runs),
        _number(row.tokens, ".0f"),
        _number(row.labels, ".0f"),
        _number(row.dollars * 1000, ".2f"),
        _number(row.seconds, ".2f"),
        "; ".join(row.doubts),
    ]


def _interval(estimate: Estimate, form: str) -> str:
    return f"[{_number(estimate.low, form)}, {_number(estimate.high, form)}]"


def _number(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)
