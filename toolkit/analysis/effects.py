"""What each trait is worth, from what a study's arms recorded: effects of the policies that ran, never of a word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.analysis import cells as design
from toolkit.analysis.cells import Cells, Table
from toolkit.analysis.doubts import FEW_RUNS, notes
from toolkit.analysis.recorded import OWN, found, plan, runs_of, unit_of
from toolkit.analysis.worth import TraitEffect, TraitEffects
from toolkit.component import read_toml
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only, planned_tasks, scores
from toolkit.ledger.rows import Row
from toolkit.ledger.store import Ledger
from toolkit.stats import Effect, Effects, Estimate, holm, shapley
from toolkit.stats import main_effects as effects_of
from toolkit.stats.factorial import BY

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.evaluation.study import Study


def main_effects(
    study: Study | str, *, metric: str = "", stream: str = "", level: float = 0.95, ledger: Ledger | None = None
) -> TraitEffects:
    """What each trait of a study's arms is worth: main effects and interactions, or what its arms allow to be told.

    The arms that cross one set of policies are found among all of them; shams, floors, repeats and rivals are left out
    and named. Scores are paired by stream, order, seed and task: a pair counts if every cell has a score of it.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    metric
        Another than the main one: recorded beside it, or computed later (`toolkit rescore`).
    stream
        Only this one of several streams; else all are pooled.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    TraitEffects
        Of a full or half factorial: each trait's mean score where it is on less that where it is off; of an
        interaction **half** the difference of differences; the same of the log odds of cell means; and for a full one
        Shapley shares. Where there is no factorial, each trait's difference beside the most (an ablation) and the
        fewest others that the arms allow. Estimates are NaN with a reason where a stream cannot reward a trait (see
        `toolkit.Stream`), or where data are too few.

    Raises
    ------
    LedgerError
        If there is no such study, metric or stream, or nothing has been recorded yet.

    See Also
    --------
    toolkit.stats.main_effects : the estimator, with formulas and references.
    """
    name, ledger = found(study, ledger)
    planned = only(plan(ledger, name), stream)
    frame, computed = scores(ledger, name, planned, metric)
    if frame.empty:
        raise LedgerError(f"study {name!r} has no episodes yet: run it first")
    arms = [arm for arm in read_toml(ledger.find(name) / "study.toml")["arms"] if arm["name"] in planned["arms"]]
    runs = ledger.sql(
        f"SELECT * FROM runs WHERE {OWN} ORDER BY arm, seed", [run["id"] for run in planned["runs"]], name
    )
    cells = design.factorial_cells(arms)
    rows, told, size = _factorial(frame, cells, level) if cells else _pairwise(frame, arms, level)
    common = [*computed, *_common(planned, runs, arms, cells, size), *notes(planned, runs, level)]
    return TraitEffects(name, _corrected([_rewarded(row, planned) for row in rows]), level, (*told, *common))


def _factorial(frame: pd.DataFrame, cells: Cells, level: float) -> tuple[list[TraitEffect], list[str], int]:
    """Rows, notes, and how many pairs they rest on."""
    effects = _effects(frame, cells.factors, cells.levels, level)
    shares, why = _shares(effects, cells)
    rows = [_row(row, cells, shares) for row in effects.rows]
    size = f"{'half fraction' if cells.kind == 'half' else 'full factorial'} of {len(cells.levels)} arms"
    told = [
        f"Design: {size}, {' x '.join(cells.factors)}. A main effect is the mean score with the policy less that "
        "without it, over the other traits being on and off; an interaction is half the difference of differences.",
        "Log odds: the same contrasts of the odds of cell means; an interaction in scores that is none in log odds may "
        "be the work of a ceiling.",
        why,
    ]
    return rows, told, effects.pairs


def _row(row: Effect, cells: Cells, shares: Mapping[str, float]) -> TraitEffect:
    traits = tuple(row.name.split(BY))
    named = [design.told(cells.policies[trait]) for trait in traits]
    estimand = "main effect" if len(traits) == 1 else "interaction"
    return TraitEffect(
        effect=BY.join(named) if len(named) == 1 else BY.join(name.partition("(")[0] for name in named),
        trait=row.name,
        estimand=estimand,
        estimate=row.estimate,
        log_odds=row.log_odds,
        share=shares.get(row.name, math.nan),
        alias=row.alias,
    )


def _shares(effects: Effects, cells: Cells) -> tuple[dict[str, float], str]:
    """Each trait's share of what all of them gain together, and a note on it."""
    if cells.kind == "half":
        return {}, "Shapley shares are refused on a half fraction: they rest on the mean of every cell; run the others."
    if not np.isfinite(effects.means).all():
        return {}, "Shapley shares are n/a: some cell has no complete pair."
    gain = float(effects.means.flat[-1] - effects.means.flat[0])
    shares = dict(zip(cells.factors, map(float, shapley(effects.means)), strict=True))
    return shares, (
        f"Shares (Shapley) split the gain of all traits over none, {gain:+.3f}: a description without an interval."
    )


