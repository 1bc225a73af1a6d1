"""DSPy's optimisers in the midst of a run: the decision step as a program, past cases as examples, every call taped.

An optimiser is given what the run has met so far and nothing else. It runs in the run's own thread; its calls are asked
of the run's model, stand on the run's tape in their order and are charged to adapting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dspy

from toolkit.agents.decider import Wrapped, answered, called_with
from toolkit.agents.decision import Context, translated
from toolkit.agents.hush import hushed
from toolkit.agents.wrapped_tuning import WrappedProgram
from toolkit.errors import Outage, ToolkitError
from toolkit.lm.direct import DirectLM
from toolkit.records import Example, Experience, Learned, Step, Task
from toolkit.streams.scoring import normal

if TYPE_CHECKING:
    from toolkit.agents.agent import Agent
    from toolkit.traits.learning.tuned import Optimiser

TUNE = "tune"
"""The step under which a compilation's calls are taped."""

AGAIN = "again"
"""The step under which past tasks are asked again."""

_REWRITE = (
    "Rewrite the instruction for an assistant whose answers are shown. Say in one or two sentences how to tell the "
    "right answer, so that cases like these come out right."
)


class Tuning:
    """What a learner that tunes gets from its agent; see `toolkit.traits.learning.tuned.Tuning`.

    Parameters
    ----------
    agent
        Whose decision step it is.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._met: dict[str, tuple[Task, Context]] = {}

    @property
    def step(self) -> Step:
        """The decision step."""
        return self._agent.step

    @property
    def target(self) -> Any:
        """The program that the arm wraps; None where it wraps none."""
        decider = self._agent.decider
        return decider.target if isinstance(decider, Wrapped) else None

    def __deepcopy__(self, memo: object) -> Tuning:
        """Itself: an optimiser copies programs, not the run that they belong to."""
        return self

    def met(self, experience_id: str, task: Task, context: Context) -> None:
        """Keep in which context a task is answered."""
        self._met[experience_id] = task, context
        most = 4 * self._agent.learning.revisits  # feedback may be late
        while len(self._met) > most:
            del self._met[next(iter(self._met))]

    def remembers(self, experience_id: str) -> bool:
        """Whether a past task can be asked again."""
        return experience_id in self._met

    def agrees(self, answer: str, known: str) -> bool:
        """Whether an answer says the same as the one that is known to be right, but for case, articles and stops."""
        return normal(answer) == normal(known)

    def again(self, experience_id: str, learned: Learned) -> str:
        """What would have been answered with another learned block; charged to adapting.

        Raises
        ------
        AnswerError
            If there is no usable answer.
        """
        task, context = self._met[experience_id]
        agent = self._agent
        with agent.decision.booked("adapting", AGAIN):
            turn = agent.decider.decide(agent.step, task, replace(context, learned=learned), agent.decision)
        return turn.meant

    def compiled(
        self,
        optimiser: Optimiser,
        train: Sequence[Experience],
        held: Sequence[Experience],
        learned: Learned,
        budget: int,
        seed: int,
        reflection: int | None = None,
    ) -> Learned:
        """What an optimiser makes of a learned block; ``reflection`` is the number of the model that writes.

        Raises
        ------
        Outage
            If the model could not be reached; nothing is asked after that.
        """
        wraps, step = self.target is not None, self._agent.step
        program: Any = WrappedProgram(self, learned) if wraps else Program(self, learned)
        asked = _Asked(self, program, train, held, budget, seed)
        with hushed(), self._agent.decision.tuning(TUNE) as lm, dspy.context(lm=(guarded := _Guarded(lm))):
            asked.writer = guarded if reflection is None else guarded.directed(reflection)
            try:
                made = _COMPILERS[optimiser](asked)
            except Exception:
                guarded.raise_met()
                raise
            guarded.raise_met()
        if isinstance(made, WrappedProgram):
            return made.learned()
        said = made.decide.signature.instructions
        examples = tuple(_example(demo, step.inputs, step.output) for demo in made.decide.demos)
        return Learned("" if said == step.instruction else said, tuple(one for one in examples if one is not None))

    def predicted(self, program: Program, experience_id: str) -> dspy.Prediction:
        """The decision step on a past task, with a program's instruction and demonstrations."""
        task, context = self._met[experience_id]
        step = self._agent.step
        demos = (_example(demo, step.inputs, step.output) for demo in program.decide.demos)
        block = Learned(program.decide.signature.instructions, tuple(one for one in demos if one is not None))
        return self._agent.decision.predicted(program.decide, step, task, replace(context, learned=block))

    def ran(self, program: dspy.Module, experience_id: str) -> dspy.Prediction:
        """What a copy of the wrapped program answers to a past task, the answer in the decision step's field."""
        agent, (task, _) = self._agent, self._met[experience_id]
        found = agent.decision.ran(program, called_with(program, task))
        answer = answered(self.step, found)
        return (
            found if self.step.output in found else dspy.Prediction(**{**dict(found.items()), self.step.output: answer})
        )


