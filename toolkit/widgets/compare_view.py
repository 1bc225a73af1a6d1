"""From the evidence of a study down to single answers, and to the memory that an answer hung on; and back."""

from __future__ import annotations

from pathlib import Path

from toolkit.analysis import Comparison
from toolkit.analysis.flips import Hung, hung_on
from toolkit.analysis.places import Met, Said, met_at
from toolkit.analysis.played import Which
from toolkit.analysis.shown import visible
from toolkit.errors import ToolkitError
from toolkit.evaluation.asked import Both, ask_without
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.widgets.answer_view import AnswerView
from toolkit.widgets.asking import cases_html, cases_lines, hung_lines, hung_table, one_hung, way_html
from toolkit.widgets.curves import chooser
from toolkit.widgets.episode import EpisodeView
from toolkit.widgets.evidence import Evidence, evidence
from toolkit.widgets.memory_view import MemoryInspector
from toolkit.widgets.page import Page, choose, numbered, of_study, picked, press, short
from toolkit.widgets.queries import Query


class CompareView(Page):
    """Asking why: evidence and learning curves, the answers behind a point, and the memory that an answer hung on.

    Each step down has a way back. A point of a curve leads to the tasks at its place in the runs, a task's row to the
    answer beside another arm's (`AnswerView`; in worlds `EpisodeView`), an answer to what it recalled, and a memory to
    the answer without it. What a button does, a method does. All of it is the ledger's, but for `without`, which asks
    the study's model, keeps the answer in the study's folder ``asked``, and charges it to judging.

    Parameters
    ----------
    study
        A `Study`, or the name of one; it may be running.
    stream
        Only this one of several streams; empty = all.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    at
        The place in the runs that is shown, from 0; None = none.
    met
        The tasks at that place.
    opened
        The view of the answer that is shown; None = none.
    hung
        What that answer, and the one beside it, recalled.
    memory
        The one of `hung` that is shown; None = none.

    Raises
    ------
    LedgerError
        If there is no such study, or stream.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    >>> study = tk.Study("why", tk.Desk(tasks=6), arms=arms, lm="scripted", seeds=2, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = tk.CompareView(study).place(5).answer("memory")
    >>> [side.which.arm for side in view.opened.sides]
    ['memory', 'static']
    >>> first = view.hung[0].memory
    >>> view.without(first).answer == view.opened.sides[0].answer
    True
    """

    def __init__(self, study: Study | str, *, stream: str = "", ledger: Ledger | str | Path | None = None) -> None:
        self.name, kept = of_study(study, ledger)
        self.stream = stream
        self._study: Study | str | None = study if isinstance(study, Study) else None
        self._levels: list[tuple[Query, ...]] = []  # what was asked for each step of the way
        self.at: int | None = None
        self.met: tuple[Met, ...] = ()
        self.opened: AnswerView | EpisodeView | None = None
        self.hung: tuple[Hung, ...] = ()
        self.memory: Hung | None = None
        self._inspector: MemoryInspector | None = None
        super().__init__(kept)
        self.look()

    @property
    def comparison(self) -> Comparison | None:
        """Each arm against the baseline; None while that cannot be told."""
        return self._evidence.comparison

    @property
    def queries(self) -> tuple[Query, ...]:
        """What the ledger was asked for what is shown."""
        own = [one for level in self._levels[min(2, self._level) :] for one in level]
        inner = self.opened.queries if self.opened is not None and self.memory is None else ()
        kept = self._inspector.queries if self._inspector is not None else ()
        return tuple(dict.fromkeys([*own, *inner, *kept]))

    def look(self) -> CompareView:
        """Read the ledger again, and show evidence and curves."""
        self._ledger.begin()
        self._evidence: Evidence = evidence(self._ledger, self.name, self.stream)
        return self._shown(0)

    def show(self, stream: str) -> CompareView:
        """Show another stream; empty = all.

        Raises
        ------
        LedgerError
            If there is no such stream.
        """
        before, self.stream = self.stream, stream
        try:
            return self.look()
        except LedgerError:
            self.stream = before
            raise

    def place(self, t: int) -> CompareView:
        """Show what the arms made of the tasks at a place of their runs, from 0.

        Raises
        ------
        ValueError
            If no run has come to it.
        """
        found = self._met_at(t)
        self._cut(1)
        self.at, self.met = t, found
        return self._shown(1)

    def answer(
        self, arm: str, *, seed: int | None = None, order: str = "", stream: str = "", beside: str | None = None
    ) -> CompareView:
        """Show one answer at the place that is shown, beside another arm's.

        Parameters
        ----------
        arm, seed, order, stream
            Whose; what is left open is the first that fits, those on which arms differ before others.
        beside
            Another arm; None = the baseline, or where that is the arm itself, the first other one; empty = none.

        Raises
        ------
        LedgerError
            If it is not recorded, or no place is shown.
        """
        said = [one.which for case in self.met for one in case.said]
        wanted = {"arm": arm, "seed": seed, "order": order, "stream": stream}
        fits = [one for one in said if all(value in ("", None, getattr(one, key)) for key, value in wanted.items())]
        if not fits:
            told = ", ".join(f"{key} {value!r}" for key, value in wanted.items() if value not in ("", None))
            raise LedgerError(
                f"no answer of {told} is shown: choose a place with view.place(t), then one of its answers"
            )
        case = next(one for one in self.met if fits[0] in [each.which for each in one.said])
        return self._answered(case, next(one for one in case.said if one.which == fits[0]), beside)

    def without(self, *memories: str, side: int = 0) -> Both:
        """Ask the model for the answer that is shown without some of what it recalled, and keep what it says.

        Parameters
        ----------
        *memories
            Their ids; none = without any.
        side
            Which of the answers that are shown: 0 or 1.

        Raises
        ------
        LedgerError
            If no answer is shown.
        SpecError, ValueError, Outage
            As `toolkit.evaluation.asked.ask_without`.
        """
        if self.opened is None or side >= len(self.opened.sides):
            raise LedgerError("no such answer is shown: choose one with view.place(t).answer(arm)")
        study = self._asks()
        if isinstance(study, str):
            raise LedgerError(study)
        found = ask_without(study, self.opened.sides[side].which, *[one for one in memories if one])
        self._recalled()
        if self.memory is not None:
            self.memory = next(one for one in self.hung if _same(one, self.memory))
        self._shown(self._level)
        return found

    def remember(self, memory: str, side: int = 0) -> CompareView:
        """Show a memory that an answer recalled: what it says, how tasks went with it, and the answer without it.

        Parameters
        ----------
        memory
            Its id; empty = everything that was recalled, together.
        side
            Of which of the answers that are shown: 0 or 1.

        Raises
        ------
        ValueError
            If the answer did not recall it.
        """
        which = self.opened.sides[side].which if self.opened is not None and side < len(self.opened.sides) else None
        own = [one for one in self.hung if one.side.which == which]
        found = next((one for one in own if one.memory == memory), None)
        if found is None:
            told = ", ".join(one.memory or "(all)" for one in own) or "nothing"
            raise ValueError(f"the answer did not recall {memory!r}; it recalled {told}")
        return self._remembered(found)

    def back(self, level: int | None = None) -> CompareView:
        """One step up; or to a level: 0 = the evidence, 1 = the place, 2 = the answer."""
        return self._shown(max(0, min(self._level - 1 if level is None else level, self._level)))

    def does(self, command: str, value: str) -> None:
        """Go down, back, ask, or what the view of an answer does."""
        if command == "look" and self.opened is None:
            self.look()
        elif command == "stream":
            self.show(picked(["", *self._evidence.streams], value))
        elif command == "place":
            self.place(numbered(value))
        elif command == "open":
            case, _, said = value.partition(":")
            met = picked(self.met, case)
            self._answered(met, picked(met.said, said), None)
        elif command == "memory":
            self._remembered(picked(self.hung, value))
        elif command == "ask":
            one = picked(self.hung, value)
            self.without(*[one.memory] * bool(one.memory), side=self._sides().index(one.side.which))
        elif command == "back":
            self.back(numbered(value))
        elif self.opened is not None:
            self.opened.does(command, value)
            self._moved()

    def page(self, guided: bool) -> str:
        """The level that is shown, below the way to it."""
        return way_html(self._names(), guided) + (self._arms, self._places, self._answer, self._memory)[self._level](
            guided
        )

    def plain(self) -> str:
        """The same as lines."""
        lines = [visible(" > ".join(self._names()))]
        if self._level == 0:
            lines += [visible(self.comparison or self._evidence.why_not)]
        elif self._level == 1:
            lines += cases_lines(self.met)
        elif self.opened is not None:
            lines += [self.opened.plain(), *hung_lines([self.memory] if self.memory else self.hung)]
        return "\n".join(lines)

    @property
    def _level(self) -> int:
        return max(0, len(self._levels) - 1)

    def _met_at(self, t: int) -> tuple[Met, ...]:
        self._ledger.begin()
        if found := met_at(self._ledger, self.name, t, self.stream):
            return found
        raise ValueError(f"no run has come to task {t}: {self._evidence.last + 1} tasks so far, counted from 0")

    def _cut(self, level: int) -> None:
        """Forget what is below a level."""
        if level < 3:
            _close(self._inspector)
            self.memory, self._inspector = None, None
        if level < 2:
            _close(self.opened)
            self.hung, self.opened = (), None
        if level < 1:
            self.at, self.met = None, ()
        self._levels = self._levels[: level + 1]

    def _shown(self, level: int) -> CompareView:
        """Show a level; its queries are those that have just been asked, if any were."""
        self._cut(level)
        known = self._levels[level] if level < len(self._levels) else ()
        self._levels = [*self._levels[:level], tuple(self._ledger.asked) or known]
        self._ledger.begin()
        self.draw()
        return self

    def _moved(self) -> None:
        """Another answer was chosen within the view of one: the place is then its own."""
        which = self._sides()[0]
        if which.t != self.at:
            self.at, self.met = which.t, self._met_at(which.t)
            self._levels[1:] = [tuple(self._ledger.asked)]
            self._ledger.begin()
        self._recalled()
        self._shown(2)

    def _answered(self, case: Met, said: Said, beside: str | None) -> CompareView:
        self._cut(1)
        if beside is None:
            others = [one.which.arm for one in case.said if one.which.arm != said.which.arm]
            base = self.comparison.baseline if self.comparison else ""
            beside = base if base in others else next(iter(others), "")
        make = EpisodeView if said.played else AnswerView
        which = said.which
        self.opened = make(
            self.name, which.arm, which.task,
            beside=beside, seed=which.seed, stream=which.stream, order=which.order, ledger=self._ledger.root,
        )  # fmt: skip
        self._recalled()
        return self._shown(2)

    def _recalled(self) -> None:
        """Read what the answers that are shown recalled."""
        sides = self.opened.sides if isinstance(self.opened, AnswerView) else ()
        self.hung = tuple(one for side in sides for one in hung_on(self._ledger, self.name, side))

    def _remembered(self, found: Hung) -> CompareView:
        self._cut(2)
        self.memory = found
        if found.memory:
            which = found.side.which
            self._inspector = MemoryInspector(
                self.name, which.arm, seed=which.seed, stream=which.stream, order=which.order, ledger=self._ledger.root
            ).only(found.memory)
        return self._shown(3)

    def _sides(self) -> list[Which]:
        return [side.which for side in self.opened.sides] if self.opened is not None else []

    def _asks(self) -> Study | str:
        """The study, whose model can be asked; else why it cannot be."""
        if self._study is None:
            try:
                self._study = Study.open(self.name, ledger=self._ledger.root, tracking="off")
            except ToolkitError as error:
                self._study = f"the study cannot be opened here, so nobody can be asked: {error}"
        return self._study

    def _names(self) -> list[str]:
        names = [f"study {self.name}" + (f", stream {self.stream}" if self.stream else "")]
        names += [f"task {self.at} of the runs"] * (self._level > 0)
        if self._level > 1:
            which = self._sides()[0]
            names.append(f"{which.arm}, seed {which.seed}: {short(which.task, 40)}")
        if self.memory is not None:
            names.append(f"without {self.memory.memory or 'any memory'}")
        return names

    def _arms(self, guided: bool) -> str:
        streams = ["", *self._evidence.streams]
        menu = choose("stream", "stream", ["all", *streams[1:]], streams.index(self.stream)) if streams[2:] else ""
        bar = f'<div class="bar">{menu}{press("Look again", "look")}</div>' if guided else ""
        return f"{bar}{self._evidence.html(guided)}"

    def _places(self, guided: bool) -> str:
        bar = chooser(self._evidence.last, self.at) if guided else ""
        return f"{bar}{cases_html(self.met, guided)}"

    def _answer(self, guided: bool) -> str:
        if self.opened is None:
            return ""
        shown = self.opened.page(guided)
        if isinstance(self.opened, EpisodeView):
            return shown
        table = hung_table(self.hung, guided, self._barred(guided)) if self.hung else "<p>Nothing was recalled.</p>"
        return f"{shown}<h4>What it recalled</h4>{table}"

    def _memory(self, guided: bool) -> str:
        if self.memory is None:
            return ""
        place = self.hung.index(self.memory)
        kept = self._inspector.page(False) if self._inspector is not None else ""
        return f"{one_hung(self.memory, place, guided, self._barred(guided))}{kept}"

    def _barred(self, guided: bool) -> str:
        """Why nobody can be asked; empty where somebody can."""
        found = self._asks() if guided else ""
        return found if isinstance(found, str) else ""


def _close(view: Page | None) -> None:
    """Let go of a view that is shown no more."""
    if view is not None:
        view.close()


def _same(one: Hung, other: Hung) -> bool:
    return (one.side.which, one.memory) == (other.side.which, other.memory)
