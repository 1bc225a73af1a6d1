"""Notebook 00 from its first cell to its last, as a person works: set up, run, stop, restart, ask why, judge, talk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cells import BUSY, CURVES, EPISODES, add, cell, count, opened, prompt, run, start
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Lab, Watched
    from playwright.sync_api import Locator, Page

NOTEBOOK = "00_start_here.ipynb"
OBJECTIVE = "Sends each ticket to the one queue that handles it."
SIZE = "tasks, seeds = 8, 2"
ROLE, MEMORY, LIVE = 12, 13, 15  # cells, one typed in above them
TABLE, WHY, QUEUE, CHAT = 17, 19, 21, 23  # below the one that keeps the kernel busy
GONE = "Error: widget model not found"  # JupyterLab, of each widget of the kernel that is no more


def set_up(page: Page) -> None:
    """The first cells, and the two forms."""
    for place in (1, 2, 3, ROLE, MEMORY):
        run(page, place)


def restarted(page: Page) -> None:
    """The kernel is another one, and the page is loaded anew."""
    page.keyboard.press("Control+s")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    cell(page, 0).click()  # before that, what stands in the way is answered: see `opened`
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def finished(page: Page) -> None:
    """The study has come to its end."""
    expect(page.locator(".toolkit-live .state")).to_have_text("finished", timeout=600_000)


def test_the_whole_work_without_leaving_the_notebook(lab: Lab, watched: Watched) -> None:
    page = watched.page
    address = lab.address(NOTEBOOK)
    opened(page, address)
    assert add(page, 2, SIZE) == 3
    set_up(page)
    cell(page, ROLE).get_by_label("objective", exact=True).fill(OBJECTIVE)
    memory = cell(page, MEMORY)
    memory.get_by_label("memory", exact=True).select_option("SlidingWindow")
    expect(memory.get_by_label("search", exact=True)).to_have_count(0)  # a field of the policy that was there before
    memory.get_by_label("k", exact=True).fill("3")
    expect(memory).to_contain_text("k = 3, scope")
    expect(memory).to_contain_text("writes the block memory")
    memory.get_by_role("button", name="Try it").click()
    memory.get_by_label("text", exact=True).fill("The printer smells of smoke.")
    memory.get_by_role("button", name="Recall", exact=True).click()
    expect(memory).to_contain_text("3 recalled of")
    watched.shoot("00-memory")

    run(page, LIVE)
    page.wait_for_function(f"() => ({EPISODES})() >= 2")
    busy = add(page, LIVE, BUSY)
    start(page, busy)
    before, drawn = page.evaluate(EPISODES), page.evaluate(CURVES)
    page.wait_for_function(f"n => ({EPISODES})() >= n + 3", arg=before)
    assert page.evaluate(CURVES) != drawn
    page.locator(".toolkit-live button[data-command=stop]").click()
    expect(page.locator(".toolkit-live .state")).to_have_text("stopped")
    expect(prompt(page, busy)).to_have_text(re.compile(r"\*"))
    watched.shoot("00-stopped")
    stopped = page.evaluate(EPISODES)
    (lab.folder / "go").touch()
    expect(prompt(page, busy)).to_have_text(re.compile(r"\d"))
    ran = count(page, busy)

    restarted(page)
    opened(page, address)
    expect(cell(page, 3)).to_contain_text(SIZE)
    run(page, 1)
    assert count(page, 1) < ran  # another kernel, which has run less
    set_up(page)
    expect(cell(page, ROLE).get_by_label("objective", exact=True)).to_have_value(OBJECTIVE)
    expect(cell(page, ROLE)).to_contain_text("which the code does not say")
    expect(cell(page, MEMORY).get_by_label("k", exact=True)).to_have_value("3")
    run(page, LIVE)
    page.wait_for_function(f"n => ({EPISODES})() >= n", arg=stopped)
    finished(page)
    run(page, TABLE)
    expect(cell(page, TABLE)).to_contain_text("baseline")
    watched.shoot("00-finished")

    asked_why(watched, cell(page, WHY))
    rated(watched, cell(page, QUEUE))
    talked(watched, cell(page, CHAT))
    told = add(page, CHAT, "print(agent.arms[3].memory, agent.arms[3].role.objective, len(agent.episodes()))")
    run(page, told)
    expect(cell(page, told)).to_contain_text(f"SlidingWindow(k=3) {OBJECTIVE} 64")
    watched.errors = [told for told in watched.errors if not told.startswith(GONE)]


def asked_why(watched: Watched, view: Locator) -> None:
    """From a point of a curve to an episode, to a memory, to the answer without it."""
    page = watched.page
    run(page, WHY)
    expect(view.locator("svg").first).to_be_visible()
    watched.shoot("00-why-curves")
    view.locator("button.point").last.focus()
    page.keyboard.press("Enter")
    expect(view).to_contain_text("Tasks on which arms differ")
    watched.shoot("00-why-tasks")
    view.get_by_role("button", name=re.compile("^Open the answer of both")).first.click()
    expect(view).to_contain_text("What it recalled")
    watched.shoot("00-why-answer")
    view.get_by_role("button", name=re.compile("^Open memory .* of both")).first.click()
    expect(view).to_contain_text("Nobody has asked without")
    view.get_by_role("button", name=re.compile("^Ask again without")).click()
    expect(view).to_contain_text(re.compile("The answer (hung|did not hang) on it"))
    expect(view).to_contain_text("charged to judging")
    watched.shoot("00-why-without")


def rated(watched: Watched, view: Locator) -> None:
    """Five pairs, by keys."""
    page = watched.page
    run(page, QUEUE)
    view.get_by_label("your name").fill("Ann")
    page.keyboard.press("Enter")
    for place, key in enumerate("abtab", start=1):
        expect(view).to_contain_text(f"ann: {place} of 5")
        expect(view.locator(".annotation")).not_to_contain_text("static")
        if place == 1:
            watched.shoot("00-pairs")
            view.locator(".annotation").focus()
        page.keyboard.press(key)
    expect(view).to_contain_text("ann: all 5 done")


def talked(watched: Watched, view: Locator) -> None:
    """A ticket of one's own, answered twice."""
    run(watched.page, CHAT)
    view.get_by_label("ticket").fill("The printer in room 4 smells of smoke.")
    view.get_by_role("button", name="Send").click()
    expect(view).to_contain_text("static, with nothing behind it")
    watched.shoot("00-chat")
