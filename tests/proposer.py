"""A scripted model that also writes instructions, one of them worth something: what optimisers are to find."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import toolkit as tk
from toolkit.lm.model import Engine
from toolkit.lm.scripted import replied, turns_of
from toolkit.randomness import generator
from toolkit.streams.stream import Stream

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

BEST = "Heed the rules of the house."
IDEAS = (BEST, "Take a deep breath.", "Answer quickly and be done.", "Be polite to everyone.")
_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]")


class Proposer(tk.Scripted):
    """Right more often where the prompt holds `BEST`; asked for anything but a task it writes one of its ideas."""

    def __init__(self, p: float = 0.3, gain: float = 0.5, seed: int = 0, ideas: tuple[str, ...] = IDEAS) -> None:
        super().__init__(p=p, p_example=p, seed=seed)
        self.gain = gain
        self.ideas = ideas
        self.gains = {BEST: gain}

    def engine(self, stream: Stream) -> Engine:
        """Answers tasks as `Scripted` does."""
        return _Writing(self, super().engine(stream))


class _Writing:
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, skill: Proposer, under: Engine) -> None:
        self._skill, self._under = skill, under

    def complete(self, request: Request) -> Response:
        """An answer, or an idea."""
        if (request.config.extensions or {}).get("answer") == "choice":
            return self._under.complete(request)
        system, _, question = turns_of(request)
        rng = generator(self._skill.seed, request.config.seed or 0, request.messages[-1].text or "")
        idea = self._skill.ideas[int(rng.integers(len(self._skill.ideas)))]
        asked = _FIELD.findall(question.rpartition("Respond with")[2])
        if "JSON" in question.rpartition("Respond with")[2]:
            text = json.dumps({"new_instruction": idea})
            return replied(request, text, [system, question], len(text.split()))
        if "completed" in asked:
            text = "\n\n".join(f"[[ ## {name} ## ]]\n{_said(name, idea)}" for name in asked)
        else:
            text = f"```\n{idea}\n```" if "```" in question else idea
        return replied(request, text, [system, question], len(text.split()))


def _said(name: str, idea: str) -> str:
    return {"completed": "", "module_advice": json.dumps({"decide": idea})}.get(name, idea)
