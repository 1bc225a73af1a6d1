"""Roles by streams: what a role gains where it was made for, and what it costs elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from toolkit.analysis.contrasts import paired
from toolkit.analysis.recorded import found, plan
from toolkit.analysis.shown import Shown
from toolkit.errors import SpecError, nearest
from toolkit.ledger.planned import lengths, only, scores
from toolkit.ledger.store import Ledger
from toolkit.stats import Estimate, average

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study

_ABOUT = (
    "Cells: score with the role less that of the same model without it, on the same tasks of the same runs; "
    "{level:g} % two-way cluster-robust intervals; in brackets the pairs. n/a: not run. * the role's own stream.",
    "Elsewhere: mean over the other streams, each counted once, of just these streams; below 0, specialising costs.",
)


@dataclass(frozen=True)
class MatrixCell:
    """One role on one stream; ``difference`` is None where it was not run."""

    role: str
    stream: str
    study: str
    difference: Estimate | None


@dataclass(frozen=True)
class MatrixRow:
    """One role: its difference to no role on its own stream (None if not run there), and the mean over all others."""

    role: str
    own: str
    gain: Estimate | None
    elsewhere: Estimate


@dataclass(frozen=True, repr=False)
class RoleMatrix(Shown):
    """Role x stream. Prints as a table; `frame` has every number.

    Parameters
    ----------
    streams
        Names, as the ledger has them.
    cells
        One for each role and stream.
    rows
        One for each role.
    """

    left: ClassVar[int] = 1

    streams: tuple[str, ...]
    cells: tuple[MatrixCell, ...]
    rows: tuple[MatrixRow, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per role and stream, and one per role for ``elsewhere``: difference, interval, pairs, runs."""
        import pandas as pd

        own = {row.role: row.own for row in self.rows}
        told = [_flat(one.role, one.stream, one.stream == own[one.role], one.difference) for one in self.cells]
        return pd.DataFrame([*told, *(_flat(row.role, "elsewhere", False, row.elsewhere) for row in self.rows)])

    def cell(self, role: str, stream: str) -> Estimate | None:
        """The difference of a role on a stream; None where it was not run.

        Raises
        ------
        KeyError
            If there is no such role or stream.
        """
        for one in self.cells:
            if (one.role, one.stream) == (role, stream):
                return one.difference
        names = [row.role for row in self.rows]
        what, name, known = ("stream", stream, self.streams) if role in names else ("role", role, tuple(names))
        raise KeyError(f"no {what} here is called {name!r}; {nearest(name, list(known))}")

    def row(self, role: str) -> MatrixRow:
        """What a role gains on its own stream, and elsewhere.

        Raises
        ------
        KeyError
            If there is no such role.
        """
        for row in self.rows:
            if row.role == role:
                return row
        raise KeyError(f"no role here is called {role!r}; {nearest(role, [row.role for row in self.rows])}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and cells as they are shown."""
        head = ["role", *self.streams, "elsewhere", "doubts"]
        body = []
        for row in self.rows:
            cells = [(one, self.cell(row.role, one)) for one in self.streams]
            shown = [_shown(one) + "*" * (stream == row.own) for stream, one in cells]
            doubts = dict.fromkeys(one.reason for _, one in [*cells, ("", row.elsewhere)] if one and one.reason)
            body.append([row.role, *shown, _shown(row.elsewhere), "; ".join(doubts)])
        return head, body


def role_matrix(
    given: Study | str | Sequence[Study | str],
    own: Mapping[str, str],
    *,
    without: str = "",
    metric: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> RoleMatrix:
    """What each role adds on each stream to the same model without it: what does specialising cost elsewhere?

    Parameters
    ----------
    given, ledger
        A study with several streams, or several studies; or their names in this ledger
        (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    own
        By role (the name of its arm) the stream that it was made for, as the ledger calls it; empty = none of these.
    without
        The arm without a role; empty = the baseline of each study.
    metric, level
        As in `toolkit.compare`.

    Returns
    -------
    RoleMatrix
        A role or stream that a study has not is n/a there.

    Raises
    ------
    SpecError
        If nothing is given, no study has a role or an own stream that is named, or two studies have the same cell.
    LedgerError
        If there is no such study.

    See Also
    --------
    toolkit.stats.two_way, toolkit.stats.average : the formulas and their sources.
    """
    studies = [given] if isinstance(given, str) or not isinstance(given, Sequence) else list(given)
    cells: dict[tuple[str, str], MatrixCell] = {}
    streams, arms = dict[str, None](), dict[str, None]()
    for one in studies:
        name, home = found(one, ledger)
        planned = plan(home, name)
        streams |= dict.fromkeys(lengths(planned))
        arms |= dict.fromkeys(planned["arms"])
        for cell in _cells(name, home, own, without or str(planned["baseline"]), metric, level):
            if (cell.role, cell.stream) in cells:
                other = cells[cell.role, cell.stream].study
                raise SpecError(
                    [f"role {cell.role!r} on {cell.stream!r} is in {other!r} and {name!r}: give one of them"]
                )
            cells[cell.role, cell.stream] = cell
    _check(own, list(arms), list(streams))
    every = [cells.get((role, stream), MatrixCell(role, stream, "", None)) for role in own for stream in streams]
    rows = tuple(_row(role, own[role], every, level) for role in own)
    return RoleMatrix(tuple(streams), tuple(every), rows, tuple(one.format(level=100 * level) for one in _ABOUT))


def _cells(
    name: str, home: Ledger, own: Mapping[str, str], base: str, metric: str, level: float
) -> Iterator[MatrixCell]:
    """What one study has."""
    planned = plan(home, name)
    for stream in lengths(planned):
        frame, _ = scores(home, name, only(planned, stream), metric)
        there = set(frame.arm)
        for role in own:
            if {role, base} <= there and role != base:
                yield MatrixCell(role, stream, name, paired(frame, role, base).estimate(level))


def _check(own: Mapping[str, str], arms: list[str], streams: list[str]) -> None:
    if not arms or not own:
        raise SpecError([f"role_matrix needs studies and roles but has {len(arms)} arms and {dict(own)!r}"])
    wrong = [f"no study has an arm {role!r}; {nearest(role, arms)}" for role in own if role not in arms]
    named = [stream for stream in own.values() if stream]
    wrong += [f"no study has a stream {one!r}; {nearest(one, streams)}" for one in named if one not in streams]
    if wrong:
        raise SpecError(wrong)


def _row(role: str, stream: str, cells: Sequence[MatrixCell], level: float) -> MatrixRow:
    mine = [cell for cell in cells if cell.role == role]
    gain = next((cell.difference for cell in mine if cell.stream == stream), None)
    rest = [cell.difference for cell in mine if cell.stream != stream and cell.difference is not None]
    return MatrixRow(role, stream, gain, average(rest, level=level))


def _shown(one: Estimate | None) -> str:
    if one is None or math.isnan(one.value):
        return "n/a"
    bounds = "n/a" if math.isnan(one.low) else f"[{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.value:+.3f} {bounds} ({one.n})"


def _flat(role: str, stream: str, own: bool, one: Estimate | None) -> dict[str, object]:
    told = {"role": role, "stream": stream, "own": own}
    if one is None:
        return told | {"reason": "not run"}
    numbers = {"difference": one.value, "low": one.low, "high": one.high, "p_value": one.p_value}
    return told | numbers | {"pairs": one.n, "runs": one.runs, "reason": one.reason}
