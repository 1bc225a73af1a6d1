"""What a live agent answers, as whoever asked is given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from toolkit.records import Turn, Usage


@dataclass(frozen=True)
class Answer:
    """What a live agent answered. Prints as the answer.

    Parameters
    ----------
    id
        What `LiveAgent.feedback` is given, today or next month; empty where nothing was kept (`LiveAgent.beside`).
    text
        The answer; empty where there is none.
    status, error
        ``"ok"``, ``"truncated"`` (cut off by the limit of tokens); without an answer ``"unparsed"`` or ``"overflow"``
        (the prompt did not fit the model), and what was wrong.
    recalled
        Ids of the memories that stood in the prompt.
    usage
        What it cost, memory and learning included.
    """

    id: str
    text: str
    status: str = "ok"
    error: str = ""
    recalled: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def __str__(self) -> str:
        return self.text or f"(no answer: {self.error})"


def recalled(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Ids of the memories that stood in any of the prompts, each once, in order."""
    return tuple(dict.fromkeys(one for turn in turns for one in turn.recalled))
