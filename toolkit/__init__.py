"""Find out, with evidence, whether turning a language model into an agent pays.

>>> import toolkit as tk
>>> tk.Arm("memory", memory=tk.Retrieval(k=4)).on
('memory',)

Names are loaded when they are first used, so that importing the toolkit costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_FACE = {
    "agents.abstaining": ("Abstaining",),
    "agents.agent": ("Agent",),
    "agents.arm": ("Arm", "floors", "static_arms", "world_rivals"),
    "agents.controls": ("RoleArms", "role_controls"),
    "agents.decider": (
        "Always",
        "ByModel",
        "Decider",
        "GroundTruth",
        "Lookup",
        "MostFrequent",
        "NearestNeighbour",
        "RandomChoice",
        "Wrapped",
    ),
    "agents.designs": ("Factorial", "by_channel", "factorial"),
    "agents.live": ("Answer", "LiveAgent"),
    "agents.role_import": ("Imported", "import_role", "roles_in"),
    "agents.rivals": ("ChainOfThought", "SelfConsistency", "SelfRefine"),
    "agents.routing": ("OnModel", "Routed"),
    "analysis": (
        "Abstentions",
        "Across",
        "Attribution",
        "CatchUp",
        "Comparison",
        "Corrected",
        "Detections",
        "Initiative",
        "Judged",
        "Payoff",
        "Preferred",
        "ProbeScores",
        "Rated",
        "RoleMatrix",
        "SecondPass",
        "TraitEffects",
        "Utility",
        "Versions",
        "Violations",
        "WordingEffect",
        "abstentions",
        "attribution",
        "catch_up",
        "compare",
        "day_one",
        "detections",
        "drifts",
        "initiative",
        "learning_curves",
        "main_effects",
        "payoff",
        "probe_scores",
        "read_results",
        "recovery",
        "regret",
        "role_matrix",
        "second_pass",
        "slopes",
        "transfer",
        "utility",
        "versions",
        "wording_effect",
    ),
    "component": ("Component", "registered"),
    "errors": ("AnswerError", "MissingExtra", "Outage", "SpecError", "ToolkitError"),
    "evaluation.annotating": ("ratings",),
    "evaluation.budget": ("Budget",),
    "evaluation.forecast": ("Forecast",),
    "evaluation.hypotheses": ("Hypothesis",),
    "evaluation.exams": ("Exams",),
    "evaluation.judge": ("Judge",),
    "evaluation.judging": ("judge", "judge_pairs"),
    "evaluation.learned": ("learned",),
    "evaluation.rater": ("Rater",),
    "evaluation.rescore": ("rescore",),
    "evaluation.spec": ("load", "save"),
    "evaluation.study": ("Study",),
    "evaluation.tracked_study": ("study_of",),
    "evaluation.violations": ("rule_violations",),
    "ledger.merge": ("merge",),
    "ledger.store": ("Ledger",),
    "lm.embedded": ("Embedded", "Gguf"),
    "lm.embedders": ("HostedEmbedder", "OwnEmbedder"),
    "lm.finetuned": ("FineTuned",),
    "lm.hosted": ("Hosted",),
    "lm.model": ("Model", "model"),
    "lm.reader": ("Reader",),
    "lm.scripted": ("Scripted",),
    "lm.scripted_actor": ("ScriptedActor",),
    "episode": ("Episode",),
    "lm.turns": ("Several", "TakingTurns"),
    "moves": ("Move", "Observation", "Outcome", "Tally", "Tool"),
    "records": (
        "Example",
        "Experience",
        "Feedback",
        "Key",
        "Learned",
        "Memory",
        "Recall",
        "Step",
        "Task",
        "Turn",
        "Usage",
    ),
    "streams.benchmarks": ("Banking77", "benchmark"),
    "streams.answers": ("Contains", "Selective", "TokenF1"),
    "streams.conversations": ("ChatLog", "Locomo", "LongMemEval"),
    "streams.cases": ("DeskCases",),
    "streams.channel": ("Channel", "FullLabel", "NoFeedback", "OneBit", "Scalar"),
    "streams.channels": (
        "Adversarial",
        "Critique",
        "Delayed",
        "HumanFeedback",
        "Implicit",
        "Missing",
        "Noisy",
        "Preference",
        "ShuffledFeedback",
    ),
    "streams.desk": ("Desk",),
    "streams.proactive": ("ProactiveBench",),
    "streams.gym": ("GymWorld", "Optimum", "Played"),
    "streams.questions": ("TwentyQuestions",),
    "streams.scoring": ("Scorer", "scorer"),
    "streams.stream": ("Stream",),
    "streams.synthetic": (
        "Abstention",
        "ClosedBook",
        "Contradiction",
        "ForgetOnRequest",
        "Interference",
        "KnowledgeUpdate",
        "LongLife",
        "MultiHop",
        "Personalisation",
        "RecallAtLag",
        "TemporalOrder",
    ),
    "streams.table": ("Table", "table"),
    "streams.tau2": ("Tau2",),
    "streams.worlds": ("Limits", "Reached", "Stepped", "Tallied", "World", "WorldStream"),
    "streams.text_games": ("TextWorldFiles",),
    "streams.text_made": ("TextWorld",),
    "streams.toy_text": ("ToyText",),
    "traits.goals": (
        "Agenda",
        "AskWhenUnsure",
        "Choice",
        "Goal",
        "GoalPolicy",
        "PlanActCheck",
        "ReAct",
        "Reactive",
        "Situation",
        "Watch",
    ),
    "traits.learning.cutoff": ("Cutoff",),
    "traits.learning": (
        "Adwin",
        "Bandit",
        "Cheatsheet",
        "Compiled",
        "DemoBuffer",
        "Detector",
        "FixedExamples",
        "Frozen",
        "Given",
        "Kswin",
        "Learner",
        "PageHinkley",
        "Playbook",
        "Together",
        "Tuned",
        "Watched",
    ),
    "traits.memory.bounded": ("Bounded",),
    "traits.memory.embedding": ("Embedder", "WordLlama"),
    "traits.memory.exchange": ("export_memories", "read_memories"),
    "traits.memory.facts": ("Facts",),
    "traits.memory.layered": ("Layered",),
    "traits.memory.lessons": ("Lessons", "Workflows"),
    "traits.memory.notes": ("LinkedNotes",),
    "traits.memory.policy": ("Forgotten", "MemoryPolicy", "NoMemory"),
    "traits.memory.renewed": ("Renewed",),
    "traits.memory.retrieval": ("PermutedLabels", "PoolRetrieval", "Retrieval", "Shuffled"),
    "traits.memory.store": ("Store",),
    "traits.memory.stored": ("StoredMemory",),
    "traits.memory.summary": ("RunningSummary",),
    "traits.memory.weighed": ("LatestWins", "Weighed"),
    "traits.memory.windows": ("FullContext", "SlidingWindow"),
    "traits.memory.written": ("WrittenMemory",),
    "traits.placebo": ("placebos",),
    "traits.role": ("NoRole", "Role", "RolePolicy"),
    "traits.role_files": ("role", "wordings"),
    "traits.rules": (
        "AmongOptions",
        "AtMostTimes",
        "AtMostWords",
        "MustNotSay",
        "MustSay",
        "NotAgain",
        "OnlyAfter",
        "Rule",
        "Said",
        "SilentUnless",
    ),
    "widgets.annotation": ("AnnotationQueue",),
    "widgets.answer_view": ("AnswerView",),
    "widgets.chat": ("Chat",),
    "widgets.compare_view": ("CompareView",),
    "widgets.episode": ("EpisodeView",),
    "widgets.feedback": ("FeedbackPanel",),
    "widgets.forms": ("ArmForm", "GoalForm", "LearnerForm", "MemoryForm"),
    "widgets.program_diff": ("ProgramDiff",),
    "widgets.role_form": ("RoleForm",),
    "widgets.live": ("LiveStudy",),
    "widgets.memory_view": ("AgentMemory", "MemoryInspector"),
    "widgets.mlflow_view": ("MlflowView", "RunInMlflow"),
    "widgets.study_form": ("StudyForm",),
}
_HOME = {name: module for module, names in _FACE.items() for name in names}
_FOLDERS = (
    "agents",
    "analysis",
    "checks",
    "evaluation",
    "ledger",
    "lm",
    "report",
    "stats",
    "streams",
    "traits",
    "widgets",
)

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _FOLDERS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("adaptive-agents-toolkit")
    import difflib

    close = difflib.get_close_matches(name, __all__, n=1)
    way_out = f"did you mean {close[0]!r}?" if close else f"dir({__name__}) lists what there is"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {way_out}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_FOLDERS, *(name for name in globals() if name.startswith("__"))})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What ``%load_ext toolkit`` calls: adds ``%ledger`` and ``%%ledger`` to a session."""
    from toolkit.widgets.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What ``%unload_ext toolkit`` calls."""
    from toolkit.widgets.magics import unload

    unload(shell)
