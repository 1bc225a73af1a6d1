"""Learners: what every prompt carries until the next update. (What is recalled for one task is memory.)"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from toolkit.records import Experience, Learned
from toolkit.traits.trait import Trait

Response: TypeAlias = Literal["forget", "explore", "retune"]
"""What can be done about a drift; see `toolkit.traits.learning.watched.Watched`."""


class Learner(Trait, kind="learning"):
    """Turns feedback into the decision step's instruction and demonstrations.

    Attributes
    ----------
    labels
        How many labelled tasks from the stream's pool it wants before the first task (the phase ``prepare``).
    revisits
        How many past tasks it may ask the model again, in the context in which they were answered; see
        `toolkit.traits.learning.tuned.Tuning`.
    rewrites
        Names of the steps other than the decision whose instruction it may learn (`Learned.steps`); an arm none of
        whose parts asks one of them is refused.
    responses
        What may be done where a detector says that the truth has changed: ``"forget"``, so that it begins anew, or
        what its own `drifted` does.
    """

    labels: int = 0
    revisits: int = 0
    rewrites: tuple[str, ...] = ()
    responses: ClassVar[tuple[Response, ...]] = ("forget",)

    @property
    def directs(self) -> tuple[int, ...]:
        """Numbers of those of the arm's several models that it names."""
        return ()

    def applied(self, id: str) -> None:
        """Note that what `learned` gives now stands in the prompt of the task whose experience will have this id.

        Called whenever the agent acts, with nothing of the task: its feedback, which may come much later or never,
        belongs to what was in force then. It changes nothing that `learned` gives.
        """

    def asked(self, step: str, instruction: str) -> None:
        """Note with which learned instruction a step other than the decision was asked last; "" = with its own.

        Called before `applied`: what the step made stands in the prompt now, if anything of it does. It changes nothing
        that `learned` gives.
        """

    def observe(self, experience: Experience) -> None:
        """Take note of an experience whose feedback has arrived."""

    def learned(self) -> Learned:
        """What the prompts carry now."""
        return Learned()

    def drifted(self) -> None:
        """Trust less in what was learned so far: the truth has changed, as it seems. For those that can; `responses`.

        Raises
        ------
        NotImplementedError
            If it has no way of its own.
        """
        raise NotImplementedError(f"{type(self).__name__} can only begin anew: define drifted(), or let it forget")


def reward(experience: Experience) -> float | None:
    """How good an answer was by its feedback, in [0, 1]: the score, else whether it is the correction; None = untold.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> [reward(Experience("stream/0", Task("a", {}), "no", told)) for told in (Feedback(0.5), Feedback(None, "yes"))]
    [0.5, 0.0]
    """
    told = experience.feedback
    if told is None or (told.score is None and told.correction is None):
        return None
    return float(told.correction == experience.answer) if told.score is None else told.score


def outcome(experience: Experience) -> str:
    """What the feedback says of an answer, in words for a model; "" where there is none.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> outcome(Experience("stream/0", Task("a", {}), "no", Feedback(0.0, "yes", "See rule 4.")))
    'wrong, the right answer is: yes. See rule 4.'
    >>> outcome(Experience("stream/0", Task("a", {}), "no", Feedback(0.5)))
    'scored 0.5 of 1'
    """
    told, earned = experience.feedback, reward(experience)
    if told is None:
        return ""
    how = "" if earned is None else {0.0: "wrong", 1.0: "right"}.get(earned, f"scored {earned:g} of 1")
    better = told.correction if told.correction is not None and earned != 1 else None
    said = f"{how}, the right answer is: {better}" if better is not None else how
    return ". ".join(part for part in (said, told.text) if part)


class Frozen(Learner):
    """Never learns."""

    stateless = True
