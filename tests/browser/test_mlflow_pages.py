"""MLflow's pages as ``toolkit ui`` serves them: the study, its runs and curves, and an episode's steps are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cells import add, cell, opened, run
from playwright.sync_api import expect
from shown import client, free_port, served

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import page as address
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Retrieval

if TYPE_CHECKING:
    from conftest import Lab, Watched

RUN = (
    'study = tk.Study("embedded", tk.Desk(tasks=6), lm=tk.Scripted(), arms=[tk.Arm.static(), '
    'tk.Arm("memory", memory=tk.Retrieval())], seeds=1, tracking="ledger"); study.run(); study.tracking.wait(300)'
)


@pytest.mark.usefixtures("own")
def test_a_study_is_found_and_read(ledger: Ledger, watched: Watched) -> None:
    arms = [Arm.static(), Arm("memory", memory=Retrieval())]
    study = Study("desk", Desk(tasks=12, queues=8), arms=arms, lm=Scripted(), seeds=2, ledger=ledger, tracking="ledger")
    study.run()
    state = study.tracking.wait(300)
    assert state.state == "done"
    page, port = watched.page, free_port()
    server = f"http://127.0.0.1:{port}"
    found = client(study.tracking.target.uri).search_runs([state.experiment])
    memory = next(run.info.run_id for run in found if run.info.run_name == "memory, seed 0")
    with served(ledger, port):
        page.goto(address(state, server))
        for text in ("Group: memory", "memory, seed 1", "static, seed 0", "curve/score so far"):
            expect(page.get_by_text(text, exact=True).first).to_be_visible()
        watched.shoot("mlflow-curves")
        page.goto(f"{server}/#/experiments/{state.experiment}/runs/{memory}/traces?workflowType=machine_learning")
        page.get_by_text("tr-").first.click()
        page.get_by_text("step: decide").first.click()
        expect(page.get_by_text("blocks in the prompt").first).to_be_visible()
        watched.shoot("mlflow-trace")
    # MLflow's own pages ask their server for a few things that it does not have; that nothing leaves is what matters.
    watched.errors.clear()


def test_a_notebook_embeds_the_page_of_the_run_and_an_episode_as_mlflow_draws_it(lab: Lab, watched: Watched) -> None:
    """In a real JupyterLab, while ``toolkit ui`` serves the same ledger."""
    page, ledger = watched.page, Ledger(lab.folder.parent / "ledger")
    with served(ledger, free_port()):
        opened(page, lab.address("01_first_study.ipynb"))
        run(page, 2)  # import toolkit as tk
        made = add(page, 2, RUN)
        run(page, made)
        view = add(page, made, "study.mlflow()")
        run(page, view)
        whole = cell(page, view).frame_locator("iframe").first
        for text in ("embedded", "Model metrics"):
            expect(whole.get_by_text(text, exact=True).first).to_be_visible()
        cell(page, view).scroll_into_view_if_needed()
        watched.shoot("mlflow-embedded")
        drawn = cell(page, view).get_by_text("as MLflow draws it").first
        drawn.click()
        trace = cell(page, view).frame_locator("iframe[title^='MLflow: a trace']").first
        expect(trace.get_by_text("decide").first).to_be_visible()
        drawn.scroll_into_view_if_needed()
        watched.shoot("mlflow-embedded-trace")
    watched.errors.clear()  # as above
