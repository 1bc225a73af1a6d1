"""One recorded episode in a world, turn by turn: what was seen, what was done, and what it had come to by then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from toolkit.errors import nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import outcome_of
from toolkit.moves import WAIT, Move, Outcome, Tool, called

if TYPE_CHECKING:
    from toolkit.ledger.store import Ledger

_KNOWN = frozenset(one.name for one in fields(Move))
_LIST = """
    SELECT run, arm, seed, stream, "order", t, task FROM episodes
    WHERE study = ? AND phase = 'stream' AND outcome IS NOT NULL ORDER BY task, seed, stream, "order"
"""
_ONE = """
    SELECT to_json(inputs) AS inputs, status, score, error, to_json(outcome) AS outcome,
           coalesce(to_json(moves), '[]') AS moves, acting_input_tokens + acting_output_tokens AS tokens
    FROM episodes WHERE study = ? AND run = ? AND phase = 'stream' AND t = ?
"""
_WORLD = """
    SELECT answer, to_json(prompt) AS asked FROM calls
    WHERE study = ? AND run = ? AND phase = 'stream' AND t = ? AND step = 'world' ORDER BY ordinal
"""


@dataclass(frozen=True, slots=True)
class Which:
    """An episode of a study, by what tells it from the others.

    Parameters
    ----------
    run, arm, seed, stream, order, t
        As the ledger has them.
    task
        Its name, the same in every run.
    """

    run: str
    arm: str
    seed: int
    stream: str
    order: str
    t: int
    task: str

    @property
    def case(self) -> tuple[str, int, str, str]:
        """What two arms must share to be looked at side by side."""
        return self.task, self.seed, self.stream, self.order


@dataclass(frozen=True, slots=True)
class Stop:
    """One turn, and the sums up to it.

    Parameters
    ----------
    move
        As recorded.
    tool, arguments
        What the action calls, if it calls one.
    can
        What could have been done, where the world said so.
    prompts, reward, refused
        So far: how often somebody had to prompt it, what the world gave, actions that were not done.
    questions, cost
        So far: questions that were put, and what tools cost; None = the tape does not say what the tools are.
    """

    move: Move
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    can: tuple[str, ...] = ()
    prompts: int = 0
    reward: float = 0.0
    refused: int = 0
    questions: int | None = None
    cost: float | None = None

    @property
    def acted(self) -> bool:
        """Whether anything was done."""
        return self.move.action != WAIT and not self.move.refused


@dataclass(frozen=True, slots=True)
class Played:
    """An episode in a world, as it was recorded.

    Parameters
    ----------
    which
        Whose, of which task.
    inputs
        What the agent was given.
    status, score, error, tokens
        Of the episode; the score is None where there is none.
    outcome
        What came of it.
    stops
        Its turns.
    tools
        What could be called; empty where actions are words, or the tape does not say.
    """

    which: Which
    inputs: Mapping[str, str]
    status: str
    score: float | None
    error: str
    tokens: int
    outcome: Outcome
    stops: tuple[Stop, ...]
    tools: tuple[Tool, ...] = ()


def playable(ledger: Ledger, study: str) -> tuple[Which, ...]:
    """Every episode of a study that was recorded in a world so far, by task.

    Raises
    ------
    LedgerError
        If there is no such study.
    """
    ledger.find(study)
    return tuple(Which(**row) for row in ledger.sql(_LIST, study).to_dict("records"))


def chosen(found: Sequence[Which], **wanted: object) -> tuple[Which, ...]:
    """Those of some episodes that are wanted, by any of their fields; "" and None leave a field open.

    Raises
    ------
    LedgerError
        If there is none, naming the first field that fits none of them, and what would.
    """
    for name, value in wanted.items():
        if value in ("", None):
            continue
        fitting = tuple(one for one in found if getattr(one, name) == value)
        if not fitting:
            others = sorted({str(getattr(one, name)) for one in found})
            raise LedgerError(f"no such episode is recorded: {name} {value!r}; {nearest(str(value), others)}")
        found = fitting
    return tuple(found)


def beside_each_other(own: Sequence[Which], others: Sequence[Which]) -> tuple[Which, ...]:
    """The first episode of one arm that the other has met, too, and the other's; alone if there is none."""
    met = {one.case: one for one in others}
    both = next(((one, met[one.case]) for one in own if one.case in met), None)
    return both or tuple(own[:1])


