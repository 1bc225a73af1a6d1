"""The loop: test, then train. One run is one pass of one agent over one stream in one order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from toolkit.agents.agent import Agent
from toolkit.component import Component
from toolkit.episode import Episode
from toolkit.errors import AnswerError
from toolkit.evaluation.counterfactual import Counterfactuals
from toolkit.evaluation.judge import NoVerdict
from toolkit.moves import WAIT, Move, Outcome, planned
from toolkit.randomness import generator
from toolkit.records import Experience, Feedback, Key, Phase, Status, Task, Turn, Usage, Weighed
from toolkit.streams.channel import Channel, FullLabel, Wait
from toolkit.streams.scoring import Scorer
from toolkit.streams.stage import Stage
from toolkit.streams.stream import Pair, Stream
from toolkit.streams.worlds import WorldStream

if TYPE_CHECKING:
    from toolkit.lm.tape import Recorder


@dataclass(frozen=True)
class Bench:
    """What judges answers and what the agent gets to hear.

    Parameters
    ----------
    scorers
        Metrics, the main one first; their scores go to the ledger only.
    channel
        Turns the main score and the key into feedback; the run's own, see `heard`.
    rng
        For channels that draw.
    counterfactuals
        Asks again, if anybody does, on the first pass.
    judging
        What records the calls of scorers that ask a model.
    worlds
        The stream whose tasks are worlds, if they are.
    seeds
        The run's path of random numbers, which the worlds' seeds derive from: equal for all arms.
    """

    scorers: tuple[Scorer, ...]
    channel: Channel
    rng: np.random.Generator
    counterfactuals: Counterfactuals | None = None
    judging: tuple[Recorder, ...] = ()
    worlds: WorldStream | None = None
    seeds: tuple[int | str, ...] = ()

    def stage(self, agent: Agent, task: Task) -> Stage | None:
        """Where the agent meets the task's world, if it is one."""
        if self.worlds is None:
            return None
        stream, decision = self.worlds, agent.decision

        def told(question: Mapping[str, str], answer: Callable[[], str]) -> str:
            decision.recorder.at(*decision.place, "world", "acting")
            return decision.recorder.told(question, answer, person=False)

        seed = int(generator(*self.seeds, "world", task.id).integers(2**31))
        return Stage(lambda: stream.world(task), lambda: stream.limits(task), seed, told)

    def scores(self, task: Task, answer: str, key: Key) -> tuple[dict[str, float], str]:
        """Every metric by name, NaN where a judge gave no verdict; and why it gave none."""
        found, missing = dict[str, float](), list[str]()
        for scorer in self.scorers:
            try:
                found[scorer.name] = scorer(task, answer, key)
            except NoVerdict as error:
                found[scorer.name] = math.nan
                missing.append(f"{scorer.name}: {error}")
        return found, "; ".join(missing)

    def score(self, task: Task, answer: str, key: Key) -> float:
        """The main metric alone."""
        try:
            return self.scorers[0](task, answer, key)
        except NoVerdict:
            return math.nan

    def meant(self, task: Task, turns: Sequence[Turn], key: Key) -> float:
        """The main metric of an answer that was weighed, given or not; NaN where a model would have to be asked."""
        if not turns or turns[-1].weighed is None or self.scorers[0].asks:
            return math.nan
        return self.score(task, turns[-1].meant, key)

    def spent(self) -> Usage:
        """What judges have cost since this was last asked."""
        return sum((recorder.take("judging") for recorder in self.judging), Usage())


def heard(channel: Component, agent: Agent, wait: Wait) -> Channel:
    """A channel as a run's own: begun, with a way to the outside that keeps on the run's tape what was said there.

    Parameters
    ----------
    channel
        What the study or the arm names; it is left alone.
    agent
        Whose tape it is.
    wait
        Called while somebody outside is waited for; may raise.
    """
    if not isinstance(channel, Channel):
        raise TypeError(f"a channel must be a Channel, such as FullLabel(), but is {channel!r}")
    decision, own = agent.decision, channel.clone()

    def ask(question: Mapping[str, str], answer: Callable[[Wait], str]) -> str:
        decision.recorder.at(*decision.place, "person", "judging")
        return decision.recorder.told(question, lambda: answer(wait))

    own.reset(ask)
    return own


