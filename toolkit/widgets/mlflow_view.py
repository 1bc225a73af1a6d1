"""A study's place in MLflow, seen from the notebook: links, its page where a server answers, a trace of each arm."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from toolkit.errors import SpecError, nearest
from toolkit.evaluation.study import Study
from toolkit.evaluation.track import State, read_state
from toolkit.evaluation.track import page as curves
from toolkit.ledger.follow import Follower
from toolkit.ledger.pages import RENDERER, Served, is_local, noted_address, served
from toolkit.ledger.spans import SpanRow, recorded, sample, spans, trace_digits
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import OWN, target
from toolkit.ledger.tracked import Tracked, remembered
from toolkit.widgets.page import Page, choose, of_study, picked, press, short, text
from toolkit.widgets.span_tree import lines, tree

_RUN = "workflowType=machine_learning"  # a run's page with its curves first


@dataclass(frozen=True, slots=True)
class RunInMlflow:
    """One run of a study, and which of MLflow's runs shows it.

    Parameters
    ----------
    name
        In words: arm and seed, and stream and order where there are several.
    arm, seed
        Whose.
    run
        The run's identity in the ledger.
    folder
        Where its files are.
    id
        MLflow's; empty where MLflow does not show it.
    """

    name: str
    arm: str
    seed: int
    run: str
    folder: Path
    id: str


@dataclass(frozen=True, slots=True)
class ShownTrace:
    """One episode of an arm, step by step.

    Parameters
    ----------
    arm
        Whose.
    spans
        The episode itself, then what it was made of.
    id
        MLflow's id of the trace; empty where MLflow does not show the study.
    """

    arm: str
    spans: tuple[SpanRow, ...]
    id: str


class MlflowView(Page):
    """What MLflow shows of a study: its experiment and runs, the page of one of them, and an episode of each arm.

    Links and ids are the ledger's own; MLflow is not imported. The page is embedded where a server on this machine
    answers over plain http, knows the run, and lets itself be framed, as that of ``toolkit ui`` does; else it is said
    why not, and which command helps. The episodes are the ledger's, so they stand there without a server too.

    Parameters
    ----------
    study
        A `Study`, or the name of one.
    arm, seed
        Whose run's page is embedded; empty = the study's own run, which compares the arms.
    server
        The address of a server of MLflow's; empty = where the study is tracked, or where ``toolkit ui`` serves its
        ledger.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    runs
        Each run that has begun, with its folder and MLflow's id of it; the other way round there is `study_of`.
    experiment, shown
        MLflow's ids of the experiment, and of the run whose page is embedded; empty where MLflow does not show it.
    server
        The address of the pages; empty where nobody serves them.
    why, command
        Why no page is embedded, and what to type in a terminal; empty where one is.
    traces
        One episode of each arm, of its first seed.

    Raises
    ------
    LedgerError
        If there is no such study.
    SpecError
        If it has no such run.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> study = tk.Study("seen", tk.Desk(tasks=4), arms=[tk.Arm.static()], lm="scripted", seeds=1, tracking="off",
    ...     ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = study.mlflow()
    >>> [one.name for one in view.runs], view.why
    (['static, seed 0'], 'MLflow does not show this study yet')
    """

    def __init__(
        self,
        study: Study | str,
        arm: str = "",
        *,
        seed: int | None = None,
        server: str = "",
        ledger: Ledger | str | Path | None = None,
    ) -> None:
        self.name, kept = of_study(study, ledger)
        super().__init__(kept)
        self._target = study.tracking.target if isinstance(study, Study) else target("", self._ledger.root)
        self._server, self._arm, self._seed = server.rstrip("/"), arm, seed
        self.look()

    def look(self) -> MlflowView:
        """Read the ledger again, and ask the server again."""
        self._ledger.begin()
        self._ledger.find(self.name)
        self._place = self._tracked()
        self.runs = tuple(self._runs(Follower(self._ledger, self.name)))
        self.experiment = self._place.experiment if self._place else ""
        self.traces = tuple(self._traces())
        self.show(self._arm, seed=self._seed)
        return self

    def show(self, arm: str = "", *, seed: int | None = None) -> MlflowView:
        """Embed another run's page; without an arm, that of the study's own run.

        Raises
        ------
        SpecError
            If there is no such run.
        """
        found = next((one for one in self.runs if one.arm == arm and seed in (None, one.seed)), None)
        if arm and found is None:
            known = nearest(f"{arm}, seed {seed or 0}", [one.name for one in self.runs])
            raise SpecError([f"no run of arm {arm!r}{'' if seed is None else f' and seed {seed}'} has begun; {known}"])
        self._arm, self._seed, self._chosen = arm, seed, found
        self.shown = found.id if found else (self._place.run if self._place else "")
        self.server, self._may, self.command = self._served()
        self.draw()
        return self

    @property
    def why(self) -> str:
        """Why no page is embedded; empty where one is."""
        return self._may.why

    def does(self, command: str, value: str) -> None:
        """Look again, or choose a run."""
        if command == "look":
            self.look()
        elif command == "run":
            one = picked([None, *self.runs], value)
            self.show(one.arm, seed=one.seed) if one else self.show()

    def page(self, guided: bool) -> str:
        """Links, runs, the page of one, traces; without a kernel nothing is embedded."""
        place = f" in {text(self._place.where)}" if self._place else ""
        head = f"<h4>study {text(self.name)} in MLflow</h4><p>{self._experiment()}{place}</p>"
        bar = ""
        if guided:
            names = ["the study itself", *(one.name for one in self.runs)]
            at = self.runs.index(self._chosen) + 1 if self._chosen else 0
            bar = f'<div class="bar">{choose("page of", "run", names, at)}{press("Look again", "look")}</div>'
        told = f"<p>{text(self.why)}.</p><pre>{text(self.command)}</pre>" if self.why else ""
        frame = self._frame(self._page(self.shown), f"MLflow: {self.name}") if guided and not self.why else ""
        traces = "".join(self._trace(one, guided) for one in self.traces)
        return f"{bar}{head}{self._table()}{told}{frame}{traces and f'<h4>one episode of each arm</h4>{traces}'}"

    def plain(self) -> str:
        """The same as lines."""
        where = f"{self.name}: experiment {self.experiment} in {self._place.where}" if self._place else self.name
        told = [short(f"study {where}", 200)]
        for one in self.runs:
            told.append(short(f"  {one.name}: {self._page(one.id) or one.id or 'not shown'}", 200))
        told += [f"{self.why}: {self.command}"] if self.why else [f"the page: {self._page(self.shown)}"]
        for trace in self.traces:
            told += ["", short(trace.arm), *lines(trace.spans)]
        return "\n".join(told)

    def _tracked(self) -> Tracked | None:
        """What the place shows that the study is tracked in; where tracking is off, the place that was last."""
        places = remembered(self._ledger.study(self.name))
        wanted = [one for one in places if not self._target.uri or one.where == self._target.shown]
        return wanted[-1] if wanted else None

    def _runs(self, follower: Follower) -> Iterator[RunInMlflow]:
        ids = self._place.runs if self._place else {}
        for run in follower.runs:
            folder = self._ledger.study(self.name) / "runs" / run.folder
            if folder.exists():
                yield RunInMlflow(follower.named(run), run.arm, run.seed, run.id, folder, ids.get(run.folder, ""))

    def _traces(self) -> Iterator[ShownTrace]:
        """Of each arm's first seed an episode in the middle, out of those of which MLflow has traces."""
        first = {one.arm: one for one in sorted(self.runs, key=lambda one: -one.seed)}
        for arm in dict.fromkeys(one.arm for one in self.runs):
            record = self._ledger.record(first[arm].folder)
            places = [t for t in sample(record.tasks) if t < record.episodes] if record else []
            if not places:
                continue
            ((episode, calls),) = recorded(self._ledger, self.name, first[arm].run, [places[len(places) // 2]])
            digits = trace_digits(self.experiment, episode) if self.experiment else ""
            yield ShownTrace(arm, tuple(spans(episode, calls, 0)), digits and f"tr-{digits}")

    def _served(self) -> tuple[str, Served, str]:
        """Where the pages are, what can be done with them, and the command that helps."""
        root = self._ledger.root
        if not self._place or not self.shown:
            uri = ["--tracking-uri", self._target.asked if self._target.uri else OWN]
            track = shlex.join(["toolkit", "track", self.name, "--ledger", str(root), *uri])
            running = read_state(self._ledger, self.name).state == "running"
            why = f"MLflow does not show this {'run' if self._place else 'study'} yet"
            return "", Served(False, False, f"{why}: it is being written" if running else why), track
        where = self._place.where
        server = self._server or (where if where.startswith("http") else noted_address(root))
        if not server:
            return "", Served(False, False, "nobody serves MLflow's pages of this ledger"), self._starts(where)
        may = served(server, self.shown)
        return server * may.links, may, self._starts(where) if may.why and is_local(server) else ""

    def _starts(self, where: str) -> str:
        """The command that serves a place's pages so that a notebook can show them."""
        if where.startswith("http"):
            return f"mlflow server --backend-store-uri DATABASE --x-frame-options NONE   # the one that serves {where}"
        if "://" in where:
            return shlex.join(["mlflow", "server", "--backend-store-uri", where, "--x-frame-options", "NONE"])
        return shlex.join(["toolkit", "ui", "--ledger", str(self._ledger.root)])

    def _page(self, run: str) -> str:
        """The address of a run's page; empty where there is none."""
        if not self.server or not run:
            return ""
        return f"{self.server}/#/experiments/{quote(self.experiment)}/runs/{quote(run)}?{_RUN}"

    def _experiment(self) -> str:
        if not self.server:
            return f"experiment {text(self.experiment)}" if self.experiment else "no experiment"
        there = curves(State("done", experiment=quote(self.experiment)), self.server)
        own = self._page(self._place.run if self._place else "")
        return f"experiment: {_link(there, 'curves, arm by arm')}, {_link(own, 'the comparison')}"

    def _table(self) -> str:
        """A row for each run: its page and MLflow's id, and its folder."""
        rows = "".join(
            f"<tr><td>{_link(self._page(one.id), one.name)}</td><td>{text(one.id or 'not shown')}</td>"
            f"<td>{text(one.folder.relative_to(self._ledger.root))}</td></tr>"
            for one in self.runs
        )
        head = "<tr><th>run</th><th>MLflow's id</th><th>folder in the ledger</th></tr>"
        return f"<details open><summary>{len(self.runs)} runs</summary><table>{head}{rows}</table></details>"

    def _trace(self, one: ShownTrace, guided: bool) -> str:
        """An episode as the ledger has it and, where a server lets it be embedded, as MLflow draws it."""
        drawn = ""
        if guided and one.id and self._may.traces:
            asked = urlencode({"trace_id": one.id, "experiment_id": self.experiment})
            frame = self._frame(f"{self.server}{RENDERER}?{asked}", f"MLflow: a trace of {one.arm}")
            drawn = f"<details><summary>as MLflow draws it</summary>{frame}</details>"
        return f'<section class="side"><h5>{text(one.arm)}</h5>{tree(one.spans)}{drawn}</section>'

    def _frame(self, address: str, title: str) -> str:
        allowed = "allow-scripts allow-same-origin allow-forms allow-popups allow-downloads"
        return (
            f'<iframe src="{escape(address)}" title="{text(title)}" loading="lazy" sandbox="{allowed}" '
            'style="width:100%;height:40em;border:1px solid var(--jp-border-color1, #bbb)"></iframe>'
        )


def _link(address: str, told: str) -> str:
    """What is told as a link; without an address, alone."""
    if not address:
        return text(told)
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{text(told)}</a>'
