"""Following a study while it runs, from whatever process: what was recorded since the last look, read once."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.ledger.rows import Row, RunRecord
from toolkit.ledger.store import Ledger
from toolkit.ledger.views import quoted

_COLUMNS = ("phase", "t", "status", "score", "labels", "error", "task", "answer")
_KINDS = ("acting", "adapting", "judging")
_CALLS, _READ, _WROTE, _SECONDS, _DOLLARS = (
    tuple(f"{kind}_{name}" for kind in _KINDS)
    for name in ("calls", "input_tokens", "output_tokens", "seconds", "dollars")
)
_read = json.JSONDecoder().decode  # asked once per row, without the questions that `json.loads` asks each time
_NEEDED = {"phase", "t", "status", "score", "labels", "error"}
_ANSWER = 200  # letters that a watcher keeps of an answer


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a watcher needs of one recorded episode.

    Parameters
    ----------
    run, arm, seed
        Whose episode it is.
    phase, t, status, score, labels, error
        As of `toolkit.episode.Episode`; the score is NaN where there is none.
    calls, tokens, seconds, dollars
        What it cost, all purposes together; dollars are NaN where the price is not known.
    task, answer
        Which task it was, and how its answer begins.
    """

    run: str
    arm: str
    seed: int
    phase: str
    t: int
    status: str
    score: float
    labels: int
    error: str
    calls: int
    tokens: int
    seconds: float
    dollars: float
    task: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a study's plan: its identity, its folder below ``runs/``, whose it is, and how long.

    ``stream`` and ``order`` are empty, and ``tasks`` those of the study, in the plan of an older toolkit.
    """

    id: str
    folder: str
    arm: str
    seed: int
    stream: str = ""
    order: str = ""
    tasks: int = 0

    @classmethod
    def of(cls, row: Row, tasks: int) -> PlannedRun:
        """A run as a plan tells it; ``tasks`` where it does not say how many."""
        rest = row.get("stream", ""), row.get("order", ""), row.get("tasks", tasks)
        return cls(row["id"], row["folder"], row["arm"], row["seed"], *rest)


class Follower:
    """Reads a study's files as they grow; each episode is handed out once, also if its run is cut off and resumed.

    Parameters
    ----------
    ledger, study
        Whose files; the study need not have begun yet.

    Attributes
    ----------
    records
        What each run said of itself at the last look, by run id; runs not begun are absent.
    damaged
        Lines so far that are no rows.
    taken
        Rows and lines read so far, each once, and once more where a resumed run wrote them anew.
    """

    def __init__(self, ledger: Ledger, study: str) -> None:
        self.ledger, self.study = ledger, study
        self.records: dict[str, RunRecord] = {}
        self.damaged = self.taken = 0
        self._tails: dict[str, _Tail] = {}
        self._seen: dict[str, tuple[int, ...]] = {}
        self._plan: tuple[int, Row, tuple[PlannedRun, ...]] = (-1, {}, ())

    @property
    def planned(self) -> Row:
        """The study's present plan; empty before it has begun."""
        path = self.ledger.study(self.study) / "plan.json"
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._plan[0]:
            table = json.loads(path.read_text(encoding="utf-8"))
            tasks = len(table["tasks"])
            self._plan = changed, table, tuple(PlannedRun.of(row, tasks) for row in table["runs"])
        return self._plan[1]

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """The runs of the study's present plan; none before it has begun."""
        return self._plan[2] if self.planned else ()

    @property
    def several(self) -> bool:
        """Whether the study has several streams or orders."""
        return len({(run.stream, run.order) for run in self.runs}) > 1

    def named(self, run: PlannedRun) -> str:
        """A run in words: arm and seed, and stream and order where the study has several."""
        return f"{run.arm}, {f'{run.stream}, {run.order}, ' * self.several}seed {run.seed}"

    def poll(self) -> list[Glimpse]:
        """Episodes recorded since the last call, run by run in the order of the plan."""
        found, whole = list[Glimpse](), list[PlannedRun]()
        for run in self.runs:
            folder = self.ledger.study(self.study) / "runs" / run.folder
            record = self._record(run, folder)
            if record is None:
                continue
            tail = self._tails.setdefault(run.id, _Tail(folder / "episodes.jsonl"))
            if record.status == "finished" and not tail.path.exists():
                whole += [run] if tail.rows < record.episodes else []
                continue
            found += [_glimpse(run, row) for row in tail.read()]
            self.damaged += tail.take_damage()
            self.taken += tail.take_taken()
        return found + list(self._finished(whole))

    def _record(self, run: PlannedRun, folder: Path) -> RunRecord | None:
        """What a run says of itself now; its file is read where it is another one than at the last look."""
        try:
            now = os.stat(folder / "run.json")
        except FileNotFoundError:
            return None
        seen = now.st_ino, now.st_mtime_ns, now.st_size
        if run.id not in self.records or self._seen.get(run.id) != seen:
            record = self.ledger.record(folder)
            if record is None:
                return None
            self.records[run.id], self._seen[run.id] = record, seen
        return self.records[run.id]

    def _finished(self, runs: list[PlannedRun]) -> Iterator[Glimpse]:
        """What is left to see of runs whose logs have become Parquet."""
        if not runs:
            return
        import duckdb

        named = {run.id: run for run in runs}
        folder = self.ledger.study(self.study).resolve() / "runs"
        files = ", ".join(f"'{quoted(folder / run.folder / 'episodes.parquet')}'" for run in runs)
        columns = ", ".join(["run", *_COLUMNS, *_CALLS, *_READ, *_WROTE, *_SECONDS, *_DOLLARS])
        with duckdb.connect() as con:
            query = (
                f"SELECT {columns} FROM read_parquet([{files}], union_by_name=true, file_row_number=true) "
                "ORDER BY run, file_row_number"
            )
            rows = con.execute(query).fetchall()
        self.taken += len(rows)
        names = columns.split(", ")
        place: dict[str, int] = {}
        for values in rows:
            row: Row = dict(zip(names, values, strict=True))
            tail, place[row["run"]] = self._tails[row["run"]], place.get(row["run"], 0) + 1
            if place[row["run"]] > tail.rows:
                yield _glimpse(named[row["run"]], row)
        for run in runs:
            self._tails[run.id].rows = max(self._tails[run.id].rows, place.get(run.id, 0))


