"""Which of MLflow's runs show a study: kept beside it, place by place, so that each is found without MLflow.

A run in MLflow says by its tags which study and folder it shows; `asked` reads them, in a process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.ledger.store import write_atomically
from toolkit.ledger.target import Target, TrackingError

STUDY, FOLDER = "toolkit.study", "toolkit.folder"
"""Tags of a run in MLflow: the study's name, and the folder below the ledger's in which its files lie."""

_FILE = "tracking-runs.json"
_ID = re.compile(r"[0-9a-f]{32}")
_PATIENCE = 120.0  # seconds for MLflow to be imported and to answer


@dataclass(frozen=True, slots=True)
class Tracked:
    """What MLflow shows of a study in one place.

    Parameters
    ----------
    where
        The place, as `toolkit.ledger.target.Target.shown` has it.
    experiment, run
        MLflow's ids of the experiment and of the study's own run.
    runs
        MLflow's id of each run, by its folder below ``runs/``.
    """

    where: str
    experiment: str
    run: str
    runs: Mapping[str, str] = field(default_factory=dict)

    def holds(self, run: str) -> bool:
        """Whether one of MLflow's runs is one of these."""
        return run == self.run or run in self.runs.values()


def remember(folder: Path, shown: Tracked) -> None:
    """Keep what a place shows of the study in ``folder``; of each place the latest, the latest place last."""
    kept = remembered(folder)
    if kept[-1:] == (shown,):
        return
    told = [*(one for one in kept if one.where != shown.where), shown]
    table = [{"where": o.where, "experiment": o.experiment, "run": o.run, "runs": dict(o.runs)} for o in told]
    write_atomically(folder / _FILE, json.dumps(table, indent=1) + "\n")


def remembered(folder: Path) -> tuple[Tracked, ...]:
    """What each place was last seen to show of the study in ``folder``, the latest last."""
    path = folder / _FILE
    return tuple(Tracked(**one) for one in json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ()


def run_id(text: str) -> str:
    """An id of one of MLflow's runs, out of an id or the address of its page.

    Raises
    ------
    ValueError
        If there is none in it.

    Examples
    --------
    >>> run_id("http://127.0.0.1:5000/#/experiments/1/runs/0123456789abcdef0123456789abcdef/traces")
    '0123456789abcdef0123456789abcdef'
    """
    found = _ID.findall(text.rpartition("/runs/")[2])
    if not found:
        raise ValueError(
            f"a run of MLflow's must be 32 hexadecimal digits, or its page's address, but is {text!r:.200}"
        )
    return str(found[0])


def asked(target: Target, run: str) -> Mapping[str, str]:
    """The tags of one of MLflow's runs; MLflow is asked in a process of its own, as everywhere.

    Raises
    ------
    TrackingError
        If MLflow does not know the run, or cannot be asked; says why.
    """
    command = [sys.executable, "-P", "-m", "toolkit.ledger.tags", target.uri, run]
    try:
        done = subprocess.run(
            command, env=target.environment(), capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrackingError(f"MLflow cannot be asked for run {run}: {error}") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"the process ended with code {done.returncode}"])[-1]
        raise TrackingError(f"{target.shown} does not show run {run}: {why[:300]}")
    tags: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return tags
