"""Fixtures that many tests need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import Errands
from hypothesis import settings

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target, target
from toolkit.lm.scripted import Scripted
from toolkit.streams.stream import Stream

# Only tests that ask for it show anything in MLflow; a process that imports it needs its settings from the start.
os.environ.update(Target("").environment() | {"TOOLKIT_TRACKING": "off"})

# No test cuts the power: what it writes need not be on the disk before it goes on. The programs it starts do wait.
os.fsync = os.fdatasync = lambda descriptor: None

# A busy machine is no failure.
settings.register_profile("toolkit", deadline=None)
settings.load_profile("toolkit")

TYPED = """
[study]
name = "typed"
lm = "scripted"
seeds = 2

[stream]
use = "Desk"
tasks = 8

[[arms]]
name = "static"

[[arms]]
name = "memory"
memory = "Retrieval"
"""

# Files of minutes go first, the longest at the head, so that no worker is left alone with one at the end.
LONGEST = (
    "test_track_cli.py", "test_executors.py", "test_interrupt.py", "test_embedded.py", "test_pack.py", "test_kills.py",
    "test_start_here.py", "test_form_properties.py", "test_embedded_study.py", "test_notebook.py", "test_access.py",
    "test_tuning.py",
    "test_mlflow_pages.py", "test_hosted_llama.py", "test_hostile_views.py", "test_contracts.py", "test_tracking.py",
    "test_pages.py", "test_notebooks.py", "test_payoff.py", "test_trait_effects.py",
    "test_embedded_properties.py", "test_open.py", "test_report.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `LONGEST` begin; nothing else changes its place."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def study(ledger: Ledger) -> Callable[..., Study]:
    """Make a study on `Errands` with the scripted model; what is equal in two of them runs twice, unless asked."""

    def make(*arms: Arm, name: str = "test", stream: Stream | None = None, **rest: object) -> Study:
        settings = {"lm": Scripted(), "seeds": 2, "reuse": False, **rest}
        return Study(name, stream or Errands(), arms=arms, ledger=ledger, **settings)

    return make


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small study in its ``study.toml``; its ledger is the usual one."""
    (tmp_path / "study.toml").write_text(TYPED, encoding="utf-8")
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    return tmp_path


@pytest.fixture(params=["logs", "parquet"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The two forms of a finished run's tables: a short run's, and a long one's, which here every run is."""
    if request.param == "parquet":
        monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    return str(request.param)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without anything in it: making one takes seconds, copying one does not."""
    from toolkit.ledger.tracking import create_database

    root = tmp_path_factory.mktemp("mlflow")
    create_database(root)
    return root / "mlflow.db"


@pytest.fixture
def own(ledger: Ledger, empty_database: Path) -> Target:
    """The ledger's own database, there already."""
    ledger.root.mkdir(exist_ok=True)
    shutil.copyfile(empty_database, ledger.root / "mlflow.db")
    return target("ledger", ledger.root)
