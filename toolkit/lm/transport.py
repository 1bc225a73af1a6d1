"""The way to a server: pooled connections, and a time limit that holds for a whole call.

DSPy's own transport limits the wait for each next byte, so a server that sends one byte now and then holds a call for
ever. Here the time left is what each wait gets.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from dspy._vendor.lm15.transports import StdlibTransport

_CONNECT = 10.0  # seconds for a connection: a host that does not answer in that time is down


class BoundedTransport(StdlibTransport):
    """DSPy's transport with one limit for connecting, sending and reading together.

    Parameters
    ----------
    seconds
        For one call, from when it is sent to its last byte.
    connections
        How many at a time.
    proxies
        Whether the environment's proxies are used; never for a server on this machine or network.
    """

    def __init__(self, seconds: float, connections: int, proxies: bool) -> None:
        super().__init__(
            connect_timeout=min(_CONNECT, seconds),
            read_timeout=seconds,
            write_timeout=seconds,
            pool_timeout=seconds,
            max_connections=connections,
            trust_env=proxies,
        )
        self._seconds, self._call = seconds, threading.local()

    def begin(self) -> None:
        """A call begins in this thread; nothing of it has been sent."""
        self._call.until = None

    @property
    def sent(self) -> bool:
        """Whether this thread's call has come as far as the network."""
        return getattr(self._call, "until", None) is not None

    @property
    def expired(self) -> bool:
        """Whether this thread's call has used its time up."""
        return self.sent and self._left() <= 0

    def stream(self, request: Any) -> Any:
        """Send a request; see the base class."""
        if not self.sent:  # a client-side step may need several
            self._call.until = time.monotonic() + self._seconds
        return super().stream(request)

    def _open(self, *place: Any, **how: Any) -> Any:
        connection = super()._open(*place, **how)
        connection.sock = _Bounded(connection.sock, self)
        return connection

    def _left(self) -> float:
        return float(self._call.until - time.monotonic())


class _Bounded:
    """A socket that waits no longer than the call has time left."""

    def __init__(self, inner: socket.socket, transport: BoundedTransport) -> None:
        self._inner, self._transport = inner, transport

    def recv(self, size: int) -> bytes:
        self._inner.settimeout(self._left())
        return self._inner.recv(size)

    def sendall(self, data: bytes) -> None:
        self._inner.settimeout(self._left())
        self._inner.sendall(data)

    def settimeout(self, seconds: float) -> None:
        """Nothing: the limit is the call's."""

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        self._inner.close()

    def _left(self) -> float:
        left = self._transport._left()
        if left <= 0:
            raise TimeoutError("the time for the whole call is up")
        return left
