"""Thinking before acting: a thought before each action, or a plan that is carried out step by step and checked."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.moves import WAIT, Act, Autonomy, Tool
from toolkit.records import Step, Task
from toolkit.traits.goals.policy import Choose, Situation
from toolkit.traits.goals.thoughtful import SHOWN, Thoughtful, parts_of, says, shown
from toolkit.traits.wording import LONGEST, READ

THOUGHT = Step(
    "thought", "Think about what to do next and why, in one or two sentences. Do not act yet.", SHOWN, "thought"
)
"""The step by which `ReAct` thinks."""

DRAFT = Step(
    "draft-plan",
    "Plan what has to be done for the task: a few short steps in order, parted by semicolons.",
    SHOWN,
    "steps",
)
"""The step by which `PlanActCheck` plans."""

CHECK = Step(
    "check-step",
    "Was this step of the plan carried out? Say yes, or no and why.",
    ("task", "plan_step", "so_far", "now"),
    "verdict",
)
"""The step by which `PlanActCheck` checks."""

_STEPS = 8  # of a plan, at most


class ReAct(Thoughtful):
    """Before each action a thought, by a step of its own; it stands in the prompt of the decision.

    A thought that cannot be read is left out, and the decision is taken without one. One call more for each action.

    Parameters
    ----------
    autonomy
        How it takes actions that change something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.
    ticks
        Whether it also thinks and acts where time has passed and nobody has prompted it.

    References
    ----------
    Yao et al. 2022, ReAct: synergizing reasoning and acting in language models, arXiv 2210.03629.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit.moves import Observation
    >>> from toolkit.traits.goals import Choice
    >>> policy = ReAct()
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "The handle says pull.")
    >>> policy.begin(Task("1", {"task": "Go out."}), ())
    >>> now = Situation(Task("1", {"task": "Go out."}), Observation("A door.", "prompt", ("push", "pull")))
    >>> policy.act(now, lambda among=None, *, thought="", **_: Choice("pull" if "pull" in thought else "push"))
    Act(action='pull', manner='ask', prompts=1, thought='The handle says pull.', refused='')
    """

    thinks = (THOUGHT.name,)

    def __init__(self, autonomy: Autonomy = "ask", ticks: bool = False) -> None:
        self.autonomy = autonomy
        self.ticks = ticks

    def wants(self, now: Situation) -> bool:
        """When prompted, after its own actions and, if it is told so, on ticks."""
        return self.ticks or super().wants(now)

    def act(self, now: Situation, choose: Choose) -> Act:
        """Think, then decide."""
        if not self.wants(now):
            return Act(WAIT)
        thought = self.ask_prose(THOUGHT, LONGEST, **shown(now))
        return self.acted(now, choose(thought=thought), thought)


class PlanActCheck(Thoughtful):
    """A plan, carried out step by step: each is checked after the action, and where it failed the rest is planned anew.

    The plan and the step that is due stand in the goal block. After each action one call asks whether the step was
    carried out; whoever says neither yes nor no is taken to say yes. Where the model writes no plan there is none, and
    the decision is taken as without a policy.

    Parameters
    ----------
    replans
        How often it may plan anew in a task, at least 0. After that a step that failed is tried again.
    autonomy
        How it takes actions that change something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.
    ticks
        Whether it also goes on where time has passed and nobody has prompted it.

    References
    ----------
    Wang et al. 2023, Plan-and-solve prompting: improving zero-shot chain-of-thought reasoning by large language models,
    ACL: the plan. Huang et al. 2022, Inner monologue: embodied reasoning through planning with language models, CoRL:
    success detection after each step, and planning anew.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit.moves import Observation
    >>> from toolkit.traits.goals import Choice
    >>> policy, task = PlanActCheck(), Task("1", {"task": "Go out."})
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "1. pull the door 2. walk")
    >>> policy.begin(task, ())
    >>> act = policy.act(Situation(task, Observation("A door.", "prompt")), lambda *_, **__: Choice("pull"))
    >>> print(policy.block(task))
    Plan: 1. pull the door 2. walk
    Now step 1: pull the door
    """

    thinks = (DRAFT.name, CHECK.name)

    def __init__(self, replans: int = 2, autonomy: Autonomy = "ask", ticks: bool = False) -> None:
        self.replans = replans
        self.autonomy = autonomy
        self.ticks = ticks

    def check(self) -> None:
        """No negative number of plans."""
        super().check()
        if isinstance(self.replans, bool) or not isinstance(self.replans, int) or self.replans < 0:
            raise ValueError(f"PlanActCheck.replans must be an integer of at least 0 but is {self.replans!r}")

    def begin(self, task: Task, tools: Sequence[Tool]) -> None:
        """Nothing is planned yet."""
        super().begin(task, tools)
        self._plan: tuple[str, ...] | None = None
        self._place = self._drafts = 0

    def block(self, task: Task) -> str:
        """The plan, and the step that is due."""
        if not self.begun(task) or not self._plan:
            return ""
        whole = " ".join(f"{number}. {step}" for number, step in enumerate(self._plan, start=1))
        return f"Plan: {whole}\n{self._due()}"

    def wants(self, now: Situation) -> bool:
        """When prompted, after its own actions and, if it is told so, on ticks."""
        return self.ticks or super().wants(now)

    def act(self, now: Situation, choose: Choose) -> Act:
        """Plan or check, then decide."""
        if not self.wants(now):
            return Act(WAIT)
        if self._plan is None:
            self._draft(now)
        elif self._place < len(self._plan) and now.moves and now.moves[-1].action != WAIT:
            self._check(now)
        return self.acted(now, choose(), self._due())

    def _due(self) -> str:
        if not self._plan:
            return ""
        if self._place == len(self._plan):
            return "All steps of the plan are done."
        return f"Now step {self._place + 1}: {self._plan[self._place]}"

    def _draft(self, now: Situation) -> None:
        self._plan, self._place = parts_of(self.ask(DRAFT, READ // 2, **shown(now)), _STEPS), 0

    def _check(self, now: Situation) -> None:
        told = shown(now)
        due = (self._plan or ("",))[self._place]
        verdict = self.ask(CHECK, task=told["task"], plan_step=due, so_far=told["so_far"], now=told["now"])
        if says(verdict) != "no":
            self._place += 1
        elif self._drafts < self.replans:
            self._drafts += 1
            self._draft(now)
