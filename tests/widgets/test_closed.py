"""What was closed is gone: a notebook in which forms are made all day keeps none that nobody has."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import ipywidgets
import pytest

import toolkit as tk
from toolkit.evaluation.study import Study

ARM = tk.Arm("memory", memory=tk.Retrieval(k=3))
VIEWS: dict[str, Callable[[Study], ipywidgets.Widget]] = {
    "arm form": lambda study: tk.ArmForm(ARM),
    "memory form": lambda study: tk.MemoryForm(),
    "study form": lambda study: tk.StudyForm(study),
    "annotation queue": lambda study: tk.AnnotationQueue(study, 2, rater="ann"),
    "comparison": lambda study: tk.CompareView(study),
    "live": lambda study: tk.LiveStudy(study),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_that_is_closed_and_that_nobody_has_takes_no_room(view: str, study: Callable[..., Study]) -> None:
    done = study(tk.Arm.static(), ARM)
    done.run()
    gone = weakref.ref(VIEWS[view](done))
    assert gone() is not None
    ipywidgets.Widget.close_all()
    for thread in threading.enumerate():
        if thread.name == f"live-{done.name}":
            thread.join(60)
    gc.collect()
    assert gone() is None
