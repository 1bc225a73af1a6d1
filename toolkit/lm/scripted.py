"""A model with a known skill, for tests and teaching: the only kind of model whose true effects are known beforehand.

It reads the prompt it is sent and nothing else of the arm. It knows the right answers, and gives them with stated
probabilities. Whatever rests on it is marked "scripted" in every table and report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolkit.lm.model import Engine, Model, Style, with_confidence
from toolkit.randomness import generator
from toolkit.records import Key, Task
from toolkit.traits.wording import SAID_OF

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream

_CHAT_FIELD = re.compile(r"starting with the field `\[\[ ## (\w+) ## \]\]`")


class Scripted(Model):
    """Right with probability ``p``; with ``p_example`` if an example in the prompt carries the right answer.

    Parameters
    ----------
    p
        Chance of the right answer from a plain prompt, in [0, 1].
    p_example
        Chance when a worked example (or an earlier turn) in the prompt has the right answer, in [0, 1].
    role_gain
        Added to either when the system text states a role; the sum is kept within [0, 1].
    seed
        Another seed is another model of the same skill.
    adapter
        How it is prompted.
    gains
        Added where the prompt holds a text, whoever put it there: ``{"Playbook:": 0.1, "Playbook: & Diary:": -0.2}``.
        Of several texts parted by `` & ``, where it holds all of them: an interaction. The sum is kept within [0, 1].
    sure
        Pairs of how sure it says it is and how often it is right when it says so, both in [0, 1], say ``((0.6, 0.2),
        (0.9, 0.8))``: every task has one of them by chance, the same whenever it is asked, in the place of ``p``. None
        = it is as sure as it is often right.
    """

    scripted = True
    parallel = 8
    temperature = 1.0
    ways = ("likelihood", "grammar", "generation")

    def __init__(
        self,
        p: float = 0.3,
        p_example: float = 0.8,
        role_gain: float = 0.0,
        seed: int = 0,
        adapter: Style = "turns",
        gains: dict[str, float] | None = None,  # left out of the identity where there are none
        sure: tuple[tuple[float, float], ...] | None = None,
    ) -> None:
        self.p = p
        self.p_example = p_example
        self.role_gain = role_gain
        self.seed = seed
        self.adapter = adapter
        self.gains = gains
        self.sure = sure

    def check(self) -> None:
        """Probabilities are probabilities."""
        for name in ("p", "p_example"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"Scripted.{name} must be a probability between 0 and 1 but is {value!r}")
        for texts, gain in (self.gains or {}).items():
            if isinstance(gain, bool) or not isinstance(gain, int | float) or not -1 <= gain <= 1 or not texts.strip():
                raise ValueError(f"Scripted.gains must be numbers from -1 to 1 by text but holds {texts!r}: {gain!r}")
        pairs = [tuple(pair) for pair in self.sure or ()]
        if self.sure is not None and not (pairs and all(len(p) == 2 and 0 <= min(p) <= max(p) <= 1 for p in pairs)):
            raise ValueError(f"Scripted.sure must be pairs of numbers in [0, 1] but is {self.sure!r}")

    def engine(self, stream: Stream) -> Engine:
        """An engine that knows this stream's answers; in worlds it does what an oracle would with chance ``p``."""
        if stream.plays:
            from toolkit.lm.scripted_actor import ScriptedActor

            p = self.p
            return ScriptedActor(p, p, 1 - p, p, 1 - p, self.seed, self.adapter).engine(stream)
        return ScriptedEngine(self, [*stream.pairs(), *stream.pool()])


