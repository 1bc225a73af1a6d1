"""Proof of use: whether answers hang on what was recalled, what a recalled memory is worth, and which ones do harm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.recorded import OWN, crossed, found, plan
from toolkit.analysis.shown import Shown
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_ABOUT = (
    "Asked again on {share:.0%} of the tasks at which anything was recalled, the same tasks for every arm; charged to "
    "judging. 'changed': share of answers that are others without the memories. 'gain': score with the memories less "
    "score without them. 'relevance': less the score with what had been recalled for another task."
)
_DRAWN = (
    "'by itself': share of answers that changed when the same prompt was sampled once more. Change beyond it is "
    "memory's."
)


@dataclass(frozen=True)
class UseRow:
    """What memory did in one arm.

    Parameters
    ----------
    changed, by_itself
        Share of answers that differ without the memories; and when the same was asked once more (None where a model
        gives the same answer every time).
    gain, relevance
        Score with what was recalled less the score with nothing, and less the score with what another task recalled.
    helped, harmed
        Answers that memory made better, and worse.
    each
        Gain of one recalled memory: score less the score with all but that one.
    """

    arm: str
    changed: Estimate
    by_itself: Estimate | None
    gain: Estimate
    relevance: Estimate
    helped: int
    harmed: int
    each: Estimate

    @property
    def alarm(self) -> str:
        """In words, if memory was shown to do harm; else empty."""
        if self.gain.high < 0:
            return (
                f"memory makes answers worse: {_told(self.gain)} a task, {self.harmed} made worse, {self.helped} better"
            )
        return ""


@dataclass(frozen=True, repr=False)
class Attribution(Shown):
    """Arms that recalled something. Prints as a table.

    Parameters
    ----------
    study
        Its name.
    rows
        One for each arm that recalled something and was asked again.
    memories
        A data frame: a row for each arm and memory left out at least once, with its text, how often, how many answers
        changed, and the mean gain; the most helpful first, the most harmful last. What was recalled in several runs is
        one memory where it is the same task's.
    """

    left: ClassVar[int] = 1

    study: str
    rows: tuple[UseRow, ...]
    memories: pd.DataFrame
    notes: tuple[str, ...]

    def row(self, arm: str) -> UseRow:
        """The row of one arm.

        Raises
        ------
        KeyError
            If it was never asked again.
        """
        for row in self.rows:
            if row.arm == arm:
                return row
        raise KeyError(f"arm {arm!r} was never asked again: it recalled nothing, or is no arm of {self.study!r}")

    @property
    def alarms(self) -> tuple[str, ...]:
        """Arms whose memory was shown to do harm, in words."""
        return tuple(f"{row.arm}: {row.alarm}" for row in self.rows if row.alarm)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        drawn = any(row.by_itself for row in self.rows)
        head = [
            "arm",
            "tasks",
            "changed",
            *["by itself"] * drawn,
            "gain",
            "relevance",
            "better",
            "worse",
            "each memory",
        ]
        return [*head, "alarm"], [
            [
                row.arm,
                str(row.gain.n),
                _told(row.changed, ".3f"),
                *[_told(row.by_itself, ".3f") if row.by_itself else "n/a"] * drawn,
                _told(row.gain),
                _told(row.relevance),
                str(row.helped),
                str(row.harmed),
                _told(row.each),
                row.alarm,
            ]
            for row in self.rows
        ]


def attribution(
    study: Study | str, *, stream: str = "", level: float = 0.95, ledger: Ledger | None = None
) -> Attribution:
    """Whether answers hang on memory, from a study with ``counterfactuals``.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    stream, level
        As in `toolkit.compare`.

    Returns
    -------
    Attribution
        Estimates with two-way cluster-robust intervals, runs crossed with sessions; NaN with a reason where data are
        too few.

    Raises
    ------
    LedgerError
        If the study asked nobody again, or nothing was recalled yet.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    if not planned.get("counterfactuals"):
        raise LedgerError(f"study {name!r} asked nobody again: run one with counterfactuals=0.1, say")
    asked = _asked(ledger, name, [run["id"] for run in planned["runs"]])
    if asked.empty:
        raise LedgerError(f"in study {name!r} no memory has been recalled yet at a task that was to be asked again")
    arms = [arm for arm in planned["arms"] if arm in set(asked.arm)]
    rows = tuple(_row(arm, asked[asked.arm == arm], level) for arm in arms)
    notes = [_ABOUT.format(share=planned["counterfactuals"])]
    notes += [_DRAWN] if any(row.by_itself for row in rows) else []
    return Attribution(name, rows, _memories(ledger, name, asked), tuple(notes))


