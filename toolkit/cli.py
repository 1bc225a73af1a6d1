"""The command ``toolkit``. Everything heavy is loaded by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.arguments import parser
from toolkit.display import visible

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.evaluation.track import State
    from toolkit.ledger.rows import RunRecord
    from toolkit.ledger.store import Ledger

_PATIENCE = 60.0  # seconds that a finished study waits for MLflow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 not all runs finished, 2 a mistake in what was asked, 130 stopped."""
    given = parser().parse_args(arguments)
    from toolkit.errors import ToolkitError

    try:
        return _COMMANDS[given.command](given)
    except (ToolkitError, ValueError) as error:
        print(f"toolkit: {visible(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print("toolkit: stopped; everything recorded is kept, and running it again goes on", file=sys.stderr)
        from toolkit.evaluation.conduct import EndedAtOnce

        if isinstance(error, EndedAtOnce):
            sys.stderr.flush()
            os._exit(130)  # calls that were given up are still under way in threads, some in native code
        return 130
    except BrokenPipeError:
        return 0


def _run(given: argparse.Namespace) -> int:
    from toolkit.analysis.looked import EARLY
    from toolkit.evaluation.spec import load

    study = load(
        given.spec,
        lm=given.lm,
        seeds=given.seeds,
        tasks=given.tasks,
        ledger=given.ledger,
        workers=given.workers,
        name=given.name,
        budget=given.budget,
        tracking=given.tracking_uri,
        stop_when=given.stop_when,
    )
    study.reuse = not given.no_reuse
    print(study)
    records = _with_progress(study, given.executor)
    early = {record.error for record in records if record.status == "stopped" and record.error.startswith(EARLY)}
    bad = [record for record in records if record.status != "finished" and record.error not in early]
    if any(record.episodes for record in records if record.arm == study.baseline):
        print(study.compare(), end="\n\n")
        print(f"report: {study.report()}")
    for told in sorted(early):
        print(told)
    for record in bad:
        print(f"{record.status}: arm {record.arm!r}, seed {record.seed}: {record.error}", file=sys.stderr)
    if study.tracking.state.state == "running":
        print("mlflow: the runs are being written …", file=sys.stderr)
    _tell_tracking(study.tracking.wait(_PATIENCE), study.ledger, study.name)
    return 1 if bad else 0


def _plan(given: argparse.Namespace) -> int:
    from toolkit.evaluation.spec import load

    study = load(given.spec, lm=given.lm, seeds=given.seeds, tasks=given.tasks, ledger=given.ledger, tracking="off")
    print(study.plan(effect=given.effect, power=given.power))
    return 0


def _with_progress(study: Study, executor: str | None) -> list[RunRecord]:
    from tqdm import tqdm

    from toolkit.ledger.follow import following

    total = sum(run.length for run in study.runs)
    here = executor in (None, "threads")
    kept = sum(record.episodes for record in study.records() if record.status == "finished") if here else 0
    with tqdm(total=total, initial=kept, unit="task", desc=study.name, smoothing=0.05) as bar:
        if here:
            return study.run(watch=lambda run, episode: bar.update())
        with following(study.ledger, study.name, lambda found: bar.update(len(found))):
            return study.run(executor=executor)


def _tell_tracking(state: State, ledger: Ledger, name: str) -> None:
    """Where the runs are in MLflow, or why they are not and what to do."""
    from toolkit.evaluation.track import page, told

    if state.state == "done" and state.where.startswith("http"):
        print(f"mlflow: {page(state, state.where)}")
    elif state.state == "running":
        print(f"mlflow: still being written; it goes on without this command (see {ledger.study(name)}/tracking.log)")
    elif state.state != "off":
        print(f"mlflow: {told(state, ledger, name)}", file=sys.stderr if state.state == "failed" else sys.stdout)


def _track(given: argparse.Namespace) -> int:
    from toolkit.errors import SpecError
    from toolkit.evaluation.track import follow, track
    from toolkit.ledger.store import Ledger
    from toolkit.ledger.target import target

    ledger = Ledger(given.ledger)
    where = target(given.tracking_uri, ledger.root)
    if not where.uri:
        raise SpecError(
            ["tracking is off ($TOOLKIT_TRACKING): give --tracking-uri, 'ledger' for the ledger's own database"]
        )
    if bool(given.name) == given.all:
        raise SpecError(["give the name of a study, see 'toolkit ls', or --all"])
    os.environ.update(where.environment())
    if given.follow:
        return 0 if follow(ledger, given.name, where).state == "done" else 1
    states = {name: track(ledger, name, where) for name in (ledger.names() if given.all else [given.name])}
    for name, state in states.items():
        _tell_tracking(state, ledger, name)
    return 0 if all(state.state == "done" for state in states.values()) else 1


def _ui(given: argparse.Namespace) -> int:
    from toolkit.evaluation.track import page, read_state
    from toolkit.ledger.gate import tells
    from toolkit.ledger.store import Ledger
    from toolkit.ledger.ui import serve

    ledger = Ledger(given.ledger)

    def tell(server: str) -> None:
        others = "" if tells() else "; other users of this machine can reach it too"
        print(f"MLflow on {ledger.root}: {server}   (Ctrl-C ends it{others})")
        for name in ledger.names():
            state = read_state(ledger, name)
            if state.experiment and not state.where.startswith("http"):
                print(f"  {name}: {page(state, server)}", flush=True)

    return serve(ledger, given.port, tell)


def _lab(given: argparse.Namespace) -> int:
    from toolkit.lab import serve

    serve(Path.cwd(), given.ledger, given.port, print, browser=not given.no_browser, copy=given.copy)


def _report(given: argparse.Namespace) -> int:
    from toolkit.analysis import compare, payoff
    from toolkit.ledger.store import Ledger
    from toolkit.report import write

    ledger = Ledger(given.ledger)
    print(compare(given.name, ledger=ledger), end="\n\n")
    if given.value is not None:
        print(payoff(given.name, value=given.value, ledger=ledger), end="\n\n")
    print(f"report: {write(ledger, given.name, given.value)}")
    return 0


def _replay(given: argparse.Namespace) -> int:
    from toolkit.evaluation.pack import replay_archive
    from toolkit.evaluation.replay import replay
    from toolkit.ledger.store import Ledger

    ledger = Ledger(given.ledger)
    archive = given.name not in ledger.names() and (Path(given.name).is_file() or given.name.endswith(".zip"))
    done = replay_archive(given.name, trust_code=given.trust_code) if archive else replay(ledger, given.name)
    print(done)
    return 0 if done.identical else 1


def _rerun(given: argparse.Namespace) -> int:
    from toolkit.evaluation.rerun import rerun
    from toolkit.ledger.store import Ledger

    done = rerun(
        Ledger(given.ledger), given.name, lm=given.lm, margin=given.margin, run=lambda made: _with_progress(made, None)
    )
    print(done)
    return 0 if done.equivalent else 1


def _pack(given: argparse.Namespace) -> int:
    from toolkit.evaluation.pack import pack
    from toolkit.ledger.store import Ledger

    print(pack(Ledger(given.ledger), given.name, given.output, anonymous=given.anonymous, redact=given.redact))
    return 0


def _ls(given: argparse.Namespace) -> int:
    from toolkit.ledger.store import Ledger

    ledger = Ledger(given.ledger)
    names = ledger.names()
    if not names:
        print(f"no studies in {ledger.root}; 'toolkit run experiments/first-study' makes one")
        return 0
    found = ledger.sql("SELECT study, arms, seeds, runs, finished, episodes, model FROM studies").set_index("study")
    print(f"{'study':<28} {'arms':>5} {'seeds':>5} {'runs':>5} {'finished':>8} {'episodes':>9}  model")
    for name in names:
        if name in found.index:
            row = found.loc[name]
            counts = f"{row.arms:>5} {row.seeds:>5} {row.runs:>5} {row.finished:>8} {row.episodes:>9.0f}"
            print(visible(f"{name:<28} {counts}  {row.model}"))
        else:
            print(visible(f"{name:<28}     (nothing recorded yet)"))
    return 0


def _import(given: argparse.Namespace) -> int:
    from toolkit.ledger.merge import merge
    from toolkit.ledger.store import Ledger

    ledger = Ledger(given.ledger)
    for one in merge(Path(given.source), ledger, studies=given.names, name=given.as_name):
        print(one)
    return 0


def _rescore(given: argparse.Namespace) -> int:
    from toolkit.analysis import compare
    from toolkit.evaluation.rescore import rescore
    from toolkit.ledger.store import Ledger

    ledger = Ledger(given.ledger)
    for one in rescore(given.name, given.metric, ledger=ledger, code=given.code):
        print(one, end="\n\n")
    for metric in given.metric:
        print(compare(given.name, metric=metric, ledger=ledger), end="\n\n")
    return 0


def _chat(given: argparse.Namespace) -> int:
    from toolkit.agents.terminal import talk

    return talk(given.name, lm=given.lm, role=given.role, user=given.user, ledger=given.ledger)


def _lm(given: argparse.Namespace) -> int:
    from toolkit.lm.weights import fetch, known, present

    if given.action == "get":
        print(fetch(given.name))
        return 0
    for name, weights in known.items():
        here = "present" if present(name) else "absent"
        print(f"{name:<20} {weights.size / 1e6:>6.0f} MB  {weights.licence:<11} {here:<8} {weights.home}")
    return 0


def _doctor(given: argparse.Namespace) -> int:
    from toolkit.doctor import examine

    findings = examine(Path.cwd())
    for finding in findings:
        print(f"{'ok     ' if finding.well else 'MISSING'}  {finding.what:<24} {finding.told}")
        if finding.remedy:
            print(f"         {finding.remedy}")
    return 0 if all(finding.well for finding in findings) else 1


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "plan": _plan,
    "report": _report,
    "ls": _ls,
    "track": _track,
    "ui": _ui,
    "lab": _lab,
    "import": _import,
    "rescore": _rescore,
    "replay": _replay,
    "rerun": _rerun,
    "pack": _pack,
    "chat": _chat,
    "lm": _lm,
    "doctor": _doctor,
}
