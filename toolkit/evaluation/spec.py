"""A study as a TOML file, and back. What can be said in code can be said in the file, and is checked at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from toolkit.agents.arm import Arm, floors
from toolkit.component import Config, build, read_toml
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.budget import Budget, changed
from toolkit.evaluation.code import import_code
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.hypotheses import from_tables
from toolkit.evaluation.paths import anchored, code_of, relative
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger, write_atomically
from toolkit.lm.model import Model, model
from toolkit.streams.channel import Channel
from toolkit.streams.stream import Stream

T = TypeVar("T")

_TABLES = {"study", "stream", "streams", "channel", "budget", "arms", "hypotheses"}
_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "lm": (str, dict, Model),  # a model itself where code makes the table: a file holds a name or a table
    "seeds": (int, list),
    "study_seed": (int,),
    "order": (str, list),
    "deciding": (str,),
    "baseline": (str,),
    "scorers": (list,),
    "floors": (bool,),
    "code": (list,),
    "workers": (int,),
    "stop_when": (str, list),
    "second_pass": (str, dict, Stream),
    "counterfactuals": (int, float),
    "exams": (dict, Exams),
}


def load(
    path: str | Path,
    *,
    lm: str | None = None,
    seeds: int | None = None,
    tasks: int | None = None,
    ledger: str | Path | None = None,
    workers: int | None = None,
    name: str | None = None,
    budget: Sequence[str] = (),
    tracking: str = "",
    stop_when: Sequence[str] = (),
) -> Study:
    """The study that a file describes, with what the command line changes about it.

    Parameters
    ----------
    path
        A TOML file, or a folder that holds ``study.toml``. Paths inside it are relative to its folder.
    lm, seeds, tasks, workers, name
        Replace what the file says.
    ledger
        Where what it does is written (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    budget
        Limits beside those of the file, or in their place: ``"tokens=100000"``, ``"memory:dollars=0.5"`` for one arm.
    tracking
        Where MLflow shows the runs; see `Study`.
    stop_when
        Conditions in place of those of the file; ``["none"]`` = none.

    Raises
    ------
    SpecError
        Listing every mistake of the file, with the nearest valid names.
    """
    file = Path(path)
    file = file / "study.toml" if file.is_dir() else file
    if not file.exists():
        raise SpecError([f"{file}: there is no such file; give a study.toml, or a folder that holds one"])
    table = read_toml(file)
    head = table.get("study", {})
    if isinstance(head, dict):
        told = {"lm": lm, "seeds": seeds, "workers": workers, "name": name}
        head |= {key: value for key, value in told.items() if value is not None}
        head |= {"stop_when": [text for text in stop_when if text != "none"]} if stop_when else {}
    for stream in stream_tables(table) if tasks is not None else ():
        if isinstance(stream, dict):
            stream["tasks"] = tasks
    if budget:
        table["budget"] = changed(table.get("budget", {}), budget)
    return study_of(table, file, Ledger(ledger), tracking)


def save(study: Study, path: str | Path) -> Path:
    """Write a study as a file that `load` reads back to the same study; the file's path.

    Parameters
    ----------
    study
        What is written.
    path
        The file, or a folder, in which it is called ``study.toml``.

    Raises
    ------
    SpecError
        If the study cannot be said in a file (a wrapped program lives in code), or the file cannot be written. A file
        that was there is then left as it was.
    """
    import tomli_w

    file = Path(path).expanduser()
    file = file / "study.toml" if file.is_dir() else file
    table = relative(study.config(), file.parent)
    told = {
        **table,
        "study": {key: value for key, value in table["study"].items() if key != "code"},
    }  # is imported already
    again = study_of(tomllib.loads(tomli_w.dumps(told)), file, study.ledger)
    if relative(again.config(), file.parent) != told:
        why = "does not come back from a file as it was: a constructor that changes what it is given is to be mended"
        raise SpecError([f"{file}: the study {study.name!r} {why}, or the study left in code"])
    try:
        write_atomically(file, tomli_w.dumps(table))
    except OSError as error:
        raise SpecError([f"{file}: cannot be written: {error.strerror}; choose another place"]) from error
    return file


def study_of(table: Config, file: Path, ledger: Ledger, tracking: str = "") -> Study:
    """The study that a parsed table describes; ``file`` names it in messages and anchors its paths."""
    where, mistakes = file.name, list[str]()
    mistakes += [f"{where}: no table is called [{key}]; {nearest(key, _TABLES)}" for key in table if key not in _TABLES]
    mistakes += [f"{where}: the table [{key}] is missing" for key in ("study", "arms") if key not in table]
    if "stream" not in table and "streams" not in table:
        mistakes.append(f"{where}: the table [stream] is missing; several are headed [[streams]]")
    head = table.get("study", {})
    mistakes += _head_mistakes(head, where)
    if mistakes and not isinstance(head, dict):
        raise SpecError(mistakes)
    table = anchored(table, file.parent)
    head = table.get("study", {})
    code = [code_of(str(name), file.parent) for name in head.get("code", [])]
    _collect(mistakes, lambda: import_code(code))
    lm = _collect(mistakes, lambda: model(head.get("lm", "smollm2-135m"), f"{where}: [study] lm"))
    streams = [_collect(mistakes, lambda one=one: _stream(one, file)) for one in stream_tables(table)]  # type: ignore[misc]
    told = table.get("channel", "FullLabel")
    channel = _collect(mistakes, lambda: Channel.from_config(told, f"{where}: [channel]"))
    budget = _collect(mistakes, lambda: Budget.from_config(table.get("budget", {}), f"{where}: [budget]"))
    claims = _collect(mistakes, lambda: from_tables(table.get("hypotheses", []), where))
    second = _collect(mistakes, lambda: _second_pass(head.get("second_pass", ""), file))
    exams = _collect(mistakes, lambda: Exams.from_config(head.get("exams"), where))
    arms = _arms(table.get("arms", []), head, where, mistakes)
    if mistakes or lm is None:
        raise SpecError(mistakes)
    rest = {key: value for key, value in head.items() if key not in ("lm", "floors", "code")}
    rest |= {"tracking": tracking, "budget": budget, "hypotheses": claims, "second_pass": second, "exams": exams}
    try:
        found = [stream for stream in streams if stream is not None]
        return Study(streams=found, arms=arms, lm=lm, channel=channel, ledger=ledger, code=code, **rest)
    except SpecError as error:
        raise SpecError([f"{where}: {mistake}" for mistake in error.mistakes]) from error


def _head_mistakes(head: object, where: str) -> list[str]:
    if not isinstance(head, dict):
        return [f"{where}: [study] must be a table but is {head!r}"]
    found = [f"{where}: [study] has no key {key!r}; {nearest(key, _KEYS)}" for key in head if key not in _KEYS]
    for key, value in head.items():
        kinds = _KEYS.get(key, (object,))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
            named = " or ".join(kind.__name__ for kind in kinds if kind not in (Model, Stream))
            found.append(f"{where}: [study] {key} must be {named} but is {value!r}")
    if "name" not in head:
        found.append(f"{where}: [study] needs a 'name'")
    return found


def stream_tables(table: Config) -> list[object]:
    """What stands under [stream], then under each [[streams]]."""
    several = table.get("streams", [])
    return [*([table["stream"]] if "stream" in table else []), *(several if isinstance(several, list) else [several])]


def _stream(table: object, file: Path) -> Stream:
    where = f"{file.name}: [stream]"
    if isinstance(table, Stream):
        return table
    if not isinstance(table, dict | str):
        raise SpecError([f"{where} must be a table but is {table!r}"])
    found = build("stream", table, where)
    if not isinstance(found, Stream):
        raise SpecError([f"{where}: {found!r} is no stream"])
    found.pairs()
    return found


def _second_pass(told: object, file: Path) -> str | Stream:
    return told if isinstance(told, str) else _stream(told, file)


def _arms(tables: object, head: Config, where: str, mistakes: list[str]) -> list[Arm]:
    if not isinstance(tables, list):
        mistakes.append(f"{where}: arms must be tables, each headed [[arms]], but is {tables!r}")
        return []
    found = []
    for number, table in enumerate(tables, start=1):
        name = table.get("name", number) if isinstance(table, dict) else number
        arm = _collect(mistakes, lambda table=table, name=name: Arm.from_config(table, f"{where}: arm {name!r}"))  # type: ignore[misc]
        found += [arm] if arm is not None else []
    return [*found, *floors()] if head.get("floors") is True else found


def streams_of(folder: Path) -> list[Stream]:
    """The streams of a study in the ledger, one held out for a second pass last, for whoever needs tasks and keys.

    Raises
    ------
    SpecError
        If one cannot be read.
    """
    file = folder / "study.toml"
    table = anchored(read_toml(file), folder)
    import_code([code_of(str(name), folder) for name in table.get("study", {}).get("code", [])])
    held_out = table.get("study", {}).get("second_pass")
    return [_stream(one, file) for one in [*stream_tables(table), *([held_out] if isinstance(held_out, dict) else [])]]


def _collect(mistakes: list[str], make: Callable[[], T]) -> T | None:
    try:
        return make()
    except SpecError as error:
        mistakes += error.mistakes
    except ValueError as error:
        mistakes.append(str(error))
    return None
