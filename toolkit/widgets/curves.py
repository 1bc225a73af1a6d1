"""Learning curves as HTML whose points can be pressed: a drawing, and over it a button for each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from toolkit.figures import FAINT, INK, Look
from toolkit.stats import CurveBand
from toolkit.widgets.page import press, text

POINTS = 60
"""Most points of a curve: more could not be told apart, nor walked along."""

_WIDTH, _HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 34
_INK = {INK: "currentColor", FAINT: "var(--jp-ui-font-color2, #6f7071)"}
_TICKS = 5
Place = tuple[int, float, float, float]
"""Place in the run from 0, mean, and the bounds of its interval (NaN = none)."""

Scale = Callable[[float], float]


def thinned(band: CurveBand, first: int) -> list[Place]:
    """At most `POINTS` of a curve that begins at place ``first``, its last one among them; none without a mean.

    Examples
    --------
    >>> from toolkit.stats import curve_band
    >>> points = thinned(curve_band([[0.0] * 200, [1.0] * 200]), 9)
    >>> len(points), points[0][0], points[-1][0]
    (60, 9, 199)
    """
    last = len(band.t) - 1
    if last < first:
        return []
    places = np.unique(np.linspace(first, last, min(POINTS, last - first + 1)).round().astype(int)).tolist()
    found = [(place, *(float(part[place]) for part in (band.mean, band.low, band.high))) for place in places]
    return [one for one in found if not math.isnan(one[1])]


def curves_html(bands: Mapping[str, CurveBand], looks: Mapping[str, Look], first: int, guided: bool) -> str:
    """Curves with their bands, one an arm, and their names with the score at the end.

    Parameters
    ----------
    bands, looks
        Per arm its curve, and how it is drawn.
    first
        The place at which curves begin, from 0.
    guided
        Whether points are buttons, which send ``place`` and their place in the run.

    Returns
    -------
    str
        Empty where no curve has a point.
    """
    points = {arm: thinned(band, first) for arm, band in bands.items() if arm in looks}
    points = {arm: own for arm, own in points.items() if own}
    if not points:
        return ""
    across, up, marks = _scales([one for own in points.values() for one in own])
    told = f"learning curves of {', '.join(points)}"
    drawn = "".join(_curve(own, looks[arm], across, up) for arm, own in points.items())
    svg = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(told)}">'
        f"{''.join(_axes(across, up, marks, points))}{drawn}</svg>"
    )
    buttons = "".join(_buttons(arm, own, looks[arm], across, up) for arm, own in points.items()) if guided else ""
    legend = "".join(_named(arm, own, looks[arm]) for arm, own in points.items())
    return f'<div class="curves">{svg}{buttons}</div><ul class="legend">{legend}</ul>'


def _scales(points: list[Place]) -> tuple[Scale, Scale, list[float]]:
    """Where a place and a score stand, and the scores that are marked: within [0, 1], and at least 0.2 of it."""
    last = max(max(one[0] for one in points), 1)
    ends = [min(1.0, max(0.0, value)) for one in points for value in one[1:] if not math.isnan(value)]
    room = max(0.0, 0.2 - (max(ends) - min(ends))) / 2 + 0.02
    low, high = max(-0.02, min(ends) - room), min(1.02, max(ends) + room)
    marks = [0.1 * n for n in range(11) if low <= 0.1 * n <= high]
    marks = marks[:: math.ceil(len(marks) / _TICKS)] if marks else []
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(place: float) -> float:
        return _LEFT + place / last * wide

    def up(score: float) -> float:
        return _TOP + (high - min(high, max(low, score))) / (high - low) * tall

    return across, up, marks


def _axes(across: Scale, up: Scale, marks: list[float], points: Mapping[str, list[Place]]) -> Iterator[str]:
    end, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for score in marks:
        yield f'<line class="grid" x1="{_LEFT}" x2="{end}" y1="{up(score):.1f}" y2="{up(score):.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{up(score) + 4:.1f}" text-anchor="end">{score:.1f}</text>'
    last = max(own[-1][0] for own in points.values())
    for place in sorted({0, last // 2, last}):
        anchor = "start" if place == 0 else "end" if place == last else "middle"
        yield f'<text x="{across(place):.1f}" y="{floor + 16}" text-anchor="{anchor}">task {place}</text>'


def _curve(points: list[Place], look: Look, across: Scale, up: Scale) -> str:
    ink = _ink(look)
    banded = [one for one in points if not math.isnan(one[2])] if look.band else []
    edge = [f"{across(t):.1f},{up(high):.1f}" for t, _, _, high in banded]
    edge += [f"{across(t):.1f},{up(low):.1f}" for t, _, low, _ in reversed(banded)]
    area = f'<polygon points="{" ".join(edge)}" fill="{ink}" opacity="0.14"/>' if len(banded) > 1 else ""
    line = " ".join(f"{across(t):.1f},{up(mean):.1f}" for t, mean, _, _ in points)
    return f'{area}<polyline points="{line}" fill="none" {_stroke(look)}/>'


def _stroke(look: Look) -> str:
    dashes = ",".join(f"{one * look.width:g}" for one in look.dashes[1] or ())
    return f'stroke="{_ink(look)}" stroke-width="{look.width:g}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _ink(look: Look) -> str:
    return _INK.get(look.colour, look.colour)


def _buttons(arm: str, points: list[Place], look: Look, across: Scale, up: Scale) -> str:
    """The points of one curve: a stop of the Tab key, arrow keys go along."""
    made = []
    for number, (t, mean, low, high) in enumerate(points):
        where = f"left:{100 * across(t) / _WIDTH:.2f}%;top:{100 * up(mean) / _HEIGHT:.2f}%;color:{_ink(look)}"
        told = text(f"{arm}, task {t}: {_score(mean, low, high)}")
        made.append(
            f'<button type="button" class="point" data-do="place" data-value="{t}" data-key="point {text(arm)} {t}" '
            f'style="{where}" tabindex="{0 if number == 0 else -1}" title="{told}" aria-label="{told}"></button>'
        )
    return f'<div role="group" aria-label="{text(arm)}: arrow keys go along its curve">{"".join(made)}</div>'


def _named(arm: str, points: list[Place], look: Look) -> str:
    """An arm in the legend: a piece of its line, its name, the score at the end of its curve."""
    drawn = f'<path d="M0 5H44" fill="none" {_stroke(look)}/>'
    line = f'<svg viewBox="0 0 44 10" class="line" aria-hidden="true">{drawn}</svg>'
    t, *score = points[-1]
    return f"<li>{line} {text(arm)} <small>{text(f'at task {t}: {_score(*score)}')}</small></li>"


def _score(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f}" + ("" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]")


def chooser(last: int, at: int | None) -> str:
    """A field for a task by its number, and a button for the next ones: the same without a curve."""
    given = "" if at is None else at
    field = (
        f'<label>task of the runs, from 0 to {last} <input type="number" min="0" max="{last}" step="1" value="{given}" '
        'data-do="place" data-key="place"></label>'
    )
    here = -1 if at is None else at
    back = press("◀ task before", "place", here - 1, barred="" if here > 0 else "this is the first task")
    forward = press("next task ▶", "place", here + 1, barred="" if here < last else "this is the last task")
    return f'<div class="bar">{field}{back if at is not None else ""}{forward if at is not None else ""}</div>'
