"""What the command ``toolkit`` understands: its commands, their arguments and what their help says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

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
_Added = Callable[..., argparse.ArgumentParser]  # adds a command, and gives its parser


class _Version(argparse.Action):
    """argparse's own wants the version beforehand; looking it up would slow down every command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import toolkit

        sys.stdout.write(f"{parser.prog} {toolkit.__version__}\n")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """All commands; what is parsed names its ``command``, and that of ``toolkit lm`` its ``action``."""
    made = argparse.ArgumentParser(
        prog="toolkit",
        description="Find out, with evidence, whether turning a language model into an agent pays.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_Version, nargs=0, help="say which version this is, and end")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def on_a_ledger(name: str, **told: Any) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, **told)
        command.add_argument("--ledger", help="the ledger's folder (default: $TOOLKIT_LEDGER, else ./ledger)")
        return command

    _add_run(on_a_ledger)
    _add_reading(on_a_ledger)
    _add_opening(on_a_ledger)
    _add_handing_on(on_a_ledger)
    _add_chat(on_a_ledger)
    _add_lm(commands.add_parser)
    commands.add_parser("doctor", help="what is installed, what is missing, the line that mends it")
    return made


def _add_run(add: _Added) -> None:
    run = add("run", help="run a study, or go on with it; print its table; write its report")
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
    planning = add("plan", help="what a study will cost and what it can show, before it is run")
    planning.add_argument("spec", help="a study.toml, or a folder that holds one")
    planning.add_argument("--effect", type=float, help="a difference of scores to show: seeds and tasks it needs")
    planning.add_argument("--power", type=float, default=0.8, help="the wanted chance of showing it (default: 0.8)")
    planning.add_argument("--lm", help="another model, as 'toolkit run' has it")
    planning.add_argument("--seeds", type=_count, help="how many seeds")
    planning.add_argument("--tasks", type=_count, help="how many tasks of the stream")


def _add_reading(add: _Added) -> None:
    report = add("report", help="print a study's table and write its report.html")
    report.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    worth = "dollars that a right answer is worth: also what each arm gains for its cost, and when it has paid"
    report.add_argument("--value", type=float, metavar="DOLLARS", help=worth)
    add("ls", help="list the studies in the ledger")
    track = add("track", help="show a study's runs in MLflow, or bring them up to date")
    track.add_argument("name", nargs="?", help="a study in the ledger; see 'toolkit ls'")
    track.add_argument("--all", action="store_true", help="every study in the ledger")
    track.add_argument("--tracking-uri", default="", help=_TRACKING)
    track.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)  # until the standard input ends


def _add_opening(add: _Added) -> None:
    ui = add("ui", help="MLflow's pages on the ledger's runs, for this machine only")
    ui.add_argument("--port", type=_count, default=5000)
    told = "JupyterLab on the numbered notebooks, for this machine only"
    beside = "Opens the first notebook in ./notebooks; where there is none, this folder, and says how to get them."
    lab = add("lab", help=told, description=f"{told}. {beside}")
    lab.add_argument("--port", type=_count, help="default: 8888, or the next that is free")
    lab.add_argument("--no-browser", action="store_true", help="print the address only")
    lab.add_argument("--copy", action="store_true", help="first copy the shipped notebooks to ./notebooks; yours stay")


def _add_handing_on(add: _Added) -> None:
    taking = add("import", help="take the studies of another ledger into this one")
    taking.add_argument("source", help="a ledger's folder, or that of one study")
    taking.add_argument("names", nargs="*", metavar="NAME", help="only these studies")
    taking.add_argument("--as", dest="as_name", default="", metavar="NAME", help="another name for the one study")
    rescore = add("rescore", help="compute metrics from the answers that a study has recorded")
    rescore.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    rescore.add_argument("--metric", action="append", required=True, help="a scorer's name; may be given repeatedly")
    rescore.add_argument("--code", action="append", default=[], help="a Python file that defines scorers")
    replay = add("replay", help="run a study again from its tapes, without any model: the same?")
    replay.add_argument("name", help="a study in the ledger, or the file of an archive")
    replay.add_argument("--trust-code", action="store_true", help="run the code of its author that the archive holds")
    rerun = add("rerun", help="run a study again live, and say whether the results are equivalent")
    rerun.add_argument("name", help="a study in the ledger; the new one is called NAME-rerun")
    rerun.add_argument("--margin", type=float, default=0.05, help="difference that counts as none (default: 0.05)")
    rerun.add_argument("--lm", help="another model, or another build of it")
    pack = add("pack", help="make one file of a study, for a colleague or a reviewer")
    pack.add_argument("name", help="a study in the ledger; see 'toolkit ls'")
    pack.add_argument("--output", help="the file (default: NAME.zip)")
    pack.add_argument("--anonymous", action="store_true", help="without author, host, paths and git identity")
    pack.add_argument("--redact", action="store_true", help="hashes instead of prompts, answers and inputs")


def _add_chat(add: _Added) -> None:
    chat = add("chat", help="talk with an agent that remembers; made if there is none of that name")
    chat.add_argument("name", help="an agent in the ledger")
    chat.add_argument("--lm", help="what answers, of a new one; as 'toolkit run' has it (default: smollm2-135m)")
    chat.add_argument("--role", help="what a new one is: a role's name (default: nothing in particular)")
    chat.add_argument("--user", default="", metavar="NAME", help="who is speaking")


def _add_lm(add: _Added) -> None:
    lm = add("lm", help="models").add_subparsers(dest="action", metavar="ACTION", required=True)
    get = lm.add_parser("get", help="download a model's weights into the cache, checked by sha256")
    get.add_argument("name", nargs="?", default="smollm2-135m", help="see 'toolkit lm ls' (default: smollm2-135m)")
    lm.add_parser("ls", help="list the models that 'toolkit lm get' knows")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1 but is {text!r}")
    return int(text)