class ScriptedEngine:
    """Plays a `Scripted` model over known tasks."""

    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, skill: Scripted, pairs: Sequence[tuple[Task, Key]]) -> None:
        self._skill = skill
        self._known = {task.text: (task, key) for task, key in pairs}

    def complete(self, request: Request) -> Response:
        """One answer, by the skill and the request's seed."""
        system, turns, question = turns_of(request)
        rng = generator(self._skill.seed, request.config.seed or 0)
        answer, share = self._answer(system, turns, question, rng)
        field = _CHAT_FIELD.search(question)
        text = f"[[ ## {field[1]} ## ]]\n{answer}\n\n[[ ## completed ## ]]" if field else answer
        prompt = [system, question, *(part for turn in turns for part in turn)]
        made = replied(request, text, prompt, len(answer.split()))
        return made if request.config.logprobs is None else with_confidence(made, share)

    def _answer(
        self, system: str, turns: list[tuple[str, str]], question: str, rng: np.random.Generator
    ) -> tuple[str, float]:
        """An answer, and how sure it says it is of it."""
        found = self._find(question)
        if found is None:
            return "unknown", 0.0
        task, key = found
        seen = any(_carries(answer, key.answers) for _, answer in turns)
        skill, says = self._skill.p_example if seen else self._skill.p, None
        if self._skill.sure:
            place = generator(self._skill.seed, "sure", task.id).integers(len(self._skill.sure))
            says, skill = self._skill.sure[int(place)]
        chance = skill + self._skill.role_gain * ("You are: " in system)
        if self._skill.gains:
            chance += _gained(
                self._skill.gains, "\n".join([system, *(part for turn in turns for part in turn), question])
            )
        share = min(1.0, max(0.0, chance)) if says is None else says
        right, pick = rng.random() < chance, rng.random()
        if right:
            return key.answers[0], share
        wrong = [option for option in task.options if option not in key.answers]
        return wrong[int(pick * len(wrong))] if wrong else "wrong", share

    def _find(self, question: str) -> tuple[Task, Key] | None:
        bare = "\n".join(line.partition(": ")[2] for line in question.splitlines())
        if bare in self._known:
            return self._known[bare]
        held = [text for text in self._known if text and text in question]
        if not held:  # a layout spells odd characters and lines in its own way
            bare = _letters(question)
            held = [text for text in self._known if (spelt := _letters(text)) and spelt in bare]
        return self._known[max(held, key=len)] if held else None


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w+", text))


def turns_of(request: Request) -> tuple[str, list[tuple[str, str]], str]:
    """System text, earlier turns as (asked, answered), and the question at the end."""
    system = request.system if isinstance(request.system, str) else ""
    texts = [message.text or "" for message in request.messages]
    if (request.config.extensions or {}).get("style") == "completion":
        blocks = [_unsaid(block) for block in texts[-1].split("\n\n")]
        turns = [(block.rpartition("\n")[0], block.rpartition(": ")[2]) for block in blocks[1:-1]]
        return blocks[0], turns, blocks[-1].rpartition("\n")[0]
    roles = [message.role for message in request.messages]
    first = 1 if roles[0] in ("system", "developer") else 0
    system = system or (texts[0] if first else "")
    return system, list(zip(texts[first:-1:2], texts[first + 1 : -1 : 2], strict=False)), texts[-1]


def _unsaid(block: str) -> str:
    """A block of running text without what was said of the answer at its end."""
    case, _, last = block.rpartition("\n")
    return case if case and last.startswith(SAID_OF) else block


def replied(request: Request, text: str, prompt: Sequence[str], wrote: int) -> Response:
    """A scripted answer of so many tokens; the words of ``prompt`` count as tokens that were read."""
    from dspy.lm15 import Message, Response, Usage

    read = sum(len(part.split()) for part in prompt)
    used = Usage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
    message = Message.assistant(text or " ")
    return Response(id=None, model=request.model, message=message, finish_reason="stop", usage=used)


def _gained(gains: Mapping[str, float], prompt: str) -> float:
    """What the texts that a prompt holds add to the chance of the right answer."""
    return sum(gain for texts, gain in gains.items() if all(text in prompt for text in texts.split(" & ")))


def _carries(answer: str, right: Sequence[str]) -> bool:
    lines = {line.strip() for line in answer.splitlines()}
    return any(one in lines for one in right)
