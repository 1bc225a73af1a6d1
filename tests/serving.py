"""Servers for tests, on loopback: one that misbehaves as it is told to, and llama.cpp's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from errands import Errands

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import Ledger
from toolkit.lm.hosted import Hosted

KEY = "sk-planted-0123456789abcdefghij"

Reply = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's `Stub`."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.server.stub.reply(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up: that is what some tests are about

    def send(self, status: int, body: object, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Stub:
    """Answers with the next of ``script``, and with ``then`` when it has come to an end; keeps what it was asked."""

    def __init__(self, script: Sequence[Reply] = (), then: Reply | None = None) -> None:
        self.script, self.then = list(script), then or says("post")
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self.now = self.most = 0

    def reply(self, handler: Handler, body: dict[str, Any]) -> None:
        with self._lock:
            self.asked.append(body)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.paths.append(handler.path)
            answer = self.script.pop(0) if self.script else self.then
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            answer(handler, body)
        finally:
            with self._lock:
                self.now -= 1


@contextmanager
def serving(stub: Stub) -> Iterator[str]:
    """The address of a running stub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.stub = stub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        stub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text: str | None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """An answer in OpenAI's form."""
    usage = {"prompt_tokens": 11, "completion_tokens": 3, **more.pop("usage", {})}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion", "model": "stub-1", "choices": [choice], "usage": usage, **more}


def says(text: str | None, finish: str = "stop", **more: Any) -> Reply:
    """A good answer."""
    return lambda handler, body: handler.send(200, completion(text, finish, **more))


def fails(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's form; asks to come again at once, so that no test waits."""
    told = {"error": {"message": message, "type": "x"}}
    return lambda handler, body: handler.send(status, told, **{"Retry_After": "0", **headers})


def sends(raw: bytes) -> Reply:
    """A body as it is."""
    return lambda handler, body: handler.send(200, raw, Retry_After="0")


def drips(before: bytes) -> Reply:
    """Sends ``before`` and then a space now and then, for ever: within any limit on the wait for a byte."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.close_connection = True
        handler.wfile.write(before)
        while not handler.server.stub.closing.wait(0.02):
            handler.wfile.write(b" ")

    return reply


def hangs(handler: Handler, body: dict[str, Any]) -> None:
    """Says nothing at all."""
    handler.close_connection = True
    handler.server.stub.closing.wait()


def hosted(stub: Stub, name: str = "openai/stub", **how: Any) -> Hosted:
    return Hosted(name, api_base=stub.address, **{"retries": 3, "timeout": 30.0, **how})


def study(lm: Hosted, ledger: Ledger, tasks: int = 3, seeds: int = 1, arms: tuple[Arm, ...] = (), **how: Any) -> Study:
    stream = Errands(tasks=tasks, sessions=False)
    return Study("http", stream, arms=arms or [Arm.static()], lm=lm, seeds=seeds, ledger=ledger, **how)


def only(made: Study) -> RunRecord:
    [record] = made.run()
    return record


def calls(made: Study) -> list[dict[str, Any]]:
    """Every attempt on the tape, in order, finished or not."""
    return made.ledger.sql("SELECT * FROM calls ORDER BY t, ordinal, status").to_dict("records")


def assert_absent(key: str, ledger: Ledger) -> None:
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert key.encode() not in path.read_bytes(), path
        assert key[:14].encode() not in path.read_bytes(), path