def _asked(ledger: Ledger, study: str, ids: list[str]) -> pd.DataFrame:
    """A row for each time that an arm was asked again."""
    return ledger.sql(
        "SELECT run, arm, stream, \"order\", seed, t, task, if(session = '', task, session) AS unit, answer, "
        "coalesce(score, 'nan'::DOUBLE) AS score, one.instead AS instead, one.memory AS memory, "
        "one.answer AS other, coalesce(one.score, 'nan'::DOUBLE) AS other_score "
        "FROM (SELECT *, unnest(counterfactuals) AS one FROM episodes "
        f"WHERE {OWN} AND phase = 'stream') ORDER BY arm, stream, \"order\", seed, t",
        ids,
        study,
    ).assign(changed=lambda frame: (frame.answer != frame.other).astype(float))


def _row(arm: str, asked: pd.DataFrame, level: float) -> UseRow:
    def ways(instead: str) -> pd.DataFrame:
        return asked[asked.instead == instead]

    without, same = ways("nothing"), ways("the same")
    gains = without.score - without.other_score
    return UseRow(
        arm,
        changed=crossed(without, without.changed, level),
        by_itself=crossed(same, same.changed, level) if len(same) else None,
        gain=crossed(without, gains, level),
        relevance=_gain(ways("another's"), level),
        helped=int((gains > 0).sum()),
        harmed=int((gains < 0).sum()),
        each=_gain(ways("all but one"), level),
    )


def _gain(asked: pd.DataFrame, level: float) -> Estimate:
    return crossed(asked, asked.score - asked.other_score, level)


def _memories(ledger: Ledger, study: str, asked: pd.DataFrame) -> pd.DataFrame:
    """What single memories were worth, the most helpful first."""
    left_out = asked[asked.instead == "all but one"]
    told = left_out.assign(gain=left_out.score - left_out.other_score)
    texts = ledger.sql(
        "SELECT run, phase || '/' || t AS memory, task AS source, array_to_string(map_values(inputs), ' ') AS text "
        "FROM episodes WHERE list_contains($1, run) AND study = $2",
        sorted(set(asked.run)),
        study,
    )
    known = told.merge(texts, on=["run", "memory"], how="left")
    known["source"] = known.source.fillna(known.run.str[:12] + " " + known.memory)
    known["text"] = known.text.fillna("")
    grouped = known.groupby(["arm", "source"], sort=False)
    frame = grouped.agg(
        text=("text", "first"), recalled=("gain", "size"), changed=("changed", "sum"), gain=("gain", "mean")
    ).reset_index()
    frame = frame.rename(columns={"source": "memory"})
    order = (-frame.gain * frame.recalled).argsort(kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def striking(found: Attribution, count: int = 3) -> Iterator[tuple[str, str, str, int, float]]:
    """Arm, memory, text, how often, and mean gain of the most helpful and the most harmful memories of each arm."""
    for _, own in found.memories.groupby("arm", sort=False):
        best, worst = own[own.gain > 0].head(count), own[own.gain < 0].tail(count)
        for part in (best, worst):
            for row in part.itertuples():
                yield str(row.arm), str(row.memory), str(row.text), int(row.recalled), float(row.gain)


def _told(one: Estimate, form: str = "+.3f") -> str:
    value, low, high = ("n/a" if math.isnan(x) else format(x, form) for x in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"
