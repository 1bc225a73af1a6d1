"""A moment of a live view where there is no kernel: as a page with a drawing, and as plain text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis.shown import text_table, visible

if TYPE_CHECKING:
    from toolkit.widgets.frame import Frame
    from toolkit.widgets.looks import Look
    from toolkit.widgets.progress import ArmProgress, Point

_HERE = Path(__file__).parent
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 260, 44, 12, 10, 34  # as live.js draws it
_HEAD = ["arm", "episodes", "runs finished", "score so far", "tokens", "$", "no usable answer", "time left"]
_LATEST = ["latest of", "seed", "after task", "score", "tokens", "task", "answer"]


def document(frame: Frame, hidden: Collection[str]) -> str:
    """A moment as HTML; ``hidden`` = arms whose curves are not drawn."""
    shown = [pair for pair in zip(frame.arms, frame.looks, strict=True) if pair[0].arm not in hidden]
    parts = [
        f"<style>{(_HERE / 'live.css').read_text(encoding='utf-8')}</style>",
        f'<div class="head"><strong>{_text(frame.study)}</strong>',
        f' <span class="state">{_text(frame.state)}</span></div>',
        _drawing(frame, shown),
        _table(_HEAD, _rows(frame), [_key(look) for look in frame.looks]),
        *(f"<div>{_text(one)}</div>" for one in frame.spent),
        *(f'<div class="wrong">{_text(one)}</div>' for one in frame.wrong),
        f'<div class="small">{_text(frame.band)}</div>',
        _table(_LATEST, _latest(frame)) if frame.latest else "",
    ]
    return f'<div class="toolkit-live">{"".join(parts)}</div>'


def plain(frame: Frame) -> str:
    """A moment as plain text."""
    parts = [f"study {frame.study}: {frame.state}", text_table(_HEAD, _rows(frame)), *map(str, frame.spent)]
    parts += [*frame.wrong, text_table(_LATEST, _latest(frame)) if frame.latest else ""]
    return "\n\n".join(visible(one) for one in parts if one)


def _rows(frame: Frame) -> list[list[str]]:
    return [[_named(arm, frame), *_numbers(arm), left] for arm, left in zip(frame.arms, frame.left, strict=True)]


def _named(arm: ArmProgress, frame: Frame) -> str:
    return f"{arm.arm}{' (baseline)' * (arm.arm == frame.baseline)}"


def _numbers(arm: ArmProgress) -> list[str]:
    score = "n/a" if arm.score is None else f"{arm.score:.3f}"
    dollars = "n/a" if arm.dollars is None else f"{arm.dollars:,.2f}"
    done, runs = f"{arm.done:,} / {arm.total:,}", f"{arm.finished} / {arm.runs}"
    return [done, runs, score, f"{arm.tokens:,}", dollars, f"{arm.failed:,}"]


def _latest(frame: Frame) -> list[list[str]]:
    return [
        [o.arm, str(o.seed), str(o.t), "n/a" if o.score is None else f"{o.score:g}", f"{o.tokens:,}", o.task, o.answer]
        for o in frame.latest
    ]


def _drawing(frame: Frame, shown: Sequence[tuple[ArmProgress, Look]]) -> str:
    names = ", ".join(arm.arm for arm, _ in shown)
    drawn = "".join([*_axes(frame.tasks), *(_curve(arm, look, frame.tasks) for arm, look in shown)])
    label = escape(f"Mean scores so far in study {frame.study}: {names}", quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{drawn}</svg>'


def _axes(tasks: int) -> Iterator[str]:
    for score in (0, 0.25, 0.5, 0.75, 1):
        y = _y(score)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{score:g}</text>'
    for t, anchor in ((1, "start"), (tasks, "end")):
        yield f'<text x="{_x(t, tasks)}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="{anchor}">task {t}</text>'
    yield f'<text x="{_LEFT}" y="{_HEIGHT - 4}">mean score so far, over runs</text>'


def _curve(arm: ArmProgress, look: Look, tasks: int) -> str:
    band = [point for point in arm.curve if point[2] is not None and point[3] is not None]
    edge = _places(band, 3, tasks) + _places(band[::-1], 2, tasks)
    area = f'<polygon points="{" ".join(edge)}" fill="{look.ink}" opacity="0.13"/>' if len(band) > 1 else ""
    line = f'points="{" ".join(_places(arm.curve, 1, tasks))}" fill="none" stroke="{look.ink}" stroke-width="2"'
    return f'{area}<polyline {line} stroke-dasharray="{look.dash}"><title>{_text(arm.arm)}</title></polyline>'


def _places(points: Sequence[Point], which: int, tasks: int) -> list[str]:
    return [f"{_x(point[0], tasks)},{_y(value)}" for point in points if (value := point[which]) is not None]


def _x(t: float, tasks: int) -> float:
    return round(_LEFT + (t - 1) / max(1, tasks - 1) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(score: float) -> float:
    return round(_TOP + (1 - min(1.0, max(0.0, score))) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table; ``marks`` = HTML before the first cell of each row."""
    top = "".join(f'<th scope="col">{_text(one)}</th>' for one in head)
    body = "".join(
        f"<tr><td>{mark}{_text(row[0])}</td>{''.join(f'<td>{_text(one)}</td>' for one in row[1:])}</tr>"
        for row, mark in zip(rows, marks or [""] * len(rows), strict=True)
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _key(look: Look) -> str:
    """A piece of an arm's curve, to know it by."""
    line = f'stroke="{look.ink}" stroke-width="2" stroke-dasharray="{look.dash}"'
    return (
        f'<svg class="key" width="28" height="8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" {line}/></svg>'
    )


def _text(told: object) -> str:
    return escape(visible(told))
