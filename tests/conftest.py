"""Fixtures that many tests need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from errands import Errands
from hypothesis import settings

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.streams.stream import Stream

# A busy machine is no failure.
settings.register_profile("toolkit", deadline=None)
settings.load_profile("toolkit")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def study(ledger: Ledger) -> Callable[..., Study]:
    """Make a study on `Errands` with the scripted model."""

    def make(*arms: Arm, name: str = "test", stream: Stream | None = None, **rest: object) -> Study:
        settings = {"lm": Scripted(), "seeds": 2, **rest}
        return Study(name, stream or Errands(), arms=arms, ledger=ledger, **settings)

    return make
