"""The four traits."""

from toolkit.traits.goals import Agenda, AskWhenUnsure, GoalPolicy, PlanActCheck, ReAct, Reactive, Watch
from toolkit.traits.learning import DemoBuffer, FixedExamples, Frozen, Learner
from toolkit.traits.role import NoRole, Role, RolePolicy
from toolkit.traits.role_files import role, wordings

__all__ = [
    "Agenda",
    "AskWhenUnsure",
    "DemoBuffer",
    "FixedExamples",
    "Frozen",
    "GoalPolicy",
    "Learner",
    "NoRole",
    "PlanActCheck",
    "ReAct",
    "Reactive",
    "Role",
    "RolePolicy",
    "Watch",
    "role",
    "wordings",
]
