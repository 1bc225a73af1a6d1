"""What a report says of goals and initiative: a section, a figure and its methods where outcomes of worlds are."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from acting import drawn
from errands import Errands, finish
from halls import Nights

import toolkit as tk
from toolkit.analysis import outcomes
from toolkit.figures import Look
from toolkit.report.facts import gather
from toolkit.report.sweep import sweep

ARMS = {"silent": (0.0, 0.0, 0.0), "truth": (0.7, 0.3, 0.7)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    """Nights in which one arm is ever silent, one is told what to do, and one acts by chance."""
    polled = tk.Reactive(prompted="ticks")
    arms = [
        tk.Arm("silent", decider=tk.Wrapped(lambda task: "wait")),
        tk.Arm("truth", decider=tk.GroundTruth(), goals=polled),
        tk.Arm("random", decider=tk.RandomChoice(), goals=polled),
    ]
    folder = tmp_path_factory.mktemp("acting") / "ledger"
    return finish(tk.Study("acting", Nights(4), arms=arms, baseline="silent", seeds=3, ledger=folder))


def test_recorded_outcomes_are_measured(study: tk.Study) -> None:
    found = tk.initiative(study)
    values = {(row.measure, row.arm): row.estimate.value for row in found.rows}
    assert [values[measure, "truth"] for measure in ("precision", "recall", "f1", "goals", "pass^2")] == [1.0] * 5
    assert [values[measure, "silent"] for measure in ("recall", "f1", "false_positives", "interruptions")] == [0.0] * 4
    assert 0 < values["precision", "random"] < 0.6
    assert values["prompts", "truth"] == pytest.approx(6.0)  # six hours, polled in each
    worth = tk.utility(study, costs=[1.0])
    assert worth.row("truth").even.reason.endswith("it pays at every cost")
    assert worth.row("random").pays.startswith("below")


def test_without_outcomes_nothing_is_said(tmp_path: object) -> None:
    other = tk.Study("other", Errands(3), arms=[tk.Arm("silent", decider=tk.RandomChoice())], seeds=1, ledger=tmp_path)
    facts = gather(finish(other).ledger, "other")
    assert facts.initiative is None
    assert facts.utility is None
    with pytest.raises(tk.ToolkitError, match="study 'other' has no episode in a world"):
        tk.initiative(other)


def test_with_outcomes_there_is_a_section_a_figure_tables_and_methods(
    study: tk.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_recorded", lambda *_: drawn(ARMS))  # with questions, and false alarms
    page = study.report().read_text(encoding="utf-8")
    for told in ("Goals and initiative", "Ask-F1", "offer precision", "Does initiative pay?", "Figure 5."):
        assert told in page
    assert 'href="figures/utility.csv"' in page
    figures = study.folder / "figures"
    assert ET.parse(figures / "utility.svg").getroot().tag.endswith("svg")
    numbers = pd.read_csv(figures / "utility.csv")
    assert len(numbers) == 2 * 31
    told = tk.utility(drawn(ARMS)).row("truth").even.value
    assert numbers.even[numbers.arm == "truth"].iloc[0] == pytest.approx(told)
    tables = (study.folder / "table.tex").read_text(encoding="utf-8")
    assert r"\label{tab:acting-initiative}" in tables
    assert r"\label{tab:acting-utility}" in tables
    methods = (study.folder / "methods.md").read_text(encoding="utf-8")
    for reference in ("2410.12361", "2604.09408", "2406.12045", "delta method"):
        assert reference in methods
    assert (study.folder / "references.bib").read_text(encoding="utf-8").count("@") > 5


def test_the_figure_marks_where_an_arm_breaks_even() -> None:
    looks = {arm: Look("#0072b2", (0, None), "o", 1.7, True) for arm in ARMS}
    found = tk.utility(drawn(ARMS))
    drawing = sweep(found, looks)
    assert drawing.draw is not None
    axes = drawing.draw().axes[0]
    marks = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
    assert [float(line.get_xdata()[0]) for line in marks] == [found.row("truth").even.value]  # type: ignore[index]
    assert f"truth: pays {found.row('truth').pays}" in drawing.svg
    assert sweep(found, looks).svg == drawing.svg
    assert not sweep(tk.utility(drawn(ARMS), costs=[1.0]), looks)
