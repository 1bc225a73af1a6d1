"""Tables: a user's own CSV, TSV, JSONL or Parquet file, or a data frame, as a stream.

Values stay the text that the file holds (``007``, ``1.0`` and ``NA`` are what they look like). A file with mistakes is
refused with all of them at once, each with its place: ``data.csv line 7, column 'label': ...``.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import hashlib
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from toolkit.errors import SpecError, nearest
from toolkit.records import Key, Step, Task, names
from toolkit.streams.scoring import number_in
from toolkit.streams.stream import Pair, Stream, sessions

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
            self.note(place, column, "holds a NUL character, which no prompt can carry; remove it, or if the file is "
                      "UTF-16 say encoding='utf-16'")
        elif _HALF.search(text):
            self.note(place, column, f"holds half a character (a lone surrogate): {text!r:.40}; write it in full")


_HALF = re.compile("[\ud800-\udfff]")
_KEPT = re.compile("[0-9a-f]{64}")
_PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
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
    path = Path(data).expanduser()
    suffix = path.suffix.lower()
    kept = _KEPT.fullmatch(path.stem) is not None
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
        sheet.note(line, "", f"byte {error.start} (0x{raw[error.start]:02x}) is not {encoding} text; give the file's "
                   "own encoding, e.g. encoding='cp1252' (Excel on Windows), 'latin-1' or 'utf-16'")
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
            sheet.note(place, "", f"the quotes of this row are broken ({error}); a text in quotes ends with one quote, "
                       "and a quote within it is written twice; nothing was read from here on")
            return
        if not sheet.columns and cells:
            sheet.columns = tuple(cells)
        elif cells and len(cells) != len(sheet.columns):
            sheet.note(place, "", f"a row must have {len(sheet.columns)} cells, like the header, but has {len(cells)}; "
                       f"a text that holds {delimiter!r} or a line break needs quotes around it")
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
            sheet.note(place, "", f"a line must be one object, {{\"column\": value, ...}}, but is {line.strip():.40}")
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


class Table(Stream):
    """The rows of a file as tasks, the answers of a column as keys.

    The reference order is that of the file, or of ``time`` where it is given (equal times in the order of the file).

    Parameters
    ----------
    data
        Path of a .csv, .tsv, .jsonl or .parquet file; `table` makes one from a data frame.
    inputs
        Columns that the agent sees, one or several. At least one cell of them must hold something.
    answer
        Column of the right answer. Field names in prompts are the columns' names, with ``_`` for what is no letter,
        digit or underscore.
    separator
        What parts several right answers in one cell of ``answer``, e.g. ``"|"``; "" = a cell is one answer. The cells
        of a JSONL or Parquet file may also be lists.
    options
        Closed answers to choose from: themselves, or a column whose cells are lists or parted by ``|``, or the word
        ``"answers"`` for all answers of the file, sorted. Empty = free text.
    user, session, time, id
        Columns; empty = none. Times are numbers, or ISO dates, which become seconds since 1970 (UTC where they name no
        zone). Ids must differ; without a column they are the rows' numbers from 1.
    instruction
        What the agent is told to do; empty = a plain sentence.
    number
        True if answers are numbers: digits with a decimal point, no thousands separators.
    scorers
        Names of the metrics, the main one first; empty = ``("exact",)``, or ``("numeric",)`` for numbers, and this is
        what is then stored.
    tasks
        How many rows the stream takes, whole sessions drawn at random (the last one is cut to fit); 0 = all. The other
        rows are the `pool`.
    draw
        Seed of that drawing, at least 0.
    delay
        Tasks that pass before feedback arrives, at least 0.
    encoding
        Of a .csv, .tsv or .jsonl file.

    Raises
    ------
    SpecError
        On reading (not on making), listing the mistakes of parameters and file.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "desk.csv")
    ...     _ = path.write_text("text,queue\\nno card yet,cards\\nrate?,money\\n")
    ...     task, key = Table(str(path), inputs="text", answer="queue", options="answers").pairs()[1]
    >>> task.inputs, task.options, key.answers
    ({'text': 'rate?'}, ('cards', 'money'), ('money',))
    """

    def __init__(
        self, data: str, *, inputs: str | tuple[str, ...], answer: str, separator: str = "",
        options: str | tuple[str, ...] = (), user: str = "", session: str = "", time: str = "", id: str = "",
        instruction: str = "", number: bool = False, scorers: tuple[str, ...] = (), tasks: int = 0, draw: int = 0,
        delay: int = 0, encoding: str = "utf-8",
    ) -> None:
        self.data = data
        self.inputs = inputs
        self.answer = answer
        self.separator = separator
        self.options = options
        self.user = user
        self.session = session
        self.time = time
        self.id = id
        self.instruction = instruction
        self.number = number
        self.scorers = scorers or (("numeric",) if number else ("exact",))
        self.tasks = tasks
        self.draw = draw
        self.delay = delay
        self.encoding = encoding

    @cached_property
    def step(self) -> Step:  # type: ignore[override]
        """The decision: given the inputs, produce the answer."""
        output = _field(self.answer)
        verb = "Choose" if self.options else "Give"
        said = self.instruction or f"{verb} the {output.replace('_', ' ')}{' as a number' * self.number}."
        return Step("decide", said, tuple(map(_field, self._inputs)), output, "number" if self.number else "text")

    @property
    def label(self) -> str:
        """The file's name without its ending; ``"table"`` for a data frame."""
        stem = Path(self.data).stem
        return "table" if _KEPT.fullmatch(stem) else stem

    def load(self) -> Sequence[Pair]:
        """The stream's rows in the reference order."""
        return self._parts[0]

    def pool(self) -> Sequence[Pair]:
        """The rows that ``tasks`` left over, in the reference order."""
        return self._parts[1]

    @property
    def _inputs(self) -> tuple[str, ...]:
        return (self.inputs,) if isinstance(self.inputs, str) else tuple(self.inputs)

    @cached_property
    def _parts(self) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
        pairs = self._read()
        if self.time:
            pairs.sort(key=lambda pair: pair[0].time)
        if not self.tasks:
            return tuple(pairs), ()
        groups = sessions(pairs)
        order = np.random.default_rng(self.draw).permutation(len(groups))
        taken = set(list(chain.from_iterable(groups[place] for place in order))[: self.tasks])
        return (tuple(pair for place, pair in enumerate(pairs) if place in taken),
                tuple(pair for place, pair in enumerate(pairs) if place not in taken))

    def _read(self) -> list[Pair]:
        sheet = read_sheet(self.data, self.encoding)
        self._check_parameters(sheet)
        self._check_columns(sheet)
        found = [self._pair(sheet, place, row, str(n)) for n, (place, row) in enumerate(sheet.rows, start=1)]
        if self.tasks > len(found) and not sheet.notes:
            sheet.note(0, "", f"tasks={self.tasks} are asked for but the file has {len(found)}; tasks=0 takes all")
        if self.options != "answers":
            sheet.check()
            return found
        every = tuple(sorted({answer for _, key in found for answer in key.answers}))
        if len(every) < 2 and not sheet.notes:
            sheet.note(0, self.answer, f"a choice needs at least two options but the only answer is {names(every)!r}")
        sheet.check()
        return [(replace(task, options=every), key) for task, key in found]

    def _check_parameters(self, sheet: Sheet) -> None:
        def note(text: str) -> None:
            sheet.note(0, "", text)

        for name in ("tasks", "draw", "delay"):
            if getattr(self, name) < 0:
                note(f"{name} must be at least 0 but is {getattr(self, name)}")
        if not self._inputs:
            note("inputs must name at least one column but is empty")
        others = [*self._inputs, self.user, self.session, self.time, self.id]
        if self.answer in others:
            note(f"the agent must not see the answer column {self.answer!r}: take it out of the others")
        fields = [_field(column) for column in dict.fromkeys([*self._inputs, self.answer])]
        for twice in sorted({name for name in fields if fields.count(name) > 1}):
            note(f"two columns would both be the field {twice!r} in prompts; rename one")
        if len(set(self._inputs)) < len(self._inputs):
            note(f"inputs must differ but are {names(self._inputs)}")
        if self.options and not isinstance(self.options, str):
            _check_options(sheet, 0, "", self.options)

    def _check_columns(self, sheet: Sheet) -> None:
        """Every column wanted is there, and so are rows; without them nothing more can be said."""
        choice = self.options if isinstance(self.options, str) and self.options != "answers" else ""
        wanted = [*self._inputs, self.answer, self.user, self.session, self.time, self.id, choice]
        for column in dict.fromkeys(filter(None, wanted)):
            if sheet.columns and column not in sheet.columns:
                sheet.note(0, "", f"there is no column {column!r}; {nearest(column, sheet.columns):.300}"
                           + _other_delimiter(sheet.columns))
                sheet.rows.clear()
        if not sheet.rows and not sheet.notes:
            sheet.note(0, "", "there are no rows; a stream needs at least one task"
                       + " below the header" * (sheet.columns != ()))
        if not sheet.rows:
            sheet.check()

    def _pair(self, sheet: Sheet, place: int, row: Mapping[str, object], number: str) -> Pair:
        answers = self._answers(sheet, place, row)
        known = len(sheet.notes)
        inputs = {_field(column): sheet.text(place, row, column) for column in self._inputs}
        if known == len(sheet.notes) and not any(text.strip() for text in inputs.values()):
            sheet.note(place, names(self._inputs), "the input is empty; fill it or leave the row out")
        options = self._row_options(sheet, place, row)
        for answer in answers:
            if options and answer not in options:
                sheet.note(place, self.answer, f"the answer {answer!r} is not among the options: {names(options)}")
        user, session = (sheet.text(place, row, column) for column in (self.user, self.session))
        moment = self._moment(sheet, place, row)
        name = self._id(sheet, place, row) if self.id else number
        return Task(name, inputs, options, user, session, moment), Key(answers, self.delay)

    def _id(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> str:
        found = sheet.text(place, row, self.id)
        first = sheet.seen.setdefault(("id", found), place)
        if not found.strip():
            sheet.note(place, self.id, "the id is empty; every row needs its own")
        elif first != place:
            sheet.note(place, self.id, f"ids must differ but {found!r:.60} is also that of {sheet.unit} {first}")
        return found

    def _moment(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> float:
        if not self.time:
            return 0.0
        text = sheet.text(place, row, self.time)
        sort, value = _moment(text)
        if not sort:
            sheet.note(place, self.time, f"a time must be a number or an ISO date but is {text!r:.60}")
            return value
        other = "date" if sort == "number" else "number"
        first = sheet.seen.get(("time", other), place)
        if first < sheet.seen.setdefault(("time", sort), place):
            sheet.note(place, self.time, f"{text!r:.60} is a {sort} but {sheet.unit} {first} has a {other}: use one")
        return value

    def _answers(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> tuple[str, ...]:
        known = len(sheet.notes)
        answers = tuple(filter(str.strip, sheet.texts(place, row, self.answer, self.separator)))
        if not answers and known == len(sheet.notes):
            sheet.note(place, self.answer, "the answer is empty; fill it or leave the row out")
        for answer in answers if self.number else ():
            value = number_in(answer)
            if value is None or not _PLAIN_NUMBER.fullmatch(answer):
                way = f"write {value:f}" if value is not None else "write digits and a decimal point only"
                sheet.note(place, self.answer, f"{answer!r:.60} is not a plain number; {way}")
        return answers

    def _row_options(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> tuple[str, ...]:
        if not isinstance(self.options, str):
            return tuple(self.options)
        if self.options in ("", "answers"):
            return ()
        known = len(sheet.notes)
        found = sheet.texts(place, row, self.options, "|")
        if known == len(sheet.notes):
            _check_options(sheet, place, self.options, found)
        return found


def _check_options(sheet: Sheet, place: int, column: str, options: Sequence[str]) -> None:
    shown = names([repr(option) for option in options])
    if len(options) < 2:
        sheet.note(place, column, f"a choice needs at least two options but has {shown or 'none'}")
    if len(set(options)) < len(options) or not all(isinstance(option, str) and option.strip() for option in options):
        sheet.note(place, column, f"options must be texts that differ and hold something but are {shown}")


def _other_delimiter(columns: Sequence[str]) -> str:
    other = next((mark for mark in (";", "\t", ",", "|") if len(columns) == 1 and mark in columns[0]), "")
    return f"; the cells seem to be parted by {other!r}: .csv wants commas and .tsv tabs" if other else ""


def _field(column: str) -> str:
    """A column's name as the name of a field."""
    name = re.sub(r"\W+", "_", column).strip("_")
    return name if name.isidentifier() else f"field_{name}"


def _moment(text: str) -> tuple[str, float]:
    """What sort of time a text is, and its value; ("", 0) for none."""
    if _PLAIN_NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return "number", float(text)
    try:
        date = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return "", 0.0
    return "date", (date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp()


class Columns(TypedDict, total=False):
    """The parameters of `Table` that `table` passes on."""

    separator: str
    options: str | tuple[str, ...]
    user: str
    session: str
    time: str
    id: str
    instruction: str
    number: bool
    scorers: tuple[str, ...]
    tasks: int
    draw: int
    delay: int
    encoding: str


def table(source: object, *, inputs: str | tuple[str, ...], answer: str, **rest: Unpack[Columns]) -> Table:
    """A `Table` from a path or from a frame in memory.

    A frame's content is written as JSONL into a cache, ``frames/<sha256 of the content>.jsonl`` below the folder in the
    environment variable ``TOOLKIT_CACHE`` (else ``adaptive-agents-toolkit`` in ``XDG_CACHE_HOME`` or ``~/.cache``), and
    the table returned names that file: so ``config()`` still round-trips, on this machine, as long as the cache stands.
    An index is not kept.

    Parameters
    ----------
    source
        A path, a pandas or Polars frame, whatever else offers itself to Arrow, or a sequence of dictionaries.
    inputs, answer, rest
        See `Table`.

    Raises
    ------
    TypeError
        If ``source`` is none of these.

    Examples
    --------
    >>> table("desk.csv", inputs="text", answer="queue", delay=3).data
    'desk.csv'
    """
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else _kept(_records(source))
    return Table(str(path), inputs=inputs, answer=answer, **rest)


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
    raise TypeError("a table needs a path, a pandas, Polars or Arrow frame, or a list of dictionaries but got "
                    f"{type(source).__name__} {source!r:.80}")


def _kept(rows: Iterable[Mapping[str, object]]) -> Path:
    """The file of the cache that holds these rows, written if it is not there."""
    lines = [json.dumps({name: _json(value) for name, value in row.items()}) for row in rows]
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
