"""Steps as DSPy predictors: the one way in which an agent asks a model, so that every step can be tuned and is charged.

The prompt of a step is built from blocks, each owned by one trait; a trait that is off leaves no byte behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import dspy
import numpy as np

from toolkit.errors import AnswerError, Outage, ToolkitError
from toolkit.lm.adapter import SAID, Either, PlainAdapter, adapter
from toolkit.lm.direct import DirectLM
from toolkit.lm.model import Deciding, Model
from toolkit.lm.tape import Purpose, Recorder
from toolkit.lm.training import STEP as TRAIN
from toolkit.records import Example, Learned, Phase, Recall, Step, Task, Turn
from toolkit.traits.memory.policy import cut
from toolkit.traits.wording import SAID_OF, unmarked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.agents.tuning import Tuning
    from toolkit.traits.memory.embedding import Embedder, Vector


@dataclass(frozen=True, slots=True)
class Context:
    """The blocks of one prompt beside the task itself: what each trait adds, in the order of the prompt."""

    role: str = ""
    role_examples: tuple[Example, ...] = ()
    goal: str = ""
    learned: Learned = field(default_factory=Learned)
    recall: Recall = field(default_factory=Recall)
    transcript: tuple[Example, ...] = ()

    @property
    def blocks(self) -> tuple[str, ...]:
        """Which blocks are there, with their number of examples."""
        named = {
            "role": (self.role, self.role_examples),
            "goal": (self.goal, ()),
            "learned": (self.learned.instruction or self.learned.notes, self.learned.examples),
            "memory": (self.recall.notes, self.recall.examples),
            "transcript": ("", self.transcript),
        }
        return tuple(f"{name}:{len(cases)}" for name, (text, cases) in named.items() if text or cases)


class Decision:
    """A run's access to its model.

    Parameters
    ----------
    model
        Which model, how it is prompted.
    deciding
        How closed options are chosen; the same for all arms of a study.
    recorder
        The taped and metered engine.
    """

    def __init__(self, model: Model, deciding: Deciding, recorder: Recorder) -> None:
        self.recorder, self.labels = recorder, model.labels
        self._adapter = adapter(model, deciding)
        self._lm = DirectLM(f"toolkit/{model.label}", recorder, model.retries)
        self._predictors: dict[str, dspy.Predict] = {}
        self.place: tuple[Phase, int] = ("stream", 0)
        self._booked: tuple[Purpose | None, str] = (None, "")
        self.think = Thinking(self)

    def train(self, step: Step, labelled: Sequence[tuple[Task, str]]) -> None:
        """Have the model trained on labelled tasks, laid out as an arm without traits asks them; see `FineTuned`."""
        cases = []
        for task, right in labelled:
            shown = _Shown(self._lm.model, right)
            self._adapter(shown, {}, *_prompt(step, task, Context()))
            cases.append((shown.request, right))
        self.recorder.at("prepare", 0, TRAIN, "adapting")
        self.recorder.trained(cases)

    def at(self, phase: Phase, t: int) -> None:
        """Say which task of the run the next calls belong to."""
        self.place = (phase, t)

    def decide(self, step: Step, task: Task, context: Context) -> Turn:
        """Take a step on a task.

        Raises
        ------
        AnswerError
            If the arm got no usable answer.
        Outage
            If the model could not be reached.
        """
        answer = self._ask(step, "acting", *_prompt(step, task, context))
        spent, sure = self.recorder.take("acting"), getattr(self._adapter, "sure", None)
        return Turn(step.name, answer, context.blocks, context.recall.memories, spent, sure)

    @contextmanager
    def weighing(self) -> Iterator[None]:
        """Within it, a choice by likelihood also tells how sure the model is of it: `Turn.confidence`."""
        if not isinstance(self._adapter, PlainAdapter):
            yield
            return
        self._adapter.weighing = True
        try:
            yield
        finally:
            self._adapter.weighing = False

    def predicted(self, predictor: dspy.Predict, step: Step, task: Task, context: Context) -> dspy.Prediction:
        """Take a step with an optimiser's predictor, whose trace it then stands in."""
        signature, demos, inputs = _prompt(step, task, context)
        if not isinstance(self._adapter, PlainAdapter):
            demos, inputs = _chatty(step, demos, inputs)
        with dspy.context(adapter=self._adapter):
            return predictor(signature=signature, demos=demos, **inputs)

    @property
    def chats(self) -> bool:
        """Whether the model is asked in DSPy's own layout, with markers and JSON."""
        return not isinstance(self._adapter, PlainAdapter)

    @property
    def sampled(self) -> bool:
        """Whether two equal requests may be answered differently."""
        return self.recorder.drawn[1] > 0

    def work_out(self, step: Step, task: Task, context: Context) -> str:
        """Take a step that comes before a task's decision and belongs to it: free text, from the task as it stands."""
        step = context.learned.step(step)
        head = "\n\n".join(part for part in (context.role, context.goal, step.instruction) if part)
        return self._ask(step, "acting", _signature(step, (), head, False), [], dict(task.inputs))

    def thought(self, step: Step, inputs: Mapping[str, str]) -> str:
        """Take a step that a trait declared; its cost is booked to adapting."""
        return self._ask(step, "adapting", _signature(step, (), step.instruction, False), [], dict(inputs))

    def call(self, program: dspy.Module, inputs: Mapping[str, object]) -> dspy.Prediction:
        """Run a user's own DSPy program on this run's model."""
        self._at("program", "acting")
        with self.lent():
            return program(**inputs)

    def ran(self, program: dspy.Module, inputs: Mapping[str, object]) -> dspy.Prediction:
        """Run a copy of a user's program for an optimiser, in whose trace it then stands; see `tuning`."""
        with dspy.context(adapter=self._adapter):
            return program(**inputs)

    def lent(self) -> Any:
        """A context in which DSPy code uses this run's model, whatever else the process has configured."""
        return dspy.context(lm=self._lm, adapter=self._adapter, trace=None, disable_history=True, callbacks=[])

    @contextmanager
    def booked(self, purpose: Purpose, step: str = "") -> Iterator[None]:
        """Within it, calls are booked to ``purpose``, whoever makes them, and taped under ``step`` if it is given."""
        before, self._booked = self._booked, (purpose, step)
        try:
            yield
        finally:
            self._booked = before

    @contextmanager
    def tuning(self, step: str) -> Iterator[DirectLM]:
        """Within it, DSPy code uses this run's model at temperatures of its own; booked to adapting, under ``step``."""
        self.recorder.at(*self.place, step, "adapting")
        either = Either(self._adapter)
        with self.recorder.exploring(), dspy.context(lm=self._lm, adapter=either, callbacks=[], num_threads=1):
            yield self._lm

    def _ask(
        self,
        step: Step,
        purpose: Purpose,
        signature: type[dspy.Signature],
        demos: list[dict[str, str]],
        inputs: dict[str, str],
    ) -> str:
        self._at(step.name, purpose)
        try:
            with self.lent():
                found = self._found(step, signature, demos, inputs)
        except Exception as error:
            known = translated(error)
            cut = self.recorder.last_status == "truncated"
            if cut and isinstance(known, AnswerError) and known.status == "unparsed":
                known = AnswerError("truncated", f"cut off at the limit of tokens (max_tokens): {known}"[:500])
            if known is error:
                raise  # with the chain of its own
            raise known from error
        value = found[step.output]
        return _number(value) if step.answer == "number" else str(value)

    def _at(self, step: str, purpose: Purpose) -> None:
        booked, name = self._booked
        self.recorder.at(*self.place, name or step, booked or purpose)

    def _found(
        self, step: Step, signature: type[dspy.Signature], demos: list[dict[str, str]], inputs: dict[str, str]
    ) -> Any:
        if isinstance(self._adapter, PlainAdapter):  # what a Predict adds is a trace, and nobody is lent one here
            return self._adapter(self._lm, {}, signature, demos, inputs)[0]
        demos, inputs = _chatty(step, demos, inputs)
        predictor = self._predictors.get(step.name) or self._predictors.setdefault(step.name, dspy.Predict(signature))
        return predictor(signature=signature, demos=demos, **inputs)


