"""Agents of CrewAI as roles: what its ``agents.yaml`` says of one, and what of it has no place in a role."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from toolkit.agents.role_texts import Draft
from toolkit.errors import SpecError, names, nearest
from toolkit.streams.sheet import read_text

# Keys of an agent in CrewAI that no role has, with what takes their place here.
_ELSEWHERE = {
    "which model answers is said by the study or the arm": "llm function_calling_llm max_tokens temperature multimodal",
    "here no agent hands work to another": "allow_delegation a2a from_repository",
    "what is remembered or known is a trait of its own: Arm(memory=...)": "memory knowledge knowledge_sources "
    "knowledge_storage knowledge_config embedder agent_knowledge_context crew_knowledge_context knowledge_search_query",
    "thinking ahead is a trait of its own: Arm(goals=...)": "reasoning max_reasoning_attempts planning planning_config",
    "how a prompt is laid out is the same for all arms": "system_template prompt_template response_template "
    "use_system_prompt inject_date date_format i18n",
    "limits are those of the world and the study": "max_iter max_rpm max_execution_time max_retry_limit "
    "respect_context_window",
    "what is checked is written as a rule: toolkit.traits.rules": "guardrail guardrail_max_retries",
    "tools belong to the world": "mcps apps skills allow_code_execution allow_unsafe_code_execution "
    "code_execution_mode cache_handler",
    "it is no part of what the agent is told": "verbose cache callbacks step_callback security_config config",
}
_WHY = {key: why for why, keys in _ELSEWHERE.items() for key in keys.split()}
_HARMLESS = ("verbose", "cache", "respect_context_window", "use_system_prompt")  # on, they lose nothing
_OWN = ("role", "goal", "backstory", "tools")


_MOST = 100_000  # values that a file may hold once its aliases are written out


class _Strict(yaml.SafeLoader):
    """YAML in which no key may occur twice: of two agents of one name the first would be lost without a word.

    Nor may aliases make much of little: nine of them in each of nine lines are a thousand million values.
    """

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None and _values(node, {}) > _MOST:
            raise yaml.YAMLError(
                f"its aliases (*name) make more than {_MOST} values of it; write out what they stand for"
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} occurs twice", key.start_mark)
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node comes to when every alias is written out; within itself it counts as one."""
    if id(node) not in known:
        known[id(node)] = 1
        held = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for one in held for part in (one if isinstance(one, tuple) else (one,)))
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def read_agents(path: Path, encoding: str) -> dict[str, Mapping[str, Any]]:
    """The tables of a file's agents, by name.

    Raises
    ------
    SpecError
        If it is no YAML, a key occurs twice, or it holds something else.
    """
    text = read_text(str(path), encoding)
    try:
        found = yaml.load(text, Loader=_Strict)  # nosec B506  # a SafeLoader, with two rules more
    except yaml.MarkedYAMLError as error:
        at = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError([f"{path}{at}: is no valid YAML: {error.problem or error}; mend it there"]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError([f"{path}: is no valid YAML: {str(error).splitlines()[0]}"]) from error
    if not isinstance(found, dict) or not found:
        raise SpecError([f"{path}: must hold agents by name, each a table with role and goal, but is {found!r:.80}"])
    for name, table in found.items():
        if not isinstance(name, str) or not isinstance(table, dict):
            raise SpecError([f"{path}: {name}: must be an agent's table with role and goal but is {table!r:.80}"])
    return found


def of_agent(where: str, table: Mapping[str, Any], tools: Collection[str]) -> Draft:
    """An agent as a role that may use these tools.

    Raises
    ------
    SpecError
        If it has a key that no agent has, or lacks role or goal.
    """
    known = (*_OWN, *_WHY)
    wrong = [f"{where}: an agent has no key {key!r}; {_near(str(key), known)}" for key in table if key not in known]
    for key in _OWN[:3]:
        text = table.get(key, "" if key == "backstory" else None)
        if text is None:
            wrong.append(f"{where}: needs a text for {key!r}")
        elif not isinstance(text, str) or not (text.strip() or key == "backstory"):
            wrong.append(f"{where}: {key!r} must be a text but is {text!r:.80}")
    if wrong:
        raise SpecError(wrong)
    own = _tools(where, table.get("tools"))
    parameters = {"name": table["role"], "objective": table["goal"], "instructions": table.get("backstory", "")}
    raw = Draft(where, {**parameters, "tools": [one for one in own if one in tools]})
    for key, value in table.items():
        if key in _WHY and value not in (None, False, "", [], {}) and not (key in _HARMLESS and value is True):
            raw.left_out.append(f"{key} = {value!r:.60}: {_WHY[key]}")
    lost = [one for one in own if one not in tools]
    if lost:
        has = f"the world has {names(sorted(tools))}" if tools else "say which the world has: tools=(...)"
        free = "" if len(lost) < len(own) else "; it is restricted to none"
        raw.left_out.append(f"tools {names(lost)}: {has}{free}")
    if table.get("backstory"):
        raw.notes.append("backstory: stands as the instructions, behind the goal, which is the objective")
    return raw


def _near(key: str, known: Sequence[str]) -> str:
    """The nearest keys; where none is near, those that a role is made of."""
    hint = nearest(key, known)
    return hint if hint.startswith("did you mean") else f"a role is made of {', '.join(_OWN)}"


def _tools(where: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SpecError([f"{where}: 'tools' must be a list of names but is {value!r:.80}"])
    return value
