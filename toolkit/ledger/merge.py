"""Bringing another ledger's studies into this one: nothing is overwritten, and nothing is left half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from toolkit.component import read_toml
from toolkit.display import visible
from toolkit.errors import nearest
from toolkit.ledger.alone import StudyBusy, alone, holder
from toolkit.ledger.later import FILE as LATER
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import SCHEMAS, RunRecord, run_record
from toolkit.ledger.store import Ledger, write_atomically
from toolkit.ledger.tables import clear_parquet, count, table

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_RUN = re.compile(r"[A-Za-z0-9._-]+-[0-9a-f]{12}")
_TOLD = ("study.toml", "plan.json", "environment.json")  # of a study; what steers, locks or shows it stays behind
_PACKED = tuple(f"{name}.parquet" for name in SCHEMAS)
_LOGS = tuple(f"{name}.jsonl" for name in SCHEMAS)
_ASIDE = Path("incoming", "now")  # where no view looks


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of one study.

    Parameters
    ----------
    study
        Its name in this ledger.
    new
        Whether this ledger had none of that name.
    taken, kept
        Runs that came from the other ledger, and runs that stayed as they were here.
    unplanned
        Of the runs taken, those that are not in this ledger's plan of the study: they lie in its folder, and count
        once the study is extended to them.
    code
        Files of its author's own code that a new study imports. Nothing has run them yet; opening, replaying and
        rescoring the study does.
    """

    study: str
    new: bool
    taken: int
    kept: int
    unplanned: int = 0
    code: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = [f"{self.study}: {'new, ' * self.new}{self.taken} runs taken, {self.kept} kept as they were"]
        if self.unplanned:
            more = f"not in this ledger's plan of {self.study}: extend it to count them"
            told.append(f"  {self.unplanned} of them are {more}")
        if self.code:
            runs = "opening, replaying or rescoring the study runs it, so read it first"
            told.append(f"  it imports code of its author's ({', '.join(self.code)}): {runs}")
        return visible("\n".join(told))


@dataclass(frozen=True, slots=True)
class _Source:
    """A study that is to be taken in: where it is, what it is to be called, its runs by folder."""

    folder: Path
    name: str
    runs: dict[str, RunRecord]


def merge(source: Path, ledger: Ledger, *, studies: Sequence[str] = (), name: str = "") -> list[Merged]:
    """Take studies of another ledger into ``ledger``.

    A study that is new here is copied. One of the same name that shares runs with the one here is merged run by run:
    a finished run wins over an unfinished one, and a run that is finished in both must have come to the same hash.
    Everything is checked before anything is written.

    Parameters
    ----------
    source
        A ledger's folder, or that of one study.
    ledger
        The one that takes them in.
    studies
        Only these; none = all.
    name
        Another name for the one study that is taken.

    Raises
    ------
    LedgerError
        If there is no such study; if another study has its name here; if equal runs came to different results; if
        there is something in it that no study writes.
    SpecError
        If its ``study.toml`` is no TOML.
    StudyBusy
        If a study is being run, here or there.
    """
    found = list(_sources(source, studies, name))
    mistakes = [mistake for one in found for mistake in _mistakes(one, ledger)]
    if mistakes:
        raise LedgerError("\n".join(mistakes))
    ledger.root.mkdir(parents=True, exist_ok=True)
    with _importing(ledger):
        return [_take_in(one, ledger) for one in found]


def _sources(source: Path, studies: Sequence[str], name: str) -> Iterator[_Source]:
    known = {source.name: source} if (source / "plan.json").is_file() else {}
    known = known or {path.parent.name: path.parent for path in sorted((source / "studies").glob("*/plan.json"))}
    if not known:
        raise LedgerError(f"{source} is no ledger: give a folder that holds studies/, or the folder of one study")
    for one in studies:
        if one not in known:
            raise LedgerError(f"no study is called {one!r} in {source}; {nearest(one, known)}")
    chosen = studies or list(known)
    if name and len(chosen) != 1:
        raise LedgerError(f"a new name is for one study, but {', '.join(chosen)} are to be taken: name the one")
    for called in [name] if name else chosen:
        if not NAME.fullmatch(called):
            told = f"a study's name must be 1 to 40 letters, digits, '.', '_' or '-' but is {called!r}"
            raise LedgerError(f"{told}: take it under another (--as NAME)")
    for one in chosen:
        yield _read(known[one], name or one)


