"""Watching an agent work: a recorded episode in a world, turn by turn, alone or beside another arm's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from toolkit.analysis.played import Played, Which, beside_each_other, chosen, playable, played
from toolkit.errors import ToolkitError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.widgets.live import hear_beside_a_running_cell
from toolkit.widgets.trace import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HERE = Path(__file__).parent
_OPEN = ("task", "seed", "stream", "order")


class EpisodeView(anywidget.AnyWidget):
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

    _esm: ClassVar[Path] = _HERE / "episode.js"
    _css: ClassVar[Path] = _HERE / "episode.css"
    html = traitlets.Unicode().tag(sync=True)
    turn = traitlets.Int(0).tag(sync=True)
    last = traitlets.Int(0).tag(sync=True)
    menu = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

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
        own = study.ledger if isinstance(study, Study) else ledger
        self._ledger = own if isinstance(own, Ledger) else Ledger(own)
        self.name = study.name if isinstance(study, Study) else study
        self._wanted: dict[str, Any] = {"stream": stream, "order": order}
        self._looking = threading.RLock()
        self.sides: tuple[Played, ...] = ()
        super().__init__()
        self.on_msg(self._heard)
        hear_beside_a_running_cell(self.comm)
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
            found = playable(self._ledger, self.name)
            if not found and not any(wanted.values()):
                self._put((), found, wanted)  # a study that has only begun
                return self
            own = chosen(found, **{name: value for name, value in wanted.items() if name != "beside"})
            other = wanted.get("beside", "")
            pair = beside_each_other(own, chosen(found, arm=other)) if other else own[:1]
            self._put(tuple(played(self._ledger, self.name, one) for one in pair), found, wanted)
            self.turn = 0
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

    def _put(self, sides: tuple[Played, ...], found: Sequence[Which], wanted: Mapping[str, Any]) -> None:
        self.sides = sides
        self._wanted = dict(wanted)
        shown = sides[0].which if sides else None
        if shown is not None:  # what was left open is now what is shown: another choice changes only itself
            self._wanted |= {"arm": shown.arm, **{name: getattr(shown, name) for name in _OPEN}}
        with self.hold_sync():
            self.html, self.note = page(sides, self.name), ""
            self.last = max((len(side.stops) for side in sides), default=0)
            self.menu = _menu(found, sides)

    def _heard(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """A button was pressed, or something chosen."""
        try:
            if content.get("command") == "look":
                self.look()
            elif content.get("command") == "show":
                named = {name: str(content[name]) for name in ("arm", "task", "beside") if name in content}
                self.show(**named, seed=int(content["seed"]) if "seed" in content else None)
        except (ToolkitError, ValueError) as error:  # nobody sees an exception of a button
            self.note = str(error)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:  # for a reader without a kernel: it is taken where the view cannot be
            style = (_HERE / "episode.css").read_text(encoding="utf-8")
            bundle[0]["text/html"] = f'<style>{style}</style><div class="toolkit-episode">{self.html}</div>'
        return bundle

    def __repr__(self) -> str:
        shown = ", ".join(f"{side.which.arm} ({len(side.stops)} turns)" for side in self.sides) or "nothing yet"
        return f"EpisodeView({self.name!r}: {shown})"


def _menu(found: Sequence[Which], sides: Sequence[Played]) -> dict[str, Any]:
    """What can be chosen, and what is."""
    shown = sides[0].which if sides else None
    return {
        "task": list(dict.fromkeys(one.task for one in found)),
        "seed": sorted({one.seed for one in found}),
        "arm": list(dict.fromkeys(one.arm for one in found)),
        "chosen": {
            "task": shown.task if shown else "",
            "seed": shown.seed if shown else 0,
            "arm": shown.arm if shown else "",
            "beside": sides[1].which.arm if len(sides) > 1 else "",
        },
    }
