"""An episode in a world as a page: every turn, what it came to, escaped; the same with a kernel and without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from toolkit.analysis.played import Played, Stop
from toolkit.moves import WAIT
from toolkit.widgets.page import text

_WHY = {
    "prompt": "somebody spoke to it",
    "result": "its own action had its effect",
    "tick": "time passed, nobody prompted it",
}
_HOW = {"ask": "leave was asked for", "notify": "somebody was told", "free": "silently"}
_ENDED = {
    "done": "all goals were reached",
    "over": "the world ended, not all goals were reached",
    "turns": "no turns were left",
    "left": "the agent said no more",
    "broken": "the world broke down",
}
_COUNTS = {
    "steps": "actions",
    "best_steps": "fewest that do",
    "prompts": "prompts",
    "cost": "cost of tools",
    "questions": "questions",
    "useful": "of them needed",
    "blockers": "to be asked for",
    "found": "of these found",
    "hits": "hits",
    "false_alarms": "false alarms",
    "misses": "misses",
    "silences": "rightly silent",
    "interruptions": "interruptions",
    "invalid": "invalid actions",
    "unauthorised": "unauthorised",
}
_ALWAYS = ("steps", "prompts", "cost")


def played_html(sides: Sequence[Played], study: str, guided: bool) -> str:
    """One episode, or the same task by several arms side by side; ``guided`` = with a bar for its turns."""
    if not sides:
        return "<p>No episode in a world is recorded yet.</p>"
    which = sides[0].which
    asked = "".join(f"<dt>{text(name)}</dt><dd>{text(told)}</dd>" for name, told in sides[0].inputs.items())
    head = f"<p><b>{text(study)}</b>: task {text(which.task)}, seed {which.seed}</p><dl>{asked}</dl>"
    name = " ".join(f"{side.which.run[:12]}/{side.which.t}" for side in sides)
    bar = _bar(max(len(side.stops) for side in sides)) if guided else ""
    shown = f'<div class="sides">{"".join(map(_side, sides))}</div>'
    return f'<div class="played" data-episode="{text(name)}">{bar}{head}{shown}</div>'


def _bar(last: int) -> str:
    """What goes through the turns without a kernel being asked."""
    step = '<button type="button" data-step="{0}" data-key="step{0}" title="{1}" aria-label="{1}">{2}</button>'
    back, forward = step.format(-1, "the turn before", "◀"), step.format(1, "the next turn", "▶")
    play = '<button type="button" data-play data-key="play" title="play the turns, or hold">▶ Play</button>'
    slide = f'<input type="range" min="0" step="1" max="{last}" value="0" data-turn data-key="turn" aria-label="turn">'
    return f'<div class="bar">{play}{back}{slide}{forward}<span class="where" role="status"></span></div>'


def number(value: float | None) -> str:
    """A number in few digits.

    Examples
    --------
    >>> number(0.731250), number(3.0), number(None)
    ('0.731', '3', 'n/a')
    """
    return "n/a" if value is None or value != value else f"{round(value, 3):g}"


def _side(side: Played) -> str:
    count = len(side.stops)
    turns = "".join(_turn(stop, place, count) for place, stop in enumerate(side.stops))
    strip = "".join(_chip(stop, place) for place, stop in enumerate(side.stops))
    strip += f'<span class="chip end" data-go="{count}" title="how it ended">■</span>'
    said = f'<section class="side" data-turns="{count}"><h4>{text(side.which.arm)}</h4>'
    return f'{said}<div class="strip">{strip}</div>{turns}{_end(side)}</section>'


def _chip(stop: Stop, place: int) -> str:
    """A turn in the strip: a letter for why it was its turn, a colour for what was done."""
    kind = "refused" if stop.move.refused else "acted" if stop.acted else "waited"
    why = f"turn {place + 1}, {stop.move.cause}: {stop.move.action}"
    letter = text(stop.move.cause[:1])
    return f'<span class="chip {kind}" data-go="{place}" title="{text(why[:200])}">{letter}</span>'


def _turn(stop: Stop, place: int, count: int) -> str:
    move = stop.move
    why = f'<span class="cause">{text(move.cause)}</span> {_WHY.get(move.cause, "")}'
    rows = [("its turn", why), ("saw", _long(move.seen))]
    if move.thought:
        rows.append(("had in mind", f'<span class="thought">{_long(move.thought.replace("; ", chr(10)))}</span>'))
    rows.append(("did", _did(stop)))
    if move.refused:
        rows.append(("not done", f'<span class="wrong">{text(move.refused)}</span>'))
    if stop.can:
        listed = "\n".join(stop.can)
        rows.append(("could do", f"<details><summary>{len(stop.can)} actions</summary>{_long(listed)}</details>"))
    rows.append(("so far", _so_far(stop)))
    return f'<article data-turn="{place}"><h5>turn {place + 1} of {count}</h5>{_rows(rows)}</article>'


def _did(stop: Stop) -> str:
    move = stop.move
    if move.action == WAIT:
        return "nothing (wait)"
    how = f" <small>({_HOW[move.manner]})</small>" if move.manner in _HOW else ""
    if not stop.tool:
        return f"<code>{text(move.action) or '(no action)'}</code>{how}"
    given = ", ".join(
        f"{text(name)} = {text(json.dumps(one, ensure_ascii=False))}" for name, one in stop.arguments.items()
    )
    return f"<code><b>{text(stop.tool)}</b>{' ' if given else ''}{given}</code>{how}"


def _so_far(stop: Stop) -> str:
    told = {
        "prompts": stop.prompts,
        "questions": stop.questions,
        "cost": stop.cost,
        "reward": stop.reward,
        "not done": stop.refused,
    }
    parts = [f"{name} {number(value)}" for name, value in told.items() if value or name != "not done"]
    return f"<small>{', '.join(parts)}</small>"


def _end(side: Played) -> str:
    outcome = side.outcome.flat
    counts = {name: outcome[name] for name in _COUNTS if outcome[name] or name in _ALWAYS}
    told = ", ".join(f"{_COUNTS[name]} {number(value)}" for name, value in counts.items())
    reached = f"score <b>{number(side.score)}</b>, goals reached {number(side.outcome.tally.reached)}"
    rows = [("how", _ENDED.get(side.outcome.ended, "")), ("came to", reached), ("counted", told)]
    rows.append(("model", f"{side.tokens:,} tokens"))
    if side.status != "ok":
        rows.append(("status", f'<span class="wrong">{text(side.status)} {text(side.error)}</span>'))
    return f'<article class="end" data-turn="{len(side.stops)}"><h5>the end</h5>{_rows(rows)}</article>'


def _long(told: str) -> str:
    return f'<span class="long">{text(told)}</span>'


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what is told of them, as HTML already."""
    return f"<table>{''.join(f'<tr><th>{name}</th><td>{told}</td></tr>' for name, told in rows)}</table>"
