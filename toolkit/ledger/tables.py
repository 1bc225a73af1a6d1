"""The rows of a finished run, which lie in its folder as logs if it was short and as Parquet if it was long."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.ledger.log import LedgerError, read_log
from toolkit.ledger.parquet import relabel as relabel_parquet
from toolkit.ledger.parquet import value, write_parquet
from toolkit.ledger.rows import SCHEMAS, Row, line
from toolkit.ledger.views import from_lines, quoted

LONG = 2000
"""Episodes from which on a finished run's logs are turned into Parquet.

Up to about 300 rows a file, logs are read as fast as Parquet or faster; at 1,000 rows the time that writing Parquet
takes comes back only after some 20 readings of the whole table, at 4,000 after 4. And it would be spent at the very
moment when many runs end together.
"""


def table(folder: Path, name: str) -> Path:
    """The file that holds one table of a finished run.

    Parameters
    ----------
    name
        ``"episodes"`` or ``"calls"``.

    Raises
    ------
    LedgerError
        If there is none.
    """
    for file in (folder / f"{name}.parquet", folder / f"{name}.jsonl"):  # both: killed before its logs were removed
        if file.exists():
            return file
    raise LedgerError(f"{folder} has no {name}, but its run is finished: move it away")


def rows(folder: Path, name: str) -> list[Row]:
    """One table of a finished run, the same whichever file it lies in: every column there, maps as dictionaries.

    Raises
    ------
    LedgerError
        If there is none, or it is damaged.
    """
    file, schema = table(folder, name), SCHEMAS[name]
    if file.suffix == ".jsonl":
        return [{column: _plain(row.get(column), dtype) for column, dtype in schema.items()} for row in _lines(file)]
    with _read(file) as opened:
        found: list[Row] = opened.read().to_pylist()
    maps = [column for column, dtype in schema.items() if dtype.startswith("MAP")]
    for row in found:
        row.update({column: dict(row[column]) for column in maps if row.get(column) is not None})
    return found


def count(folder: Path, name: str) -> int:
    """How many rows one table of a finished run has. Raises as `rows` does."""
    file = table(folder, name)
    if file.suffix == ".jsonl":
        return sum(1 for _ in _lines(file))
    with _read(file) as opened:
        return int(opened.metadata.num_rows)


def as_parquet(folder: Path, name: str) -> bytes:
    """One table of a finished run as a Parquet file."""
    file = table(folder, name)
    if file.suffix == ".parquet":
        return file.read_bytes()
    with tempfile.TemporaryDirectory(prefix="toolkit-table-") as place:
        part = Path(place, name)
        write_parquet(_lines(file), part, SCHEMAS[name])
        return part.read_bytes()


def relabel(folder: Path, name: str, values: dict[str, str]) -> None:
    """Give text columns of one table one value throughout; the file is written aside, then renamed."""
    file = table(folder, name)
    if file.suffix == ".parquet":
        relabel_parquet(file, values)
        return
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as out:
            out.writelines(line({**row, **values}) for row in _lines(file))
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def pack(folder: Path) -> None:
    """Write a run's logs as Parquet beside them: aside first, then renamed, all or none.

    Raises
    ------
    OSError
        If the disk takes no more; nothing is left of the attempt.
    """
    import duckdb

    parts = [(folder / f"{name}.parquet.part", folder / f"{name}.parquet") for name in SCHEMAS]
    try:
        for (name, schema), (part, _) in zip(SCHEMAS.items(), parts, strict=True):
            query = from_lines([str(folder / f"{name}.jsonl")], schema)
            with duckdb.connect() as con:
                con.execute(f"COPY ({query}) TO '{quoted(part)}' (FORMAT parquet)")
            with open(part, "rb") as file:
                os.fsync(file.fileno())
    except (duckdb.Error, OSError) as error:
        clear_parquet(folder)
        if isinstance(error, OSError):
            raise
        if "No space left" in str(error):  # somewhere in DuckDB's account of it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise OSError(errno.EIO, str(error)) from error
    for part, final in parts:
        os.replace(part, final)


def clear_parquet(folder: Path) -> None:
    """Remove a run's Parquet files and what there is of them; its logs stay."""
    for name in SCHEMAS:
        (folder / f"{name}.parquet").unlink(missing_ok=True)
        (folder / f"{name}.parquet.part").unlink(missing_ok=True)


def _lines(file: Path) -> Iterator[Row]:
    """The rows of a log that is not written any more."""
    return read_log(file, ended=True)


@contextmanager
def _read(file: Path) -> Iterator[Any]:
    """A Parquet file; what cannot be read of it is told by its name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            yield opened
    except (OSError, pa.ArrowException) as error:
        raise LedgerError(f"{file} cannot be read ({error}): move its run's folder away") from error


def _plain(given: Any, dtype: str) -> Any:
    """A value of a log as Parquet would have it."""
    found = value(given, dtype)
    return dict(found) if dtype.startswith("MAP") and found is not None else found
