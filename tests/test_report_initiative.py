"""What a report says of goals and initiative: a section, a figure and its methods where outcomes of worlds are."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from acting import drawn
from errands import Errands, finish

from toolkit.agents.arm import Arm
from toolkit.analysis import outcomes, utility
from toolkit.evaluation.study import Study
from toolkit.figures import Look
from toolkit.lm.scripted import Scripted
from toolkit.report.sweep import sweep
from toolkit.traits.memory import Retrieval

ARMS = {"static": (0.0, 0.0, 0.0), "agenda": (0.7, 0.3, 0.7)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    arms = [Arm.static(), Arm("agenda", memory=Retrieval(k=1))]
    folder = tmp_path_factory.mktemp("acting") / "ledger"
    return finish(Study("acting", Errands(8), arms=arms, lm=Scripted(), seeds=2, ledger=folder))


@pytest.fixture
def played(study: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The same, as if its episodes had been in a world."""
    monkeypatch.setattr(outcomes, "_recorded", lambda *_: drawn(ARMS))
    return study


def test_without_outcomes_nothing_is_said(study: Study) -> None:
    page = study.report().read_text(encoding="utf-8")
    assert "initiative" not in page
    assert not (study.folder / "figures" / "utility.svg").exists()
    assert "initiative" not in (study.folder / "table.tex").read_text(encoding="utf-8")


def test_with_outcomes_there_is_a_section_a_figure_tables_and_methods(played: Study) -> None:
    page = played.report().read_text(encoding="utf-8")
    for told in ("Goals and initiative", "Ask-F1", "offer precision", "Does initiative pay?", "Figure 5."):
        assert told in page
    assert 'href="figures/utility.csv"' in page
    figures = played.folder / "figures"
    assert ET.parse(figures / "utility.svg").getroot().tag.endswith("svg")
    numbers = pd.read_csv(figures / "utility.csv")
    assert len(numbers) == 2 * 31
    told = utility(drawn(ARMS)).row("agenda").even.value
    assert numbers.even[numbers.arm == "agenda"].iloc[0] == pytest.approx(told)
    tables = (played.folder / "table.tex").read_text(encoding="utf-8")
    assert r"\label{tab:acting-initiative}" in tables
    assert r"\label{tab:acting-utility}" in tables
    methods = (played.folder / "methods.md").read_text(encoding="utf-8")
    for reference in ("2410.12361", "2604.09408", "2406.12045", "delta method"):
        assert reference in methods
    assert (played.folder / "references.bib").read_text(encoding="utf-8").count("@") > 5


def test_the_figure_marks_where_an_arm_breaks_even() -> None:
    looks = {arm: Look("#0072b2", (0, None), "o", 1.7, True) for arm in ARMS}
    found = utility(drawn(ARMS))
    drawing = sweep(found, looks)
    assert drawing.draw is not None
    axes = drawing.draw().axes[0]
    marks = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
    assert [float(line.get_xdata()[0]) for line in marks] == [found.row("agenda").even.value]  # type: ignore[index]
    assert f"agenda: pays {found.row('agenda').pays}" in drawing.svg
    assert sweep(found, looks).svg == drawing.svg
    assert not sweep(utility(drawn(ARMS), costs=[1.0]), looks)
