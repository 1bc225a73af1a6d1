"""Rows: how episodes, calls and runs stand in files, with one explicit schema for JSON lines, Parquet and DuckDB."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

from toolkit.component import canonical
from toolkit.episode import Episode
from toolkit.ledger.call import Call
from toolkit.moves import Outcome, Tally
from toolkit.records import Change, Usage

Row: TypeAlias = dict[str, Any]
"""One flat record as it is written; its keys are those of the schema beside it."""

RunStatus = Literal["running", "finished", "suspended", "stopped", "failed"]

FORMAT = 1
"""Version of the files below; part of every run's identity.

It is raised when an old file can no longer be read, or would mean something else. A column that is merely new does not
raise it: views read it as null from older files, and `content` leaves it out of a run's hash where it says nothing.
"""

USABLE = "(status = 'ok' OR (status = 'truncated' AND len(turns) > 0))"
"""In SQL: an episode has an answer that could be scored. One that was cut off has it if it could still be read."""

_COST = {
    "calls": "BIGINT",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "reused_tokens": "BIGINT",
    "reasoning_tokens": "BIGINT",
    "seconds": "DOUBLE",
    "dollars": "DOUBLE",
}

EPISODE = {
    "run": "VARCHAR",
    "arm": "VARCHAR",
    "seed": "BIGINT",
    "stream": "VARCHAR",
    "order": "VARCHAR",
    "phase": "VARCHAR",
    "t": "BIGINT",
    "task": "VARCHAR",
    "session": "VARCHAR",
    "user": "VARCHAR",
    "inputs": "MAP(VARCHAR, VARCHAR)",
    "status": "VARCHAR",
    "answer": "VARCHAR",
    "score": "DOUBLE",
    "scores": "MAP(VARCHAR, DOUBLE)",
    "oracle": "DOUBLE",
    "feedback_score": "DOUBLE",
    "correction": "VARCHAR",
    "critique": "VARCHAR",
    "due": "BIGINT",
    "labels": "BIGINT",
    "error": "VARCHAR",
    **{f"{kind}_{name}": dtype for kind in ("acting", "adapting", "judging") for name, dtype in _COST.items()},
    "turns": "STRUCT(step VARCHAR, answer VARCHAR, blocks VARCHAR[], recalled VARCHAR[])[]",
    "counterfactuals": "STRUCT(instead VARCHAR, memory VARCHAR, answer VARCHAR, status VARCHAR, score DOUBLE)[]",
    "preferred": "VARCHAR[]",
    "changes": "STRUCT(kind VARCHAR, number BIGINT, fate VARCHAR, why VARCHAR, instruction VARCHAR, notes VARCHAR, "
    "examples VARCHAR, steps VARCHAR, program VARCHAR)[]",
    "weighed": "STRUCT(answer VARCHAR, confidence DOUBLE, threshold DOUBLE, explored BOOLEAN, score DOUBLE)",
    "outcome": "STRUCT(ended VARCHAR, steps BIGINT, reward DOUBLE, cost DOUBLE, prompts BIGINT, invalid BIGINT, "
    "unauthorised BIGINT, interruptions BIGINT, ticks BIGINT, reached DOUBLE, score DOUBLE, best_steps BIGINT, "
    "questions BIGINT, useful BIGINT, blockers BIGINT, found BIGINT, hits BIGINT, false_alarms BIGINT, misses BIGINT, "
    "silences BIGINT, lead DOUBLE)",
    "moves": "STRUCT(cause VARCHAR, seen VARCHAR, action VARCHAR, reward DOUBLE, refused VARCHAR, manner VARCHAR, "
    "prompts BIGINT, thought VARCHAR)[]",
}

CALL = {
    "run": "VARCHAR",
    "phase": "VARCHAR",
    "t": "BIGINT",
    "step": "VARCHAR",
    "ordinal": "BIGINT",
    "purpose": "VARCHAR",
    "hash": "VARCHAR",
    "status": "VARCHAR",
    "answer": "VARCHAR",
    "prompt": "STRUCT(role VARCHAR, text VARCHAR)[]",
    "response": "VARCHAR",
    "seed": "BIGINT",
    "memo": "BOOLEAN",
    "error": "VARCHAR",
    "server": "VARCHAR",
    "adapted": "VARCHAR[]",
    **_COST,
}

RUN = {
    "study": "VARCHAR",
    "run": "VARCHAR",
    "arm": "VARCHAR",
    "seed": "BIGINT",
    "stream": "VARCHAR",
    "order": "VARCHAR",
    "tasks": "BIGINT",
    "status": "VARCHAR",
    "episodes": "BIGINT",
    "labels_before": "BIGINT",
    "hash": "VARCHAR",
    "model": "VARCHAR",
    "adapter": "VARCHAR",
    "deciding": "VARCHAR",
    "temperature": "DOUBLE",
    "scripted": "BOOLEAN",
    "uses_model": "BOOLEAN",
    "traits": "VARCHAR[]",
    "replayed": "BIGINT",
    "error": "VARCHAR",
    "servers": "VARCHAR[]",
    "adapted": "VARCHAR[]",
    "reused_from": "VARCHAR",
}

RESCORED = {
    "run": "VARCHAR",
    "phase": "VARCHAR",
    "t": "BIGINT",
    "task": "VARCHAR",
    "metric": "VARCHAR",
    "score": "DOUBLE",
    "scorer": "VARCHAR",
    "computed": "VARCHAR",
}
"""Figures that were computed later from recorded answers: derived files, no part of a run's hash."""

