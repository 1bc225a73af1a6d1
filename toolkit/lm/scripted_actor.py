"""A model with known skills in worlds: how often it does the right thing, asks when it should, and acts unprompted.

Like `toolkit.lm.scripted.Scripted` it reads the prompt it is sent and nothing else of the arm. What it needs of the
state of the world it has from there: the actions that were done, which it does again in a world of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from toolkit.errors import SpecError
from toolkit.lm.model import Engine, Model, Style, with_confidence
from toolkit.lm.scripted import replied, turns_of
from toolkit.moves import ALL_AT_ONCE, WAIT, Observation
from toolkit.randomness import generator
from toolkit.records import Key, Task

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream
    from toolkit.streams.worlds import World, WorldStream

_DID = re.compile(r"^\s*(?:Done: )?did: (.*)$", re.MULTILINE)
_CUT = re.compile(r"\(\d+ turns before\)")
_NOT_DONE = " (not done: "
_UNSURE = 0.2
_SURE = 0.9
YES, NO = "yes", "no"


class ScriptedActor(Model):
    """Does what the oracle of a world would do, with stated probabilities.

    Asked for a choice of ``yes`` and ``no`` on a tick, it says whether there is need, by `acts` and `alarms`. Of an
    action it says that it is sure (0.9), unless the right one is to ask (0.2).

    Parameters
    ----------
    p
        Chance of the oracle's action where that is no question, and it is no tick.
    asks
        Chance of the oracle's question where one is needed.
    needless
        Chance of a question where none is needed and one can be asked.
    acts
        Chance of the oracle's action on a tick on which there is need to act.
    alarms
        Chance of some action on a tick on which there is none.
    seed
        Another seed is another model of the same skills.
    adapter
        How it is prompted.
    """

    scripted = True
    parallel = 8
    temperature = 1.0
    ways = ("likelihood", "grammar", "generation")

    def __init__(
        self,
        p: float = 0.9,
        asks: float = 0.7,
        needless: float = 0.1,
        acts: float = 0.7,
        alarms: float = 0.2,
        seed: int = 0,
        adapter: Style = "turns",
    ) -> None:
        self.p = p
        self.asks = asks
        self.needless = needless
        self.acts = acts
        self.alarms = alarms
        self.seed = seed
        self.adapter = adapter

    def check(self) -> None:
        """Probabilities are probabilities."""
        for name in ("p", "asks", "needless", "acts", "alarms"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"ScriptedActor.{name} must be a probability between 0 and 1 but is {value!r}")

    def engine(self, stream: Stream) -> Engine:
        """An engine that knows the stream's worlds.

        Raises
        ------
        SpecError
            If its tasks are none.
        """
        if not stream.plays:
            raise SpecError([f"{self!r} acts in worlds, but the tasks of {stream!r} are none: take Scripted()"])
        return ActorEngine(self, cast("WorldStream", stream))


@dataclass(frozen=True, slots=True)
class _State:
    """What a prompt says of where its world stands."""

    key: Key
    now: Observation
    best: str
    questions: tuple[str, ...]
    tools: frozenset[str]


class ActorEngine:
    """Plays a `ScriptedActor` in the worlds of a stream."""

    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, skill: ScriptedActor, stream: WorldStream) -> None:
        self._skill, self._stream = skill, stream
        self._known: dict[str, list[tuple[Task, Key]]] = {}
        for task, key in stream.pairs():
            self._known.setdefault(task.text, []).append((task, key))

    def complete(self, request: Request) -> Response:
        """One answer, by the skills and the request's seed."""
        system, turns, question = turns_of(request)
        rng = generator(self._skill.seed, request.config.seed or 0)
        told = request.config.extensions or {}
        answer, sure = self._answer(system, question, tuple(told.get("options") or ()), rng)
        prompt = [system, question, *(part for turn in turns for part in turn)]
        made = replied(request, answer, prompt, len(answer.split()))
        return made if request.config.logprobs is None else with_confidence(made, sure)

    def _answer(
        self, system: str, question: str, options: tuple[str, ...], rng: np.random.Generator
    ) -> tuple[str, float]:
        state = self._state(question)
        if state is None:
            return (options[int(rng.integers(len(options)))] if options else "unknown"), 0.0
        if set(options) == {YES, NO}:
            return (YES if rng.random() < self._need(state) else NO), _SURE
        if ALL_AT_ONCE in system:
            return (state.key.answers[0] if rng.random() < self._skill.p else WAIT), _SURE
        return self._action(state, options or state.now.actions, rng)

    def _need(self, state: _State) -> float:
        return self._skill.alarms if state.best == WAIT else self._skill.acts

    def _action(self, state: _State, options: Sequence[str], rng: np.random.Generator) -> tuple[str, float]:
        """One of the options, or of what an oracle would do where there are none."""
        skill, best, draw = self._skill, state.best, rng.random()
        asking = best in state.questions or best.partition(" ")[0] in state.tools
        sure = _UNSURE if asking else _SURE
        others = [one for one in options if one != best]
        if state.now.cause == "tick":
            if best != WAIT:
                return (best if draw < skill.acts else WAIT), sure
            busy = [one for one in others if one != WAIT]
            return (_drawn(busy, rng) if busy and draw < skill.alarms else WAIT), sure
        questions = [one for one in others if one in state.questions]
        if asking:
            quiet = [one for one in others if one not in state.questions and one != WAIT] or others
            return self._within(best if draw < skill.asks or not quiet else _drawn(quiet, rng), options, rng), sure
        if questions and draw < skill.needless:
            return _drawn(questions, rng), sure
        rest = [one for one in others if one not in state.questions] or others
        right = rng.random() < skill.p or not rest
        return self._within(best if right else _drawn(rest, rng), options, rng), sure

    def _within(self, action: str, options: Sequence[str], rng: np.random.Generator) -> str:
        """The action, if it may be chosen."""
        return action if not options or action in options else _drawn(list(options), rng)

    def _state(self, question: str) -> _State | None:
        shown, done = _letters(question), _done(question)
        inputs = {text: same[0][0].inputs.values() for text, same in self._known.items()}
        held = [text for text, parts in inputs.items() if text and all(_letters(part) in shown for part in parts)]
        if not held:
            return None
        if _CUT.search(question):
            raise SpecError(
                ["ScriptedActor knows the world by all that was done, but the prompt holds only the last of it"]
            )
        for task, key in self._known[max(held, key=len)]:  # of those with one text, the one that shows what was seen
            world = self._stream.world(task)
            seen = _driven(world, done)
            if all(_letters(one.text) in shown for one in seen):
                asks = {tool.name for tool in world.tools if tool.asks}
                questions = tuple(one for one in seen[-1].actions if one.partition(" ")[0] in asks)
                return _State(key, seen[-1], world.best(), questions, frozenset(asks))
        return None


def _done(question: str) -> list[str]:
    """The actions that a prompt says were done."""
    return [text for text in _DID.findall(question) if _NOT_DONE not in text]


def _driven(world: World, actions: Sequence[str]) -> list[Observation]:
    """What a world shows at first, and after each action."""
    return [world.reset(0), *(world.step(action).observation for action in actions)]


def _drawn(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w+", text))
