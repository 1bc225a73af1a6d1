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

# A busy machine is no failure.
settings.register_profile("toolkit", deadline=None)
settings.load_profile("toolkit")


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
