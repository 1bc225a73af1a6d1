"""Many runs at once on a slow server: how near the wall time comes to what the server's latency alone would take.

Also a server for it, in a process of its own: ``python benchmarks/hosted.py`` prints its port and answers after 200 ms.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import dspy
import measure

from toolkit import Arm, Hosted, Key, Step, Stream, Study, Task

STREAMS, STEPS, LATENCY = 64, 30, 0.2
REPEATS = 5

_BODY = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "model": "slow",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21},
    }
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class Questions(Stream):
    """Short texts that differ."""

    step = Step("decide", "Is it odd?", ("text",), "odd")

    def __init__(self, tasks: int = STEPS) -> None:
        self.tasks = tasks

    def load(self) -> list[tuple[Task, Key]]:
        return [(Task(f"t{n}", {"text": f"number {n}"}, ("yes", "no")), Key(("yes",))) for n in range(self.tasks)]


def studied(address: str, folder: str) -> None:
    """One study of 64 runs: the whole loop, taped, scored and written to disk."""
    lm = Hosted("openai/slow", api_base=address, parallel=STREAMS)
    made = Study("slow", Questions(), arms=[Arm.static()], lm=lm, seeds=STREAMS, ledger=folder, tracking="off")
    statuses = {record.status for record in made.run()}
    if statuses != {"finished"}:
        raise RuntimeError(f"not every run finished: {statuses}")


def bare(address: str, folder: str) -> None:
    """The peer: threads that call DSPy and keep nothing."""
    lm = dspy.LM("openai/slow", api_base=address, api_key="none", cache=False, temperature=0.0, max_tokens=64)

    def course(number: int) -> None:
        with dspy.context(disable_history=True):
            for step in range(STEPS):
                lm(messages=[{"role": "user", "content": f"course {number}, step {step}: is it odd?"}])

    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(course, range(STREAMS)))


def nothing(address: str, folder: str) -> None:
    """The instrument: threads that send bytes, wait for bytes and do nothing with them."""
    place = urlsplit(address)
    asked = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n" + 400 * b" "

    def course(number: int) -> None:
        with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
            for _ in range(STEPS):
                connection.sendall(asked)
                connection.recv(65_536)

    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(course, range(STREAMS)))


def measure_hosted() -> None:
    """Print all three, as multiples of the server's latency times the steps of one run."""
    with slow_server() as address:
        for work in (studied, bare):
            _seconds(work, address)  # imports, connections
        ideal, rounds = STEPS * LATENCY, list[tuple[float, ...]]()
        for _ in range(REPEATS):
            rounds.append(tuple(_seconds(work, address) for work in (studied, bare, nothing)))
    name = f"{STREAMS} runs x {STEPS} steps at {LATENCY * 1000:.0f} ms over HTTP, wall / ideal"
    measure.show(name, "<= 1.05", [ours / ideal for ours, _, _ in rounds])
    measure.show("  threads on dspy.LM alone, wall / ideal", "", [theirs / ideal for _, theirs, _ in rounds])
    measure.show("  ours / theirs", "", [ours / theirs for ours, theirs, _ in rounds])
    measure.show("  threads that do nothing, wall / ideal", "", [least / ideal for _, _, least in rounds])


def _seconds(work: Callable[[str, str], None], address: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        work(address, folder)
        return time.perf_counter() - started


@contextmanager
def slow_server() -> Iterator[str]:
    """The address of a server in another process."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


class _Slow(asyncio.Protocol):
    """One connection: each request is answered 200 ms after its last byte, with as little work as can be."""

    def __init__(self) -> None:
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if found and length and len(body) >= int(length[1]):
            self._got = body[int(length[1]) :]
            asyncio.get_running_loop().call_later(LATENCY, self._transport.write, _ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Slow, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
