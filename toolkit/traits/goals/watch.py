"""A watch: silent until something happens that it looks out for."""

from __future__ import annotations

import re

from toolkit.moves import WAIT, Act, Autonomy
from toolkit.traits.goals.policy import Choose, GoalPolicy, Situation

NEEDED = "Nobody has asked for anything. Does what is seen now call for action? Say yes or no."
"""What stands in the prompt, in the place of a thought, when `Watch` asks for a judgement."""


class Watch(GoalPolicy):
    """Acts where time has passed if a condition is met and the model judges that there is need; else it is silent.

    A tick whose text meets no condition costs nothing. One that does costs the judgement, a choice of ``yes`` and
    ``no`` by the agent's decision step; only if that says yes, the decision is taken. A decider that answers the
    judgement by an action is taken to say yes, by ``wait`` no. When it is prompted, and after its own actions, it acts
    as usual.

    Parameters
    ----------
    conditions
        Any of them must be found in what is seen: words, or regular expressions; case does not count. If
        there are none, every tick meets them.
    judge
        Whether the model is asked first if there is need to act; else it decides at once.
    autonomy
        How it takes actions that change something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.

    References
    ----------
    Lu et al. 2024, Proactive agent: shifting LLM agents from reactive responses to active assistance, arXiv 2410.12361:
    whether help is needed is judged first.

    Examples
    --------
    >>> from toolkit.moves import Observation
    >>> from toolkit.records import Task
    >>> from toolkit.traits.goals import Choice
    >>> watch = Watch(("smoke", r"\\b[4-9]\\d degrees"), judge=False)
    >>> for text in ("All is quiet.", "It has 40 degrees."):
    ...     now = Situation(Task("1", {}), Observation(text, "tick"))
    ...     watch.act(now, lambda *_, **__: Choice("ring")).action
    'wait'
    'ring'
    """

    stateless = True

    def __init__(self, conditions: tuple[str, ...] = (), judge: bool = True, autonomy: Autonomy = "ask") -> None:
        self.conditions = conditions
        self.judge = judge
        self.autonomy = autonomy

    def check(self) -> None:
        """Conditions are expressions that say something."""
        super().check()
        if isinstance(self.conditions, str):
            raise ValueError(
                f"Watch.conditions must be several texts but is {self.conditions!r}: give ({self.conditions!r},)"
            )
        for condition in self.conditions:
            if not isinstance(condition, str) or not condition.strip():
                raise ValueError(f"Watch.conditions must be words or regular expressions but holds {condition!r}")
            try:
                re.compile(condition)
            except re.error as error:
                raise ValueError(
                    f"Watch.conditions: {condition!r} is no regular expression: {error}; signs that stand for "
                    f"themselves need a backslash: {re.escape(condition)!r}"
                ) from error

    def because(self, now: Situation, act: Act) -> str:
        """The conditions that were met."""
        found = [one for one in self.conditions if re.search(one, now.now.text, re.IGNORECASE)]
        return ", ".join(found) or super().because(now, act)

    def met(self, text: str) -> bool:
        """Whether what is seen meets a condition."""
        return not self.conditions or any(re.search(one, text, re.IGNORECASE) for one in self.conditions)

    def wants(self, now: Situation) -> bool:
        """On ticks only where a condition is met."""
        return super().wants(now) or self.met(now.now.text)

    def act(self, now: Situation, choose: Choose) -> Act:
        """On a tick judge first, then decide."""
        if not self.wants(now):
            return Act(WAIT)
        if now.now.cause == "tick" and self.judge:
            judged = choose(among=("yes", "no"), thought=NEEDED)
            if judged.refused or judged.action in ("no", WAIT, ""):
                return Act(WAIT, self.autonomy, thought="no need to act")
            return self.acted(now, choose(), "there is need to act")
        return self.acted(now, choose())
