"""Watching an agent work: a recorded episode in a world, turn by turn, alone or beside another arm's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import traitlets

from toolkit.analysis.played import Played, Which, pair_of, playable, played
from toolkit.analysis.shown import visible
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.widgets.page import Page, choose, of_study, picked, press
from toolkit.widgets.trace import played_html

_OPEN = ("task", "seed", "stream", "order")
_MENUS = ("arm", "beside", "task", "seed")


class EpisodeView(Page):
    """A view of one episode in a world: why it was the agent's turn, what it saw, thought and did, and what came of it.

    A slider and a play button go through the turns; whatever a button does, a method does. Everything stands in the
    ledger, so it works for studies that run, have finished, or were carried out elsewhere, and asks neither model nor
    world anything. Where there is no kernel (a notebook that was converted) all turns stand below one another.

    Parameters
    ----------
    study
        A `Study`, or the name of one.
    arm
        Whose episode; empty = of the first arm that has one.
    task
        Of which task, by its name in the ledger; empty = the first that is there.
    beside
        Another arm, whose episode of the same task, seed and order is shown beside it.
    seed, stream, order
        Which run, where there are several; None and empty = the first.
    ledger
        Where a study given by name is kept.

    Attributes
    ----------
    turn
        The place that is shown, from 0; `last` is the end, where outcomes stand.
    sides
        What is shown: one episode, or two.

    Raises
    ------
    LedgerError
        If there is no such study, or no such episode in a world.

    Examples
    --------
    >>> import tempfile, toolkit as tk
    >>> arms = [tk.Arm.static(), tk.Arm("watch", goals=tk.Watch(("due",)))]
    >>> shift = tk.DeskCases(tasks=2, watch=1.0, ticks=4)
    >>> study = tk.Study("shift", shift, arms=arms, lm=tk.ScriptedActor(), seeds=1, ledger=tempfile.mkdtemp())
    >>> _ = study.run()
    >>> view = study.watch("watch", beside="static")
    >>> view.forward().sides[0].stops[view.turn].move.cause
    'tick'
    """

    turn = traitlets.Int(0).tag(sync=True)
    last = traitlets.Int(0).tag(sync=True)

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
        self._looking = threading.RLock()
        self._found: tuple[Which, ...] = ()
        self.sides: tuple[Played, ...] = ()
        super().__init__(kept)
        self.show(arm, task, beside=beside, seed=seed)

    def show(
        self, arm: str | None = None, task: str | None = None, *, beside: str | None = None, seed: int | None = None
    ) -> EpisodeView:
        """Show another episode from its first turn; what is None stays as it is.

        Raises
        ------
        LedgerError
            If it is not recorded.
        """
        with self._looking:
            given = {"arm": arm, "task": task, "beside": beside, "seed": seed}
            wanted = self._wanted | {name: value for name, value in given.items() if value is not None}
            self._ledger.begin()
            found = playable(self._ledger, self.name)
            if not found and not any(wanted.values()):
                self._put((), found, wanted)  # a study that has only begun
                return self
            pair = pair_of(found, wanted)
            self._put(tuple(played(self._ledger, self.name, one) for one in pair), found, wanted)
        return self

    def look(self) -> EpisodeView:
        """Read the ledger again: episodes that have been recorded since can then be chosen. The turn stays."""
        turn = self.turn
        self.show()
        return self.go(turn)

    def go(self, turn: int) -> EpisodeView:
        """Show a turn, counted from 0; beyond the last one the end."""
        self.turn = max(0, min(turn, self.last))
        return self

    def forward(self) -> EpisodeView:
        """Show the next turn."""
        return self.go(self.turn + 1)

    def back(self) -> EpisodeView:
        """Show the turn before."""
        return self.go(self.turn - 1)

    def does(self, command: str, value: str) -> None:
        """Choose from a menu, or look again."""
        if command == "look":
            self.look()
        elif command in _MENUS:
            self.show(**{command: picked(self.menu[command], value)})

    @property
    def menu(self) -> Mapping[str, list[Any]]:
        """What can be chosen, by what is chosen."""
        arms = list(dict.fromkeys(one.arm for one in self._found))
        return {
            "arm": arms,
            "beside": ["", *arms],
            "task": list(dict.fromkeys(one.task for one in self._found)),
            "seed": sorted({one.seed for one in self._found}),
        }

    def page(self, guided: bool) -> str:
        """The episode; without a kernel all of its turns below one another."""
        return f"{self._bar() if guided and self.sides else ''}{played_html(self.sides, self.name, guided)}"

    def plain(self) -> str:
        """Whose episode it is, and how many turns it took."""
        shown = ", ".join(f"{side.which.arm} ({len(side.stops)} turns)" for side in self.sides) or "nothing yet"
        return visible(f"EpisodeView({self.name!r}: {shown})")

    def _bar(self) -> str:
        shown = {name: getattr(self.sides[0].which, name) for name in ("arm", "task", "seed")}
        shown["beside"] = self.sides[1].which.arm if len(self.sides) > 1 else ""
        menus = [choose(name, name, values, values.index(shown[name])) for name, values in self.menu.items()]
        return f'<div class="bar">{"".join(menus)}{press("Look again", "look")}</div>'

    def _put(self, sides: tuple[Played, ...], found: tuple[Which, ...], wanted: Mapping[str, Any]) -> None:
        self.sides, self._found, self._wanted = sides, found, dict(wanted)
        shown = sides[0].which if sides else None
        if shown is not None:  # what was left open is now what is shown: another choice changes only itself
            self._wanted |= {"arm": shown.arm, **{name: getattr(shown, name) for name in _OPEN}}
        with self.hold_sync():
            self.last = max((len(side.stops) for side in sides), default=0)
            self.turn = 0
            self.draw()
