"""Replay: every finished run of a study once more, from its tape, with the model absent. It must come out the same."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.component import Config
from toolkit.display import visible
from toolkit.errors import SpecError
from toolkit.evaluation.design import Run
from toolkit.evaluation.differences import Difference, first_difference, rows_differ, tables_differ
from toolkit.evaluation.frozen import SAME
from toolkit.evaluation.judge import Judge
from toolkit.evaluation.plan import order_name
from toolkit.evaluation.run import again, record_of
from toolkit.evaluation.spec import stream_tables, study_of
from toolkit.ledger.log import LedgerError
from toolkit.ledger.rows import RunRecord, call_of
from toolkit.ledger.store import Ledger, RunFolder
from toolkit.ledger.tables import rows as rows_of
from toolkit.ledger.tables import table
from toolkit.lm.taped import Taped, taped
from toolkit.streams.kept import Kept
from toolkit.streams.scoring import as_named

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.streams.stream import Stream

ONLY_TAPE = (
    "Replay shows that these results follow from these recorded answers by this code. It asks no model again, so it is "
    "no reproduction: 'toolkit rerun' does that."
)

OLDER = (
    "was written by an older toolkit and does not say what its models were: 'toolkit run' on the study writes it anew, "
    "without running anything again"
)


@dataclass(frozen=True)
class Replay:
    """What a replay came to. Prints as "identical" or as the first difference.

    Parameters
    ----------
    study
        Its name.
    runs, episodes, calls
        How many were replayed; calls were all answered from tape.
    difference
        The first one, None if all is the same: run hashes and episodes, and the table's numbers and curves to 1e-9.
    left_out
        Runs that are not finished, which cannot be compared.
    notes
        What a reader should know.
    """

    study: str
    runs: int
    episodes: int
    calls: int
    difference: Difference | None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether nothing differed."""
        return self.difference is None

    def __str__(self) -> str:
        done = f"{self.runs} runs, {self.episodes} episodes, {self.calls} calls from tape, no model"
        lines = [f"different: {self.difference}" if self.difference else f"identical: {self.study}: {done}"]
        if self.left_out:
            lines.append(f"left out, not finished: {', '.join(self.left_out)}")
        return visible("\n".join([*lines, *self.notes, ONLY_TAPE]))


def replay(ledger: Ledger, name: str, *, anchor: Path | None = None, study: Study | None = None) -> Replay:
    """Replay a study of a ledger.

    Parameters
    ----------
    ledger, name
        Where it is kept.
    anchor
        The folder to which paths of data in its ``study.toml`` are relative; None = the study's own.
    study
        The study itself, where it holds what no file can (a wrapped program); None = as its ``study.toml`` says.

    Raises
    ------
    LedgerError
        If there is no such study, or nothing in it is finished.
    SpecError
        If the study cannot be set up again: which data or code is missing, and where it belongs.
    """
    folder = ledger.find(name)
    planned: dict[str, Any] = _json(folder / "plan.json")
    models = _models(planned, folder)
    made = study or restored(folder, planned, models, anchor or folder)
    _check_streams(made, planned)
    records = {run["folder"]: ledger.record(folder / "runs" / run["folder"]) for run in planned["runs"]}
    finished = {where: one for where, one in records.items() if one is not None and one.status == "finished"}
    if not finished:
        raise LedgerError(f"no run of {name!r} is finished: there is nothing to replay; run it to the end first")
    with _aside(folder, name) as other:
        found, episodes, calls = None, 0, 0
        for run in _runs(made, planned, models):
            if run.folder in finished:
                found, told = _replayed(run, finished[run.folder], folder, other)
                episodes, calls = episodes + told.episodes, calls + told.replayed
            if found:
                break
        left_out = tuple(where for where in records if where not in finished)
        notes = list(_notes(made, planned))
        if found is None and not left_out:
            found = tables_differ(ledger, other, name)
            notes += _report_note(folder, other, name)
    return Replay(name, len(finished), episodes, calls, found, left_out, tuple(notes))


