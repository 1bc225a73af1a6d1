"""What the lines of other tools' result files mean, format by format; see `toolkit.analysis.readers.read_results`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.errors import SpecError, nearest

Metric = str | Callable[[Mapping[str, Any]], float]
Row = dict[str, Any]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "YES": 1.0, "TRUE": 1.0, "NO": 0.0, "FALSE": 0.0}
_SAMPLES = re.compile(r"samples_(.+)_(\d{4}-\d\d-\d\dT[\d.:-]+)")
_SEED = re.compile(r"[_-]*seed[-_=]?(\d+)", re.IGNORECASE)
_DETAILS = ("_answer", "_explanation", "_metadata")
_IDS = ("task_id", "id", "idx", "question")
_NO_METRICS = {"doc_id", "doc_hash", "prompt_hash", "target_hash", "filter", "metrics", "target", "doc"}


@dataclass(frozen=True)
class Line:
    """One object of a file: where it stands, the arm it was given for ("" = not said), and what it holds."""

    place: str
    file: str
    number: int
    arm: str
    row: Mapping[str, Any]


def inspect(lines: Sequence[Line], metric: Metric) -> list[Row]:
    """Of `samples_df`, or of logs in Inspect's JSON format."""
    samples = [sample for line in lines for sample in (_logged(line) if "eval" in line.row else [line])]
    rows = []
    for line in samples:
        row, place = line.row, line.place
        stream = _text(row.get("task_name"))
        sample = _id(line, ("id", "sample_id"))
        rows.append(
            {
                "arm": line.arm or _text(row.get("model")) or _text(row.get("log")) or _text(row.get("eval_id")),
                "task": f"{stream}/{sample}" if stream else sample,
                "order": (_text(row.get("eval_id")), _text(row.get("epoch"))),
                "score": _score(line, metric) if callable(metric) else _letter(row, _scorer(line, metric), place),
                "stream": stream or None,
                "model": _text(row.get("model")) or None,
                "tokens": _optional(row.get("total_tokens")),
            }
        )
    return _numbered(rows)


def _logged(line: Line) -> Iterator[Line]:
    """The samples of one log, as rows of `samples_df` have them."""
    about, samples = line.row["eval"], line.row.get("samples")
    if not isinstance(about, Mapping) or not isinstance(samples, list) or not samples:
        raise SpecError([f"{line.place}: the log has no samples; was it written with log_samples, to its end?"])
    shared = {"eval_id": about.get("eval_id"), "task_name": about.get("task"), "model": about.get("model")}
    for n, sample in enumerate(samples):
        if not isinstance(sample, Mapping):
            raise SpecError([f"{line.place} sample {n}: must be an object but is {sample!r:.60}"])
        scores, usage = _mapping(sample.get("scores")), _mapping(sample.get("model_usage"))
        row = {f"score_{name}": _inside(found, "value") for name, found in scores.items()}
        row |= shared | {"id": sample.get("id"), "epoch": sample.get("epoch", 1), "error": sample.get("error")}
        used = [_optional(_inside(one, "total_tokens")) for one in usage.values()]
        row["total_tokens"] = sum(used) if used else None
        yield replace(line, place=f"{line.place} sample {n}", number=n, row=row)


def _scorer(line: Line, metric: str) -> str:
    """The column of the score; "" where a sample failed before it was scored."""
    columns = [name for name in line.row if name.startswith("score_") and not name.endswith(_DETAILS)]
    if metric:
        for name in (metric, f"score_{metric}"):
            if name in line.row:
                return name
        if not columns:
            return ""
        known = [name.removeprefix("score_") for name in columns]
        raise SpecError([f"{line.place}: there is no scorer {metric!r}; {nearest(metric, known)}"])
    if len(columns) > 1:
        known = [name.removeprefix("score_") for name in columns]
        raise SpecError([f"{line.place}: several scorers ({', '.join(known)}); say which: metric={known[0]!r}"])
    return columns[0] if columns else ""


def _letter(row: Mapping[str, Any], column: str, place: str) -> float:
    """A score as Inspect's `value_to_float` reads it, but unreadable ones are mistakes and not 0."""
    value = row.get(column) if column else None
    if isinstance(value, str):
        if value.strip().upper() in _LETTERS:
            return _LETTERS[value.strip().upper()]
        try:
            return float(value)
        except ValueError:
            raise SpecError([f"{place}: {column} is {value!r:.60}, which is no score; metric= a function"]) from None
    return _number(value, place, column)


