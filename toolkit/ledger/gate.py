"""A port of this machine that only its owner's programs get through.

A port on 127.0.0.1 is open to every user of the machine, and MLflow's server asks nobody for a password: it would read
any file that its owner may read for any of them. So it listens on a socket file in a folder that is its owner's alone,
and what comes to the port is passed on to that, if the system says that a program of the same user sent it.
"""

from __future__ import annotations

import os
import socket
import socketserver
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TypeAlias

HOST = "127.0.0.1"
CONNECTIONS = ("/proc/net/tcp", "/proc/net/tcp6")
"""Where Linux lists connections with the user of each end; other systems have no such files."""

_CHUNK = 1 << 16

End: TypeAlias = tuple[str, int]
"""An address and a port."""


def tells() -> bool:
    """Whether this system says whose program is at the other end of a connection."""
    return os.path.exists(CONNECTIONS[0])


def owner(there: End, here: End) -> int | None:
    """The user id of whoever opened a connection from ``there`` to ``here``, both on this machine; None if unknown.

    Examples
    --------
    >>> with socket.create_server((HOST, 0)) as listening, socket.create_connection(listening.getsockname()) as one:
    ...     accepted, there = listening.accept()
    ...     known = owner(there, accepted.getsockname())
    ...     accepted.close()
    >>> known == (os.getuid() if tells() else None)
    True
    """
    for path in CONNECTIONS:
        wide = path.endswith("6")
        ends = [_spelt(there, wide), _spelt(here, wide)]
        with suppress(FileNotFoundError), open(path, encoding="ascii") as lines:
            for words in map(str.split, lines):
                if words[1:3] == ends:
                    return int(words[7])
    return None


def _spelt(end: End, wide: bool) -> str:
    """An end as the system lists it: of an address of four bytes that stands where sixteen are, the last four."""
    address = int.from_bytes(socket.inet_aton(end[0]), sys.byteorder)
    return f"{'0000000000000000FFFF0000' if wide else ''}{address:08X}:{end[1]:04X}"


@contextmanager
def gate(port: int, inner: Path) -> Iterator[int]:
    """While it lasts, pass what the owner's programs send to a port on to a socket file; others are hung up on.

    Where the system does not tell whose program it is (`tells`), everybody on this machine gets through.

    Parameters
    ----------
    port
        On 127.0.0.1; 0 = any that is free.
    inner
        The socket file; nobody need listen there yet.

    Yields
    ------
    int
        The port.
    """
    with _Gate((HOST, port), _Passage) as server:
        server.inner = str(inner)
        Thread(target=server.serve_forever, name="gate", daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


class _Gate(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    inner = ""

    def verify_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: End) -> bool:
        """Whether a connection is the owner's."""
        here: End = request.getsockname() if isinstance(request, socket.socket) else (HOST, 0)
        return not tells() or owner(client_address, here) == os.getuid()


class _Passage(socketserver.BaseRequestHandler):
    server: _Gate

    def handle(self) -> None:
        """Pass on both ways until both ends have said all; where nobody listens behind the gate, hang up."""
        with socket.socket(socket.AF_UNIX) as inner, suppress(OSError):
            inner.connect(self.server.inner)
            back = Thread(target=_pour, args=(inner, self.request), daemon=True)
            back.start()
            _pour(self.request, inner)
            back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until there is no more, and say so."""
    with suppress(OSError):  # either end may go at any time
        while some := source.recv(_CHUNK):
            target.sendall(some)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
