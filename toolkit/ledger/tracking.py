"""MLflow, as far as the toolkit uses it: one experiment a study, runs found again by a key, curves, figures, traces.

Only this module and `toolkit.ledger.tags` import MLflow; call it in a process whose environment is
`toolkit.ledger.target.Target.environment`. Every write may be repeated: equal points, params, tags and spans are one.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.component import digest
from toolkit.ledger.course import Course, Point
from toolkit.ledger.prompts import PromptText
from toolkit.ledger.rows import Row
from toolkit.ledger.spans import SpanRow, trace_digits
from toolkit.ledger.target import Target, TrackingError, artifacts, database, locked

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run, Span, TraceInfo
    from mlflow.entities.model_registry import PromptVersion

_BATCH = 1000  # metrics that MLflow takes at a time
_PARAM, _TAG, _PREVIEW = 500, 5000, 1000  # characters that it is given at most
_KEY = "toolkit.run"
_VERSION = "toolkit.version"
_TEMPLATE = 50_000  # characters of a prompt
_NO_REGISTRY = ("ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED")  # what a server says that has none
IN_FORCE = "in-force"
"""The alias of the version that a run's prompts carried last."""
VIEW = "arms"
"""Key of the view that an experiment has from the start: in a page's address, ``viewStateShareKey``.

MLflow's pages keep such views as tags. One that they cannot read they tell of, and show the plain table of runs.
"""
_ARMS = {
    "groupBy": {"groupByKeys": [{"mode": "param", "groupByData": "arm"}], "aggregateFunction": "average"},
    "useGroupedValuesInCharts": True,
    "runsHiddenMode": "SHOW_ALL",
    "selectedColumns": [
        "params.`arm`", "params.`seed`", "params.`traits on`", "params.`model`", "metrics.`final/score`",
        "metrics.`final/tokens per task`", "metrics.`final/labels seen`", "tags.`status`",
    ],
}  # fmt: skip
_STATUS = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "suspended": "SCHEDULED",  # the model could not be reached; the run goes on when the study is run again
    "cut off": "KILLED",
}


class Mlflow:
    """The experiment of one study, with what it shows already.

    Parameters
    ----------
    target
        Where.
    study
        The experiment's name.
    root
        The ledger's folder: where files go if the ledger's own database is meant.
    """

    def __init__(self, target: Target, study: str, root: Path) -> None:
        from mlflow.tracking import MlflowClient

        if not target.uri:  # MLflow would make a database of its own in the working folder
            raise TrackingError("tracking is off: give a tracking URI, or 'ledger' for the ledger's own database")
        if target.own:
            create_database(root)
        self.target = target
        self.client = MlflowClient(target.uri, registry_uri=target.uri)
        self.experiment = self._experiment(study, artifacts(root) / study if target.own else None)
        self._shown = self._found("!= ''")

    def show(self, name: str, key: str, start: float, parent: str = "") -> Shown:
        """The run that is shown under ``key``, made if it is not there; ``start`` in seconds since 1970."""
        if key not in self._shown:  # another exporter may have made it meanwhile
            self._shown |= self._found(f"= '{key}'")
        if key not in self._shown:
            tags = {_KEY: key, "mlflow.source.name": "toolkit", "mlflow.source.type": "LOCAL"}
            tags |= {"mlflow.parentRunId": parent} if parent else {}
            made = self.client.create_run(self.experiment, round(start * 1000), tags, name)
            self._shown[key] = Shown(self, made)
        return self._shown[key]

    @property
    def ids(self) -> dict[str, str]:
        """MLflow's id of each run, by its key."""
        return {key: shown.id for key, shown in self._shown.items()}

    def registry(self) -> str:
        """Why prompts cannot be registered here; empty where they can."""
        from mlflow.exceptions import MlflowException
        from mlflow.prompt.registry_utils import is_prompt_supported_registry

        if not is_prompt_supported_registry(self.target.uri):
            return f"{self.target.shown} has no registry of prompts"
        try:
            self.client.search_prompts(max_results=1)
        except MlflowException as error:
            if error.error_code not in _NO_REGISTRY:
                raise
            return f"{self.target.shown} has no registry of prompts ({error.error_code})"
        return ""

    def register(self, name: str, run: str, texts: Sequence[PromptText]) -> dict[int, str]:
        """Let the registry have these versions of a run's prompts; what it has already stays as it is.

        Not by ``register_prompt``: that tells the experiment of the moment of the whole process, from a thread.

        Returns
        -------
        dict
            The registry's number of each version.

        Raises
        ------
        TrackingError
            If somebody else has a prompt of that name there.
        """
        found = self.client.get_prompt(name)
        if found is None:
            tags = {_KEY: run, "_mlflow_experiment_ids": f",{self.experiment},"}
            self.client.create_prompt(name, "Versions of the prompts of a run of the toolkit", tags)
        elif _KEY not in found.tags:
            raise TrackingError(
                f"MLflow has a prompt {name!r} that the toolkit did not make: rename it, or give the study another name"
            )
        there = {one.tags[_VERSION]: one for one in self._versions(name) if _VERSION in one.tags}
        return {one.number: self._registered(name, f"{run[:12]} {one.mark}", one, there) for one in texts}

    def _registered(self, name: str, mark: str, one: PromptText, there: Mapping[str, PromptVersion]) -> str:
        tags = {_VERSION: mark, "number": str(one.number), "fate": one.fate or "unknown"}
        tags["why"] = _cut(one.why, _TAG) or "not said"
        made = there.get(mark)
        if made is None:
            why = _cut(f"version {one.number}: {one.why}", _PREVIEW)
            made = self.client.create_prompt_version(name, _cut(one.text, _TEMPLATE), why, tags)
        for key, value in tags.items():
            if made.tags.get(key) != value:
                self.client.set_prompt_version_tag(name, made.version, key, value)
        if one.in_force:
            held = self.client.get_prompt_version(name, made.version)  # a search does not tell aliases
            if held is None or IN_FORCE not in (held.aliases or ()):
                self.client.set_prompt_alias(name, IN_FORCE, int(made.version))
        return str(made.version)

    def _versions(self, name: str) -> Iterator[PromptVersion]:
        token = None
        while True:
            page = self.client.search_prompt_versions(name, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _experiment(self, study: str, files: Path | None) -> str:
        found = self.client.get_experiment_by_name(study)
        if found is None:
            tags = {"mlflow.experimentKind": "custom_model_development"}  # runs first, traces second
            tags[f"mlflow.sharedViewState.{VIEW}"] = json.dumps(_ARMS)
            made: str = self.client.create_experiment(study, files.as_uri() if files else None, tags)
            return made
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _found(self, key: str) -> dict[str, Shown]:
        return {run.data.tags[_KEY]: Shown(self, run) for run in self._runs(f"tags.`{_KEY}` {key}")}

    def _runs(self, query: str) -> Iterator[Run]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], query, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


