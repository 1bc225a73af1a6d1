"""What every module keeps to, so that it can be read: short functions, short modules, docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "toolkit"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULE, FUNCTION = 400, 40  # lines at most; of a function without its head and its docstring
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    return tuple((one.relative_to(PACKAGE).as_posix(), ast.parse(one.read_text(encoding="utf-8"))) for one in FILES)


def length(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def told_elsewhere(function: Function) -> bool:
    """Of overloads, which the function below them tells of, and of what sets a property, which its getter does."""
    return any(
        ast.unparse(one) == "overload" or ast.unparse(one).endswith(".setter") for one in function.decorator_list
    )


def public(node: ast.Module | ast.ClassDef, within: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """What has a name without an underscore, and the same of classes that have one."""
    for one in node.body:
        if isinstance(one, Function | ast.ClassDef) and not one.name.startswith("_"):
            yield f"{within}{one.name}", one
            if isinstance(one, ast.ClassDef):
                yield from public(one, f"{within}{one.name}.")


def test_no_module_outgrows_a_reader() -> None:
    long = {path.name: path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert {file: lines for file, lines in long.items() if lines > MODULE} == {}


def test_no_function_outgrows_a_screen() -> None:
    functions = ((file, one) for file, tree in trees() for one in ast.walk(tree) if isinstance(one, Function))
    long = {f"toolkit/{file}:{one.lineno} {one.name}": length(one) for file, one in functions}
    assert {place: lines for place, lines in long.items() if lines > FUNCTION} == {}


def test_every_module_says_what_it_holds() -> None:
    assert [file for file, tree in trees() if not ast.get_docstring(tree)] == []


def test_everything_public_says_what_one_gets() -> None:
    found = ((file, name, one) for file, tree in trees() for name, one in public(tree, ""))
    bare = [
        f"toolkit/{file}:{one.lineno} {name}"
        for file, name, one in found
        if not (ast.get_docstring(one) or (isinstance(one, Function) and told_elsewhere(one)))
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [("def f():\n    '''Told.\n\n    More.\n    '''\n    a = 1\n\n    return a", 3), ("def f():\n    '''Told.'''", 0)],
)
def test_a_docstring_is_no_part_of_a_functions_length(code: str, lines: int) -> None:
    (function,) = ast.parse(code).body
    assert isinstance(function, Function)
    assert length(function) == lines
