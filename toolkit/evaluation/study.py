"""A study: arms × seeds on one stream, carried out run by run, kept in the ledger, compared at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.agents.arm import NAME, Arm
from toolkit.component import Config
from toolkit.errors import SpecError, nearest
from toolkit.evaluation import design
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.conduct import StudyBusy as StudyBusy
from toolkit.evaluation.conduct import Watcher, conduct
from toolkit.evaluation.run import Control
from toolkit.evaluation.track import Tracking
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import target
from toolkit.lm.model import Deciding, Model, model
from toolkit.streams.channel import Channel, FullLabel
from toolkit.streams.scoring import Scorer, scorer_by_name
from toolkit.streams.stream import Stream

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.analysis import Comparison
    from toolkit.widgets.live import LiveStudy


class Study:
    """Arms compared on the same tasks in the same orders.

    Parameters
    ----------
    name
        Its folder in the ledger; letters, digits, ``.``, ``_``, ``-``.
    stream
        Tasks and keys.
    arms
        What is compared; names must differ, and no two may do the same (unless ``repeat`` differs).
    lm
        The model of every arm that names none of its own.
    seeds
        How many, or which. Each seed has an order of its own; at temperature above 0, samples of its own too.
    study_seed
        What all randomness of the study derives from.
    order
        ``"shuffled"`` or ``"given"``.
    deciding
        How closed options are chosen, the same for all arms; None = the model's first way.
    channel
        What agents get to hear.
    scorers
        Metrics, the main one first; None = the stream's.
    baseline
        The arm that others are compared with; empty = ``"static"`` if there is one, else the first.
    ledger
        Where everything is kept.
    workers
        Runs at a time; 0 = as many as the models serve at once (`Model.parallel`); 8 where no model is asked.
    code
        Python files that define components of one's own; copied into the study.
    budget
        What the study, and each arm, may spend; no part of what it is. See `toolkit.Budget`.
    tracking
        Where MLflow shows the runs: ``"ledger"`` = the ledger's own database (see ``toolkit ui``); a tracking URI;
        ``"off"``; empty = what ``$TOOLKIT_TRACKING`` says, else ``"ledger"``. It is no part of the study.

    Attributes
    ----------
    tracking
        How far MLflow has come: ``tracking.state``, ``tracking.wait(seconds)``. If it fails, the study goes on.

    Raises
    ------
    SpecError
        Listing every mistake.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        *,
        arms: Sequence[Arm],
        lm: Model | Config | str = "smollm2-135m",
        seeds: int | Sequence[int] = 5,
        study_seed: int = 0,
        order: str = "shuffled",
        deciding: Deciding | None = None,
        channel: Channel | None = None,
        scorers: Sequence[str] | None = None,
        baseline: str = "",
        ledger: Ledger | str | Path | None = None,
        workers: int = 0,
        code: Sequence[str | Path] = (),
        budget: Budget | None = None,
        tracking: str = "",
    ) -> None:
        self.name, self.stream, self.arms = name, stream, tuple(arms)
        self.lm = model(lm)
        self.seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        self.study_seed, self.order = study_seed, order
        self.deciding: Deciding = deciding or self.lm.ways[0]
        self.channel = channel or FullLabel()
        self.scorers: tuple[Scorer, ...] = scorer_by_name(scorers or stream.scorers)
        self.baseline = baseline or _usual_baseline(self.arms)
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        self.workers = workers
        self.code = tuple(Path(path) for path in code)
        self.budget = budget or Budget()
        self.tracking = Tracking(self.ledger, name, target(tracking, self.ledger.root))
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._begun = threading.Event()
        mistakes = list(_mistakes(self))
        if mistakes:
            raise SpecError(mistakes)

    @property
    def folder(self) -> Path:
        """Where the study is kept."""
        return self.ledger.study(self.name)

    @property
    def runs(self) -> tuple[design.Run, ...]:
        """Every run of the design."""
        return design.runs(
            study=self.name,
            arms=self.arms,
            model=self.lm,
            stream=self.stream,
            seeds=self.seeds,
            study_seed=self.study_seed,
            order_kind=self.order,
            deciding=self.deciding,
            channel=self.channel,
            scorers=self.scorers,
        )

    def run(self, *, watch: Watcher | None = None, executor: Executor | str | None = None) -> list[RunRecord]:
        """Carry out every run that is not finished yet, and return what each came to.

        Finished runs are kept; a run that was cut off goes on from its tape. Ctrl-C (the kernel's *Interrupt*) ends
        each run after its current episode, a second one ends at once; either raises `KeyboardInterrupt`, nothing
        recorded is lost, and running again goes on. A budget that is spent stops runs likewise (status ``stopped``).

        Parameters
        ----------
        watch
            Told of each episode; with threads of this process only. Elsewhere `live` follows the files.
        executor
            ``"threads"`` (the default), ``"processes"``, ``"dask"`` (a cluster on this machine), ``"dask:ADDRESS"``
            (a scheduler), or any `concurrent.futures.Executor` that reaches the ledger's folder.

        Raises
        ------
        StudyBusy
            If another process is running this study.
        """
        return conduct(self, watch=watch, executor=executor, begun=self._begun.set)

    def start(self, *, watch: Watcher | None = None, executor: Executor | str | None = None) -> None:
        """The same as `run` in the background; returns as soon as it has begun. `wait` waits, `stop` stops.

        Raises
        ------
        StudyBusy
            If this or another process is running this study.
        """
        if self.running:
            raise StudyBusy(f"study {self.name!r} is already running here: stop() it first")
        self._error = None

        def work() -> None:
            try:
                self.run(watch=watch, executor=executor)
            except BaseException as error:  # noqa: BLE001  (handed to whoever waits)
                self._error = error
            finally:
                self._begun.set()

        self._begun.clear()
        self._thread = threading.Thread(target=work, name=f"study-{self.name}", daemon=True)
        self._thread.start()
        self._begun.wait()  # a stop() that follows at once must not be overtaken by the start
        if isinstance(self._error, StudyBusy):
            self._thread.join()
            raise self._error

    @property
    def running(self) -> bool:
        """Whether `start` is at work in this process."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def error(self) -> BaseException | None:
        """What ended the last `start` before its time; None if nothing did."""
        return self._error

    def live(self) -> LiveStudy:
        """A live view for a notebook: curves, progress, cost, failures; pause, stop, go on."""
        from toolkit.widgets.live import LiveStudy

        return LiveStudy(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `start` to end; True if it has ended. Raises what it raised."""
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        if self._error is not None:
            raise self._error
        return True

    def pause(self) -> None:
        """Hold every run before its next episode, in whatever process it runs."""
        Control(self.folder / "control.json").write("pause")

    def resume(self) -> None:
        """Let paused runs go on."""
        Control(self.folder / "control.json").write("run")

    def stop(self) -> None:
        """End every run after its current episode, in whatever process; `run` or `start` go on later."""
        Control(self.folder / "control.json").write("stop")
        if self._thread is not None:
            self._thread.join()

    def records(self) -> list[RunRecord]:
        """What is known of each run that has begun, in the order of the design."""
        found = (self.ledger.record(self.folder / "runs" / run.folder) for run in self.runs)
        return [record for record in found if record is not None]

    def episodes(self) -> pd.DataFrame:
        """Every episode so far, one row each."""
        from toolkit.analysis import episodes

        return episodes(self.ledger, self.name)

    def compare(self) -> Comparison:
        """Each arm against the baseline; see `toolkit.compare`."""
        from toolkit.analysis import compare

        return compare(self)

    def report(self) -> Path:
        """Write ``report.html`` into the study's folder: one self-contained file."""
        from toolkit.report import write

        path: Path = write(self.ledger, self.name)
        return path

    def config(self) -> Config:
        """The study as plain values, as they stand in ``study.toml``."""
        found: Config = {
            "name": self.name,
            "lm": self.lm.config(),
            "seeds": list(self.seeds),
            "study_seed": self.study_seed,
            "order": self.order,
            "deciding": self.deciding,
            "baseline": self.baseline,
            "scorers": [scorer.name for scorer in self.scorers],
        }
        if self.code:
            found["code"] = [str(path) for path in self.code]
        arms = [arm.config() for arm in self.arms]
        budget = {"budget": self.budget.config()} if self.budget else {}
        return {
            "study": found,
            "stream": self.stream.config(),
            "channel": self.channel.config(),
            **budget,
            "arms": arms,
        }

    def __repr__(self) -> str:
        arms = ", ".join(arm.name for arm in self.arms)
        return f"Study({self.name!r}: {arms}; {len(self.seeds)} seeds; {self.stream!r}; {self.lm!r})"


