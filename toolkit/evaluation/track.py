"""Showing a study in MLflow while it runs, from a process of its own: nothing that MLflow does can reach an episode."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger, write_atomically
from toolkit.ledger.target import Target

if TYPE_CHECKING:
    from toolkit.analysis import ArmRow, Comparison
    from toolkit.ledger.export import Exporter, Findings

EVERY = 3.0
"""Seconds between two looks at a running study."""

SELDOM = 60.0
"""The same while MLflow fails; doubled up to this."""

_ENDED = b"ended\n"  # the driver's last word; without it, it died


@dataclass(frozen=True, slots=True)
class State:
    """How far MLflow has come with a study; kept as ``tracking.json`` in its folder.

    Parameters
    ----------
    state
        ``"off"``, ``"none"`` (never tried), ``"running"``, ``"done"`` or ``"failed"``.
    why
        What went wrong, or could not be shown though the rest is.
    where
        Where the runs are: a tracking URI, or words for the ledger's own database.
    experiment, run
        MLflow's ids.
    at
        When that was, as seconds since 1970.
    """

    state: Literal["off", "none", "running", "done", "failed"]
    why: str = ""
    where: str = ""
    experiment: str = ""
    run: str = ""
    at: float = 0.0


class Tracking:
    """A study's way to MLflow.

    Parameters
    ----------
    ledger, study
        Whose runs.
    target
        Where they are shown; see `toolkit.ledger.target.target`.
    """

    def __init__(self, ledger: Ledger, study: str, target: Target) -> None:
        self.ledger, self.study, self.target = ledger, study, target
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"Tracking({self.study!r}: {told(self.state, self.ledger, self.study)})"

    @property
    def log(self) -> Path:
        """What MLflow said."""
        return self.ledger.study(self.study) / "tracking.log"

    @property
    def state(self) -> State:
        """How it stands now."""
        if not self.target.uri:
            return State("off")
        found = read_state(self.ledger, self.study)
        code = None if self._process is None else self._process.poll()
        if code is not None and found.state == "running":
            return State("failed", f"the process that writes to MLflow ended with code {code}: see {self.log}")
        return found

    def wait(self, timeout: float | None = None) -> State:
        """Wait until nothing more is under way, at most ``timeout`` seconds; how it stands then."""
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                return self.state
        return self.state

    @contextmanager
    def during(self) -> Iterator[Callable[[bool], None]]:
        """While a study runs. Yields what begins it: with True if runs are waiting, False if all are finished."""
        pipes: list[IO[bytes]] = []

        def begin(waiting: bool) -> None:
            before = read_state(self.ledger, self.study)
            up_to_date = before.state == "done" and before.where == self.target.shown
            if self.target.uri and (waiting or not up_to_date):
                pipes.extend(self._started())

        try:
            yield begin
        finally:
            for pipe in pipes:
                _tell(pipe)

    def _started(self) -> Iterator[IO[bytes]]:
        """The pipe of a new process, or none if the system has none to give: the study goes on without."""
        note(self.ledger, self.study, State("running", where=self.target.shown))
        command = [sys.executable, "-P", "-m", "toolkit", "track", self.study, "--follow"]
        command += ["--ledger", str(self.ledger.root)]
        try:
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=self.target.environment() | {"TOOLKIT_TRACKING": self.target.asked},
                    start_new_session=True,  # Ctrl-C is for the study; this one ends when its pipe does
                )
        except OSError as error:
            note(self.ledger, self.study, State("failed", f"no process could be started: {error}"))
            return
        threading.Thread(target=self._process.wait, name=f"track-{self.study}", daemon=True).start()
        if self._process.stdin is not None:
            yield self._process.stdin


def read_state(ledger: Ledger, study: str) -> State:
    """What ``tracking.json`` says."""
    path = ledger.study(study) / "tracking.json"
    return State(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else State("none")


def note(ledger: Ledger, study: str, state: State) -> None:
    """Replace ``tracking.json``."""
    write_atomically(ledger.study(study) / "tracking.json", json.dumps(asdict(state), indent=1) + "\n")


def track(ledger: Ledger, study: str, target: Target) -> State:
    """Bring MLflow up to date with a study, now and in this process; how that went.

    Raises
    ------
    LedgerError
        If there is no such study.
    """
    from toolkit.ledger.export import Exporter

    ledger.find(study)
    return _attempt(Exporter(ledger, study, target), last=True, over=not _driven(ledger, study))


def follow(ledger: Ledger, study: str, target: Target) -> State:
    """Keep MLflow up to date until the standard input ends, then conclude; how that went.

    It yields the processor to the study, whose model may need every core.
    """
    from toolkit.ledger.export import Exporter

    os.nice(10)
    exporter, patience = Exporter(ledger, study, target), 0.0  # a short study may have ended while this process began
    while _word(patience) == b"":
        well = _attempt(exporter, last=False, over=False).state == "running"
        patience = EVERY if well else min(max(2 * patience, EVERY), SELDOM)
    return _attempt(exporter, last=True, over=True)


def _word(seconds: float) -> bytes | None:
    """What came through the standard input within so many seconds: nothing (empty), a word, or its end (None)."""
    ready, _, _ = select.select([0], [], [], seconds)
    return (os.read(0, 64) or None) if ready else b""


def _attempt(exporter: Exporter, *, last: bool, over: bool) -> State:
    """One `Exporter.sync`, its outcome noted. Whatever MLflow raises is an outcome: the ledger has every episode."""
    where = exporter.target.shown
    try:
        exporter.sync(findings(exporter.ledger, exporter.study) if last else None, over=over)
        how: Literal["done", "running"] = "done" if last else "running"
        state = State(how, exporter.remark, where, exporter.experiment, exporter.run, time.time())
    except Exception as error:  # noqa: BLE001  (told in tracking.json and tracking.log; tried again next time)
        with open(exporter.folder / "tracking.log", "a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        why = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        state = State("failed", why, where, exporter.experiment, exporter.run, time.time())
    note(exporter.ledger, exporter.study, state)
    return state


def findings(ledger: Ledger, study: str) -> Findings:
    """What the study's own run shows: each arm's figures, the table in words, the files."""
    from toolkit.analysis import compare
    from toolkit.evaluation.prompts import prompts
    from toolkit.ledger.export import Findings
    from toolkit.report import write

    folder = ledger.find(study)
    report: Path = write(ledger, study)
    files = [(folder / name, "") for name in ("study.toml", "plan.json", "environment.json")] + [(report, "")]
    files += [(path, "figures") for path in sorted((folder / "figures").glob("*.*"))]
    files = [(path, where) for path, where in files if path.exists()]
    made = prompts(ledger, study)
    try:
        found = compare(study, ledger=ledger)
    except LedgerError as error:  # the baseline has no episodes yet
        return Findings(note=f"No comparison yet: {error}.", files=files, prompts=made)
    figures = {name: value for row in found.rows for name, value in _figures(row, found.baseline) if value == value}
    return Findings(figures, _told(found), files, made)


def _figures(row: ArmRow, baseline: str) -> Iterator[tuple[str, float]]:
    gap = row.difference
    yield f"{row.arm}/score", row.score.value
    if gap is not None:
        yield f"{row.arm}/difference to {baseline}", gap.value
        yield f"{row.arm}/difference to {baseline}: low", gap.low
        yield f"{row.arm}/difference to {baseline}: high", gap.high
        yield f"{row.arm}/pairs compared", gap.n
    yield f"{row.arm}/tokens per task", row.tokens
    yield f"{row.arm}/labels per run", row.labels
    if row.dollars > 0:
        yield f"{row.arm}/dollars per 1000 tasks", row.dollars * 1000


def _told(found: Comparison) -> str:
    """The comparison as Markdown, the outcome first, with a word on how to read the runs."""
    head, body = found.table()
    lines = [head[:-1], ["---"] * (len(head) - 1), *(cells[:-1] for cells in body)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    outcome = [f"- **{cells[0]}** scored {cells[1]}: {cells[2]} against {found.baseline} {cells[3]}" for cells in body]
    outcome = [line for line, row in zip(outcome, found.rows, strict=True) if row.difference is not None]
    doubts = [f"- {row.arm}: {doubt}" for row in found.rows for doubt in row.doubts]
    guide = (
        "Each run below this one is one arm with one seed: `curve/…` shows its score task by task, `final/…` what it "
        "came to, Traces some of its episodes step by step. `report.html` under Artifacts has the whole account."
    )
    parts = [
        "\n".join(outcome),
        guide,
        table,
        "\n".join(found.notes),
        *(["Doubts:", "\n".join(doubts)] if doubts else []),
    ]
    return "\n\n".join(parts)


def told(state: State, ledger: Ledger, study: str) -> str:
    """How far MLflow has come, in words, and what to do where it failed."""
    again = f"toolkit track {study} --ledger {ledger.root}"
    if state.state == "failed":
        return f"failed: {state.why}; the ledger has every episode, and '{again}' tries again"
    but = f"; {state.why}" if state.why else ""
    if state.state == "done" and not state.where.startswith("http"):
        return f"experiment {study!r} in {state.where}: toolkit ui --ledger {ledger.root}{but}"
    return f"{state.state}: {state.where}{but}" if state.where else state.state


def page(state: State, server: str) -> str:
    """The address of a study's curves, arm by arm, on a server of MLflow's."""
    from toolkit.ledger.tracking import VIEW

    view = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={VIEW}"
    return f"{server}/#/experiments/{state.experiment}/runs?{view}"


def _driven(ledger: Ledger, study: str) -> bool:
    """Whether a process on this machine seems to be running the study."""
    try:
        os.kill(int((ledger.study(study) / "lock").read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return any(json.loads(path.read_text(encoding="ascii"))["status"] == "running" for path in _records(ledger, study))


def _records(ledger: Ledger, study: str) -> Iterator[Path]:
    return (ledger.study(study) / "runs").glob("*/run.json")


def _tell(pipe: IO[bytes]) -> None:
    """Say that the study has ended; a process that died meanwhile need not hear it."""
    with suppress(BrokenPipeError), pipe:
        pipe.write(_ENDED)