class _Shown:
    """What an adapter asks where the answer is known: the request is kept."""

    def __init__(self, model: str, right: str) -> None:
        self.model, self._right, self.kwargs = model, right, dict[str, Any]()

    def __call__(self, request: dspy.lm15.Request) -> dspy.lm15.Response:
        """The right answer."""
        from dspy.lm15 import Message, Response, Usage

        self.request = request
        return Response(None, request.model, Message.assistant(self._right), "stop", Usage())


class Thinking:
    """What traits get to ask the outside: the model (see `toolkit.traits.trait.Think`), or an embedder.

    Parameters
    ----------
    decision
        The run's access to its model.

    Attributes
    ----------
    learned
        The learned block in force: with which instructions steps are asked.
    asked
        By step the learned instruction with which it was asked last, "" for its own; see `take`.
    """

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self.tuning: Tuning | None = None
        self.learned = Learned()
        self.asked: dict[str, str] = {}

    def __call__(self, step: Step, **inputs: str) -> str:
        """The answer of one call."""
        own = (self.learned.steps or {}).get(step.name, "")
        try:
            said = self._decision.thought(self.learned.step(step), inputs)
        except AnswerError:  # asked it was; whoever could not be reached was not
            self.asked[step.name] = own
            raise
        self.asked[step.name] = own
        return said

    def take(self) -> dict[str, str]:
        """What was asked since this was last asked."""
        taken, self.asked = self.asked, {}
        return taken

    def embed(self, embedder: Embedder, texts: Sequence[str]) -> Vector:
        """One row for each text, by as many requests as the embedder needs, each on the tape."""
        recorder = self._decision.recorder
        recorder.at(*self._decision.place, "embed", "adapting")
        starts = range(0, len(texts), embedder.batch)
        return np.concatenate([recorder.embed(embedder, texts[start : start + embedder.batch]) for start in starts])