def _usual_baseline(arms: Sequence[Arm]) -> str:
    names = [arm.name for arm in arms]
    return "static" if "static" in names else names[0] if names else ""


def _mistakes(study: Study) -> Iterator[str]:
    if not NAME.fullmatch(study.name):
        yield f"a study's name must be 1 to 40 letters, digits, '.', '_' or '-' but is {study.name!r}"
    if not study.arms:
        yield "a study needs at least one arm"
    names = [arm.name for arm in study.arms]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two arms are called {name!r}; names must differ"
    if study.arms and study.baseline not in names:
        yield f"the baseline {study.baseline!r} is no arm; {nearest(study.baseline, names)}"
    if not study.seeds or any(isinstance(s, bool) or not isinstance(s, int) or s < 0 for s in study.seeds):
        yield f"seeds must be a number of at least 1, or a list of integers of at least 0, but is {study.seeds!r}"
    if len(set(study.seeds)) < len(study.seeds):
        yield f"seeds must differ but are {study.seeds!r}"
    if study.order not in design.ORDERS:
        yield f"order must be one of {', '.join(design.ORDERS)} but is {study.order!r}"
    for lm in {arm.lm or study.lm for arm in study.arms if arm.decider.uses_model}:
        if study.deciding not in lm.ways:
            yield f"{lm!r} cannot decide by {study.deciding!r}; it can by {', '.join(lm.ways)}"
    for where, part in [("lm", study.lm), *((f"arm {a.name!r}", p) for a in study.arms for p in a.parts)]:
        try:
            part.check()
        except ValueError as error:
            yield f"{where}: {error}"
    yield from study.budget.mistakes(names)
    yield from _twins(study)


def _twins(study: Study) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for arm in study.arms:
        key = arm.fingerprint(), (arm.lm or study.lm).fingerprint() if arm.decider.uses_model else ""
        if key in seen:
            yield f"the arms {seen[key]!r} and {arm.name!r} do the same; for an A/A test give one repeat = 1"
        seen[key] = arm.name