RATING = {
    "n": "BIGINT",
    "queue": "VARCHAR",
    "rater": "VARCHAR",
    "item": "VARCHAR",
    "did": "VARCHAR",
    "said": "VARCHAR",
    "rated": "DOUBLE",
    "first": "BOOLEAN",
    "why": "VARCHAR",
    "said_at": "VARCHAR",
    "places": "STRUCT(run VARCHAR, t BIGINT, other VARCHAR)[]",
}
"""What people said of recorded answers, line by line: opinions, no part of a run's hash; see `toolkit.ledger.rated`."""

SCHEMAS = {"episodes": EPISODE, "calls": CALL}

_COSTS = {kind: [(f"{kind}_{name}", name) for name in _COST] for kind in ("acting", "adapting", "judging")}
_PLAIN = tuple(name for name in CALL if name not in {"run", "prompt", "adapted", *_COST})
_NAMED = {"run", "arm", "seed", "stream", "order", "error"}  # by people, or known from elsewhere
_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of one run; kept in its folder as ``run.json`` and shown by the view ``runs``.

    Parameters
    ----------
    run
        Its identity: a hash of what it does, not of when or where.
    labels_before
        Labels it was given before the first task.
    hash
        sha256 of what came out, empty until it is finished; see `Ledger`.
    replayed
        Calls that were read from its own tape when it was resumed.
    servers
        What answered its calls, as it named itself; more than one means that the model was changed on the way.
    adapted
        What the provider was asked for and does not do, over all calls.
    reused_from
        The study that carried the run out, if this one took it over.
    """

    study: str
    run: str
    arm: str
    seed: int
    stream: str
    order: str
    tasks: int
    model: str
    adapter: str
    deciding: str
    temperature: float
    scripted: bool
    uses_model: bool
    traits: tuple[str, ...]
    status: RunStatus = "running"
    episodes: int = 0
    labels_before: int = 0
    hash: str = ""
    replayed: int = 0
    error: str = ""
    servers: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
    reused_from: str = ""


def episode_row(episode: Episode, run: RunRecord) -> Row:
    """One episode as a row."""
    feedback = episode.feedback
    row: Row = {
        "run": run.run,
        "arm": run.arm,
        "seed": run.seed,
        "stream": run.stream,
        "order": run.order,
        "phase": episode.phase,
        "t": episode.t,
        "task": episode.task.id,
        "session": episode.task.session,
        "user": episode.task.user,
        "inputs": dict(episode.task.inputs),
        "status": episode.status,
        "answer": episode.answer,
        "score": _finite(episode.score),
        "scores": {name: _finite(value) for name, value in episode.scores.items()},
        "oracle": episode.oracle,
        "feedback_score": feedback.score if feedback else None,
        "correction": feedback.correction if feedback else None,
        "critique": feedback.text if feedback else None,
        "due": episode.due,
        "labels": episode.labels,
        "error": episode.error,
    }
    for kind, names in _COSTS.items():
        spent = getattr(episode, kind)
        for column, name in names:
            row[column] = _finite(getattr(spent, name))
    row["turns"] = [
        {"step": turn.step, "answer": turn.answer, "blocks": list(turn.blocks), "recalled": list(turn.recalled)}
        for turn in episode.turns
    ]
    row["counterfactuals"] = [{**asdict(one), "score": _finite(one.score)} for one in episode.counterfactuals]
    return row | _only_some(episode)


def _only_some(episode: Episode) -> Row:
    """The columns that stand only in rows of episodes that have something for them."""
    row: Row = {}
    if episode.feedback is not None and episode.feedback.preferred is not None:
        row["preferred"] = list(episode.feedback.preferred)
    if episode.changes:
        row["changes"] = [_change(one) for one in episode.changes]
    if episode.weighed is not None:
        row["weighed"] = {**asdict(episode.weighed), "score": _finite(episode.meant)}
    if episode.outcome is not None:
        row["outcome"] = episode.outcome.flat
        row["moves"] = [asdict(move) for move in episode.moves]
    return row


def _change(change: Change) -> Row:
    """A change as it stands in an episode's row; its worked examples as JSON, null where no block was made."""
    block = change.learned
    told = {"kind": change.kind, "number": change.number, "fate": change.fate, "why": change.why}
    if block is None:
        return {**told, **dict.fromkeys(("instruction", "notes", "examples", "steps", "program"))}
    examples = canonical(block.examples)
    steps = canonical(dict(block.steps)) if block.steps else None
    written = {"instruction": block.instruction, "notes": block.notes, "examples": examples}
    return {**told, **written, "steps": steps, "program": block.program}


