"""The stage on which an agent meets a world: it holds actions to schemas, limits and leave, and keeps the tape.

Whatever a world is asked goes through the run's tape, so that an episode can be resumed or replayed without it: what
stands there is not asked again. Where the tape ends in the middle of an episode, the world is first driven to where it
was, by the actions on the tape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from toolkit.component import canonical
from toolkit.errors import AnswerError
from toolkit.moves import AUTONOMY, WAIT, Act, Ending, Move, Observation, Outcome, Tally, Tool, called
from toolkit.streams.guard import Hung, within
from toolkit.streams.worlds import Limits, Stepped, World

Told: TypeAlias = Callable[[Mapping[str, str], Callable[[], str]], str]
"""Asks something of what is outside, by way of the tape."""

_ATTEMPTS = 2
_LONGEST = 20_000  # characters of an observation: a world that says more than any model reads is broken
_MOST = 1e12  # in a reward: sums of these are numbers
_CAUSES = ("prompt", "result", "tick")


class Broken(Exception):
    """A world hangs, raises, or gives what is no observation: its episode fails, the run goes on."""


class Stage:
    """One episode of one agent in one world.

    Parameters
    ----------
    open_world
        Makes the world; called only when the tape does not say what is asked.
    limits
        What the episode may take.
    seed
        The world's.
    told
        The way to the outside; see `toolkit.lm.tape.Recorder.told`.

    Attributes
    ----------
    moves
        What was done so far.
    tools
        What can be done.
    broken
        How the world broke down, if it did.
    failure
        How the agent failed for good, if it did.
    """

    def __init__(self, open_world: Callable[[], World], limits: Callable[[], Limits], seed: int, told: Told) -> None:
        self._open, self._limits_of, self._seed, self._told = open_world, limits, seed, told
        self._world: World | None = None
        self._driven = 0  # actions that the world has taken
        self._taken: list[str] = []  # actions that it should have
        self._shown: list[str] = []  # what was seen after each
        self._ended: Ending | None = None
        self._totals = dict.fromkeys(("invalid", "unauthorised", "interruptions", "ticks"), 0)
        self._cost = 0.0
        self._best = 0
        self.broken, self.unclosed = "", ""
        self.failure: AnswerError | None = None
        self.moves: list[Move] = []
        self.tools: tuple[Tool, ...] = ()
        self.limits = Limits()
        self.ticks = False

    def begin(self) -> Observation:
        """What there is to see at first.

        Raises
        ------
        Broken
            If the world cannot begin.
        """
        held = self._ask({"reset": str(self._seed)}, self._begun)
        self.tools = tuple(_tool(one) for one in held["tools"])
        self.limits, self.ticks = Limits(**_limits(held["limits"])), bool(held["ticks"])
        self._now = _observation(held["observation"])
        self._last = self._now.text
        return self._now

    @property
    def now(self) -> Observation:
        """What there is to see."""
        return self._now

    @property
    def unlisted(self) -> str:
        """What can be done where the world lists no actions: its tools say so."""
        return ""

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self._ended is not None

    @property
    def left(self) -> int:
        """Turns that are left."""
        return self.limits.turns - len(self.moves)

    def best(self) -> str:
        """What the world's oracle would do now; not for agents."""
        self._best += 1
        return str(self._ask({"best": str(self._best)}, lambda: {"action": self._here().best()})["action"])

    def act(self, act: Act) -> Observation:
        """Take an action; what is to be seen then. Of a refused one: why, and once more what was seen before.

        Raises
        ------
        Broken
            If the world breaks down.
        """
        before, reward, manner = self._now, 0.0, ""
        self._totals["ticks"] += before.cause == "tick"
        try:
            tool = self._allowed(act)
            if tool is not None and tool.changes:
                manner = self._leave(act)
            reward = self._step(act, tool)
            refused = self._refused
        except _Refusal as refusal:
            refused = str(refusal)
            self._now = Observation(f"{refused}\n{self._last}".strip(), "result", before.actions)
        self.moves.append(
            Move(before.cause, before.text, act.action, reward, refused, manner, act.prompts, act.thought)
        )
        if self._ended is None and self.left < 1:
            self._ended = "turns"
        return self._now

    def outcome(self) -> Outcome:
        """What came of it; only the world's own count is asked, and a broken one has reached nothing."""
        tally = Tally()
        if self._ended != "broken":
            try:
                tally = Tally(**self._ask({"tally": str(len(self._taken))}, lambda: asdict(self._tally())))
            except Broken as error:
                self.broke(error)
        return Outcome(
            ended=self._ended or "left",
            steps=sum(move.action != WAIT for move in self.moves),
            reward=math.fsum(move.reward for move in self.moves),
            cost=self._cost,
            prompts=sum(move.prompts for move in self.moves),
            tally=tally,
            **self._totals,
        )

    def broke(self, error: Broken) -> None:
        """Note that the world has broken down."""
        self._ended, self.broken = "broken", str(error)

    def fail(self, failure: AnswerError) -> None:
        """Note that the agent has failed for good."""
        self._ended, self.failure = "left", failure

    def close(self) -> None:
        """Let the world go."""
        world, self._world = self._world, None
        if world is not None:
            self._safely(world.close)

    def _allowed(self, act: Act) -> Tool | None:
        """The tool that an action calls, if it is an action at all."""
        if act.refused:
            self._refuse("invalid", act.refused)
        if act.action == WAIT:
            return None
        listed = self._now.actions
        if listed and act.action not in listed:
            self._refuse("invalid", f"{act.action[:80]!r} cannot be done now; what can: {'; '.join(listed)[:1000]}")
        if not self.tools:
            return None
        try:
            tool, _ = called(act.action, self.tools)
        except ValueError as error:
            if listed:
                return None
            self._refuse("invalid", str(error))
        if self._cost + tool.cost > self.limits.cost:
            self._refuse("invalid", f"{tool.name} costs {tool.cost:g} but {self.limits.cost - self._cost:g} is left")
        return tool

    def _leave(self, act: Act) -> str:
        """The manner in which an action that changes something is taken; refused beyond what was granted."""
        granted = self.limits.granted
        if AUTONOMY.index(act.manner) > AUTONOMY.index(granted):
            self._refuse(
                "unauthorised", f"not done: it was to be done by {act.manner!r} but no more than {granted!r} is granted"
            )
        if act.manner != "free":
            self._totals["interruptions"] += 1
        if act.manner == "ask":
            held = self._ask(
                {"leave": act.action, "turn": str(len(self.moves))},
                lambda: {"leave": bool(self._here().approves(act.action))},
            )
            if not held["leave"]:
                raise _Refusal("leave was asked for and not given")
        return act.manner

    def _refuse(self, count: str, why: str) -> None:
        self._totals[count] += 1
        raise _Refusal(why)

    def _step(self, act: Act, tool: Tool | None) -> float:
        self._refused = ""
        if act.action == WAIT and not self.ticks:
            self._ended = "left"
            return 0.0
        asks = tool is not None and tool.asks
        on_tick = self._now.cause == "tick" and act.action != WAIT and not (tool is not None and tool.changes)
        self._totals["interruptions"] += asks or on_tick
        self._cost += 0.0 if tool is None else tool.cost
        turn = str(len(self._taken))
        held = self._ask({"act": act.action, "turn": turn}, lambda: self._stepped(act.action))
        self._taken.append(act.action)
        self._shown.append(held["observation"]["text"])
        self._now, self._refused = _observation(held["observation"]), str(held["refused"])
        self._last = self._now.text
        self._totals["invalid"] += bool(self._refused)
        self._ended = held["ended"] or None
        return float(held["reward"])

    def _ask(self, question: Mapping[str, str], answer: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        held: Mapping[str, Any] = json.loads(self._told(question, lambda: self._answered(answer)))
        if "broken" in held:
            error = Broken(held["broken"])
            self.broke(error)
            raise error
        return held

    def _answered(self, answer: Callable[[], Mapping[str, Any]]) -> str:
        """What the world says, tried twice: the second time with a new one, driven to where the first was."""
        why = ""
        for _ in range(_ATTEMPTS):
            try:
                return canonical(dict(within(self._limits_of().seconds * (1 + self._behind), answer)))
            except Hung as error:
                why = f"the world hangs: {error}"
                break
            except (Exception, SystemExit) as error:  # noqa: BLE001  (it is told, and costs the episode only)
                said = str(error).encode("utf-8", "backslashreplace").decode()
                why = f"the world raised {type(error).__name__}: {said}"[:500]
                self._world, self._driven = None, 0
        self._world = None  # one that hangs is not even closed
        return canonical({"broken": why})

    @property
    def _behind(self) -> int:
        """Actions that a world must take first, before it is where it should be."""
        return len(self._taken) - (0 if self._world is None else self._driven)

    def _begun(self) -> dict[str, Any]:
        world = self._world = self._open()
        self._driven = 0
        seen, limits = _checked(world.reset(self._seed)), self._limits_of()
        bounds = {**asdict(limits), "cost": None if limits.cost == math.inf else limits.cost}
        return {
            "observation": asdict(seen),
            "tools": [_plain(_fit(tool)) for tool in world.tools],
            "ticks": world.ticks,
            "limits": bounds,
        }

    def _here(self) -> World:
        """The world, where it should be by now."""
        if self._world is None:
            self._world, self._driven = self._open(), 0
            self._world.reset(self._seed)
        while self._driven < len(self._taken):
            seen = Stepped(*self._world.step(self._taken[self._driven])).observation.text
            if seen != self._shown[self._driven]:
                raise ValueError(
                    f"after {self._driven + 1} actions it showed {seen[:80]!r}, but {self._shown[self._driven][:80]!r} "
                    "when they were first taken: what a world shows must follow from its seed and the actions"
                )
            self._driven += 1
        return self._world

    def _stepped(self, action: str) -> dict[str, Any]:
        found = Stepped(*self._here().step(action))
        self._driven += 1
        reward = float(found.reward)
        if not abs(reward) <= _MOST:
            raise ValueError(f"a reward must be a number of at most {_MOST:g} in size but is {found.reward!r:.80}")
        ended = ""
        if found.terminated or found.truncated:
            ended = "done" if self._tally().reached >= 1 else "over"
        refused = _readable(str(found.info.get("refused", "")), "the reason of a refusal")
        return {
            "observation": asdict(_checked(found.observation)),
            "reward": reward,
            "ended": ended,
            "refused": refused,
        }

    def _tally(self) -> Tally:
        found = self._here().tally()
        if not isinstance(found, Tally):
            raise TypeError(f"a tally must be a Tally but is {found!r:.80}")
        for name in ("reached", "score"):
            value = getattr(found, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"a tally's {name} must be in [0, 1] but is {value!r}")
        for name, value in asdict(found).items():
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"a tally's {name} must be a number of at least 0 but is {value!r:.80}")
        return found

    def _safely(self, close: Callable[[], None]) -> None:
        """Close a world that is not needed any more: what goes wrong then changes nothing that is recorded."""
        try:
            within(self._limits_of().seconds, close)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self.unclosed = f"{type(error).__name__}: {error}"


