"""A planted effect is found, and an absent one is not (law 10), through the whole study with the scripted model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.streams.channel import OneBit
from toolkit.streams.desk import Desk
from toolkit.traits.memory import PermutedLabels, Retrieval, Shuffled

P, P_EXAMPLE = 0.2, 0.7


def carried(made: Study, arm: str) -> float:
    """The share of an arm's episodes in which an example with the right answer was recalled."""
    rows = made.ledger.sql(
        "SELECT m.run, m.t, bool_or(e2.correction = e1.correction) AS seen FROM memories m "
        "JOIN episodes e1 ON e1.run = m.run AND e1.t = m.t "
        "JOIN episodes e2 ON e2.run = m.run AND 'stream/' || e2.t = m.recalled "
        "WHERE m.arm = $1 GROUP BY m.run, m.t",
        arm,
    )
    total = made.ledger.sql("SELECT count(*) AS n FROM episodes WHERE arm = $1", arm).n[0]
    return float(rows.seen.sum() / total)


def test_a_planted_memory_effect_is_recovered_inside_its_interval(study: Callable[..., Study]) -> None:
    arms = [Arm.static_call("static"), Arm("memory", memory=Retrieval(), transcript=False)]
    made = finish(study(*arms, stream=Desk(tasks=120, queues=8), lm=Scripted(P, P_EXAMPLE), seeds=8))
    planted = (P_EXAMPLE - P) * carried(made, "memory")
    difference = made.compare().row("memory").difference
    assert difference is not None
    assert planted > 0.15
    assert difference.low <= planted <= difference.high
    assert difference.excludes_zero


def test_an_a_a_study_covers_zero(study: Callable[..., Study]) -> None:
    arm = Arm("memory", memory=Retrieval())
    made = finish(study(arm, arm.again(), stream=Desk(tasks=100), seeds=6, baseline="memory"))
    difference = made.compare().row("memory-again").difference
    assert difference is not None
    assert difference.low < 0 < difference.high
    assert difference.high - difference.low < 0.3


def test_a_a_differences_are_significant_at_the_nominal_rate(study: Callable[..., Study]) -> None:
    arm = Arm.static_call("static")
    arms = [arm, *(arm.again(number) for number in range(1, 21))]
    made = finish(study(*arms, stream=Desk(tasks=60), seeds=5))
    rows = made.compare().rows[1:]
    found = sum(row.difference.excludes_zero for row in rows if row.difference)
    assert len(rows) == 20
    assert found <= 4  # P(more than 4 of 20 at .05) = .003
    assert np.std([row.difference.value for row in rows if row.difference]) > 0.005


def test_a_useless_memory_gains_nothing(study: Callable[..., Study]) -> None:
    """Examples help this model not at all, so relevance, shuffling and permuting must all come to naught."""
    arms = [Arm.static(), Arm("memory", memory=Retrieval()), Arm("shuffled", memory=Shuffled(Retrieval()))]
    made = finish(study(*arms, stream=Desk(tasks=100), lm=Scripted(0.4, 0.4), seeds=6))
    for name in ("memory", "shuffled"):
        difference = made.compare().row(name).difference
        assert difference is not None
        assert not difference.excludes_zero or abs(difference.value) < 0.02


def test_permuted_labels_lose_what_relevance_gained(study: Callable[..., Study]) -> None:
    memory = Retrieval()
    arms = [Arm("memory", memory=memory), Arm("permuted", memory=PermutedLabels(memory))]
    made = finish(study(*arms, stream=Desk(tasks=120, queues=8), lm=Scripted(P, P_EXAMPLE), seeds=6))
    difference = made.compare().row("permuted").difference
    assert difference is not None
    assert difference.high < 0


def test_without_labels_the_store_of_correct_answers_grows_only_by_luck(study: Callable[..., Study]) -> None:
    arms = [Arm("all", memory=Retrieval(store="all")), Arm("correct", memory=Retrieval(store="correct"))]
    made = finish(study(*arms, stream=Desk(tasks=80, queues=6), channel=OneBit(), lm=Scripted(P, P_EXAMPLE), seeds=4))
    recalled = made.ledger.sql(
        "SELECT m.arm, avg((e.score = 1)::INT) AS right FROM memories m "
        "JOIN episodes e ON e.run = m.run AND 'stream/' || e.t = m.recalled GROUP BY m.arm"
    ).set_index("arm").right  # fmt: skip
    assert recalled["correct"] == 1.0
    assert recalled["all"] < 0.9