def restored(folder: Path, planned: Mapping[str, Any], models: Mapping[str, Taped], anchor: Path) -> Study:
    """The study that a folder's files describe, with models that are absent, its own code, and data as stored there."""
    table: Config = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    head = table["study"]
    head["lm"] = Taped(str(planned["model"]), "", offered=(planned["deciding"],))
    for arm in table["arms"]:
        if arm["name"] in models:
            arm["lm"] = models[arm["name"]]
        else:
            arm.pop("lm", None)
    for row in planned.get("judges", ()):
        head["scorers"][planned["scorers"].index(row["metric"])]["lm"] = taped(row["taped"])
    head["code"] = [str((folder / "code" / Path(str(path)).name).resolve()) for path in head.get("code", [])]
    if isinstance(second := head.get("second_pass"), dict):
        head["second_pass"] = _kept(folder, len(stream_tables(table))) or second
    table["streams"] = [_kept(folder, place) or one for place, one in enumerate(stream_tables(table))]
    table.pop("stream", None)
    try:
        return study_of(table, anchor / "study.toml", Ledger(folder.parent.parent), "off")
    except SpecError as error:
        why = [*_needed(folder, anchor), *_wrapped(table), *_code_apart(folder, head)]
        raise SpecError([*error.mistakes, *why]) from error


def kept_name(place: int) -> str:
    """The file of a stream's own tasks in an archive, by its place among the study's streams."""
    return f"stream-{place}.json"


def _kept(folder: Path, place: int) -> Kept | None:
    file = folder / kept_name(place)
    return Kept(file.read_text(encoding="utf-8")) if file.exists() else None


def _needed(folder: Path, anchor: Path) -> Iterator[str]:
    """The data files that an archive does without, and where they belong."""
    if not (folder / "data.json").exists():
        return
    streams = _json(folder / "data.json")["streams"]
    for held, file in ((one, file) for one in streams for file in one["files"]):
        place = (anchor / file["path"]).resolve()
        if not place.exists():
            yield (
                f"data of {held['label']} are not in the archive (licence: {held['licence'] or 'not stated'}): "
                f"put {file['name']} (sha256 {file['sha256'] or 'not known'}) at {place}"
            )


def _wrapped(table: Config) -> Iterator[str]:
    """Programs that an arm wraps live in code, which no file of the study holds."""
    for arm in table["arms"]:
        if isinstance(decider := arm.get("decider"), dict) and decider.get("use") == "Wrapped":
            yield (
                f"arm {arm['name']!r} wraps {decider.get('target')}, a program that lives in code: build the study "
                "there and call its replay()"
            )


def _code_apart(folder: Path, head: Config) -> Iterator[str]:
    """Classes that were defined in a notebook have no file that could be imported."""
    named = {Path(path).name for path in head["code"]}
    apart = sorted(path.name for path in (folder / "code").glob("*.py") if path.name not in named)
    if apart:
        yield (
            f"{', '.join(apart)} under code/ were defined in a notebook or script: define them again, build the study, "
            "and call its replay()"
        )


def _models(planned: Mapping[str, Any], folder: Path) -> dict[str, Taped]:
    if "taped" not in planned:
        raise LedgerError(f"{folder / 'plan.json'} {OLDER}")
    return {arm: taped(told) for arm, told in planned["taped"].items()}


def _check_streams(study: Study, planned: Mapping[str, Any]) -> None:
    found = list(zip(study.streams, planned["streams"], strict=True))
    if not isinstance(study.second_pass, str):
        found.append((study.second_pass, planned["second_pass"]))
    wrong = [(stream, told) for stream, told in found if stream.fingerprint() != told["fingerprint"]]
    if wrong:
        raise SpecError(_changed(stream, told, planned) for stream, told in wrong)


