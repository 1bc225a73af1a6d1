"""What only the bench sees: one task as a run handled it, with its scores. No agent is ever shown one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from toolkit.moves import Move, Outcome
from toolkit.records import Change, Experience, Feedback, Phase, Status, Task, Turn, Usage, Weighed


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What the arm would have answered, had something else been recalled; asked beside the episode, charged to judging.

    Parameters
    ----------
    instead
        What stood in place of the recall: ``"nothing"``; ``"another's"`` (what had been recalled for another task);
        ``"the same"`` (once more, which tells how much a sampled answer changes by itself); ``"all but one"``.
    memory
        The one left out, if one was.
    score
        The main metric of `answer`.
    """

    instead: Literal["nothing", "another's", "the same", "all but one"]
    memory: str
    answer: str
    status: Status
    score: float


@dataclass(frozen=True, slots=True)
class Episode:
    """One task handled by one run: the bench's record, never shown to an agent.

    Parameters
    ----------
    id
        ``"<phase>/<t>"``, unique within a run.
    phase, t
        When it was: phase of the run, and place in the phase, from 0.
    task, turns, answer
        What was asked, each decision that was taken, and what came of them in the end.
    status, error
        ``"ok"``, or what went wrong (see `toolkit.records.Status`), and in words why.
    scores
        Every metric; the first is the main one.
    feedback, due
        What the channel gives, and the place in the run at which it is delivered.
    oracle
        The best score that could be had, in [0, 1].
    acting, adapting, judging
        Cost of answering, of memory and learning, and of model-based scoring, kept apart.
    labels
        1 if the feedback went to an agent that can learn from it, else 0.
    counterfactuals
        What would have been answered, had something else been recalled.
    changes
        What happened to memory and learner since the episode before.
    meant
        The main metric of the answer that was weighed (see `toolkit.records.Weighed`), given or not; NaN where there is
        none, or only a model could tell.
    outcome
        What came of it, where the task was a world.
    """

    id: str
    phase: Phase
    t: int
    task: Task
    turns: tuple[Turn, ...]
    answer: str
    status: Status
    scores: Mapping[str, float]
    feedback: Feedback | None
    due: int
    error: str = ""
    oracle: float = 1.0
    labels: int = 0
    acting: Usage = field(default_factory=Usage)
    adapting: Usage = field(default_factory=Usage)
    judging: Usage = field(default_factory=Usage)
    counterfactuals: tuple[Counterfactual, ...] = ()
    changes: tuple[Change, ...] = ()
    meant: float = math.nan
    outcome: Outcome | None = None

    @property
    def moves(self) -> tuple[Move, ...]:
        """What was seen and done, where the task was a world."""
        return tuple(turn.move for turn in self.turns if turn.move is not None)

    @property
    def weighed(self) -> Weighed | None:
        """Its answer before it was weighed, if it was."""
        return self.turns[-1].weighed if self.turns else None

    @property
    def score(self) -> float:
        """The main metric, in [0, 1]."""
        return next(iter(self.scores.values()))

    @property
    def experience(self) -> Experience:
        """What the agent may keep of it, before feedback."""
        return Experience(self.id, self.task, self.answer)
