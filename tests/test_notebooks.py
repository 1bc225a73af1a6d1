"""Notebooks run from top to bottom, are short, and are kept without outputs."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

import nbclient
import nbformat
import pytest
from errands import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
PARAMETERS = "{}\ntasks, seeds = {}\n"
SCRIPTED = {"04_goals": "import toolkit\nlm = toolkit.ScriptedActor()"}  # knows what to do in worlds
SIZES = {"03_learning": "60, 3", "04_goals": "4, 2", "05_roles": "4, 1"}  # versions need time to come and go
TOLD = {
    "03_learning": ("what the prompts carry anyway", "was better", "rejected", "60 answers behind it", "6 of 6"),
    "05_roles": ("a first request", "role - placebo", "clerk-handbook", "clerk breaks it on 0.", "tasks (median)"),
    "04_goals": ("no offer was made", "prompts per goal reached", "pays over polled", "patient ("),
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_it_is_short_and_kept_without_outputs(notebook: nbformat.NotebookNode) -> None:
    assert len(notebook.cells) < 25
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert "widgets" not in notebook.metadata


def test_it_runs_from_top_to_bottom(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["notebook"].stem
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    if not any(".tracking" in cell.source for cell in notebook.cells):
        monkeypatch.setenv("TOOLKIT_TRACKING", "off")
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    scripted = SCRIPTED.get(name, 'lm = "scripted"')  # in place of the real one
    cell.source = PARAMETERS.format(scripted, SIZES.get(name, "10, 2"))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=place).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    told = "\n".join(str(output.get("data", {}).get("text/plain", output.get("text", ""))) for output in outputs)
    assert "difference to static" in told
    assert "SCRIPTED MODEL" in told
    assert [words for words in TOLD.get(name, ()) if words not in told] == []
    assert (tmp_path / "ledger" / "studies").is_dir()
    assert [name for name in os.listdir(tmp_path) if name not in ("ledger",)] == []


def _letters(text: str) -> str:
    """What code consists of, without spaces: the page has its own."""
    return "".join(text.split())


@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "notebooks").glob("*.html")), ids=lambda path: path.stem)
def test_a_rendered_copy_is_of_its_notebook_and_stands_by_itself(file: Path) -> None:
    name, page = file.stem, file.read_text(encoding="utf-8")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    shown = _letters(unescape(re.sub(r"<[^>]+>", "", page)))
    stale = [cell.source for cell in notebook.cells if cell.cell_type == "code" and _letters(cell.source) not in shown]
    assert stale == [], f"run: python docs/render.py {name[:2]}"
    assert re.findall(r"<(?:script|link|iframe)\b[^>]*", page) == []
    assert [where for where in re.findall(r"""src=["']([^"']{0,60})""", page) if not where.startswith("data:")] == []
    assert [words for words in ("/tmp/", "/home/", "/root/", "Traceback") if words in page] == []


@pytest.mark.validate
def test_it_runs_on_the_embedded_model(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=3600, kernel_name="python3", resources=place).execute()
    studies = tmp_path / "ledger" / "studies"
    assert [study.name for study in studies.iterdir() if not (study / "plan.json").exists()] == []