class Program(dspy.Module):
    """The decision step as a DSPy program that knows which past task it is asked about.

    Parameters
    ----------
    tuning
        Knows the tasks.
    learned
        What it begins with.
    """

    def __init__(self, tuning: Tuning, learned: Learned) -> None:
        super().__init__()
        self._tuning = tuning
        step = tuning._agent.step
        fields = {name: (str, dspy.InputField()) for name in step.inputs} | {step.output: (str, dspy.OutputField())}
        self.decide = dspy.Predict(dspy.Signature(fields, learned.instruction or step.instruction))
        self.decide.demos = [dspy.Example(**one.inputs, **{step.output: one.answer}) for one in learned.examples]

    def forward(self, episode: str, **inputs: str) -> dspy.Prediction:
        """The decision on the task of an episode."""
        return self._tuning.predicted(self, episode)


class _Asked:
    """What a compiler is given."""

    def __init__(
        self,
        tuning: Tuning,
        program: Program,
        train: Sequence[Experience],
        held: Sequence[Experience],
        budget: int,
        seed: int,
    ) -> None:
        self._tuning, self.program, self.budget, self.seed = tuning, program, budget, seed
        self.writer: dspy.LM = dspy.settings.lm
        self.chats = tuning._agent.decision.chats
        self.step = tuning._agent.step
        self._told = {one.id: one for one in (*train, *held)}
        self.train, self.held = [self._case(one) for one in train], [self._case(one) for one in held]

    def _case(self, one: Experience) -> dspy.Example:
        values = {**one.task.inputs, self.step.output: one.known_answer}
        return dspy.Example(episode=one.id, **values).with_inputs("episode", *self.step.inputs)

    def score(self, case: dspy.Example, found: Any, trace: object = None) -> float:
        """1 where the answer is the one that is known to be right."""
        answer = str((found or {}).get(self.step.output, ""))
        return float(self._tuning.agrees(answer, case[self.step.output]))

    def said(
        self, case: dspy.Example, found: Any, trace: object = None, name: object = None, steps: object = None
    ) -> dspy.Prediction:
        """Score, and in words what was wrong."""
        score, told = self.score(case, found), self._told[case.episode].feedback
        answer = str((found or {}).get(self.step.output, ""))
        words = f"{answer!r} is right." if score else f"{answer!r} is wrong; {case[self.step.output]!r} is right."
        return dspy.Prediction(score=score, feedback=f"{words} {told.text if told else ''}".strip())


def _bootstrap(asked: _Asked) -> Program:
    """Demonstrations that the program itself has answered rightly."""
    from dspy.teleprompt import BootstrapFewShot

    made = BootstrapFewShot(metric=asked.score, max_bootstrapped_demos=3, max_labeled_demos=3)
    found: Program = made.compile(asked.program, trainset=asked.train[::-1][: asked.budget])  # the latest first
    return found


