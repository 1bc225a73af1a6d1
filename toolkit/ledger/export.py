"""A study's rows brought to MLflow: what is missing there is written, and writing it again adds nothing.

MLflow is an index of the ledger: all of it can be deleted and made again, and nothing is read back as a result. MLflow
itself is met in `toolkit.ledger.tracking` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.component import digest
from toolkit.ledger.course import Course, Point
from toolkit.ledger.follow import Follower, PlannedRun
from toolkit.ledger.planned import scored_by
from toolkit.ledger.prompts import Prompts, prompt_name
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.spans import recorded, sample, spans
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target, locked
from toolkit.ledger.tracked import FOLDER, STUDY, Tracked, remember
from toolkit.ledger.tracking import Mlflow, Shown, check

_EXPORTED, _TRACED = "toolkit.episodes", "toolkit.traces"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a study came to, as its own run shows it: made on a higher floor, from the same ledger.

    Parameters
    ----------
    figures
        Numbers by the name they are shown under.
    note
        Markdown.
    files
        What is attached, each with the folder it goes to.
    prompts
        Versions of prompts, by the id of the run whose they are.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    files: Sequence[tuple[Path, str]] = ()
    prompts: Mapping[str, Prompts] = field(default_factory=dict)


class Exporter:
    """Brings what MLflow shows of a study up to date with the ledger; nothing is remembered between two of them.

    Parameters
    ----------
    ledger, study
        Whose rows.
    target
        Where they are shown.

    Attributes
    ----------
    experiment, run
        MLflow's ids of the experiment and of the study's own run; empty before the first `sync`.
    remark
        What could not be shown, and why; empty where all could.
    """

    def __init__(self, ledger: Ledger, study: str, target: Target) -> None:
        self.ledger, self.study, self.target = ledger, study, target
        self.folder = ledger.study(study)
        self.experiment = self.run = self.remark = ""
        self._follower = Follower(ledger, study)
        self._courses: dict[str, Course] = {}
        self._open: Mlflow | None = None

    def sync(self, findings: Findings | None = None, *, over: bool = False) -> None:
        """Write what was recorded since the last time; the first time: what MLflow does not show yet.

        Parameters
        ----------
        findings
            What the study's own run is to show beside its settings; None = nothing yet.
        over
            Nobody is running the study any more: a run that was not ended was cut off.

        Raises
        ------
        TrackingError
            If MLflow shows other episodes under a run's name, or another exporter does not come to an end.
        MlflowException
            Whatever MLflow raises; what was written stays, and the next time goes on from there.
        """
        with locked(self.folder / "tracking.lock"):
            for glimpse in self._follower.poll():
                self._course(glimpse.run).add(glimpse)
            begun = [run for run in self._follower.runs if run.id in self._follower.records]
            if not begun:
                return
            plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
            parent = self._parent(plan, begun)
            for run in begun:
                self._child(run, plan, parent, over)
            if findings is not None and findings.prompts:
                self._prompts(parent, begun, findings.prompts)
            self._conclude(parent, begun, findings, over)
            self._remember(begun)

    def _whose(self, folder: Path) -> dict[str, str]:
        """Tags by which a run in MLflow leads back: no place on this machine, as others may read them."""
        return {STUDY: self.study, FOLDER: folder.relative_to(self.ledger.root).as_posix()}

    def _remember(self, begun: Sequence[PlannedRun]) -> None:
        """Keep beside the study which runs in MLflow are its own."""
        ids = {} if self._open is None else self._open.ids
        own = {run.folder: ids[run.folder] for run in begun if run.folder in ids}
        remember(self.folder, Tracked(self.target.shown, self.experiment, self.run, own))

    def _course(self, run: str) -> Course:
        return self._courses.setdefault(run, Course(self._follower.records[run].tasks))

    def _show(self, name: str, key: str, start: float, parent: str = "") -> Shown:
        if self._open is None:
            self._open = Mlflow(self.target, self.study, self.ledger.root)
            self.experiment = self._open.experiment
        return self._open.show(name, key, start, parent)

    def _parent(self, plan: Mapping[str, Any], begun: Sequence[PlannedRun]) -> Shown:
        shown = self._show(f"study {self.study}", self.study, min(self._times(run)[0] for run in begun))
        self.run = shown.id
        shown.tag(self._whose(self.folder))
        shown.params(
            {
                "stream": plan["stream"],
                "tasks": ", ".join(str(len(one["tasks"])) for one in plan.get("streams", [plan])),
                "model": plan["model"],
                "deciding": plan["deciding"],
                "feedback": plan["channel"],
                "scored by": ", ".join(scored_by(plan)),
                "baseline": plan["baseline"],
                "licence of the data": plan.get("licence") or "not stated",
                "stream fingerprint": ", ".join(_fingerprints(plan).values()),
            }
        )
        return shown

    def _child(self, run: PlannedRun, plan: Mapping[str, Any], parent: Shown, over: bool) -> None:
        record, course = self._follower.records[run.id], self._course(run.id)
        start, end = self._times(run)
        shown = self._show(self._follower.named(run), run.folder, start, parent.id)
        shown.params(_params(record, plan, self._commit()))
        shown.tag(self._whose(self.folder / "runs" / run.folder))
        done = check(shown, course, _EXPORTED)
        if len(course) > done:
            shown.points(course.points(done))
            shown.tag({_EXPORTED: f"{len(course)} {course.digest(len(course))}"})
        self._traces(run, record, shown)
        status = "cut off" if over and record.status == "running" else record.status
        if status != "running":
            shown.points(course.final(record.labels_before), unless=f"{status} {course.recorded}")
        told = {"status": status, "error": record.error, "result fingerprint": record.hash}
        shown.tag({name: value for name, value in told.items() if value or name in shown.tags})
        shown.status(status, end)

    def _traces(self, run: PlannedRun, record: RunRecord, shown: Shown) -> None:
        """Some episodes of each arm's first seed, step by step."""
        if run.seed != min(other.seed for other in self._follower.runs if other.arm == run.arm):
            return
        course, done = self._courses.get(run.id, ()), shown.tags.get(_TRACED, "").split()
        places = [t for t in sample(record.tasks) if t < len(course) and str(t) not in done]
        if not places:
            return
        for episode, calls in recorded(self.ledger, self.study, run.id, places):
            start = shown.start + self._course(run.id).before(episode["t"])
            shown.trace(episode, spans(episode, calls, round(start * 1e9)), record.model)
        shown.tag({_TRACED: " ".join([*done, *map(str, places)])})

    def _prompts(self, parent: Shown, begun: Sequence[PlannedRun], prompts: Mapping[str, Prompts]) -> None:
        """Versions of prompts: as files of their runs and, where there is a registry, by name in it."""
        if self._open is None:
            return  # nothing is shown
        missing = self._open.registry()
        self.remark = missing and f"versions of prompts are files of their runs only: {missing}"
        if missing or "prompts" in parent.tags:
            parent.tag({"prompts": self.remark or "registered"})
        for run in begun:
            if run.id not in prompts:
                continue
            shown = self._show(self._follower.named(run), run.folder, self._times(run)[0], parent.id)
            shown.texts(prompts[run.id].files)
            if not missing:
                place = (run.stream, run.order) if self._follower.several else ()
                name = prompt_name(self.study, run.arm, *place, f"seed-{run.seed}")
                shown.link(name, self._open.register(name, run.id, prompts[run.id].versions).values())

    def _conclude(self, parent: Shown, begun: Sequence[PlannedRun], findings: Findings | None, over: bool) -> None:
        states = [self._follower.records[run.id].status for run in begun]
        status = _overall(states, len(self._follower.runs), over)
        finished = f"{states.count('finished')} of {len(self._follower.runs)}"
        parent.tag({"status": status, "runs finished": finished, "git commit": self._commit() or "unknown"})
        if findings is not None:
            known = sum(len(self._course(run.id)) for run in begun)
            figures = (Point(name, value, 0, known / 1000) for name, value in findings.figures.items())
            parent.points(figures, unless=digest([known, dict(findings.figures)])[:12])
            parent.tag({"mlflow.note.content": findings.note})
            parent.attach(findings.files)
        parent.status(status, max(self._times(run)[1] for run in begun))

    def _times(self, run: PlannedRun) -> tuple[float, float]:
        """When a run began and when it was last heard of. ``run.json`` is written when it begins and when it ends."""
        noted = (self.folder / "runs" / run.folder / "run.json").stat().st_mtime
        if self._follower.records[run.id].status == "running":
            return noted, noted
        course = self._course(run.id)
        return noted - course.before(len(course)), noted

    def _commit(self) -> str:
        path = self.folder / "environment.json"
        return str(json.loads(path.read_text(encoding="utf-8")).get("commit", "")) if path.exists() else ""


