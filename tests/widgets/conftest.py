"""What every test of a widget needs."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest


@pytest.fixture(autouse=True)
def _widgets_are_closed() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()