class Shown:
    """One run as MLflow shows it.

    Parameters
    ----------
    place
        The experiment it belongs to.
    run
        As MLflow gave it.
    """

    def __init__(self, place: Mlflow, run: Run) -> None:
        self.id: str = run.info.run_id
        self.start: float = run.info.start_time / 1000
        self.tags: dict[str, str] = dict(run.data.tags)
        self._place, self._client = place, place.client
        self._params: set[str] = set(run.data.params)
        self._status: str = run.info.status

    def params(self, values: Mapping[str, object]) -> None:
        """Settings; one that is there stays, as MLflow wants it."""
        from mlflow.entities import Param

        new = [Param(name, _cut(value, _PARAM)) for name, value in values.items() if name not in self._params]
        if new:
            self._client.log_batch(self.id, params=new)
        self._params |= set(values)

    def tag(self, values: Mapping[str, object]) -> None:
        """Words that may change."""
        from mlflow.entities import RunTag

        told = {name: _cut(value, _TAG) for name, value in values.items()}
        new = {name: value for name, value in told.items() if self.tags.get(name) != value}
        if new:
            self._client.log_batch(self.id, tags=[RunTag(name, value) for name, value in new.items()])
        self.tags |= new

    def points(self, points: Iterable[Point], unless: str = "") -> None:
        """Values of metrics. With ``unless``: only if what was written under that mark last was another."""
        from mlflow.entities import Metric

        if unless and self.tags.get("toolkit.figures") == unless:
            return
        began = round(self.start * 1000)
        found = (Metric(p.name, p.value, began + round(p.seconds * 1000), p.step) for p in points)
        for batch in _batches(found, _BATCH):
            self._client.log_batch(self.id, metrics=batch)
        if unless:
            self.tag({"toolkit.figures": unless})

    def status(self, status: str, end: float) -> None:
        """How the run stands, in the ledger's words; ``end`` in seconds since 1970."""
        wanted = _STATUS[status]
        if wanted == self._status:
            return
        if wanted == "RUNNING":  # it goes on; MLflow keeps the time at which it ended before until it ends again
            self._client.update_run(self.id, status=wanted)
        else:
            self._client.set_terminated(self.id, wanted, max(round(end * 1000), round(self.start * 1000)))
        self._status = wanted

    def attach(self, files: Sequence[tuple[Path, str]]) -> None:
        """Files, each into a folder of the run's artifacts; one that is there is replaced."""
        for path, folder in files:
            self._client.log_artifact(self.id, str(path), folder or None)

    def texts(self, files: Mapping[str, str]) -> None:
        """Texts as files; those that were written last are not written again."""
        mark = digest(dict(files))[:12]
        if self.tags.get("toolkit.versions") == mark:
            return
        for name, text in files.items():
            self._client.log_text(self.id, text, name)
        self.tag({"toolkit.versions": mark})

    def link(self, name: str, versions: Iterable[str]) -> None:
        """Name the prompts of the registry that are this run's; as many as there is room for."""
        told = [{"name": name, "version": one} for one in versions]
        while len(json.dumps(told)) > _TAG:
            told.pop(0)
        self.tag({"mlflow.linkedPrompts": json.dumps(told)})

    def trace(self, episode: Row, rows: Sequence[SpanRow], model: str) -> None:
        """An episode, step by step. Its id follows from what it is, so that a second time it is the same trace."""
        from mlflow.tracing.client import TracingClient

        experiment = self._place.experiment
        identity = trace_digits(experiment, episode)
        tracing = TracingClient(self._place.target.uri)
        tracing.log_spans(experiment, [_span(row, identity, experiment, model) for row in rows])
        tracing.start_trace(_trace(episode, rows[0], identity, experiment, self.id))


