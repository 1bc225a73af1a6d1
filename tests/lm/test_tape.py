"""The tape: every call is recorded, metered and seeded; what is read back is verified."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from errands import Errands

from toolkit.agents.decision import Context, Decision
from toolkit.errors import AnswerError
from toolkit.ledger.call import Call
from toolkit.lm.model import Model
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.lm.tape import Recorder, TapeError
from toolkit.records import Step, Turn, Usage

STREAM = Errands()
PAIRS = STREAM.pairs()


class Priced(Scripted):
    """Costs money."""

    dollars_in, dollars_out = 10.0, 30.0


class Sure(Scripted):
    """Deterministic, hence allowed a memo."""

    deterministic = True
    temperature = 0.0


def play(skill: Model, count: int = 6, tape: list[Call] | None = None, engine: object = "own", start: int = 0):
    calls: list[Call] = []
    played = ScriptedEngine(skill, PAIRS) if engine == "own" else engine
    recorder = Recorder(skill, played, (0, 0), calls.append, tape or ())
    decision = Decision(skill, "likelihood", recorder)
    turns = []
    for t, (task, _) in enumerate(PAIRS[start : start + count]):
        decision.at("stream", t)
        turns.append(decision.decide(STREAM.step, task, Context()))
    return turns, calls, recorder


def test_calls_are_recorded_before_their_answer_is_used() -> None:
    turns, calls, _ = play(Scripted())
    assert [(c.t, c.step, c.ordinal, c.status) for c in calls] == [(t, "decide", 0, "ok") for t in range(6)]
    assert [turn.answer for turn in turns] == [call.answer for call in calls]
    assert all(turn.usage == call.usage for turn, call in zip(turns, calls, strict=True))
    assert len({call.seed for call in calls}) == 6


def test_dollars_follow_the_prices() -> None:
    _, calls, _ = play(Priced())
    for call in calls:
        expected = (call.usage.input_tokens * 10 + call.usage.output_tokens * 30) / 1e6
        assert call.usage.dollars == pytest.approx(expected)
        assert expected > 0


def test_a_tape_replays_without_a_model() -> None:
    turns, calls, _ = play(Scripted())
    again, written, recorder = play(Scripted(), tape=calls, engine=None)
    assert again == turns
    assert written == []
    assert recorder.replayed == 6


def test_a_tape_that_ends_says_where() -> None:
    _, calls, _ = play(Scripted())
    with pytest.raises(TapeError, match="the tape ends before stream, task 4"):
        play(Scripted(), tape=calls[:4], engine=None)


def test_another_request_is_refused_and_says_where() -> None:
    _, calls, _ = play(Scripted())
    with pytest.raises(TapeError, match="another request at stream, task 0, step 'decide'"):
        play(Scripted(), tape=calls, engine=None, start=2)


def test_what_is_missing_is_bought_and_the_rest_is_not() -> None:
    turns, calls, _ = play(Scripted())
    again, written, _ = play(Scripted(), tape=calls[:4])
    assert again[:4] == turns[:4]  # even the seconds are those of the tape
    assert [turn.answer for turn in again] == [turn.answer for turn in turns]
    assert [call.t for call in written] == [4, 5]


def test_failed_attempts_stand_on_the_tape_and_are_not_replayed() -> None:
    _, calls, _ = play(Scripted(), count=1)
    failed = replace(calls[0], status="error", response="", error="429")
    again, written, _ = play(Scripted(), count=1, tape=[failed])
    assert written[0].status == "ok"
    assert again[0].answer == written[0].answer


def test_a_deterministic_model_may_answer_from_memo_at_full_cost() -> None:
    skill = Sure(seed=41)
    first, bought, _ = play(skill)
    second, memo, _ = play(skill)
    assert [call.memo for call in bought] == [False] * 6
    assert [call.memo for call in memo] == [True] * 6
    assert [call.usage for call in memo] == [call.usage for call in bought]
    assert [turn.answer for turn in second] == [turn.answer for turn in first]


def test_what_was_taught_otherwise_is_asked_anew() -> None:
    skill = Sure(seed=43)
    play(skill)
    recorder = Recorder(skill, ScriptedEngine(skill, PAIRS), (0, 0), (calls := []).append)
    recorder._taught = ((), "other weights")
    decision = Decision(skill, "likelihood", recorder)
    decision.at("stream", 0)
    decision.decide(STREAM.step, PAIRS[0][0], Context())
    assert [call.memo for call in calls] == [False]


def test_a_sampling_model_has_no_memo() -> None:
    play(Scripted(seed=42))
    _, calls, _ = play(Scripted(seed=42))
    assert not any(call.memo for call in calls)


class Overflowing:
    """Says that every prompt is too long."""

    supported_params = frozenset()

    def complete(self, request):
        from dspy.lm15 import ContextLengthError

        raise ContextLengthError("5000 tokens do not fit 4096")


def test_an_overflow_is_the_arms_failure_and_replays_as_one() -> None:
    calls: list[Call] = []
    for engine, tape in ((Overflowing(), ()), (None, calls)):
        recorder = Recorder(Scripted(), engine, (0, 0), calls.append, tuple(tape))
        decision = Decision(Scripted(), "likelihood", recorder)
        with pytest.raises(AnswerError, match="does not fit") as found:
            decision.decide(STREAM.step, PAIRS[0][0], Context())
        assert found.value.status == "overflow"
    assert [call.status for call in calls] == ["overflow"]


def test_a_traits_own_step_is_booked_to_adapting() -> None:
    calls: list[Call] = []
    recorder = Recorder(Scripted(), ScriptedEngine(Scripted(), PAIRS), (0, 0), calls.append)
    decision = Decision(Scripted(), "likelihood", recorder)
    decision.at("stream", 3)
    decision.think(Step("summarise", "Sum it up.", ("text",), "summary"), text="long")
    assert (calls[0].purpose, calls[0].t, calls[0].step) == ("adapting", 3, "summarise")
    assert recorder.take("acting") == Usage()
    assert recorder.take("adapting").calls == 1
    assert recorder.take("adapting") == Usage()


def test_a_response_survives_as_json() -> None:
    _, calls, _ = play(Scripted(), count=1)
    wire = json.loads(calls[0].response)
    assert wire["finish_reason"] == "stop"
    assert isinstance(Turn("decide", "x"), Turn)
