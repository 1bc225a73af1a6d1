"""MLflow's pages as a notebook may show them: whether a server on this machine answers, knows a run, and lets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

LOCAL = ("127.0.0.1", "localhost", "::1")
_PATIENCE = 5.0  # seconds
_MOST = 1_000_000  # bytes of an answer
_ADDRESS = "mlflow.address"
RENDERER = "/static-files/lib/notebook-trace-renderer/index.html"
"""Where MLflow's server has the page that shows traces in a notebook; it may always be framed."""


def note_address(root: Path, server: str) -> None:
    """Keep beside a ledger where its pages are served; empty = nowhere any more."""
    path = root / _ADDRESS
    if server:
        path.write_text(f"{server}\n", encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def noted_address(root: Path) -> str:
    """Where a ledger's pages were last served, by ``toolkit ui``; it may have been killed since. Empty = nowhere.

    What stands in somebody else's ledger may be no address of this machine, even no address: it is then left alone.
    """
    path = root / _ADDRESS
    told = path.read_bytes().decode("ascii", "replace").strip() if path.exists() else ""
    return told if is_local(told) else ""


def is_local(server: str) -> bool:
    """Whether an address is one of this machine's, over plain http.

    Examples
    --------
    >>> is_local("http://127.0.0.1:5000"), is_local("http://tracking.example:5000"), is_local("https://localhost")
    (True, False, False)
    """
    try:
        parts = urlsplit(server)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in LOCAL


def is_address(server: str) -> bool:
    """Whether a link may lead there: an http or https address of some host, not ``javascript:`` or a file.

    Examples
    --------
    >>> [is_address(one) for one in ("https://tracking.example", "javascript:alert(1)", "http:tracking.example")]
    [True, False, False]
    """
    try:
        parts = urlsplit(server)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


@dataclass(frozen=True, slots=True)
class Served:
    """What a notebook may do with the pages of a server.

    Parameters
    ----------
    links
        Whether they are worth a link.
    traces
        Whether its page for traces may be embedded.
    why
        Why no other page may be; empty = they may.
    """

    links: bool
    traces: bool
    why: str = ""


def served(server: str, run: str) -> Served:
    """What can be shown of one of MLflow's runs; only a server on this machine is asked, for a few seconds at most.

    Parameters
    ----------
    server
        Its address.
    run
        MLflow's id; a server that does not know it is another ledger's.
    """
    if not is_address(server):
        return Served(False, False, f"{server!r:.200} is no http or https address, so nothing is linked")
    if not is_local(server):
        return Served(True, False, f"{server} is not http on this machine, so its pages are linked and not embedded")
    try:
        parts = urlsplit(server)
        status, _, frame = _got(parts, "/")
        if status == 200:
            status, body, _ = _got(parts, f"/api/2.0/mlflow/runs/get?run_id={quote(run)}")
        if status != 200 or json.loads(body)["run"]["info"]["run_id"] != run:
            return Served(False, False, f"what answers at {server} does not show this study (status {status})")
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        return Served(False, False, f"nobody answers at {server} as MLflow does ({type(error).__name__})")
    return Served(True, True, f"the server at {server} forbids that its pages are framed ({frame})" if frame else "")


def _got(parts: SplitResult, path: str) -> tuple[int, bytes, str]:
    """Status, body, and what forbids to frame it; no proxy is asked and no redirection followed."""
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path.rstrip("/") + path)
        answer = connection.getresponse()
        frame = answer.getheader("X-Frame-Options") or ""
        told = [f"X-Frame-Options: {frame}"] if frame else []
        if "frame-ancestors" in (answer.getheader("Content-Security-Policy") or ""):
            told.append("Content-Security-Policy: frame-ancestors")
        return answer.status, answer.read(_MOST), "; ".join(told)
    finally:
        connection.close()
