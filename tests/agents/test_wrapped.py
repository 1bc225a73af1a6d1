"""A user's own program takes part in a study like any arm: metered, taped, fed with feedback."""

from __future__ import annotations

from collections.abc import Callable

import dspy
import pytest
from errands import Errands, finish, prompts

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.records import Experience, Task

Make = Callable[..., Study]


class TwoSteps(dspy.Module):
    """Thinks, then answers."""

    def __init__(self) -> None:
        super().__init__()
        self.gist = dspy.Predict("note -> gist")
        self.answer = dspy.Predict("note, gist, options -> errand")

    def forward(self, note: str, options: list[str]) -> dspy.Prediction:
        return self.answer(note=note, gist=self.gist(note=note).gist, options=", ".join(options))


def test_a_module_is_metered_and_taped(study: Make) -> None:
    made = finish(study(Arm.static(), Arm.wrap(TwoSteps(), name="mine")))
    rows = made.episodes()
    mine = rows[rows.arm == "mine"]
    assert (mine.acting_calls == 2).all()
    assert (mine.acting_input_tokens > 0).all()
    assert mine.score.mean() > 0
    assert len(prompts(made, "mine")) == 48
    assert made.compare().row("mine").difference is not None


def test_a_module_of_one_predictor_does_as_well_as_the_plain_arm(study: Make) -> None:
    program = dspy.Predict(dspy.Signature("note -> errand", "Name the errand."))
    made = finish(study(Arm.static_call(), Arm.wrap(program, name="mine"), seeds=1))
    assert len(prompts(made, "mine")) == 24
    assert prompts(made, "mine") == prompts(made, "static-call")


def test_a_function_learns_through_its_hooks(study: Make) -> None:
    seen: dict[str, str] = {}

    def answer(task: Task) -> str:
        return seen.get(task.inputs["note"].split()[-2], "post")

    def learn(experience: Experience) -> None:
        assert experience.feedback is not None
        seen[experience.task.inputs["note"].split()[-2]] = experience.feedback.correction or ""

    arm = Arm.wrap(answer, name="mine", learn=learn, reset=seen.clear, state=lambda: seen)
    made = finish(study(arm, stream=Errands(tasks=30), workers=1, baseline="mine"))
    rows = made.episodes()
    assert rows[rows.t >= 15].score.mean() == 1.0
    assert (rows.acting_calls == 0).all()
    assert rows.labels.sum() == 60
    assert len({record.hash for record in made.records()}) == 2


def test_runs_in_parallel_do_not_share_a_module(study: Make) -> None:
    program = TwoSteps()
    made = finish(study(Arm.wrap(program, name="mine"), seeds=4))
    alone = finish(study(Arm.wrap(program, name="mine"), seeds=4, workers=1, name="alone"))
    assert [r.hash for r in made.records()] == [r.hash for r in alone.records()]


def test_another_program_is_another_run(study: Make) -> None:
    def one(task: Task) -> str:
        return "post"

    def two(task: Task) -> str:
        return "bank"

    ids = {study(Arm.wrap(target), baseline="program").runs[0].id for target in (one, two, TwoSteps())}
    assert len(ids) == 3


def test_dspy_settings_of_the_process_do_not_leak_in(study: Make) -> None:
    class Wrong(dspy.LM):
        def __call__(self, *args: object, **kwargs: object) -> object:
            raise AssertionError("the process's own model was asked")

    with dspy.context(lm=Wrong("openai/none")):
        finish(study(Arm.wrap(TwoSteps(), name="mine"), Arm.static()))


@pytest.mark.parametrize("target", ["text", 3, None])
def test_what_cannot_be_called_is_refused(target: object) -> None:
    with pytest.raises(ValueError, match=r"must be a dspy\.Module or a function"):
        Arm.wrap(target)
