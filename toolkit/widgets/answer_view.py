"""One recorded task as it was asked and answered, alone or beside another arm's: prompts by block, answer, cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toolkit.analysis.answered import BLOCKS, Answered, Piece, Prompted, answered, answers
from toolkit.analysis.played import Which, pair_of
from toolkit.analysis.shown import visible
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page, choose, of_study, picked, press, short, text

_MENUS = ("arm", "beside", "task", "seed")
_WHAT = {"acting": "tokens, acting", "adapting": "tokens, adapting"}


class AnswerView(Page):
    """One recorded task: what the model was asked, block by block, its answer, the feedback on it, and what it cost.

    With ``beside`` another arm's same task stands next to it. Each part of a prompt says by name and by colour which
    trait it is owed to. All of it is the ledger's; no model is asked. Episodes in worlds have their own view,
    `EpisodeView`; here they show their prompts.

    Parameters
    ----------
    study
        A `Study`, or the name of one.
    arm, task
        Whose, and of which task, by its name in the ledger; empty = the first that is there.
    beside
        Another arm, whose answer to the same task, seed and order is shown beside it.
    seed, stream, order
        Which run, where there are several; None and empty = the first.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    sides
        What is shown: one episode, or two.

    Raises
    ------
    LedgerError
        If there is no such study, or no such episode.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    >>> study = tk.Study("use", tk.Desk(tasks=6), arms=arms, lm="scripted", seeds=1, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = tk.AnswerView(study, "memory", beside="static")
    >>> [side.which.arm for side in view.sides]
    ['memory', 'static']
    """

    def __init__(
        self,
        study: Study | str,
        arm: str = "",
        task: str = "",
        *,
        beside: str = "",
        seed: int | None = None,
        stream: str = "",
        order: str = "",
        ledger: Ledger | str | Path | None = None,
    ) -> None:
        self.name, kept = of_study(study, ledger)
        self._wanted: dict[str, Any] = {"stream": stream, "order": order}
        self._found: tuple[Which, ...] = ()
        self.sides: tuple[Answered, ...] = ()
        super().__init__(kept)
        self.show(arm, task, beside=beside, seed=seed)

    def show(
        self, arm: str | None = None, task: str | None = None, *, beside: str | None = None, seed: int | None = None
    ) -> AnswerView:
        """Show another task, or another arm; what is None stays as it is.

        Raises
        ------
        LedgerError
            If it is not recorded.
        """
        self._ledger.begin()
        given = {"arm": arm, "task": task, "beside": beside, "seed": seed}
        wanted = self._wanted | {name: value for name, value in given.items() if value is not None}
        found = answers(self._ledger, self.name)
        if found or any(wanted.values()):  # else it has only begun
            pair = pair_of(found, wanted)
            self.sides = tuple(answered(self._ledger, self.name, one) for one in pair)
            first = pair[0]
            wanted |= {name: getattr(first, name) for name in ("arm", "task", "seed", "stream", "order")}
        self._found, self._wanted = found, wanted
        self.draw()
        return self

    def look(self) -> AnswerView:
        """Read the ledger again."""
        return self.show()

    def does(self, command: str, value: str) -> None:
        """Choose from a menu, or look again."""
        if command == "look":
            self.look()
        elif command in _MENUS:
            self.show(**{command: picked(self._menu()[command], value)})

    def page(self, guided: bool) -> str:
        """The task and its sides."""
        if not self.sides:
            return "<p>No episode is recorded yet.</p>"
        which = self.sides[0].which
        asked = "".join(f"<br>{text(name)}: {text(told)}" for name, told in self.sides[0].inputs.items())
        head = f"<p><b>{text(self.name)}</b>: task {text(which.task)}, seed {which.seed}{asked}</p>"
        sides = "".join(f'<section class="side">{side_html(one)}</section>' for one in self.sides)
        return f'{self._bar() if guided else ""}{head}<div class="sides">{sides}</div>'

    def plain(self) -> str:
        """The same as lines."""
        if not self.sides:
            return f"AnswerView({self.name!r}: nothing yet)"
        which = self.sides[0].which
        lines = [visible(f"{self.name}: task {which.task}, seed {which.seed}")]
        for side in self.sides:
            lines += ["", *_lines(side)]
        return "\n".join(lines)

    def _menu(self) -> Mapping[str, list[Any]]:
        found = self._found
        arms = list(dict.fromkeys(one.arm for one in found))
        return {
            "arm": arms,
            "beside": ["", *arms],
            "task": list(dict.fromkeys(one.task for one in found)),
            "seed": sorted({one.seed for one in found}),
        }

    def _bar(self) -> str:
        shown = self._wanted | {"beside": self.sides[1].which.arm if len(self.sides) > 1 else ""}
        menus = [choose(name, name, values, values.index(shown[name])) for name, values in self._menu().items()]
        return f'<div class="bar">{"".join(menus)}{press("Look again", "look")}</div>'


def side_html(side: Answered) -> str:
    """One episode: its prompts, then what came of them."""
    prompts = "".join(map(_prompt, side.prompts)) or "<p>No model was asked.</p>"
    rows = "".join(f"<tr><th>{name}</th><td>{text(told)}</td></tr>" for name, told in _outcome(side))
    return f"<h4>{text(side.which.arm)}, task {side.which.t} of its run</h4>{prompts}<table>{rows}</table>"


def _prompt(one: Prompted) -> str:
    times = f", asked {one.times} times" if one.times > 1 else ""
    pieces = "".join(map(_piece, one.pieces))
    said = f'<div class="piece answer"><b>answer</b> {text(one.answer)}</div>'
    return f"<h5>step {text(one.step)}{times}</h5>{pieces}{said}"


def _piece(one: Piece) -> str:
    own = next((name for name in BLOCKS if name in one.block.split(" and ")), "")
    return (
        f'<div class="piece {own}"><b>{text(one.block)}</b> <small>{text(one.said_by)}</small>\n{text(one.text)}</div>'
    )


def _outcome(side: Answered) -> Iterator[tuple[str, str]]:
    """Names, which are ours, and what is told of each, which is anybody's."""
    yield "answer", side.answer or f"({side.status})"
    if side.error:
        yield "error", side.error
    yield "score", _figure(side.score)
    told = "; ".join(f"{name}: {value}" for name, value in side.feedback.items())
    yield "feedback", told or "none"
    yield "cost", ", ".join(f"{_WHAT.get(name, name)} {_figure(value)}" for name, value in side.costs.items())
    yield "blocks", ", ".join(side.blocks) or "none"
    if side.recalled:
        yield "recalled", ", ".join(side.recalled)
    for instead, answer, score in side.instead:
        yield "asked again", f"{instead}: {answer}, score {_figure(score)}"


def _lines(side: Answered) -> Iterator[str]:
    yield visible(f"{side.which.arm}, task {side.which.t} of its run")
    for prompt in side.prompts:
        yield visible(f"  step {prompt.step}" + (f", asked {prompt.times} times" if prompt.times > 1 else ""))
        yield from (f"    [{visible(one.block)}] {short(one.text, 160)}" for one in prompt.pieces)
    yield from (f"  {name}: {short(told, 160)}" for name, told in _outcome(side))


def _figure(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{round(value, 4):g}"
