"""An episode as a tree of spans: the task, each decision step, each call of the model: plain records from rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.component import digest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger

SAMPLED = 5
"""Episodes of a run that are shown step by step."""


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span.

    Parameters
    ----------
    id, parent
        Sixteen hexadecimal digits; the parent's are empty for the episode itself.
    kind
        ``"AGENT"`` (the episode), ``"CHAIN"`` (a decision step) or ``"CHAT_MODEL"`` (a call).
    start, end
        Nanoseconds; their difference is the model's latency as it was recorded.
    tokens
        In and out.
    error
        Empty when all went well.
    """

    id: str
    parent: str
    name: str
    kind: str
    start: int
    end: int
    inputs: Mapping[str, object]
    outputs: object
    attributes: Mapping[str, object] = field(default_factory=dict)
    tokens: tuple[int, int] = (0, 0)
    error: str = ""


_TOLD_OF_A_CALL = ("step", "purpose", "ordinal", "status", "seconds", "dollars", "memo")


def sample(tasks: int) -> tuple[int, ...]:
    """Places that are shown: the first, the last, and some evenly between.

    Examples
    --------
    >>> sample(61), sample(2)
    ((0, 15, 30, 45, 60), (0, 1))
    """
    if tasks < 2:
        return tuple(range(tasks))
    return tuple(sorted({round(part * (tasks - 1) / (SAMPLED - 1)) for part in range(SAMPLED)}))


def trace_digits(experiment: str, episode: Row) -> str:
    """The digits of the id that an episode's trace has in an experiment of MLflow's: ``tr-`` and these."""
    return digest([experiment, episode["run"], episode["arm"], episode["phase"], episode["t"]])[:32]


def recorded(ledger: Ledger, study: str, run: str, places: Sequence[int]) -> Iterator[tuple[Row, list[Row]]]:
    """Episodes of a run with their calls, as rows.

    Raises
    ------
    LedgerError
        If one of the places has no episode.
    """
    own = "study = $1 AND run = $2 AND phase = 'stream' AND list_contains($3, t)"
    ask = "SELECT to_json(row) AS text FROM (SELECT * EXCLUDE (study{0}) FROM {1} WHERE " + own + " ORDER BY t{2}) row"
    found = {
        name: [json.loads(text) for text in ledger.sql(query, study, run, list(places)).text]
        for name, query in (
            ("episodes", ask.format("", "episodes", "")),
            ("calls", ask.format(", response", "calls", ", purpose, step, ordinal, status")),
        )
    }
    missing = set(places) - {row["t"] for row in found["episodes"]}
    if missing:
        raise LedgerError(f"run {run[:12]} of study {study!r} has no episode at {sorted(missing)}: look again later")
    for episode in found["episodes"]:
        yield episode, [call for call in found["calls"] if call["t"] == episode["t"]]


def spans(episode: Row, calls: Sequence[Row], start: int) -> list[SpanRow]:
    """The spans of one episode, itself first; ``start`` is when it began, in nanoseconds.

    What a world said is no call of a model: it stands in the turn that saw it.
    """
    calls = [call for call in calls if call["step"] != "world"]
    identity = digest([episode["run"], episode["phase"], episode["t"]])
    root = identity[:16]
    clock, found = start, list[SpanRow]()
    steps = _steps(episode, calls)
    for number, (turn, own) in enumerate(steps):
        step, began = digest([root, number])[:16], clock
        parent = step if turn else root
        for place, call in enumerate(own):
            made = _call(call, digest([root, number, place])[:16], parent, clock)
            found.append(made)
            clock = made.end
        if turn:
            moves = episode.get("moves") or []
            move = moves[number] if number < len(moves) else {}
            made = _step(turn, own, episode, (step, root), (began, clock))
            found.insert(len(found) - len(own), _played(made, move) if move else made)
    return [_episode(episode, root, (start, clock), len(calls)), *found]


def _episode(episode: Row, identity: str, times: tuple[int, int], calls: int) -> SpanRow:
    told = {"answer": episode["answer"], "right answer, if it was told": episode["correction"]}
    return SpanRow(
        id=identity,
        parent="",
        name=f"task {episode['t'] + 1}: {episode['task']}",
        kind="AGENT",
        start=times[0],
        end=times[1],
        inputs=episode["inputs"] or {},
        outputs={**told, "score": episode["score"]},
        attributes={
            **{name: episode[name] for name in ("arm", "seed", "task", "session", "status", "scores", "labels")},
            "feedback": {name: episode[name] for name in ("feedback_score", "correction", "critique", "due")},
            "model calls": calls,
        },
        error=episode["error"] or "",
    )


def _steps(episode: Row, calls: Sequence[Row]) -> list[tuple[Row | None, list[Row]]]:
    """Each turn with the calls that it rests on; calls of no turn (memory, learning, a failed answer) come last."""
    turns: list[Row] = episode["turns"] or []
    found: list[tuple[Row | None, list[Row]]] = [(turn, []) for turn in turns]
    rest: list[Row] = []
    for call in calls:
        same = [own for turn, own in found if turn is not None and turn["step"] == call["step"]]
        if same and call["purpose"] == "acting":
            same[min(call["ordinal"], len(same) - 1)].append(call)
        else:
            rest.append(call)
    return [*found, (None, rest)]


def _step(turn: Row, calls: Sequence[Row], episode: Row, ids: tuple[str, str], times: tuple[int, int]) -> SpanRow:
    blocks, recalled = list(turn["blocks"] or ()), list(turn["recalled"] or ())
    return SpanRow(
        id=ids[0],
        parent=ids[1],
        name=f"step: {turn['step']}",
        kind="CHAIN",
        start=times[0],
        end=times[1],
        inputs={
            **(episode["inputs"] or {}),
            "blocks in the prompt": blocks or ["nothing but the task"],
            "episodes recalled": recalled,
        },
        outputs=turn["answer"],
        attributes={
            "blocks": blocks,
            "recalled": recalled,
            "tokens": sum(call["input_tokens"] + call["output_tokens"] for call in calls),
        },
    )


def _played(step: SpanRow, move: Row) -> SpanRow:
    """A turn in a world: what was seen, and what the world made of the action."""
    told = {name: move[name] for name in ("cause", "thought", "reward", "refused", "manner", "prompts")}
    return replace(step, inputs={**step.inputs, "saw": move["seen"]}, attributes={**step.attributes, **told})


def _call(call: Row, identity: str, parent: str, start: int) -> SpanRow:
    """A call; a message that MLflow knows as such is drawn as a conversation."""
    return SpanRow(
        id=identity,
        parent=parent,
        name=f"{call['purpose']}: the model is asked",
        kind="CHAT_MODEL",
        start=start,
        end=start + round((call["seconds"] or 0.0) * 1e9),
        inputs={"messages": [{"role": turn["role"], "content": turn["text"]} for turn in call["prompt"] or ()]},
        outputs={"choices": [{"message": {"role": "assistant", "content": call["answer"] or ""}}]},
        attributes={
            name: call[name] for name in ("step", "purpose", "ordinal", "status", "seconds", "dollars", "memo")
        },
        tokens=(call["input_tokens"] or 0, call["output_tokens"] or 0),
        error=call["error"] or "",
    )
