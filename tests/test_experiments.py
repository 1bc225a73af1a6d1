"""What READMEs of experiments claim is what the tapes beside them hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TABLES = Path(__file__).parents[1] / "experiments" / "memory" / "tables.py"


def test_the_tables_of_the_memory_experiment_are_those_of_its_tapes() -> None:
    spec = importlib.util.spec_from_file_location("memory_tables", TABLES)
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = tables.README.read_text(encoding="utf-8")
    assert len(list(tables.tables(text))) == 8
    assert tables.filled(text) == text
    assert tables.filled(text.replace("0.407", "0.507")) == text, "a figure that nobody ran would be found"
