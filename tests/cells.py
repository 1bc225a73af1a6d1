"""Cells of a notebook in a real JupyterLab: opened, run, typed, as a person does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


READY = """() => {
  const context = window.jupyterapp?.shell?.currentWidget?.sessionContext
  return context?.isReady && context.session?.kernel?.status === "idle"
}"""  # not async: a promise counts as true


def opened(page: Page, address: str) -> None:
    """Open a notebook and wait for its kernel. What JupyterLab asks before it starts one again is answered with yes.

    A cell that is run before JupyterLab has a kernel makes it start a second one, or ask which one is wanted; then
    ipywidgets 8.1 shows no widget of that page: "Cannot read properties of null (reading 'kernel')".
    """
    asked = page.locator(".jp-Dialog").filter(has_text=re.compile("kernel", re.IGNORECASE))
    page.add_locator_handler(asked, lambda: asked.locator(".jp-mod-accept").click())
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_function(READY)


def cell(page: Page, place: int) -> Locator:
    """A cell by its place."""
    return page.locator(".jp-Notebook .jp-Cell").nth(place)


def prompt(page: Page, place: int) -> Locator:
    """What stands beside a cell: nothing, a star, or a number."""
    return cell(page, place).locator(".jp-InputPrompt")


def count(page: Page, place: int) -> int:
    """How many cells its kernel had run when this one was done."""
    return int(prompt(page, place).inner_text().strip("[]:"))


def run(page: Page, place: int) -> None:
    """Run a cell and wait until it is done. What a kernel was asked while it was being started may be lost: again."""
    for _ in range(5):
        start(page, place)
        expect(prompt(page, place)).not_to_have_text(re.compile(r"^\[\*\]:?$"))
        if re.fullmatch(r"\[\d+\]:?", prompt(page, place).inner_text()):
            return
    pytest.fail(f"cell {place} never comes to its end")


def start(page: Page, place: int) -> None:
    """Run a cell. JupyterLab may still be busy with its own start and not hear the keys: then again."""
    before = prompt(page, place).inner_text()
    for _ in range(10):
        cell(page, place).locator(".jp-InputArea").first.click()
        page.keyboard.press("Control+Enter")
        try:
            return expect(prompt(page, place)).not_to_have_text(before, timeout=10_000)
        except AssertionError:
            continue
    pytest.fail(f"cell {place} does not start")


def add(page: Page, below: int, code: str) -> int:
    """Type a new cell below another one; its place."""
    cell(page, below).locator(".jp-InputArea").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.type(code)
    expect(cell(page, below + 1).locator(".cm-content")).to_have_text(code)
    return below + 1


ROWS = "[...document.querySelectorAll('.toolkit-live tr[data-done]')]"
EPISODES = f"() => {ROWS}.reduce((sum, row) => sum + Number(row.dataset.done), 0)"
CURVES = "() => [...document.querySelectorAll('.toolkit-live polyline')].map(p => p.getAttribute('points')).join('|')"
BUSY = "while not __import__('os').path.exists('go'): __import__('threading').Event().wait(0.1)"
