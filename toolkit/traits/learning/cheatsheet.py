"""A cheatsheet: one text that the model writes anew after every few feedbacks."""

from __future__ import annotations

import numpy as np

from toolkit.records import Experience, Learned, Step
from toolkit.traits.learning.learner import Learner, outcome
from toolkit.traits.trait import Think, must_be_positive
from toolkit.traits.wording import READ, Asking, short

CURATE = Step(
    "curate",
    "Write the cheatsheet anew: keep what helps, add what the cases teach about cases to come, leave out the rest.",
    ("cheatsheet", "cases"),
    output="new_cheatsheet",
)
"""The step by which `Cheatsheet` writes."""


class Cheatsheet(Learner, Asking):
    """One text below the instruction, which the model rewrites from itself and what was told of the latest answers.

    One call for every few feedbacks. What the model writes is taken as one line and cut at the limit, and up to where
    it repeats itself; where it is no use, the old one stays, the cases are lost, and it is counted.

    Parameters
    ----------
    characters
        Length at most, 1 to 2000. A model's own limit of tokens may make it shorter.
    every
        Feedbacks between two rewritings, at least 1.

    Notes
    -----
    The cumulative variant (DC-Cu) of the paper, whose curator rewrites the sheet after each query and without being
    told what was right; here it is told whatever the channel tells. Rewriting can lose in one call all that was learned
    in many: that is what `toolkit.traits.learning.playbook.Playbook` avoids.

    References
    ----------
    Suzgun et al. (2025), Dynamic cheatsheet: test-time learning with adaptive memory, arXiv 2504.07952.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> sheet = Cheatsheet(every=1)
    >>> sheet.reset(np.random.default_rng(0), lambda step, cheatsheet, cases: f"{cheatsheet} Learned: {cases}")
    >>> sheet.observe(Experience("stream/0", Task("0", {"text": "parcel late"}), "a", Feedback(0.0, "b")))
    >>> sheet.learned().notes
    'Cheatsheet: nothing yet Learned: parcel late: a (wrong, the right answer is: b)'
    """

    thinks = (CURATE.name,)

    def __init__(self, characters: int = 800, every: int = 5) -> None:
        self.characters = characters
        self.every = every

    def check(self) -> None:
        """Both at least 1; a sheet that the model can be shown whole."""
        must_be_positive("Cheatsheet.characters", self.characters)
        if self.characters > READ:
            raise ValueError(f"Cheatsheet.characters must be at most {READ} but is {self.characters!r}")
        must_be_positive("Cheatsheet.every", self.every)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin without one."""
        self.may_ask(think)
        self.sheet = ""
        self.cases: tuple[str, ...] = ()

    def observe(self, experience: Experience) -> None:
        """Take the case among the new ones; write, if they are enough."""
        if experience.feedback is None:
            return
        room = max(40, READ // (3 * self.every))
        told = f" ({short(outcome(experience), room)})"
        self.cases += (f"{short(experience.task.text, room)}: {short(experience.answer, room)}{told}",)
        if len(self.cases) == self.every:
            said = self.ask_prose(
                CURATE, self.characters, cheatsheet=self.sheet or "nothing yet", cases="; ".join(self.cases)
            )
            self.sheet, self.cases = said or self.sheet, ()

    def learned(self) -> Learned:
        """The sheet, if there is one."""
        return Learned(notes=f"Cheatsheet: {self.sheet}") if self.sheet else Learned()

    def state(self) -> dict[str, object]:
        """The sheet, the cases that wait, and how often the model gave nothing."""
        return {**super().state(), "unusable": self.unusable}