def lm_eval(lines: Sequence[Line], metric: Metric) -> list[Row]:
    """Of the files of ``--log_samples``."""
    wanted, _, kept = metric.partition(",") if isinstance(metric, str) else ("", "", "")
    filters = _filters(lines, wanted, kept)
    seen: dict[str, tuple[str, str]] = {}
    rows = []
    for line in lines:
        stream, moment = _sampled(line)
        if _text(line.row.get("filter")) != filters[stream]:
            continue
        task = f"{stream}/{_id(line, ('doc_id',))}"
        hashed = _text(line.row.get("doc_hash"))
        first, place = seen.setdefault(task, (hashed, line.place))
        if first != hashed:
            raise SpecError([f"{line.place}: {task} is another document than at {place} (doc_hash); versions differ"])
        name = "" if callable(metric) else _lm_metric(line, wanted)
        score = _score(line, metric) if callable(metric) else _number(line.row.get(name), line.place, name)
        arm = line.arm or Path(line.file).parent.name
        rows.append({"arm": arm, "task": task, "order": moment, "score": score, "stream": stream})
    return _numbered(rows)


def _sampled(line: Line) -> tuple[str, str]:
    """The task of lm-eval and the moment that a file's name holds."""
    stem = Path(line.file).stem
    named = _SAMPLES.fullmatch(stem)
    return (named.group(1), named.group(2)) if named else (stem, line.file)


def _filters(lines: Sequence[Line], wanted: str, kept: str) -> dict[str, str]:
    """Which filter counts, per task of lm-eval: the one asked for, or the only one."""
    known: dict[str, list[str]] = {}
    for line in lines:
        own = known.setdefault(_sampled(line)[0], [])
        found = _text(line.row.get("filter"))
        if found not in own:
            own.append(found)
    chosen = {}
    every = {one for own in known.values() for one in own}
    if kept and kept not in every:
        raise SpecError([f"{lines[0].file}: there is no filter {kept!r}; {nearest(kept, every)}"])
    for stream, own in known.items():
        if kept not in own and len(own) > 1:
            shown = f"metric='{wanted or 'exact_match'},{own[0]}'"
            raise SpecError([f"{stream} has lines of several filters ({', '.join(own)}); say which: {shown}"])
        chosen[stream] = kept if kept in own else own[0]
    return chosen


def _lm_metric(line: Line, wanted: str) -> str:
    listed = line.row.get("metrics")
    if isinstance(listed, list):
        known = [str(name) for name in listed]
    else:  # versions before the list
        known = [k for k, v in line.row.items() if isinstance(v, int | float) and k not in _NO_METRICS]
    if wanted in known or (len(known) == 1 and not wanted):
        return wanted or known[0]
    if wanted:
        raise SpecError([f"{line.place}: there is no metric {wanted!r}; {nearest(wanted, known)}"])
    shown = f"several metrics ({', '.join(known)}); say which: metric={known[0]!r}" if known else "there is no metric"
    raise SpecError([f"{line.place}: {shown}"])


def stream_bench(lines: Sequence[Line], metric: Metric) -> list[Row]:
    """Of the lines that StreamBench's agents log, one a time step."""
    rows, labels = [], dict[tuple[str, str, str], tuple[str, str]]()
    steps: dict[str, int] = {}
    for line in lines:
        path, row = Path(line.file), line.row
        step = steps[line.file] = steps.get(line.file, -1) + 1
        seed = _SEED.search(path.stem)
        order = _text(row.get("seed")) or (seed.group(1) if seed else "")
        name = next((field for field in _IDS if _text(row.get(field))), "")
        task = _text(row[name]) if name else _text(row.get("time_step", step))
        label = _text(row.get("label_text"))
        first, place = labels.setdefault((task, "" if name else order, name), (label, line.place))
        if label != first:
            raise SpecError(
                [f"{line.place}: task {task!r} has another label_text than at {place}; give lines a task_id"]
            )
        arm = line.arm or _SEED.sub("", path.stem) or path.stem
        used = [_optional(row.get(f"num_{side}_tokens")) for side in ("input", "output")]
        rows.append(
            {"arm": arm, "task": task, "order": order or None, "score": _score(line, metric), "tokens": sum(used)}
        )
        rows[-1]["named"] = bool(name)
    if len({row["order"] for row in rows}) > 1 and not all(row["named"] for row in rows):
        raise SpecError(
            [
                f"{lines[0].file}: tasks are known by their position only, which means another task in each order; "
                "give every line a task_id, or compare one seed at a time"
            ]
        )
    return rows


