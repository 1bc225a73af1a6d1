"""The notebook's side: forms that are components, and live views of studies."""

from toolkit.widgets.forms import ArmForm, MemoryForm, RoleForm
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.study_form import StudyForm

__all__ = ["ArmForm", "LiveStudy", "MemoryForm", "RoleForm", "StudyForm"]