def pair_of(found: Sequence[Which], wanted: Mapping[str, Any]) -> tuple[Which, ...]:
    """The first episode that is wanted, and that of the arm which is wanted ``beside`` it, if any is.

    Raises
    ------
    LedgerError
        If none is as wanted.
    """
    own = chosen(found, **{name: value for name, value in wanted.items() if name != "beside"})
    other = wanted.get("beside", "")
    return beside_each_other(own, chosen(found, arm=other)) if other else tuple(own[:1])


def played(ledger: Ledger, study: str, which: Which) -> Played:
    """One episode with all its turns.

    Raises
    ------
    LedgerError
        If it is not recorded.
    """
    key = (study, which.run, which.t)
    rows = ledger.sql(_ONE, *key).to_dict("records")
    if not rows:
        raise LedgerError(f"{study} has no episode {which.t} of run {which.run[:12]} (yet): see the view episodes")
    (row,) = rows
    moves = tuple(
        Move(**{name: value for name, value in one.items() if name in _KNOWN}) for one in json.loads(row["moves"])
    )
    tape = ledger.sql(_WORLD, *key)
    asked = zip(tape["answer"], tape["asked"], strict=True)
    tools, cans = _told([(json.loads(answer), json.loads(question)) for answer, question in asked], moves)
    score = row["score"]
    return Played(
        which=which,
        inputs=json.loads(row["inputs"]),
        status=row["status"],
        score=None if score is None or score != score else float(score),
        error=row["error"] or "",
        tokens=int(row["tokens"]),
        outcome=outcome_of(json.loads(row["outcome"])),
        stops=tuple(_summed(moves, cans, tools)),
        tools=tools or (),
    )


def _told(
    tape: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, str]]]], moves: Sequence[Move]
) -> tuple[tuple[Tool, ...] | None, list[tuple[tuple[str, ...], bool]]]:
    """From a run's tape the tools, and for each turn what could be done, and whether the world has seen the action."""
    if not tape or "tools" not in tape[0][0]:
        return None, [((), False) for _ in moves]
    tools = tuple(Tool(**{**one, "optional": tuple(one["optional"])}) for one in tape[0][0]["tools"])
    steps = [(answer, _part(asked, "act")) for answer, asked in tape if _part(asked, "act") is not None]
    can, place, found = tuple(tape[0][0]["observation"]["actions"]), 0, []
    for move in moves:
        answer, action = steps[place] if place < len(steps) else ({}, None)
        seen = action == move.action and answer.get("refused", "") == move.refused
        found.append((can, seen))
        if seen:
            place += 1
            can = tuple(answer["observation"]["actions"]) if "observation" in answer else ()
    return tools, found


def _part(asked: Sequence[Mapping[str, str]], name: str) -> str | None:
    return next((part["text"] for part in asked if part["role"] == name), None)


def _summed(
    moves: Sequence[Move], cans: Sequence[tuple[tuple[str, ...], bool]], tools: tuple[Tool, ...] | None
) -> Iterator[Stop]:
    """Turns with the sums up to each."""
    sums = Stop(Move("prompt", "", ""), questions=None if tools is None else 0, cost=None if tools is None else 0.0)
    for move, (can, seen) in zip(moves, cans, strict=True):
        tool, arguments = _called(move.action, tools or ())
        spent = tool if seen else None
        sums = replace(
            sums,
            move=move,
            tool=tool.name if tool else "",
            arguments=arguments,
            can=can,
            prompts=sums.prompts + move.prompts,
            reward=sums.reward + move.reward,
            refused=sums.refused + bool(move.refused),
            questions=None if sums.questions is None else sums.questions + bool(spent and spent.asks),
            cost=None if sums.cost is None else sums.cost + (spent.cost if spent else 0.0),
        )
        yield sums


def _called(action: str, tools: Sequence[Tool]) -> tuple[Tool | None, Mapping[str, Any]]:
    """The tool that an action calls with arguments that fit, as the stage has read it; None where it calls none."""
    if action == WAIT or not tools:
        return None, {}
    try:
        return called(action, tools)
    except ValueError:  # words, or a call that was refused: shown as it was written
        return None, {}
