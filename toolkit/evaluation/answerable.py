"""Whether a design can answer anything: what a plan refuses, and what it warns of, before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from toolkit.agents.arm import Arm
from toolkit.agents.decider import MostFrequent, NearestNeighbour, RandomChoice, Wrapped
from toolkit.component import Component, is_shipped
from toolkit.evaluation.design import Run
from toolkit.moves import actions_of
from toolkit.stats import sign_flip_limit
from toolkit.streams.channels import (
    Adversarial,
    HumanFeedback,
    Implicit,
    Missing,
    Noisy,
    Preference,
    ShuffledFeedback,
)
from toolkit.streams.stream import Stream, sessions
from toolkit.traits.memory import PermutedLabels, Shuffled
from toolkit.traits.role import RolePolicy

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study

FEW_RUNS = 5
_DRAWING = (
    *(Shuffled, PermutedLabels, MostFrequent, NearestNeighbour, RandomChoice, Wrapped),
    *(Adversarial, HumanFeedback, Implicit, Missing, Noisy, Preference, ShuffledFeedback),
)


def runs_of(runs: Sequence[Run], stream: Stream) -> int:
    """Runs of each arm on one stream, of all runs of a study."""
    return len({(run.order, run.seed) for run in runs if run.stream is stream})


def refusals(study: Study, runs: Sequence[Run]) -> Iterator[str]:
    """Why a study answers no question, each with the way out; nothing if it may answer one."""
    if len(study.arms) < 2:
        yield f"one arm ({study.arms[0].name}) is compared with nothing: add tk.Arm.static(), or another rival"
    for stream in study.streams:
        pairs = stream.pairs()
        if len(sessions(pairs)) < 2:
            yield (
                f"{stream!r} has {len(pairs)} task{'s' * (len(pairs) != 1)} in one session: nothing says how others "
                "would come out; take two sessions at least, and some 50 to show a difference"
            )
    if sum(runs_of(runs, stream) for stream in study.streams) < 2:
        yield "one seed, one order: chance and order cannot be told apart from the arms; take 5 seeds or more"
    elif study.orders == ("given",) and len(study.seeds) > 1 and _all_fixed(study):
        yield (
            f"{len(study.seeds)} seeds in one given order, on a model that draws nothing (temperature 0): all runs "
            'are the same run; take order = "shuffled", or a temperature above 0'
        )


def warnings(study: Study, runs: Sequence[Run], level: float) -> Iterator[str]:
    """What a design will be told later, when it is too late."""
    count = sum(runs_of(runs, stream) for stream in study.streams)
    if limit := sign_flip_limit(count, level):
        yield limit
    if count < FEW_RUNS:
        yield f"only {count} runs of each arm: little is learned of the spread between orders; {FEW_RUNS} are advised"
    if len(study.seeds) == 1 < count:
        yield "one seed: its orders and streams are all that stands for chance; several seeds are advised"
    models = {arm.lm or study.lm for arm in study.arms if arm.decider.uses_model}
    if models and all(model.temperature == 0 for model in models):
        if study.orders == ("given",):
            yield "temperature 0, a given order: seeds vary nothing but what arms, or a served model, draw themselves"
        else:
            yield "temperature 0: seeds vary the order of tasks only"
    fixed = [arm.name for arm in study.arms if arm.stateless and _fixed(study, arm)]  # a session keeps its own order
    if study.baseline in fixed and len(fixed) > 1:
        others = ", ".join(name for name in fixed if name != study.baseline)
        yield (
            f"{others} and {study.baseline} answer alike in every order: more seeds show no more of their difference, "
            "more tasks do"
        )
    for stream in study.streams:
        yield from _barred(study, stream)
    if len(study.streams) > 1:
        yield "several streams: what can be detected is told for the one with the fewest sessions, taken by itself"


def _barred(study: Study, stream: Stream) -> Iterator[str]:
    """Roles that may not take the way by which a world's oracle reaches its goal."""
    if not stream.plays:
        return
    ways = [(task.id, actions_of(key.answers[0])) for task, key in stream.pairs() if key.answers]
    for role, arms in _by_role(study).items():
        shut = {task: one for task, way in ways for one in reversed(way) if not role.allows(one)}
        if shut:
            task, action = next(iter(shut.items()))
            yield (
                f"{', '.join(arms)}: the role may not act as the solution does in {len(shut)} of {len(ways)} tasks of "
                f"{stream.label} ({task}: {action}): its score is that of its grant, not of its text; add to Role.tools"
            )


def _by_role(study: Study) -> dict[RolePolicy, list[str]]:
    """Names of the arms that have each role; floors and ceiling decide without it."""
    found: dict[RolePolicy, list[str]] = {}
    for arm in study.arms:
        if arm.decider.uses_model:
            found.setdefault(arm.role, []).append(arm.name)
    return found


def overspent(study: Study, spent: dict[str, float]) -> Iterator[str]:
    """Limits of the budget that the whole study will not keep within."""
    for name, limit in study.budget.limits.items():
        if name in spent and not math.isnan(spent[name]) and spent[name] > limit:
            yield f"the budget of {limit:,g} {name} stops the study before its end: about {spent[name]:,.6g} are needed"


def _fixed(study: Study, arm: Arm) -> bool:
    """Whether all its runs in one order are surely the same run: neither model nor any part draws anything."""
    parts = [inner for part in (*arm.parts, study.channel) for inner in _nested(part)]
    if any(isinstance(part, _DRAWING) or not is_shipped(type(part)) for part in parts):
        return False
    model = arm.lm or study.lm
    return not arm.decider.uses_model or (model.deterministic and model.temperature == 0)


def _all_fixed(study: Study) -> bool:
    """Of the arms that use a model, or of all where none does."""
    return all(_fixed(study, arm) for arm in [a for a in study.arms if a.decider.uses_model] or study.arms)


def _nested(part: Component) -> Iterator[Component]:
    yield part
    for name in part.parameters():
        if isinstance(inner := getattr(part, name, None), Component):
            yield from _nested(inner)
