"""What a study will cost and what it can show, before anything is spent: `Study.plan`."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from toolkit.analysis.shown import html_table, text_table, visible
from toolkit.errors import SpecError
from toolkit.evaluation.answerable import overspent, refusals, runs_of, warnings
from toolkit.evaluation.design import Run
from toolkit.evaluation.judge import judges_of
from toolkit.evaluation.pilots import Pilot, course, differences, pilots
from toolkit.evaluation.rehearsal import MEASURES, Course, nothing, rehearse
from toolkit.records import Task
from toolkit.stats import Components, Planned, binary_prior, detectable_effect, needed, split_alpha
from toolkit.streams.stream import sessions

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_TOO_LARGE = 1.0  # no two scores within [0, 1] differ by more


@dataclass(frozen=True)
class ArmForecast:
    """What the runs of one arm come to, finished ones included.

    Parameters
    ----------
    runs, episodes
        Of the design.
    calls, tokens, dollars, seconds
        Expected, over all runs: model calls, tokens in and out, price, the model's latencies summed. NaN = unknown.
    source
        In words, what these rest on.
    reasons
        Why something is unknown.
    """

    arm: str
    runs: int
    episodes: int
    calls: float
    tokens: float
    dollars: float
    seconds: float
    source: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContrastForecast:
    """What a comparison of one arm with the baseline can show.

    Parameters
    ----------
    detectable
        Its smallest difference that is shown with the wanted power.
    parts
        Variance components of a paired difference, and what they rest on.
    seeds, tasks
        What the wanted effect needs: seeds with these tasks, tasks with these seeds. None if no effect was asked for;
        NaN where no number suffices.
    reasons
        Why something is missing or to be doubted.
    """

    arm: str
    baseline: str
    detectable: Planned
    parts: Components
    seeds: float | None = None
    tasks: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """A study before it is run. Printed, it is two tables with notes; in a notebook likewise.

    Parameters
    ----------
    study
        Its name.
    arms, contrasts
        A row each.
    power, level
        The wanted chance of showing a difference, and the coverage of the interval that shows it.
    effect
        The wanted effect, None if none was named.
    finished
        Runs of the design that are finished already: they will not be carried out again.
    warnings
        What a reader will hold against the study.
    notes
        How the numbers are to be read.
    """

    study: str
    arms: tuple[ArmForecast, ...]
    contrasts: tuple[ContrastForecast, ...]
    power: float
    level: float
    effect: float | None
    finished: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def total(self) -> ArmForecast:
        """All arms together; NaN where it is unknown of any."""
        sums = {name: sum(getattr(arm, name) for arm in self.arms) for name in ("runs", "episodes", *MEASURES)}
        return ArmForecast(arm="in all", **sums, source="")

    @property
    def frame(self) -> pd.DataFrame:
        """One row an arm, with the first of the contrasts that are planned for it."""
        import pandas as pd

        of = {one.arm: one for one in reversed(self.contrasts)}
        rows = []
        for arm in self.arms:
            row = {name: getattr(arm, name) for name in ("arm", "runs", "episodes", *MEASURES, "source")}
            found = of.get(arm.arm)
            row["against"] = found.baseline if found else ""
            row["detectable"] = found.detectable.effect if found else math.nan
            rows.append(row | {"variance_from": found.parts.source if found else ""})
        return pd.DataFrame(rows)

    def tables(self) -> list[tuple[list[str], list[list[str]]]]:
        """Heads and rows of what is shown: costs, then contrasts."""
        head = ["arm", "runs", "episodes", "calls", "tokens", "dollars", "hours", "from"]
        shown = [(head, [_cost_cells(arm) for arm in (*self.arms, self.total)])]
        if self.contrasts:
            head = ["contrast", f"detects at power {self.power:g}"]
            head += [] if self.effect is None else [f"seeds for {self.effect:g}", f"tasks for {self.effect:g}"]
            shown.append(([*head, "variance from"], [_contrast_cells(one) for one in self.contrasts]))
        return shown

    def __str__(self) -> str:
        parts = [f"Plan of study {self.study!r}. Planning asks no model and writes nothing."]
        parts += [text_table(head, rows) for head, rows in self.tables()]
        parts += ["\n".join(f"warning: {one}" for one in self.warnings)] if self.warnings else []
        return "\n\n".join([*parts, "\n".join(self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = [html_table(head, rows) for head, rows in self.tables()]
        told = [f"<p><b>Warning:</b> {html.escape(visible(one))}</p>" for one in self.warnings]
        return "".join([*shown, *told, *(f"<p>{html.escape(visible(note))}</p>" for note in self.notes)])


def forecast(
    study: Study,
    *,
    effect: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    rehearsing: Callable[[Run], Course] = rehearse,
) -> Forecast:
    """What a study will cost and what it can show; see `Study.plan`. Who plans often may keep rehearsals of before."""
    runs = study.runs
    if found := list(refusals(study, runs)):
        raise SpecError([f"study {study.name!r} answers no question as it is: {one}" for one in found])
    known = pilots(study)
    arms = tuple(_arm(study, runs, known, arm.name, rehearsing) for arm in study.arms)
    pairs, shared = _family(study, level)
    contrasts = tuple(_contrast(study, runs, known, pair, effect, power, shared) for pair in pairs)
    told = Forecast(study.name, arms, contrasts, power, level, effect, _finished(study), (), ())
    spent = {name: getattr(told.total, name) for name in MEASURES}
    warned = [*warnings(study, runs, level), *overspent(study, spent), *_doubts(contrasts)]
    notes = tuple(_notes(study, told))
    return Forecast(study.name, arms, contrasts, power, level, effect, told.finished, tuple(warned), notes)


def _family(study: Study, level: float) -> tuple[list[tuple[str, str]], float]:
    """The contrasts that are planned for, each an arm and its rival, and the level that leaves all of them theirs.

    Of several hypotheses each has its share of the error, as if all others failed: Holm asks no more. A study that may
    stop early keeps one half for its end.
    """
    error = 1 - level if not study.stop_when else split_alpha(1 - level, 2)[1]
    pairs = list(dict.fromkeys((one.arm, one.against or study.baseline) for one in study.hypotheses))
    if not pairs:
        return [(arm.name, study.baseline) for arm in study.arms if arm.name != study.baseline], 1 - error
    return pairs, 1 - error / len(study.hypotheses)


def _arm(
    study: Study, all_runs: Sequence[Run], known: list[Pilot], name: str, rehearsing: Callable[[Run], Course]
) -> ArmForecast:
    runs = [run for run in all_runs if run.arm.name == name]
    sums, sources, reasons = dict.fromkeys(MEASURES, 0.0), list[str](), list[str]()
    for stream in study.streams:
        own = [run for run in runs if run.stream is stream]
        found = _course(known, own[0], rehearsing)
        for run in own:
            for measure, value in found.over(run.length).items():
                sums[measure] += value
        sources.append(found.source)
        reasons += found.reasons
    episodes = sum(run.length for run in runs)
    source = "; ".join(dict.fromkeys(sources))
    return ArmForecast(name, len(runs), episodes, **sums, source=source, reasons=tuple(dict.fromkeys(reasons)))


def _course(known: list[Pilot], run: Run, rehearsing: Callable[[Run], Course]) -> Course:
    if not run.arm.decider.uses_model:
        return nothing()
    return course(known, run.arm, run.stream) or rehearsing(run)


def _contrast(
    study: Study,
    all_runs: Sequence[Run],
    known: list[Pilot],
    pair: tuple[str, str],
    effect: float | None,
    power: float,
    level: float,
) -> ContrastForecast:
    arms = {arm.name: arm for arm in study.arms}
    parts = differences(known, *(arms[name] for name in pair)) or binary_prior()
    stream = min(study.streams, key=lambda one: len(sessions(one.pairs())))
    clusters, size = _clusters([task for task, _ in stream.pairs()])
    runs = runs_of(all_runs, stream)
    if runs < 2:  # one seed on several streams: there is no test on one of them
        runs = sum(runs_of(all_runs, one) for one in study.streams)
    unit = "session" if size > 1 else "task"
    found = detectable_effect(parts, runs=runs, clusters=clusters, tasks=size, power=power, level=level, unit=unit)
    reasons = dict.fromkeys(filter(None, [found.reason]))
    if effect is None:
        return ContrastForecast(*pair, found, parts, reasons=tuple(reasons))
    sought = partial(needed, parts, effect, tasks=size, power=power, level=level, unit=unit)
    more, longer = sought(clusters=clusters), sought(runs=runs)
    seeds = math.ceil(more.runs / len(study.orders)) if more.power >= power else math.nan
    tasks = math.ceil(longer.clusters * size) if longer.power >= power else math.nan
    reasons |= dict.fromkeys(one.reason for one in (more, longer) if not one.power >= power)
    return ContrastForecast(*pair, found, parts, seeds, tasks, tuple(reasons))


def _clusters(tasks: Sequence[Task]) -> tuple[int, float]:
    """How many sessions (or tasks without one) there are, and how many tasks each has on average."""
    count = len({task.session or (task.id,) for task in tasks})
    return count, len(tasks) / count


def _finished(study: Study) -> int:
    return sum(record.status == "finished" for record in study.records())


def _doubts(contrasts: Iterable[ContrastForecast]) -> Iterator[str]:
    large = "only a difference above 1 would be shown, and scores lie within [0, 1]: add seeds and tasks"
    yield from _together(
        (one.arm, reason)
        for one in contrasts
        for reason in (*one.reasons, *([large] if one.detectable.effect > _TOO_LARGE else []))
    )


def _together(told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is told of several arms in the same words, once."""
    of: dict[str, list[str]] = {}
    for arm, reason in told:
        of.setdefault(reason, []).append(arm)
    yield from (f"{', '.join(arms)}: {reason}" for reason, arms in of.items())


