"""What a study has shown so far, as a page: each arm against the baseline, and learning curves whose points lead on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toolkit import figures
from toolkit.analysis import Comparison, compare, learning_curves, plan
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import lengths, only
from toolkit.ledger.store import Ledger
from toolkit.stats import CurveBand
from toolkit.widgets.curves import chooser, curves_html
from toolkit.widgets.page import grid, text

_CURVES = (
    "Mean score of {span}, with {level:g} % intervals over runs, each for its task alone; numbers: "
    "tk.learning_curves. A point leads to the tasks at its place in the runs."
)


@dataclass(frozen=True)
class Evidence:
    """A study so far.

    Parameters
    ----------
    streams
        What its streams are called.
    comparison
        Each arm against the baseline; None where that cannot be told yet.
    why_not
        In words, where it cannot.
    bands, window
        Per arm its curve, and how many tasks each point looks back on; None = all so far.
    floors
        Arms that use no model.
    """

    streams: tuple[str, ...]
    comparison: Comparison | None
    why_not: str
    bands: Mapping[str, CurveBand]
    window: int | None
    floors: frozenset[str]

    @property
    def last(self) -> int:
        """The last place of a run that any curve reaches; -1 = none."""
        return max((len(band.t) for band in self.bands.values()), default=0) - 1

    def html(self, guided: bool) -> str:
        """Table, contrasts and curves; ``guided`` = with points that are buttons."""
        found = self.comparison
        if found is None:
            return f"<p>{text(self.why_not)}</p>"
        head, body = found.table()
        table = grid(head, [[text(cell) for cell in line] for line in body])
        each = "".join(
            f'<details data-key="contrast {text(arm)}"><summary>{text(f"{arm} − {found.baseline}")}</summary>'
            f"<pre>{text(found.contrast(arm))}</pre></details>"
            for arm in found.gaps
        )
        notes = "".join(f"<p><small>{text(note)}</small></p>" for note in found.notes)
        return f"{table}{each}{self._drawn(found, guided)}{notes}"

    def _drawn(self, found: Comparison, guided: bool) -> str:
        looks = figures.looks(found.rows, found.baseline, self.floors)
        drawn = curves_html(self.bands, looks, (self.window or 1) - 1, guided)
        if not drawn:
            return ""
        span = f"the last {self.window} tasks" if self.window else "all tasks so far"
        told = _CURVES.format(span=span, level=100 * next(iter(self.bands.values())).level)
        return f"{drawn}{chooser(self.last, None) if guided else ''}<p><small>{text(told)}</small></p>"


def evidence(ledger: Ledger, study: str, stream: str = "") -> Evidence:
    """What a study has shown so far, on one of its streams or on all.

    Raises
    ------
    LedgerError
        If there is no such study or stream.
    """
    planned = plan(ledger, study)
    tasks = lengths(planned)
    only(planned, stream)  # says which there are
    comparison, why_not = None, ""
    try:
        comparison = compare(study, stream=stream, ledger=ledger)
    except LedgerError as error:  # it has begun, but nothing, or not the baseline, is recorded
        why_not = str(error)
    window = figures.window_for(tasks[stream] if stream else min(tasks.values()))
    bands = learning_curves(study, ledger=ledger, window=window, stream=stream)
    rows = ledger.sql("SELECT DISTINCT arm FROM runs WHERE study = $1 AND NOT uses_model ORDER BY arm", study)
    return Evidence(tuple(tasks), comparison, why_not, bands, window, frozenset(map(str, rows.arm)))