def worlds_of(stream: Stream) -> WorldStream | None:
    """The stream, if its tasks are worlds; one that is kept in an archive has them on its runs' tapes alone."""
    return cast(WorldStream, stream) if stream.plays else None


class Pending:
    """Feedback on its way: given now, delivered when it is due.

    Examples
    --------
    >>> pending = Pending()
    >>> pending.put(Experience("stream/0", Task("a", {}), "x", Feedback(1.0)), due=2)
    >>> [list(map(lambda e: e.id, pending.arrived(t))) for t in (0, 1, 2)]
    [[], [], ['stream/0']]
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[Experience]] = {}

    def put(self, experience: Experience, due: int) -> None:
        """Deliver ``experience`` before the task at place ``due``."""
        self._waiting.setdefault(due, []).append(experience)

    def arrived(self, t: int) -> list[Experience]:
        """What is due by ``t``, in order of due date, then of giving."""
        due = sorted(place for place in self._waiting if place <= t)
        return [experience for place in due for experience in self._waiting.pop(place)]

    def rest(self) -> list[Experience]:
        """What has not been delivered yet, in the same order: for a pass that comes after."""
        return self.arrived(max(self._waiting, default=0))


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of one task before anything was learned from it."""

    turns: tuple[Turn, ...]
    status: Status
    error: str
    answer: str
    scores: dict[str, float]
    acting: Usage
    meant: float = math.nan
    outcome: Outcome | None = None

    @property
    def moves(self) -> tuple[Move, ...] | None:
        """What was seen and done, where the task was a world; as the agent may know it."""
        moves = (turn.move for turn in self.turns)
        return None if self.outcome is None else tuple(move.unrewarded for move in moves if move is not None)

    @property
    def weighed(self) -> Weighed | None:
        """The answer before it was weighed, if it was."""
        return self.turns[-1].weighed if self.turns else None

    def episode(self, name: str, phase: Phase, t: int, pair: Pair, agent: Agent, bench: Bench) -> Episode:
        """As it is recorded where nobody tells the agent anything; with what was spent since the episode before it."""
        task, key = pair
        return Episode(
            id=name,
            phase=phase,
            t=t,
            task=task,
            turns=self.turns,
            answer=self.answer,
            status=self.status,
            scores=self.scores,
            feedback=None,
            due=t + 1,
            error=self.error,
            oracle=key.oracle,
            acting=self.acting,
            adapting=agent.spent(),
            judging=agent.decision.recorder.take("judging") + bench.spent(),
            changes=agent.changes(),
            meant=self.meant,
            outcome=self.outcome,
        )


def tested(agent: Agent, task: Task, key: Key, bench: Bench, phase: Phase, t: int) -> Tested:
    """Let an agent answer a task, and score the answer; a failure that the arm caused scores 0."""
    stage = bench.stage(agent, task)
    turns, status, error = _act(agent, task, phase, t, stage)
    outcome = None if stage is None else stage.outcome()
    if stage is not None and stage.broken:
        status, error = "failed", stage.broken
    acting = agent.decision.recorder.take("acting")
    answer = turns[-1].answer if turns else ""
    if stage is not None:
        answer = planned([move.action for move in stage.moves if move.action != WAIT])
    scores = {scorer.name: 0.0 for scorer in bench.scorers}
    if turns and (stage is None or status == "ok"):
        scores, missing = bench.scores(task, answer if outcome is None else outcome.text, key)
        error = error or missing
    for turn in turns:
        acting = acting + turn.usage
    meant = bench.meant(task, turns, key) if stage is None else math.nan
    return Tested(turns, status, error, answer, scores, acting, meant, outcome)


