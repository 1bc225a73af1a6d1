"""One recorded episode as it was asked and answered: its prompts by block, the answer, feedback, what it cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolkit.analysis.played import Which
from toolkit.analysis.recorded import OWN, plan
from toolkit.analysis.remembered import notes_in
from toolkit.ledger.log import LedgerError
from toolkit.traits.memory.policy import RIGHT, WRONG
from toolkit.traits.wording import SAID_OF

if TYPE_CHECKING:
    from toolkit.ledger.store import Ledger

BLOCKS = ("role", "goal", "learned", "memory", "transcript")
"""Those that have worked examples stand in prompts in this order."""

_EXAMPLES = ("role", "learned", "memory", "transcript")
_ONLY = " Answer with the "  # where the plain layout says what is asked for
_LIST = f"""
    SELECT run, arm, seed, stream, "order", t, task FROM episodes
    WHERE {OWN} AND phase = 'stream' ORDER BY task, seed, stream, "order", arm
"""
_ONE = """
    SELECT to_json(inputs) AS inputs, status, answer, score, error, feedback_score, correction, critique, due, labels,
           to_json(turns) AS turns, to_json(counterfactuals) AS counterfactuals,
           acting_calls + adapting_calls AS calls, acting_seconds + adapting_seconds AS seconds,
           acting_input_tokens + acting_output_tokens AS acting,
           adapting_input_tokens + adapting_output_tokens AS adapting, acting_dollars + adapting_dollars AS dollars
    FROM episodes WHERE study = $1 AND run = $2 AND phase = 'stream' AND t = $3
"""
_CALLS = """
    SELECT step, to_json(prompt) AS prompt, answer, status FROM calls
    WHERE study = $1 AND run = $2 AND phase = 'stream' AND t = $3 AND purpose = 'acting' AND step <> 'world'
    ORDER BY ordinal
