"""What READMEs of experiments claim is what the tapes beside them hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("experiment_tables", EXPERIMENTS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("experiment", "number", "figure"),
    [("memory", 8, "0.407"), ("learning", 6, "0.198"), ("goals", 4, "0.185"), ("roles", 10, "0.975")],
)
def test_the_tables_of_an_experiment_are_those_of_its_tapes(
    tables: ModuleType, experiment: str, number: int, figure: str
) -> None:
    folder = EXPERIMENTS / experiment
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert len(list(tables.tables(folder, text))) == number
    assert tables.filled(folder, text) == text
    assert tables.filled(folder, text.replace(figure, "0.999")) == text, "a figure that nobody ran would be found"