def cl_bench(lines: Sequence[Line], metric: Metric) -> list[Row]:
    """Of Continual Learning Bench's artefacts and outcomes, and of CL-bench's graded lines."""
    return [
        row
        for line in lines
        for row in (_artefact(line, metric) if "run_traces" in line.row else [_outcome(line, metric)])
    ]


def _artefact(line: Line, metric: Metric) -> Iterator[Row]:
    """All runs of one task of the benchmark, and its stateless pass."""
    path = Path(line.file)
    arm = line.arm or (path.parent.parent.name if path.parent.name == "tasks" else path.name.split(".json")[0])
    stream = _text(_inside(line.row, "summary", "task", "name")) or path.name.split(".json")[0]
    traces: list[tuple[str, str | None, Any]] = [(f"{arm} stateless", None, line.row.get("baseline_trace"))]
    for n, one in enumerate(_listed(line.row["run_traces"], line.place, "run_traces")):
        traces.append((arm, _text(_inside(one, "run_index")) or str(n), _inside(one, "trace")))
    for name, order, trace in traces:
        found = _inside(trace, "result", "instance_outcomes") or _inside(trace, "instance_outcomes") or []
        for n, outcome in enumerate(_listed(found, line.place, "instance_outcomes")):
            part = replace(line, place=f"{line.place} run {order or 'stateless'}, outcome {n}", arm=name, row=outcome)
            row = _outcome(part, metric)
            yield row | {"order": order, "stream": stream, "task": f"{stream}/{row['task']}"}


def _outcome(line: Line, metric: Metric) -> Row:
    row, path = line.row, Path(line.file)
    about = row.get("metadata")
    named = _text(about.get("task_id")) if isinstance(about, Mapping) else ""
    field = next((name for name in ("reward", "score") if name in row), "score")
    return {
        "arm": line.arm or _text(row.get("system")) or path.stem.removesuffix("_graded"),
        "task": _text(row.get("instance_id")) or named or _id(line, ("idx", "instance_index")),
        "order": _text(row.get("run_index")) or None,
        "score": _score(line, metric or field),
        "model": _text(row.get("model")) or None,
        "dollars": _optional(row.get("cost_usd")),
    }


def _score(line: Line, metric: Metric) -> float:
    """By a function of the line, a field, or the first of those that usually hold it."""
    if callable(metric):
        try:
            return _number(metric(line.row), line.place, "metric")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise SpecError([f"{line.place}: the function metric failed: {error!r:.120}"]) from error
    fields = (metric,) if metric else ("is_correct", "correct", "score")
    for field in fields:
        if field in line.row:
            return _number(line.row[field], line.place, field)
    if metric:
        raise SpecError([f"{line.place}: there is no field {metric!r}; {nearest(metric, map(str, line.row)):.300}"])
    raise SpecError(
        [
            f"{line.place}: there is no score ({', '.join(fields)}); metric= names its field, or is a function of the "
            "line, such as lambda line: line['output_pred'].strip() == line['label_text']"
        ]
    )


def _number(value: object, place: str, field: str) -> float:
    """A score as a float; NaN for a missing one."""
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        return float(value)
    if hasattr(value, "item"):  # a number of NumPy's
        return _number(value.item(), place, field)
    raise SpecError([f"{place}: {field} must be a number but is {value!r:.60}; metric= another, or a function"])


def _optional(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _text(value: object) -> str:
    """A label as text; "" for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _id(line: Line, fields: Sequence[str]) -> str:
    for field in fields:
        if _text(line.row.get(field)):
            return _text(line.row[field])
    raise SpecError([f"{line.place}: the task is not named; it needs {' or '.join(fields)}"])


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object, place: str, field: str) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise SpecError([f"{place}: {field} must be a list of objects but is {value!r:.60}"])
    return value


def _inside(value: object, *keys: str) -> Any:
    """What stands at a path of keys; None where any of it is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _numbered(rows: Iterable[Row]) -> list[Row]:
    """Runs get their number within arm and stream, in the order of their labels' appearance."""
    found: dict[tuple[str, Any], dict[Any, int]] = {}
    numbered = []
    for row in rows:
        runs = found.setdefault((row["arm"], row.get("stream")), {})
        numbered.append(row | {"order": str(runs.setdefault(row["order"], len(runs)))})
    return numbered
