"""The notebook's side: forms that are components, live views of studies, conversations."""

from toolkit.widgets.annotation import AnnotationQueue
from toolkit.widgets.answer_view import AnswerView
from toolkit.widgets.chat import Chat
from toolkit.widgets.compare_view import CompareView
from toolkit.widgets.episode import EpisodeView
from toolkit.widgets.feedback import FeedbackPanel
from toolkit.widgets.forms import ArmForm, GoalForm, LearnerForm, MemoryForm
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.memory_view import AgentMemory, MemoryInspector
from toolkit.widgets.mlflow_view import MlflowView, RunInMlflow
from toolkit.widgets.program_diff import ProgramDiff
from toolkit.widgets.role_form import RoleForm
from toolkit.widgets.study_form import StudyForm

__all__ = [
    "AgentMemory",
    "AnnotationQueue",
    "AnswerView",
    "ArmForm",
    "Chat",
    "CompareView",
    "EpisodeView",
    "FeedbackPanel",
    "GoalForm",
    "LearnerForm",
    "LiveStudy",
    "MemoryForm",
    "MemoryInspector",
    "MlflowView",
    "ProgramDiff",
    "RoleForm",
    "RunInMlflow",
    "StudyForm",
]
