"""What passes between an agent and a world: what is seen, what is done, and what came of it in the end.

As with tasks and keys, what an agent may see (`Observation`, `Tool`, `Move`) and what only the bench sees (`Outcome`)
are different types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from toolkit.component import canonical
from toolkit.errors import nearest

Cause: TypeAlias = Literal["prompt", "result", "tick"]
"""Why it is an agent's turn: somebody spoke to it; its own action has had its effect; time has passed, unprompted."""

Autonomy: TypeAlias = Literal["ask", "notify", "free"]
"""How an action that changes something is taken: after leave was given, with somebody told of it, or silently."""

AUTONOMY: tuple[Autonomy, ...] = ("ask", "notify", "free")
"""From the least to the most."""

ALL_AT_ONCE = "Say every action up to the end, in order, parted by semicolons."
"""What is asked of whoever will not be prompted again."""

WAIT = "wait"
"""The action that leaves things as they are: to be silent on a tick, or to say that one is done."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that can be done in a world: the same for every arm, whatever its role says.

    Parameters
    ----------
    name
        Letters, digits and ``_``.
    description
        What it does, in a sentence.
    parameters
        JSON Schemas of its arguments by name.
    optional
        Names of the arguments that may be left out; all others must be there, and no more.
    cost
        What a call costs, at least 0, in the world's own units; it counts against the task's limit.
    changes
        Whether it changes anything outside: then it needs the autonomy that was granted.
    asks
        Whether it puts a question to somebody.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    cost: float = 0.0
    changes: bool = False
    asks: bool = False

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of a call's arguments."""
        required = [name for name in self.parameters if name not in self.optional]
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.parameters.items()},
            "required": required,
            "additionalProperties": False,
        }

    @property
    def signature(self) -> str:
        """How it is called, with what its arguments are, in a line.

        Examples
        --------
        >>> Tool("refund", "Give money back.", {"order": {"type": "string"}}).signature
        'refund {"order": string} - Give money back.'
        """
        told = ", ".join(f'"{name}": {_kind(one)}' for name, one in self.parameters.items())
        call = f"{self.name} {{{told}}}" if told else self.name
        return f"{call} - {self.description}" if self.description else call


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    items = schema.get("items")
    return f"[{_kind(items)}]" if isinstance(items, Mapping) else str(schema.get("type", "anything"))


def call(tool: str, **arguments: object) -> str:
    """A tool's call as an action: its name, then its arguments as JSON, if it has any.

    Examples
    --------
    >>> call("refund", order="A-17"), call("wait")
    ('refund {"order": "A-17"}', 'wait')
    """
    return f"{tool} {json.dumps(arguments, ensure_ascii=False, sort_keys=True)}" if arguments else tool


def called(action: str, tools: Sequence[Tool]) -> tuple[Tool, dict[str, Any]]:
    """The tool and the arguments that an action names; they fit its schema.

    Raises
    ------
    ValueError
        If they do not, with the rule, what was given, and what would do.

    Examples
    --------
    >>> refund = Tool("refund", parameters={"order": {"type": "string"}})
    >>> called('refund {"order": "A-17"}', [refund])[1]
    {'order': 'A-17'}
    >>> called('refund {"order": 17}', [refund])
    Traceback (most recent call last):
    ValueError: refund: order must be of type string but is 17; call it as refund {"order": string}
    """
    name, _, rest = action.strip().partition(" ")
    known = {tool.name: tool for tool in tools}
    if name not in known:
        raise ValueError(f"there is no tool {name[:40]!r}; {nearest(name, known)}")
    tool = known[name]
    how = f"call it as {tool.signature.partition(' - ')[0]}"
    try:
        given = json.loads(rest) if rest.strip() else {}
    except (json.JSONDecodeError, RecursionError):
        raise ValueError(f"{name}: arguments must be JSON but are {rest[:80]!r}; {how}") from None
    if mistakes := list(_unfit(tool, given)):
        raise ValueError(f"{name}: {'; '.join(mistakes)}; {how}")
    return tool, given


def _unfit(tool: Tool, given: object) -> list[str]:
    from jsonschema import Draft202012Validator

    found = []
    for error in Draft202012Validator(dict(tool.schema)).iter_errors(given):
        where = ".".join(map(str, error.absolute_path))
        if error.validator == "type" and where:
            found.append(f"{where} must be of type {error.validator_value} but is {error.instance!r:.60}")
        else:
            found.append(f"{where}: {error.message}"[:200] if where else error.message[:200])
    return found


def planned(actions: Sequence[str]) -> str:
    """Several actions as one text: what `actions_of` reads."""
    return "; ".join(actions)


