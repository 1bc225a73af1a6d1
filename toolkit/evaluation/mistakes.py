"""What can be wrong with a study: every mistake at once, each with its way out, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from toolkit.agents.arm import NAME, Arm
from toolkit.errors import SpecError, nearest
from toolkit.evaluation import hypotheses, stopping
from toolkit.evaluation.counterfactual import counterfactual_mistakes
from toolkit.evaluation.design import ORDERS
from toolkit.evaluation.frozen import second_mistakes
from toolkit.evaluation.judge import judge_mistakes
from toolkit.streams.stream import Stream
from toolkit.streams.worlds import WorldStream

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study


def usual_baseline(arms: Sequence[Arm]) -> str:
    """``"static"`` if an arm is called so, else the first."""
    names = [arm.name for arm in arms]
    return "static" if "static" in names else names[0] if names else ""


def mistakes(study: Study) -> Iterator[str]:
    """Everything that is wrong with a study, one sentence each, before anything is spent."""
    names = [arm.name for arm in study.arms]
    yield from _name_mistakes(study, names)
    yield from _seed_mistakes(study)
    yield from _strange_orders(study)
    yield from second_mistakes(study)
    yield from counterfactual_mistakes(study)
    yield from study.exams.mistakes() if study.exams else ()
    yield from judge_mistakes(study)
    yield from _model_mistakes(study)
    yield from _part_mistakes(study)
    yield from study.budget.mistakes(names)
    yield from stopping.mistakes(study.stop_when, names)
    yield from hypotheses.mistakes(study)
    yield from _twins(study)
    yield from _world_mistakes(study)
    yield from _stream_mistakes(study)
    yield from _pool_mistakes(study)


def _name_mistakes(study: Study, names: Sequence[str]) -> Iterator[str]:
    if not NAME.fullmatch(study.name):
        yield f"a study's name must be 1 to 40 letters, digits, '.', '_' or '-' but is {study.name!r}"
    if not names:
        yield "a study needs at least one arm"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two arms are called {name!r}; names must differ"
    if names and study.baseline not in names:
        yield f"the baseline {study.baseline!r} is no arm; {nearest(study.baseline, names)}"


def _seed_mistakes(study: Study) -> Iterator[str]:
    if not study.seeds or any(isinstance(s, bool) or not isinstance(s, int) or s < 0 for s in study.seeds):
        yield f"seeds must be a number of at least 1, or a list of integers of at least 0, but is {study.seeds!r}"
    if len(set(study.seeds)) < len(study.seeds):
        yield f"seeds must differ but are {study.seeds!r}"


def _model_mistakes(study: Study) -> Iterator[str]:
    """Of what an arm asks of its model, and its model cannot give."""
    for lm in {arm.lm or study.lm for arm in study.arms if arm.decider.uses_model}:
        if study.deciding not in lm.ways:
            yield f"{lm!r} cannot decide by {study.deciding!r}; it can by {', '.join(lm.ways)}"
    for arm in study.arms:
        for number in (*arm.decider.directs, *arm.learning.directs):
            if not (arm.lm or study.lm).holds(number):
                yield f"arm {arm.name!r} has no model {number} among its own: give it lm=Several((cheap, dear, ...))"
        if arm.decider.likelihoods and (study.deciding != "likelihood" or (arm.lm or study.lm).adapter == "chat"):
            yield (
                f"arm {arm.name!r} must know how likely an answer was, which deciding='likelihood' alone tells (not "
                f"{study.deciding!r}, nor the layout 'chat'): set it, or weigh votes: Abstaining(of=SelfConsistency())"
            )


def _part_mistakes(study: Study) -> Iterator[str]:
    """What the parts of a study say of themselves."""
    for where, part in [
        ("lm", study.lm),
        ("channel", study.channel),
        *((f"scorer {one.name!r}", one) for one in study.scorers if not one.asks),
        *((f"arm {a.name!r}", p) for a in study.arms for p in a.parts),
    ]:
        try:
            part.check()
        except ValueError as error:
            yield f"{where}: {error}"


def _world_mistakes(study: Study) -> Iterator[str]:
    """Of streams whose tasks are worlds: nothing in them can be asked twice."""
    if not any(stream.plays for stream in study.streams):
        return
    if study.counterfactuals:
        yield "counterfactuals ask for an answer again, which an episode in a world cannot give: leave them out"
    for arm in study.arms:
        if arm.goals.thinks and not arm.decider.uses_model:
            asks = ", ".join(arm.goals.thinks)
            yield (
                f"arm {arm.name!r}: {arm.goals!r} asks a model ({asks}), but {arm.decider!r} uses none: take Reactive "
                "or Watch, or a decider that asks one"
            )
        if arm.learning.revisits:
            yield (
                f"arm {arm.name!r}: {arm.learning!r} asks tasks again, which worlds do not allow; take a Bandit over "
                "instructions, a Playbook or a DemoBuffer"
            )
    yield from _tool_mistakes(study)


def _tool_mistakes(study: Study) -> Iterator[str]:
    """Of roles that restrict themselves to tools: a name that no world here has restricts to nothing."""
    restricted = [arm for arm in study.arms if arm.role.unknown_tools(())]
    worlds = [stream for stream in study.streams if isinstance(stream, WorldStream)]
    if not restricted or not worlds:  # where answers are texts, there is nothing to restrict
        return
    known = {tool.name: tool for stream in worlds for tool in stream.tools()}
    for arm in restricted:
        for mistake in arm.role.unknown_tools(list(known.values())):
            yield f"arm {arm.name!r}: {mistake}"


def _twins(study: Study) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for arm in study.arms:
        key = arm.fingerprint(), (arm.lm or study.lm).fingerprint() if arm.decider.uses_model else ""
        if key in seen:
            yield f"the arms {seen[key]!r} and {arm.name!r} do the same; for an A/A test give one repeat = 1"
        seen[key] = arm.name


def _strange_orders(study: Study) -> Iterator[str]:
    for kind in study.orders:
        if kind not in ORDERS:
            yield f"order must be one of {', '.join(ORDERS)} but is {kind!r}"
    if not study.orders or len(set(study.orders)) < len(study.orders):
        yield f"orders must be at least one, and differ, but are {study.orders!r}"


def _pool_mistakes(study: Study) -> Iterator[str]:
    """Of models that are trained beforehand: there must be something to train them on."""
    trained = {arm.lm or study.lm for arm in study.arms if arm.decider.uses_model and (arm.lm or study.lm).labels}
    for stream in study.streams if trained else ():
        if stream.plays:
            yield f"{stream!r} has worlds for tasks, of which no model here is trained: leave {trained.pop()!r} out"
            return
        try:
            size = len(stream.pool())
        except SpecError as error:
            yield from error.mistakes
            continue
        for lm in trained:
            if lm.labels > size:
                yield f"{lm!r} wants {lm.labels} labelled tasks but the pool of {stream!r} has {size}: lower it"


def _stream_mistakes(study: Study) -> Iterator[str]:
    """Of several streams; reading them is left to whoever runs a study with one."""
    if len(study.streams) == 1:
        return
    seen: dict[str, Stream] = {}
    for stream in study.streams:
        try:
            key = stream.fingerprint()
        except SpecError as error:
            yield from error.mistakes
            continue
        if key in seen:
            yield f"the streams {seen[key]!r} and {stream!r} hold the same tasks: leave one out, or change a parameter"
        seen[key] = stream
    ways = dict.fromkeys(tuple(stream.scorers) for stream in study.streams)
    if len(ways) > 1 and not study.scorers_named:
        told = "; ".join(", ".join(way) for way in ways)
        yield f"the streams are scored in different ways ({told}): name the scorers of the study"
