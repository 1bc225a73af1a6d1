"""A study: arms × seeds × streams × orders, carried out run by run, kept in the ledger, compared at the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.agents.arm import Arm
from toolkit.component import Config, Displayed
from toolkit.errors import SpecError
from toolkit.evaluation import design, stopping
from toolkit.evaluation.background import Background
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.conduct import Watcher, conduct
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.mistakes import mistakes, usual_baseline
from toolkit.evaluation.run import Control
from toolkit.evaluation.track import Tracking
from toolkit.evaluation.unchanged import StudyChanged
from toolkit.ledger.alone import StudyBusy, holder
from toolkit.ledger.rows import RunRecord
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import target
from toolkit.lm.model import Deciding, Model, model
from toolkit.streams.channel import Channel, FullLabel
from toolkit.streams.scoring import Scorer, scorer_by_name
from toolkit.streams.stream import Stream

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.agents.live import LiveAgent
    from toolkit.analysis import Comparison, TraitEffects
    from toolkit.evaluation.asked import AskedAgain
    from toolkit.evaluation.forecast import Forecast
    from toolkit.evaluation.replay import Replay
    from toolkit.widgets.episode import EpisodeView
    from toolkit.widgets.live import LiveStudy
    from toolkit.widgets.mlflow_view import MlflowView

__all__ = ["Study", "StudyBusy", "StudyChanged"]


class Study(Displayed):
    """Arms compared on the same tasks in the same orders.

    Parameters
    ----------
    name
        Its folder in the ledger; letters, digits, ``.``, ``_``, ``-``.
    stream, streams
        Tasks and keys: of one stream, or of several that differ.
    arms
        What is compared; names must differ, and no two may do the same (unless ``repeat`` differs).
    lm
        The model of every arm that names none of its own.
    seeds
        How many, or which. Each seed has an order of its own; at temperature above 0, samples of its own too.
    study_seed
        What all randomness of the study derives from.
    order
        ``"shuffled"``, ``"given"``, ``"by-session"``, ``"easy-first"``, ``"hard-first"``, or a list of several; see
        `toolkit.evaluation.design.order`.
    deciding
        How closed options are chosen, the same for all arms; None = the model's first way.
    channel
        What agents get to hear.
    scorers
        Metrics, the main one first: names, or scorers with parameters (`toolkit.Judge`); None = the stream's.
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
    second_pass
        After the stream and all its feedback, another pass with all updating off: ``"same"`` = over the stream again, a
        `Stream` = over that, held out until then; empty = none. See `toolkit.second_pass`.
    counterfactuals
        Share of the tasks, in [0, 1], at which each arm is asked again without what it recalled, with what another task
        recalled, and without each single memory; charged to judging. See `toolkit.attribution`.
    exams
        When a copy of each agent is asked, with all updating off: on day one, and on the way. See `toolkit.Exams`.
    reuse
        Whether runs that another study of the ledger has finished are taken over; False = every run is carried out.
    stop_when
        Conditions of which any one ends the study early, as ``"memory>static"``; see `toolkit.evaluation.stopping`.
    hypotheses
        The primary contrasts, set down with a time stamp before the first run; all others are exploratory.

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
        stream: Stream | None = None,
        *,
        arms: Sequence[Arm],
        lm: Model | Config | str = "smollm2-135m",
        seeds: int | Sequence[int] = 5,
        study_seed: int = 0,
        order: str | Sequence[str] = "shuffled",
        deciding: Deciding | None = None,
        channel: Channel | None = None,
        scorers: Sequence[str | Config | Scorer] | None = None,
        baseline: str = "",
        ledger: Ledger | str | Path | None = None,
        workers: int = 0,
        code: Sequence[str | Path] = (),
        budget: Budget | None = None,
        tracking: str = "",
        streams: Sequence[Stream] = (),
        reuse: bool = True,
        stop_when: str | Sequence[str] = (),
        hypotheses: Sequence[Hypothesis] = (),
        second_pass: str | Stream = "",
        counterfactuals: float = 0.0,
        exams: Exams | None = None,
    ) -> None:
        self.name, self.arms = name, tuple(arms)
        self.streams = (*([stream] if stream is not None else []), *streams)
        if not self.streams:
            raise SpecError(["a study needs a stream: give stream=, or several as streams="])
        self.lm = model(lm)
        self.seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        self.study_seed = study_seed
        self.orders = (order,) if isinstance(order, str) else tuple(order)
        self.deciding: Deciding = deciding or self.lm.ways[0]
        self.channel = channel or FullLabel()
        self.scorers: tuple[Scorer, ...] = scorer_by_name(scorers or self.stream.scorers)
        self.baseline = baseline or usual_baseline(self.arms)
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
        self.workers, self.reuse, self.second_pass = workers, reuse, second_pass
        self.code = tuple(Path(path) for path in code)
        self.budget, self.counterfactuals, self.exams = budget or Budget(), counterfactuals, exams
        self.stop_when, self.hypotheses = stopping.written(stop_when), tuple(hypotheses)
        self.tracking = Tracking(self.ledger, name, target(tracking, self.ledger.root))
        self._background, self.scorers_named = Background(name), bool(scorers)
        if found := list(mistakes(self)):
            raise SpecError(found)

    @property
    def stream(self) -> Stream:
        """The first stream; the only one of most studies."""
        return self.streams[0]

    @property
    def order(self) -> str | tuple[str, ...]:
        """The kind of order, or the kinds where there are several."""
        return self.orders[0] if len(self.orders) == 1 else self.orders

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
            streams=self.streams,
            seeds=self.seeds,
            study_seed=self.study_seed,
            order_kinds=self.orders,
            deciding=self.deciding,
            channel=self.channel,
            scorers=self.scorers,
            second_pass=self.second_pass,
            counterfactuals=self.counterfactuals,
            exams=self.exams,
        )

    def plan(self, *, effect: float | None = None, power: float = 0.8, level: float = 0.95) -> Forecast:
        """What the study will cost and what it can show, before anything is spent: no model is asked or loaded.

        Costs and variances come from runs in the ledger of these arms (this study's, else a similar one's), else costs
        from the prompts and the model's prices, variances from the worst case. What is unknown is n/a, with a reason.

        Parameters
        ----------
        effect
            A difference of scores one wants to be able to show: adds how many seeds, or tasks, that needs.
        power
            The wanted chance of showing a difference, between 1 - level and 1.
        level
            Coverage of the interval that shows it, in (0, 1).

        Raises
        ------
        SpecError
            If the design answers no question (one arm, one seed, one session, runs that are all the same run). `run`
            carries it out all the same.
        """
        from toolkit.evaluation.forecast import forecast

        return forecast(self, effect=effect, power=power, level=level)

    def run(self, *, watch: Watcher | None = None, executor: Executor | str | None = None) -> list[RunRecord]:
        """Carry out every run that is not finished yet, and return what each came to.

        Finished runs are kept, equal ones of other studies reused; a run that was cut off goes on from its tape.
        Ctrl-C (the kernel's *Interrupt*) ends each run after its current episode, a second one ends at once; either
        raises `KeyboardInterrupt`, nothing recorded is lost, and running again goes on. A budget that is spent
        stops runs likewise (status ``stopped``).

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
        StudyChanged
            If a stream or a model is not what the study's recorded runs rest on, though its settings are the same.
        """
        return conduct(self, watch=watch, executor=executor, begun=lambda: None)

    def start(self, *, watch: Watcher | None = None, executor: Executor | str | None = None) -> None:
        """The same as `run` in the background; returns when it has begun, or raises what `run` raises; `stop` stops."""
        self._background.begin(lambda begun: conduct(self, watch=watch, executor=executor, begun=begun))

    @property
    def running(self) -> bool:
        """Whether `start` is at work in this process."""
        return self._background.running

    @property
    def error(self) -> BaseException | None:
        """What ended the last `start` before its time; None if nothing did."""
        return self._background.error

    def live(self) -> LiveStudy:
        """A live view for a notebook: curves, progress, cost, failures; pause, stop, go on."""
        from toolkit.widgets.live import LiveStudy

        return LiveStudy(self)

    def watch(self, arm: str = "", task: str = "", *, beside: str = "", seed: int | None = None) -> EpisodeView:
        """One episode in a world for a notebook, turn by turn, alone or beside another arm's; see `EpisodeView`."""
        from toolkit.widgets.episode import EpisodeView

        return EpisodeView(self, arm, task, beside=beside, seed=seed)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for `start` to end; True if it has ended. Raises what it raised."""
        return self._background.wait(timeout)

    def pause(self) -> None:
        """Hold every run before its next episode, in whatever process it runs."""
        Control(self.folder / "control.json").write("pause")

    def resume(self) -> None:
        """Go on: where runs are paused, in whatever process; a study that was stopped or cut off is started again here.

        After a kernel restart: ``tk.Study.open("name").resume()``. Raises what `run` raises.
        """
        if holder(self.folder):
            Control(self.folder / "control.json").write("run")
        else:
            self.start()

    @classmethod
    def open(cls, name: str, *, ledger: Ledger | str | Path | None = None, tracking: str = "") -> Study:
        """A study of the ledger by its name, from what it keeps of itself: after a restart, or on another day.

        Raises
        ------
        LedgerError
            If there is none of that name.
        SpecError
            If it needs something that is not there any more; says what.
        """
        from toolkit.evaluation.extend import opened

        return opened(name, ledger if isinstance(ledger, Ledger) else Ledger(ledger), tracking)

    def extend(
        self,
        *,
        seeds: int | Sequence[int] = (),
        arms: Sequence[Arm] = (),
        orders: str | Sequence[str] = (),
        streams: Stream | Sequence[Stream] = (),
    ) -> Study:
        """This study with more seeds (so many, or which), arms, orders, streams; what is finished is kept by `run`."""
        from toolkit.evaluation.extend import extended

        return extended(self, seeds=seeds, arms=arms, orders=orders, streams=streams)

    def stop(self) -> None:
        """End every run after its current episode, in whatever process; `run` or `start` go on later."""
        Control(self.folder / "control.json").write("stop")
        self._background.join()

    def records(self) -> list[RunRecord]:
        """What is known of each run that has begun, in the order of the design."""
        found = (self.ledger.record(self.folder / "runs" / run.folder) for run in self.runs)
        return [record for record in found if record is not None]

    def episodes(self) -> pd.DataFrame:
        """Every episode so far, one row each."""
        from toolkit.analysis import episodes

        return episodes(self.ledger, self.name)

    def episode(self, arm: str, t: int, *, seed: int | None = None, stream: str = "") -> AskedAgain:
        """One episode, which can be asked again: ``study.episode("memory", 12).without("stream/3")``."""
        from toolkit.evaluation.asked import asked_again

        return asked_again(self, arm, t, seed=seed, stream=stream)

    def compare(self) -> Comparison:
        """Each arm against the baseline; see `toolkit.compare`."""
        from toolkit.analysis import compare

        return compare(self)

    def main_effects(self) -> TraitEffects:
        """What each trait of the arms is worth; see `toolkit.main_effects`."""
        from toolkit.analysis import main_effects

        return main_effects(self)

    def report(self, value: float | None = None) -> Path:
        """Write ``report.html`` and what a paper needs; ``value``: the dollars that a right answer is worth."""
        from toolkit.report import write

        return Path(write(self.ledger, self.name, value))

    def agent(self, arm: str, *, seed: int | None = None, name: str = "", **which: str) -> LiveAgent:
        """An agent in live use, with a finished run's past; see `toolkit.evaluation.live_agent.live_agent`."""
        from toolkit.evaluation.live_agent import live_agent

        return live_agent(self, arm, seed=seed, name=name, **which)

    def mlflow(self, arm: str = "", *, seed: int | None = None, server: str = "") -> MlflowView:
        """Where MLflow shows the study, with its page where a server answers, and a trace of each arm; `MlflowView`."""
        from toolkit.widgets.mlflow_view import MlflowView

        return MlflowView(self, arm, seed=seed, server=server)

    def replay(self) -> Replay:
        """Every finished run once more, from its tape, with the model absent; see `toolkit.evaluation.replay`."""
        from toolkit.evaluation.replay import replay

        return replay(self.ledger, self.name, study=self)

    def config(self) -> Config:
        """The study as plain values, as they stand in ``study.toml``."""
        from toolkit.evaluation.written import written

        return written(self)

    def __repr__(self) -> str:
        arms, streams = ", ".join(arm.name for arm in self.arms), ", ".join(map(repr, self.streams))
        return f"Study({self.name!r}: {arms}; {len(self.seeds)} seeds; {streams}; {self.lm!r})"
