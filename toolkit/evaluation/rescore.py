"""Metrics computed later, from the answers that a study has recorded: never what agents heard, nor in a hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from toolkit.analysis import plan
from toolkit.component import registered
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.code import import_code
from toolkit.evaluation.spec import streams_of
from toolkit.ledger import later
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import Row, outcome_of
from toolkit.ledger.store import Ledger
from toolkit.records import Key, Task
from toolkit.streams.scoring import Scorer, name_of, scorer_by_name

_HELD_OUT = ""  # no stream is called so
Pairs = Mapping[str, tuple[Task, Key]]


@dataclass(frozen=True, slots=True)
class Rescored:
    """What came of computing one metric.

    Parameters
    ----------
    metric, scorer
        Its name, and the fingerprint of the scorer that computed it.
    written, kept
        Runs whose figures were computed now, and runs that had them from this scorer already.
    waiting
        Runs that are not finished, hence left out.
    differ
        Episodes whose figure is not what was recorded when the run ran; None where nothing was.
    """

    metric: str
    scorer: str
    written: int
    kept: int
    waiting: int
    differ: int | None

    def __str__(self) -> str:
        told = f"{self.metric}: computed for {self.written} runs, there already for {self.kept}"
        told += f"; {self.waiting} runs are not finished and were left out" if self.waiting else ""
        return told if self.differ is None else f"{told}; {self.differ} episodes differ from what was recorded"


def rescore(
    study: str, metrics: Sequence[str], *, ledger: Ledger | None = None, code: Sequence[str | Path] = ()
) -> list[Rescored]:
    """Compute metrics for every finished run of a study, from its recorded answers; see the view ``rescored``.

    What a run has from the same scorer already is left as it is. An episode without an answer scores 0, as it did.

    Parameters
    ----------
    study, ledger
        Its name in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    metrics
        Names of scorers.
    code
        Python files that define scorers, beside the study's own code.

    Raises
    ------
    LedgerError
        If there is no such study, or the keys are not to be had: its data are gone, or are other data now.
    SpecError
        If there is no such scorer, or it asks a model (`toolkit.Judge`).
    """
    ledger = ledger or Ledger()
    planned = plan(ledger, study)
    keys = _keys(ledger, study, planned)
    import_code([Path(file) for file in code])
    asking = [name_of(cls) for cls in registered("scorer").values() if issubclass(cls, Scorer) and cls.asks]
    if found := [name for name in metrics if name in asking]:
        raise SpecError(
            f"{name!r} asks a model, and nothing is asked here: name it among the scorers of a study and run that "
            "(--name for another); compare(metric=...) shows what a run has recorded of it"
            for name in found
        )
    scorers = scorer_by_name(metrics)
    return [_rescore(ledger, study, planned, keys, scorer) for scorer in scorers]


def _keys(ledger: Ledger, study: str, planned: Row) -> dict[str, Pairs]:
    """Tasks and keys of each stream, and of the one held out, by task id; only of the content that the study ran on."""
    folder = ledger.find(study)
    wanted = planned.get("streams") or [{"label": planned["stream"], "fingerprint": planned["stream_fingerprint"]}]
    if planned.get("second_pass", {}).get("kind") == "held-out":
        wanted = [*wanted, planned["second_pass"]]
    known = {stream.fingerprint(): stream for stream in streams_of(folder)}
    found: dict[str, Pairs] = {}
    for row in wanted:
        stream = known.get(row["fingerprint"])
        if stream is None:
            raise LedgerError(
                f"the data of stream {row['label']!r} are not those that study {study!r} was run on: put the old ones "
                f"back where {folder / 'study.toml'} says, or its answers cannot be scored"
            )
        label = _HELD_OUT if row is planned.get("second_pass") else row["label"]
        found[label] = {task.id: (task, key) for task, key in stream.pairs()}
    return found


def _rescore(ledger: Ledger, study: str, planned: Row, keys: Mapping[str, Pairs], scorer: Scorer) -> Rescored:
    mark, at = scorer.fingerprint(), datetime.now(UTC).isoformat(timespec="seconds")
    written = kept = waiting = 0
    for run in planned["runs"]:
        folder = ledger.study(study) / "runs" / run["folder"]
        record = ledger.record(folder)
        if record is None or record.status != "finished":
            waiting += 1
            continue
        old = later.read(folder)
        own = [row for row in old if row["metric"] == scorer.name]
        if len(own) == record.episodes and all(row["scorer"] == mark for row in own):
            kept += 1
            continue
        pairs = keys[run.get("stream", planned["stream"])]
        of = {"stream": pairs, "exam": pairs, "frozen": keys.get(_HELD_OUT, pairs)}
        new = [row | {"scorer": mark, "computed": at} for row in _figures(ledger, study, run["id"], of, scorer)]
        later.write(folder, [row for row in old if row["metric"] != scorer.name] + new)
        written += 1
    return Rescored(scorer.name, mark, written, kept, waiting, _differ(ledger, study, planned, scorer.name))


def _figures(ledger: Ledger, study: str, run: str, of: Mapping[str, Pairs], scorer: Scorer) -> Iterator[Row]:
    """One row an episode, scored as the loop scores."""
    query = (
        "SELECT run, phase, t, task, answer, outcome, "
        "len(turns) > 0 AND (outcome IS NULL OR status = 'ok') AS answered FROM episodes "
        "WHERE run = $1 AND study = $2 ORDER BY phase, t"
    )
    for row in ledger.sql(query, run, study).to_dict("records"):
        pairs = of[row["phase"]]
        if row["task"] not in pairs:
            raise LedgerError(f"run {run[:12]} has an episode on task {row['task']!r}; {nearest(row['task'], pairs)}")
        task, key = pairs[row["task"]]
        judged = row["answer"] if row["outcome"] is None else outcome_of(row["outcome"]).text
        score = scorer(task, judged, key) if row["answered"] else 0.0
        told = {name: row[name] for name in ("run", "phase", "t", "task")}
        yield told | {"metric": scorer.name, "score": None if score != score else score}


def _differ(ledger: Ledger, study: str, planned: Row, metric: str) -> int | None:
    """How many episodes were recorded with another score under this name."""
    if metric not in planned["scorers"]:
        return None
    found = ledger.sql(
        "SELECT count(*) AS n FROM rescored r JOIN episodes e USING (study, run, phase, t, task) "
        "WHERE study = $1 AND metric = $2 AND list_contains($3, run) AND e.scores[$2] IS DISTINCT FROM r.score",
        study,
        metric,
        [run["id"] for run in planned["runs"]],
    )
    return int(found.n[0])
