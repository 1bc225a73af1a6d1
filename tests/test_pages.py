"""What pages show runs: their Python, their settings, their commands.

A page is run from top to bottom in a folder of its own; what it shows was printed. A page that takes something
for granted stands in `granted.GIVEN`, and has a scripted model in the place of every other. A block that cannot be run
has a comment before it: ``<!-- not run: WHY -->``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import shutil
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tomli_w
from errands import ROOT
from granted import GIVEN, INSTEAD, OWN, RECORDED

import toolkit as tk
from toolkit.arguments import parser as commands_of_toolkit
from toolkit.component import build

FENCE = re.compile(r"(?:^<!-- not run: (.*?) *-->\n)?^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
BASE: dict[str, Any] = {
    "study": {"name": "page", "lm": "scripted"},
    "stream": {"use": "Desk", "tasks": 6},
    "arms": [
        {"name": "static"},
        {"name": "memory", "memory": {"use": "Retrieval"}},
        {"name": "full-context", "memory": {"use": "FullContext"}},
        {"name": "full", "memory": {"use": "Retrieval"}, "learning": {"use": "DemoBuffer"}},
    ],
}
"""The study that a page shows a part of."""


class Block(NamedTuple):
    """A fenced block of a page; ``why_not`` = why it is not run, None where nothing is said."""

    line: int
    language: str
    text: str
    why_not: str | None


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [*_blocks((ROOT / page).read_text(encoding="utf-8"))]


def _blocks(text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        why_not, indent, language, inside = found.groups()
        yield Block(
            text[: found.start(4)].count("\n"),
            language,
            re.sub(f"^{indent}", "", inside, flags=re.MULTILINE),
            why_not,
        )


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "experiments/**/*.md")
    for path in ROOT.glob(pattern)
)
HELD = {page: blocks(page) for page in PAGES}
RUN = [page for page in PAGES if {block.language for block in HELD[page]} & {"python", "toml"}]


def play_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scripted model answer wherever a real one would be asked."""
    for kind in (tk.Embedded, tk.Hosted):
        monkeypatch.setattr(kind, "engine", lambda _, stream: tk.Scripted().engine(stream))


def carried_out(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the Python of a page in the working folder, in order; hold what it prints to what the page shows."""
    module = types.ModuleType(re.sub(r"\W", "_", page))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names, given = vars(module), iter(GIVEN.get(page, ()))
    for place, block in enumerate(HELD[page]):
        if block.language == "python":
            exec(next(given, ""), names)
            printed = _run(page, block, names)
            after = HELD[page][place + 1 : place + 2]
            if printed and after and not after[0].language and not re.match(r"make |toolkit |%", after[0].text):
                assert re.search(_pattern(after[0].text), " ".join(printed.split())), printed
    for made in names.values():
        if isinstance(made, tk.Study) and made.running:
            made.stop()
            made.wait()


def _pattern(shown: str) -> str:
    """What a page shows of what was printed, whatever the blanks; an ellipsis stands for anything."""
    return ".*".join(re.escape(part) for part in " ".join(shown.split()).split("…"))


def _run(page: str, block: Block, names: dict[str, Any]) -> str:
    """Run a block; what it printed."""
    text = "" if block.why_not else block.text
    for said, meant in INSTEAD.items() if page in GIVEN else ():
        text = text.replace(said, meant)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(compile("\n" * block.line + text, page, "exec"), names)
    return told.getvalue()


def understood(table: dict[str, Any], folder: Path) -> object:
    """What settings describe: a model, a role, or a study of which they are a part."""
    file = folder / "page.toml"
    if "use" in table:
        return build("lm", table, "page")
    if "study" not in table and {"objective", "rules"} & set(table):
        file.write_text(tomli_w.dumps(table), encoding="utf-8")
        return tk.role(str(file))
    own = table.get("arms", [])
    arms = [arm for arm in BASE["arms"] if arm["name"] not in {arm["name"] for arm in own}]
    whole = BASE | table | {"study": BASE["study"] | table.get("study", {}), "arms": arms + own}
    file.write_text(tomli_w.dumps(whole), encoding="utf-8")
    return tk.load(file)


def commands(text: str) -> Iterator[list[str]]:
    """The calls of ``toolkit`` in a text, each without what is said about it."""
    for told in re.findall(r"^(?:\$ |\w+=\S+ )*toolkit (.+)$", text, re.MULTILINE):
        yield shlex.split(re.split(r" {2,}|;", told)[0], comments=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recorded") / "ledger"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOOLKIT_LEDGER", str(root))
        play_models(patched)
        exec(RECORDED, {})
    return root


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs(page: str, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    if page in GIVEN:
        shutil.copytree(recorded, tmp_path / "ledger")
        play_models(monkeypatch)
    if page not in OWN:
        carried_out(page, monkeypatch)
    for block in HELD[page]:
        if block.language == "toml":
            assert understood(tomllib.loads(block.text), tmp_path)


@pytest.mark.parametrize("page", OWN)
def test_a_page_with_a_test_of_its_own_is_run_there(page: str) -> None:
    test = (ROOT / "tests" / OWN[page]).read_text(encoding="utf-8")
    assert re.search(rf"run\(\"{Path(page).stem}\"|\"{Path(page).name}\"\)", test)
    assert page in RUN


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    reasons = [(page, block.why_not) for page in PAGES for block in HELD[page] if block.why_not is not None]
    assert reasons == [("docs/cluster.md", "it needs a SLURM cluster")]
    assert [page for page in (*OWN, *GIVEN) if page not in RUN] == []


def unknown(call: list[str]) -> list[str]:
    """Commands and options in a call, or in a part of one, that ``toolkit`` does not have."""
    parser, found = commands_of_toolkit(), []
    for word in call:
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if word.startswith("-"):
            found += [] if word.partition("=")[0] in parser._option_string_actions else [word]
        elif inner and word in inner[0].choices:
            parser = inner[0].choices[word]
        elif inner:
            found.append(word)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_exist(page: str) -> None:
    for block in HELD[page]:
        for call in commands(block.text) if block.language in ("", "sh") else ():
            commands_of_toolkit().parse_args(call)
    text = (ROOT / page).read_text(encoding="utf-8")
    mentioned = [" ".join(told.split()) for told in re.findall(r"(?<!`)`(toolkit [^`]+)`(?!`)", text)]
    assert [call for told in mentioned for call in commands(told) if unknown(call)] == []


@pytest.mark.parametrize("page", PAGES)
def test_goals_of_make_and_extras_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)
    assert [goal for goal in wanted if f"\n{goal}:" not in makefile] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"adaptive-agents-toolkit\[(\w+)\]", text)) <= set(extras)
