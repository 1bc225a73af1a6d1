"""Tables: a user's own CSV, TSV, JSONL or Parquet file, or a data frame, as a stream.

Values stay the text that the file holds (``007``, ``1.0`` and ``NA`` are what they look like). A file with mistakes is
refused with all of them at once, each with its place: ``data.csv line 7, column 'label': ...``.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np

from toolkit.errors import names, nearest
from toolkit.records import Key, Step, Task
from toolkit.streams.scoring import number_in
from toolkit.streams.sheet import Sheet, is_kept, keep, read_sheet
from toolkit.streams.stream import Pair, Stream, sessions

_PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


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
    hard
        Column of numbers that say how hard a row is, a higher one harder, for orders that go by it; None = none. No
        agent sees it.

    Raises
    ------
    SpecError
        On reading (not on making), listing the mistakes of parameters and file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "desk.csv")
    ...     _ = path.write_text("text,queue\\nno card yet,cards\\nrate?,money\\n")
    ...     task, key = Table(str(path), inputs="text", answer="queue", options="answers").pairs()[1]
    >>> task.inputs, task.options, key.answers
    ({'text': 'rate?'}, ('cards', 'money'), ('money',))
    """

    def __init__(
        self,
        data: str,
        *,
        inputs: str | tuple[str, ...],
        answer: str,
        separator: str = "",
        options: str | tuple[str, ...] = (),
        user: str = "",
        session: str = "",
        time: str = "",
        id: str = "",
        instruction: str = "",
        number: bool = False,
        scorers: tuple[str, ...] = (),
        tasks: int = 0,
        draw: int = 0,
        delay: int = 0,
        encoding: str = "utf-8",
        hard: str | None = None,  # left out of the settings where there is none
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
        self.hard = hard

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
        path = Path(self.data)
        return "table" if is_kept(path) else path.stem

    def files(self) -> tuple[Path, ...]:
        """The one file."""
        return (Path(self.data),)

    def load(self) -> Sequence[Pair]:
        """The stream's rows in the reference order."""
        return self._parts[0]

    def pool(self) -> Sequence[Pair]:
        """The rows that ``tasks`` left over, in the reference order."""
        return self._parts[1]

    def difficulty(self) -> Sequence[float]:
        """The numbers of the column ``hard``."""
        return tuple(self._hard[task.id] for task, _ in self.pairs()) if self.hard else ()

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
        return (
            tuple(pair for place, pair in enumerate(pairs) if place in taken),
            tuple(pair for place, pair in enumerate(pairs) if place not in taken),
        )

    def _read(self) -> list[Pair]:
        sheet = read_sheet(self.data, self.encoding)
        self._check_parameters(sheet)
        self._check_columns(sheet)
        self._hard: dict[str, float] = {}
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
        wanted = [*self._inputs, self.answer, self.user, self.session, self.time, self.id, choice, self.hard or ""]
        for column in dict.fromkeys(filter(None, wanted)):
            if sheet.columns and column not in sheet.columns:
                sheet.note(
                    0,
                    "",
                    f"there is no column {column!r}; {nearest(column, sheet.columns):.300}"
                    + _other_delimiter(sheet.columns),
                )
                sheet.rows.clear()
        if not sheet.rows and not sheet.notes:
            sheet.note(
                0,
                "",
                "there are no rows; a stream needs at least one task" + " below the header" * (sheet.columns != ()),
            )
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
        self._hard[name] = self._hardness(sheet, place, row)
        return Task(name, inputs, options, user, session, moment), Key(answers, self.delay)

    def _id(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> str:
        found = sheet.text(place, row, self.id)
        first = sheet.seen.setdefault(("id", found), place)
        if not found.strip():
            sheet.note(place, self.id, "the id is empty; every row needs its own")
        elif first != place:
            sheet.note(place, self.id, f"ids must differ but {found!r:.60} is also that of {sheet.unit} {first}")
        return found

    def _hardness(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> float:
        if not self.hard:
            return 0.0
        text = sheet.text(place, row, self.hard)
        if not _PLAIN_NUMBER.fullmatch(text):
            sheet.note(place, self.hard, f"how hard a row is must be a plain number but is {text!r:.60}")
            return 0.0
        return float(text)

    def _moment(self, sheet: Sheet, place: int, row: Mapping[str, object]) -> float:
        if not self.time:
            return 0.0
        text = sheet.text(place, row, self.time)
        sort, value = _moment(text)
        if not sort:
            sheet.note(place, self.time, f"a time must be a number or an ISO date (2026-03-02) but is {text!r:.60}")
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
    if not other:
        return ""
    frame = f"or give the frame pandas.read_csv(path, sep={other!r})"
    return f"; the cells seem to be parted by {other!r}: .csv wants commas and .tsv tabs, {frame}"


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
    hard: str | None


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
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else keep(source)
    return Table(str(path), inputs=inputs, answer=answer, **rest)
