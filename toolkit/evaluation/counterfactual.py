"""Was it memory? On a sample of tasks the arm is asked again with something else in place of what memory had recalled.

The bench asks, after the answer was given and before anything is learned from it; so the run itself goes on as if
nobody had asked, and what it costs is judging, not acting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from toolkit.agents.agent import Agent
from toolkit.episode import Counterfactual
from toolkit.errors import AnswerError
from toolkit.randomness import generator
from toolkit.records import Key, Recall, Status, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.evaluation.study import Study

    Score = Callable[[Task, str, Key], float]

_KEPT = 64  # recalls of other tasks to draw from: of the latest, which are as rich as the one at hand


class Counterfactuals:
    """Asks on a share of the tasks: the same tasks for every arm of a seed.

    Parameters
    ----------
    share
        Of the tasks at which anything was recalled, in [0, 1]; 0 = never.
    seeds
        The run's path of random numbers.
    """

    def __init__(self, share: float, seeds: tuple[int, int]) -> None:
        self._share, self._seeds = share, seeds
        self._rng = generator(*seeds, "counterfactuals")
        self._others: list[Recall] = []

    def asked(self, agent: Agent, task: Task, key: Key, score: Score) -> tuple[Counterfactual, ...]:
        """What the agent would have answered instead, in each way; nothing where nothing was recalled."""
        recall = agent.context.recall
        if not self._share or not recall:
            return ()
        found: tuple[Counterfactual, ...] = ()
        if generator(*self._seeds, "counterfactuals", task.id).random() < self._share:
            found = tuple(self._answers(agent, task, key, score, recall))
        self._others = [*self._others, recall][-_KEPT:]
        return found

    def _answers(self, agent: Agent, task: Task, key: Key, score: Score, recall: Recall) -> Iterator[Counterfactual]:
        yield _answer(agent, task, key, score, Recall(), Instead("nothing"))
        if agent.decision.sampled and agent.decider.uses_model:
            yield _answer(agent, task, key, score, recall, Instead("the same"))
        if self._others:
            other = self._others[int(self._rng.integers(len(self._others)))]
            yield _answer(agent, task, key, score, other, Instead("another's"))
        if len(recall.memories) > 1:  # one alone left out is nothing
            for memory in dict.fromkeys(recall.memories):
                try:
                    rest = recall.without(memory)
                except ValueError:  # notes that a policy wrote as one text: nothing can be told of their parts
                    continue
                yield _answer(agent, task, key, score, rest, Instead("all but one", memory))


@dataclass(frozen=True, slots=True)
class Instead:
    """What stands in place of a recall; see `toolkit.episode.Counterfactual`."""

    kind: Literal["nothing", "another's", "the same", "all but one"]
    memory: str = ""


def _answer(agent: Agent, task: Task, key: Key, score: Score, recall: Recall, instead: Instead) -> Counterfactual:
    answer, status, found = "", "ok", 0.0
    try:
        answer = agent.again(task, recall).answer
        found = score(task, answer, key)
    except AnswerError as error:
        status = error.status
    known: Status = status  # type: ignore[assignment]  # the statuses an AnswerError may have
    return Counterfactual(instead.kind, instead.memory, answer, known, found)


def counterfactual_mistakes(study: Study) -> Iterator[str]:
    """What is wrong with the share that a study names."""
    share = study.counterfactuals
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        yield f"counterfactuals must be a share of the tasks in [0, 1] but is {share!r}; 0.1 is usual"
