"""What looking early means for a comparison: whose share of the error its intervals have, and what ended the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.ledger.rows import Row
from toolkit.stats import split_alpha

if TYPE_CHECKING:
    import pandas as pd

EARLY = "early stop: "
"""How the reason of a run begins that a condition has ended; see `toolkit.evaluation.stopping`."""


def shared(planned: Row, level: float) -> float:
    """The level of the intervals at the end of a study: with looking, their half of what may go wrong."""
    return 1 - split_alpha(1 - level, 2)[1] if planned.get("stop_when") else level


def reasons(runs: pd.DataFrame) -> list[str]:
    """Why runs were ended early, each reason once."""
    ended = runs[(runs.status == "stopped") & runs.error.str.startswith(EARLY, na=False)]
    return sorted(set(ended.error))


def doubts(runs: pd.DataFrame) -> list[str]:
    """Of one arm's row: that its interval does not hold where the study was ended by what was seen."""
    conditions = sorted({reason.removeprefix(EARLY).split(": ")[0] for reason in reasons(runs)})
    return [f"{EARLY}{one}: the interval is for a planned end, see the notes" for one in conditions]


def notes(planned: Row, runs: pd.DataFrame, level: float) -> tuple[str, ...]:
    """Below a comparison: what was watched, what came of it, and at which level the intervals are.

    Parameters
    ----------
    level
        Of the intervals, as `shared` gives it.
    """
    told = planned.get("stop_when")
    if not told:
        return ()
    found = [reason[0].upper() + reason[1:] + "." for reason in reasons(runs)]
    if found:
        found.append("Where a condition has ended the study, only its confidence sequence holds, at any task.")
    if told["conditions"]:
        watched = ", ".join(told["conditions"])
        found.append(
            f"Looking early was planned ({watched}): confidence sequences at {100 * told['level']:g}%, so that the "
            f"intervals at the end have {100 * level:g}%. They bound the {told['estimand']}."
        )
    if told["removed"]:
        found.append(f"It was watched for {', '.join(told['removed'])} before, which was then removed.")
    if told["late"]:
        found.append(f"Decided on only after runs had begun, so that nothing is promised: {', '.join(told['late'])}.")
    if told["conditions"] and told["cannot"]:
        found.append(f"No condition could be met: {told['cannot']}.")
    return tuple(found)
