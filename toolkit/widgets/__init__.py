"""The notebook's side: forms that are components, live views of studies, conversations."""

from toolkit.widgets.chat import Chat
from toolkit.widgets.episode import EpisodeView
from toolkit.widgets.forms import ArmForm, LearnerForm, MemoryForm
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.role_form import RoleForm
from toolkit.widgets.study_form import StudyForm

__all__ = ["ArmForm", "Chat", "EpisodeView", "LearnerForm", "LiveStudy", "MemoryForm", "RoleForm", "StudyForm"]
