"""What the notebook's kernel is told, so that it hears widgets in time and loses nothing of what they say."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

_ROOM = 100_000
"""Messages that may wait for a busy Jupyter server: those of a hundred arms, some 100 MB at most."""


def hear_beside_a_running_cell(comm: Any) -> None:
    """Take a button's message in the subshell that JupyterLab sent it to.

    ipykernel 7.4 hands it to whichever loop last published on the comm: the main one, which is busy while a cell runs,
    so that *Stop* would wait for the cell's end. Kernels without subshells know nothing of this, and wait.
    """
    comm._reply_subshell_for = lambda data, asked: asked


def lose_no_message() -> None:
    """Let what widgets say wait until the server takes it; nothing happens outside a notebook.

    A form says itself in thousands of messages at once. ZeroMQ keeps 1,000 for a reader that falls behind and drops
    the rest without a word: on a busy machine parts of a form never came, and "javascript error" stood in their place.
    """
    thread = getattr(getattr(get_ipython(), "kernel", None), "iopub_thread", None)
    if thread is not None:
        thread.schedule(lambda: setattr(thread.socket, "sndhwm", _ROOM))
