"""The gate before MLflow's server: what its owner sends goes through whole, and other users of the machine do not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from toolkit.ledger import gate as gates
from toolkit.ledger.gate import HOST, gate, owner, tells

ALL = b"all that was said"
NEEDS_LINUX = pytest.mark.skipif(not tells(), reason="this system does not say whose program is at the other end")


ASKS = """
import socket
with socket.create_connection(("127.0.0.1", {port})) as one:
    try:
        one.sendall(b"all that was said")
        one.shutdown(socket.SHUT_WR)
        print(len(one.recv(100)))
    except OSError:
        print(0)
"""


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Path]:
    """Who listens there says how many bytes came, once all have come, and then says them again."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def answer() -> None:
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return  # the test is over
                with one:
                    told = whole(one)
                    one.sendall(str(len(told)).encode() + b" " + told)

        Thread(target=answer, daemon=True).start()
        yield tmp_path / "s"
        listening.shutdown(socket.SHUT_RDWR)


def whole(one: socket.socket) -> bytes:
    return b"".join(iter(lambda: one.recv(1 << 16), b""))


def asked(port: int, said: bytes) -> bytes:
    """What comes back; nothing where one is hung up on."""
    with socket.create_connection((HOST, port)) as one:
        try:
            one.sendall(said)
            one.shutdown(socket.SHUT_WR)
            return whole(one)
        except OSError:
            return b""


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_what_is_said_and_answered_goes_through_whole(inner: Path, size: int) -> None:
    said = os.urandom(size)
    with gate(0, inner) as port:
        for _ in range(3):
            assert asked(port, said) == str(size).encode() + b" " + said


@NEEDS_LINUX
def test_another_user_is_hung_up_on(inner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gate(0, inner) as port:
        assert asked(port, ALL).endswith(ALL)
        monkeypatch.setattr(gates.os, "getuid", lambda: 12345)  # whoever asks is now somebody else
        assert asked(port, ALL) == b""
        monkeypatch.undo()
        assert asked(port, ALL).endswith(ALL)


@NEEDS_LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_so_is_a_program_that_another_user_really_runs(inner: Path) -> None:
    with gate(0, inner) as port:
        command = [sys.executable, "-S", "-c", ASKS.format(port=port)]
        own = subprocess.run(command, capture_output=True, text=True, check=True)
        other = subprocess.run(["setpriv", "--reuid=65534", *command], capture_output=True, text=True, check=True)
    assert int(own.stdout) > len(ALL)
    assert int(other.stdout) == 0


def test_where_the_system_does_not_tell_everybody_gets_through(inner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "CONNECTIONS", (str(inner.parent / "none"), str(inner.parent / "none6")))
    with gate(0, inner) as port:
        assert asked(port, ALL).endswith(ALL)
    assert owner((HOST, 1), (HOST, 2)) is None


def test_where_nobody_listens_one_is_hung_up_on(tmp_path: Path) -> None:
    with gate(0, tmp_path / "nobody") as port:
        assert asked(port, ALL) == b""
    with pytest.raises(ConnectionRefusedError):
        asked(port, ALL)


@NEEDS_LINUX
def test_an_address_of_four_bytes_is_found_among_those_of_sixteen() -> None:
    with socket.socket(socket.AF_INET6) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listening.bind(("::ffff:127.0.0.1", 0))
        except OSError:
            pytest.skip("no addresses of sixteen bytes here")
        listening.listen()
        port = listening.getsockname()[1]
        with socket.create_connection((HOST, port)) as one, listening.accept()[0]:
            assert owner((HOST, port), one.getsockname()) == os.getuid()
