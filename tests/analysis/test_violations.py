"""Rules checked on recorded turns: rates by turn are found where they were planted, and intervals know of clusters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from errands import finish
from halls import Nights

import toolkit as tk
from toolkit.analysis.violations import Violations, violations
from toolkit.moves import Move
from toolkit.traits.rules import AtMostTimes, MustNotSay, SilentUnless

RULE = MustNotSay("Never shout.", "!")
RATES = {"clerk": (0.05, 0.1, 0.4), "static": (0.4, 0.4, 0.4)}
"""How often each shouts in turns 1 to 10, 11 to 25 and after; each episode has a mood of its own."""


def episode(arm: str, seed: int, task: int, rng: np.random.Generator, turns: int = 40) -> dict[str, object]:
    """One with a move a turn, as the ledger has them."""
    mood = rng.normal(0, 0.5)
    edges = np.searchsorted([10, 25], np.arange(1, turns + 1), side="left")
    odds = np.log([rate / (1 - rate) for rate in RATES[arm]])[edges] + mood
    shouts = rng.random(turns) < 1 / (1 + np.exp(-odds))
    moves = [vars_of(Move("result", "", "yes!" if shout else "yes")) for shout in shouts]
    told = {"stream": "s", "order": "given", "session": "", "inputs": {}, "answer": "", "outcome": {"ended": "done"}}
    return {"arm": arm, "seed": seed, "t": task, "task": f"t{task}", "moves": moves, **told}


def vars_of(move: Move) -> dict[str, object]:
    return {name: getattr(move, name) for name in move.__dataclass_fields__}


def drawn(rng: np.random.Generator, seeds: int = 5, tasks: int = 8) -> Violations:
    rows = [episode(arm, seed, task, rng) for arm in RATES for seed in range(seeds) for task in range(tasks)]
    return violations("s", pd.DataFrame(rows), [RULE], {}, arms=list(RATES), baseline="static", turns=(10, 25))


def truth(rate: float) -> float:
    """The mean over moods."""
    moods = np.random.default_rng(9).normal(0, 0.5, 200_000)
    return float((1 / (1 + np.exp(-(math.log(rate / (1 - rate)) + moods)))).mean())


def covered(studies: int, seed: int) -> tuple[float, float]:
    """Shares of intervals that hold the planted rate late on, and its planted zero difference."""
    rng, right = np.random.default_rng(seed), truth(0.4)
    late = [drawn(rng).row("clerk", turns="26-") for _ in range(studies)]
    held = [row.estimate.low <= right <= row.estimate.high for row in late]
    null = [row.difference.low <= 0 <= row.difference.high for row in late if row.difference is not None]
    return float(np.mean(held)), float(np.mean(null))


def test_rules_that_are_kept_early_and_forgotten_later_are_found_so() -> None:
    found = drawn(np.random.default_rng(81))
    early, late = found.row("clerk", turns="1-10"), found.row("clerk", turns="26-")
    assert early.difference is not None
    assert early.difference.high < 0
    assert early.estimate.low <= truth(0.05) <= early.estimate.high
    assert late.estimate.low > early.estimate.high
    assert late.applied == 5 * 8 * 15
    assert [row.turns for row in found.rows if row.arm == "clerk" and row.rule == RULE.text] == [
        "all", "1-10", "11-25", "26-",
    ]  # fmt: skip
    assert found.frame.query("rule == 'Never shout.' and turns == 'all' and arm == 'clerk'").applied.item() == 1600


def test_over_some_studies_rates_are_covered_and_a_null_is_none() -> None:
    held, null = covered(8, seed=82)
    assert held >= 0.75  # P(fewer than 6 of 8 at .95) = .006
    assert null >= 0.75


@pytest.mark.validate
def test_over_many_studies_rates_are_covered_and_a_null_is_none() -> None:
    held, null = covered(400, seed=83)
    assert 0.92 <= held <= 0.985
    assert 0.92 <= null <= 0.99


def test_turns_of_recorded_worlds_are_checked_for_every_arm(tmp_path: object) -> None:
    rules = [
        SilentUnless("Ring only for smoke.", "smoke"),
        AtMostTimes("Ask who is there once.", "who"),
        MustNotSay("Never wait.", "^wait$", when="smoke on floor"),
    ]
    watch, polled = tk.Role("Night watch", rules=rules), tk.Reactive(prompted="ticks")
    arms = [
        tk.Arm("silent", decider=tk.Wrapped(lambda task: "wait")),
        tk.Arm("truth", role=watch, decider=tk.GroundTruth(), goals=polled),
        tk.Arm("random", decider=tk.RandomChoice(), goals=polled),
    ]
    made = finish(tk.Study("nights", Nights(3), arms=arms, baseline="silent", seeds=2, ledger=tmp_path))
    found = tk.rule_violations(made)
    assert [found.row("truth", rule.text).broken for rule in rules] == [0, 0, 0]
    assert found.row("truth", rules[0].text).applied > 0
    assert found.row("silent", rules[1].text).applied == 0
    assert "never applied" in found.row("silent", rules[1].text).estimate.reason
    assert found.row("silent", rules[2].text).estimate.value == 1.0  # it is silent whatever comes
    assert found.row("silent", rules[2].text).estimate.reason.startswith("broken on all ")
    moves = [[move["action"] for move in one] for one in made.episodes().query("arm == 'random'").moves]
    asked = sum(max(0, sum(action == "who" for action in one) - 1) for one in moves)
    assert found.row("random", rules[1].text).broken == asked > 0
    assert found.row("truth", turns="26-50").applied == 0
    with pytest.raises(tk.ToolkitError, match="the role of arm 'random' has none"):
        tk.rule_violations(made, role="random")
    assert tk.rule_violations(made, rules=rules[1:2]).rows[0].rule == rules[1].text
    with pytest.raises(ValueError, match="ascending"):
        tk.rule_violations(made, turns=(10, 5))
