"""What models and data say is text in every view, in a real browser: no script runs, no image loads, nothing turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
from cells import cell, opened, run
from playwright.sync_api import expect
from wicked import CELL

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab, Watched

EVIL = (
    '<script>window.evil = 1</script><img src="/x.png" onerror="window.evil = 2">\x1b[31mred\x1b[0m\u202egnp.exe'
    "<svg onload='window.evil = 3'>$x^2$ [a](javascript:alert(1))"
)
SET_UP = f"where = {{}}{CELL}%load_ext toolkit\n"
VIEWS = (
    "study.live()",
    "study.compare()",
    "tk.CompareView(study).place(3)",
    "tk.CompareView(study).place(3).answer('m')",
    "tk.CompareView(study).place(3).answer('m').remember('')",
    "tk.AnswerView(study, 'm')",
    "tk.MemoryInspector(study)",
    "tk.AnnotationQueue(study, 4, choices=('good', 'bad'), rubric=EVIL, rater='ann')",
    "chat = study.agent('m').chat(against='static')\nchat.send(EVIL)\nchat",
    "tk.RoleForm(role)",
    "form = tk.MemoryForm(tk.Retrieval(k=2), stream=WickedNotes())\nform.tried.asked.value = EVIL\n"
    "form.tried.ask()\nform",
    "tk.StudyForm(study)",
    "study.mlflow()",
    "%%ledger\nSELECT task, answer, prompt FROM episodes JOIN calls USING (run, t) LIMIT 3",
)
MARKUP = """() => [...document.querySelectorAll('.jp-OutputArea-output')].flatMap(one =>
  [...one.querySelectorAll('img[src="/x.png"], svg[onload], a[href^="javascript"]')].map(node => node.outerHTML)
  .concat([...one.querySelectorAll('script')].map(node => node.outerHTML).filter(told => told.includes('evil'))))"""
RAW = r"""() => [...document.querySelectorAll('.jp-OutputArea-output')]
  .filter(one => /[\u202e\u001b]/.test(one.innerText)).map(one => one.innerText.slice(0, 300))"""


def written(folder: Path, cells: tuple[str, ...]) -> str:
    """A notebook of these cells; its name."""
    (folder / "evil.json").write_text(json.dumps(EVIL), encoding="utf-8")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    nbformat.write(book, folder / "hostile.ipynb")
    return "hostile.ipynb"


def test_text_of_models_and_data_is_text_in_every_view(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(written(lab.folder, (SET_UP, *VIEWS))))
    run(page, 0)
    for place, code in enumerate(VIEWS, start=1):
        run(page, place)
        shown = cell(page, place).locator(".jp-OutputArea-output").last
        expect(shown).to_be_visible()
        expect(cell(page, place)).not_to_contain_text("Traceback (most recent call last)")
        assert page.evaluate(MARKUP) == [], code
        assert page.evaluate(RAW) == [], code
    watched.shoot("hostile")
    assert page.evaluate("window.evil") is None
    assert "<script>" in page.evaluate("document.body.innerText")


def test_so_it_is_in_the_report(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(written(lab.folder, (SET_UP, "print(study.report())"))))
    run(page, 0)
    run(page, 1)
    file = cell(page, 1).locator(".jp-OutputArea-output").inner_text().strip()
    assert file.endswith("report.html")
    page.goto(f"file://{file}")
    expect(page.locator("body")).to_contain_text("<script>")
    assert page.evaluate("window.evil") is None
    assert page.locator('img[src="/x.png"], svg[onload]').count() == 0
