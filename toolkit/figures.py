"""Figures of a study as SVG and PDF: no window, no state of pyplot's, the same bytes for the same numbers."""

from __future__ import annotations

import io
import itertools
import math
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolkit.analysis import ArmRow, Comparison, Payoff, PayoffRow
from toolkit.stats import CurveBand

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIGHLIGHTED = 8
"""Arms that a figure of curves draws in colour; more could not be told apart."""

Dashes = tuple[int, tuple[float, ...] | None]

INK, FAINT, LINE = "#111213", "#7f8081", "#d4d5d6"
"""Of the baseline, of floors and arms beyond those in colour, and of grids."""

_PAPER = "#ffffff"
_BLUE = "#0072b2"
_THEMED = {
    INK: "currentColor", _PAPER: "var(--paper)", LINE: "var(--line)", FAINT: "var(--faint)", _BLUE: "var(--blue)",
}  # fmt: skip
COLOURS = (_BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b6a43")
"""Of arms, after Okabe & Ito (2008), Color universal design; dashes and markers say the same without colour."""

_DASHES: tuple[tuple[float, ...], ...] = (
    (6, 2), (2, 1.5), (7, 2, 1.5, 2), (3, 1.2, 3, 4), (10, 3), (4, 1.5, 1.5, 1.5, 1.5, 1.5), (1, 2.5),
)  # fmt: skip
_MARKERS = "os^DvPX"
_TOGETHER, _COLUMNS = 2, 4
_SETTINGS: Any = {
    "svg.hashsalt": "toolkit", "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "text.color": INK, "figure.facecolor": _PAPER, "axes.facecolor": "none",
    "legend.frameon": False, "text.parse_math": False,
}  # fmt: skip
_drawing = threading.Lock()


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG, and on demand as PDF; empty, and false, where there is nothing to draw."""

    svg: str = ""
    draw: Callable[[], Figure] | None = None

    def __bool__(self) -> bool:
        return self.draw is not None

    def pdf(self) -> bytes:
        """The same for papers: one page with its fonts in it (TrueType, as journals ask), without dates."""
        return _saved(self.draw, "pdf") if self.draw else b""


@dataclass(frozen=True)
class Look:
    """How one arm is drawn, in every figure: colour, dashes and marker tell it apart, each without the others.

    Parameters
    ----------
    colour
        As hexadecimal.
    dashes
        Offset, and lengths of strokes and gaps in points; None = a whole line.
    marker
        matplotlib's letter; empty = none.
    width
        Of the line, in points.
    band
        Whether its interval is drawn along the curve.
    """

    colour: str
    dashes: Dashes
    marker: str
    width: float
    band: bool


def looks(rows: Sequence[ArmRow], baseline: str, floors: Collection[str]) -> dict[str, Look]:
    """A look for each arm: the baseline in ink, up to seven others in colour, floors and the rest thin and grey.

    Where there are more than seven others, those with the largest differences to the baseline are in colour.
    """
    others = [row.arm for row in sorted(rows, key=_size) if row.arm != baseline and row.arm not in floors]
    coloured = set(others[: HIGHLIGHTED - 1])
    found: dict[str, Look] = {}
    bright = faint = 0
    for row in rows:
        if row.arm == baseline:
            found[row.arm] = Look(INK, (0, None), "", 2.2, True)
        elif row.arm in coloured:
            found[row.arm] = Look(COLOURS[bright], (0, _DASHES[bright]), _MARKERS[bright], 1.7, True)
            bright += 1
        else:
            dashes = _DASHES[faint % len(_DASHES)]
            found[row.arm] = Look(FAINT, (0, dashes), "", 0.8, False)
            faint += 1
    return found


def _size(row: ArmRow) -> float:
    """For sorting: the largest difference first, unknown ones last."""
    known = row.difference is not None and not math.isnan(row.difference.value)
    return -abs(row.difference.value) if row.difference is not None and known else math.inf


def differences(comparison: Comparison, drawn: Mapping[str, Look], floors: Collection[str]) -> Drawn:
    """Differences to the baseline with their intervals, one line an arm, floors last.

    Returns
    -------
    Drawn
        Filled dots where the interval excludes 0, hollow ones where it does not; empty without any difference.
    """
    rows = [row for row in comparison.rows if row.difference is not None]
    if not any(row.difference and not math.isnan(row.difference.value) for row in rows):
        return Drawn()
    rows.sort(key=lambda row: row.arm in floors)
    return rendered(lambda: _draw_differences(rows, comparison, drawn))


def curves(
    bands: Mapping[str, CurveBand], drawn: Mapping[str, Look], window: int | None, changes: Sequence[int] = ()
) -> Drawn:
    """The course of each arm's score along the stream, with bands for the highlighted ones and the legend outside.

    With more than three highlighted arms the bands would hide each other: each then has a panel of its own below, with
    its band beside the baseline's.

    Parameters
    ----------
    bands
        Per arm its curve.
    drawn
        Per arm its look.
    window
        Tasks that each point looks back on; curves begin where the window is full. None = all tasks so far.
    changes
        Tasks that had been met when the truth became another: marked by a line.

    Returns
    -------
    Drawn
        Empty where no curve has two points.
    """
    first = (window or 1) - 1
    shown = {arm: band for arm, band in bands.items() if len(band.t) > first + 1 and arm in drawn}
    shown = {arm: band for arm, band in shown.items() if any(not math.isnan(y) for y in band.mean[first:].tolist())}
    return rendered(lambda: _draw_curves(shown, drawn, first, window, changes)) if shown else Drawn()


def costs(found: Payoff, drawn: Mapping[str, Look]) -> Drawn:
    """Score against tokens for one task, an arm a point, with the front of those that no other beats.

    Returns
    -------
    Drawn
        Filled points are on the front; empty with fewer than two arms that have a score.
    """
    rows = [row for row in found.rows if not math.isnan(row.score) and row.arm in drawn]
    return rendered(lambda: _draw_costs(rows, found.baseline, drawn)) if len(rows) > 1 else Drawn()


def worth(found: Payoff, drawn: Mapping[str, Look]) -> Drawn:
    """What each arm has brought so far over the baseline, at the value of a right answer, less what it has cost.

    Returns
    -------
    Drawn
        A curve an arm with its band, and a mark at the task from which on it has paid; empty where no value was given
        or no price is known.
    """
    rows = [row for row in found.rows if row.net is not None and len(row.net.t) > 1 and row.arm in drawn]
    return rendered(lambda: _draw_worth(rows, found, drawn)) if rows else Drawn()


def window_for(tasks: int) -> int | None:
    """A window for curves over so many tasks: a fifth of them, at least 10; None (all so far) below 20 tasks.

    Examples
    --------
    >>> [window_for(n) for n in (12, 20, 60, 300)]
    [None, 10, 12, 60]
    """
    return None if tasks < 20 else max(10, round(tasks / 5))


def inline(svg: str, name: str, label: str) -> str:
    """A figure as it may stand within HTML: no addresses, ids of its own, ink and paper those of the page.

    Parameters
    ----------
    svg
        What the functions above return.
    name
        Sets its ids apart from those of other figures on the page.
    label
        What a screen reader says; already escaped.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", body, flags=re.DOTALL)
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r'xlink:href="#', f'href="#{name}-', rest).replace("url(#", f"url(#{name}-")
    for colour, themed in _THEMED.items():
        rest = rest.replace(colour, themed)
    return f'<svg {box[0] if box else ""} role="img" aria-label="{label}" stroke-linejoin="round">{rest}'