def content(row: Mapping[str, Any]) -> Row:
    """The part of an episode's row that its run's hash covers: no seconds, no names that people gave."""
    kept = {name: value for name, value in row.items() if name not in _NAMED and not name.endswith("_seconds")}
    for kind in _COSTS:
        # A column that came later says nothing where it is 0: hashes taken before it came stay what they are.
        if not kept.get(f"{kind}_reasoning_tokens", True):
            del kept[f"{kind}_reasoning_tokens"]
    for name in ("counterfactuals", "preferred", "changes", "weighed", "outcome", "moves"):
        if not kept.get(name, True):
            del kept[name]
    if "changes" in kept:
        kept["changes"] = [_said(one) for one in kept["changes"]]
    return kept


def _said(change: Row) -> Row:
    """A change without the parts that came later, where they say nothing."""
    return {name: value for name, value in change.items() if value is not None or name not in ("steps", "program")}


def call_row(call: Call, run: str) -> Row:
    """One call as a row."""
    row: Row = {
        "run": run,
        "phase": call.phase,
        "t": call.t,
        "step": call.step,
        "ordinal": call.ordinal,
        "purpose": call.purpose,
        "hash": call.hash,
        "status": call.status,
        "answer": call.answer,
        "prompt": [{"role": role, "text": text} for role, text in call.prompt],
        "response": call.response,
        "seed": call.seed,
        "memo": call.memo,
        "error": call.error,
        "server": call.server,
        "adapted": list(call.adapted),
    }
    for name in _COST:
        row[name] = _finite(getattr(call.usage, name))
    return row


def outcome_of(held: Mapping[str, Any]) -> Outcome:
    """What came of a world, as an episode's row holds it."""
    counted = {one.name for one in fields(Tally)}
    tally = Tally(**{name: value for name, value in held.items() if name in counted})
    return Outcome(tally=tally, **{name: value for name, value in held.items() if name not in counted})


def call_of(row: Mapping[str, Any]) -> Call:
    """The call that a row holds; what a row of an older ledger lacks has its default."""
    spent: Row = {name: math.nan if row[name] is None else row[name] for name in _COST if name in row}
    usage = Usage(**spent)
    prompt = tuple((turn["role"], turn["text"]) for turn in row["prompt"])
    plain = {name: row[name] for name in _PLAIN if name in row}
    return Call(prompt=prompt, usage=usage, adapted=tuple(row.get("adapted") or ()), **plain)


def run_record(row: Mapping[str, Any]) -> RunRecord:
    """The record that a ``run.json`` holds; what an older or newer toolkit wrote there is no obstacle."""
    known = {field.name for field in fields(RunRecord)}
    held: Row = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in known
    }
    return RunRecord(**held)


def line(row: Row) -> bytes:
    """A row as one line of ASCII JSON: a torn line can then be told from a whole one, and never breaks an encoding."""
    text = _encoder.encode(row)
    if "\\ud" in text:  # may hold half a character, as an answer that was cut off does: no reader takes such a line
        text = json.dumps(json.loads(whole(text)), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def whole(text: str) -> str:
    """JSON text with every half character replaced by U+FFFD; nothing else is changed.

    Examples
    --------
    >>> whole('"\\\\ud83d"') == '"\\ufffd"'
    True
    """
    plain = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
