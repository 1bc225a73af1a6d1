"""What pages show runs: their Python, their settings, their commands.

A page is run from top to bottom in a folder of its own, a scripted model in the place of a real one. What a page takes for
granted stands in `GIVEN`. A block that cannot be run here has a comment before it that says why, ``<!-- not run: ... -->``.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from errands import ROOT
from granted import GIVEN, INSTEAD, RECORDED

import toolkit as tk

OWN = {
    "docs/finetuning.md": "lm/test_tuned_engine.py",
    "docs/goals.md": "traits/test_goals_doc.py",
    "docs/judging.md": "evaluation/test_judging_doc.py",
    "docs/learners.md": "traits/test_learners_doc.py",
    "docs/models.md": "lm/test_models_doc.py",
    "docs/role-library.md": "traits/test_role_library.py",
    "docs/roles-measured.md": "analysis/test_roles_measured_doc.py",
    "docs/roles.md": "traits/test_roles_doc.py",
    "docs/worlds.md": "streams/test_worlds_doc.py",
}
"""Pages whose Python is run by a test of their own."""

class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    why_not: str


FENCE = re.compile(r"(?:^<!-- not run: (?P<why>.+?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.S | re.M)


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        inside = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(text[: found.start()].count("\n") + 1, found["language"], inside, found["why"] or "")


def python(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python"]


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/**/*.md")]
)
RUN = [page for page in PAGES if page not in OWN and any(not block.why_not for block in python(page))]


def play_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scripted model answer wherever a real one would be asked."""
    for kind in (tk.Embedded, tk.Hosted):
        monkeypatch.setattr(kind, "engine", lambda _, stream: tk.Scripted().engine(stream))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recorded") / "ledger"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOOLKIT_LEDGER", str(root))
        play_models(patched)
        exec(RECORDED, {})
    return root


def carried_out(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the Python of a page in the working folder, in order."""
    module = types.ModuleType(re.sub(r"\W", "_", page))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = vars(module)
    for number, block in enumerate(python(page)):
        exec(GIVEN.get(page, {}).get(number, ""), names)
        text = "" if block.why_not else block.text
        for said, meant in INSTEAD.items():
            text = text.replace(said, meant)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n" * block.line + text, page, "exec"), names)
    for made in names.values():
        if isinstance(made, tk.Study) and made.running:
            made.stop()
            made.wait()


@pytest.mark.parametrize("page", RUN)
def test_the_python_of_a_page_runs(
    page: str, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(recorded, tmp_path / "ledger")
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    play_models(monkeypatch)
    carried_out(page, monkeypatch)
