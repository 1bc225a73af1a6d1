"""Sheets: what a CSV, TSV, JSONL or Parquet file or a data frame holds, row by row, with the place of every mistake.

Values stay the text that the file holds (``007``, ``1.0`` and ``NA`` are what they look like).
"""

from __future__ import annotations

import csv
import datetime
import decimal
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os.path import expanduser
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import SpecError, names, nearest

SHOWN = 20
"""Mistakes of one file that are written out."""


@dataclass
class Sheet:
    """A file as it was read: named columns, rows with the place where each starts, and the mistakes noted so far.

    ``seen`` says where a thing that matters to later rows (an id, a sort of time) was met first.
    """

    name: str
    unit: str = "line"
    columns: tuple[str, ...] = ()
    rows: list[tuple[int, Mapping[str, object]]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, place: int, column: str, mistake: str) -> None:
        """Keep a mistake for `check`; place 0 = the file as a whole."""
        where = f" {self.unit} {place}" * bool(place) + f", column {column!r}" * bool(column)
        self.notes.append((place, f"{self.name}{where}: {mistake}"))

    def check(self) -> None:
        """Raise a `SpecError` if anything was noted."""
        found = [text for _, text in sorted(self.notes, key=lambda note: note[0])]
        if len(found) > SHOWN:
            found[SHOWN:] = [f"{self.name}: and {len(found) - SHOWN} more mistakes like these"]
        if found:
            raise SpecError(found)

    def texts(self, place: int, row: Mapping[str, object], column: str, separator: str = "") -> tuple[str, ...]:
        """The texts of a cell that may hold several, as a list or parted by ``separator``; none if it is empty."""
        value: Any = row.get(column)
        many = isinstance(value, list | tuple | np.ndarray)
        found = [_text(item) for item in (value if many else [value])]
        if any(item is _STRANGE for item in found):
            shown = f"{json.dumps(value, default=repr, ensure_ascii=False):.60}"
            self.note(place, column, f"a cell must be text or a number, or a list of them, but is {shown}; flatten it")
            return ()
        texts = [item for item in found if isinstance(item, str)]
        if separator and not many:
            texts = [part.strip() for text in texts for part in text.split(separator)]
        for text in texts:
            self._check_text(place, column, text)
        return tuple(dict.fromkeys(text for text in texts if text.strip())) if separator or many else tuple(texts)

    def text(self, place: int, row: Mapping[str, object], column: str) -> str:
        """The text of a cell, exactly as it stands; "" where there is nothing, or where ``column`` is ""."""
        if column and isinstance(row.get(column), list | tuple | np.ndarray):
            self.note(place, column, f"one text is wanted but the cell holds a list: {row[column]!r:.60}; join it")
            return ""
        return next(iter(self.texts(place, row, column)), "") if column else ""

    def _check_text(self, place: int, column: str, text: str) -> None:
        if "\0" in text:
            self.note(
                place,
                column,
                "holds a NUL character, which no prompt can carry; remove it, or if the file is "
                "UTF-16 say encoding='utf-16'",
            )
        elif _HALF.search(text):
            self.note(place, column, f"holds half a character (a lone surrogate): {text!r:.40}; write it in full")


_HALF = re.compile("[\ud800-\udfff]")
_KEPT = re.compile("[0-9a-f]{64}")
_STRANGE = object()


