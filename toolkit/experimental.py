"""Which names of the public face may still change: the one place where that is said.

All others are stable: code and studies that use them work with the next version too, or are told one version before
what to write instead. An experimental one may change or go with any version, and the change log says so.
"""

from __future__ import annotations

_LIVE = ("Agent", "AgentMemory", "Answer", "Chat", "LiveAgent")
_WORLDS = (
    "Always",
    "DeskCases",
    "EpisodeView",
    "GymWorld",
    "Limits",
    "Move",
    "Observation",
    "Optimum",
    "Outcome",
    "Played",
    "ProactiveBench",
    "Reached",
    "ScriptedActor",
    "Stepped",
    "Tallied",
    "Tally",
    "Tau2",
    "TextWorld",
    "TextWorldFiles",
    "Tool",
    "ToyText",
    "TwentyQuestions",
    "World",
    "WorldStream",
    "world_rivals",
)
_GOALS = (
    "Agenda",
    "AskWhenUnsure",
    "Choice",
    "Goal",
    "GoalForm",
    "GoalPolicy",
    "Initiative",
    "PlanActCheck",
    "ReAct",
    "Situation",
    "Utility",
    "Watch",
    "initiative",
    "utility",
)
_MEMORY = (
    "Facts",
    "Forgotten",
    "HostedEmbedder",
    "Lessons",
    "LinkedNotes",
    "OwnEmbedder",
    "Renewed",
    "RunningSummary",
    "Weighed",
    "Workflows",
    "WrittenMemory",
)
_ROLES = (
    "CatchUp",
    "Imported",
    "RoleMatrix",
    "Violations",
    "WordingEffect",
    "catch_up",
    "import_role",
    "role_matrix",
    "roles_in",
    "rule_violations",
    "wording_effect",
)
_LEARNING = (
    "Adwin",
    "Compiled",
    "Cutoff",
    "Detections",
    "Detector",
    "FineTuned",
    "Kswin",
    "PageHinkley",
    "ProgramDiff",
    "Tuned",
    "Versions",
    "Watched",
    "detections",
    "learned",
    "versions",
)
_ROUTING = (
    "Abstaining",
    "Abstentions",
    "OnModel",
    "Routed",
    "Selective",
    "Several",
    "TakingTurns",
    "abstentions",
)
_JUDGING = (
    "AnnotationQueue",
    "Corrected",
    "FeedbackPanel",
    "HumanFeedback",
    "Judge",
    "Judged",
    "Preferred",
    "Rated",
    "Rater",
    "judge",
    "judge_pairs",
    "ratings",
)
_VIEWS = ("AnswerView", "CompareView", "MemoryInspector", "MlflowView", "RunInMlflow", "study_of")

EXPERIMENTAL = frozenset({*_LIVE, *_WORLDS, *_GOALS, *_MEMORY, *_ROLES, *_LEARNING, *_ROUTING, *_JUDGING, *_VIEWS})
"""Names of ``toolkit.__all__``."""