def _params(record: RunRecord, plan: Mapping[str, Any], commit: str) -> dict[str, object]:
    """What a run was made of, in words a reader of the report knows."""
    arm = plan["arms"][record.arm]
    return {
        "arm": record.arm,
        "traits on": " + ".join(record.traits) or "none",
        "arm settings": arm["repr"],
        "seed": record.seed,
        "order": record.order,
        "stream": record.stream,
        "tasks": record.tasks,
        "model": record.model,
        "deciding": record.deciding or "no model",
        "temperature": record.temperature,
        "run fingerprint": record.run,
        "arm fingerprint": arm.get("fingerprint", ""),
        "stream fingerprint": _fingerprints(plan).get(record.stream, plan["stream_fingerprint"]),
        "git commit": commit or "unknown",
        **({"reused from": f"study {record.reused_from}"} if record.reused_from else {}),
    }


def _fingerprints(plan: Mapping[str, Any]) -> dict[str, str]:
    """Of each stream, by what it is called."""
    return {one["label"]: one["fingerprint"] for one in plan.get("streams", ())} or {
        plan["stream"]: plan["stream_fingerprint"]
    }


def _overall(states: Sequence[str], planned: int, over: bool) -> str:
    """How a study stands, from how its runs stand."""
    if states.count("finished") == planned:
        return "finished"
    if not over:
        return "running"
    if "running" in states:
        return "cut off"
    return next((status for status in ("failed", "suspended") if status in states), "stopped")
