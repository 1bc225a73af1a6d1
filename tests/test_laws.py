"""The laws of the bench that hold for every study (the numbers are those of the blueprint in docs/design.md)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from errands import Errands, finish, prompts

from toolkit.agents.arm import Arm, floors
from toolkit.evaluation.replay import replay
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted, ScriptedEngine
from toolkit.records import Experience, Learned, Recall, Task
from toolkit.streams.channel import FullLabel, OneBit
from toolkit.traits.learning import DemoBuffer, FixedExamples, Learner
from toolkit.traits.memory import FullContext, MemoryPolicy, PermutedLabels, Retrieval, Shuffled, SlidingWindow
from toolkit.traits.role import Role

Make = Callable[..., Study]

MEMORIES = [Retrieval(), Retrieval(store="correct"), SlidingWindow(), FullContext(), Shuffled(Retrieval()),
            PermutedLabels(Retrieval())]  # fmt: skip
ROLE = Role("Clerk", objective="Sorts errands.", rules=("Be brief.",))


# Law 1: one code path; what is off adds nothing.


def test_a_static_call_is_byte_for_byte_the_plain_prompt(study: Make) -> None:
    made = finish(study(Arm.static_call()))
    for place, prompt in zip(made.runs[0].places, prompts(made, "static-call"), strict=True):
        task, _ = made.stream.pairs()[place]
        system = "Name the errand. Answer with the errand only."
        plain = [{"role": "system", "text": system}, {"role": "user", "text": f"Note: {task.inputs['note']}"}]
        assert json.loads(prompt) == plain


def test_static_holds_the_running_sessions_transcript_and_nothing_older(study: Make) -> None:
    made = finish(study(Arm.static()))
    for place, prompt in zip(made.runs[0].places, prompts(made, "static"), strict=True):
        task, _ = made.stream.pairs()[place]
        earlier = [t for t, _ in made.stream.pairs() if t.session == task.session and t.time < task.time]
        turns = json.loads(prompt)[1:-1]
        assert [turn["text"] for turn in turns[::2]] == [f"Note: {t.inputs['note']}" for t in earlier]


@pytest.mark.parametrize(
    ("arm", "own"),
    [
        (Arm("other", role=ROLE), "You are: Clerk. Sorts errands.\nRules:\n- Be brief."),
        *[(Arm("other", memory=memory), None) for memory in MEMORIES],
        (Arm("other", learning=DemoBuffer()), None),
    ],
    ids=repr,
)
def test_one_trait_changes_only_its_own_block_at_first(study: Make, arm: Arm, own: str | None) -> None:
    made = finish(study(Arm.static(), arm, seeds=1))
    plain, other = prompts(made, "static")[0], prompts(made, "other")[0]
    if own is None:
        assert other == plain
    else:
        assert other != plain
        assert other.replace(json.dumps(own + "\n\n")[1:-1], "") == plain


def test_what_is_off_costs_no_call(study: Make) -> None:
    made = finish(study(Arm.static_call()))
    calls = made.ledger.sql("SELECT count(*) AS n, count(DISTINCT step) AS steps FROM calls")
    assert calls.n[0] == 2 * 24
    assert calls.steps[0] == 1
    assert made.episodes()[["adapting_calls", "judging_calls"]].to_numpy().sum() == 0


# Law 2: no leak.


@pytest.mark.parametrize("channel", [OneBit(), FullLabel()], ids=repr)
def test_a_secret_in_every_key_is_in_no_prompt(study: Make, channel: object) -> None:
    arms = [Arm(f"m{i}", memory=memory) for i, memory in enumerate(MEMORIES)]
    arms += [Arm.static(), Arm("role", role=ROLE)]
    arms += [Arm("demo", learning=DemoBuffer()), Arm("few", learning=FixedExamples())]
    made = finish(study(*arms, stream=Errands(second="CANARY-7261"), channel=channel))
    for arm in arms:
        for prompt in prompts(made, arm.name):
            assert "CANARY" not in prompt
    assert "CANARY" in json.dumps([key.answers for _, key in made.stream.pairs()])


def test_without_labels_no_prompt_holds_an_answer_the_agent_did_not_give(study: Make) -> None:
    made = finish(study(Arm("m", memory=Retrieval()), channel=OneBit(), lm=Scripted(p=0, p_example=0)))
    episodes = made.episodes()
    assert episodes.score.sum() == 0
    for place, prompt in zip(made.runs[0].places, prompts(made, "m"), strict=True):
        given = {turn["text"] for turn in json.loads(prompt) if turn["role"] == "assistant"}
        rightful = set(episodes[episodes.seed == 0].answer)
        assert given <= rightful, place


# Law 3: nothing is dropped.


class Flaky(Scripted):
    """Cannot be reached from its 30th call on, once."""

    broken: list[int] = []  # noqa: RUF012  (shared on purpose: the outage ends)

    def engine(self, stream):
        engine, calls = ScriptedEngine(self, [*stream.pairs(), *stream.pool()]), self.broken

        class Breaking:
            supported_params = engine.supported_params

            def complete(self, request):
                from dspy.lm15 import AuthError

                calls.append(1)
                if 30 <= len(calls) < 40:
                    raise AuthError("no key")
                return engine.complete(request)

        return Breaking()


def test_an_outage_suspends_a_run_and_is_never_a_wrong_answer(study: Make) -> None:
    Flaky.broken.clear()
    arm = Arm("m", memory=Retrieval())
    cut = study(arm, lm=Flaky(), seeds=2, workers=1)
    records = cut.run()
    assert {record.status for record in records} == {"finished", "suspended"}
    suspended = next(record for record in records if record.status == "suspended")
    assert suspended.episodes == 5
    assert "no key" in suspended.error
    assert set(cut.episodes().status) == {"ok"}
    doubts = " ".join(cut.compare().row("m").doubts)
    assert "1 runs suspended" in doubts
    Flaky.broken.extend([1] * 40)
    resumed = finish(cut)
    whole = finish(study(arm, lm=Flaky(), seeds=2, name="whole"))
    assert [r.hash for r in resumed.records()] == [r.hash for r in whole.records()]
    assert max(record.replayed for record in resumed.records()) == 5


def broken_program(task: Task) -> str:
    if task.id == "t3":
        raise KeyError("lost")
    return task.options[0]


def test_a_failure_of_the_arm_scores_0_and_stays_in_the_denominator(study: Make) -> None:
    made = finish(study(Arm.static(), Arm.wrap(broken_program)))
    rows = made.episodes()
    failed = rows[rows.status == "failed"]
    assert list(failed.task) == ["t3", "t3"]
    assert list(failed.score) == [0.0, 0.0]
    assert "KeyError" in failed.error.iloc[0]
    assert (rows.groupby(["arm", "seed"]).size() == 24).all()
    assert "2 episodes without a usable answer" in made.compare().row("program").doubts


class Faulty(MemoryPolicy):
    """Raises at its third recall."""

    def reset(self, rng, think):
        self.recalls = 0

    def recall(self, task):
        self.recalls += 1
        if self.recalls == 3:
            raise RuntimeError("memory lost its index")
        return Recall()


def test_an_error_of_memory_fails_the_run_loudly_and_bounds_the_rest(study: Make) -> None:
    made = study(Arm.static(), Arm("faulty", memory=Faulty()))
    by_arm = {record.arm: record for record in made.run()}
    assert by_arm["static"].status == "finished"
    assert by_arm["faulty"].status == "failed"
    assert "memory lost its index" in by_arm["faulty"].error
    row = made.compare().row("faulty")
    assert row.difference is not None
    assert row.difference.n == 4
    low, high = row.bounds
    assert low < -0.8
    assert high > 0.8
    assert any("44 of 48 pairs missing" in doubt for doubt in row.doubts)


class Blunt(DemoBuffer):
    """A learner that raises at its fifth lesson."""

    def observe(self, experience: Experience) -> None:
        self.lessons = getattr(self, "lessons", 0) + 1
        if self.lessons == 5:
            raise ZeroDivisionError("no lesson in it")
        super().observe(experience)


def test_an_error_of_a_learner_fails_the_run_loudly_and_no_other(study: Make) -> None:
    made = study(Arm.static(), Arm("blunt", learning=Blunt()), seeds=1)
    by_arm = {record.arm: record for record in made.run()}
    assert by_arm["static"].status == "finished"
    assert by_arm["blunt"].status == "failed"
    assert "ZeroDivisionError: no lesson in it" in by_arm["blunt"].error
    told = next(made.folder.glob("runs/blunt-*/error.txt")).read_text(encoding="utf-8")
    assert "in observe" in told
    assert any("19 of 24 pairs missing" in doubt for doubt in made.compare().row("blunt").doubts)


class Narrow(Scripted):
    """Its context holds two examples and the question."""

    def engine(self, stream):
        engine = ScriptedEngine(self, [*stream.pairs(), *stream.pool()])

        class Narrowed:
            supported_params = engine.supported_params

            def complete(self, request):
                from dspy.lm15 import ContextLengthError

                if len(request.messages) > 5:
                    raise ContextLengthError("5 messages are all that fits")
                return engine.complete(request)

        return Narrowed()


def test_a_prompt_that_overflows_scores_0_is_on_the_tape_and_the_run_goes_on(study: Make) -> None:
    arm = Arm("full", memory=FullContext())
    made = finish(study(arm, lm=Narrow(), seeds=1))
    rows = made.episodes()
    assert list(rows.status) == ["ok"] * 3 + ["overflow"] * 21
    assert list(rows.score[3:]) == [0.0] * 21
    assert list(rows.acting_calls) == [1] * 24  # what was asked in vain is charged
    assert "21 episodes without a usable answer" in " ".join(made.compare().row("full").doubts)
    assert replay(made.ledger, made.name).identical


# Law 4: every token is charged.


def test_every_call_is_charged_to_an_episode(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("m", memory=Retrieval())))
    calls = made.ledger.sql("SELECT run, sum(input_tokens) AS i, sum(output_tokens) AS o FROM calls GROUP BY run")
    rows = made.episodes().groupby("run")[["acting_input_tokens", "acting_output_tokens"]].sum()
    for row in calls.itertuples():
        assert (row.i, row.o) == tuple(rows.loc[row.run])
        assert row.i > 0


def test_labels_are_charged_to_those_who_can_learn_from_them(study: Make) -> None:
    arms = [Arm.static(), Arm("few", learning=FixedExamples(k=3)), Arm("demo", learning=DemoBuffer())]
    made = finish(study(*arms, Arm("memory", memory=Retrieval())))
    assert {row.arm: row.labels for row in made.compare().rows} == {"static": 0, "few": 3, "demo": 24, "memory": 24}


# Law 7 and 8: repeats are independent; randomness has one source.


def test_seeds_and_repeats_draw_their_own_samples(study: Make) -> None:
    made = finish(study(Arm.static_call(), Arm.static_call().again(), seeds=2))
    answers = made.episodes().sort_values("task").groupby(["arm", "seed"]).answer.apply(tuple)
    assert len(set(answers)) == 4


def test_nothing_depends_on_names_order_or_company(study: Make) -> None:
    first = finish(study(Arm("a", memory=Retrieval()), Arm("b", learning=DemoBuffer()), name="one"))
    arms = [Arm("y", learning=DemoBuffer()), Arm.static(), Arm("x", memory=Retrieval())]
    second = finish(study(*arms, name="two", workers=1))
    assert _hashes(first, "a") == _hashes(second, "x")
    assert _hashes(first, "b") == _hashes(second, "y")


def _hashes(made: Study, arm: str) -> list[str]:
    return [record.hash for record in made.records() if record.arm == arm]


def test_arms_meet_the_same_tasks_in_the_same_orders(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("m", memory=Retrieval()), seeds=3))
    orders = made.episodes().groupby(["seed", "arm"]).task.apply(tuple).unstack()
    assert (orders["static"] == orders["m"]).all()
    assert orders["static"].nunique() == 3
    kept = json.loads((made.folder / "plan.json").read_text())
    assert [kept["tasks"][place] for place in kept["orders"]["1"]] == list(orders["static"][1])


def test_feedback_comes_when_it_is_due_and_not_before(study: Make) -> None:
    class Diary(Learner):
        def reset(self, rng, think):
            self.heard: list[str] = []

        def observe(self, experience: Experience) -> None:
            self.heard.append(experience.id)

        def learned(self) -> Learned:
            return Learned(instruction=f"heard {len(self.heard)}")

    made = finish(study(Arm("diary", learning=Diary()), stream=Errands(delay=5), seeds=1))
    for t, prompt in enumerate(prompts(made, "diary")):
        assert f"heard {max(0, t - 5)} " in prompt.replace('"', " ").replace(".", " ").replace("Answer", " ")


# Law 9: no estimate without an interval, n, and what it speaks of.


def test_every_row_has_interval_n_and_target_or_says_why_not(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("m", memory=Retrieval()), *floors(), seeds=3))
    for row in made.compare().rows:
        for estimate in (row.score, row.difference):
            if estimate is not None:
                assert estimate.n > 0
                assert estimate.target
                assert (estimate.low <= estimate.value <= estimate.high) or estimate.reason
    lonely = finish(study(Arm.static(), Arm("m", memory=Retrieval()), seeds=1, name="lonely")).compare().row("m")
    assert lonely.difference is not None
    assert lonely.difference.low != lonely.difference.low  # NaN
    assert any("run" in doubt for doubt in lonely.doubts)


def test_the_scripted_model_is_named_in_every_answer(study: Make) -> None:
    made = finish(study(Arm.static(), *floors()))
    shown = str(made.compare())
    assert "SCRIPTED MODEL" in shown
    assert any("scripted" in doubt for doubt in made.compare().row("static").doubts)
    assert not any("scripted" in doubt for doubt in made.compare().row("random").doubts)


# Law 10: the ground truth scores 100 %.


@pytest.mark.parametrize("delay", [0, 3])
def test_ground_truth_scores_everything(study: Make, delay: int) -> None:
    made = finish(study(*floors(), stream=Errands(delay=delay)))
    assert made.compare().row("truth").score.value == 1.0
    assert made.compare().row("truth").score.n == 48


def test_runs_that_have_not_begun_are_missing_pairs(study: Make) -> None:
    made = study(Arm.static(), Arm("m", memory=Retrieval()), seeds=3, workers=1)
    made.run(watch=lambda run, episode: made.stop() if (run.seed, episode.t) == (1, 3) else None)
    row = made.compare().row("m")
    assert row.difference is not None
    assert row.difference.n == 24
    assert {"1 runs not begun", "1 runs stopped"} <= set(row.doubts)
    assert any("48 of 72 pairs missing" in doubt for doubt in row.doubts)
    assert {record.status for record in finish(made).records()} == {"finished"}
    assert made.compare().row("m").doubts == made.compare().row("static").doubts
