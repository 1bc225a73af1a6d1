"""Ports on loopback: one that is free, and the wait for a server of another process to listen on it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from threading import Event

import pytest


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes], log: Path, looks: int = 6000) -> None:
    """Come back when somebody listens; if the process ends first, or a tenth of so many seconds passes, its log."""
    for _ in range(looks):
        if process.poll() is not None:
            break
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        Event().wait(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
