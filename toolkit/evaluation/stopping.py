"""Looking early: conditions under which a study ends before its plan does, at an error that looking does not raise.

A condition names two arms and which of them is to be ahead, as ``"memory>static"``. While the study runs, the driver
follows what its runs record, in whatever process, and watches the confidence sequence of the running difference: the
mean, over the tasks so far, of the difference that was to be expected given all before, averaged over runs, up to the
task that all runs have passed. It ends the study once the sequence excludes 0 on the side that was asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis import plan as planned
from toolkit.analysis.looked import EARLY
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.design import Run
from toolkit.evaluation.run import record_of
from toolkit.ledger.course import differences
from toolkit.ledger.disk import held
from toolkit.ledger.follow import Follower, PlannedRun
from toolkit.ledger.rows import Row, RunRecord
from toolkit.ledger.store import RunFolder
from toolkit.stats import confidence_sequence, crosses, running_difference, split_alpha

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.stats import ConfidenceSequence

ALPHA = 0.05
"""Chance of error of a study that may be stopped: one half for all looking, one half for the intervals at its end."""

ESTIMAND = (
    "mean, over the tasks so far, of the difference expected given all before, averaged over runs, up to the task that "
    "all runs have passed"
)
_EVERY = 0.2  # seconds between two looks at least
_FORM = re.compile(r"\s*([^<>\s]+)\s*([<>])\s*([^<>\s]+)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """Two arms of which one is to be ahead for the study to end.

    Parameters
    ----------
    ahead, behind
        Names of arms.
    text
        As it was written.
    """

    ahead: str
    behind: str
    text: str

    @classmethod
    def of(cls, text: str) -> Condition:
        """The condition that a text states.

        Raises
        ------
        SpecError
            If it is none.

        Examples
        --------
        >>> Condition.of("static < memory")
        Condition(ahead='memory', behind='static', text='static<memory')
        """
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise SpecError([f'stop_when must be ARM>OTHER or ARM<OTHER but is {text!r}; write "memory>static"'])
        left, sign, right = found.groups()
        return cls(*((left, right) if sign == ">" else (right, left)), f"{left}{sign}{right}")


def written(given: str | Iterable[str]) -> tuple[str, ...]:
    """Conditions as a study holds them: one text or several become a tuple; what is no condition stays as it is."""
    texts = (given,) if isinstance(given, str) else tuple(given)
    return tuple("".join(text.split()) if isinstance(text, str) else text for text in texts)


def mistakes(texts: Sequence[str], arms: Sequence[str]) -> Iterator[str]:
    """What is wrong with the conditions of a study that has these arms."""
    for number, text in enumerate(texts):
        try:
            condition = Condition.of(text)
        except SpecError as error:
            yield from error.mistakes
            continue
        for name in (condition.ahead, condition.behind):
            if name not in arms:
                yield f"stop_when {text!r}: no arm is called {name!r}; {nearest(name, arms)}"
        if condition.ahead == condition.behind:
            yield f"stop_when {text!r}: an arm is never ahead of itself; name two arms"
        if text in texts[:number]:
            yield f"stop_when {text!r} is given twice; leave one out"


def level_of(conditions: int) -> float:
    """The level at which each of so many conditions is watched."""
    looking, _ = split_alpha(ALPHA, 2)
    return 1 - looking / max(1, conditions)


def registered(study: Study, runs: Sequence[Run], before: Row | None) -> dict[str, Row]:
    """What a plan says of looking early: nothing where nobody looks, or ever did.

    Parameters
    ----------
    study, runs
        What is about to be carried out.
    before
        The plan as it stood before, if a run has begun under it.
    """
    old = (before or {}).get("stop_when", {})
    kept = list(study.stop_when)
    removed = [text for text in [*old.get("conditions", ()), *old.get("removed", ())] if text not in kept]
    late = [text for text in kept if before is not None and text not in old.get("conditions", ())]
    late = list(dict.fromkeys([*(text for text in old.get("late", ()) if text in kept), *late]))
    if not kept and not removed:
        return {}
    looking, final = split_alpha(ALPHA, 2)
    told: Row = {"conditions": kept, "estimand": ESTIMAND, "alpha": ALPHA, "looking": looking, "final": final}
    told |= {
        "level": level_of(len(kept) + len(removed)),
        "removed": removed,
        "late": late,
        "cannot": cannot(study, runs),
    }
    return {"stop_when": told}


def cannot(study: Study, runs: Sequence[Run]) -> str:
    """Why no condition of a study can ever be met; empty if it may be."""
    if not study.stop_when:
        return ""
    pairs = len({(run.label, run.order, run.seed) for run in runs})
    if pairs < 2:
        return "one run of each arm: what went on in one order says nothing of others; give 2 seeds or more"
    tasks = min(len(run.places) for run in runs)
    best = confidence_sequence(np.ones(tasks), low=-1, high=1, level=level_of(len(study.stop_when)))
    if crosses(best) is None:
        return f"{tasks} tasks: even a difference of 1 in all of them would not exclude 0; use a longer stream"
    return ""


class Lookout:
    """Watches a study's conditions from the files that its runs write, wherever they run.

    Parameters
    ----------
    study
        Whose plan is written already.
    """

    def __init__(self, study: Study) -> None:
        self._conditions = [Condition.of(text) for text in study.stop_when]
        self._blind = not self._conditions or bool(cannot(study, study.runs))
        told = planned(study.ledger, study.name).get("stop_when", {}) if self._conditions else {}
        self._level = told.get("level", level_of(len(self._conditions)))
        self._follower = Follower(study.ledger, study.name)
        self._scores: dict[str, list[float]] = {}
        self._passed: dict[Condition, int] = {}
        self._next = 0.0

    def look(self) -> str:
        """Why the study is to end; empty while no condition is met, and between two looks.

        A task without a score counts as the worst that it could be for what is asked, so that it ends nothing.
        """
        if self._blind or time.monotonic() < self._next:
            return ""
        self._next = time.monotonic() + _EVERY
        for one in self._follower.poll():
            if one.phase == "stream":
                scores = self._scores.setdefault(one.run, [])
                scores += [one.score] if one.t == len(scores) else []  # behind a damaged line nothing is known
        runs = self._follower.runs
        further = (one for one in self._conditions if self._further(one, runs))
        return next(filter(None, (met(one, runs, self._scores, self._level) for one in further)), "")

    def _further(self, condition: Condition, runs: Sequence[PlannedRun]) -> bool:
        """Whether all runs of its arms have passed one more task."""
        arms = condition.ahead, condition.behind
        passed = min((len(self._scores.get(run.id, ())) for run in runs if run.arm in arms), default=0)
        before, self._passed[condition] = self._passed.get(condition, 0), passed
        return passed > before


def met(condition: Condition, runs: Sequence[PlannedRun], scores: Mapping[str, Sequence[float]], level: float) -> str:
    """Why a condition ends a study, from what each run has scored so far; empty while it does not.

    Parameters
    ----------
    condition
        What is asked.
    runs, scores
        As in `toolkit.ledger.course.differences`.
    level
        At which the sequence is watched; see `level_of`.

    Examples
    --------
    >>> runs = [PlannedRun(f"{arm}{seed}", "", arm, seed) for arm in "ab" for seed in (0, 1)]
    >>> scores = {"a0": [1] * 30, "a1": [1] * 30, "b0": [0] * 30, "b1": [1, 0] * 15}
    >>> met(Condition.of("a>b"), runs, scores, 0.975)[:46]
    'early stop: a>b: met at task 18: a is ahead of'
    >>> met(Condition.of("a<b"), runs, scores, 0.975)
    ''
    """
    matrix = differences(runs, scores, condition.ahead, condition.behind, missing=-1.0)
    if not matrix.size:
        return ""
    sequence = confidence_sequence(running_difference(matrix), low=-1, high=1, level=level)
    above = np.flatnonzero(sequence.low > 0)
    return _told(condition, sequence, int(above[0]), len(matrix)) if len(above) else ""


def halted(study: Study, waiting: Sequence[Run], why: str) -> list[RunRecord]:
    """Records of runs that are not carried out, since a condition is met by what was recorded; noted where begun."""
    found = []
    for run in waiting:
        folder = study.folder / "runs" / run.folder
        with held(study.folder / "locks" / run.folder):
            known = study.ledger.record(folder)
            record = replace(known or record_of(run), status="stopped", error=why)
            if known is not None:
                RunFolder(folder, record).note(record)
        found.append(record)
    return found


def _told(condition: Condition, sequence: ConfidenceSequence, place: int, runs: int) -> str:
    value, low, high = sequence.mean[place], sequence.low[place], sequence.high[place]
    return (
        f"{EARLY}{condition.text}: met at task {place + 1}: {condition.ahead} is ahead of {condition.behind} by "
        f"{value:.3f} [{low:.3f}, {high:.3f}], {100 * sequence.level:g}% confidence sequence over {runs} runs of each; "
        "to go on all the same, run it without this condition (remove stop_when from the study, or --stop-when none)"
    )
