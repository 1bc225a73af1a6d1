"""Runs that are finished already are not carried out again: those of this study, and equal ones of the ledger's others.

A run that is taken over is copied, so that every study stays whole by itself; files that need no change are linked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.evaluation.design import Run
from toolkit.evaluation.run import record_of
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import write_atomically
from toolkit.ledger.tables import relabel, table

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study

_ASIDE = "aside"  # below the study's folder, where no view looks
_LABELS = ("arm", "stream", "order")  # what people call it: no part of a run's identity


def adopt(study: Study, runs: Sequence[Run]) -> None:
    """Bring finished runs of equal identity to where a study's design wants them.

    A run of the study itself that was known by other names (its arm was renamed, its streams stand in another order)
    is renamed; a finished one of another study is taken over, unless the study has begun it itself.
    """
    aside, folders = study.folder / _ASIDE, study.folder / "runs"
    shutil.rmtree(aside, ignore_errors=True)  # left by a process that was killed here
    elsewhere = _finished_elsewhere(study) if study.reuse else {}
    for run in runs:
        place = folders / run.folder
        if not place.exists():
            _renamed(run, folders, place)
        if not place.exists() and run.id[:12] in elsewhere:
            _take_over(study, run, elsewhere[run.id[:12]], place)
        record = study.ledger.record(place)
        if record is not None and record.status == "finished":
            _relabel(run, record, place)


def _finished_elsewhere(study: Study) -> dict[str, list[Path]]:
    """Folders of runs in other studies by the short id in their names, studies in the order of the alphabet."""
    found: dict[str, list[Path]] = {}
    for folder in sorted((study.ledger.root / "studies").glob("*/runs/*")):
        if folder.parent.parent != study.folder:
            found.setdefault(folder.name.rpartition("-")[2], []).append(folder)
    return found


def _renamed(run: Run, folders: Path, place: Path) -> None:
    """The study's own run of this identity under another name, if there is one, gets its new name."""
    for old in folders.glob(f"*-{run.id[:12]}"):
        old.rename(place)
        return


def _take_over(study: Study, run: Run, candidates: Sequence[Path], place: Path) -> None:
    for source, record in _usable(study, run, candidates):
        aside = study.folder / _ASIDE / run.folder
        aside.mkdir(parents=True)
        for file in (table(source, "calls"), table(source, "episodes")):
            _link(file, aside / file.name)
        taken = replace(record, study=study.name, reused_from=record.reused_from or record.study)
        write_atomically(aside / "run.json", json.dumps(asdict(taken), ensure_ascii=True) + "\n")
        place.parent.mkdir(exist_ok=True)
        aside.rename(place)
        (study.folder / _ASIDE).rmdir()
        return


def _usable(study: Study, run: Run, candidates: Sequence[Path]) -> Iterator[tuple[Path, RunRecord]]:
    for source in candidates:
        record = study.ledger.record(source)
        if record is not None and record.run == run.id and record.status == "finished":
            yield source, record


def _link(source: Path, target: Path) -> None:
    """A second name for a file that nobody changes in place; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _relabel(run: Run, record: RunRecord, place: Path) -> None:
    """Write into a finished run what this study calls its arm, stream and order; the run's hash covers none of it."""
    wanted = record_of(run)
    names = {name: getattr(wanted, name) for name in _LABELS}
    if all(getattr(record, name) == value for name, value in names.items()):
        return
    relabel(place, "episodes", names)
    renamed = replace(record, **names)
    write_atomically(place / "run.json", json.dumps(asdict(renamed), ensure_ascii=True) + "\n")
