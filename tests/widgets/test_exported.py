"""What notebooks show of things survives being converted to HTML, and no text of any origin becomes markup in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbconvert import HTMLExporter
from wicked import CELL

import toolkit as tk

EVIL = '<script>alert(1)</script><img src="x" onerror="alert(2)">\x1b[31mred\x1b[0m\u202egnp.exe'
CODE = (
    "where = {'ledger': '.'}" + CELL,
    "study",
    "arms[1]",
    "arms",
    "role",
    "tk.Retrieval(k=2)",
    "study.ledger",
    "study.compare()",
    "tk.attribution(study)",
    "study.plan()",
    "study.episode('m', 3)",
    "study.episode('m', 3).without()",
    "tk.CompareView(study)",
    "tk.CompareView(study).place(3)",
    "tk.CompareView(study).place(3).answer('m')",
    "tk.CompareView(study).place(3).answer('m').remember('')",
    "tk.AnswerView(study, 'm')",
    "tk.MemoryInspector(study)",
    "tk.RoleForm(role)",
    "tk.StudyForm(study)",
)


class Reader(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str, str]] = []
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in = str(dict(attrs).get("type")) if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._in:
            self.scripts.append((self._in, data))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    place = tmp_path_factory.mktemp("exported")
    (place / "evil.json").write_text(json.dumps(EVIL))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CODE])
    where = {"metadata": {"path": str(place)}}
    nbclient.NotebookClient(made, timeout=300, kernel_name="python3", resources=where).execute()
    return made


def test_everything_is_shown_and_nothing_of_it_is_markup(notebook: nbformat.NotebookNode) -> None:
    shown, _ = HTMLExporter(exclude_input=True).from_notebook_node(notebook)
    assert "alert(1)" in shown
    reader = Reader()
    reader.feed(shown)
    assert "img" not in {tag for tag, _ in reader.found}
    assert not [name for _, given in reader.found for name in given if name.startswith("on")]
    telling = [(kind, told) for kind, told in reader.scripts if "alert(" in told]
    assert {kind for kind, _ in telling} <= {"application/vnd.jupyter.widget-state+json"}
    assert all(json.loads(told) for _, told in telling)  # whole: no text in it has ended the script
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "ansi-red" not in shown.split("</style>")[-1]


def test_every_output_has_html_and_short_text(notebook: nbformat.NotebookNode) -> None:
    first, *cells = notebook.cells
    assert [one for one in first.outputs if one.output_type == "error"] == []
    for cell in cells:
        (output,) = [one for one in cell.outputs if one.output_type == "execute_result"]
        text = output.data["text/plain"]
        assert "\x1b" not in text, cell.source
        assert "\u202e" not in text, cell.source
        if cell.source in ("study", "arms[1]", "role", "tk.Retrieval(k=2)"):
            assert len(text) <= 400, cell.source
            assert "<table>" in output.data["text/html"], cell.source
        if "View" in cell.source or "Inspector" in cell.source:
            assert "toolkit-page" in output.data["text/html"], cell.source
        if "Form" in cell.source:
            assert text.startswith("import toolkit as tk"), cell.source
            assert "<pre" in output.data["text/html"], cell.source


def test_a_repr_says_what_was_given(tmp_path: Path) -> None:
    arm = tk.Arm("m", memory=tk.Retrieval(k=2), transcript=False)
    assert repr(arm) == "Arm('m', memory=Retrieval(k=2), transcript=False)"
    assert eval(repr(arm), vars(tk) | {name: getattr(tk, name) for name in ("Arm", "Retrieval")}) == arm
    assert repr(tk.Ledger(tmp_path)) == f"Ledger({str(tmp_path)!r})"
    assert "<th>k</th><td>2</td>" in arm.memory._repr_html_()
    assert "Retrieval(k=2)" in arm._repr_html_()
