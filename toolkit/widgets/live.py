"""A study while it runs: curves, progress, cost, failures; pause, stop, go on. Never blocks the kernel."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from toolkit.analysis import plan
from toolkit.errors import ToolkitError, nearest
from toolkit.evaluation.run import Control
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import read_state, told
from toolkit.ledger.alone import holder
from toolkit.ledger.follow import Follower
from toolkit.ledger.planned import lengths
from toolkit.ledger.store import Ledger
from toolkit.widgets.frame import NOTE, Frame, Told, line, lines
from toolkit.widgets.kernel import hear_beside_a_running_cell
from toolkit.widgets.looks import looks, looks_of_pairs
from toolkit.widgets.pace import duration
from toolkit.widgets.progress import ArmProgress, Progress
from toolkit.widgets.spent import Spending
from toolkit.widgets.still import document, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HERE = Path(__file__).parent
_EVERY = 0.5  # seconds between looks
_SHARE = 9  # a look may take a tenth of the time: the kernel has other work
_ENDED = 4  # so many times as long between looks at a study that nobody runs: it may be resumed elsewhere
_UNDER_WAY = ("running", "paused", "stopping")
_WHY = 120  # letters of why MLflow failed: what to do about it comes after
_BAND = "Bands: {level:.0%} t intervals over runs, each task by itself. Looking while it runs is no test."
_GAPS = (
    "Differences so far, averaged over all runs, up to the task that all have passed: confidence sequences at "
    "{level:.4g}%, which may be looked at after every task."
)


class LiveStudy(anywidget.AnyWidget):
    """A live view of a study, wherever it runs: it reads the study's files and steers it by ``control.json``.

    Several views of a study, in whatever processes, do not hold up one another or its runs: they only read, and take
    no lock. What is shown has a bounded size; an episode is read once. The whole of a study that is there already is
    read at the first look: some two seconds for 50,000 episodes on a slow machine. Where there is no kernel the last
    moment stands as a page, or as plain text.

    Parameters
    ----------
    study
        A `Study`, or the name of one that this or another process runs.
    ledger
        Where a study given by name is kept.
    every
        Seconds between two looks at the files; longer where a look takes more than a tenth of it.

    Attributes
    ----------
    hidden
        Arms whose curves and differences are not drawn; the buttons in the table of arms set it.

    Raises
    ------
    LedgerError
        If no study of that name has begun.
    """

    _esm: ClassVar[str] = (_HERE / "live.js").read_text(encoding="utf-8")
    _css: ClassVar[str] = (_HERE / "live.css").read_text(encoding="utf-8")
    frame = traitlets.Dict().tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, study: Study | str, ledger: Ledger | str | Path | None = None, *, every: float = _EVERY) -> None:
        self._over = threading.Event()
        self._told: Frame | None = None
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
        self._spending = Spending(found.study(self.name))
        self._note, self._every = "", every
        self._thread: threading.Thread | None = None
        self._looking = threading.Lock()
        self.on_msg(self._heard)
        hear_beside_a_running_cell(self.comm)
        self.look()
        self.watch()

    @property
    def state(self) -> str:
        """``running``, ``paused``, ``stopping``, ``stopped``, ``finished`` or ``failed``."""
        return self._state(self._run_by_somebody())

    def _run_by_somebody(self) -> bool:
        """Whether a process, this one or another, is at work on it."""
        return (self.study is not None and self.study.running) or bool(holder(self._control.path.parent))

    def _state(self, running: bool) -> str:
        if self._progress.finished():
            return "finished"
        if running:
            return {"pause": "paused", "stop": "stopping"}.get(self._control.read(), "running")
        return "failed" if self.study is not None and self.study.error is not None else "stopped"

    def look(self) -> bool:
        """Read what is new and show it; whether anything has changed."""
        with self._looking:
            running = self._run_by_somebody()  # asked first: what is shown as ended is shown to its end
            changed = self._progress.look()
            self._told = self._frame(self._state(running))
            shown = self._told.plain()
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

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None and self._told is not None:  # for a reader without a kernel
            bundle[0]["text/html"] = document(self._told, self.hidden)
            bundle[0]["text/plain"] = plain(self._told)
        return bundle

    def __repr__(self) -> str:
        return super().__repr__() if self._told is None else plain(self._told)

    def close(self) -> None:
        """Stop looking and take the view away; the study goes on."""
        self._over.set()
        super().close()

    def _frame(self, state: str) -> Frame:
        progress, planned = self._progress, self._progress.follower.planned
        arms, baseline = progress.arms(), planned.get("baseline", "")
        gaps, names = progress.gaps(planned) if planned else (), [arm.arm for arm in arms]
        spent = self._spending.look(state in _UNDER_WAY)
        note = self._note or progress.ended_early() or self._spending.wrong or self._untracked()
        return Frame(
            study=self.name,
            state=state,
            tasks=progress.tasks,
            baseline=baseline,
            arms=arms,
            looks=looks(names, baseline),
            left=tuple(self._left(arm, state) for arm in arms),
            gaps=gaps,
            gap_looks=looks_of_pairs([gap.ahead for gap in gaps], names, baseline),
            gap_band=_GAPS.format(level=100 * gaps[0].level) if gaps else "",
            spent=spent,
            latest=tuple(map(Told.of, progress.latest())),
            failures=lines([*progress.failures(), *self._failed(state)], NOTE),
            damaged=progress.follower.damaged,
            note=line(note, NOTE),
            band=_BAND.format(level=progress.level),
        )

    def _left(self, arm: ArmProgress, state: str) -> str:
        """How long an arm will still take, in words; nothing where it is finished."""
        if arm.finished == arm.runs:
            return ""
        return duration(self._progress.left(arm.arm) if state in _UNDER_WAY else None)

    def _failed(self, state: str) -> Sequence[str]:
        """What ended the study, if that was no run's failure."""
        error = self.study.error if self.study is not None and state == "failed" else None
        return [] if error is None else [f"{type(error).__name__}: {error}"]

    def _untracked(self) -> str:
        """That MLflow has failed, if it has; the study goes on."""
        state = read_state(self._ledger, self.name)
        why = replace(state, why=line(state.why, _WHY))
        return f"MLflow: {told(why, self._ledger, self.name)}" if state.state == "failed" else ""

    def _keep_looking(self) -> None:
        rest = self._every
        while not self._over.wait(rest):
            began = time.monotonic()
            self.look()
            state = self.state
            if state == "finished":
                self.look()  # what came between the last look and the end
                return
            rest = resting(self._every if state in _UNDER_WAY else _ENDED * self._every, time.monotonic() - began)

    @traitlets.validate("hidden")
    def _known_arms(self, proposal: Mapping[str, Any]) -> list[str]:
        """Each name once; all of them are arms of the plan, if there is one."""
        known = [arm.arm for arm in self._progress.arms()]
        for name in proposal["value"]:
            if known and name not in known:
                raise traitlets.TraitError(
                    f"hidden must name arms, but none is called {name!r}; {nearest(name, known)}"
                )
        return list(dict.fromkeys(proposal["value"]))

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


def resting(every: float, took: float) -> float:
    """Seconds until the next look: as many as are wanted, and more where the last look took long.

    Examples
    --------
    >>> resting(0.5, 0.01), resting(0.5, 0.2)
    (0.5, 1.8)
    """
    return max(every, _SHARE * took)
