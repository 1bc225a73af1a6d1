"""Memories as a file: one a line, for other programs, other agents, and people who look."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.errors import SpecError, nearest
from toolkit.records import Memory

_FIELDS = {one.name: one for one in fields(Memory)}
_MAY_LACK = ("until", "feedback")
_SHOWN = 10  # mistakes in one message


def export_memories(path: str | Path, memories: Iterable[Memory]) -> int:
    """Write memories as JSON lines, in order, every field; the file is there as a whole or not at all.

    Parameters
    ----------
    path
        The file; what it held is replaced.
    memories
        E.g. a policy's ``memories()``, or a `Store`.

    Returns
    -------
    int
        How many were written.

    Raises
    ------
    ValueError
        If a number is not finite, which JSON cannot hold.
    """
    target, count = Path(path), 0
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="ascii", newline="\n") as file:
            for one in memories:
                file.write(_line(one) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return count


def read_memories(path: str | Path) -> tuple[Memory, ...]:
    """The memories of a file that `export_memories` wrote, or of one written by hand.

    Parameters
    ----------
    path
        A file of JSON lines, one memory each: an object of which only ``id`` and ``text`` need be given.

    Raises
    ------
    SpecError
        If the file cannot be read; or with every damaged line (the first ten): its number, what it must be, what it is.
    """
    known: dict[str, int] = {}
    found, mistakes = list[Memory](), list[str]()
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise SpecError([f"{path}: cannot be read: {error.strerror}"]) from error
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            one = _memory(json.loads(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:  # both of a line that is no JSON and of one that is no memory
            mistakes.append(f"{where}: must be one memory as a JSON object: {error}; mend the line or take it out")
            continue
        if one.id in known:
            told = f"{where}: ids must differ but {one.id!r} stands in line {known[one.id]} too"
            mistakes.append(f"{told}; take one of them out")
        known.setdefault(one.id, number)
        found.append(one)
    if mistakes:
        more = [f"{path}: and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
        raise SpecError([*mistakes[:_SHOWN], *more])
    return tuple(found)


def _line(one: Memory) -> str:
    try:
        return json.dumps(asdict(one) | {"fields": dict(one.fields)}, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"memory {one.id!r}: numbers must be finite to be exported: {error}") from error


def _memory(table: object) -> Memory:
    """The memory that a line holds.

    Raises
    ------
    ValueError
        With the first mistake.
    """
    if not isinstance(table, dict):
        raise ValueError(f"it is {type(table).__name__}")
    for name in table:
        if name not in _FIELDS:
            raise ValueError(f"a memory has no field {name!r}; {nearest(str(name), _FIELDS)}")
    for name, one in _FIELDS.items():
        needed = one.default is MISSING and one.default_factory is MISSING
        if needed and name not in table:
            raise ValueError(f"it needs a value for {name!r}")
    values: dict[str, Any] = {name: _value(name, value) for name, value in table.items()}
    return Memory(**values)


def _value(name: str, value: object) -> object:
    """A field's value, of the field's type."""
    if value is None and name in _MAY_LACK:
        return None
    fits, made, told = _KINDS.get(name, _TEXT)
    if not fits(value):
        raise ValueError(f"{name} must {told} but is {value!r:.80}")
    return made(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _names_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


_Kind: TypeAlias = tuple[Callable[[object], bool], Callable[[Any], object], str]
_TEXT: _Kind = (_is_text, str, "be a text")
_KINDS: dict[str, _Kind] = {
    **dict.fromkeys(("sources", "links"), (_are_texts, tuple, "be a list of texts")),
    **dict.fromkeys(("time", "importance", "until"), (_is_number, lambda one: one, "be a finite number")),
    "fields": (_names_texts, dict, "map names to texts"),
    "known": (lambda one: isinstance(one, bool), bool, "be true or false"),
}
