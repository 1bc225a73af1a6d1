"""Static rivals: each does what it says, is charged for it, and scores what a model of known skill lets it score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm, static_arms
from toolkit.agents.decision import Context, Decision
from toolkit.agents.rivals import ChainOfThought, SelfConsistency, SelfRefine
from toolkit.checks import check
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted, replied, turns_of
from toolkit.lm.tape import Recorder
from toolkit.streams.desk import Desk
from toolkit.traits.memory import PoolRetrieval


class Cold(Scripted):
    """Answers the same to the same."""

    temperature = 0.0


def test_every_static_arm_runs_comes_back_from_its_config_and_scores_what_its_prompt_allows(
    study: Callable[..., Study],
) -> None:
    """Reasons are worth .2 to this model, and an example with the right answer makes it .9."""
    lm = Scripted(0.3, 0.9, gains={"Reasoning: ": 0.2})
    arms = static_arms(k=4, pool=72, samples=5)
    made = finish(study(*arms, stream=Desk(tasks=50, queues=8), lm=lm, seeds=3))
    for arm in arms:
        assert Arm.from_config(arm.config()) == arm
        for part in arm.parts:
            check(part)
    rows = {row.arm: row for row in made.compare().rows}
    means = {arm: row.score.value for arm, row in rows.items()}
    assert abs(means["static-call"] - 0.3) < 0.1
    assert abs(means["chain-of-thought"] - 0.5) < 0.1
    assert means["few-shot-nearest"] > means["few-shot"] + 0.1 > means["static-call"] + 0.1
    assert means["self-consistency"] > means["chain-of-thought"] + 0.15, "a vote of 5 at .5 against 7 wrong options"
    calls = {arm: row.calls for arm, row in rows.items()}
    assert calls == {arm.name: {"chain-of-thought": 2, "self-consistency": 10}.get(arm.name, 1) for arm in arms}
    labels = {arm: row.labels for arm, row in rows.items()}
    assert labels == {arm.name: {"few-shot": 4, "few-shot-nearest": 72}.get(arm.name, 0) for arm in arms}


def test_a_study_of_static_arms_replays(study: Callable[..., Study]) -> None:
    arms = static_arms(k=2, pool=12, samples=2, optimiser="bootstrap")
    assert finish(study(*arms, stream=Errands(4), seeds=1)).replay().identical


def test_the_reasons_stand_in_the_prompt_of_the_decision_and_options_in_that_of_the_reasons(
    study: Callable[..., Study],
) -> None:
    made = finish(study(Arm("cot", decider=ChainOfThought(), transcript=False), stream=Errands(4), seeds=1))
    calls = made.ledger.sql("SELECT t, step, purpose, prompt, answer FROM calls ORDER BY t, step DESC")
    assert calls.step.tolist() == ["reason", "decide"] * 4
    assert set(calls.purpose) == {"acting"}
    first, second = calls.prompt[0], calls.prompt[1]
    assert "The answer is one of: post, bread, bank." in first[0]["text"]
    assert second[-1]["text"].endswith(f"Reasoning: {calls.answer[0]}")
    assert "Reasoning" not in first[-1]["text"]


def spent(made: Study) -> list[tuple[int, int]]:
    """Calls and tokens of each task."""
    rows = made.episodes()
    tokens = rows.acting_input_tokens + rows.acting_output_tokens
    return list(zip(rows.acting_calls.tolist(), tokens.tolist(), strict=True))


def test_self_consistency_keeps_to_a_budget_of_tokens(study: Callable[..., Study]) -> None:
    def arm(tokens: int) -> Arm:
        return Arm("vote", decider=SelfConsistency(9, tokens), transcript=False)

    free = spent(finish(study(arm(0), stream=Errands(6), seeds=1)))
    assert {calls for calls, _ in free} == {18}
    chain = max(tokens for _, tokens in free) / 9
    for tokens, chains in ((1, {1}), (round(3.5 * chain), {3}), (10_000, {9})):
        found = spent(finish(study(arm(tokens), name=f"to-{tokens}", stream=Errands(6), seeds=1)))
        assert {calls // 2 for calls, _ in found} == chains
        assert all(cost <= tokens or calls == 2 for calls, cost in found)


def test_at_temperature_0_one_chain_is_all(study: Callable[..., Study]) -> None:
    made = finish(study(Arm("vote", decider=SelfConsistency(5), transcript=False), lm=Cold(), seeds=1))
    assert {calls for calls, _ in spent(made)} == {2}


def test_a_pool_is_kept_apart_from_the_stream_and_is_no_larger_than_it_is(study: Callable[..., Study]) -> None:
    arm = Arm("near", memory=PoolRetrieval(k=2, size=12), transcript=False)
    made = finish(study(arm, seeds=1))
    recalled = made.ledger.sql("SELECT recalled FROM memories").recalled
    assert len(recalled) == 2 * 24
    assert all(source.startswith("prepare/") for source in recalled)
    [record] = study(Arm("near", memory=PoolRetrieval(k=2, size=13)), name="more", seeds=1).run()
    assert "PoolRetrieval(k=2, size=13) wants 13 labelled tasks but the stream's pool has 12: lower it" in record.error


class Critic(Scripted):
    """Wrong at first, right once a critique stands in its prompt; its critiques are given."""

    def __init__(
        self, says: tuple[str, ...] = ("Think of the other one.",), after: float = 1.0, reason: str = "stop"
    ) -> None:
        super().__init__(0.0, 0.0, gains={"Critique: ": after})
        self.says, self.after, self.reason = says, after, reason

    temperature = 0.0

    def engine(self, stream):
        inner, says, reason = super().engine(stream), self.says, self.reason

        class Engine:
            supports_response_schema = True
            supported_params = inner.supported_params

            def complete(self, request):
                _, _, question = turns_of(request)
                if "\nProposed: " not in question:
                    return inner.complete(request)
                said = says[min(question.count("\nCritique: "), len(says) - 1)]
                return replace(replied(request, said, [question], 5), finish_reason=reason)

        return Engine()


@pytest.mark.parametrize(
    ("says", "rounds", "calls", "score"),
    [
        (("Think of the other one.",), 1, 3, 1.0),
        (("Think of the other one.",), 3, 7, 1.0),
        (("It is right: No change!",), 3, 2, 0.0),
        (("I would say nochange.",), 1, 3, 1.0),
    ],
)
def test_an_answer_is_refined_until_the_model_is_content(
    study: Callable[..., Study], says: tuple[str, ...], rounds: int, calls: int, score: float
) -> None:
    arm = Arm("refine", decider=SelfRefine(rounds), transcript=False)
    made = finish(study(arm, stream=Errands(6), lm=Critic(says), seeds=1))
    rows = made.episodes()
    assert set(rows.score) == {score}
    assert set(rows.acting_calls) == {calls}
    told = made.ledger.sql("SELECT sum(input_tokens + output_tokens) AS n FROM calls").n[0]
    assert (rows.acting_input_tokens + rows.acting_output_tokens).sum() == told, "every call is charged"
    assert made.replay().identical


def test_critique_and_refinement_see_what_was_answered(study: Callable[..., Study]) -> None:
    arm = Arm("refine", decider=SelfRefine(2), transcript=False)
    made = finish(study(arm, stream=Errands(1), lm=Critic(after=0.0), seeds=1))
    calls = made.ledger.sql("SELECT step, purpose, prompt, answer FROM calls ORDER BY t, ordinal, step")
    asked = {(one.step, place) for place, one in enumerate(calls.itertuples())}
    assert len(asked) == 5
    prompts = [one[-1]["text"] for one in calls.prompt]
    first, second = (
        next(text for text in prompts if text.count("Think of the other one.") == often) for often in (1, 2)
    )
    answers = [one.answer for one in calls.itertuples() if one.step == "decide"]
    assert first.endswith(f"\nCritique: {answers[0]}: Think of the other one.")
    assert second.endswith(f"\n  {answers[1]}: Think of the other one.")
    [critique, _] = [one.prompt for one in calls.itertuples() if one.step == "critique"]
    assert "The answer is one of: post, bread, bank." in critique[0]["text"]
    assert critique[-1]["text"].endswith(f"\nProposed: {answers[0]}")
    assert set(calls.purpose) == {"acting"}


def test_the_turn_itself_has_what_was_spent_on_it_and_the_answer_that_is_given_was_not_cut_off() -> None:
    lm, stream, calls = Critic(("No change, and so on and on",), reason="length"), Errands(1), []
    decision = Decision(lm, "likelihood", Recorder(lm, lm.engine(stream), (0, 0), calls.append))
    turn = SelfRefine(3).decide(stream.step, stream.pairs()[0][0], Context(), decision)
    assert [call.status for call in calls] == ["ok", "truncated"]
    assert turn.usage.calls == 2
    assert decision.recorder.take("acting").calls == 0
    assert decision.recorder.last_status == "ok"


class Broken(Critic):
    """What it writes of its answers cannot be had."""

    def engine(self, stream):
        inner = super().engine(stream)

        class Engine:
            supports_response_schema = True
            supported_params = inner.supported_params

            def complete(self, request):
                from dspy.lm15 import ContextLengthError

                _, _, question = turns_of(request)
                if "\nProposed: " in question:
                    raise ContextLengthError("too long")
                return inner.complete(request)

        return Engine()


def test_a_critique_that_cannot_be_had_leaves_the_answer_as_it_is(study: Callable[..., Study]) -> None:
    arms = [Arm.static_call("plain"), Arm("refine", decider=SelfRefine(2), transcript=False)]
    made = finish(study(*arms, stream=Errands(4), lm=Broken(), seeds=1))
    rows = made.episodes().set_index(["arm", "task"])
    assert set(rows.status) == {"ok"}
    assert rows.answer["refine"].to_dict() == rows.answer["plain"].to_dict()


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (SelfRefine(0), "rounds must be an integer of at least 1 but is 0"),
        (SelfConsistency(0), "samples must be an integer of at least 1"),
        (SelfConsistency(3, -1), "tokens must be an integer of at least 0 but is -1"),
        (PoolRetrieval(4, 3), "size must be at least k = 4 but is 3"),
    ],
)
def test_what_cannot_be_is_refused(part: PoolRetrieval, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        part.check()
