"""A study that a terminal runs is watched and steered from two notebooks at once; nobody waits for anybody."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from cells import CURVES, EPISODES, add, opened, run
from playwright.sync_api import expect

from toolkit.agents.arm import Arm
from toolkit.evaluation import spec
from toolkit.evaluation.study import Study
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval

if TYPE_CHECKING:
    from conftest import Lab, Watched
    from playwright.sync_api import Page

NOTEBOOK = "01_first_study.ipynb"


def watching(page: Page, address: str) -> None:
    """A notebook that shows the study."""
    opened(page, address)
    run(page, add(page, 0, "import toolkit as tk; tk.LiveStudy('watched')"))
    expect(page.locator(".toolkit-live .state")).to_have_text("running")


def grows(page: Page) -> None:
    """What is shown goes on."""
    before, drawn = page.evaluate(EPISODES), page.evaluate(CURVES)
    page.wait_for_function(f"n => ({EPISODES})() >= n + 2", arg=before)
    assert page.evaluate(CURVES) != drawn


def test_two_notebooks_watch_what_a_terminal_runs(lab: Lab, watched: Watched) -> None:
    arms = [Arm.static(), Arm("memory", memory=Retrieval())]
    study = Study("watched", Desk(tasks=200, queues=4), arms=arms, lm="smollm2-135m", seeds=2, tracking="off")
    file = spec.save(study, lab.folder / "watched.toml")
    command = [sys.executable, "-m", "toolkit", "run", str(file), "--ledger", str(lab.folder.parent / "ledger")]
    terminal = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert terminal.stdout is not None
        assert any("watched" in line for line in terminal.stdout)  # it has begun
        first, second = watched.page, watched.another()
        watching(first, lab.address(NOTEBOOK))
        watching(second, lab.address(NOTEBOOK))
        grows(first)
        grows(second)
        second.locator(".toolkit-live button[data-command=pause]").click()
        expect(first.locator(".toolkit-live .state")).to_have_text("paused")
        first.locator(".toolkit-live button[data-command=resume]").click()
        expect(second.locator(".toolkit-live .state")).to_have_text("running")
        grows(second)
        first.locator(".toolkit-live button[data-command=stop]").click()
        expect(second.locator(".toolkit-live .state")).to_have_text("stopped")
        told = terminal.communicate(timeout=600)[0]
        assert "stopped" in told
        assert first.evaluate(EPISODES) == second.evaluate(EPISODES)
    finally:
        terminal.kill()
        terminal.wait(600)
