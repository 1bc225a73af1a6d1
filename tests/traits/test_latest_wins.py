"""The floor that believes the latest of those that say nearly the same."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.records import Experience, Task
from toolkit.traits.memory import LatestWins

TOLD = ("Mara's badge is teal.", "Jan's badge is red.", "Mara's badge is plum.", "The lamp in the hall is broken.")


def begun(**given: object) -> LatestWins:
    policy = LatestWins(**given)
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    for number, text in enumerate(TOLD):
        policy.observe(
            Experience(f"prepare/told-{number}", Task(str(number), {"said": text}, user=f"u{number % 2}"), "")
        )
    return policy


def notes(policy: LatestWins, question: str, user: str = "") -> list[str]:
    return policy.recall(Task("q", {"question": question}, user=user)).notes.split("\n")


def test_what_a_later_one_contradicts_is_left_out() -> None:
    found = notes(begun(), "Which colour is Mara's badge?")
    assert found[-1] == "- Mara's badge is plum."
    assert not any("teal" in one for one in found)
    assert "- Jan's badge is red." in found  # shares words, but not enough to be the same thing


def test_nothing_is_found_without_a_common_word() -> None:
    assert begun().recall(Task("q", {"question": "zebra"})).memories == ()


def test_only_the_users_own_where_that_is_asked() -> None:
    assert notes(begun(k=1, scope="user"), "Which colour is Mara's badge?", "u1") == ["- Jan's badge is red."]


def test_a_stricter_likeness_keeps_both() -> None:
    assert sum("Mara" in one for one in notes(begun(alike=1.0), "Which colour is Mara's badge?")) == 2


@pytest.mark.parametrize("given", [{"k": 0}, {"alike": 0.0}, {"alike": 1.5}])
def test_mistakes_are_told(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="LatestWins"):
        LatestWins(**given).check()
