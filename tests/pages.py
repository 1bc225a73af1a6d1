"""Pages of the documentation as programs: what they show runs."""

from __future__ import annotations

import re
import sys
import types
from typing import Any

import pytest
from errands import ROOT


def text_of(page: str) -> str:
    """A page of ``docs``."""
    return (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def run(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Carry out all Python of a page, in order; the names that it made."""
    module = types.ModuleType(f"{page}_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = vars(module)
    for block in re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL):
        exec(block, names)
    return names
