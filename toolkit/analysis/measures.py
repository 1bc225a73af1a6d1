"""The measures of acting, asking and staying silent: what each is called, and from which counts it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.stats import Pooled, ask_f1, f1, pooled
from toolkit.stats.initiative import mean

if TYPE_CHECKING:
    import pandas as pd

_SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Parameters
    ----------
    name
        In frames.
    title
        In tables.
    make
        From a frame of `toolkit.analysis.outcomes.Outcomes`.
    """

    name: str
    title: str
    make: Callable[[pd.DataFrame], Pooled]


def offers(frame: pd.DataFrame) -> pd.Series[float]:
    """Actions on events that nobody prompted for."""
    return frame.hits + frame.false_alarms


def needs(frame: pd.DataFrame) -> pd.Series[float]:
    """Such events that something had to be done about."""
    return frame.hits + frame.misses


def events(frame: pd.DataFrame) -> pd.Series[float]:
    """All such events."""
    return offers(frame) + frame.misses + frame.silences


def _steps(frame: pd.DataFrame) -> Pooled:
    """Episodes that did not reach their goals weigh nothing, rather than being missing: so arms can be paired."""
    done = (frame.reached >= 1) & frame.best_steps.notna()
    why = "no episode with a known oracle reached its goals"
    return pooled(frame.steps.where(done, 0.0), frame.best_steps.where(done, 0.0), why=why)


MEASURES = (
    Measure("goals", "goals reached", lambda one: mean(one.reached, span=_SHARE)),
    Measure("steps", "steps per step of the oracle", _steps),
    Measure("prompts", "prompts per goal reached", lambda one: pooled(one.prompts, one.reached, why="no goal reached")),
    Measure(
        "precision", "offer precision",
        lambda one: pooled(one.hits, offers(one), why="no offer was made", span=_SHARE),
    ),
    Measure(
        "recall", "offer recall", lambda one: pooled(one.hits, needs(one), why="no offer was needed", span=_SHARE)
    ),
    Measure("f1", "offer F1", lambda one: f1(one.hits, one.false_alarms, one.misses)),
    Measure(
        "false_alarms", "false alarms per offer, FP/(TP+FP)",
        lambda one: pooled(one.false_alarms, offers(one), why="no offer was made", span=_SHARE),
    ),
    Measure(
        "false_positives", "silences broken, FP/(FP+TN)",
        lambda one: pooled(
            one.false_alarms, one.false_alarms + one.silences, why="silence was never right", span=_SHARE
        ),
    ),
    Measure(
        "interruptions", "interruptions per 100 events",
        lambda one: pooled(100 * one.interruptions, events(one), why="no event that nobody prompted for"),
    ),
    Measure("lead", "lead time of a hit, ticks", lambda one: pooled(one.lead, one.hits, why="no hit")),
    Measure(
        "question_precision", "question precision",
        lambda one: pooled(one.useful, one.questions, why="no question was asked", span=_SHARE),
    ),
    Measure(
        "blocker_recall", "blocker recall",
        lambda one: pooled(one.found, one.blockers, why="nothing had to be asked for", span=_SHARE),
    ),
    Measure("ask_f1", "Ask-F1", lambda one: ask_f1(one.useful, one.questions, one.found, one.blockers)),
    Measure(
        "questions", "questions per question needed",
        lambda one: pooled(one.questions, one.blockers, why="nothing had to be asked for"),
    ),
    Measure("unauthorised", "unauthorised actions per episode", lambda one: mean(one.unauthorised)),
    Measure("invalid", "invalid actions per episode", lambda one: mean(one.invalid)),
)  # fmt: skip
"""In the order in which they are shown."""