_FORMS = {"svg": ("Date", "Creator", "Format", "Type"), "pdf": ("CreationDate", "Creator", "Producer")}


def rendered(draw: Callable[[], Figure]) -> Drawn:
    """What a function draws, which may be called again, in the style of all figures."""
    text = _saved(draw, "svg").decode()
    return Drawn("\n".join(line.rstrip() for line in text.splitlines()) + "\n", draw)


def _saved(draw: Callable[[], Figure], form: str) -> bytes:
    """Draw with settings of our own, whatever a notebook has set; they are global, hence the lock."""
    import matplotlib as mpl

    with _drawing, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        file = io.BytesIO()
        draw().savefig(file, format=form, metadata=dict.fromkeys(_FORMS[form]))
    return file.getvalue()


def _draw_differences(rows: Sequence[ArmRow], comparison: Comparison, drawn: Mapping[str, Look]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 1.0 + 0.36 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=1.4)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    for place, row in enumerate(rows):
        _whisker(axes, place, row, drawn[row.arm])
    axes.set_yticks(range(len(rows)), [row.arm for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: "0" if abs(value) < 1e-9 else f"{value:+.2g}")
    axes.set_xlabel(f"difference in score to {comparison.baseline}, with its {100 * comparison.level:g} % interval")
    return figure


def _whisker(axes: Axes, place: int, row: ArmRow, look: Look) -> None:
    gap = row.difference
    if gap is None or math.isnan(gap.value):
        told = "n/a"
    else:
        told = f"{gap.value:+.2f}  [{gap.low:+.2f}, {gap.high:+.2f}]"
        if math.isnan(gap.low):
            told = f"{gap.value:+.2f}  [n/a]"
        else:
            axes.plot([gap.low, gap.high], [place, place], color=look.colour, linewidth=1.8, solid_capstyle="butt")
            axes.plot([gap.low, gap.high], [place, place], "|", color=look.colour, markersize=8, markeredgewidth=1.6)
        fill = look.colour if gap.excludes_zero else _PAPER
        (dot,) = axes.plot([gap.value], [place], look.marker or "o", color=look.colour, markersize=7, zorder=3)
        dot.set(markerfacecolor=fill, markeredgewidth=1.6)
    where = axes.get_yaxis_transform()
    axes.text(1.02, place, told, transform=where, va="center", ha="left", family="monospace", fontsize=9)


def _draw_curves(
    bands: Mapping[str, CurveBand], drawn: Mapping[str, Look], first: int, window: int | None, changes: Sequence[int]
) -> Figure:
    from matplotlib.figure import Figure

    alone = [arm for arm in bands if drawn[arm].band and drawn[arm].colour != INK]
    crowded = len(alone) > _TOGETHER
    below = math.ceil(len(alone) / _COLUMNS) if crowded else 0
    heights = [4.0, 1.7 * below] if crowded else [4.0]
    figure = Figure(figsize=(8.6, sum(heights)), layout="constrained")
    upper, *lower = figure.subfigures(1 + crowded, 1, height_ratios=heights, squeeze=False).flat
    axes = upper.add_subplot()
    for place, (arm, band) in enumerate(bands.items()):
        _course(axes, band, drawn[arm], first, place, banded=not crowded)
    _frame(axes)
    axes.set_xlabel("tasks met so far")
    axes.set_ylabel("mean score so far" if window is None else f"mean score, last {window} tasks")
    upper.legend(axes.get_lines(), list(bands), loc="outside right upper", handlelength=4.2)
    if lower:
        base = [arm for arm in bands if drawn[arm].colour == INK]
        panels = lower[0].subplots(below, _COLUMNS, sharey=True, squeeze=False).flat
        for arm, panel in itertools.zip_longest(alone, panels):
            _panel(panel, {one: bands[one] for one in [*base, arm] if one}, drawn, first) if arm else panel.remove()
    for axes in figure.axes:
        _within_scale(axes)
        for at in changes:  # after the legend, which names the arms only
            axes.axvline(at + 0.5, color=INK, linewidth=0.8, dashes=(1.5, 2.5))
            axes.annotate(
                "change", (at + 0.5, 0.98), xycoords=("data", "axes fraction"), fontsize=7, va="top", rotation=90
            )
    return figure


def _panel(axes: Axes, bands: Mapping[str, CurveBand], drawn: Mapping[str, Look], first: int) -> None:
    """One arm beside the baseline, both with their bands."""
    for arm, band in bands.items():
        _course(axes, band, replace(drawn[arm], width=1.3), first, 0, banded=True)
        axes.set_title(arm, fontsize=9, color=INK)  # the last one stays
    axes.tick_params(labelsize=8)
    _frame(axes)


def _course(axes: Axes, band: CurveBand, look: Look, first: int, place: int, *, banded: bool) -> None:
    t, mean, low, high = (part[first:] for part in (band.t, band.mean, band.low, band.high))
    if banded and look.band:
        axes.fill_between(t, low, high, color=look.colour, alpha=0.16, linewidth=0)
    every = max(1, len(t) // 7)
    (line,) = axes.plot(t, mean, color=look.colour, linewidth=look.width, zorder=2 + look.width)
    line.set(linestyle=look.dashes, marker=look.marker or "None", markersize=2 + 1.6 * look.width)
    line.set_markevery((place * every // 8 % every, every))


def _frame(axes: Axes) -> None:
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.locator_params(axis="x", integer=True)


def _within_scale(axes: Axes) -> None:
    """Scores lie in [0, 1]: a band that reaches beyond is cut there. Last of all, since it ends autoscaling."""
    bottom, top = axes.get_ylim()
    room = max(0.0, 0.2 - (top - bottom)) / 2  # so that differences of no account do not fill the figure
    axes.set_ylim(max(bottom - room, -0.03), min(top + room, 1.03))


def _draw_costs(rows: Sequence[PayoffRow], baseline: str, drawn: Mapping[str, Look]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    best = sorted((row.tokens, row.score) for row in rows if row.on_front_tokens)
    if best:  # none where all arms know the right answers
        axes.step(*zip(*best, strict=True), where="post", color=FAINT, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
    for row in rows:
        look = drawn[row.arm]
        fill = look.colour if row.on_front_tokens else _PAPER
        (dot,) = axes.plot([row.tokens], [row.score], look.marker or ("*" if row.arm == baseline else "."), zorder=3)
        size = 12 if row.arm == baseline else 8
        dot.set(color=look.colour, markersize=size, markerfacecolor=fill, markeredgewidth=1.6, label=row.arm)
        if not look.band:  # grey ones look alike: told by name
            dot.set_label("")
            axes.annotate(row.arm, (row.tokens, row.score), xytext=(7, -3), textcoords="offset points", fontsize=8)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.08, y=0.1)
    axes.set_xlabel("tokens for one task, adapting included")
    axes.set_ylabel("mean score")
    figure.legend(loc="outside right upper", markerscale=0.9)
    return figure


def _draw_worth(rows: Sequence[PayoffRow], found: Payoff, drawn: Mapping[str, Look]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color=INK, linewidth=1.4)
    told, banded = [], sum(drawn[row.arm].band for row in rows) <= 2 * _TOGETHER
    for place, row in enumerate(rows):
        net, even, look = row.net, row.break_even, drawn[row.arm]
        if net is None or even is None:
            continue
        _course(axes, net, look, 0, place, banded=banded)
        told.append((axes.get_lines()[-1], row.arm if math.isnan(even.median) else f"{row.arm}: from {even.median:g}"))
        if look.band and not math.isnan(even.median):
            (dot,) = axes.plot([even.median], [0], look.marker or "o", color=look.colour, markersize=9, zorder=5)
            dot.set(markerfacecolor=_PAPER, markeredgewidth=1.8)
    _frame(axes)
    axes.set_xlabel("tasks met so far")
    axes.set_ylabel(f"dollars ahead of {found.baseline} so far")
    figure.legend(*zip(*told, strict=True), loc="outside right upper", handlelength=4.2)
    return figure
