"""MLflow's pages on the ledger's own database, served to programs of the same user on this machine only."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.ledger.gate import HOST, gate
from toolkit.ledger.pages import note_address
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import Target, TrackingError, artifacts, database

_READY, _GRACE = 300.0, 10.0  # seconds for the server to come up, and to go down before it is killed


def serve(ledger: Ledger, port: int, tell: Callable[[str], None]) -> int:
    """Serve until interrupted (Ctrl-C, or SIGTERM); the server and all its children are gone then.

    Parameters
    ----------
    ledger
        Whose runs; its database is made if it has none.
    port
        On 127.0.0.1.
    tell
        Is given the address, once it answers.

    Raises
    ------
    TrackingError
        If the port is taken, or the server does not come up.
    """
    _ask_for(port)
    target = Target(f"sqlite:///{database(ledger.root)}", own=True)
    framed = {"MLFLOW_SERVER_X_FRAME_OPTIONS": "NONE"}  # a notebook's origin is another: it could embed no page
    os.environ.update(framed | target.environment())
    from toolkit.ledger.tracking import create_database

    create_database(ledger.root)
    log = ledger.root / "mlflow.log"
    with tempfile.TemporaryDirectory(prefix="toolkit-ui-") as own, gate(port, Path(own, "socket")):
        return _serve(_command(target, ledger.root, Path(own, "socket")), ledger.root, port, log, tell)


def _command(target: Target, root: Path, inner: Path) -> list[str]:
    """MLflow's server, behind the gate: on a socket file, of which it is told by an option of what it runs in."""
    command = [sys.executable, "-m", "mlflow", "server", "--uvicorn-opts", f"--uds {shlex.quote(str(inner))}"]
    command += ["--workers", "1", "--backend-store-uri", target.uri]
    return [*command, "--artifacts-destination", artifacts(root).as_uri()]


def _serve(command: list[str], root: Path, port: int, log: Path, tell: Callable[[str], None]) -> int:
    with open(log, "wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    with _ended_with_us(process) as server:
        try:
            _await(server, port, log)
            note_address(root, f"http://{HOST}:{port}")
            tell(f"http://{HOST}:{port}")
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            note_address(root, "")


def _ask_for(port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise TrackingError(f"port {port} cannot be used ({error}): toolkit ui --port {_free_port()}") from error


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def _await(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the server answers."""
    until = time.monotonic() + _READY
    while time.monotonic() < until:
        if server.poll() is not None:
            raise TrackingError(f"MLflow's server ended with code {server.returncode}: see {log}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):  # nosec B310  # no address from outside
                return
        except OSError:
            time.sleep(0.2)  # not listening yet
    raise TrackingError(f"MLflow's server did not answer within {_READY:.0f} s: see {log}")


@contextmanager
def _ended_with_us(server: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The server and its children are ended, however this process is asked to end."""

    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield server
    finally:
        signal.signal(signal.SIGTERM, before)
        _signal(server, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_GRACE)
        _signal(server, signal.SIGKILL)
        server.wait()


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    """To the whole group: the server starts processes of its own."""
    with suppress(ProcessLookupError):  # all gone
        os.killpg(server.pid, number)
