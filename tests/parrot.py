"""A model that answers with a digest of what it is asked, and traits that ask it: for tests of agents in live use."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np

from toolkit.component import Component
from toolkit.errors import Outage
from toolkit.lm.model import Model
from toolkit.records import Experience, Learned, Memory, Step, Usage
from toolkit.traits.learning import Learner
from toolkit.traits.memory import MemoryPolicy
from toolkit.traits.memory.stored import StoredMemory


class Parrot(Model):
    """Says "said" and eight letters that any change of its prompt changes."""

    scripted = True
    parallel = 8
    ways = ("generation",)
    asked: ClassVar[list[str]] = []
    away: ClassVar[bool] = False

    def __init__(self, word: str = "said") -> None:
        self.word = word

    @property
    def label(self) -> str:
        return f"parrot-{self.word}"

    def engine(self, stream):
        return _Engine(self.word)


class _Engine:
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, word):
        self._word = word

    def complete(self, request):
        from dspy.lm15 import Message, Response, Usage

        if Parrot.away:
            raise Outage("the parrot has flown")
        prompt = "\n".join([str(request.system or ""), *(message.text or "" for message in request.messages)])
        Parrot.asked.append(prompt)
        text = f"{self._word} {hashlib.sha256(prompt.encode()).hexdigest()[:8]}"
        used = Usage(input_tokens=len(prompt), output_tokens=2, total_tokens=len(prompt) + 2)
        return Response(id=None, model=request.model, message=Message.assistant(text), finish_reason="stop", usage=used)


class Pondering(StoredMemory):
    """Keeps one note, which the model writes anew from each experience and the note before."""

    def reset(self, rng, think):
        super().reset(rng, think)
        self._think = think

    def write(self, experience: Experience) -> None:
        last = self._store.get("note/0")
        said = self._think(
            Step("answer", "Sum up.", ("before", "heard"), "note"),  # the name of the decision step, too
            before=last.text if last else "nothing",
            heard=f"{experience.task.text} / {experience.answer} / {experience.known_answer}",
        )
        self._store.put(Memory("note/0", said, "note"))

    def read(self, task):
        return list(self._store)


class Letters(Component, kind="letters"):
    """Stands for an embedder from outside: counts letters, and what it was asked."""

    asked: ClassVar[list[str]] = []
    batch = 256

    def measured(self, texts):
        return self.embed(texts), Usage(calls=1)

    def embed(self, texts):
        Letters.asked.extend(texts)
        rows = np.array([[text.count(one) + 1 for one in "aeiou"] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Outside(StoredMemory):
    """Recalls what an embedder from outside finds the nearest; embeds when it is asked, not before."""

    def reset(self, rng, think):
        super().reset(rng, think)
        self._think = think

    def read(self, task):
        kept = list(self._store)
        if not kept:
            return []
        rows = self._think.embed(Letters(), [*(one.text for one in kept), task.text])
        return [kept[int(np.argmax(rows[:-1] @ rows[-1]))]]


class LastWords(MemoryPolicy):
    """Ten lines of a user's own; it keeps the latest task of each user."""

    def reset(self, rng, think):
        self.last = {}

    def observe(self, experience):
        self.last[experience.task.user] = [experience.task.text, experience.answer, experience.known_answer]

    def memories(self):
        return [Memory(user, text, answer=answer) for user, (text, answer, _) in self.last.items()]


class Advised(Learner):
    """Asks the model for an instruction whenever it is corrected."""

    def reset(self, rng, think):
        self._think, self.instruction = think, ""

    def observe(self, experience):
        if experience.known_answer is not None:
            step = Step("advise", "Write a better instruction.", ("case", "right"), "instruction")
            self.instruction = self._think(step, case=experience.task.text, right=experience.known_answer)

    def learned(self):
        return Learned(instruction=self.instruction)
