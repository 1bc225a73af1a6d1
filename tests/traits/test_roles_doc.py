"""docs/roles.md: its code runs, its file is a role, and its tables name every part and every rule."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest

from toolkit.component import is_shipped, registered
from toolkit.traits import rules as rules_module
from toolkit.traits.role import PARTS
from toolkit.traits.role_files import role, wordings

TEXT = pages.text_of("roles")


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = pages.run("roles", monkeypatch)
    for made in (names["clerk"], names["polite"], names["guide"]):
        made.check()
    assert names["guide"].instructions == "Suggest one place at a time, in Rome."
    assert names["again"].prompt() == names["text"] == names["clerk"].prompt()
    kinds = {re.sub(r"\d$", "1", arm.name) for arm in names["arms"]}
    assert set(re.findall(r"^\| `(clerk-(?!w)[a-z-]+1?|static)`", TEXT, re.MULTILINE)) <= kinds
    rest = {name for name in kinds if not name.startswith("clerk-no-")} - {"clerk"}
    assert rest <= set(re.findall(r"`(clerk[a-z1-]*|static)`", TEXT))


def test_the_file_of_the_page_is_a_role_with_a_wording(tmp_path: Path) -> None:
    file = tmp_path / "clerk.toml"
    [held] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    file.write_text(held, encoding="utf-8")
    assert len(role(str(file)).checked) == len(wordings(str(file))[0].checked) == 1


def test_the_tables_name_every_part_and_every_rule() -> None:
    rows = set(re.findall(r"^\| `(\w+)", TEXT, re.MULTILINE))
    shipped = {name for name, cls in registered("rule").items() if is_shipped(cls)}
    rules = {name for name in shipped if hasattr(rules_module, name)}  # not a docstring's
    assert set(PARTS) | rules <= rows
