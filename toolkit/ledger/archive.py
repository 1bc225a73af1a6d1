"""Archives of studies: members that are allowed, a manifest that names each with its sha256, and their unpacking."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.ledger.container import ArchiveError, build, read
from toolkit.ledger.rows import FORMAT, SCHEMAS
from toolkit.ledger.store import Ledger

if TYPE_CHECKING:
    import pyarrow.parquet as pq

VERSION = 1
"""Of archives; raised when an old one can no longer be read."""

MANIFEST = "manifest.json"

_RUN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}-[0-9a-f]{12}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_NEEDED = ("data.json", "environment.json", "plan.json", "report.html", "study.toml", "table.json")
_ALLOWED = re.compile(
    rf"({'|'.join(map(re.escape, _NEEDED))}|stream-\d+\.json|figures/[a-z]+\.(svg|pdf|csv)|code/\w[\w.-]*\.py|"
    rf"runs/{_RUN}/(run\.json|(calls|episodes)\.parquet))",
    re.ASCII,
)
_ROWS, _BYTES = 50_000_000, 1 << 32  # what a table of an archive may grow to in memory
_STEP = 64  # rows that are read at a time: even if each holds what no row should, memory takes them


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read and found whole.

    Parameters
    ----------
    study
        Name of the study in it.
    digest
        sha256 of the manifest, and with it of everything: two archives with the same digest are the same.
    anonymous, redacted
        How it was packed; texts of a redacted one are hashes, and it cannot be replayed.
    members
        Its files by name.
    """

    study: str
    digest: str
    anonymous: bool
    redacted: bool
    members: Mapping[str, bytes]

    @property
    def code(self) -> tuple[str, ...]:
        """Names of the files of the user's own code."""
        return tuple(name for name in sorted(self.members) if name.startswith("code/"))


def write_archive(study: str, members: Mapping[str, bytes], path: Path, *, anonymous: bool, redacted: bool) -> Archive:
    """Write an archive, aside and then renamed: the same bytes for the same members.

    Raises
    ------
    ArchiveError
        If a member is not of the allowed ones, or the file cannot be written.
    """
    told = {
        "archive": VERSION,
        "format": FORMAT,
        "study": study,
        "anonymous": anonymous,
        "redacted": redacted,
        "members": {name: hashlib.sha256(body).hexdigest() for name, body in sorted(members.items())},
    }
    told["digest"] = _digest(told)
    made = {**members, MANIFEST: _canonical(told)}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        _checked(made)
        with open(part, "wb") as file:
            file.writelines(build(made))
        os.replace(part, path)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be written: {error.strerror}; choose another place (--output)") from error
    finally:
        part.unlink(missing_ok=True)
    return Archive(study, str(told["digest"]), anonymous, redacted, members)


def read_archive(path: Path) -> Archive:
    """An archive, every byte of it checked; nothing in it is run, and nothing is written.

    Raises
    ------
    ArchiveError
        Naming the member and what is wrong: changed, missing, foreign, twice, of a name that leads elsewhere, of a
        format that this toolkit does not know, or a table that would grow beyond measure.
    """
    members = read(path)
    try:
        told = _checked(members)
        del members[MANIFEST]
        for name in members:
            if name.endswith(".parquet"):
                _check_table(name, members[name])
        _check_plan(members, told["study"])
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from error
    return Archive(told["study"], told["digest"], told["anonymous"], told["redacted"], members)