class _Refusal(Exception):
    """An action is not done; says why, to the agent."""


def _checked(seen: object) -> Observation:
    """An observation that is one."""
    if not isinstance(seen, Observation) or not isinstance(seen.text, str):
        raise TypeError(f"a world must show an Observation with a text but gave {seen!r:.80}")
    if seen.cause not in _CAUSES:
        raise ValueError(f"an observation's cause must be one of {', '.join(_CAUSES)} but is {seen.cause!r}")
    _readable(seen.text, "an observation")
    if not isinstance(seen.actions, tuple | list):
        raise TypeError(f"actions must be a tuple of texts but are {seen.actions!r:.80}")
    if not all(isinstance(one, str) and one.strip() for one in seen.actions):
        raise TypeError(f"actions must be texts but are {seen.actions!r:.80}")
    _readable("; ".join(seen.actions), "the list of actions")
    return replace(seen, actions=tuple(dict.fromkeys(seen.actions)))


def _readable(text: str, what: str) -> str:
    """A text that a model could be shown."""
    if len(text) > _LONGEST:
        raise ValueError(f"{what} may have {_LONGEST:,} characters but has {len(text):,}")
    text.encode()  # lone halves of characters can be written nowhere
    return text


def _fit(tool: object) -> Tool:
    """A tool that can be called and charged."""
    from jsonschema import Draft202012Validator

    if not isinstance(tool, Tool):
        raise TypeError(f"a tool must be a Tool but is {tool!r:.80}")
    if not 0 <= tool.cost < math.inf:
        raise ValueError(f"what {tool.name} costs must be a number of at least 0 but is {tool.cost!r}")
    Draft202012Validator.check_schema(dict(tool.schema))
    return tool


def _observation(held: Mapping[str, Any]) -> Observation:
    return Observation(held["text"], held["cause"], tuple(held["actions"]))


def _plain(tool: Tool) -> dict[str, Any]:
    return {**asdict(tool), "parameters": {name: dict(one) for name, one in tool.parameters.items()}}


def _tool(held: Mapping[str, Any]) -> Tool:
    return Tool(**{**held, "optional": tuple(held["optional"])})


def _limits(held: Mapping[str, Any]) -> dict[str, Any]:
    return {**held, "cost": math.inf if held["cost"] is None else held["cost"]}
