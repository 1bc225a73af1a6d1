"""Rerun: a study once more, live, and whether its results are the same but for a margin. This is reproduction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.analysis.recorded import PAIRING
from toolkit.errors import SpecError
from toolkit.evaluation.plan import order_name
from toolkit.evaluation.spec import load
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.lm.tape import forget
from toolkit.stats.equivalence import Equivalence, equivalence

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ArmAgain:
    """One arm, then and now.

    Parameters
    ----------
    arm
        Its name.
    before, after
        Mean main score on the tasks that both completed.
    same
        Share of equal answers among them, in [0, 1].
    found
        The verdict on the difference, with its intervals.
    """

    arm: str
    before: float
    after: float
    same: float
    found: Equivalence


@dataclass(frozen=True)
class Rerun:
    """What a rerun came to. Prints as a table with a verdict for each arm."""

    study: str
    rerun: str
    model: str
    rows: tuple[ArmAgain, ...]
    notes: tuple[str, ...]

    @property
    def equivalent(self) -> bool:
        """Whether every arm came out equivalent, and every run finished."""
        return all(row.found.verdict == "equivalent" for row in self.rows) and not self.notes

    def __str__(self) -> str:
        head = ["arm", "before", "after", "difference", "interval", "pairs", "equal answers", "verdict"]
        body = [_cells(row) for row in self.rows]
        widths = [max(len(line[place]) for line in [head, *body]) for place in range(len(head))]
        lines = ["  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)) for line in [head, *body]]
        reasons = [f"{row.arm}: {row.found.reason}" for row in self.rows if row.found.reason]
        margin = self.rows[0].found.margin if self.rows else 0.0
        told = (
            f"Equivalent: two one-sided tests at 5 % place the difference {self.rerun} - {self.study} within "
            f"±{margin:g} (the 90 % interval shown lies inside). Different: not so, and the 95 % interval excludes 0. "
            "Not shown: neither; more seeds would tell. Each arm by itself; runs (orders) crossed with sessions; the "
            f"tasks and orders are the same, the answers are new ones of {self.model}."
        )
        return "\n".join([*(line.rstrip() for line in lines), "", *reasons, *self.notes, told, "Replay is no rerun."])


def rerun(
    ledger: Ledger,
    name: str,
    *,
    lm: str | None = None,
    margin: float = 0.05,
    run: Callable[[Study], object] = Study.run,
) -> Rerun:
    """Run a study again under the name ``<name>-rerun``, every answer anew, and compare.

    Parameters
    ----------
    ledger, name
        Where the study is kept.
    lm
        Another model, or another build; None = the study's own.
    margin
        The difference in the main score that counts as none, above 0.
    run
        Carries out the new study.

    Raises
    ------
    LedgerError
        If there is no such study.
    SpecError
        If its tasks or orders are not what they were.
    """
    folder = ledger.find(name)
    planned = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    made = load(folder, lm=lm, name=f"{name}-rerun", ledger=ledger.root, tracking="off")
    made.reuse = False  # every answer anew: the runs of the original are equal ones
    if not margin > 0:
        raise SpecError([f"the margin must be above 0 but is {margin}; 0.05 means five points of a score in [0, 1]"])
    orders = {order_name(made, one.label, one.order, one.seed): list(one.places) for one in made.runs}
    streams = [stream.fingerprint() for stream in made.streams]
    if streams != [told["fingerprint"] for told in planned["streams"]] or orders != planned["orders"]:
        raise SpecError([f"the tasks or orders of {name!r} are not what they were: a rerun needs the same data"])
    forget()
    run(made)
    return judged(ledger, name, made.name, made.lm.label, margin=margin)


def judged(ledger: Ledger, name: str, again: str, model: str, *, margin: float) -> Rerun:
    """A study and its rerun, paired arm by arm on the same tasks in the same orders."""
    from toolkit.analysis import episodes, plan

    before, after = episodes(ledger, name), episodes(ledger, again)
    if before.empty or after.empty:
        raise LedgerError(f"{name if before.empty else again!r} has no episodes: there is nothing to compare")
    both = before.merge(after, on=["arm", *PAIRING], how="inner", suffixes=("", "_again"))
    arms = [arm for arm in dict(plan(ledger, name)["arms"]) if arm in set(before.arm)]  # type: ignore[call-overload]
    rows = tuple(_row(both[both.arm == arm], arm, margin) for arm in arms)
    missing = len(before) - len(both)
    notes = (f"{missing} episodes of {name} have no pair in {again}: run it to the end",) if missing else ()
    return Rerun(name, again, model, rows, notes)


def _row(both: pd.DataFrame, arm: str, margin: float) -> ArmAgain:
    gap = both.score_again - both.score
    unit = "session" if bool((both.session != "").any()) else "task"
    cluster = both.session.where(both.session != "", both.task)
    found = equivalence(gap, both.seed, cluster, margin=margin, unit=unit)
    same = float((both.answer == both.answer_again).mean())
    return ArmAgain(arm, float(both.score.mean()), float(both.score_again.mean()), same, found)


def _cells(row: ArmAgain) -> list[str]:
    inner = row.found.inner
    interval = f"[{inner.low:+.3f}, {inner.high:+.3f}]" if inner.low == inner.low else "n/a"
    numbers = [
        f"{row.before:.3f}",
        f"{row.after:.3f}",
        f"{inner.value:+.3f}",
        interval,
        str(inner.n),
        f"{row.same:.1%}",
    ]
    return [row.arm, *numbers, row.found.verdict]
