"""Goal policies: what an agent wants, and whether it acts on it unprompted. The first member only answers."""

from __future__ import annotations

from toolkit.records import Task
from toolkit.traits.trait import Trait


class GoalPolicy(Trait, kind="goals"):
    """What the agent is after."""

    def block(self, task: Task) -> str:
        """The goal block of the prompt for ``task``; empty adds nothing."""
        return ""


class Reactive(GoalPolicy):
    """Answers when prompted, and does nothing else."""

    stateless = True
