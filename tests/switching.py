"""A learner whose versions, fates and alarms are known beforehand, so that what is read back can be checked."""

from __future__ import annotations

import numpy as np

from toolkit.records import Change, Example, Experience, Learned
from toolkit.traits.learning import Learner
from toolkit.traits.trait import Think

ATTACK = "<script>alert('x')</script>\x1b[31m\u202e{{nobody}}"
BLOCKS = (
    Learned(),
    Learned("Name the errand at once."),
    Learned("Name the errand at last.", (Example({"note": "about the knab"}, "bank", "stream/2"),), "Be brief."),
    Learned(f"Name it. {ATTACK}"),
)


class Switching(Learner):
    """Changes its prompts after so many feedbacks: 1 is made, wins and is taken back, 2 is rejected, 3 stays."""

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        self.number = self.heard = 0
        self._news: list[Change] = []

    def observe(self, experience: Experience) -> None:
        self.heard += 1
        for number, fate, why in COURSE.get(self.heard, ()):
            made = BLOCKS[number] if fate == "on trial" else None
            self._news.append(Change("version", why, number, fate, made))
            self.number = number if fate == "in force" else self.number
        if self.heard == 10:
            self._news.append(Change("drift", "scores fell", 0, "tuned anew"))

    def learned(self) -> Learned:
        return BLOCKS[self.number]

    def changes(self) -> tuple[Change, ...]:
        news, self._news = tuple(self._news), []
        return news


COURSE = {
    6: [(1, "on trial", "compiled")],
    8: [(0, "replaced", "1 was better"), (1, "in force", "6 won, 0 lost of 6")],
    12: [(2, "on trial", "compiled"), (2, "rejected", "no better")],
    15: [(1, "rolled back", "it gave no answers"), (0, "in force", "came back")],
    18: [(3, "on trial", f"compiled {ATTACK}"), (0, "replaced", "3 was better"), (3, "in force", f"5 won {ATTACK}")],
}
SPANS = {0: ((0, 8), (15, 18)), 1: ((8, 15),), 2: (), 3: ((18, None),)}
"""In force by version, where feedback comes before the next task."""