def _notes(study: Study, found: Forecast) -> Iterator[str]:
    if found.contrasts:
        many, level = len(study.hypotheses), found.contrasts[0].detectable.level
        told = "for one contrast, uncorrected"
        if many:
            told = f"for each of {many} hypotheses, so that none is shown by chance in {found.level:.0%} of studies"
        yield (
            f"Detects: the smallest true difference whose {100 * level:.4g}% two-way interval excludes 0 with a chance "
            f"of {found.power:.0%}; {told}. A null result excludes nothing smaller."
        )
    for judge in judges_of(study.scorers):
        yield (
            f"Not in the table: {judge.name} asks {judge.model.label} once for each answer, about "
            f"{found.total.episodes:,.0f} calls in all."
        )
    if study.stop_when:
        yield "Half of the error is kept for looking early; a study that ends early costs less than is told here."
    if found.finished:
        yield f"{found.finished} of {found.total.runs} runs are finished and will not be carried out again."
    hours = found.total.seconds / 3600
    if hours > 0:
        workers = study.workers or study.lm.parallel
        side = f"; with {workers} calls at a time about {_number(hours / workers)} h" * (workers > 1)
        yield f"Hours are the model's own, summed{side}."
    if found.effect is not None:
        yield "Seeds: with the tasks as they are. Tasks: with the seeds as they are, and sessions as long as these."
    if any(one.parts == binary_prior() for one in found.contrasts):
        yield (
            "No pilot: variance .5, all of it between tasks, as of 0/1 scores without correlation; runs differ by .05. "
            "A pilot (a few seeds of this study) nearly always says that less is needed."
        )
    yield from (f"n/a: {one}." for one in _together((arm.arm, why) for arm in found.arms for why in arm.reasons))


def _cost_cells(arm: ArmForecast) -> list[str]:
    calls, tokens = (_count(value) for value in (arm.calls, arm.tokens))
    dollars = "n/a" if math.isnan(arm.dollars) else f"{arm.dollars:,.2f}"
    return [arm.arm, str(arm.runs), str(arm.episodes), calls, tokens, dollars, _number(arm.seconds / 3600), arm.source]


def _contrast_cells(one: ContrastForecast) -> list[str]:
    cells = [f"{one.arm} - {one.baseline}", _number(one.detectable.effect)]
    cells += [_count(value) for value in (one.seeds, one.tasks) if value is not None]
    return [*cells, one.parts.source]


def _count(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:,.0f}"


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3f}"
