"""What READMEs of experiments claim is what the tapes beside them hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from toolkit.agents.arm import Arm
from toolkit.component import read_toml
from toolkit.lm.model import model

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
STREAMBENCH = ("banking77", "banking77-qwen")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("experiment_tables", EXPERIMENTS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("experiment", "number", "figure"),
    [("memory", 8, "0.407"), ("learning", 6, "0.198"), ("goals", 4, "0.185"), ("roles", 10, "0.975")],
)
def test_the_tables_of_an_experiment_are_those_of_its_tapes(
    tables: ModuleType, experiment: str, number: int, figure: str
) -> None:
    folder = EXPERIMENTS / experiment
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert len(list(tables.tables(folder, text))) == number
    assert tables.filled(folder, text) == text
    assert tables.filled(folder, text.replace(figure, "0.999")) == text, "a figure that nobody ran would be found"


def test_the_streambench_studies_differ_in_their_model_alone() -> None:
    """Their arms are asked in one layout, as models that take turns must be, and their claims were set down alike."""
    small, large = (read_toml(EXPERIMENTS / "streambench-style" / name / "study.toml") for name in STREAMBENCH)
    both = [{one["name"]: Arm.from_config(one) for one in table["arms"]} for table in (small, large)]
    for arms, table in zip(both, (small, large), strict=True):
        own = model(table["study"]["lm"])
        assert all(own in arms[name].lm.models for name in ("mam-stream-icl", "turns"))
        assert table["channel"] == {"use": "OneBit"}
    assert {**both[0], **both[1]} == both[0]
    assert set(both[0]) - set(both[1]) == {"grow-correct"}
    assert (small["hypotheses"], small["stream"]) == (large["hypotheses"], large["stream"])
