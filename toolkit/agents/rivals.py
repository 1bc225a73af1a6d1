"""Ways for a static model to do better without being an agent: rivals that every claim for a trait must meet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.agents.decider import Decider
from toolkit.errors import AnswerError
from toolkit.records import Step, Task, Turn, Usage
from toolkit.traits.trait import must_be_positive

if TYPE_CHECKING:
    from toolkit.agents.decision import Context, Decision

REASON = "reason"
"""The step in which reasons are written."""


class ChainOfThought(Decider):
    """The model writes its reasons first, in a call of their own, then takes the decision with them before it.

    Closed options are so chosen in the way of the study, as by every other arm. Both calls are charged to the task.

    References
    ----------
    Wei et al. 2022, Chain-of-thought prompting elicits reasoning in large language models, NeurIPS.
    Kojima et al. 2022, Large language models are zero-shot reasoners, NeurIPS.
    """

    thinks = (REASON,)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Two calls."""
        name = "reasoning"
        while name in step.inputs:
            name += "_"
        among = f" The answer is one of: {', '.join(task.options)}." if task.options else ""
        asked = f"{step.instruction}{among} First think step by step: give your reasons in one line."
        said = decision.work_out(Step(REASON, asked, step.inputs, name), task, context)
        thought = replace(task, inputs={**task.inputs, name: said})
        return decision.decide(replace(step, inputs=(*step.inputs, name)), thought, context)


class SelfConsistency(Decider):
    """The answer given most often by several chains of thought, of equals the one given first.

    At temperature 0 all chains would be the same, so there is one. How sure it is of an answer (`Turn.confidence`) is
    the share of the chains that came to it.

    Parameters
    ----------
    samples
        Chains of thought at most, at least 1.
    tokens
        Tokens, read and written, that may be spent on a task: another chain is begun only if one of the mean cost so
        far still fits. The first is always made. 0 = no limit. Give what the agent to be met spends, to meet it at its
        own cost.

    References
    ----------
    Wang et al. 2023, Self-consistency improves chain of thought reasoning in language models, ICLR.
    """

    weighs = True
    thinks = (REASON,)

    def __init__(self, samples: int = 5, tokens: int = 0) -> None:
        self.samples = samples
        self.tokens = tokens

    def check(self) -> None:
        """At least one sample; no negative budget."""
        must_be_positive("SelfConsistency.samples", self.samples)
        if isinstance(self.tokens, bool) or not isinstance(self.tokens, int) or self.tokens < 0:
            raise ValueError(f"SelfConsistency.tokens must be an integer of at least 0 but is {self.tokens!r}")

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Chains until there are enough of them, or the next would cost too much; a vote over what they came to."""
        chain, votes, spent, lost = ChainOfThought(), Counter[str](), Usage(), None
        turn: Turn | None = None
        begun = 0
        for number in range(self.samples if decision.sampled else 1):
            if number and self.tokens and spent.tokens * (number + 1) / number > self.tokens:
                break
            begun += 1
            try:
                found = chain.decide(step, task, context, decision)
            except AnswerError as error:  # this chain has no vote; what it cost is charged all the same
                lost, cost = error, decision.recorder.take("acting")
            else:
                votes[found.answer] += 1
                turn, cost = turn or found, found.usage
            spent = spent + cost
        if turn is None:
            raise lost or AnswerError("failed", "no chain of thought was made")
        [(answer, agreeing)] = votes.most_common(1)
        return replace(turn, answer=answer, usage=spent, confidence=agreeing / begun)
