"""A form in a real kernel whose reader has fallen behind: all of it arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq
from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.manager import start_new_kernel

FORMS = "import toolkit as tk, ipywidgets\nforms = [tk.StudyForm() for _ in range(3)]\n"
COUNT = "print('widgets', len(ipywidgets.Widget.widgets))"


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def behind(manager: KernelManager, client: BlockingKernelClient) -> zmq.Socket[bytes]:
    """A reader with room for next to nothing, as a Jupyter server that gets no time from a busy machine."""
    reader = zmq.Context.instance().socket(zmq.SUB)
    reader.setsockopt(zmq.RCVHWM, 1)
    reader.setsockopt(zmq.RCVBUF, 4096)
    reader.subscribe(b"")
    reader.connect(f"tcp://127.0.0.1:{manager.iopub_port}")
    while not reader.poll(100):  # until it is heard
        client.kernel_info()
    return reader


def test_a_form_of_thousands_of_messages_reaches_a_reader_that_has_fallen_behind(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    reader = behind(*kernel)
    reply = kernel[1].execute_interactive(FORMS + COUNT, output_hook=lambda message: None)
    assert reply["content"]["status"] == "ok", reply
    opened, told = 0, b""
    while not told:
        assert reader.poll(60_000), f"after {opened} widgets nothing comes, nor the cell's own output"
        parts = reader.recv_multipart()
        opened += any(b'"comm_open"' in part for part in parts)
        told = next((part for part in parts if b"widgets " in part and b"stdout" in part), b"")
    assert opened > 4000
    assert f"widgets {opened}".encode() in told
