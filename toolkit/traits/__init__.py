"""The four traits."""

from toolkit.traits.goals import GoalPolicy, Reactive
from toolkit.traits.learning import DemoBuffer, FixedExamples, Frozen, Learner
from toolkit.traits.role import NoRole, Role, RolePolicy, role

__all__ = [
    "DemoBuffer",
    "FixedExamples",
    "Frozen",
    "GoalPolicy",
    "Learner",
    "NoRole",
    "Reactive",
    "Role",
    "RolePolicy",
    "role",
]