@contextmanager
def following(
    ledger: Ledger, study: str, told: Callable[[list[Glimpse]], object], every: float = 0.5
) -> Iterator[None]:
    """Tell of what is recorded meanwhile, by whatever process, from a thread that ends with the block.

    Parameters
    ----------
    told
        Takes the episodes since the last look; the first time, all that there were.
    every
        Seconds between two looks.
    """
    follower, over = Follower(ledger, study), threading.Event()

    def look() -> None:
        while not over.wait(every):
            told(follower.poll())

    thread = threading.Thread(target=look, name=f"follow-{study}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        told(follower.poll())


class _Tail:
    """The end of one growing log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0  # handed out so far
        self._offset, self._file, self._skip, self._damaged, self._taken = 0, -1, 0, 0, 0

    def read(self) -> Iterator[Row]:
        """Whole rows since the last call."""
        try:
            with open(self.path, "rb") as file:
                self._mind_a_new_file(file.fileno())
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return  # not begun, or turned into Parquet this moment: the next look finds it
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._taken += 1
            if self._skip:
                self._skip -= 1
                continue
            self.rows += 1
            try:
                row = _read(line.decode())
            except ValueError:
                row = None
            if isinstance(row, dict) and row.keys() >= _NEEDED:
                yield row
            else:
                self._damaged += 1

    def take_damage(self) -> int:
        """Lines that were no rows since this was last asked."""
        found, self._damaged = self._damaged, 0
        return found

    def take_taken(self) -> int:
        """Lines that were read since this was last asked."""
        found, self._taken = self._taken, 0
        return found

    def _mind_a_new_file(self, descriptor: int) -> None:
        """A resumed run writes its episodes anew, the same ones: those handed out before are passed over."""
        now = os.fstat(descriptor)
        if now.st_ino != self._file or now.st_size < self._offset:
            self._file, self._offset, self._skip = now.st_ino, 0, self.rows


def _glimpse(run: PlannedRun, row: Row) -> Glimpse:
    score = row["score"]
    return Glimpse(
        run=run.id,
        arm=run.arm,
        seed=run.seed,
        phase=row["phase"],
        t=row["t"],
        status=row["status"],
        score=math.nan if score is None else score,
        labels=row["labels"],
        error=row["error"] or "",
        calls=int(_sum(row, _CALLS)),
        tokens=int(_sum(row, _READ) + _sum(row, _WROTE)),
        seconds=_sum(row, _SECONDS),
        dollars=_sum(row, _DOLLARS),
        task=row.get("task") or "",
        answer=(row.get("answer") or "")[:_ANSWER],
    )


def _sum(row: Row, names: tuple[str, ...]) -> float:
    """Of all kinds of cost; NaN where one is not known."""
    one, two, three = names
    try:
        total: float = row[one] + row[two] + row[three]
    except (KeyError, TypeError):
        return math.nan
    return total
