"""The figure of what initiative is worth, over a range of costs of a false alarm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.analysis import Utility, UtilityRow
from toolkit.figures import INK, LINE, Drawn, Look, rendered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sweep(found: Utility, drawn: Mapping[str, Look]) -> Drawn:
    """Utility against the cost of a false alarm, a line an arm with its band, and a mark where it breaks even.

    Parameters
    ----------
    found
        Over silence: its line is drawn too.
    drawn
        Per arm its look; see `toolkit.figures.looks`.

    Returns
    -------
    Drawn
        Empty with fewer than two costs, or where no arm has a utility.
    """
    rows = [row for row in found.rows if row.arm in drawn and not math.isnan(row.worth[0].value)]
    return rendered(lambda: _draw(rows, found, drawn)) if rows and len(found.costs) > 1 else Drawn()


def _draw(rows: Sequence[UtilityRow], found: Utility, drawn: Mapping[str, Look]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        _course(axes, row, found, drawn[row.arm])
    named = axes.get_lines()[: len(rows)]
    _marks(axes, rows, found, drawn)
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.set_xlabel("cost of a false alarm, in hits (c/b)")
    axes.set_ylabel("utility per 100 events, in hits")
    told = [row.arm if row.pays == "n/a" else f"{row.arm}: pays {row.pays}" for row in rows]
    figure.legend(named, told, loc="outside right upper", handlelength=4.2)
    return figure


def _course(axes: Axes, row: UtilityRow, found: Utility, look: Look) -> None:
    if look.band:
        low, high = ([getattr(one, end) for one in row.worth] for end in ("low", "high"))
        axes.fill_between(found.costs, low, high, color=look.colour, alpha=0.16, linewidth=0)
    (line,) = axes.plot(found.costs, [one.value for one in row.worth], color=look.colour, linewidth=look.width)
    line.set(linestyle=look.dashes, marker=look.marker or "None", markersize=2 + 1.6 * look.width)
    line.set_markevery(max(1, len(found.costs) // 7))


def _marks(axes: Axes, rows: Sequence[UtilityRow], found: Utility, drawn: Mapping[str, Look]) -> None:
    """The worth of silence, and where lines meet it within what is drawn."""
    silence = {row.arm: row.worth[0].value - row.gain[0].value for row in rows}  # at any cost: it raises no alarm
    for level in sorted({round(one, 9) for one in silence.values()}):
        axes.axhline(level, color=INK, linewidth=1.0, dashes=(1.5, 2.5), zorder=1)
    for row in rows:
        look, even, silent = drawn[row.arm], row.even.value, silence[row.arm]
        if found.costs[0] <= even <= found.costs[-1]:
            (dot,) = axes.plot([even], [silent], look.marker or "o", color=look.colour, markersize=9, zorder=5)
            dot.set(markerfacecolor="none", markeredgewidth=1.8)
