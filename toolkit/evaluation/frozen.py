"""The second pass: the stream again, or a held-out one, by the agent that came out of the first, with all updating off.

On the same tasks it tells how much of what was learned is still there (stability); on others, how far it carries
(generalisation). What was learned on the way is the first pass (plasticity).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from toolkit.agents.agent import Agent
from toolkit.episode import Episode
from toolkit.errors import ToolkitError
from toolkit.evaluation.prequential import Bench, Pending, tested
from toolkit.records import Experience, Phase
from toolkit.streams.stream import Pair, Stream

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study

SAME = "same"


class NotFrozen(ToolkitError):
    """Something of an agent changed during a pass in which nothing may."""


def iter_frozen(agent: Agent, pairs: Sequence[Pair], bench: Bench, pending: Pending) -> Iterator[Episode]:
    """Episodes of a pass in which nothing is updated and no feedback is given.

    Feedback that was still on its way is delivered before; what learning from it costs is charged to the first
    episode. Sessions begin anew: a task is answered with the running session's transcript of this pass alone.

    Parameters
    ----------
    agent
        Is frozen, for good.
    pairs
        Tasks and keys in the order they come.
    bench
        Its scorers; the channel is not asked.
    pending
        What the first pass left.

    Yields
    ------
    Episode
        One for every pair, of the phase ``frozen``.

    Raises
    ------
    NotFrozen
        If memory, goals, learner or decider are not what they were when it began.
    """
    agent.decision.at("frozen", 0)
    for late in pending.rest():
        agent.learn(late)
    agent.freeze()
    before = agent.state()
    for t, pair in enumerate(pairs):
        yield unlearned(agent, pair, bench, "frozen", t, f"frozen/{t}")
    if agent.state() != before:
        raise NotFrozen(
            f"arm {agent.arm.name!r} changed during the second pass, in which nothing may: a policy that changes its "
            "state when it is asked must keep that apart, or the study be run without second_pass"
        )


def unlearned(agent: Agent, pair: Pair, bench: Bench, phase: Phase, t: int, name: str) -> Episode:
    """One task answered by a frozen agent: no feedback is given, and only the running session's transcript grows."""
    task, key = pair
    agent.decision.at(phase, t)
    found = tested(agent, task, key, bench, phase, t)
    if found.turns:
        agent.observe(Experience(name, task, found.answer))
    return found.episode(name, phase, t, pair, agent, bench)


def second_mistakes(study: Study) -> Iterator[str]:
    """What is wrong with what a study says of its second pass."""
    asked = study.second_pass
    if not isinstance(asked, Stream) and asked not in ("", SAME):
        yield f"second_pass must be empty, {SAME!r} or a held-out stream but is {asked!r}"
