"""How often the arms of a study break the rules of a role: the rules are those that the study itself was run with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from toolkit.analysis.recorded import OWN, plan
from toolkit.analysis.violations import Options, Violations, violations
from toolkit.errors import SpecError, nearest
from toolkit.evaluation.design import labels
from toolkit.ledger.log import LedgerError
from toolkit.ledger.planned import only
from toolkit.traits.role import Role

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study
    from toolkit.ledger.store import Ledger
    from toolkit.traits.rules import Rule

_QUERY = (
    'SELECT arm, stream, "order", seed, t, task, session, inputs, answer, outcome, moves FROM episodes '
    f"WHERE {OWN} AND phase = 'stream' ORDER BY arm, stream, \"order\", seed, t"
)


class NoRules(SpecError):
    """No role has a rule that a program can check."""


def rule_violations(
    study: Study | str,
    *,
    role: str = "",
    rules: Sequence[Rule] = (),
    baseline: str = "",
    turns: Sequence[int] = (10, 25, 50),
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Violations:
    """How often each arm breaks a role's rules, rule by rule and by turns: does it still keep them at turn 50?

    Every rule is checked on what every arm said, from the ledger: also on arms that were never told of it, whose rate
    is what the role's must be held against.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    role
        The arm whose rules are checked; empty = the first that has any a program can check.
    rules
        In their place, others, which no arm need have been told.
    baseline
        The arm without the role; empty = the study's baseline.
    turns
        The last turns of the parts that are told apart. In a world, turns of the episode; else, which answer of its
        session it is, or of the run where there are no sessions.
    stream
        Only this one of several streams.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Violations
        Rates with intervals over runs crossed with sessions (or tasks). NaN with a reason where a rule never applied;
        without an interval where it was always, or never, kept.

    Raises
    ------
    LedgerError
        If there is no such study or stream, or the baseline has no episodes.
    SpecError
        If there is no such arm, or no rule to check (`NoRules`).

    See Also
    --------
    toolkit.stats.pooled : the formula and its sources.
    """
    if isinstance(study, str):
        from toolkit.evaluation.study import Study as Opened

        study = Opened.open(study, ledger=ledger)
    checked = tuple(rules) or _rules(study, role)
    planned = only(plan(study.ledger, study.name), stream)
    rows = study.ledger.sql(_QUERY, [run["id"] for run in planned["runs"]], study.name)
    if rows.empty:
        raise LedgerError(f"study {study.name!r} has no episodes yet: run it first")
    base = baseline or str(planned["baseline"])
    arms = list(planned["arms"])
    return violations(study.name, rows, checked, _options(study), arms=arms, baseline=base, turns=turns, level=level)


def _rules(study: Study, role: str) -> tuple[Rule, ...]:
    """The rules of an arm's role that a program can check."""
    held = {arm.name: arm.role.checked if isinstance(arm.role, Role) else () for arm in study.arms}
    if role and role not in held:
        raise SpecError([f"study {study.name!r} has no arm {role!r}; {nearest(role, list(held))}"])
    found = held[role] if role else next((own for own in held.values() if own), ())
    if not found:
        whose = f"the role of arm {role!r}" if role else f"no role of study {study.name!r}"
        told = "has none that a program can check" if role else "has a rule that a program can check"
        raise NoRules([f"{whose} {told}: make some of toolkit.traits.rules, or give them as rules="])
    return found


def _options(study: Study) -> Options:
    pairs = zip(labels(study.streams), study.streams, strict=True)
    return {(label, task.id): task.options for label, one in pairs for task, _ in one.pairs() if task.options}
