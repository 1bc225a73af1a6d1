"""What a learner made of its prompts: versions side by side, when each was adopted, and on what evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from toolkit.analysis.differing import Difference, Part
from toolkit.analysis.shown import text_table, visible
from toolkit.analysis.versions import VersionRow, Versions, versions
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page, choose, of_study, picked, press, short, text

_HEAD = ("version", "made before", "in force", "score", "tasks", "what became of it, and why")
_TAGS = {"same": ("", ""), "gone": ("<del>", "</del>"), "new": ("<ins>", "</ins>")}
_OTHER = {"-": "new", "+": "gone"}


class ProgramDiff(Page):
    """Versions of a run's tuned prompts, two of them side by side: what was taken out, what was put in.

    Lines that were taken out bear a ``-``, those that were put in a ``+``; colour says the same again. Above them
    stands every version: when it was made and in force, and each of its fates with what the learner gave as its reason,
    for `toolkit.Tuned` the figures of its trial.

    Parameters
    ----------
    study
        A `Study`, or the name of one; it may be running.
    arm, seed, stream, order
        Whose run; empty and None = the first of the plan whose learner has made a version.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    versions
        Those of the run, as `toolkit.versions` has them; None = none has been made so far.
    a, b
        The numbers of the two that are compared: at first the one in force last, and the one before it.

    Raises
    ------
    SpecError
        If the study has no such arm or run.
    LedgerError
        If there is no such study.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("few-shot", learning=tk.DemoBuffer())]
    >>> study = tk.Study("tuned", tk.Desk(tasks=4), arms=arms, lm="scripted", seeds=1, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> tk.ProgramDiff(study)
    study tuned: No version has been made so far: learners such as tk.Tuned make some.
    """

    def __init__(
        self,
        study: Study | str,
        arm: str = "",
        *,
        seed: int | None = None,
        stream: str = "",
        order: str = "",
        ledger: Ledger | str | Path | None = None,
    ) -> None:
        self.name, kept = of_study(study, ledger)
        self._arm, self._seed, self._stream, self._order = arm, seed, stream, order
        self._runs: tuple[VersionRow, ...] = ()
        self._notes: tuple[str, ...] = ()
        self.versions: Versions | None = None
        self.a = self.b = 0
        super().__init__(kept)
        self.look()

    def look(self) -> ProgramDiff:
        """Read the ledger again; the versions in force are then compared."""
        self._ledger.begin()
        found = versions(
            self.name, arm=self._arm, seed=self._seed, stream=self._stream, order=self._order, ledger=self._ledger
        )
        self._runs = tuple({one.run: one for one in reversed(found.rows)}.values())[::-1]
        self._notes = found.notes
        run = self.versions.rows[0].run if self.versions else ""
        self._take(found, run if run in {one.run for one in self._runs} else "")
        return self

    def show(self, a: int | None = None, b: int | None = None) -> ProgramDiff:
        """Compare two versions by their numbers; what is None stays.

        Raises
        ------
        SpecError
            If there is no such version.
        """
        first, second = self.a if a is None else a, self.b if b is None else b
        if self.versions is not None:
            self.versions.row(first), self.versions.row(second)
        self.a, self.b = first, second
        self.draw()
        return self

    @property
    def difference(self) -> Difference | None:
        """What version `b` has that `a` has not, and the other way round; None without versions."""
        return None if self.versions is None else self.versions.diff(self.a, self.b)

    def does(self, command: str, value: str) -> None:
        """Choose a version or a run, or look again."""
        if command == "look":
            self.look()
        elif command in ("a", "b") and self.versions is not None:
            number = picked([one.number for one in self.versions.rows], value)
            self.show(**{command: number})
        elif command == "run":
            one = picked(self._runs, value)
            found = versions(
                self.name, arm=one.arm, seed=one.seed, stream=one.stream, order=one.order, ledger=self._ledger
            )
            self._take(found, one.run)

    def page(self, guided: bool) -> str:
        """The versions, and the two side by side."""
        if self.versions is None or self.difference is None:
            return f"<p>{text(self._head())}</p>{self._bar() if guided else ''}"
        heads = "".join(f"<th>{name}</th>" for name in _HEAD)
        rows = "".join(
            f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in _cells(one))}</tr>" for one in self.versions.rows
        )
        alarms = "".join(f"<p>{text(one)}</p>" for one in self._alarms())
        notes = "".join(f"<p><small>{text(note)}</small></p>" for note in self._notes)
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        bar = self._bar() if guided else ""
        return f"<p>{text(self._head())}</p>{bar}{table}{alarms}{side_by_side(self.difference)}{notes}"

    def plain(self) -> str:
        """The same as lines."""
        if self.versions is None or self.difference is None:
            return visible(self._head())
        body = [[*map(short, cells[:-1]), short(cells[-1], 400)] for cells in map(_cells, self.versions.rows)]
        table = text_table(_HEAD, body)
        lines = [visible(self._head()), table, *map(short, self._alarms()), "", str(self.difference), "", *self._notes]
        return "\n".join(lines)

    def _take(self, found: Versions, run: str) -> None:
        """Show one run, the first where it does not matter."""
        run = run or (self._runs[0].run if self._runs else "")
        own = tuple(one for one in found.rows if one.run == run)
        alarms = tuple(one for one in found.alarms if one.run == run)
        self.versions = replace(found, rows=own, alarms=alarms) if own else None
        if self.versions is not None:
            self.b = self.versions.in_force.number
            self.a = _before(own, self.b)
        self.draw()

    def _head(self) -> str:
        if self.versions is None:
            return f"study {self.name}: {self._notes[0]}"
        return f"study {self.name}, {_told(self.versions.rows[0])}"

    def _alarms(self) -> list[str]:
        return [
            f"before task {one.t}: drift {one.number} was noticed ({one.why}); {one.done}"
            for one in (self.versions.alarms if self.versions else ())
        ]

    def _bar(self) -> str:
        if self.versions is None:
            return f'<div class="bar">{press("Look again", "look")}</div>'
        runs, here = [one.run for one in self._runs], self.versions.rows[0].run
        numbers = [one.number for one in self.versions.rows]
        parts = [
            choose("run", "run", [_told(one) for one in self._runs], runs.index(here)),
            choose("from version", "a", numbers, numbers.index(self.a)),
            choose("to version", "b", numbers, numbers.index(self.b)),
            press("Look again", "look"),
        ]
        return f'<div class="bar">{"".join(parts)}</div>'


def side_by_side(difference: Difference) -> str:
    """A difference as two columns of HTML, signs beside the lines."""
    head = f"<tr><td></td><td><b>{text(difference.a)}</b></td><td></td><td><b>{text(difference.b)}</b></td></tr>"
    if not difference:
        return f'<table class="diff">{head}<tr><td></td><td>(no difference)</td></tr></table>'
    return f'<table class="diff">{head}{"".join(_line(sign, parts) for sign, parts in difference.lines)}</table>'


def _line(sign: str, parts: Sequence[Part]) -> str:
    if sign == "@":
        return f'<tr><td></td><td colspan="3" class="faint">{"".join(escape(told) for _, told in parts)}</td></tr>'
    if sign == " ":
        return f"<tr>{_half('', parts, '')}{_half('', parts, '')}</tr>"
    left = _half("-", parts, sign) if sign in "-~" else _half("", (), "")
    right = _half("+", parts, sign) if sign in "+~" else _half("", (), "")
    return f"<tr>{left}{right}</tr>"


def _half(mark: str, parts: Sequence[Part], sign: str) -> str:
    """One side of a line; of one that became another only the words that were or are there, the changed ones marked."""
    own = [(kind, told) for kind, told in parts if kind != _OTHER.get(mark)]
    tags = _TAGS if sign == "~" else dict.fromkeys(_TAGS, ("", ""))
    inner = "".join(f"{tags[kind][0]}{escape(told)}{tags[kind][1]}" for kind, told in own)
    look = {"-": "gone", "+": "new"}.get(mark, "")
    return f'<td class="sign {look}">{mark}</td><td class="{look}">{inner}</td>'


def _cells(one: VersionRow) -> list[str]:
    """A version as a row."""
    spans = ", ".join(f"{first}+" if end is None else f"{first}-{end - 1}" for first, end in one.spans)
    score = one.score
    told = f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]" if score.n else "n/a"
    return [str(one.number), f"task {one.made}", spans or "never", told, str(score.n), "\n".join(_fates(one))]


def _fates(one: VersionRow) -> Iterator[str]:
    yield from (f"task {fated.t}: {fated.fate}: {fated.why}" for fated in one.fates)


def _before(rows: Sequence[VersionRow], number: int) -> int:
    """The version in whose place another was put last; the first where there is none."""
    since = next((one.spans[-1][0] for one in rows if one.number == number and one.spans), None)
    return next(
        (one.number for one in rows if one.number != number and any(end == since for _, end in one.spans)),
        rows[0].number,
    )


def _told(one: VersionRow) -> str:
    return f"arm {one.arm}, seed {one.seed}, stream {one.stream}, order {one.order}"