def _random_search(asked: _Asked) -> Program:
    """The best of several sets of demonstrations."""
    from dspy.teleprompt import BootstrapFewShotWithRandomSearch

    made = BootstrapFewShotWithRandomSearch(
        metric=asked.score,
        max_bootstrapped_demos=3,
        max_labeled_demos=3,
        num_candidate_programs=max(1, asked.budget // len(asked.held) - 3),  # beside three that it always tries
        num_threads=1,
    )
    found: Program = made.compile(asked.program, trainset=asked.train, valset=asked.held)
    return found


def _mipro(asked: _Asked) -> Program:
    """Instructions and demonstrations together, by Bayesian search."""
    import optuna
    from dspy.teleprompt import MIPROv2

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials = max(2, asked.budget // len(asked.held))
    made = MIPROv2(
        metric=asked.score,
        prompt_model=asked.writer,
        auto=None,
        num_candidates=min(4, trials),
        max_bootstrapped_demos=2,
        max_labeled_demos=2,
        num_threads=1,
        seed=asked.seed,
    )
    found: Program = made.compile(
        asked.program, trainset=asked.train, valset=asked.held, num_trials=trials, minibatch=False
    )
    return found


def _simba(asked: _Asked) -> Program:
    """Rules and demonstrations from tasks that are right sometimes."""
    from dspy.teleprompt import SIMBA

    batch = min(6, len(asked.train))
    tries = 3
    made = SIMBA(
        metric=asked.said,
        prompt_model=asked.writer,
        bsize=batch,
        num_candidates=tries,
        max_steps=max(1, asked.budget // (2 * batch * tries)),
        max_demos=3,
        num_threads=1,
    )
    found: Program = made.compile(asked.program, trainset=asked.train, seed=asked.seed)
    return found


def _gepa(asked: _Asked) -> Program:
    """Instructions from reflection on mistakes."""
    from dspy.teleprompt import GEPA

    made = GEPA(
        metric=asked.said,
        max_metric_calls=asked.budget,
        reflection_minibatch_size=min(3, len(asked.train)),
        reflection_lm=asked.writer,
        instruction_proposer=None if asked.chats else _rewritten,
        num_threads=1,
        seed=asked.seed,
    )
    found: Program = made.compile(asked.program, trainset=asked.train, valset=asked.held)
    return found


def _rewritten(
    candidate: Mapping[str, str], reflective_dataset: Mapping[str, Any], components_to_update: Sequence[str]
) -> dict[str, str]:
    """New instructions, asked for in plain words: what DSPy asks for is JSON, which small models do not write."""
    write = dspy.Predict(dspy.Signature("instruction, cases -> better", _REWRITE))
    found = {}
    for name in components_to_update:
        said = write(instruction=candidate[name], cases=_cases(reflective_dataset[name])).better
        found[name] = str(said).strip() or candidate[name]
    return found


def _cases(told: Sequence[Mapping[str, Any]]) -> str:
    """What was asked, answered and said of it, in a line each."""
    lines = []
    for one in told:
        given = "; ".join(str(value) for name, value in one["Inputs"].items() if name != "episode")
        lines.append(f"{given} - {one['Feedback']}")
    return "\n".join(lines)


def _copro(asked: _Asked) -> Program:
    """Instructions by coordinate ascent."""
    from dspy.teleprompt import COPRO

    made = COPRO(
        prompt_model=asked.writer, metric=asked.score, breadth=3, depth=max(1, asked.budget // (3 * len(asked.train)))
    )
    found: Program = made.compile(
        asked.program, trainset=asked.train, eval_kwargs={"num_threads": 1, "display_progress": False}
    )
    return found


_COMPILERS: dict[str, Callable[[_Asked], Program]] = {
    "bootstrap": _bootstrap,
    "random-search": _random_search,
    "mipro": _mipro,
    "simba": _simba,
    "gepa": _gepa,
    "copro": _copro,
}


class _Guarded(DirectLM):
    """A model that answers nothing more once it could not be reached: optimisers take every error for a bad answer."""

    def __init__(self, lm: DirectLM, number: int | None = None, met: list[Exception] | None = None) -> None:
        super().__init__(lm.model, lm.engine, lm.num_retries)
        self._number = number  # of the arm's several models; None = its own
        self._met = [] if met is None else met  # shared by every copy that an optimiser makes

    def __deepcopy__(self, memo: object) -> Any:
        return self.copy()

    def directed(self, number: int) -> _Guarded:
        """The same for another of the arm's models."""
        return _Guarded(self, number, self._met)

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        self.raise_met()
        try:
            with nullcontext() if self._number is None else self.engine.directed(self._number):
                return super().__call__(prompt, messages=messages, **kwargs)
        except Exception as error:
            known = translated(error)
            if isinstance(known, Outage) or (isinstance(known, ToolkitError) and known is not error.__cause__):
                self._met.append(known)
            raise

    def raise_met(self) -> None:
        """Raise what was met."""
        if self._met:
            raise self._met[0]


def _example(demo: Any, inputs: Sequence[str], output: str) -> Example | None:
    """A demonstration as an example of the decision step; None where it lacks a part."""
    values = dict(demo)
    if output not in values or not set(inputs) <= set(values):
        return None
    return Example({name: str(values[name]) for name in inputs}, str(values[output]), str(values.get("episode", "")))
