"""Who takes the decision: the model (the usual case), a user's own program, or a floor that uses no model at all."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.component import Component, digest
from toolkit.errors import AnswerError, ToolkitError
from toolkit.moves import WAIT
from toolkit.randomness import generator
from toolkit.records import Experience, Step, Task, Turn
from toolkit.streams.said import UNKNOWN, Asked, answer

if TYPE_CHECKING:
    from toolkit.agents.decision import Context, Decision


class Decider(Component, kind="decider"):
    """Turns a task and its context into an answer.

    Attributes
    ----------
    uses_model
        False for floors: their runs cost nothing and never load a model.
    directs
        Of an arm's several models, the numbers of those that it sends calls to; see `toolkit.agents.routing.OnModel`.
    weighs
        True if its turns say by themselves how sure it is of them (`Turn.confidence`), so that no model need be asked.
    likelihoods
        True if it must know how likely the option is that a model has chosen: ``deciding="likelihood"`` alone tells.
    thinks
        Names of the steps other than the decision that it takes with every answer, which can be learned.
    peeks
        True only for `GroundTruth`, which is shown the keys so that a scorer or channel that mistrusts it is found.
    """

    uses_model: bool = True
    directs: tuple[int, ...] = ()
    weighs: bool = False
    likelihoods: bool = False
    thinks: tuple[str, ...] = ()
    peeks: bool = False
    stateless = True

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""

    def asked(self, id: str, task: Task) -> None:
        """Note that this task is about to be answered, and its experience will have this id.

        Not called in a pass in which nothing may change.
        """

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Answer one task."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it answers: define decide()")

    def observe(self, experience: Experience) -> None:
        """Take note of feedback."""

    def reveal(self, answers: Mapping[str, str]) -> None:
        """Take the right answers by task id; called only if ``peeks``."""

    def state(self) -> dict[str, object]:
        """What enters the run's hash."""
        return {}


class ByModel(Decider):
    """The model decides."""

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """One call of the decision step."""
        return decision.decide(step, task, context)


