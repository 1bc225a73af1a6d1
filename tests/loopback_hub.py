"""A hub on the loopback: answers as the Hugging Face hub does, by a redirect to a second host that holds the bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class LoopbackHub:
    """What it serves, how it misbehaves, what it was asked.

    Parameters
    ----------
    content
        The one file.
    commit
        Of the only repository.
    status
        Another answer than the redirect.
    cuts
        After how many bytes each next answer of the byte server breaks off.
    ranges
        Whether the byte server knows them.
    lengths
        Whether it says how much it is going to send.
    """

    content: bytes
    commit: str
    status: int = 0
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    lengths: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    authorised: list[tuple[str, str]] = field(default_factory=list)
    endpoint: str = ""
    bytes_at: str = ""

    @contextmanager
    def running(self) -> Iterator[LoopbackHub]:
        hub, store = (ThreadingHTTPServer(("127.0.0.1", 0), self._handler(way)) for way in (self._hub, self._store))
        self.endpoint, self.bytes_at = f"http://127.0.0.1:{hub.server_port}", f"http://localhost:{store.server_port}"
        threads = [threading.Thread(target=one.serve_forever, args=(0.01,)) for one in (hub, store)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for one, thread in zip((hub, store), threads, strict=True):
                one.shutdown()
                one.server_close()
                thread.join()

    def _handler(self, answer: Any) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5  # of idle connections: the client keeps them open
            do_GET = do_HEAD = lambda handler: answer(handler)  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _hub(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/api/"):  # the library asks for other things too
            handler.send_error(404)
            return
        self.asked.append((handler.command, handler.path))
        self.authorised.append(("hub", handler.headers.get("Authorization", "")))
        handler.send_response(self.status or 302)
        handler.send_header("Content-Length", "0")
        if not self.status:
            handler.send_header("X-Repo-Commit", self.commit)
            handler.send_header("X-Linked-Etag", f'"{hashlib.sha256(self.content).hexdigest()}"')
            handler.send_header("X-Linked-Size", str(len(self.content)))
            handler.send_header("Location", f"{self.bytes_at}/blob?signature=pa55word")
        handler.end_headers()

    def _store(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        self.served.append(wanted)
        self.authorised.append(("store", handler.headers.get("Authorization", "")))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if self.lengths:
            handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(self.content)
        handler.wfile.write(self.content[start:end])
        handler.close_connection = end < len(self.content) or not self.lengths
