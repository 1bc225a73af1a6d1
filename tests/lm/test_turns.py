"""Several models that take turns with one memory: who answers, at what price, and again from the tape."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from errands import finish

from toolkit.agents.arm import Arm
from toolkit.evaluation.replay import replay
from toolkit.evaluation.study import Study
from toolkit.ledger.tables import rows as rows_of
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import model
from toolkit.lm.scripted import Scripted
from toolkit.lm.turns import TakingTurns
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Lessons, Retrieval

BOTH = TakingTurns((Scripted(p=0.0, p_example=0.0), Scripted(p=1.0, p_example=1.0)))


def test_each_task_is_one_models_and_the_memory_is_of_all(study: Callable[..., Study]) -> None:
    arms = [Arm("both", memory=Retrieval(k=2), lm=BOTH), Arm("lessons", memory=Lessons(), lm=BOTH)]
    done = finish(study(*arms, stream=Desk(tasks=8), name="turns"))
    for folder in done.folder.glob("runs/*"):
        episodes = rows_of(folder, "episodes")
        calls = rows_of(folder, "calls")
        if folder.name.startswith("both"):
            assert [row["score"] for row in episodes] == [0.0, 1.0] * 4
        assert {(call["t"] % 2, call["server"]) for call in calls} == {(0, "scripted (0)"), (1, "scripted (1)")}
    again = replay(done.ledger, "turns")
    assert again.identical, again


def test_identity_is_that_of_all_models_in_their_order() -> None:
    one, other = BOTH.models
    assert len({m.fingerprint() for m in (BOTH, TakingTurns((other, one)), TakingTurns((one, one)), one)}) == 4
    assert model(BOTH.config()) == BOTH


def test_the_dearest_is_what_a_forecast_reckons_with() -> None:
    cheap, dear = (
        Hosted(f"openai/{name}", dollars_in=price, dollars_out=price) for name, price in (("a", 1), ("b", 3))
    )
    assert TakingTurns((cheap, dear)).dollars_in == 3
    assert TakingTurns((cheap, Hosted("openai/c"))).dollars_out is None


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ((Scripted(),), "two models or more"),
        ((Scripted(), Scripted(adapter="chat")), "the same adapter"),
        ((Scripted(), Hosted("openai/a")), "the same"),
    ],
)
def test_models_that_are_asked_differently_are_refused(models: tuple[Scripted, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TakingTurns(models).check()
