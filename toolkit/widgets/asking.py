"""Answers of arms to one task, and what an answer hung on, as tables: what stands between a curve and a memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from toolkit.analysis.flips import Hung, Without
from toolkit.analysis.places import Met
from toolkit.widgets.memory_table import figures
from toolkit.widgets.page import grid, press, short, text

CASES = 40
"""Tasks of one place that are shown."""

_ABOUT_PLACE = (
    "Tasks on which arms differ in score stand first, then those on which they differ in their answers. Expected: the "
    "answer that feedback revealed, or one that was right; where neither is recorded it is not known here."
)
_ABOUT_MEMORIES = (
    "Asking again leads the run from its tape to this answer and puts the same question without the memory; it is kept "
    "in the study's folder 'asked' and charged to judging. Where a model draws its answers, one may change by itself: "
    "tk.attribution says how often. left out: mean score less the score without it, over the tasks of this run at "
    "which the study asked."
)
_APART = ("all answers are the same", "answers differ, their scores do not", "scores differ")
_HEAD = ("arm", "answer", "expected", "score", "memories recalled", "")
_HUNG = ("arm", "memory", "says", "left out", "the answer without it", "")


def way_html(names: Sequence[str], guided: bool) -> str:
    """The way to what is shown: each step above it a button that leads back."""
    *above, here = names
    steps = [press(name, "back", level) if guided else text(name) for level, name in enumerate(above)]
    way = "".join(f"<li>{step} › </li>" for step in steps)
    end = f'<li aria-current="page" tabindex="-1" data-focus>{text(here)}</li>'
    return f'<nav aria-label="where this is"><ol class="way">{way}{end}</ol></nav>'


def cases_html(met: Sequence[Met], guided: bool) -> str:
    """The tasks of one place, the first `CASES` of them."""
    cases = "".join(_case_html(case, place, guided) for place, case in enumerate(met[:CASES]))
    more = f"<p>and {len(met) - CASES} more, which stand in the view episodes</p>" if met[CASES:] else ""
    return f"{cases}{more}<p><small>{text(_ABOUT_PLACE)}</small></p>"


def cases_lines(met: Sequence[Met]) -> Iterator[str]:
    """The same as lines."""
    yield from (line for case in met[:CASES] for line in _case_lines(case))


def _case_html(case: Met, place: int, guided: bool) -> str:
    """One task with every arm's answer; a button at each opens it."""
    given = "; ".join(f"{name}: {short(told, 160)}" for name, told in case.inputs.items())
    head = f"task {short(case.task)}, seed {case.seed}, {case.stream}, order {case.order}: {_APART[case.apart]}"
    rows = [
        [
            text(one.which.arm),
            text(one.answer or f"({one.status}) {one.error}"),
            text(case.expected or "not recorded"),
            text(_figure(one.score)),
            str(one.recalled),
            press("Open", "open", f"{place}:{number}", told=f"Open the answer of {one.which.arm} to {case.task}")
            if guided
            else "",
        ]
        for number, one in enumerate(case.said)
    ]
    return f"<h4>{text(head)}</h4><p>{text(given)}</p>{grid(_HEAD, rows)}"


def _case_lines(case: Met) -> Iterator[str]:
    """The same as lines."""
    yield short(f"task {case.task}, seed {case.seed}, {case.stream}, order {case.order}: {_APART[case.apart]}", 200)
    for one in case.said:
        told = f"{one.which.arm}: {one.answer or one.status}, expected {case.expected or 'not recorded'}"
        yield f"  {short(told, 160)}, score {_figure(one.score)}"


def hung_table(hung: Sequence[Hung], guided: bool, barred: str) -> str:
    """What answers recalled, with the answer without each, and buttons that open a memory and ask without it."""
    rows = []
    for place, one in enumerate(hung):
        says = one.kept.told if one.kept else ""
        name = one.memory or "all of them"
        opens = (
            press(name, "memory", place, told=f"Open memory {name} of {one.side.which.arm}") if guided else text(name)
        )
        told = "<br>".join(map(text, _answers(one))) or "nobody has asked"
        worth = figures(one.kept)[-1] if one.kept else ""
        rows.append([text(one.side.which.arm), opens, text(says), worth, told, _ask(one, place, guided, barred)])
    return f"{grid(_HUNG, rows)}<p><small>{text(_ABOUT_MEMORIES)}</small></p>"


def one_hung(one: Hung, place: int, guided: bool, barred: str) -> str:
    """An answer beside those that were given without a memory."""
    name = one.memory or "any memory"
    side = one.side
    verdict = {
        True: f"The answer hung on it: without {name} it was another one.",
        False: f"The answer did not hang on it: without {name} it was the same.",
        None: f"Nobody has asked without {name}.",
    }[one.flipped]
    rows = [[text("as it was"), text(side.answer or f"({side.status})"), _figure(side.score), ""]]
    rows += [
        [text(f"without {name}, {each.by}"), text(each.answer), _figure(each.score), text(_cost(each))]
        for each in one.without
    ]
    table = grid(("", "answer", "score", "cost, charged to judging"), rows)
    return f"<p><b>{text(verdict)}</b></p>{table}<p>{_ask(one, place, guided, barred)}</p>"


def hung_lines(hung: Iterable[Hung]) -> Iterator[str]:
    """What answers recalled, as lines."""
    for one in hung:
        told = "; ".join(_answers(one)) or "nobody has asked without it"
        says = f": {short(one.kept.told)}" if one.kept else ""
        yield f"  {short(one.side.which.arm)} recalled {short(one.memory or 'all of them')}{says}; {short(told, 200)}"


def _ask(one: Hung, place: int, guided: bool, barred: str) -> str:
    if not guided:
        return ""
    name = one.memory or "any memory"
    told = f"Ask again without {name}: {one.side.which.arm}"
    button = press("Ask again", "ask", place, barred=barred, told=told)
    return button + (f"<br><small>{text(barred)}</small>" if barred else "")


def _answers(one: Hung) -> Iterator[str]:
    for each in one.without:
        same = "the same" if each.answer == one.side.answer else "another answer"
        yield f"{same}: {each.answer}, score {_figure(each.score)} instead of {_figure(one.side.score)} ({each.by})"


def _cost(one: Without) -> str:
    if math.isnan(one.tokens):
        return "within the run's judging"
    return f"{one.tokens:.0f} tokens" + ("" if math.isnan(one.dollars) else f", {one.dollars:.4g} dollars")


def _figure(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{round(value, 4):g}"
