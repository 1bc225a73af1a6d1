"""Reading τ²-bench's files: tasks as cases, databases as tables; what cannot be played is named with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.errors import SpecError
from toolkit.moves import call
from toolkit.streams.tau2.database import Tables
from toolkit.streams.tau2.user import Scenario

Doing: TypeAlias = tuple[str, Mapping[str, Any]]
"""A function's name and its arguments."""


@dataclass(frozen=True, slots=True)
class Check:
    """What must be true of the state in the end: a function, its arguments, and what it must say."""

    name: str
    arguments: Mapping[str, Any]
    expected: bool = True
    of_user: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One task of the benchmark.

    Parameters
    ----------
    id
        As the files name it.
    scenario
        What the customer knows and wants.
    actions
        The reference, as actions.
    infos
        Texts that the customer must be told.
    checks
        What must be true in the end.
    basis
        By what it is judged, in the files' own words.
    data, starts
        What is laid into the database before it begins, and what is done then.
    history
        What was said and done before.
    """

    id: str
    scenario: Scenario
    actions: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    basis: frozenset[str] = frozenset({"DB", "COMMUNICATE"})
    data: Tables | None = None
    starts: tuple[Doing, ...] = ()
    history: str = ""


def cases_of(file: Path) -> tuple[dict[str, Case], dict[str, str]]:
    """The cases of a file by id, and by id why others cannot be played.

    Raises
    ------
    SpecError
        If the file is not as the benchmark writes it.
    """
    cases, left = {}, {}
    for row in _json(file):
        try:
            case = _case(row)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise SpecError([f"{file}: not as τ²-bench writes its tasks: {error!r} in {row!r:.80}"]) from error
        if why := _unplayable(row, case):
            left[case.id] = why
        else:
            cases[case.id] = case
    return cases, left


def tables_of(files: Sequence[Path]) -> Tables:
    """Database files as one set of tables, never to be written; read once in a process while they stay the same."""
    return _tables(tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files))


@lru_cache(maxsize=4)
def _tables(stamped: tuple[tuple[Path, int, int], ...]) -> Tables:
    return {name: rows for file, *_ in stamped for name, rows in _json(file).items()}


def splits_of(file: Path) -> Mapping[str, Sequence[str]]:
    """Ids of tasks by the name of a split."""
    found: Mapping[str, Sequence[str]] = _json(file)
    return found


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError([f"{file}: cannot be read: {error}"]) from error


def _case(row: Mapping[str, Any]) -> Case:
    asked = row.get("evaluation_criteria") or {}
    begins = row.get("initial_state") or {}
    history = begins.get("message_history") or ()
    checks = tuple(
        Check(one["func_name"], one["arguments"], one.get("assert_value", True), one["env_type"] == "user")
        for one in asked.get("env_assertions") or ()
    )
    return Case(
        id=str(row["id"]),
        scenario=_scenario(row["user_scenario"]["instructions"]),
        actions=tuple(call(one["name"], **one["arguments"]) for one in asked.get("actions") or ()) or _implied(checks),
        infos=tuple(asked.get("communicate_info") or ()),
        checks=checks,
        basis=frozenset(asked.get("reward_basis") or ("DB", "COMMUNICATE")),
        data=(begins.get("initialization_data") or {}).get("agent_data"),
        starts=(
            *((one["func_name"], one["arguments"]) for one in begins.get("initialization_actions") or ()),
            *((one["name"], one["arguments"]) for said in history for one in said.get("tool_calls") or ()),
        ),
        history="\n".join(line for said in history for line in _said(said)),
    )


def _scenario(told: str | Mapping[str, str | None]) -> Scenario:
    if isinstance(told, str):
        return Scenario(told)
    names = ("reason_for_call", "known_info", "unknown_info", "task_instructions")
    return Scenario(*((told.get(name) or "").strip() for name in names))


def _implied(checks: Sequence[Check]) -> tuple[str, ...]:
    """Actions where a task names none, only the status that a task of the list must have."""
    wanted = [one.arguments for one in checks if one.name == "assert_task_status" and one.expected]
    return tuple(call("update_task_status", task_id=one["task_id"], status=one["expected_status"]) for one in wanted)


def _said(said: Mapping[str, Any]) -> list[str]:
    calls = [f"assistant: {call(one['name'], **one['arguments'])}" for one in said.get("tool_calls") or ()]
    return [*calls, *([f"{said['role']}: {said['content']}"] if said.get("content") else [])]


def _unplayable(row: Mapping[str, Any], case: Case) -> str:
    """Why no rule can judge it; empty = one can."""
    asked = row.get("evaluation_criteria") or {}
    if any(info.startswith("The agent ") for info in case.infos):
        return "what must be told are judgements on the agent, not words that anybody would say: only a model can judge"
    if asked.get("actions") is None and not case.checks and not case.infos:
        return "it is judged by statements alone, which only a model can judge"
    return ""