class NearestNeighbour(Decider):
    """Floor: copies the answer of the most similar recalled example; a random option where nothing is recalled."""

    uses_model = False

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._draw = _draw_of(rng)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Copy."""
        recalled = context.recall.examples
        answer = recalled[-1].answer if recalled else self._draw(task)
        return Turn(step.name, answer, context.blocks, context.recall.memories)


class Lookup(Decider):
    """Floor for probes: the value that stands in what was recalled, the transcript or the task itself, latest first.

    It reads sentences that name the subject and the attribute asked for, follows one link (somebody's mentor), and
    believes the note with the highest number. Where nothing is found it says ``unknown``, or takes a random option
    where that is none. It knows nothing of sources that count for more, nor of wishes to forget: a policy must.

    With a lexical search it is the floor that plain BM25 with "the latest serial wins" sets on tests of conflict.

    References
    ----------
    Hu, Wang & McAuley 2025, Evaluating memory in LLM agents via incremental multi-turn interactions, arXiv 2507.05257.
    """

    uses_model = False

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._draw = _draw_of(rng)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Read and answer."""
        cases = (*context.recall.examples, *context.transcript)
        told = [*context.recall.notes.splitlines(), *(text for case in cases for text in case.inputs.values())]
        asked = Asked.read(task.text)
        found = answer(asked, [*told, *task.inputs.values()], task.options) if asked else UNKNOWN
        chosen = found if found in task.options else self._draw(task)
        return Turn(step.name, chosen, context.blocks, context.recall.memories)


class MostFrequent(Decider):
    """Floor: the right answer seen most often so far, of equals the one seen first; a random option at the start."""

    uses_model = False
    stateless = False

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._draw, self._seen = _draw_of(rng), Counter[str]()

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """The most frequent."""
        found = self._seen.most_common(1)
        return Turn(step.name, found[0][0] if found else self._draw(task))

    def observe(self, experience: Experience) -> None:
        """Count the right answer."""
        if experience.known_answer is not None:
            self._seen[experience.known_answer] += 1

    def state(self) -> dict[str, object]:
        """The counts."""
        return dict(self._seen)


class RandomChoice(Decider):
    """Floor: a random option; an empty answer where there are none."""

    uses_model = False

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._draw = _draw_of(rng)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Draw."""
        return Turn(step.name, self._draw(task))


class Always(Decider):
    """Floor for worlds: the first listed action that begins with the given words; ``"wait"`` where there is none.

    ``Always("ask")`` in a world whose questions begin so asks on every turn, ``Always()`` never says anything: what
    they score is arithmetic. Where no actions are listed it gives its words as they are.

    Parameters
    ----------
    action
        Words.

    Examples
    --------
    >>> task = Task("1", {}, ("left", "ask Mara", "wait"))
    >>> Always("ask").decide(Step("act", "", ()), task, None, None).answer
    'ask Mara'
    >>> Always("right").decide(Step("act", "", ()), task, None, None).answer
    'wait'
    """

    uses_model = False

    def __init__(self, action: str = WAIT) -> None:
        self.action = action

    def check(self) -> None:
        """Some words."""
        if not self.action.strip():
            raise ValueError(f"Always.action must be the words that an action begins with but is {self.action!r}")

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """The same as ever."""
        if not task.options:
            return Turn(step.name, self.action)
        return Turn(step.name, next((one for one in task.options if one.startswith(self.action)), WAIT))


class GroundTruth(Decider):
    """Ceiling: gives the right answer, and must score 100 %. The one decider that is shown the keys."""

    uses_model = False
    peeks = True

    def reveal(self, answers: Mapping[str, str]) -> None:
        """Take the right answers by task id."""
        self._answers = answers

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Look it up."""
        return Turn(step.name, self._answers[task.id])


class Wrapped(Decider):
    """A user's own program: a `dspy.Module`, or a function of the `Task`.

    A module is called with the task's inputs as keyword arguments (and ``options``, if its signature or ``forward``
    takes them) and answers in the step's output field, or in its only one. A function is called with the task and
    returns the answer. What either calls through DSPy runs on the arm's model, metered and taped.

    A module's named predictors can be learned; see `toolkit.agents.wrapped_tuning.teach`.

    Parameters
    ----------
    target
        The program.
    learn
        Called with each `Experience` whose feedback has arrived.
    begin
        Called before the first task, so that runs do not share state.
    state
        Returns the program's state as plain values, for the run's hash.
    """

    def __init__(
        self,
        target: Any,
        learn: Callable[[Experience], None] | None = None,
        begin: Callable[[], None] | None = None,
        state: Callable[[], Mapping[str, object]] | None = None,
    ) -> None:
        self.target = target
        self.learn = learn
        self.begin = begin
        self.state_of = state

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """None that a file could hold: a wrapped program lives in code."""
        return {}

    def config(self) -> dict[str, object]:
        """Names what is wrapped; `fingerprint` covers its source."""
        return {"use": "Wrapped", "target": _name(self.target), "source": digest(_source(self.target))[:16]}

    def clone(self) -> Wrapped:
        """The same program; a module is copied, so that runs in parallel do not share it."""
        target = self.target.deepcopy() if hasattr(self.target, "named_predictors") else self.target
        return Wrapped(target, self.learn, self.begin, self.state_of)

    def fingerprint(self) -> str:
        """By source of the program and its hooks."""
        return digest([self.kind, *(_source(part) for part in (self.target, self.learn, self.begin, self.state_of))])

    def reset(self, rng: np.random.Generator) -> None:
        """Call ``begin``."""
        if self.begin is not None:
            self.begin()

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Run the program; its own exception is the arm's failure and scores 0."""
        from toolkit.agents.decision import translated

        try:
            answer = self._run(step, task, context, decision)
        except Exception as error:
            known = translated(error)
            if known is error and isinstance(error, ToolkitError):
                raise
            if isinstance(known, ToolkitError):
                raise known from error
            raise AnswerError("failed", f"{_name(self.target)}: {type(error).__name__}: {error}") from error
        return Turn(step.name, answer, usage=decision.recorder.take("acting"))

    @property
    def thinks(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its named predictors."""
        return tuple(name for name, _ in _predictors(self.target))

    def _run(self, step: Step, task: Task, context: Context, decision: Decision) -> str:
        if not hasattr(self.target, "named_predictors"):
            decision.recorder.at(*decision.place, "program", "acting")
            with decision.lent():
                return str(self.target(task))
        from toolkit.agents.wrapped_tuning import taught  # with DSPy

        with taught(self.target, step, context.learned):
            return answered(step, decision.call(self.target, called_with(self.target, task)))

    def observe(self, experience: Experience) -> None:
        """Call ``learn``."""
        if self.learn is not None:
            self.learn(experience)

    def state(self) -> dict[str, object]:
        """What ``state`` returns."""
        return dict(self.state_of()) if self.state_of is not None else {}

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """True without a ``learn`` hook."""
        return self.learn is None


def _draw_of(rng: np.random.Generator) -> Callable[[Task], str]:
    base = int(rng.integers(2**31))  # a draw depends on the task alone, so that floors stay stateless

    def draw(task: Task) -> str:
        return task.options[int(generator(base, task.id).integers(len(task.options)))] if task.options else ""

    return draw


def called_with(target: Any, task: Task) -> dict[str, object]:
    """What a module is called with for a task: its inputs, and its options if the module takes them."""
    options = {"options": list(task.options)} if task.options and _takes_options(target) else {}
    return {**task.inputs, **options}


def answered(step: Step, found: Any) -> str:
    """What a module's prediction answers: in the step's output field, or in its only one."""
    values = dict(found.items())
    return str(values[step.output] if step.output in values else list(values.values())[-1])


def _predictors(target: Any) -> list[tuple[str, Any]]:
    return list(target.named_predictors()) if hasattr(target, "named_predictors") else []


def _takes_options(target: Any) -> bool:
    if "options" in inspect.signature(type(target).forward).parameters:
        return True
    return any("options" in predictor.signature.input_fields for _, predictor in _predictors(target))


def _name(target: object) -> str:
    return getattr(target, "__qualname__", type(target).__qualname__)


def _source(part: object) -> str:
    if part is None:
        return ""
    state = part.dump_state() if hasattr(part, "dump_state") else None
    try:
        return inspect.getsource(part if inspect.isroutine(part) else type(part)) + digest(state)
    except (OSError, TypeError):
        return f"{type(part).__module__}.{_name(part)}" + digest(state)
