"""docs/goals.md: its code runs, and its table names every goal policy and every step."""

from __future__ import annotations

import re
import sys

import pages
import pytest

from toolkit.agents.steps import thinks
from toolkit.component import is_shipped, registered
from toolkit.moves import WAIT, Observation
from toolkit.records import Task
from toolkit.traits.goals import Choice, Situation

TEXT = pages.text_of("goals")


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = pages.run("goals", monkeypatch)
    policy = names["Patient"]()
    policy.begin(Task("1", {}), ())
    tick = Situation(Task("1", {}), Observation("Time passes.", "tick"))
    assert [policy.act(tick, lambda **_: Choice("go")).action for _ in range(3)] == [WAIT, WAIT, "go"]
    arms = [
        *names["rivals"],
        *(names[arm] for arm in ("always_asks", "asking", "learning_to_ask", "watch", "thinking")),
    ]
    for arm in arms:
        for part in arm.parts:
            part.check()


def test_the_table_names_every_policy_and_the_page_every_step() -> None:
    policies = {name: cls for name, cls in registered("goals").items() if is_shipped(cls)}
    policies = {name: cls for name, cls in policies.items() if hasattr(sys.modules[cls.__module__], name)}
    assert set(re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE)) == set(policies)
    assert {step for cls in policies.values() for step in thinks(cls())} <= set(re.findall(r"`([a-z-]+)`", TEXT))
