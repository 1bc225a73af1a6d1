"""The command ``toolkit``. Everything heavy is loaded by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.display import visible

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.evaluation.track import State
    from toolkit.ledger.rows import RunRecord
    from toolkit.ledger.store import Ledger

EPILOG = """examples:
  toolkit run experiments/first-study        run a study, print its table, write its report
  toolkit plan study.toml --effect 0.05      costs, what can be shown, seeds and tasks for a difference of 0.05
  toolkit run study.toml --lm gguf:model.gguf --seeds 10
  toolkit ls                                 studies in the ledger
  toolkit import FOLDER                      take in the studies of a co-author's ledger
  toolkit rescore NAME --metric normalised   another metric, from the recorded answers
  toolkit pack first-study --anonymous       one file of a study, for a reviewer
  toolkit replay first-study.zip             the same results from what was recorded, without any model?
  toolkit chat NAME                          talk with an agent that goes on remembering
  toolkit lab                                JupyterLab on the numbered notebooks
  toolkit ui                                 look at their runs in MLflow
  toolkit doctor                             what is installed, what is missing, the line that mends it
"""
_TRACKING = "MLflow's tracking server or database (default: $TOOLKIT_TRACKING, else 'ledger': a database of its own)"
_PATIENCE = 60.0  # seconds that a finished study waits for MLflow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 not all runs finished, 2 a mistake in what was asked, 130 stopped."""
    given = _parser().parse_args(arguments)
    from toolkit.errors import ToolkitError

    try:
        return int(given.command(given))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="toolkit",
        description="Find out, with evidence, whether turning a language model into an agent pays.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="run a study, or go on with it; print its table; write its report")
    run.add_argument("spec", help="a study.toml, or a folder that holds one")
    run.add_argument("--lm", help="another model: smollm2-135m, qwen2.5-coder-0.5b, gguf:PATH, scripted")
    run.add_argument("--seeds", type=_count, help="how many seeds")
    run.add_argument("--tasks", type=_count, help="how many tasks of the stream")
    run.add_argument("--workers", type=_count, help="runs at a time")
    run.add_argument("--executor", help="threads (default), processes, dask or dask:ADDRESS; see docs/cluster.md")
    limit = "calls, tokens, dollars or seconds that may be spent, as tokens=100000; ARM:tokens=5000 for one arm"
    run.add_argument("--budget", action="append", default=[], metavar="LIMIT=N", help=limit)
    ending = "end it early once an arm is ahead, as 'memory>static'; may be given repeatedly; none = never"
    run.add_argument("--stop-when", action="append", default=[], metavar="ARM>OTHER", help=ending)
    run.add_argument("--name", help="another name for the study in the ledger")
    run.add_argument("--no-reuse", action="store_true", help="carry out runs that another study has finished, too")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--tracking-uri", default="", help=_TRACKING)
    where.add_argument("--no-mlflow", action="store_const", const="off", dest="tracking_uri", help="no runs in MLflow")
    run.set_defaults(command=_run)
    planning = commands.add_parser("plan", help="what a study will cost and what it can show, before it is run")
    planning.add_argument("spec", help="a study.toml, or a folder that holds one")
    planning.add_argument("--effect", type=float, help="a difference of scores to show: seeds and tasks it needs")
    planning.add_argument("--power", type=float, default=0.8, help="the wanted chance of showing it (default: 0.8)")
    planning.add_argument("--lm", help="another model, as 'toolkit run' has it")
    planning.add_argument("--seeds", type=_count, help="how many seeds")
    planning.add_argument("--tasks", type=_count, help="how many tasks of the stream")
    planning.set_defaults(command=_plan)
    report = commands.add_parser("report", help="print a study's table and write its report.html")
    report.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    worth = "dollars that a right answer is worth: also what each arm gains for its cost, and when it has paid"
    report.add_argument("--value", type=float, metavar="DOLLARS", help=worth)
    report.set_defaults(command=_report)
    listing = commands.add_parser("ls", help="list the studies in the ledger")
    listing.set_defaults(command=_ls)
    track = commands.add_parser("track", help="show a study's runs in MLflow, or bring them up to date")
    track.add_argument("name", nargs="?", help="a study in the ledger; see 'toolkit ls'")
    track.add_argument("--all", action="store_true", help="every study in the ledger")
    track.add_argument("--tracking-uri", default="", help=_TRACKING)
    track.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)  # until the standard input ends
    track.set_defaults(command=_track)
    ui = commands.add_parser("ui", help="MLflow's pages on the ledger's runs, for this machine only")
    ui.add_argument("--port", type=_count, default=5000)
    ui.set_defaults(command=_ui)
    told = "JupyterLab on the numbered notebooks, for this machine only"
    beside = "Opens the first notebook in ./notebooks; where there is none, this folder, and says how to get them."
    lab = commands.add_parser("lab", help=told, description=f"{told}. {beside}")
    lab.add_argument("--port", type=_count, help="default: 8888, or the next that is free")
    lab.add_argument("--no-browser", action="store_true", help="print the address only")
    lab.add_argument("--copy", action="store_true", help="first copy the shipped notebooks to ./notebooks; yours stay")
    lab.set_defaults(command=_lab)
    taking = commands.add_parser("import", help="take the studies of another ledger into this one")
    taking.add_argument("source", help="a ledger's folder, or that of one study")
    taking.add_argument("names", nargs="*", metavar="NAME", help="only these studies")
    taking.add_argument("--as", dest="as_name", default="", metavar="NAME", help="another name for the one study")
    taking.set_defaults(command=_import)
    rescore = commands.add_parser("rescore", help="compute metrics from the answers that a study has recorded")
    rescore.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    rescore.add_argument("--metric", action="append", required=True, help="a scorer's name; may be given repeatedly")
    rescore.add_argument("--code", action="append", default=[], help="a Python file that defines scorers")
    rescore.set_defaults(command=_rescore)
    replay = commands.add_parser("replay", help="run a study again from its tapes, without any model: the same?")
    replay.add_argument("name", help="a study in the ledger, or the file of an archive")
    replay.add_argument("--trust-code", action="store_true", help="run the code of its author that the archive holds")
    replay.set_defaults(command=_replay)
    rerun = commands.add_parser("rerun", help="run a study again live, and say whether the results are equivalent")
    rerun.add_argument("name", help="a study in the ledger; the new one is called NAME-rerun")
    rerun.add_argument("--margin", type=float, default=0.05, help="difference that counts as none (default: 0.05)")
    rerun.add_argument("--lm", help="another model, or another build of it")
    rerun.set_defaults(command=_rerun)
    pack = commands.add_parser("pack", help="make one file of a study, for a colleague or a reviewer")
    pack.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    pack.add_argument("--output", help="the file (default: NAME.zip)")
    pack.add_argument("--anonymous", action="store_true", help="without author, host, paths and git identity")
    pack.add_argument("--redact", action="store_true", help="hashes instead of prompts, answers and inputs")
    pack.set_defaults(command=_pack)
    chat = commands.add_parser("chat", help="talk with an agent that remembers; made if there is none of that name")
    chat.add_argument("name", help="an agent in the ledger")
    chat.add_argument("--lm", help="what answers, of a new one; as 'toolkit run' has it (default: smollm2-135m)")
    chat.add_argument("--role", help="what a new one is: a role's name (default: nothing in particular)")
    chat.add_argument("--user", default="", metavar="NAME", help="who is speaking")
    chat.set_defaults(command=_chat)
    for command in (run, planning, report, listing, track, ui, lab, taking, rescore, replay, rerun, pack, chat):
        command.add_argument("--ledger", help="the ledger's folder (default: $TOOLKIT_LEDGER, else ./ledger)")
    lm = commands.add_parser("lm", help="models").add_subparsers(metavar="ACTION", required=True)
    get = lm.add_parser("get", help="download a model's weights into the cache, checked by sha256")
    get.add_argument("name", nargs="?", default="smollm2-135m", help="see 'toolkit lm ls' (default: smollm2-135m)")
    get.set_defaults(command=_lm_get)
    shown = lm.add_parser("ls", help="list the models that 'toolkit lm get' knows")
    shown.set_defaults(command=_lm_ls)
    doctor = commands.add_parser("doctor", help="what is installed, what is missing, the line that mends it")
    doctor.set_defaults(command=_doctor)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1 but is {text!r}")
    return int(text)


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


def _lm_get(given: argparse.Namespace) -> int:
    from toolkit.lm.weights import fetch

    print(fetch(given.name))
    return 0


def _lm_ls(given: argparse.Namespace) -> int:
    from toolkit.lm.weights import known, present

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
