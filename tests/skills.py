"""A stand-in for model and optimiser, with which the guard of what is tuned is tried out."""

from __future__ import annotations

import zlib

import numpy as np

from toolkit.errors import AnswerError
from toolkit.records import Experience, Learned

RIGHT, WRONG = "yes", "no"


class Skills:
    """Stands for model and optimiser: a block's instruction is its chance of being right, ``"0.7"``."""

    def __init__(self, made: list[str], seed: int = 0, first: float = 0.5) -> None:
        self.made, self.first = list(made), first
        self.rng = np.random.default_rng(seed)
        self.luck: dict[str, float] = {}
        self.compiled_from: list[list[str]] = []
        self.calls = 0

    @property
    def tuning(self) -> Skills:
        return self

    def __call__(self, *_: object, **__: object) -> str:
        raise AssertionError("nothing is thought")

    def skill(self, learned: Learned) -> float:
        return float(learned.instruction) if learned.instruction else self.first

    def answer(self, name: str, learned: Learned) -> str:
        skill = self.skill(learned)
        if skill < 0:
            raise AnswerError("unparsed", "nonsense")
        own = np.random.default_rng(zlib.crc32(f"{name} {learned.instruction}".encode())).random()
        return RIGHT if (self.luck[name] + own) / 2 < skill else WRONG

    def remembers(self, experience_id: str) -> bool:
        return experience_id in self.luck

    def again(self, experience_id: str, learned: Learned) -> str:
        self.calls += 1
        return self.answer(experience_id, learned)

    def compiled(
        self,
        optimiser: str,
        train: list[Experience],
        held: list[Experience],
        learned: Learned,
        budget: int,
        seed: int,
        reflection: int | None = None,
    ) -> Learned:
        assert [one.task.time for one in (*train, *held)] == sorted(one.task.time for one in (*train, *held))
        self.compiled_from.append([one.id for one in (*train, *held)])
        return Learned(self.made.pop(0)) if self.made else learned

    def agrees(self, answer: str, known: str) -> bool:
        return answer == known
