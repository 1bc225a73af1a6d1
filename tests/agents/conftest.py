"""What tests of agents in live use need: a parrot for a model, and agents that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from parrot import Parrot

import toolkit as tk
from toolkit.agents.live import LiveAgent
from toolkit.ledger.store import Ledger


@pytest.fixture(autouse=True)
def _the_parrot_is_at_home() -> Iterator[None]:
    Parrot.away = False
    Parrot.asked.clear()
    yield
    Parrot.away = False


@pytest.fixture
def opened(ledger: Ledger) -> Iterator[Callable[..., LiveAgent]]:
    """Open agents that are closed in the end."""
    made: list[LiveAgent] = []

    def make(name: str = "pet", **given: object) -> LiveAgent:
        made.append(tk.Agent.open(name, ledger=ledger, **given))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
