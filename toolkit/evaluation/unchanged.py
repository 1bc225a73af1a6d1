"""What a study rests on, stream by stream and model by model; the same settings with other content are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.component import Component
from toolkit.errors import ToolkitError, names
from toolkit.evaluation.design import labels
from toolkit.evaluation.environment import version
from toolkit.evaluation.judge import judges_of
from toolkit.evaluation.paths import relative
from toolkit.ledger.rows import Row

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.streams.stream import Stream

LARGEST = 256 * 2**20
"""Bytes of a data file above which its sha256 is not taken: the stream's fingerprint covers what was read of it."""

_KEYS = ("path", "data")


class StudyChanged(ToolkitError):
    """A study's data or model are not what its recorded runs rest on, though its settings are the same."""


def stream_rows(study: Study) -> list[Row]:
    """Each stream of a study: what it is called, its settings, fingerprint, licence, tasks and data files."""
    return [
        stream_row(stream, label, study) for stream, label in zip(study.streams, labels(study.streams), strict=True)
    ]


def stream_row(stream: Stream, label: str, study: Study) -> Row:
    """What a plan tells of one stream."""
    return {
        "label": label,
        "config": _placed(stream, study.folder),
        "fingerprint": stream.fingerprint(),
        "licence": stream.licence,
        "rewards": list(stream.rewards),
        "tasks": [task.id for task, _ in stream.pairs()],
        "data": _checksums(stream),
        **({"drifts": list(stream.drifts())} if len(stream.stretches()) > 1 else {}),  # which are checked
    }


def model_rows(study: Study) -> list[Row]:
    """Each model that an arm or a judge asks: its settings, fingerprint, and what is known of weights and engine."""
    used = dict.fromkeys(arm.lm or study.lm for arm in study.arms if arm.decider.uses_model)
    used |= dict.fromkeys(judge.model for judge in judges_of(study.scorers))
    return [
        {
            "label": model.label,
            "config": _placed(model, study.folder),
            "fingerprint": model.fingerprint(),
            "weights": model.sha256() if hasattr(model, "sha256") else "",
            "engine": f"xllamacpp {version('xllamacpp')}" if hasattr(model, "sha256") else "",
        }
        for model in used
    ]


def refuse_changed(study: Study) -> None:
    """Refuse to go on where a stream or model has its old settings and new content. New settings are another matter.

    Raises
    ------
    StudyChanged
        Saying what differs, and both ways out.
    """
    plan = study.folder / "plan.json"
    if not plan.exists() or not any(study.folder.glob("runs/*/run.json")):
        return
    known = json.loads(plan.read_text(encoding="utf-8"))
    found = [
        f"{kind} {new['label']!r} has the settings it had when study {study.name!r} was run, but {told}"
        for kind, rows, differs in (("stream", stream_rows, _data_differs), ("model", model_rows, _model_differs))
        for new in rows(study)
        for old in known.get(f"{kind}s", ())
        if old["config"] == new["config"] and old["fingerprint"] != new["fingerprint"]
        for told in ["; ".join(differs(old, new))]
    ]
    if found:
        raise StudyChanged(
            "\n".join(found) + "\nput back what was there, or give this study another name (toolkit run --name NAME): "
            "its recorded runs rest on the old content"
        )


def _data_differs(old: Row, new: Row) -> Iterator[str]:
    for name in sorted({*old["data"], *new["data"]}):
        before, now = old["data"].get(name, "absent"), new["data"].get(name, "absent")
        if before != now:
            yield f"{name} has sha256 {now[:16]} and had {before[:16]}"
    gone = [task for task in old["tasks"] if task not in set(new["tasks"])]
    come = [task for task in new["tasks"] if task not in set(old["tasks"])]
    if gone or come:
        yield f"it has {len(new['tasks'])} tasks and had {len(old['tasks'])}"
        yield from [f"gone: {names(gone)}"] if gone else []
        yield from [f"new: {names(come)}"] if come else []
    else:
        yield "its tasks, of the same ids, have other texts, options, keys or another order, or its pool has changed"


def _model_differs(old: Row, new: Row) -> Iterator[str]:
    named = {"weights": "its weights have sha256 {0:.16} and had {1:.16}", "engine": "it runs on {0}, and ran on {1}"}
    told = [words.format(new[key], old[key]) for key, words in named.items() if new[key] != old[key]]
    yield from told or ["its class is of another version, or its source was edited"]


def _placed(part: Component, folder: Path) -> Row:
    """A component's settings with its paths as they stand in the study's file."""
    found: Row = relative({"stream": part.config()}, folder)["stream"]
    return found


def _checksums(stream: Stream) -> dict[str, str]:
    """sha256 by file name of the files that a stream's parameters point to, those in a folder included."""
    given: list[Any] = [getattr(stream, key, None) for key in _KEYS]
    found: dict[str, str] = {}
    for path in (Path(one).expanduser() for one in given if isinstance(one, str) and one):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.stat().st_size <= LARGEST:
                with open(file, "rb") as read:
                    found[file.name] = hashlib.file_digest(read, "sha256").hexdigest()
    return found
