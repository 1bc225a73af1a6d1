"""A typed request goes straight to the recorder; whatever DSPy has to see to still goes through DSPy."""

from __future__ import annotations

import dspy
import pytest
from dspy.lm15 import Config, Message, Request
from dspy.utils.callback import BaseCallback
from errands import Errands

from toolkit.ledger.call import Call
from toolkit.lm.direct import DirectLM
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.lm.tape import Recorder

NAME = "toolkit/test"


class Watched(ScriptedEngine):
    """Fails so many times, and says who called it."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(Scripted(), Errands().pairs())
        self.failures, self.through_dspy = failures, list[bool]()

    def complete(self, request):
        import inspect

        self.through_dspy.append(any(frame.function == "execute" for frame in inspect.stack()))
        if len(self.through_dspy) <= self.failures:
            raise dspy.lm15.RateLimitError("slow down", retry_after=0.0)
        return super().complete(request)


def made(engine: Watched, retries: int = 2) -> tuple[DirectLM, list[Call]]:
    calls: list[Call] = []
    return DirectLM(NAME, Recorder(Scripted(), engine, (0, 0), calls.append), retries), calls


def ask(lm: DirectLM, text: str = "Note: hi", **around: object):
    request = Request(NAME, messages=(Message.user(text),), config=Config(max_tokens=9, temperature=0.0))
    with dspy.context(disable_history=True, callbacks=[], trace=None, **around):
        return lm(request=request)


def test_a_request_of_text_goes_straight_to_the_recorder() -> None:
    engine = Watched()
    lm, calls = made(engine)
    assert ask(lm).text == calls[0].answer
    assert engine.through_dspy == [False]


def test_an_error_counts_as_the_first_attempt_and_dspy_makes_the_others() -> None:
    engine = Watched(failures=2)
    lm, calls = made(engine)
    ask(lm)
    assert [call.status for call in calls] == ["error", "error", "ok"]
    assert engine.through_dspy == [False, True, True]


def test_what_dspy_raises_at_last_is_its_own() -> None:
    lm, calls = made(Watched(failures=9), retries=1)
    with pytest.raises(dspy.utils.exceptions.LMRateLimitError):
        ask(lm)
    assert len(calls) == 2


def test_half_a_character_is_refused_as_dspy_refuses_it() -> None:
    lm, calls = made(Watched())
    with pytest.raises(ValueError, match="surrogate"):
        ask(lm, "half \ud83d")
    assert calls == []


def test_whoever_wants_to_be_told_of_calls_is_told() -> None:
    class Told(BaseCallback):
        heard = 0

        def on_lm_start(self, call_id, instance, inputs):
            Told.heard += 1

    engine = Watched()
    lm, _ = made(engine)
    request = Request(NAME, messages=(Message.user("hi"),))
    with dspy.context(callbacks=[Told()], disable_history=True):
        lm(request=request)
    with dspy.context(callbacks=[], disable_history=True), dspy.track_usage() as usage:
        lm(request=request)
    with dspy.context(callbacks=[], disable_history=False):
        lm(request=request)
    assert Told.heard == 1
    assert usage.get_total_tokens()
    assert len(lm.history) == 1
    assert engine.through_dspy == [True] * 3
