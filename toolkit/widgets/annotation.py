"""Where people rate recorded answers in a notebook, blind, with keys; every verdict is in the ledger at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import traitlets

from toolkit.analysis.rated import Rated
from toolkit.evaluation.annotating import Item, Look, Sitting, queue, ratings
from toolkit.evaluation.sheet import Choice, Sheet
from toolkit.evaluation.study import Study
from toolkit.ledger.rated import Overtaken
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page, of_study, text

_ABOUT = "Keys work while this view has the focus (click it, or reach it by Tab)."


class AnnotationQueue(Page):
    """A queue of recorded answers for people to rate, or of pairs of which they say the better; blind to the arm.

    Drawn are as many episodes of each arm, the same for every rater; raters see them in orders of their own, and of a
    pair each arm's answer as often at A as at B. Neither arm nor run, memory, role or score is shown, nor the study's
    name. What is said is in the study's folder before the next answer is shown: run the cell again, here or in another
    notebook, and each rater goes on where they were.

    Parameters
    ----------
    study
        A `Study`, or the name of one, whose answers are recorded.
    n
        Episodes of each arm, or pairs; an answer that several gave to the same task is asked once.
    rubric
        What makes an answer good; shown above every answer.
    choices
        Whole numbers ascending (a scale), ``"right/wrong"``, or 2 to 10 labels.
    pair
        Two arms, to ask which of their answers is better instead.
    arms
        Whose answers are rated; empty = all.
    seed
        Of the draw, the orders and the sides.
    rater
        Who rates; empty = it is typed in. Capitals do not count.
    stream
        Only this one of several streams.
    name
        Of the queue. Other settings under the same name are another queue.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    progress
        How far the rater has come.

    Raises
    ------
    SpecError
        If people cannot be asked that, or the study is in worlds.
    LedgerError
        If there is no such study, stream or arm, or nothing to rate.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    >>> study = tk.Study("rate", tk.Desk(tasks=6), arms=arms, lm="scripted", seeds=1, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = tk.AnnotationQueue(study, 3, choices="right/wrong", rater="Ann")
    >>> view.rate("right")
    >>> view.skip("cannot tell")
    >>> view.undo()
    >>> view.ratings().raters
    ('ann',)
    """

    _esm: ClassVar[str] = (Path(__file__).parent / "annotation.js").read_text(encoding="utf-8")
    progress = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        study: Study | str,
        n: int = 20,
        *,
        rubric: str = "",
        choices: tuple[int, ...] | tuple[str, ...] | str = (1, 2, 3, 4, 5),
        pair: tuple[str, ...] = (),
        arms: tuple[str, ...] = (),
        seed: int = 0,
        rater: str = "",
        stream: str = "",
        name: str = "ratings",
        ledger: Ledger | str | Path | None = None,
    ) -> None:
        kept = of_study(study, ledger)[1]
        chosen: Any = choices if isinstance(choices, str) else tuple(choices)
        sheet = Sheet(rubric, chosen, tuple(pair), tuple(arms), n, seed, stream, name)
        self._study, self._kept = study, kept if isinstance(kept, Ledger) else Ledger(kept)
        self._queue = queue(study, sheet, ledger=self._kept)
        self._sitting: Sitting | None = None
        super().__init__(kept)
        if rater:
            self._sitting = self._queue.rater(rater)
        self.draw()

    @property
    def item(self) -> Item | None:
        """What is shown; None = nothing waits, or nobody has given a name."""
        return self._sitting.look().item if self._sitting is not None else None

    def begin(self, rater: str) -> None:
        """Let somebody rate, or go on.

        Raises
        ------
        ValueError
            If that is no name.
        """
        self._sitting = self._queue.rater(rater)
        self.draw()

    def rate(self, said: str | int) -> None:
        """Say something of what is shown: a choice; of a pair ``a``, ``b`` or ``tie``.

        Raises
        ------
        ValueError
            If that may not be said, nothing waits, or nobody has given a name.
        """
        self._who().rate(str(said))
        self.draw()

    def skip(self, why: str) -> None:
        """Leave out what is shown, for a reason.

        Raises
        ------
        ValueError
            If no reason is given, nothing waits, or nobody has given a name.
        """
        self._who().skip(why)
        self.draw()

    def undo(self) -> None:
        """Take back what was done last; it is shown again.

        Raises
        ------
        ValueError
            If there is nothing to take back, or nobody has given a name.
        """
        self._who().undo()
        self.draw()

    def ratings(self) -> Rated:
        """What all raters have said so far, with the arms: `toolkit.ratings`."""
        return ratings(self._study, self._queue.folder.name, ledger=self._kept)

    def does(self, command: str, value: str) -> None:
        """What a button was pressed for; ``value`` begins with what it was shown on, so that it counts once."""
        if command == "begin":
            self.begin(value)
            return
        seen, _, said = value.partition(":")
        if not seen.isdigit():
            raise ValueError(f"a button says what it was shown on, but {value!r} does not: show the view again")
        who = self._who()
        try:
            if command == "rate":
                who.rate(said, int(seen))
            elif command == "skip":
                who.skip(said, int(seen))
            elif command == "undo":
                who.undo(int(seen))
        except Overtaken:
            self.draw()
            raise
        self.draw()

    def draw(self) -> None:
        """Show what waits."""
        with self.hold_sync():
            self.progress = self._progress()
            super().draw()

    def page(self, guided: bool) -> str:
        """The rubric, and with buttons what waits."""
        rubric = f'<div class="piece">{text(self._queue.sheet.rubric)}</div>' if self._queue.sheet.rubric else ""
        if not guided:
            return f"<p>{text(self._progress())}</p>{rubric}<p>Answers are rated where a kernel runs.</p>"
        if self._sitting is None:
            return f"{_name('')}{rubric}"
        look = self._sitting.look()
        shown = self._finished() if look.item is None else f"{rubric}{_shown(look)}{self._buttons(look)}"
        return f"{_name(self._sitting.name)}{shown}{_back(look)}"

    def plain(self) -> str:
        """How far it is."""
        return f"AnnotationQueue({self._progress()})"

    def _who(self) -> Sitting:
        if self._sitting is None:
            raise ValueError("nobody has said who rates: type a name first, or call begin")
        return self._sitting

    def _progress(self) -> str:
        if self._sitting is None:
            return f"{len(self._queue.items)} to rate: type your name to begin"
        look = self._sitting.look()
        if look.item is None:
            return f"{self._sitting.name}: all {look.of} done"
        return f"{self._sitting.name}: {look.done + 1} of {look.of}"

    def _buttons(self, look: Look) -> str:
        offered = "".join(_choice(one, look.seen) for one in self._queue.sheet.offered)
        skip = f'<button type="button" data-do="skip" data-with="why" data-value="{look.seen}:">Skip</button>'
        why = f'<label>why skip <input type="text" data-key="why" size="30"></label> {skip}'
        return f'<div class="bar">{offered}</div><div class="bar">{why}</div><p><small>{_ABOUT}</small></p>'

    def _finished(self) -> str:
        told = "".join(f"<p>Between raters: {text(one)}</p>" for one in self.ratings().agreements())
        return f"<p>Thank you: nothing more waits.</p>{told}"


def _name(name: str) -> str:
    """The field for who rates."""
    field = f'<input type="text" data-key="name" size="20" value="{text(name)}">'
    button = '<button type="button" data-do="begin" data-with="name" data-value="">Begin</button>'
    return f'<div class="bar"><label>your name {field}</label> {button}</div>'


def _shown(look: Look) -> str:
    """A task, and the answer or answers to it."""
    task = look.item.asked if look.item is not None else ""
    names = ("A", "B") if len(look.shown) > 1 else ("answer",)
    sides = "".join(_piece(name, answer) for name, answer in zip(names, look.shown, strict=True))
    return f'{_piece("task", task)}<div class="sides">{sides}</div>'


def _piece(name: str, told: str | None) -> str:
    body = "<i>no answer was given</i>" if told is None else text(told)
    region = (
        f'class="piece answer" tabindex="0" role="region" aria-label="{name}"'  # it may scroll: a key must reach it
    )
    return f'<section class="side"><b>{name}</b><div {region}>{body}</div></section>'


def _choice(one: Choice, seen: int) -> str:
    told = one.label if one.label == one.key else f"{one.label} ({one.key})"
    key = f'data-press="{one.key}" aria-keyshortcuts="{one.key}"'
    return f'<button type="button" data-do="rate" data-value="{seen}:{text(one.said)}" {key}>{text(told)}</button>'


def _back(look: Look) -> str:
    off = "" if look.done else " disabled"
    shown = f'data-value="{look.seen}:" data-press="u" aria-keyshortcuts="u"{off}'
    return f'<div class="bar"><button type="button" data-do="undo" {shown}>Undo (u)</button></div>'
