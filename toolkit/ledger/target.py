"""Where a study's runs are shown in MLflow, and what every process that imports MLflow has in its environment.

Nothing here imports MLflow. A password never becomes part of a `Target.uri`, so no file and no message can hold one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from toolkit.errors import ToolkitError

OFF, OWN = "off", "ledger"
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else a price list is asked for on import, and the server never comes up
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes that nothing here needs
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


class TrackingError(ToolkitError):
    """Runs cannot be shown in MLflow as things are; the ledger is not touched by that."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where runs are shown.

    Parameters
    ----------
    uri
        A tracking URI of MLflow's, without user or password; empty = nowhere.
    own
        Whether that is the ledger's own database.
    user, password
        For a server; handed on in the environment only.
    """

    uri: str
    own: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """For files and people: the URI, without the place of the ledger's own database."""
        return "the ledger's own database" if self.own else self.uri

    @property
    def asked(self) -> str:
        """What `target` makes this of again, but for user and password."""
        return OWN if self.own else self.uri or OFF

    def environment(self) -> dict[str, str]:
        """The environment of a process that imports MLflow; what the user has set stays."""
        found = {**_SETTINGS, **os.environ}
        if self.user or self.password:
            found |= {"MLFLOW_TRACKING_USERNAME": self.user, "MLFLOW_TRACKING_PASSWORD": self.password}
        return found


def target(asked: str, root: Path) -> Target:
    """What was asked for: ``"off"``, ``"ledger"`` (the ledger's own database), or a tracking URI.

    Parameters
    ----------
    asked
        Empty = what ``$TOOLKIT_TRACKING`` says, else ``"ledger"``.
    root
        The ledger's folder.

    Raises
    ------
    TrackingError
        If it is no URI, or holds a password that could not be kept out of files.

    Examples
    --------
    >>> target("http://user:secret@host:5000", Path("ledger"))
    Target(uri='http://host:5000', own=False)
    >>> target("off", Path("ledger")).uri
    ''
    """
    asked = asked or os.environ.get("TOOLKIT_TRACKING") or OWN
    if asked == OFF:
        return Target("")
    if asked == OWN:
        return Target(f"sqlite:///{database(root)}", own=True)
    try:
        parts = urlsplit(asked)
        named, secret = parts.hostname or "", parts.password or ""
    except ValueError as error:
        raise TrackingError(f"the tracking URI cannot be read ({error}): write http://HOST:PORT") from error
    if parts.scheme.partition("+")[0] not in _SCHEMES and asked != "databricks":
        told = asked if "@" not in asked else f"{parts.scheme}://…"
        raise TrackingError(
            f"a tracking URI is {OFF!r} or {OWN!r}, or begins with one of {', '.join(_SCHEMES)} but is {told!r}"
        )
    if not parts.scheme.startswith("http"):
        if secret or "password=" in parts.query.lower():
            raise TrackingError(
                f"a database's password must not stand in the tracking URI ({parts.scheme}://…@{named}): start "
                "'mlflow server --backend-store-uri' on that database and give the server's address"
            )
        return Target(asked)
    where = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
    return Target(where, user=unquote(parts.username or ""), password=unquote(secret))


def database(root: Path) -> Path:
    """The file of a ledger's own MLflow database, which need not exist."""
    return root.resolve() / "mlflow.db"


def artifacts(root: Path) -> Path:
    """Where a ledger's own MLflow database keeps files."""
    return root.resolve() / "mlartifacts"


@contextmanager
def locked(path: Path, patience: float = 300.0) -> Iterator[None]:
    """Hold a lock between processes; the system releases it when its holder ends, however that ends.

    Raises
    ------
    TrackingError
        If another process has held it for ``patience`` seconds.
    """
    with open(path, "a+", encoding="ascii") as file:
        until = time.monotonic() + patience
        while not _taken(file.fileno()):
            if time.monotonic() > until:
                file.seek(0)
                raise TrackingError(
                    f"process {file.read().strip() or 'unknown'} has been writing to MLflow for {patience:.0f} s and "
                    f"holds {path.name}: wait for it or end it, then 'toolkit track' the study"
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