"""
_PLAIN = """
    SELECT calls.step, to_json(prompt) AS prompt FROM calls JOIN episodes USING (study, run, phase, t)
    WHERE study = $1 AND stream = $2 AND phase = 'stream' AND task = $3 AND purpose = 'acting' AND len(turns) > 0
      AND NOT regexp_matches(array_to_string(turns[1].blocks, ' '), 'role|goal|learned|memory')
    ORDER BY run, ordinal LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt.

    Parameters
    ----------
    block
        Whose it is: one of `BLOCKS`, several of them where their border is not recorded, ``"instruction"``, ``"task"``,
        or ``"prompt"`` where nothing can be told apart.
    said_by
        ``"system"``, ``"user"`` or ``"assistant"``.
    text
        As it was sent.
    """

    block: str
    said_by: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompted:
    """One question to the model, how often it was put, and what was answered first."""

    step: str
    pieces: tuple[Piece, ...]
    answer: str
    status: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """An episode, as it was recorded.

    Parameters
    ----------
    which
        Whose, of which task.
    inputs
        What the agent was given.
    prompts
        What the model was asked for it, equal prompts once; empty where no model was asked.
    answer, status, error, score
        What came of it; the score in [0, 1], NaN where there is none.
    feedback
        By name what it was told: ``score``, ``correction``, ``in words``, and before which task.
    costs
        By name: calls, tokens of acting and of adapting, seconds, dollars (NaN = not known).
    blocks, recalled
        Of all its turns.
    instead
        What it answered when it was asked again: what stood in place of its memories, the answer, its score.
    """

    which: Which
    inputs: Mapping[str, str]
    prompts: tuple[Prompted, ...]
    answer: str
    status: str
    error: str
    score: float
    feedback: Mapping[str, str]
    costs: Mapping[str, float]
    blocks: tuple[str, ...]
    recalled: tuple[str, ...]
    instead: tuple[tuple[str, str, float], ...] = ()


def answers(ledger: Ledger, study: str) -> tuple[Which, ...]:
    """Every episode of a study's stream that was recorded so far, by task.

    Raises
    ------
    LedgerError
        If there is no such study.
    """
    ids = [str(run["id"]) for run in plan(ledger, study)["runs"]]
    return tuple(Which(**row) for row in ledger.sql(_LIST, ids, study).to_dict("records"))


def answered(ledger: Ledger, study: str, which: Which) -> Answered:
    """One episode with its prompts.

    Raises
    ------
    LedgerError
        If it is not recorded.
    """
    rows = ledger.sql(_ONE, study, which.run, which.t).to_dict("records")
    if not rows:
        raise LedgerError(f"{study} has no episode {which.t} of run {which.run[:12]} (yet): see the view episodes")
    (row,) = rows
    turns, inputs = json.loads(row["turns"]), json.loads(row["inputs"])
    calls = ledger.sql(_CALLS, study, which.run, which.t).to_dict("records")
    plain = ledger.sql(_PLAIN, study, which.stream, which.task).to_dict("records") if calls else []
    heads = {str(one["step"]): head_of(json.loads(one["prompt"])) for one in plain}
    prompts: dict[str, Prompted] = {}
    for place, call in enumerate(calls):
        if call["prompt"] in prompts:
            prompts[call["prompt"]] = replace(prompts[call["prompt"]], times=prompts[call["prompt"]].times + 1)
            continue
        turn: Mapping[str, Any] = turns[min(place, len(turns) - 1)] if turns else {"blocks": [], "recalled": []}
        pieces = tuple(pieces_of(json.loads(call["prompt"]), turn["blocks"], heads.get(str(call["step"]), "")))
        prompts[call["prompt"]] = Prompted(str(call["step"]), pieces, str(call["answer"] or ""), str(call["status"]))
    return Answered(
        which=which,
        inputs=inputs,
        prompts=tuple(prompts.values()),
        answer=str(row["answer"] or ""),
        status=str(row["status"]),
        error=str(row["error"] or ""),
        score=_number(row["score"]),
        feedback=dict(_feedback(row)),
        costs={name: _number(row[name]) for name in ("calls", "acting", "adapting", "seconds", "dollars")},
        blocks=tuple(dict.fromkeys(one for turn in turns for one in turn["blocks"])),
        recalled=tuple(dict.fromkeys(one for turn in turns for one in turn["recalled"])),
        instead=tuple(_again(one) for one in json.loads(row["counterfactuals"] or "[]")),
    )


def pieces_of(prompt: Sequence[Mapping[str, str]], blocks: Sequence[str], plain: str) -> Iterator[Piece]:
    """The parts of a recorded prompt.

    Parameters
    ----------
    prompt
        Its messages: ``role`` and ``text``.
    blocks
        As of the turn: names with numbers of worked examples.
    plain
        What stands above the examples where no trait adds anything: by it, text of traits is told from the step's own.

    Examples
    --------
    >>> asked = [("system", "You sort.\\n\\nName it."), ("user", "Note: a"), ("assistant", "b"), ("user", "Note: c")]
    >>> prompt = [{"role": role, "text": text} for role, text in asked]
    >>> [piece.block for piece in pieces_of(prompt, ["role:0", "memory:1"], "Name it.")]
    ['role', 'instruction', 'memory', 'memory', 'task']
    """
    counts = {name: int(count) for name, _, count in (one.partition(":") for one in blocks)}
    messages = _messages(prompt, sum(counts.get(name, 0) for name in _EXAMPLES))
    owners = [name for name in _EXAMPLES for _ in range(2 * counts.get(name, 0))]
    inner = messages[1:-1]
    if len(inner) != len(owners):
        yield from (Piece("prompt", one["role"], one["text"]) for one in prompt)
        return
    yield from (Piece(block, "system", text) for block, text in _split(messages[0]["text"], plain, counts))
    yield from (Piece(owner, one["role"], one["text"]) for owner, one in zip(owners, inner, strict=True))
    yield from (Piece(block, "user", text) for block, text in _question(messages[-1]["text"], "memory" in counts))


def _messages(prompt: Sequence[Mapping[str, str]], examples: int) -> list[Mapping[str, str]]:
    """Head, two messages for each example, and the question, whatever the layout."""
    if prompt and prompt[0]["role"] == "system":
        return list(prompt)
    if len(prompt) != 1:
        return [{"role": "system", "text": ""}, *prompt]
    *above, question = prompt[0]["text"].split("\n\n")  # running text: what stands in a field holds no empty line
    place = len(above) - examples
    if place < 0:
        return []
    found = [{"role": "system", "text": "\n\n".join(above[:place])}]
    for case in above[place:]:
        asked, _, answer = case.rpartition("\n")
        if asked and answer.startswith(SAID_OF):  # what was said of the answer stands below it
            asked, _, given = asked.rpartition("\n")
            answer = f"{given}\n{answer}"
        found += [{"role": "user", "text": asked}, {"role": "assistant", "text": answer}]
    return [*found, {"role": "user", "text": question}]


def head_of(prompt: Sequence[Mapping[str, str]]) -> str:
    """What stands above the examples of a prompt that no trait adds anything to: see `pieces_of`."""
    counted = _messages(prompt, 0)
    if prompt and prompt[0]["role"] != "system":
        return counted[0]["text"].split("\n\n")[0] if counted else ""
    return prompt[0]["text"] if prompt else ""


def _split(head: str, plain: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """What stands above the examples: texts of role and goals, the instruction, what was learned."""
    above = " and ".join(name for name in ("role", "goal") if name in counts)
    tail = plain[plain.rfind(_ONLY) :] if _ONLY in plain else ""
    own = plain.removesuffix(tail)
    place = head.rfind(own) if own else -1
    if place < 0:  # another instruction stands in its place, and nothing says where it begins
        named = [name for name in ("role", "goal", "learned") if name in counts]
        yield " and ".join(named) if named else "instruction", head
        return
    before, after = head[:place].rstrip("\n"), head[place + len(own) :]
    end = tail if tail and after.endswith(tail) else ""
    learned = after.removesuffix(end).strip("\n")
    if before:
        yield above or "instruction", before
    yield "instruction", own if learned else own + after
    if learned:
        yield ("learned" if "learned" in counts else "instruction"), learned
        if end:
            yield "instruction", end.strip()


def _question(asked: str, memory: bool) -> Iterator[tuple[str, str]]:
    """What was said of the last case that memory gave, its notes, if there are any, and the task."""
    said, _, rest = asked.partition("\n")
    if memory and rest and said in (f"{SAID_OF}{RIGHT}", f"{SAID_OF}{WRONG}"):
        yield "memory", said
        asked = rest
    if memory and asked.startswith("Notes: ") and notes_in([{"role": "user", "text": asked}]):
        lines = asked.split("\n")
        end = next((place for place, line in enumerate(lines[1:], 1) if not line.startswith("  ")), len(lines))
        yield "memory", "\n".join(lines[:end])
        asked = "\n".join(lines[end:])
    yield "task", asked


def _feedback(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    score = _number(row["feedback_score"])
    if not math.isnan(score):
        yield "score", f"{score:g}"
    if isinstance(row["correction"], str):
        yield "correction", row["correction"]
    if isinstance(row["critique"], str) and row["critique"]:
        yield "in words", row["critique"]
    if not math.isnan(_number(row["due"])):
        yield "heard before task", f"{int(row['due'])}"


def _again(one: Mapping[str, Any]) -> tuple[str, str, float]:
    told = f"without {one['memory']}" if one["memory"] else f"with {one['instead']}"
    return told, str(one["answer"]), _number(one["score"])


def _number(value: object) -> float:
    return math.nan if value is None else float(value)  # type: ignore[arg-type]
