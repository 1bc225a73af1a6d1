"""Ways for a static model to do better without being an agent: rivals that every claim for a trait must meet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.agents.decider import Decider
from toolkit.errors import AnswerError
from toolkit.records import Step, Task, Turn, Usage
from toolkit.traits.trait import must_be_positive
from toolkit.traits.wording import words

if TYPE_CHECKING:
    from toolkit.agents.decision import Context, Decision

REASON = "reason"
"""The step in which reasons are written."""

CRITIQUE = "critique"
"""The step in which an answer is criticised."""

CONTENT = "no change"
"""What a critique says where the answer may stand."""


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
        name = _unused("reasoning", step)
        asked = f"{step.instruction}{_among(task)} First think step by step: give your reasons in one line."
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


class SelfRefine(Decider):
    """The model answers, criticises its answer, and answers again with all critiques so far before it.

    It ends when a critique says "no change", or after so many rounds; the last answer holds. Each critique is a call of
    its own, and closed options are chosen in the way of the study, as by every other arm. A critique or an answer after
    one that is of no use (it does not parse or does not fit) ends it too, and the answer before stands. All calls are
    charged to the task.

    Parameters
    ----------
    rounds
        Critiques at most, at least 1; each but the last that is content costs two calls.

    References
    ----------
    Madaan et al. 2023, Self-Refine: iterative refinement with self-feedback, NeurIPS; four rounds are theirs.
    """

    thinks = (CRITIQUE,)

    def __init__(self, rounds: int = 4) -> None:
        self.rounds = rounds

    def check(self) -> None:
        """At least one round."""
        must_be_positive("SelfRefine.rounds", self.rounds)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """One call, and two for each round that changes something."""
        recorder, name = decision.recorder, _unused("critique", step)
        turn = decision.decide(step, task, context)
        spent, status, critiques = turn.usage, recorder.last_status, list[str]()
        for _ in range(self.rounds):
            try:
                said = self._critique(step, task, context, decision, turn.answer)
                if f" {CONTENT} " in f" {' '.join(words(said))} ":
                    break
                critiques.append(f"{turn.answer}: {said}")
                told = replace(task, inputs={**task.inputs, name: "\n".join(critiques)})
                turn = decision.decide(replace(step, inputs=(*step.inputs, name)), told, context)
            except AnswerError:  # on the tape, and charged; the answer that there is is one
                break
            spent, status = spent + turn.usage, recorder.last_status
        recorder.last_status = status  # a critique that was cut off makes no answer one that was
        return replace(turn, usage=spent + recorder.take("acting"))

    def _critique(self, step: Step, task: Task, context: Context, decision: Decision, answer: str) -> str:
        """What the model has to say of its answer, in a line."""
        proposed = _unused("proposed", step)
        asked = (
            f"{step.instruction}{_among(task)} An answer is proposed. If it is right, say: {CONTENT}. If not, say in "
            "one line what is wrong with it, and which would be better."
        )
        told = replace(task, inputs={**task.inputs, proposed: answer})
        return decision.work_out(Step(CRITIQUE, asked, (*step.inputs, proposed), "critique"), told, context)


def _unused(name: str, step: Step) -> str:
    """A name for another field beside those of a step."""
    while name in (*step.inputs, step.output):
        name += "_"
    return name


def _among(task: Task) -> str:
    """The closed options in words, for steps that nothing else holds to them."""
    return f" The answer is one of: {', '.join(task.options)}." if task.options else ""
