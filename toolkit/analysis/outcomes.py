"""What came of episodes in worlds, as columns: where every measure of initiative begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.analysis.doubts import notes
from toolkit.analysis.recorded import OWN, RUN, found, plan
from toolkit.errors import SpecError, nearest
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only
from toolkit.ledger.store import Ledger
from toolkit.moves import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_COUNTS = tuple(name for name in Outcome("done").flat if name != "ended")
_NEEDED = ("arm", "task", "seed", "outcome")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Episodes in worlds.

    Parameters
    ----------
    study
        What the tables are called.
    frame
        A row per episode: ``arm``, ``run`` (its label, the same for all arms), ``task``, ``unit`` (its session, or the
        task), ``ended``, and every count of `toolkit.moves.Outcome` as a number, NaN = not known.
    arms
        In the order of the study.
    baseline
        What is compared with.
    unit
        What units are, in the singular.
    notes
        What must be said of the data.
    """

    study: str
    frame: pd.DataFrame
    arms: tuple[str, ...]
    baseline: str
    unit: str
    notes: tuple[str, ...]

    def of(self, arm: str) -> pd.DataFrame:
        """The episodes of one arm."""
        return self.frame[self.frame.arm == arm]

    def pairs(self, arm: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The episodes of two arms on the same tasks in the same runs, in one order; others are left out."""
        keys = ["run", "task"]
        both = self.of(arm)[keys].merge(self.of(other)[keys], on=keys)
        return both.merge(self.of(arm), on=keys), both.merge(self.of(other), on=keys)

    def known(self, arm: str) -> str:
        """The name of an arm that is there.

        Raises
        ------
        LedgerError
            If it is not.
        """
        if arm not in self.arms:
            raise LedgerError(f"no arm {arm!r} has an outcome in {self.study}; {nearest(arm, self.arms)}")
        return arm


def outcomes(
    given: Study | pd.DataFrame | str, *, baseline: str = "", stream: str = "", level: float = 0.95,
    ledger: Ledger | None = None,
) -> Outcomes:  # fmt: skip
    """The outcomes of a study, or of a frame of its episodes.

    Parameters
    ----------
    given
        A `Study`, the name of one in ``ledger``, or a frame with the columns ``arm``, ``task``, ``seed`` and
        ``outcome`` (a mapping, see `toolkit.moves.Outcome.flat`, or None), and ``stream``, ``order``, ``session`` and
        ``phase`` where there are several.
    baseline
        Another arm to compare with than the study's; of a frame the first one.
    stream
        Only this one of several streams.

    Raises
    ------
    LedgerError
        If nothing came of any world, or the baseline is not there.
    SpecError
        If a frame misses a column.
    """
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        rows = _checked(given)
        rows = rows[rows.stream == stream] if stream else rows
        return _outcomes("frame", rows, list(dict.fromkeys(rows.arm)), baseline, ())
    name, ledger = found(given, ledger)
    planned = only(plan(ledger, name), stream)
    ids = [run["id"] for run in planned["runs"]]
    rows = _recorded(ledger, name, ids)
    if not rows.outcome.map(_there).any():
        raise LedgerError(f"study {name!r} has no episode in a world: measures of initiative need a stream of worlds")
    runs = ledger.sql(f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", ids, name)
    told = notes(planned, runs, level)
    return _outcomes(name, rows, list(planned["arms"]), baseline or str(planned["baseline"]), told)


def _recorded(ledger: Ledger, study: str, ids: list[str]) -> pd.DataFrame:
    """Episodes of runs with what came of them."""
    return ledger.sql(
        f'SELECT arm, seed, stream, "order", task, session, outcome FROM episodes '
        f"WHERE {OWN} AND phase = 'stream' ORDER BY arm, stream, \"order\", seed, t",
        ids,
        study,
    )


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _NEEDED if name not in frame]
    if missing:
        raise SpecError([f"outcomes need the columns {', '.join(_NEEDED)}; {', '.join(missing)} is missing"])
    rows = frame[frame.phase == "stream"] if "phase" in frame else frame
    absent = {name: "" for name in ("stream", "order", "session") if name not in rows}
    return rows.assign(**absent)


def _there(outcome: Any) -> bool:
    return isinstance(outcome, dict) and outcome.get("ended") is not None


def _outcomes(study: str, rows: pd.DataFrame, order: list[str], baseline: str, told: tuple[str, ...]) -> Outcomes:
    import pandas as pd

    there = rows.outcome.map(_there).astype(bool)
    own = rows[there].reset_index(drop=True)
    if own.empty:
        raise LedgerError(f"{study} has no outcome of a world: measures of initiative need a stream of worlds")
    counts = pd.DataFrame(own.outcome.tolist()).reindex(columns=_COUNTS).astype(float)
    labels = own[RUN].astype(str).agg(" ".join, axis=1)
    session = own.session.fillna("").astype(str)
    unit = own.task.astype(str).where(session == "", session)
    task = own.stream.astype(str) + "\n" + own.task.astype(str)
    frame = pd.DataFrame({"arm": own.arm, "run": labels, "task": task, "unit": unit}).join(counts)
    arms = tuple(arm for arm in order if arm in set(frame.arm))
    sessions = bool((unit != own.task.astype(str)).any())
    found = Outcomes(study, frame, arms, baseline or arms[0], "session" if sessions else "task", (*told, *_lost(rows)))
    found.known(found.baseline)
    return found


def _lost(rows: pd.DataFrame) -> list[str]:
    """Episodes of tasks in worlds of which nothing came, and those whose world broke down."""
    there = rows.outcome.map(_there).astype(bool)
    places = set(zip(rows.stream[there], rows.task[there], strict=True))
    lost = sum(place in places for place in zip(rows.stream[~there], rows.task[~there], strict=True))
    broken = sum(one.get("ended") == "broken" for one in rows.outcome[there])
    told = [f"{lost} episodes have no outcome and are left out"] if lost else []
    return [f"{one}." for one in [*told, *([f"{broken} episodes ended with a broken world"] if broken else [])]]
