"""Goal policies: what an agent wants, and whether it acts on it unprompted."""

from toolkit.traits.goals.agenda import Agenda, Goal
from toolkit.traits.goals.asking import AskWhenUnsure
from toolkit.traits.goals.policy import Choice, Choose, GoalPolicy, Reactive, Situation
from toolkit.traits.goals.reasoning import PlanActCheck, ReAct
from toolkit.traits.goals.watch import Watch

__all__ = [
    "Agenda",
    "AskWhenUnsure",
    "Choice",
    "Choose",
    "Goal",
    "GoalPolicy",
    "PlanActCheck",
    "ReAct",
    "Reactive",
    "Situation",
    "Watch",
]
