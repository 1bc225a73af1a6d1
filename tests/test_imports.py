"""Imports run downward only (law 12), and importing the toolkit stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "toolkit"

FLOORS = [
    ("errors", "display", "experimental", "stats"),
    ("records", "moves", "usage", "episode", "hints", "component", "randomness"),
    ("traits", "streams", "ledger"),
    ("lm", "agents", "analysis"),
    ("evaluation",),
    ("checks", "report", "figures"),
    ("widgets", "arguments", "doctor", "lab", "cli", "__main__", "__init__"),
]
SIDEWAYS = {
    ("component", "errors"),
    ("component", "hints"),
    ("episode", "records"),
    ("episode", "moves"),
    ("records", "moves"),
    ("records", "usage"),
    ("moves", "component"),
    ("agents", "lm"),  # agents use models; models know no agents
    ("report", "figures"),
    ("cli", "arguments"),
    ("cli", "doctor"),
    ("cli", "lab"),
    ("__main__", "cli"),
    ("__init__", "widgets"),  # %load_ext toolkit, when it is called
}
HEAVY = {
    "dspy": {"lm/", "agents/decision.py", "agents/tuning.py", "agents/wrapped_tuning.py"},
    "mlflow": {"ledger/tracking.py", "ledger/tags.py"},
    "river": {"traits/learning/detectors.py"},
}


@cache
def modules() -> tuple[tuple[str, frozenset[str], frozenset[str]], ...]:
    """Each file with all that it imports, and with what it imports when it runs."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = frozenset(imported(tree))
        found.append((path.relative_to(PACKAGE).as_posix(), names, names - type_only(tree)))
    return tuple(found)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield node.module


def floor(name: str) -> int:
    found = [level for level, names in enumerate(FLOORS) if name in names]
    assert found, f"{name!r} stands on no floor: add it to FLOORS and to the blueprint's table"
    return found[0]


def type_only(tree: ast.Module) -> set[str]:
    blocks = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {name for block in blocks for name in imported(ast.Module(block.body, []))}


def test_imports_run_downward() -> None:
    wrong = []
    for file, _, loaded in modules():
        own = file.split("/")[0].removesuffix(".py")
        for name in loaded:
            package, _, rest = name.partition(".")
            other = rest.split(".")[0]
            if package != "toolkit" or not other or other == own or (own, other) in SIDEWAYS:
                continue
            # Study.report(), Study.live() and LiveAgent.chat() open what stands above them when they are called.
            upward_on_call = (own == "evaluation" and other in ("report", "widgets")) or (
                file == "agents/live.py" and name == "toolkit.widgets.chat"
            )
            if floor(other) >= floor(own) and not upward_on_call:
                wrong.append(f"toolkit/{file} (floor {floor(own)}) imports {name} (floor {floor(other)})")
    assert wrong == []


def test_statistics_import_nothing_of_the_toolkit() -> None:
    for file, names, _ in modules():
        if file.startswith("stats/"):
            ours = [name for name in names if name.startswith("toolkit")]
            assert [name for name in ours if not name.startswith("toolkit.stats")] == [], file


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_have_one_home(package: str) -> None:
    for file, _, loaded in modules():
        if any(name.partition(".")[0] == package for name in loaded):
            assert any(file.startswith(home) for home in HEAVY[package]), f"toolkit/{file} imports {package}"


@pytest.mark.parametrize("statement", ["import toolkit", "import toolkit.cli", "from toolkit import Arm, Desk"])
def test_nothing_heavy_is_loaded_before_it_is_used(statement: str) -> None:
    heavy = {"dspy", "mlflow", "duckdb", "pandas", "matplotlib", "scipy", "river"}
    code = f"{statement}; import sys; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