def actions_of(text: str) -> tuple[str, ...]:
    """The actions of a text that holds several, parted by semicolons or lines, but not by those within JSON.

    Examples
    --------
    >>> actions_of('look {"at": "a; b"}; take key\\nwait')
    ('look {"at": "a; b"}', 'take key', 'wait')
    """
    found, depth, quoted, escaped, start = [], 0, False, False, 0
    for place, letter in enumerate(text):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"' and depth:
            quoted = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth = max(0, depth - 1)
        elif letter == "\n" or (letter == ";" and not depth):
            found.append(text[start:place])
            start, depth = place + 1, 0
    parts = (part.strip() for part in (*found, text[start:]))
    return tuple(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Observation:
    """What an agent sees when it is its turn.

    Parameters
    ----------
    text
        In words.
    cause
        Why it is its turn.
    actions
        What it may do now, where the world says so; empty = a text of its own: a call of a tool, or words.
    """

    text: str
    cause: Cause = "result"
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """What an agent does on its turn.

    Parameters
    ----------
    action
        A call of a tool, one of the listed actions, words, or ``"wait"``.
    manner
        How it takes an action that changes something.
    prompts
        How often it had to be prompted for it.
    thought
        What it had worked out before.
    refused
        Why it came to no action at all; then nothing is done.
    """

    action: str
    manner: Autonomy = "ask"
    prompts: int = 0
    thought: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One turn of an agent in a world.

    Parameters
    ----------
    cause, seen
        Why it was its turn, and what it saw; see `Observation`.
    action
        What it did; ``"wait"`` = nothing.
    reward
        What the world gave for it: for the ledger. Agents are shown 0 (`unrewarded`), and learn from feedback.
    refused
        Why it was not done, as the agent was told; empty = it was done.
    manner
        How an action was taken that changes something; empty for others.
    prompts
        How often somebody had to prompt it for this turn: a user, or a harness in a user's place.
    thought
        What its goal policy had worked out before: an agenda, a plan, a doubt.
    """

    cause: Cause
    seen: str
    action: str
    reward: float = 0.0
    refused: str = ""
    manner: str = ""
    prompts: int = 0
    thought: str = ""

    @property
    def unrewarded(self) -> Move:
        """As an agent may see it."""
        return replace(self, reward=0.0) if self.reward else self


@dataclass(frozen=True, slots=True)
class Tally:
    """What a world counts of an episode, whoever acts in it; all numbers are at least 0.

    Parameters
    ----------
    reached
        The share of its goals that were reached, in [0, 1]; 1 = done.
    score
        The main measure, in [0, 1]; None = ``reached``.
    best_steps
        The fewest actions with which all goals can be reached; None = unknown.
    questions, useful
        Questions that were asked, and those of them whose answer was needed and not known yet.
    blockers, found
        Needs that only a question can find, and those that were found.
    hits, false_alarms, misses, silences
        Events nobody prompted for: acted upon rightly; acted upon though there was no need; let pass though there was;
        let pass rightly.
    lead
        Ticks left before it would have been too late, summed over ``hits``.
    """

    reached: float = 0.0
    score: float | None = None
    best_steps: int | None = None
    questions: int = 0
    useful: int = 0
    blockers: int = 0
    found: int = 0
    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    silences: int = 0
    lead: float = 0.0


Ending: TypeAlias = Literal["done", "over", "turns", "left", "broken"]
"""How an episode in a world came to its end: the goals were reached; the world ended otherwise; no turns were left; the
agent said no more; the world broke down."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an episode in a world: goes to scorers and the ledger only.

    Parameters
    ----------
    ended
        How.
    steps
        Actions, refused ones among them, waits left out.
    reward, cost
        The sums of what the world gave, and of what tools cost.
    prompts
        How often somebody had to prompt the agent.
    invalid
        Actions that were none: no such tool, arguments that do not fit, not possible now.
    unauthorised
        Actions that went beyond the autonomy that was granted.
    interruptions
        How often somebody was disturbed: by a question, a request for leave, a notice, an action on a tick.
    ticks
        Turns that nobody prompted.
    tally
        What the world counted.
    """

    ended: Ending
    steps: int = 0
    reward: float = 0.0
    cost: float = 0.0
    prompts: int = 0
    invalid: int = 0
    unauthorised: int = 0
    interruptions: int = 0
    ticks: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def text(self) -> str:
        """As scorers of worlds are handed it, in the place of an answer; see `of`."""
        return canonical(asdict(self))

    @classmethod
    def of(cls, text: str) -> Outcome:
        """The outcome that a text holds.

        Raises
        ------
        ValueError
            If it holds none: a scorer of worlds was given a plain answer.

        Examples
        --------
        >>> Outcome.of(Outcome("done", steps=3, tally=Tally(reached=1.0)).text).tally.reached
        1.0
        """
        try:
            held = json.loads(text)
            return cls(**{**held, "tally": Tally(**held["tally"])})
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"this scorer judges what came of a world but was given {text[:60]!r}: use it on a stream of worlds"
            ) from error

    @property
    def flat(self) -> dict[str, Any]:
        """All of it by name, in one level: as a row of the ledger holds it."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "tally"}
        return {**own, **asdict(self.tally)}

    def but(self, **changed: Any) -> Outcome:
        """The same with some of the tally changed."""
        return replace(self, tally=replace(self.tally, **changed))