def check(shown: Shown, course: Course, told: str) -> int:
    """How many of a run's episodes are shown already, by the tag ``told``.

    Raises
    ------
    TrackingError
        If they are others than the ledger's.
    """
    number, _, mark = shown.tags.get(told, "0").partition(" ")
    done = int(number)
    if done <= len(course) and mark and mark != course.digest(done):
        raise TrackingError(
            f"MLflow's run {shown.id} shows other episodes than the ledger under the same name: delete that run in "
            "MLflow, or give this study another name (toolkit run --name)"
        )
    return min(done, len(course))


def create_database(root: Path) -> None:
    """Make a ledger's own MLflow database if it has none: aside, then renamed, by one process at a time."""
    file = database(root)
    if file.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / "mlflow.lock"):
        if file.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        store = SqlAlchemyStore(f"sqlite:///{part}", artifacts(root).as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        os.replace(part, file)


def _trace(episode: Row, root: SpanRow, identity: str, experiment: str, run: str) -> TraceInfo:
    """What stands in the list of traces, and whose it is."""
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    name = f"{episode['arm']}, seed {episode['seed']}, task {episode['t'] + 1}"
    told = {name: _cut(episode[name], _PREVIEW) for name in ("arm", "seed", "task", "score", "status")}
    return TraceInfo(
        trace_id=f"tr-{identity}",
        trace_location=TraceLocation.from_experiment_id(experiment),
        request_time=root.start // 1_000_000,
        execution_duration=(root.end - root.start) // 1_000_000,
        state=TraceState.OK if episode["status"] in ("ok", "truncated") else TraceState.ERROR,
        request_preview=_cut("\n".join(map(str, root.inputs.values())), _PREVIEW),
        response_preview=_cut(episode["answer"], _PREVIEW),
        trace_metadata={"mlflow.sourceRun": run},
        tags={"mlflow.traceName": name, **told},
    )


def _span(row: SpanRow, identity: str, experiment: str, model: str) -> Span:
    from mlflow.entities import Span

    attributes = _attributes(row, identity, experiment, model)
    return Span.from_dict(
        {
            "trace_id": _base64(identity),
            "span_id": _base64(row.id),
            "parent_span_id": _base64(row.parent),
            "name": row.name,
            "start_time_unix_nano": row.start,
            "end_time_unix_nano": row.end,
            "events": [],
            "status": {"code": "STATUS_CODE_ERROR" if row.error else "STATUS_CODE_OK", "message": row.error},
            "attributes": {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()},
            "links": [],
        }
    )


def _attributes(row: SpanRow, identity: str, experiment: str, model: str) -> dict[str, Any]:
    """A span's own, and those by which MLflow's pages know inputs, outputs, tokens and conversations."""
    found: dict[str, Any] = {
        "mlflow.traceRequestId": f"tr-{identity}",
        "mlflow.experimentId": experiment,
        "mlflow.spanType": row.kind,
        "mlflow.spanInputs": row.inputs,
        "mlflow.spanOutputs": row.outputs,
        **row.attributes,
    }
    if row.kind == "CHAT_MODEL":
        read, written = row.tokens
        tokens = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        found |= {"mlflow.chat.tokenUsage": tokens, "mlflow.message.format": "openai", "mlflow.llm.model": model}
    return found


def _base64(digits: str) -> str:
    """Hexadecimal digits as MLflow spells ids in a span; it would take the digits themselves for base64."""
    return base64.b64encode(bytes.fromhex(digits)).decode("ascii")


def _cut(value: object, length: int) -> str:
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _batches(values: Iterable[Metric], size: int) -> Iterator[list[Metric]]:
    """Lists of at most so many."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