def unpack(archive: Archive, ledger: Ledger) -> Path:
    """Put an archive's study into a ledger, all of it or nothing; its folder.

    Raises
    ------
    ArchiveError
        If the ledger has a study of that name.
    """
    target = ledger.study(archive.study)
    if target.exists():
        raise ArchiveError(f"{target} is there already: move it away, or unpack into another ledger")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".unpack-", dir=ledger.root))
    try:
        aside.chmod(0o755)  # such a folder is made for its owner alone
        for name, body in archive.members.items():
            place = aside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _checked(members: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest, if it fits itself and the members."""
    if MANIFEST not in members:
        raise ArchiveError(f"member {MANIFEST!r} is missing: this is no archive of 'toolkit pack'")
    told = _manifest(members[MANIFEST])
    listed = told["members"]
    for name in sorted({*members, *listed} - {MANIFEST}):
        if name not in listed:
            raise ArchiveError(f"member {name!r} is foreign: the manifest does not name it")
        if name not in members:
            raise ArchiveError(f"member {name!r} is missing, which the manifest names")
        if hashlib.sha256(members[name]).hexdigest() != listed[name]:
            raise ArchiveError(f"member {name!r} was changed: its sha256 is not the manifest's")
        if not _ALLOWED.fullmatch(name):
            raise ArchiveError(f"member {name!r} is foreign: no study has such a file")
    missing = [name for name in _NEEDED if name not in members]
    if missing:
        raise ArchiveError(f"member {missing[0]!r} is missing: every study has it")
    return told


def _manifest(raw: bytes) -> dict[str, Any]:
    kinds = {"archive": int, "format": int, "study": str, "anonymous": bool, "redacted": bool, "members": dict}
    try:
        told = json.loads(raw)
        fits = isinstance(told, dict) and told.keys() == {*kinds, "digest"} and _canonical(told) == raw
        fits = fits and all(type(told[name]) is kind for name, kind in kinds.items())
    except (ValueError, RecursionError):
        fits = False
    if not fits or told["digest"] != _digest(told):
        raise ArchiveError(f"member {MANIFEST!r} was changed: its digest does not fit")
    for name, known in {"archive": VERSION, "format": FORMAT}.items():
        if told[name] != known:
            raise ArchiveError(
                f"member {MANIFEST!r}: {name} version {told[name]} is not known here, only {known}: take the version "
                "of the toolkit that its environment.json names"
            )
    if not _NAME.fullmatch(told["study"]):
        raise ArchiveError(f"member {MANIFEST!r}: no study may be called {told['study']!r}")
    return dict(told)


def _check_plan(members: Mapping[str, bytes], study: str) -> None:
    """The plan is of this study, and its runs are folders of the archive or nothing."""
    try:
        planned = json.loads(members["plan.json"])
        folders = [run["folder"] for run in planned["runs"]]
        wrong = [folder for folder in folders if not re.fullmatch(_RUN, folder)]
        same = planned["study"] == study
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArchiveError(f"member 'plan.json' is no plan of a study: {type(error).__name__}: {error}") from error
    if wrong or not same:
        raise ArchiveError(f"member 'plan.json' is of another study or names runs that are none: {wrong[:1]}")


def _check_table(name: str, body: bytes) -> None:
    """A table of rows as the ledger has them, which cannot grow beyond measure when it is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = SCHEMAS[Path(name).stem]
    try:
        file = pq.ParquetFile(BytesIO(body))
        told = file.metadata
        grown = sum(told.row_group(place).total_byte_size for place in range(told.num_row_groups))
        foreign = [column for column in file.schema_arrow.names if column not in schema]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArchiveError(f"member {name!r} is no Parquet file: {error}") from error
    if foreign:
        raise ArchiveError(f"member {name!r} has a column that is foreign: {foreign[0]!r}")
    if told.num_rows <= _ROWS and grown <= _BYTES:
        grown = _grown(name, file)
    if told.num_rows > _ROWS or grown > _BYTES:
        raise ArchiveError(f"member {name!r} would grow to {told.num_rows} rows or {grown} bytes: too much to be read")


def _grown(name: str, file: pq.ParquetFile) -> int:
    """Bytes that a table has in memory, counted until they are too many.

    What the file itself says is no measure: a text that stands in it once may be the value of every row.
    """
    import pyarrow as pa

    grown = 0
    try:
        for batch in file.iter_batches(_STEP):
            grown += batch.nbytes
            if grown > _BYTES:
                break
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArchiveError(f"member {name!r} is no Parquet file: {error}") from error
    return grown


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({name: value for name, value in told.items() if name != "digest"})).hexdigest()


def _canonical(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, ensure_ascii=True, indent=1).encode() + b"\n"


def texts(members: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Every member's name with all its text, that in tables included: what a search goes through."""
    import pyarrow.parquet as pq

    for name, body in sorted(members.items()):
        if name.endswith(".pdf") and f"{name[:-3]}svg" in members:
            continue  # the same drawing, whose words the other form spells out; this one holds "/Root" and the like
        if name.endswith(".parquet"):
            table = pq.read_table(BytesIO(body))
            yield name, "\n".join([*_strings(table.to_pylist()), str(table.schema.metadata or "")])
        else:
            yield name, body.decode("utf-8", "replace")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)