def _read(folder: Path, name: str) -> _Source:
    """What a study's folder holds; links, devices, pipes and folders that no study makes are refused."""
    _check_kinds(folder)
    if by := holder(folder):
        raise StudyBusy(f"{folder} is being run by process {by}: wait for it, or stop it")
    _planned(folder)
    if (folder / "study.toml").exists():
        read_toml(folder / "study.toml")
    runs: dict[str, RunRecord] = {}
    for path in sorted(folder.glob("runs/*/run.json")):
        where = path.parent.name
        try:
            record = run_record(json.loads(path.read_text(encoding="ascii")))
        except (ValueError, TypeError, RecursionError) as error:
            raise LedgerError(f"{path} is damaged: {error}; move that run's folder away") from error
        if not _RUN.fullmatch(where) or not where.endswith(record.run[:12]):
            raise LedgerError(f"{path.parent} is not the folder of run {record.run[:12]}: move it away")
        if record.status == "finished":
            _check_finished(path.parent, record)
        runs[where] = record
    return _Source(folder, name, runs)


def _check_kinds(folder: Path) -> None:
    """A study holds files and folders of its own, and nothing else."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise LedgerError(f"{path} is a link: a study holds files of its own only; remove it")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise LedgerError(f"{path} is neither a file nor a folder: a study holds nothing else; remove it")


def _check_finished(folder: Path, record: RunRecord) -> None:
    """A run that says it is finished has its files, whole."""
    found = {name: count(folder, name) for name in SCHEMAS}
    if found["episodes"] != record.episodes:
        file = table(folder, "episodes")
        raise LedgerError(f"{file} has {found['episodes']} episodes and should have {record.episodes}: move it away")


def _mistakes(source: _Source, ledger: Ledger) -> Iterator[str]:
    """Why a study cannot be taken in, if it cannot."""
    here = ledger.study(source.name)
    if not here.exists():
        return
    own = _identities(here)
    theirs = {record.run: where for where, record in source.runs.items()} | _identities(source.folder)
    if not own.keys() & theirs.keys():
        yield (
            f"another study is called {source.name!r} in {ledger.root}, and shares no run with the one in "
            f"{source.folder}: take it under another name (toolkit import {source.folder} --as NAME)"
        )
    for where, record in source.runs.items():
        place = here / "runs" / own.get(record.run, where)
        known = ledger.record(place)
        if known is not None and known.status == record.status == "finished" and known.hash != record.hash:
            yield (
                f"run {record.run[:12]} (arm {record.arm!r}, seed {record.seed}) came to different results: hash "
                f"{known.hash[:16]} in {place}, {record.hash[:16]} in {source.folder / 'runs' / where}; keep them "
                "apart (--as NAME), or find out which is right and move the other away"
            )


def _identities(folder: Path) -> dict[str, str]:
    """Folders of the runs that a study plans or has, by their full ids."""
    found = _planned(folder)
    for path in folder.glob("runs/*/run.json"):
        found[json.loads(path.read_text(encoding="ascii"))["run"]] = path.parent.name
    return found


@contextmanager
def _importing(ledger: Ledger) -> Iterator[None]:
    """While studies are taken in: one import at a time, and what a killed one left is cleared away."""
    aside = ledger.root / _ASIDE
    aside.parent.mkdir(exist_ok=True)
    with alone(aside.parent, "is being filled by an import,"):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(aside)


def _take_in(source: _Source, ledger: Ledger) -> Merged:
    here = ledger.study(source.name)
    if here.exists():
        with alone(here):
            return _merge_runs(source, ledger)
    aside = ledger.root / _ASIDE / source.name
    aside.mkdir()
    for name in _TOLD:
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, aside / name)
    for path in sorted((source.folder / "code").glob("*.py")):
        (aside / "code").mkdir(exist_ok=True)
        shutil.copyfile(path, aside / "code" / path.name)
    for where, record in source.runs.items():
        _copy_run(source, where, record, aside / "runs" / where)
    if source.name != source.folder.name:
        _rename(aside, source.name)
    here.parent.mkdir(exist_ok=True)
    _on_disk(aside)
    aside.rename(here)
    return Merged(source.name, True, len(source.runs), 0, code=_code(here))


def _code(folder: Path) -> tuple[str, ...]:
    """The files of code that a study imports."""
    head = read_toml(folder / "study.toml").get("study") if (folder / "study.toml").exists() else None
    named = head.get("code") if isinstance(head, dict) else None
    return tuple(map(str, named)) if isinstance(named, list) else ()


def _merge_runs(source: _Source, ledger: Ledger) -> Merged:
    here = ledger.study(source.name)
    own, planned = _identities(here), _planned(here)
    taken = kept = unplanned = 0
    for where, record in source.runs.items():
        place = here / "runs" / own.get(record.run, where)
        known = ledger.record(place)
        if place.exists() and (record.status != "finished" or (known is not None and known.status == "finished")):
            kept += 1
            continue
        aside = ledger.root / _ASIDE / where
        _copy_run(source, where, record, aside)
        _on_disk(aside)
        if place.exists():
            _finish(aside, place)
        else:
            place.parent.mkdir(exist_ok=True)
            aside.rename(place)
        taken, unplanned = taken + 1, unplanned + (record.run not in planned)
    return Merged(source.name, False, taken, kept, unplanned)


def _planned(folder: Path) -> dict[str, str]:
    """Folders of the runs that a study plans, by their full ids; a plan that leads out of the study is refused."""
    plan = folder / "plan.json"
    if not plan.exists():
        return {}
    try:
        found = {str(run["id"]): str(run["folder"]) for run in json.loads(plan.read_text(encoding="utf-8"))["runs"]}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LedgerError(f"{plan} is damaged: {type(error).__name__}: {error}; move that study away") from error
    wrong = [where for run, where in found.items() if not (_RUN.fullmatch(where) and where.endswith(run[:12]))]
    if wrong:
        raise LedgerError(f"{plan} names {wrong[0]!r} as the folder of a run, which no study makes; move it away")
    return found


def _copy_run(source: _Source, where: str, record: RunRecord, to: Path) -> None:
    """A run's own files, those that its state calls for, and no others."""
    to.mkdir(parents=True)
    finished = record.status == "finished"
    tables = [table(source.folder / "runs" / where, name).name for name in SCHEMAS] if finished else _LOGS
    for name in (*tables, LATER if finished else "error.txt"):
        if (source.folder / "runs" / where / name).exists():
            shutil.copyfile(source.folder / "runs" / where / name, to / name)
    named = replace(record, study=source.name)
    write_atomically(to / "run.json", json.dumps(asdict(named), ensure_ascii=True) + "\n")


def _finish(aside: Path, place: Path) -> None:
    """Put a finished run where an unfinished one is, in the order in which a run finishes by itself.

    A process that is killed on the way leaves the unfinished run, whose logs are whole, or the finished one.
    """
    clear_parquet(place)  # left by a run that was cut off while finishing
    brought = {path.name for path in aside.iterdir()}
    for name in (*_PACKED, *_LOGS, "run.json", LATER):
        if name in brought:
            os.replace(aside / name, place / name)
    for name in {*_LOGS, "error.txt"} - brought:
        (place / name).unlink(missing_ok=True)


def _rename(folder: Path, name: str) -> None:
    """What a study says of its own name; its runs say it already."""
    import tomli_w

    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    write_atomically(folder / "plan.json", json.dumps(plan | {"study": name}, indent=1) + "\n")
    spec = folder / "study.toml"
    if spec.exists():
        table = read_toml(spec)
        table["study"] = table.get("study", {}) | {"name": name}
        write_atomically(spec, tomli_w.dumps(table))


def _on_disk(folder: Path) -> None:
    """Everything below a folder is on the disk before it is renamed to where it counts."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
