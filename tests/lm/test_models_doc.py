"""The examples of the how-to are models that can be made, without a network or a key."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest
from errands import ROOT

import toolkit as tk
from toolkit.component import build
from toolkit.lm import hosted_engine
from toolkit.lm.hosted import Hosted

TEXT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|toml)\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = [
    ast.unparse(statement.value)
    for kind, block in BLOCKS
    if kind == "python"
    for statement in ast.parse(block).body
    if isinstance(statement, ast.Expr)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_opens(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LLAMA_KEY", "EXAMPLE_KEY"):
        monkeypatch.setenv(name, "sk-planted-0123456789")
    made = eval(example, {"tk": tk})
    made.check()
    assert isinstance(made.open(), hosted_engine.HostedEngine)


def test_the_table_is_a_model() -> None:
    [table] = [tomllib.loads(block) for kind, block in BLOCKS if kind == "toml"]
    assert isinstance(build("lm", table, "lm"), Hosted)
    assert len(EXAMPLES) == 7
