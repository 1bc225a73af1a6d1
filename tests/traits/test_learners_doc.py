"""docs/learners.md: its code runs, and its table names every learner."""

from __future__ import annotations

import re

import pages
import pytest

from toolkit.component import is_shipped, registered
from toolkit.records import Experience, Feedback, Task

TEXT = pages.text_of("learners")


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = pages.run("learners", monkeypatch)
    learner = names["Reminder"]()
    learner.reset(None, None)
    learner.observe(Experience("stream/0", Task("0", {"text": "hi"}), "a", Feedback(0.0, "b")))
    assert learner.learned().notes == "The last right answer was b."
    for arm in ("routed", "thinking", "careful", "fixed", "voting"):
        names[arm].decider.check()


def test_the_table_names_every_learner() -> None:
    shown = set(re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE))
    assert shown == {name for name, cls in registered("learning").items() if is_shipped(cls)}
