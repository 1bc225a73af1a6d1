"""A scripted model that only reads: it answers a probe right if its prompt holds what is asked, and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lm.model import Engine, Model, Style
from toolkit.lm.scripted import replied, turns_of
from toolkit.randomness import generator
from toolkit.streams.probe import words
from toolkit.streams.said import UNKNOWN, Asked, answer

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream


class Reader(Model):
    """Answers the questions of probes from the text of its prompt and nothing else; says ``unknown`` otherwise.

    Of several statements about one thing it believes the one it read last: as models tend to, it goes by place and
    compares no numbers. So the order in which a policy puts memories into the prompt matters, and so does whether it
    shows what has been superseded. It knows general knowledge by itself.

    Parameters
    ----------
    skill
        Chance, in [0, 1], of giving the answer that it has read; else it gives another option, drawn evenly.
    seed
        Another seed is another model of the same skill.
    adapter
        How it is prompted.
    """

    scripted = True
    parallel = 8
    temperature = 1.0
    ways = ("likelihood", "grammar")

    def __init__(self, skill: float = 1.0, seed: int = 0, adapter: Style = "turns") -> None:
        self.skill = skill
        self.seed = seed
        self.adapter = adapter

    def check(self) -> None:
        """A probability; a layout in which a choice names its options."""
        if isinstance(self.skill, bool) or not isinstance(self.skill, int | float) or not 0 <= self.skill <= 1:
            raise ValueError(f"Reader.skill must be a probability between 0 and 1 but is {self.skill!r}")
        if self.adapter not in ("turns", "completion"):
            raise ValueError(f"Reader.adapter must be 'turns' or 'completion' but is {self.adapter!r}")

    def engine(self, stream: Stream) -> Engine:
        """An engine; it knows nothing of the stream."""
        return ReaderEngine(self)


class ReaderEngine:
    """Plays a `Reader`."""

    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, model: Reader) -> None:
        self._model = model

    def complete(self, request: Request) -> Response:
        """One answer, by the skill and the request's seed."""
        system, turns, question = turns_of(request)
        options = tuple((request.config.extensions or {}).get("options", ()))
        found = read(question, [system, *(asked for asked, _ in turns), question], options)
        rng = generator(self._model.seed, request.config.seed or 0)
        others = [option for option in options if option != found]
        if others and rng.random() >= self._model.skill:
            found = others[int(rng.integers(len(others)))]
        prompt = [system, question, *(part for turn in turns for part in turn)]
        return replied(request, found, prompt, len(found.split()))


def read(question: str, texts: list[str], options: tuple[str, ...]) -> str:
    """What texts say to a question; of general knowledge, what everybody knows.

    Examples
    --------
    >>> read("Question: What do bees make?", [], ("milk", "honey")), read("Question: What is my tree?", [], ("elm",))
    ('honey', 'unknown')
    """
    put = question.rpartition("\n")[2].partition(": ")[2]
    if put in words()["knowledge"]:
        return str(words()["knowledge"][put][0])
    asked = Asked.read(put)
    return answer(asked, texts, options, "position") if asked else UNKNOWN