def _pairwise(frame: pd.DataFrame, arms: Sequence[Table], level: float) -> tuple[list[TraitEffect], list[str], int]:
    """One row for each pair of arms that differ in one trait."""
    rows, size = list[TraitEffect](), 0
    for pair in design.pairs(arms):
        effects = _effects(frame, (pair.trait,), {pair.with_it: (1,), pair.without: (-1,)}, level)
        [row], size = effects.rows, max(size, effects.pairs)
        rows.append(
            TraitEffect(
                effect=design.told(pair.policy),
                trait=pair.trait,
                estimand=f"beside {', '.join(pair.beside)}" if pair.beside else "alone",
                estimate=row.estimate,
                log_odds=row.log_odds,
                arms=(pair.with_it, pair.without),
            )
        )
    told = [
        "No factorial among the arms, so no main effects, interactions and shares: each row is one arm less another "
        "that lacks this one policy, beside what it says. tk.factorial(arm) makes a design that tells more."
    ]
    if not rows:
        told = ["No two arms differ in one trait alone: nothing can be told of any. See Arm.ablations, tk.factorial."]
    return rows, told, size


def _effects(
    frame: pd.DataFrame, factors: Sequence[str], levels: Mapping[str, tuple[int, ...]], level: float
) -> Effects:
    own = frame[frame.arm.isin(list(levels))]
    run = np.array(runs_of(own), dtype=object)
    signs = np.array([levels[arm] for arm in own.arm], dtype=float).reshape(len(own), len(factors))
    unit = unit_of(own)
    task, cluster = own.task.to_numpy(dtype=object), own.unit.to_numpy(dtype=object)
    return effects_of(own.score, run, task, signs, factors=factors, cluster=cluster, level=level, unit=unit)


def _rewarded(row: TraitEffect, planned: Row) -> TraitEffect:
    """n/a where no stream can reward a trait of the effect: what is then measured is chance, or a distraction."""
    known = [told for told in _streams(planned) if "rewards" in told]
    cannot = [trait for trait in row.trait.split(BY) if known and all(trait not in one["rewards"] for one in known)]
    if not cannot:
        return row
    names = ", ".join(one["label"] for one in known)
    reason = f"{names} cannot reward {' and '.join(cannot)}: take a stream that can"
    return replace(
        row, estimate=_nothing(row.estimate, reason), log_odds=_nothing(row.log_odds, reason), share=math.nan
    )


def _nothing(estimate: Estimate, reason: str) -> Estimate:
    none = math.nan
    return replace(estimate, value=none, low=none, high=none, p_value=none, df=none, reason=reason)


def _streams(planned: Row) -> list[Row]:
    """The rows of the streams that a plan's runs go over."""
    used = {run.get("stream", planned["stream"]) for run in planned["runs"]}
    return [told for told in planned.get("streams", ()) if told["label"] in used]


def _corrected(rows: Sequence[TraitEffect]) -> tuple[TraitEffect, ...]:
    adjusted = holm([row.estimate.p_value for row in rows]) if rows else ()
    return tuple(replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True))


def _common(planned: Row, runs: pd.DataFrame, arms: Sequence[Table], cells: Cells | None, size: int) -> Iterator[str]:
    """What is to be said of any design."""
    if cells:
        wanted = max((planned_tasks(planned, arm) for arm in cells.levels), default=0)
        yield f"{size} of {wanted} pairs of run and task have a score in every cell; the others are used nowhere."
        if others := list(design.left_out(arms, cells)):
            yield f"No cells of it: {', '.join(others)}."
    seeds = runs.groupby(["stream", "order"]).seed.nunique().sum()
    if seeds < FEW_RUNS:
        yield f"Only {seeds} runs an arm: intervals are wide, and hang on few orders."
    for one in _streams(planned):
        lacks = [trait for trait in design.TRAITS if trait not in one.get("rewards", design.TRAITS)]
        if lacks and any(trait in arm for arm in arms for trait in lacks):
            yield f"{one['label']} cannot reward {' or '.join(lacks)}."
    yield "p (Holm) is corrected over the rows of this table; intervals are for one row at a time."