def _changed(stream: Stream, told: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    files = ", ".join(map(str, stream.files()))
    way_out = f"put the data of then at {files}" if files else "use the version of the toolkit in environment.json"
    return (
        f"the tasks of {stream!r} are not those that {planned['study']!r} ran on (fingerprint "
        f"{stream.fingerprint()[:12]} instead of {told['fingerprint'][:12]}): {way_out}"
    )


def _runs(study: Study, planned: Mapping[str, Any], models: Mapping[str, Taped]) -> Iterator[Run]:
    """The planned runs under the identities and in the orders that were stored, each with an absent model."""
    arms = {arm.name: arm for arm in study.arms}
    streams = dict(zip((told["label"] for told in planned["streams"]), study.streams, strict=True))
    nobody = Taped(str(planned["model"]), "")
    again: Mapping[str, Any] = planned.get("second_pass", {})
    verdicts = {row["metric"]: taped(row["taped"]) for row in planned.get("judges", ())}
    scorers = tuple(one.by(verdicts[one.name]) if isinstance(one, Judge) else as_named(one) for one in study.scorers)
    for told in planned["runs"]:
        name = order_name(study, told["stream"], told["order"], told["seed"])
        places = tuple(planned["orders"][name])
        same = {"second": streams[told["stream"]], "second_places": places}
        held_out = {"second": study.second_pass, "second_places": tuple(again.get("orders", {}).get(name, ()))}
        yield Run(
            id=told["id"],
            study=study.name,
            arm=arms[told["arm"]],
            model=models.get(told["arm"], nobody),
            stream=streams[told["stream"]],
            seed=told["seed"],
            study_seed=study.study_seed,
            order=told["order"],
            places=places,
            deciding=study.deciding,
            channel=arms[told["arm"]].channel or study.channel,
            scorers=scorers,
            label=told["stream"],
            counterfactuals=study.counterfactuals,
            exams=study.exams,
            **({} if not again else same if again["kind"] == SAME else held_out),
        )


def _replayed(run: Run, recorded: RunRecord, study: Path, other: Ledger) -> tuple[Difference | None, RunRecord]:
    """One run from its tape: the first difference to what was recorded, and what it came to."""
    source = study / "runs" / run.folder
    tape = [call_of(row) for row in rows_of(source, "calls")]
    folder = RunFolder(other.study(run.study) / "runs" / run.folder, record_of(run))
    folder.open()
    try:
        record = again(run, folder, tape)
    except Exception as error:  # noqa: BLE001  (what was recorded did not raise: whatever this is, it is a difference)
        folder.close()
        rows = rows_of(folder.folder, "episodes")
        place = len(rows)
        found = rows_differ(run, rows_of(source, "episodes")[:place], rows)
        told = f"{type(error).__name__}: {error}"
        task = run.stream.pairs()[run.places[place]][0].id if place < len(run.places) else ""
        return found or Difference(run.folder, place, task, "(the run)", "went on", told), folder.record
    folder.finish(record)
    found = first_difference(run, source, folder.folder, recorded, record)
    kept = table(source, "calls")  # its seconds are those of then
    table(folder.folder, "calls").unlink()
    (folder.folder / kept.name).symlink_to(kept.resolve())
    return found, record


@contextmanager
def _aside(folder: Path, name: str) -> Iterator[Ledger]:
    """A ledger beside the ledger, for as long as the replay takes."""
    with tempfile.TemporaryDirectory(prefix="toolkit-replay-") as place:
        other = Ledger(place)
        other.study(name).mkdir(parents=True)
        for file in ("plan.json", "environment.json", "study.toml"):
            (other.study(name) / file).write_bytes((folder / file).read_bytes())
        if (folder / "code").is_dir():
            shutil.copytree(folder / "code", other.study(name) / "code")  # the report names its files
        yield other


def _notes(study: Study, planned: Mapping[str, Any]) -> Iterator[str]:
    for arm in study.arms:
        told = planned["arms"].get(arm.name, {})
        if told and told["fingerprint"] != arm.fingerprint():
            yield f"note: arm {arm.name!r} is made of other code than when it ran; it came to the same all the same"


def _report_note(folder: Path, other: Ledger, name: str) -> Iterator[str]:
    """Whether the report comes out the same to the byte; its numbers are those of the table, compared already."""
    from toolkit.report import html

    stored: Path = folder / "report.html"
    report: str = html(other, name)
    if stored.exists() and stored.read_bytes() == report.encode():
        yield "report.html: the same to the byte"
    elif stored.exists():
        yield (
            "note: report.html has the same numbers but not the same bytes: it was written before the study was "
            "finished, with a value of a right answer, or by another version of the toolkit"
        )


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