def _text(value: object) -> object:
    """A value as text; None where there is none, `_STRANGE` where it is no single value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float | np.floating) and np.isnan(value):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, str | int | float | decimal.Decimal | np.integer | np.floating):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, np.datetime64) else _STRANGE


def read_sheet(data: str, encoding: str = "utf-8") -> Sheet:
    """The table in a file, by its ending: .csv, .tsv, .jsonl or .parquet. Rows that cannot be read are noted.

    Raises
    ------
    SpecError
        If the file cannot be opened or decoded at all.
    """
    path = Path(expanduser(data))
    suffix = path.suffix.lower()
    kept = is_kept(path)
    sheet = Sheet("frame", "row") if kept else Sheet(path.name)
    if suffix not in (".csv", ".tsv", ".jsonl", ".parquet") and not path.is_dir():
        raise SpecError([f"{data}: a table must be a .csv, .tsv, .jsonl or .parquet file but this is {suffix!r}"])
    raw = _raw(path, data, kept)
    if suffix == ".parquet":
        _parquet(sheet, raw)
    elif suffix == ".jsonl":
        _jsonl(sheet, _decoded(sheet, raw, encoding))
    else:
        _csv(sheet, _decoded(sheet, raw, encoding), "," if suffix == ".csv" else "\t")
    twice = [column for column in dict.fromkeys(sheet.columns) if sheet.columns.count(column) > 1]
    for column in twice:
        sheet.note(0, column, "two columns have this name; rename one")
    return sheet


def read_text(data: str, encoding: str = "utf-8") -> str:
    """The text of a file.

    Raises
    ------
    SpecError
        If it cannot be opened or decoded, with the line.
    """
    path = Path(expanduser(data))
    return _decoded(Sheet(path.name), _raw(path, data, False), encoding)


def _raw(path: Path, data: str, kept: bool) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        inside = names(sorted(child.name for child in path.iterdir())) or "nothing"
        raise SpecError([f"{data}: a table must be a file but this is a folder; in it: {inside}"]) from None
    except FileNotFoundError:
        beside = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, beside) if path.parent.is_dir() else f"nor a folder {path.parent}"
        hint = "it held a data frame: make it again with table(frame, ...)" if kept else hint
        raise SpecError([f"{data}: there is no such file; {hint:.300}"]) from None
    except (OSError, ValueError) as error:
        raise SpecError([f"{data}: the file cannot be read: {error}"]) from error


def _decoded(sheet: Sheet, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, "ignore").count("\n") + 1
        sheet.note(
            line,
            "",
            f"byte {error.start} (0x{raw[error.start]:02x}) is not {encoding} text; give the file's "
            "own encoding, e.g. encoding='cp1252' (Excel on Windows), 'latin-1' or 'utf-16'",
        )
    except UnicodeError as error:
        sheet.note(0, "", f"is not {encoding} text ({error}); give the file's own encoding, e.g. encoding='utf-8'")
    except (LookupError, ValueError):
        known = "'utf-8', 'cp1252', 'latin-1', 'utf-16'"
        sheet.note(0, "", f"there is no text encoding {encoding!r}; common ones: {known}")
    sheet.check()  # raises
    return ""


def _csv(sheet: Sheet, text: str, delimiter: str) -> None:
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        place = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            sheet.note(
                place,
                "",
                f"the quotes of this row are broken ({error}); a text in quotes ends with one quote, "
                "and a quote within it is written twice; nothing was read from here on",
            )
            return
        if not sheet.columns and cells:
            sheet.columns = tuple(cells)
        elif cells and len(cells) != len(sheet.columns):
            sheet.note(
                place,
                "",
                f"a row must have {len(sheet.columns)} cells, like the header, but has {len(cells)}; "
                f"a text that holds {delimiter!r} or a line break needs quotes around it",
            )
        elif cells:
            sheet.rows.append((place, dict(zip(sheet.columns, cells, strict=True))))


def _jsonl(sheet: Sheet, text: str) -> None:
    columns: dict[str, None] = {}
    for place, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=str, parse_int=str, parse_constant=_refused, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            sheet.note(place, "", f"the JSON of this line is broken: {error}")
            continue
        if not isinstance(row, dict):
            sheet.note(place, "", f'a line must be one object, {{"column": value, ...}}, but is {line.strip():.40}')
            continue
        columns |= dict.fromkeys(row)
        sheet.rows.append((place, row))
    sheet.columns = tuple(columns)


def _refused(word: str) -> object:
    raise ValueError(f"{word} is no JSON; write null")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key occurs twice among {names([key for key, _ in pairs])}")
    return found


def _parquet(sheet: Sheet, raw: bytes) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sheet.unit = "row"
    try:
        frame = pq.read_table(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        sheet.note(0, "", f"is no readable Parquet file: {error}")
        return sheet.check()
    sheet.columns, rows = _arrow_rows(frame)
    sheet.rows = list(enumerate(rows, start=1))


def _arrow_rows(frame: Any) -> tuple[tuple[str, ...], list[dict[str, object]]]:
    """Columns and rows of an Arrow table; single floats stay as short as they were."""
    short = {"float": np.float32, "halffloat": np.float16}
    cells = [column.to_pylist() for column in frame.columns]
    for place, column in enumerate(frame.columns):
        if str(column.type) in short:
            cells[place] = [value if value is None else short[str(column.type)](value) for value in cells[place]]
    columns = tuple(frame.column_names)
    return columns, [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _records(source: Any) -> Iterable[Mapping[str, object]]:
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        if not source.columns.is_unique:
            raise SpecError([f"frame: columns must differ but are {names([str(name) for name in source.columns])}"])
        cells = [list(source[name].array) for name in source.columns]
        return [dict(zip(map(str, source.columns), row, strict=True)) for row in zip(*cells, strict=True)]
    if hasattr(source, "__arrow_c_stream__"):
        import pyarrow as pa

        return _arrow_rows(pa.table(source))[1]
    if isinstance(source, list | tuple) and all(isinstance(row, Mapping) for row in source):
        return [{str(name): value for name, value in row.items()} for row in source]
    raise TypeError(
        "a table needs a path, a pandas, Polars or Arrow frame, or a list of dictionaries but got "
        f"{type(source).__name__} {source!r:.80}"
    )


def is_kept(path: Path) -> bool:
    """Whether a path is that of a frame which `keep` wrote."""
    return _KEPT.fullmatch(path.stem) is not None


def keep(frame: object) -> Path:
    """The file of the cache that holds a frame's rows, written if it is not there; see `streams.table.table`."""
    lines = [json.dumps({name: _json(value) for name, value in row.items()}) for row in _records(frame)]
    raw = "".join(f"{line}\n" for line in lines).encode()
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adaptive-agents-toolkit"
    folder = Path(os.environ.get("TOOLKIT_CACHE") or default).expanduser() / "frames"
    path = folder / f"{hashlib.sha256(raw).hexdigest()}.jsonl"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as aside:
            aside.write(raw)
        os.replace(aside.name, path)
    return path


def _json(value: object) -> object:
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(item) for item in value]
    found = _text(value)
    return {"a": type(value).__name__} if found is _STRANGE else found
