"""Goal policies: what an agent wants, and whether it acts on it unprompted."""

from toolkit.traits.goals.policy import Choice, Choose, GoalPolicy, Reactive, Situation

__all__ = ["Choice", "Choose", "GoalPolicy", "Reactive", "Situation"]
