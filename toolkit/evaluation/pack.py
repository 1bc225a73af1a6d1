"""Packing: a study as one archive that a colleague can check, read and replay; and the replay of such an archive."""

from __future__ import annotations

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from toolkit.component import Config, build
from toolkit.errors import SpecError, ToolkitError
from toolkit.evaluation.anonymous import (
    anonymised,
    identity,
    nameless,
    redacted_table,
    rewritten,
    salt,
    search,
    servers,
)
from toolkit.evaluation.differences import numbers, numbers_differ
from toolkit.evaluation.paths import anchored, leading_out, moved
from toolkit.evaluation.replay import OLDER, Replay, kept_name, replay
from toolkit.evaluation.spec import stream_tables
from toolkit.ledger.archive import Archive, read_archive, texts, unpack, write_archive
from toolkit.ledger.container import ArchiveError
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import SCHEMAS, Row
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import as_parquet
from toolkit.lm.secrets import secrets
from toolkit.streams.kept import REDISTRIBUTABLE, written
from toolkit.streams.stream import Stream


@dataclass(frozen=True)
class Packed:
    """What was packed. Prints as a line with the archive's digest, by which a paper can name it."""

    path: Path
    archive: Archive
    notes: tuple[str, ...]

    def __str__(self) -> str:
        size = f"{self.path.stat().st_size / 1e6:.2f} MB, {len(self.archive.members)} files"
        return "\n".join([f"{self.path}: {size}, digest {self.archive.digest}", *self.notes])


def pack(
    ledger: Ledger, name: str, output: str | Path | None = None, *, anonymous: bool = False, redact: bool = False
) -> Packed:
    """Pack a study: specification, plan, tapes, episodes, environment, report, code, checksums of data.

    Parameters
    ----------
    ledger, name
        Where it is kept.
    output
        The file; None = ``<name>.zip`` in the working folder.
    anonymous
        Without author, host, paths and git identity; searched for before anything is written.
    redact
        With hashes in the place of prompts, answers and inputs: structure, scores and costs remain. It cannot be
        replayed.

    Raises
    ------
    LedgerError
        If there is no such study, or nothing in it is finished.
    ArchiveError
        If the archive would hold a secret of this environment, or, where it is to be anonymous, tell who made it.
    """
    import tomli_w

    folder = ledger.find(name)
    planned = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    if "taped" not in planned:
        raise LedgerError(f"{folder / 'plan.json'} {OLDER}")
    members, left_out = _runs(ledger, folder, planned)
    table: Config = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    data, stored, notes = _all_data(folder, table, planned, redact)
    table, swaps = moved(table, _inside(table)), servers(table)
    if anonymous:
        table, environment = nameless(table), {key: one for key, one in environment.items() if key != "commit"}
        planned = _nameless_plan(planned, swaps)
        members = {where: _nameless(where, body, swaps) for where, body in members.items()}
    members = _redacted(members) if redact else members
    told = {"data.json": data, "plan.json": planned, "environment.json": environment}
    members |= {name: _json(value) for name, value in told.items()}
    members |= {"study.toml": tomli_w.dumps(table).encode(), **stored}
    members |= {f"code/{path.name}": path.read_bytes() for path in sorted((folder / "code").glob("*.py"))}
    members |= _told(name, members)
    _refuse_secrets(members)
    if anonymous:
        search(members, {**identity(), **dict.fromkeys(swaps, "a server's address")})
    path = Path(output or f"{name}.zip").expanduser()
    archive = write_archive(name, members, path, anonymous=anonymous, redacted=redact)
    notes += [f"left out, not finished: {', '.join(left_out)}"] if left_out else []
    notes += ["texts are hashes: this archive cannot be replayed"] if redact else []
    return Packed(path, archive, tuple(notes))


