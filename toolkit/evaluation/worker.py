"""A worker: a process that carries out runs which were pickled elsewhere. Started by `toolkit.evaluation.executors`."""

from __future__ import annotations

import os
import pickle
import queue
import socket
import sys
import threading
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.code import import_code
from toolkit.evaluation.run import carry_out
from toolkit.ledger.disk import writing
from toolkit.ledger.rows import RunRecord


@dataclass(frozen=True)
class Setting:
    """What every run of a study needs of the process that carries it out.

    Parameters
    ----------
    folder
        The study's, absolute: a path that every machine sees under the same name.
    budget
        The study's.
    code
        The user's own files; where they are absent, the copies in the study's folder serve.
    path
        Where modules were found at home, looked through last here.
    """

    folder: Path
    budget: Budget
    code: tuple[Path, ...]
    path: tuple[str, ...]


def carry(setting: Setting, pickled: bytes, begun: Path | None = None) -> RunRecord:
    """Carry out a pickled run.

    Parameters
    ----------
    begun
        A file that grows by a byte first: so it is known of a worker that died what it was at.

    Raises
    ------
    ToolkitError
        If this machine does not see the study's folder.
    """
    if not (setting.folder / "plan.json").exists():
        where = f"{socket.gethostname()} sees no {setting.folder}"
        raise ToolkitError(f"{where}: the ledger must be a folder that all machines share under the same path")
    if begun is not None:
        with writing(begun), open(begun, "ab") as file:
            file.write(b".")
    _prepare(setting)
    run = pickle.loads(pickled)  # nosec B301  # from the study's own process: by a pipe, or through Dask
    return carry_out(run, setting.folder, None, setting.budget)


@lru_cache(maxsize=64)  # a file imported twice would make every class a second one
def _imported(file: Path) -> None:
    import_code([file])


def _prepare(setting: Setting) -> None:
    sys.path += [entry for entry in setting.path if entry not in sys.path]
    for file in setting.code:
        _imported(file if file.exists() else setting.folder / "code" / file.name)


def serve(connection: Connection) -> None:
    """Carry out what comes through a pipe, one by one, until there is no more."""
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                asked.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)  # whoever started this process is gone: a run of its own would be nobody's

    threading.Thread(target=listen, name="listen", daemon=True).start()
    setting: Setting = pickle.loads(asked.get())  # nosec B301  # by a pipe that only the study's own process has
    while pickled := asked.get():
        try:
            answer: RunRecord | str = carry(setting, pickled)
        except Exception as error:  # noqa: BLE001  (raised again at the other end)
            answer = f"{type(error).__name__}: {error}"
        connection.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
