"""Waiting for what another thread or process does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest


def until(holds: Callable[[], object]) -> None:
    """Return as soon as something holds; a minute at most."""
    pulse = threading.Event()
    for _ in range(1200):
        if holds():
            return
        pulse.wait(0.05)
    pytest.fail("it never came to hold")