def replay_archive(path: str | Path, *, trust_code: bool = False) -> Replay:
    """Check an archive and replay the study in it; nothing is left behind.

    Parameters
    ----------
    path
        The file. Data that it does not hold are looked for beside it.
    trust_code
        Whether the user's own code in it may be run.

    Raises
    ------
    ArchiveError
        If it is not whole, is redacted, or holds code that is not trusted.
    """
    file = Path(path).expanduser()
    archive = read_archive(file)
    if archive.redacted:
        raise ArchiveError(f"{file}: texts were replaced by hashes (--redact): it can be read, but not replayed")
    if archive.code and not trust_code:
        raise ArchiveError(
            f"{file} holds code of its own: {', '.join(archive.code)}. Replaying it means running that: read it, and "
            "give --trust-code if you trust it"
        )
    with tempfile.TemporaryDirectory(prefix="toolkit-archive-") as place:
        try:
            done = _unpacked(archive, Ledger(place), file.resolve().parent)
        except ToolkitError:
            raise
        except Exception as error:  # what its author wrote may break any reader, in any way
            told = f"{type(error).__name__}: {error}"
            raise ArchiveError(f"{file} is whole, but its files do not make a study: {told:.500}") from error
    return replace(done, notes=(*done.notes, f"archive digest {archive.digest}"))


def _unpacked(archive: Archive, ledger: Ledger, anchor: Path) -> Replay:
    table: Config = tomllib.loads(archive.members["study.toml"].decode())
    if out := list(leading_out([*stream_tables(table), table["study"].get("second_pass")])):
        raise ArchiveError(
            f"member 'study.toml' names data at {out[0]!r}, which leads out of the archive's folder: 'toolkit pack' "
            "makes no such archive"
        )
    folder = unpack(archive, ledger)
    done = replay(ledger, archive.study, anchor=anchor)
    if done.difference or done.left_out:
        return done
    stored = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    now = _numbers(archive.study, ledger)
    # A later version may have more columns, and more to doubt; what was claimed then must still come out.
    claimed = {key: value for key, value in stored.items() if not key.endswith(": doubts")}
    return replace(done, difference=numbers_differ(claimed, {key: now[key] for key in claimed if key in now}))


def _runs(ledger: Ledger, folder: Path, planned: Mapping[str, Any]) -> tuple[dict[str, bytes], list[str]]:
    """The files of every finished run, and the runs that are not."""
    members, left_out = dict[str, bytes](), list[str]()
    for run in planned["runs"]:
        where = folder / "runs" / run["folder"]
        record = ledger.record(where)
        if record is None or record.status != "finished":
            left_out.append(run["folder"])
            continue
        inside = f"runs/{run['folder']}"
        members[f"{inside}/run.json"] = (where / "run.json").read_bytes()
        members |= {f"{inside}/{name}.parquet": as_parquet(where, name) for name in SCHEMAS}
    if not members:
        raise LedgerError(f"no run of {planned['study']!r} is finished: run it to the end, then pack it")
    return members, left_out


def _all_data(
    folder: Path, table: Config, planned: Mapping[str, Any], redact: bool
) -> tuple[dict[str, Any], dict[str, bytes], list[str]]:
    """What the data of every stream were; the tasks themselves where their licence allows it; what to tell."""
    told, stored, notes = list[Row](), dict[str, bytes](), list[str]()
    told_of = list(zip(stream_tables(table), planned["streams"], strict=True))
    if isinstance(second := table["study"].get("second_pass"), dict):
        told_of.append((second, planned["second_pass"]))
    for place, (one, row) in enumerate(told_of):
        data, text, said = _data(folder, table, one, row, redact)
        told.append(data)
        stored |= {kept_name(place): text} if text else {}
        notes += said
    return {"streams": told}, stored, notes


