"""What is learned of a program of one's own: its named predictors, as a learned block says, or as an optimiser does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dspy

from toolkit.component import canonical
from toolkit.errors import SpecError
from toolkit.records import Example, Learned, Step
from toolkit.traits.wording import cut, unmarked

if TYPE_CHECKING:
    from toolkit.agents.tuning import Tuning


class WrappedProgram(dspy.Module):
    """A wrapped program as an optimiser sees it: a copy that is asked about past tasks.

    Parameters
    ----------
    tuning
        Knows the tasks.
    learned
        What it begins with.

    Raises
    ------
    SpecError
        If the program has no named predictors: there is nothing to tune in a function.
    """

    def __init__(self, tuning: Tuning, learned: Learned) -> None:
        super().__init__()
        self._tuning = tuning
        target: Any = tuning.target
        if not hasattr(target, "named_predictors"):
            raise SpecError([f"{target!r} has no named predictors, so that nothing can be tuned: wrap a dspy.Module"])
        self.own = target.deepcopy()
        self.own._compiled = False  # else it would be left as it is
        teach(self.own, tuning.step, learned)

    def forward(self, episode: str, **inputs: str) -> dspy.Prediction:
        """The program's answer to the task of an episode."""
        return self._tuning.ran(self.own, episode)

    def learned(self) -> Learned:
        """The block that makes the wrapped program what this one is."""
        state = saved(self.own)
        return Learned() if state == saved(self._tuning.target) else Learned(program=state)


def saved(program: Any) -> str:
    """The state of a program's predictors as JSON: ``program.load_state(json.loads(...))`` takes it.

    Examples
    --------
    >>> json.loads(saved(dspy.Predict("note -> gist")))["demos"]
    []
    """
    return canonical(program.dump_state())


@contextmanager
def taught(program: Any, step: Step, learned: Learned) -> Iterator[None]:
    """Within it a program's predictors are as a learned block says; after it they are as they were."""
    if not learned:
        yield
        return
    before = [(one, one.signature, one.demos) for _, one in program.named_predictors()]
    try:
        teach(program, step, learned)
        yield
    finally:
        for one, signature, demos in before:
            one.signature, one.demos = signature, demos


def teach(program: Any, step: Step, learned: Learned) -> None:
    """Make a program's predictors what a learned block says.

    First the state that was compiled, then the instructions of named predictors. Instruction, notes and examples of the
    decision go to the predictors that give the answer: those with an output field of the step's output, or the only
    predictor there is.

    Raises
    ------
    SpecError
        If it is not told which predictor gives the answer, or it takes none of the inputs that an example has.
    """
    state = json.loads(learned.program) if learned.program else {}
    for name, one in program.named_predictors():
        if name in state:
            one.signature = one.signature.load_state(state[name]["signature"])
            one.demos = [dspy.Example(**_clean(demo)) for demo in state[name]["demos"]]
        own = (learned.steps or {}).get(name)
        if own:
            one.signature = one.signature.with_instructions(own)
    if not (learned.instruction or learned.notes or learned.examples):
        return
    for one, field in _answering(program, step):
        parts = (learned.instruction or one.signature.instructions, learned.notes)
        one.signature = one.signature.with_instructions("\n\n".join(part for part in parts if part))
        one.demos = [*one.demos, *(_demo(case, one, field) for case in learned.examples)]


def _answering(program: Any, step: Step) -> list[tuple[Any, str]]:
    """The predictors that give the answer, each with the field in which it does."""
    named = program.named_predictors()
    found = [(one, step.output) for _, one in named if step.output in one.signature.output_fields]
    if not found and len(named) == 1:
        found = [(named[0][1], list(named[0][1].signature.output_fields)[-1])]
    if not found:
        raise SpecError(
            [
                f"{type(program).__name__} has no predictor with an output field {step.output!r}, so that what is "
                "learned of the decision has no place; name the field so, or learn a predictor's own step: "
                f"{', '.join(repr(name) for name, _ in named)}"
            ]
        )
    return found


def _demo(case: Example, predictor: Any, field: str) -> dspy.Example:
    """A worked case as a demonstration; what a predictor is given by others before it is left out."""
    inputs = {name: text for name, text in case.inputs.items() if name in predictor.signature.input_fields}
    if not inputs:
        takes = ", ".join(predictor.signature.input_fields)
        raise SpecError(
            [
                f"the predictor that gives {field!r} takes {takes}, and an example has {', '.join(case.inputs)}: give "
                "it one of the task's inputs as well, or learn instructions"
            ]
        )
    return dspy.Example(**_clean({**inputs, field: case.answer}))


def _clean(demo: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of earlier tasks as they may stand in a prompt."""
    return {name: unmarked(cut(value)) if isinstance(value, str) else value for name, value in demo.items()}