def translated(error: Exception) -> Exception:
    """A model's error in the toolkit's terms: the arm's own doing, an outage, or the error itself."""
    from dspy.utils import exceptions as theirs

    if isinstance(error.__cause__, ToolkitError):
        return error.__cause__  # raised below DSPy, which wraps what it does not know
    if isinstance(error, theirs.ContextWindowExceededError):
        return AnswerError("overflow", f"the prompt does not fit the model's context: {error}".splitlines()[0])
    if isinstance(error, theirs.AdapterParseError):
        return AnswerError("unparsed", f"the answer does not parse: {error}"[:500])
    reached = (theirs.LMTransportError, theirs.LMRateLimitError, theirs.LMTimeoutError, theirs.LMServerError)
    if isinstance(error, (*reached, theirs.LMAuthError, theirs.LMBillingError)):
        return Outage(f"the model could not be reached: {error}"[:500])
    return error


def _prompt(
    step: Step, task: Task, context: Context
) -> tuple[type[dspy.Signature], list[dict[str, str]], dict[str, str]]:
    """Signature, demonstrations and inputs of a decision."""
    instruction = context.learned.instruction or step.instruction
    head = "\n\n".join(part for part in (context.role, context.goal, instruction, context.learned.notes) if part)
    notes = {"notes": context.recall.notes} if context.recall.notes else {}
    demos = [{**one.inputs, step.output: one.answer} for one in context.role_examples]
    met = (*context.learned.examples, *context.recall.examples, *context.transcript)
    demos += [{name: cut(text) for name, text in _worked(step, one)} for one in met]
    return _signature(step, task.options, head, bool(notes)), demos, {**notes, **task.inputs}


def _worked(step: Step, case: Example) -> list[tuple[str, str]]:
    """A case as a demonstration."""
    said = [] if case.feedback is None else [(SAID, case.feedback)]
    return [*case.inputs.items(), (step.output, case.answer), *said]


def _chatty(
    step: Step, demos: Sequence[dict[str, str]], inputs: Mapping[str, str]
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Demonstrations and inputs as DSPy's layout may hold them: it knows fields only, so what was said joins one."""
    plain = []
    for demo in demos:
        said = f"\n{SAID_OF}{demo[SAID]}" if SAID in demo else ""
        told = {**demo, step.output: f"{demo[step.output]}{said}"}
        plain.append({name: unmarked(text) for name, text in told.items() if name != SAID})
    return plain, {name: unmarked(text) for name, text in inputs.items()}


@lru_cache(maxsize=4096)
def _signature(step: Step, options: tuple[str, ...], head: str, notes: bool) -> type[dspy.Signature]:
    names = (("notes",) if notes else ()) + step.inputs
    fields: dict[str, Any] = {name: (str, dspy.InputField()) for name in names}
    answer: Any = Literal[options] if options else float if step.answer == "number" else str
    fields[step.output] = (answer, dspy.OutputField())
    made: type[dspy.Signature] = dspy.Signature(fields, head)
    return made


def _number(value: object) -> str:
    number = float(str(value))
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
