"""Paths within a study's file: relative to the file's own folder, so that a study runs from anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.component import Config

_KEYS = ("path", "data")  # of a stream or a model
_GGUF = "gguf:"


def anchored(table: Config, folder: Path) -> Config:
    """A study's tables as read from a file in ``folder``: paths as they are to be opened from here.

    Examples
    --------
    >>> anchored({"stream": {"use": "Table", "data": "x.csv"}}, Path("studies"))["stream"]["data"]
    'studies/x.csv'
    """

    def from_there(path: str) -> str:
        given = Path(path).expanduser()
        return str(given if given.is_absolute() else folder / given)

    return _with_paths(table, from_there)


def relative(table: Config, folder: Path) -> Config:
    """The same tables as they are to be written into a file in ``folder``; absolute paths stay as they are.

    Examples
    --------
    >>> relative({"stream": {"use": "Table", "data": "studies/x.csv"}}, Path("studies"))["stream"]["data"]
    'x.csv'
    """

    def to_there(path: str) -> str:
        given = Path(path).expanduser()
        return str(given) if given.is_absolute() else os.path.relpath(given.resolve(), folder.resolve())

    return _with_paths(table, to_there)


def code_of(name: str, folder: Path) -> Path:
    """Where a study's own code is: at the path it names, else the copy that the study keeps."""
    given, kept = Path(name), folder / "code" / Path(name).name
    return given if given.exists() or not kept.exists() else kept


def moved(table: Config, change: Callable[[str], str]) -> Config:
    """The same tables with every path put through ``change``.

    Examples
    --------
    >>> moved({"stream": {"use": "Table", "data": "/home/me/x.csv"}}, lambda path: Path(path).name)["stream"]["data"]
    'x.csv'
    """
    return _with_paths(table, change)


def leading_out(table: object) -> Iterator[str]:
    """Paths of data, at any depth of a stream's table, that lead out of the folder of the study's file.

    Examples
    --------
    >>> list(leading_out({"use": "Table", "data": "data/x.csv", "of": {"path": "../y"}}))
    ['../y']
    """
    if isinstance(table, list):
        for one in table:
            yield from leading_out(one)
    elif isinstance(table, dict):
        for key, value in table.items():
            if key in _KEYS and isinstance(value, str):
                path = PurePosixPath(value)
                if path.is_absolute() or ".." in path.parts or value.startswith("~"):
                    yield value
            yield from leading_out(value)


def _with_paths(table: Config, change: Callable[[str], str]) -> Config:
    """A copy in which the paths of stream, models and code are changed; what is of a wrong type is left to checks."""
    found = dict(table)
    if "stream" in found:
        found["stream"] = _part(found["stream"], change)
    if isinstance(several := found.get("streams"), list):
        found["streams"] = [_part(one, change) for one in several]
    if isinstance(head := found.get("study"), dict):
        head = found["study"] = dict(head)
        if "lm" in head:
            head["lm"] = _part(head["lm"], change)
        if "second_pass" in head:
            head["second_pass"] = _part(head["second_pass"], change)
        if isinstance(scorers := head.get("scorers"), list):
            head["scorers"] = [one | {"lm": _part(one["lm"], change)} if _has_model(one) else one for one in scorers]
        if isinstance(code := head.get("code"), list):
            head["code"] = [change(name) if isinstance(name, str) else name for name in code]
    if isinstance(arms := found.get("arms"), list):
        found["arms"] = [arm | {"lm": _part(arm["lm"], change)} if _has_model(arm) else arm for arm in arms]
    return found


def _part(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str) and value.startswith(_GGUF):
        return _GGUF + change(value.removeprefix(_GGUF))
    if not isinstance(value, dict):
        return value
    return {key: change(one) if key in _KEYS and isinstance(one, str) else one for key, one in value.items()}


def _has_model(table: object) -> bool:
    return isinstance(table, dict) and "lm" in table
