"""What the ledger knows of a study before it is run: its own earlier runs, and those of studies like it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from toolkit.agents.arm import Arm
from toolkit.analysis.recorded import PAIRING, runs_of
from toolkit.evaluation.rehearsal import MEASURES, Course
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import scores
from toolkit.ledger.rows import Row
from toolkit.stats import Components, variance_components

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study
    from toolkit.streams.stream import Stream


class Pilot:
    """A study of the ledger, seen from one that is planned.

    Parameters
    ----------
    study
        What is planned.
    planned
        The plan of the one that has been run, maybe in part; it may be the same study.
    """

    def __init__(self, study: Study, planned: Row) -> None:
        self.study, self.planned, self.name = study, planned, str(planned["study"])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its episodes, but for those of runs that failed: what breaks off early does not tell what a task costs."""
        ledger = self.study.ledger
        failed = ledger.sql("SELECT run FROM runs WHERE study = $1 AND status = 'failed'", self.name).run
        found = scores(ledger, self.name, self.planned)[0]
        return found[~found.run.isin(failed)]

    def arm(self, arm: Arm) -> str:
        """What it calls an arm that does the same on the same model, or one of the same name; empty if it has none."""
        found = (name for name, told in self.planned["arms"].items() if told["fingerprint"] == arm.fingerprint())
        return next((name for name in found if self._model(arm, name) is not None), "")

    def _model(self, arm: Arm, name: str) -> bool | None:
        """Whether its arm has the same model: True, or False if it has only the label in common; None if neither."""
        if not arm.decider.uses_model:
            return True
        told, model = self.planned.get("taped", {}).get(name, {}), arm.lm or self.study.lm
        if self.planned.get("deciding") != self.study.deciding or told.get("name") != model.label:
            return None
        return bool(told.get("identity") == model.fingerprint())

    def labels(self, streams: tuple[Stream, ...]) -> list[str]:
        """What it calls its streams that are of the same kind as one of these."""
        kinds = {type(stream).__name__ for stream in streams}
        return [told["label"] for told in self.planned.get("streams", ()) if told["config"].get("use") in kinds]

    def distance(self, arm: Arm, streams: tuple[Stream, ...]) -> tuple[bool, bool, bool]:
        """How far it is from what is planned: another build of the model, another study, other tasks."""
        prints = {told["fingerprint"] for told in self.planned.get("streams", ())}
        same = all(stream.fingerprint() in prints for stream in streams)
        return not self._model(arm, self.arm(arm)), self.name != self.study.name, not same

    def episodes(self, arm: Arm, streams: tuple[Stream, ...]) -> pd.DataFrame:
        """Episodes of an arm on streams like these."""
        return self.frame[(self.frame.arm == self.arm(arm)) & self.frame.stream.isin(self.labels(streams))]

    def told(self, arm: Arm, streams: tuple[Stream, ...], runs: int) -> str:
        """In words, what it is."""
        build, other, tasks = self.distance(arm, streams)
        alike = ["another build of the model"] * build + ["other tasks of the same kind"] * tasks
        whose = f"study {self.name!r}" if other else "this study"
        return f"{runs} run{'s' * (runs != 1)} of {whose}" + f" ({', '.join(alike)})" * bool(alike)


def pilots(study: Study) -> list[Pilot]:
    """Studies of the ledger that have a plan, the study itself first, then the latest."""
    names = study.ledger.names()
    plans = (study.ledger.study(name) / "plan.json" for name in sorted(names, key=lambda name: name != study.name))
    return [Pilot(study, json.loads(path.read_text(encoding="utf-8"))) for path in plans]


def course(known: list[Pilot], arm: Arm, stream: Stream) -> Course | None:
    """What an arm cost on a stream, by the nearest study that has run it; None if none has."""
    for pilot in _nearest(known, (arm,), (stream,)):
        own = pilot.episodes(arm, (stream,))
        if own.empty:
            continue
        mean = own.groupby("t")[list(MEASURES)].mean()
        blank = {name: own[name].isna().any() for name in MEASURES}
        found = {
            name: np.full(len(mean), math.nan) if blank[name] else mean[name].to_numpy(dtype=float) for name in MEASURES
        }
        reasons = ["dollars: the price of some calls is not known: give the model dollars_in and dollars_out"]
        source = pilot.told(arm, (stream,), own.run.nunique())
        return Course(**found, source=source, reasons=tuple(reasons * bool(blank["dollars"])))
    return None


def differences(known: list[Pilot], arm: Arm, baseline: Arm) -> Components | None:
    """Variance components of the difference of two arms, by the nearest study that tells them; None if none does."""
    for pilot in _nearest(known, (arm, baseline), known[0].study.streams if known else ()):
        streams = pilot.study.streams
        if pilot.planned["scorers"][:1] != [pilot.study.scorers[0].name]:
            continue
        one, other = (pilot.episodes(each, streams) for each in (arm, baseline))
        both = one.merge(other, on=PAIRING, suffixes=("", "_base"))
        run = runs_of(both)
        found = variance_components(both.score - both.score_base, run, both.unit, both.task)
        if not math.isnan(found.run):
            told = pilot.told(arm, streams, len(set(run)))
            return Components(
                found.run, found.cluster, found.cell, found.task, found.residual, source=told, reason=found.reason
            )
    return None


def _nearest(known: list[Pilot], arms: tuple[Arm, ...], streams: tuple[Stream, ...]) -> Iterator[Pilot]:
    """Studies that have all of these arms, the nearest first; those whose rows cannot be read are none."""
    fit = [pilot for pilot in known if all(map(pilot.arm, arms)) and pilot.labels(streams)]
    for pilot in sorted(fit, key=lambda pilot: max(pilot.distance(arm, streams) for arm in arms)):
        try:
            _ = pilot.frame
        except LedgerError:
            continue
        yield pilot