def _data(
    folder: Path, table: Config, stream_table: object, row: Mapping[str, Any], redact: bool
) -> tuple[Row, bytes, list[str]]:
    told: Row = {key: row[key] for key in ("label", "fingerprint", "licence")}
    try:
        stream = build("stream", anchored({"stream": stream_table}, folder)["stream"], f"stream {row['label']}")
        if not isinstance(stream, Stream) or stream.fingerprint() != row["fingerprint"]:
            raise SpecError(["the data have changed since"])
    except (SpecError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        return (
            {**told, "files": [], "stored": False},
            b"",
            [f"data: not read here, so neither checked nor packed ({why})"],
        )
    inside = _inside(table)
    files = [
        {"name": file.name, "path": inside(str(file)), "size": file.stat().st_size, "sha256": _sha256(file)}
        for file in stream.files()
    ]
    stored = bool(files) and stream.licence in REDISTRIBUTABLE and not redact
    notes = [f"data: checksums only (licence: {stream.licence or 'not stated'})"] if files and not stored else []
    return {**told, "files": files, "stored": stored}, written(stream).encode() if stored else b"", notes


def _nameless_plan(planned: Mapping[str, Any], swaps: Mapping[str, str]) -> Row:
    """A plan without paths; ids of tasks stay what they are, since the runs' files name them."""
    found: Row = anonymised(planned, swaps) | {"tasks": planned["tasks"]}
    found["streams"] = [
        new | {"tasks": old["tasks"]} for new, old in zip(found["streams"], planned["streams"], strict=True)
    ]
    return found


def _inside(table: Config) -> Any:
    """Where a path of the study's file belongs in an archive: data and models beside it, code in it."""
    code = {Path(str(path)).name for path in table["study"].get("code", [])}

    def change(path: str) -> str:
        name = Path(path).name
        return f"code/{name}" if name in code else f"data/{name}"

    return change


def _nameless(name: str, body: bytes, swaps: Mapping[str, str]) -> bytes:
    """A run's file in which the words of errors keep no path."""
    if name.endswith("run.json"):
        return _json(anonymised(json.loads(body), swaps), indent=None)

    def change(row: Row) -> Row:
        return {**row, "error": anonymised(row["error"], swaps) if row["error"] else row["error"]}

    return rewritten(name, body, change) if _has_errors(body) else body


def _redacted(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Members in whose tables the texts are hashes."""
    tables = {name: body for name, body in sorted(members.items()) if name.endswith(".parquet")}
    secret = salt(tables.values())
    return {**members, **{name: redacted_table(name, body, secret) for name, body in tables.items()}}


def _has_errors(body: bytes) -> bool:
    import pyarrow.parquet as pq

    return any(pq.read_table(BytesIO(body), columns=["error"]).column("error").to_pylist())


def _told(name: str, members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Report, figures and the table's numbers, made from these very files."""
    from toolkit.report import write

    with tempfile.TemporaryDirectory(prefix="toolkit-pack-") as place:
        ledger = Ledger(place)
        for where, body in members.items():
            path = ledger.study(name) / where
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        report: Path = write(ledger, name)
        found = {"report.html": report.read_bytes(), "table.json": _json(_numbers(name, ledger))}
        figures = sorted((report.parent / "figures").iterdir())
        return found | {f"figures/{path.name}": path.read_bytes() for path in figures}


def _numbers(name: str, ledger: Ledger) -> dict[str, Any]:
    from toolkit.analysis import compare

    found: dict[str, Any] = json.loads(json.dumps(dict(numbers(compare(name, ledger=ledger), ledger))))
    return found


def _refuse_secrets(members: Mapping[str, bytes]) -> None:
    hidden = secrets()
    found = dict.fromkeys(name for name, text in texts(members) if any(value in text for value in hidden))
    if found:
        raise ArchiveError(
            f"{', '.join(found)} would hold a secret: the value of a variable of this environment whose name says so. "
            "Nothing was written; remove it there, or pack with --redact"
        )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: object, indent: int | None = 1) -> bytes:
    return json.dumps(value, ensure_ascii=True, indent=indent).encode() + b"\n"
