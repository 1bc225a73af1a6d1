"""A study while it runs: curves, progress, cost, failures; pause, stop, go on. Never blocks the kernel."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from toolkit.analysis import plan
from toolkit.errors import ToolkitError
from toolkit.evaluation.run import Control
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import read_state, told
from toolkit.ledger.alone import holder
from toolkit.ledger.follow import Follower
from toolkit.ledger.planned import lengths
from toolkit.ledger.store import Ledger
from toolkit.widgets.progress import Gap, Progress, as_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
_EVERY = 0.5  # seconds between looks
_BAND = "Bands: {level:.0%} t intervals over runs, each task by itself. Looking while it runs is no test."
_GAPS = (
    "Differences so far, averaged over all runs, up to the task that all have passed: confidence sequences at "
    "{level:.4g}%, which may be looked at after every task."
)


class LiveStudy(anywidget.AnyWidget):
    """A live view of a study, wherever it runs: it reads the study's files and steers it by ``control.json``.

    Parameters
    ----------
    study
        A `Study`, or the name of one that this or another process runs.
    ledger
        Where a study given by name is kept.
    every
        Seconds between two looks at the files.

    Raises
    ------
    LedgerError
        If no study of that name has begun.
    """

    _esm: ClassVar[Path] = _HERE / "live.js"
    _css: ClassVar[Path] = _HERE / "live.css"
    frame = traitlets.Dict().tag(sync=True)

    def __init__(self, study: Study | str, ledger: Ledger | str | Path | None = None, *, every: float = _EVERY) -> None:
        self._over = threading.Event()
        super().__init__()
        self.study = study if isinstance(study, Study) else None
        found = study.ledger if isinstance(study, Study) else ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        self._ledger = found
        self.name = study.name if isinstance(study, Study) else found.find(study).name
        tasks = (
            [len(s.pairs()) for s in study.streams]
            if isinstance(study, Study)
            else lengths(plan(found, study)).values()
        )
        self._progress = Progress(Follower(found, self.name), max(tasks))
        self._control = Control(found.study(self.name) / "control.json")
        self._note, self._every = "", every
        self._gaps: tuple[Gap, ...] = ()
        self._thread: threading.Thread | None = None
        self._looking = threading.Lock()
        self.on_msg(self._heard)
        hear_beside_a_running_cell(self.comm)
        self.look()
        self.watch()

    @property
    def state(self) -> str:
        """``running``, ``paused``, ``stopping``, ``stopped``, ``finished`` or ``failed``."""
        if self._progress.finished():
            return "finished"
        if (self.study is not None and self.study.running) or holder(self._control.path.parent):
            return {"pause": "paused", "stop": "stopping"}.get(self._control.read(), "running")
        return "failed" if self.study is not None and self.study.error is not None else "stopped"

    def look(self) -> bool:
        """Read what is new and show it; whether anything has changed."""
        with self._looking:
            changed = self._progress.look()
            if changed or not self._gaps:
                self._gaps = self._differences()
            shown = self._frame()
            if changed or shown != self.frame:
                self.frame = shown
        return changed

    def watch(self) -> None:
        """Keep looking, in a thread of its own, until the study has ended or the view is closed."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._over.clear()
        self._thread = threading.Thread(target=self._keep_looking, name=f"live-{self.name}", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Hold every run before its next episode."""
        self._control.write("pause")
        self.look()

    def stop(self) -> None:
        """End every run after its current episode; nothing recorded is lost."""
        self._control.write("stop")
        self.look()

    def resume(self) -> None:
        """Go on: where runs are paused, in whatever process; a stopped study is started again here.

        Raises
        ------
        ToolkitError
            If it was stopped, was given by name, and cannot be opened here: `Study.open` says why.
        """
        if self.study is None and self.state == "stopped":
            self.study = Study.open(self.name, ledger=self._ledger)
        if self.study is None:
            self._control.write("run")
        else:
            self.study.resume()
        self.look()
        self.watch()

    def close(self) -> None:
        """Stop looking and take the view away; the study goes on."""
        self._over.set()
        super().close()

    def _frame(self) -> dict[str, Any]:
        state = self.state
        error = self.study.error if self.study is not None and state == "failed" else None
        failures = [*self._progress.failures(), *([f"{type(error).__name__}: {error}"] if error is not None else [])]
        return {
            "study": self.name,
            "state": state,
            "tasks": self._progress.tasks,
            "arms": as_plain(self._progress.arms()),
            "gaps": as_plain(self._gaps),
            "gap_band": _GAPS.format(level=100 * self._gaps[0].level) if self._gaps else "",
            "failures": failures,
            "damaged": self._progress.follower.damaged,
            "note": self._note or self._progress.ended_early() or self._untracked(),
            "band": _BAND.format(level=self._progress.level),
        }

    def _differences(self) -> tuple[Gap, ...]:
        """Differences of arms; none before the study has a plan."""
        folder = self._control.path.parent
        return self._progress.gaps(plan(self._ledger, self.name)) if (folder / "plan.json").exists() else ()

    def _untracked(self) -> str:
        """That MLflow has failed, if it has; the study goes on."""
        state = read_state(self._ledger, self.name)
        return f"MLflow: {told(state, self._ledger, self.name)}" if state.state == "failed" else ""

    def _keep_looking(self) -> None:
        waited = True
        while waited:
            waited = not self._over.wait(self._every)
            if waited:
                self.look()
            if self.state in ("finished", "stopped", "failed"):
                self.look()  # what came between the last look and the end
                return

    def _heard(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """A button was pressed."""
        commands = {"pause": self.pause, "resume": self.resume, "stop": self.stop}
        command = commands.get(str(content.get("command")))
        if command is None:
            return
        try:
            self._note = ""
            command()
        except ToolkitError as error:
            self._note = str(error)
            self.look()


def hear_beside_a_running_cell(comm: Any) -> None:
    """Take a button's message in the subshell that JupyterLab sent it to.

    ipykernel 7.4 hands it to whichever loop last published on the comm: the main one, which is busy while a cell runs,
    so that *Stop* would wait for the cell's end. Kernels without subshells know nothing of this, and wait.
    """
    comm._reply_subshell_for = lambda data, asked: asked