def iter_episodes(
    agent: Agent,
    pairs: Sequence[Pair],
    bench: Bench,
    *,
    phase: Phase = "stream",
    pending: Pending | None = None,
    exam: Callable[[int], Iterator[Episode]] | None = None,
) -> Iterator[Episode]:
    """Episodes of one pass, each scored at once, with feedback delivered when it is due.

    Parameters
    ----------
    agent
        Is changed by the pass.
    pairs
        Tasks and keys in the order they come. The agent is handed the tasks only.
    bench
        Scorers and channel.
    phase
        Under which phase the episodes are booked.
    pending
        Where feedback waits; what is still in it at the end can then be delivered by whoever gave it.
    exam
        Gives the episodes of an exam, if there is one when so many tasks have been met; see
        `toolkit.evaluation.exams`.

    Yields
    ------
    Episode
        One for every pair, whatever happened: a failure the arm caused scores 0 and stays in the denominator.

    Raises
    ------
    Outage
        If the model cannot be reached: the run is suspended before this task's episode.
    Exception
        Whatever memory, learner or scorer raises: the run fails loudly.
    """
    pending, learns = pending or Pending(), not agent.arm.stateless
    for t, (task, key) in enumerate(pairs):
        agent.decision.at(phase, t)
        for due in pending.arrived(t):
            agent.learn(due)
        if exam is not None:
            yield from exam(t)
            agent.decision.at(phase, t)
        found = tested(agent, task, key, bench, phase, t)
        asks = bench.counterfactuals if bench.worlds is None else None
        asked = asks.asked(agent, task, key, bench.score) if asks else ()
        feedback = bench.channel.feedback(task, found.answer, key, next(iter(found.scores.values())), bench.rng)
        recalled = tuple(dict.fromkeys(one for turn in found.turns for one in turn.recalled))
        spent = replace(found.acting, seconds=0.0)  # no agent is told the clock
        seen = Experience(f"{phase}/{t}", task, found.answer, recalled=recalled, usage=spent, weighed=found.weighed)
        seen = replace(seen, moves=found.moves)
        due_at = t + 1 + key.delay + bench.channel.delay
        if found.turns:
            agent.observe(seen)
        if feedback is not None:
            pending.put(replace(seen, feedback=feedback), due_at)
        episode = found.episode(seen.id, phase, t, (task, key), agent, bench)
        labels = int(feedback is not None and learns)
        yield replace(episode, feedback=feedback, due=due_at, labels=labels, counterfactuals=asked)
    if exam is not None:
        yield from exam(len(pairs))


def _act(agent: Agent, task: Task, phase: Phase, t: int, stage: Stage | None) -> tuple[tuple[Turn, ...], Status, str]:
    try:
        turns = agent.act(task, phase, t, stage)
    except AnswerError as error:
        return (), error.status, str(error)  # type: ignore[return-value]  # the statuses an AnswerError may have
    if stage is not None:
        failure = stage.failure
        return turns, failure.status if failure else "ok", str(failure or "")  # type: ignore[return-value]
    cut = agent.decision.recorder.last_status == "truncated" and turns[-1].usage.calls > 0
    return turns, "truncated" if cut else "ok", ""


def prepare(agent: Agent, pool: Sequence[Pair]) -> int:
    """Hand the agent as many labelled tasks as learner and memory want, in the pool's order; the number of labels.

    Where several want some, they see the same ones. A model that is trained on some is trained first: whatever else
    gets ready asks the trained one.

    Raises
    ------
    ValueError
        If the pool has too few.
    """
    asks = agent.learning if agent.learning.labels >= agent.memory.labels else agent.memory
    trained, wanted = agent.decision.labels, asks.labels
    if trained > len(pool):
        told = f"wants {trained} labelled tasks but the stream's pool has {len(pool)}: lower it"
        raise ValueError(f"the model of arm {agent.arm.name!r} {told}")
    if wanted > len(pool):
        raise ValueError(f"{asks!r} wants {wanted} labelled tasks but the stream's pool has {len(pool)}: lower it")
    if trained:
        agent.decision.train(agent.step, [(task, key.answers[0]) for task, key in pool[:trained]])
    channel, rng = FullLabel(), np.random.default_rng(0)
    labelled = []
    for number, (task, key) in enumerate(pool[:wanted]):
        feedback: Feedback | None = channel.feedback(task, key.answers[0], key, 1.0, rng)
        labelled.append(Experience(f"prepare/{number}", task, key.answers[0], feedback))
    agent.prepare(labelled)
    return max(wanted, trained)
