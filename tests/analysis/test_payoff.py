"""What arms gain for what they cost, through whole studies: sums, words, a reason for each missing number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish

from toolkit.agents.arm import Arm, floors
from toolkit.analysis import Payoff, PayoffRow, payoff
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.lm.scripted import Scripted
from toolkit.stats import Estimate, two_way
from toolkit.traits.learning import FixedExamples
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


class Priced(Scripted):
    """Plays a known skill for a price."""

    dollars_in, dollars_out = 100.0, 400.0


class Unpriced(Scripted):
    """Its price is not known."""

    dollars_in, dollars_out = math.nan, math.nan


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Study:
    arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("few", learning=FixedExamples(3)), *floors()]
    folder, lm = tmp_path_factory.mktemp("paid") / "ledger", Priced(p=0.2, p_example=0.9)
    return finish(Study("paid", Errands(), arms=arms, lm=lm, seeds=6, ledger=folder))


def test_ratios_are_all_gained_over_all_spent(paid: Study) -> None:
    found = payoff(paid)
    sums = paid.ledger.sql(
        "SELECT arm, sum(score) AS score, sum(acting_input_tokens + acting_output_tokens) AS tokens, "
        "sum(acting_dollars) AS dollars, sum(labels) AS labels FROM episodes GROUP BY arm"
    ).set_index("arm")
    extra = sums.loc["memory"] - sums.loc["static"]
    row = found.row("memory")
    assert row.per_1k_tokens is not None
    assert row.per_dollar is not None
    assert row.per_label is not None
    assert row.per_1k_tokens.value == pytest.approx(1000 * extra.score / extra.tokens)
    assert row.per_dollar.value == pytest.approx(extra.score / extra.dollars)
    assert row.per_label.value == pytest.approx(extra.score / extra.labels)
    assert 0 < row.per_1k_tokens.low < row.per_1k_tokens.value < row.per_1k_tokens.high
    assert row.verdict == "scores higher for more dollars"


def test_labels_given_beforehand_count(paid: Study) -> None:
    row = payoff(paid).row("few")
    assert row.labels == 3
    gain, cost = row.gain, row.per_label
    assert gain is not None
    assert cost is not None
    assert cost.value == pytest.approx(gain.value * 24 / 3)


def test_who_knows_the_answers_is_no_rival(paid: Study) -> None:
    found = payoff(paid)
    on = {row.arm for row in found.rows if row.on_front_tokens}
    assert "truth" not in on
    assert "nearest" in on, "which scores as much without any token"
    assert found.row("truth").verdict == "dominates: scores higher for fewer dollars"
    assert "Not on any front: truth, told the right answers." in str(found)


def test_what_costs_less_has_no_gain_for_more(paid: Study) -> None:
    found = payoff(paid)
    truth, random = found.row("truth").per_1k_tokens, found.row("random").per_1k_tokens
    assert truth is not None
    assert random is not None
    assert math.isnan(truth.value)
    assert truth.reason == "it costs less: there is no gain for more"
    assert math.isnan(random.low)
    assert "it costs less" in random.reason


def test_breaking_even_needs_a_value(paid: Study) -> None:
    assert payoff(paid).row("memory").break_even is None
    assert "breaks even" not in str(payoff(paid))
    dear, cheap = (payoff(paid, value=value).row("memory").break_even for value in (1.0, 1e-6))
    assert dear is not None
    assert cheap is not None
    assert (dear.runs, dear.reached) == (6, 6)
    assert 1 <= dear.low <= dear.median <= dear.high <= 24
    assert cheap.reached == 0
    assert cheap.reason == "6 of 6 runs have not broken even by their last task"
    with pytest.raises(ValueError, match="value must be above 0 dollars, not 0"):
        payoff(paid, value=0)


@pytest.mark.parametrize(("lm", "why"), [(Scripted(), "every call cost 0 dollars"), (Unpriced(), "is not known")])
def test_without_prices_there_is_a_reason(study: Make, lm: Scripted, why: str) -> None:
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval(k=2)), lm=lm, seeds=3))
    found = payoff(made, value=1.0)
    row = found.row("memory")
    assert row.per_dollar is not None
    assert row.break_even is not None
    assert math.isnan(row.per_dollar.value)
    assert why in row.per_dollar.reason
    assert why in row.break_even.reason
    assert not any(one.on_front_dollars for one in found.rows)
    assert "tokens" in row.verdict
    assert str(found).count(why) == 1


def test_a_baseline_that_did_not_run_is_refused(paid: Study) -> None:
    with pytest.raises(LedgerError, match="the baseline 'nobody' has no episodes"):
        payoff(paid, baseline="nobody")
    with pytest.raises(KeyError, match="no arm is called 'memry'"):
        payoff(paid).row("memry")


def estimate(low: float, high: float) -> Estimate:
    start = two_way([0, 1, 1, 1], [0, 0, 1, 1], ["a", "b", "a", "b"])
    return replace(start, value=(low + high) / 2, low=low, high=high)


UP, DOWN, UNCLEAR = estimate(1, 2), estimate(-2, -1), estimate(-1, 1)
NO_PRICE = replace(UNCLEAR, value=math.nan, low=math.nan, high=math.nan)


@pytest.mark.parametrize(
    ("gain", "tokens", "dollars", "words"),
    [
        (UP, UP, DOWN, "dominates: scores higher for fewer dollars"),
        (DOWN, DOWN, UP, "dominated: scores lower for more dollars"),
        (UP, DOWN, NO_PRICE, "dominates: scores higher for fewer tokens"),
        (DOWN, DOWN, NO_PRICE, "scores lower for fewer tokens"),
        (UNCLEAR, UP, NO_PRICE, "no difference in score shown for more tokens"),
        (UP, UNCLEAR, NO_PRICE, "scores higher, no difference in tokens shown"),
    ],
)
def test_words_go_as_far_as_intervals(gain: Estimate, tokens: Estimate, dollars: Estimate, words: str) -> None:
    row = PayoffRow("a", 0, 0, 0, 0, False, False, gain=gain, extra_tokens=tokens, extra_dollars=dollars)
    assert row.verdict == words


def test_the_report_draws_when_an_arm_has_paid_if_it_is_told_what_an_answer_is_worth(paid: Study) -> None:
    import pandas as pd

    folder = paid.folder / "figures"
    html = paid.report(value=0.01).read_text(encoding="utf-8")
    assert all((folder / f"worth.{form}").exists() for form in ("svg", "pdf", "csv"))
    data = pd.read_csv(folder / "worth.csv").set_index(["arm", "tasks"])
    found = payoff(paid, value=0.01)
    row = found.row("memory")
    assert row.break_even is not None
    assert row.gain is not None
    assert row.extra_dollars is not None
    last = data.loc["memory"].iloc[-1]
    assert last["mean"] == pytest.approx(24 * (0.01 * row.gain.value - row.extra_dollars.value))
    assert last.low < last["mean"] < last.high
    assert f"memory: from {row.break_even.median:g}" in (folder / "worth.svg").read_text(encoding="utf-8")
    assert "Figure 4. Dollars ahead of static so far" in html
    assert "worth.svg" not in paid.report().read_text(encoding="utf-8")
    assert not (folder / "worth.svg").exists()
    assert not (folder / "worth.csv").exists()


def test_a_missing_pair_adds_nothing_to_what_was_brought_so_far(paid: Study) -> None:
    from toolkit.analysis.cost import _Paired

    frame = paid.ledger.sql("SELECT 1 AS n")
    frame = frame.loc[frame.index.repeat(6)].assign(
        stream="s", order="o", seed=[0, 0, 0, 1, 1, 1], t=[0, 1, 2] * 2, gain=[1, math.nan, 1, 0, 1, math.nan],
        extra_dollars=[1.0] * 6, dollars=1.0,
    )  # fmt: skip
    even, net = _Paired(frame, "static", 0.95, 3.0)._even(frame, "")
    assert even is not None
    assert net is not None
    assert (even.tasks, net.mean.tolist(), net.n_runs.tolist()) == ((1.0, 2.0), [0.5, 1.5, 4.0], [2, 2, 1])


def test_it_prints_as_table_page_frame_and_latex(paid: Study) -> None:
    found = payoff(paid, value=0.01)
    assert isinstance(found, Payoff)
    assert len(found.frame) == len(found.rows)
    assert found.frame.set_index("arm").loc["memory", "per_dollar_low"] > 0
    assert ">labels/run</th>" in found._repr_html_()
    tex = found.to_latex()
    assert tex.count(r"\\") == len(found.rows) + 1
    assert len(set(re.findall(r"(?<!\\)&", tex))) == 1
    assert "Fieller" in tex
    assert r"\$/1k tasks" in tex
