"""``toolkit lab``: JupyterLab for this machine only, on the numbered notebooks, with the studies in one ledger."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from toolkit.errors import ToolkitError

HOST = "127.0.0.1"
NUMBERED = "[0-9]*.ipynb"
SHIPPED = "share/adaptive-agents-toolkit/notebooks"  # as pyproject.toml has it


class LabError(ToolkitError):
    """JupyterLab cannot be opened as it was asked for."""


def serve(
    folder: Path, ledger: str | None, port: int | None, tell: Callable[[str], None], *, browser: bool, copy: bool
) -> NoReturn:
    """Become JupyterLab: this process is its server from here on, and Ctrl-C is its own.

    Parameters
    ----------
    folder
        What it shows; where it has notebooks, the first numbered one is opened.
    ledger
        Where studies go; None = ``$TOOLKIT_LEDGER``, else ``ledger`` in the folder.
    port
        On 127.0.0.1; None = 8888, or the next that is free.
    tell
        Is given what was copied, or how to get what is not there.
    browser
        Whether a browser is opened.
    copy
        Whether the shipped notebooks are copied to ``notebooks`` in the folder first; a file that is there stays.

    Raises
    ------
    LabError
        If JupyterLab is not installed, the port is taken, or there are no notebooks to copy.
    """
    if find_spec("jupyterlab") is None:
        raise LabError(f"JupyterLab is not installed here: {sys.executable} -m pip install jupyterlab")
    if port is not None:
        _ask_for(port)
    if copy:
        for name in copied(shipped(), folder / "notebooks"):
            tell(f"notebooks/{name}")
    first = start_page(folder)
    if not first:
        tell("there is no notebooks/ here: 'toolkit lab --copy' puts the shipped ones there")
    sys.stdout.flush()
    told, place = command(folder, first, port, browser), environment(folder, ledger)
    os.execve(sys.executable, told, place)  # nosec B606  # no shell


def command(folder: Path, first: str, port: int | None, browser: bool) -> list[str]:
    """The command line of JupyterLab. The token is not on it: other users of the machine could read it there."""
    told = [sys.executable, "-m", "jupyterlab", f"--ServerApp.ip={HOST}", f"--ServerApp.root_dir={folder}"]
    told.append(f"--LabApp.default_url=/lab{f'/tree/{first}' if first else ''}")
    if port is not None:
        told += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        told.append("--no-browser")
    if os.geteuid() == 0:
        told.append("--allow-root")  # in a container nobody else is there
    return told


def environment(folder: Path, ledger: str | None) -> dict[str, str]:
    """That of the server: a token, and the ledger by its whole path, as a kernel runs in its notebook's folder."""
    where = Path(ledger or os.environ.get("TOOLKIT_LEDGER") or folder / "ledger").expanduser().absolute()
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    return os.environ | {"TOOLKIT_LEDGER": str(where), "JUPYTER_TOKEN": token}


def start_page(folder: Path) -> str:
    """The first numbered notebook, from the folder; empty if there is none."""
    found = sorted((folder / "notebooks").glob(NUMBERED))
    return found[0].relative_to(folder).as_posix() if found else ""


def shipped() -> Path:
    """The folder of the notebooks that came with the toolkit: beside a checkout's package, else where pip put them.

    Raises
    ------
    LabError
        If they are in neither place.
    """
    places = [Path(__file__).parents[1] / "notebooks", Path(sysconfig.get_path("data")) / SHIPPED]
    for place in places:
        if any(place.glob(NUMBERED)):
            return place
    looked = " and ".join(map(str, places))
    raise LabError(f"the notebooks are not installed (looked in {looked}): install the toolkit again")


def copied(source: Path, target: Path) -> Sequence[str]:
    """Copy the numbered notebooks that are not there yet; their names."""
    target.mkdir(parents=True, exist_ok=True)
    missing = [path for path in sorted(source.glob(NUMBERED)) if not (target / path.name).exists()]
    for path in missing:
        shutil.copyfile(path, target / path.name)
    return [path.name for path in missing]


def _ask_for(port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except (OSError, OverflowError) as error:
            told = "leave --port out, and one that is free is taken"
            raise LabError(f"port {port} cannot be used ({error}): {told}") from error
