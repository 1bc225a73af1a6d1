"""docs/worlds.md: its code runs, and its table names every stream of worlds that is shipped."""

from __future__ import annotations

import re

import pages
import pytest

import toolkit as tk
from toolkit.component import is_shipped, registered

TEXT = pages.text_of("worlds")


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium", reason="Gymnasium (extra: worlds) is not installed")
    names = pages.run("worlds", monkeypatch)
    assert [(key.answers, key.oracle) for _, key in names["Doors"]().pairs()] == [(("pull",), 1.0)] * 3
    assert names["world"].reset(0).text.startswith("You hold")


def test_the_table_names_every_stream_of_worlds() -> None:
    shown = set(re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE))
    streams = [cls for cls in registered("stream").values() if issubclass(cls, tk.WorldStream) and is_shipped(cls)]
    assert shown == {cls.__name__ for cls in streams}
