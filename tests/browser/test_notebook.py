"""Notebook 01 as a person uses it: clicks and typing in a real JupyterLab, with the embedded model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cells import BUSY, CURVES, EPISODES, add, cell, opened, prompt, run, start
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Lab, Watched
    from playwright.sync_api import Locator

NOTEBOOK = "01_first_study.ipynb"
OBJECTIVE = "Sends each ticket to the one queue that handles it."


def test_set_up_run_watch_and_stop(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(NOTEBOOK))
    for place in (1, 2, 4, 5):
        run(page, place)

    role = cell(page, 4)
    role.get_by_label("library", exact=True).select_option("banking-triage")
    objective = role.get_by_label("objective", exact=True)
    expect(objective).to_have_value(re.compile("^Sorts what customers"))
    objective.fill(OBJECTIVE)
    expect(role.get_by_label("library", exact=True)).to_have_value("as written below")

    memory = cell(page, 5)
    memory.get_by_label("memory", exact=True).select_option("SlidingWindow")
    expect(memory.get_by_label("search", exact=True)).to_have_count(0)  # a field of the policy that was there before
    memory.get_by_label("k", exact=True).fill("none")
    expect(memory.get_by_role("alert").first).to_contain_text("must be a whole number but is 'none'")
    watched.shoot("forms-mistake")
    memory.get_by_label("k", exact=True).fill("3")
    expect(memory.get_by_role("alert")).to_have_count(0)

    run(page, 7)
    page.wait_for_function(f"() => ({EPISODES})() >= 3")

    # Another cell keeps the kernel busy: the curves go on, and the button still reaches the kernel.
    busy = add(page, 7, BUSY)
    start(page, busy)
    expect(prompt(page, busy)).to_have_text(re.compile(r"\*"))
    before, drawn = page.evaluate(EPISODES), page.evaluate(CURVES)
    page.wait_for_function(f"n => ({EPISODES})() >= n + 3", arg=before)
    assert page.evaluate(CURVES) != drawn
    watched.shoot("live-running")
    page.locator(".toolkit-live button[data-command=stop]").click()
    expect(page.locator(".toolkit-live .state")).to_have_text("stopped")
    expect(prompt(page, busy)).to_have_text(re.compile(r"\*"))  # that cell is still at work
    watched.shoot("live-stopped")
    stopped = page.evaluate(EPISODES)
    (lab.folder / "go").touch()
    expect(prompt(page, busy)).to_have_text(re.compile(r"\d"))

    # What was set by mouse is what ran, and all of it is kept.
    told = add(page, busy, "print(study.arms[2].memory, study.arms[2].role.objective, len(study.episodes()))")
    run(page, told)
    expect(cell(page, told)).to_contain_text(f"SlidingWindow(k=3) {OBJECTIVE} {stopped}")


def test_a_whole_study_is_set_up_and_run_in_one_form(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(NOTEBOOK))
    run(page, 2)
    shown = add(page, 2, "form = tk.StudyForm(); form")
    run(page, shown)
    form = cell(page, shown)

    form.get_by_label("lm", exact=True).first.select_option("Scripted")
    form.get_by_label("p_example", exact=True).fill("2")
    expect(form.get_by_role("alert").first).to_contain_text("must be a probability between 0 and 1 but is 2")
    expect(form.get_by_role("button", name="Run study")).to_be_disabled()
    form.get_by_label("p_example", exact=True).fill("0.9")
    expect(form.get_by_role("button", name="Run study")).to_be_enabled()
    form.get_by_label("seeds", exact=True).fill("2")
    form.get_by_text("memory · memory: Retrieval").click()
    watched.shoot("study-form")
    form.get_by_role("button", name="Run study").click()
    expect(form.locator(".toolkit-live .state")).to_have_text("finished")
    expect(form.locator(".toolkit-live tr[data-done]")).to_have_count(2)
    form.locator(".toolkit-live").scroll_into_view_if_needed()
    watched.shoot("study-finished")
    told = add(page, shown, "print(form.study.lm.p_example, form.study.arms[1].memory, len(form.study.episodes()))")
    run(page, told)
    expect(cell(page, told)).to_contain_text("0.9 Retrieval(k=2) 120")


STUDY = (
    "study = tk.Study('me', tk.Desk(tasks=3, queues=4), arms=[tk.Arm('m', memory=tk.Retrieval())], lm='scripted', "
    "seeds=1, channel=tk.HumanFeedback(), tracking='off'); study.run()"
)


def judged(panel: Locator, grade: str) -> None:
    """Press the button, and wait for the answer that is asked about next."""
    before = panel.text_content() or ""
    panel.get_by_role("button", name=grade).click()
    expect(panel).not_to_have_text(before)
    expect(panel).to_contain_text("answer:")


def test_a_person_judges_answers_while_a_cell_runs(lab: Lab, watched: Watched) -> None:
    page = watched.page
    opened(page, lab.address(NOTEBOOK))
    run(page, 2)
    shown = add(page, 2, "panel = tk.FeedbackPanel(); panel")
    run(page, shown)
    panel = cell(page, shown)
    expect(panel).to_contain_text("Nothing to judge")
    busy = add(page, shown, STUDY)
    start(page, busy)
    expect(panel).to_contain_text("answer:")
    watched.shoot("feedback-panel")
    judged(panel, "right")
    panel.get_by_placeholder("in words, if you like").fill("Ask for the number.")
    judged(panel, "wrong")
    panel.locator("select:visible").select_option(index=1)
    expect(prompt(page, busy)).to_have_text(re.compile(r"\d"))
    expect(panel).to_contain_text("Nothing to judge")
    told = add(page, busy, "print(list(study.episodes().feedback_score)[:2], list(study.episodes().critique)[1])")
    run(page, told)
    expect(cell(page, told)).to_contain_text("[1.0, 0.0] Ask for the number.")
