"""Tables of initiative: numbers worked out by hand, pairs, what is left out and why, text, HTML and LaTeX."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from acting import came, drawn, episodes

import toolkit as tk
from toolkit.analysis.measures import MEASURES

ARMS = {"static": (0.0, 0.0, 0.0), "polled": (0.9, 0.6, 0.2), "agenda": (0.7, 0.2, 0.7)}


@pytest.fixture(scope="module")
def found() -> tk.Initiative:
    return tk.initiative(drawn(ARMS))


def test_every_measure_is_what_its_counts_make_of_it() -> None:
    one = came(
        reached=1.0, steps=6, best_steps=4, prompts=3, interruptions=5, invalid=2, unauthorised=1,
        hits=2, false_alarms=1, misses=0, silences=1, lead=6.0, questions=3, useful=2, found=1, blockers=2,
    )  # fmt: skip
    two = came(
        reached=0.5, steps=9, best_steps=4, prompts=3, interruptions=1, hits=1, false_alarms=2, misses=2, silences=1,
        lead=1.0, questions=1, useful=0, found=0, blockers=1,
    )  # fmt: skip
    rows = [("agent", seed, task, what) for seed in (1, 2) for task, what in (("a", one), ("b", two))]
    table = tk.initiative(episodes(rows))
    values = {measure.name: table.row(measure.name, "agent").estimate.value for measure in MEASURES}
    assert values == pytest.approx(
        {
            "goals": 0.75,
            "steps": 6 / 4,  # of the episode that reached its goals
            "prompts": 6 / 1.5,
            "precision": 3 / 6,
            "recall": 3 / 5,
            "f1": 6 / 11,
            "false_alarms": 3 / 6,
            "false_positives": 3 / 5,
            "interruptions": 60.0,
            "lead": 7 / 3,
            "question_precision": 2 / 4,
            "blocker_recall": 1 / 3,
            "ask_f1": 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3),
            "questions": 4 / 3,
            "unauthorised": 0.5,
            "invalid": 1.0,
        }
    )
    assert [table.row(f"pass^{k}", "agent").estimate.value for k in (1, 2)] == [0.5, 0.5]


def test_differences_are_those_of_pairs_and_the_baseline_has_none(found: tk.Initiative) -> None:
    assert found.baseline == "static"
    for row in found.rows:
        if row.arm == "static":
            assert row.difference is None
            continue
        base, gap = found.row(row.measure, "static").estimate.value, row.difference
        assert gap is not None
        assert gap.value == pytest.approx(row.estimate.value - base, nan_ok=True)
    gap = found.row("f1", "agenda").difference
    assert gap is not None
    assert gap.low > 0
    assert found.row("precision", "agenda").difference.reason == "no offer was made"  # type: ignore[union-attr]


def test_a_pair_that_misses_one_is_left_out_of_the_difference_and_told_of() -> None:
    frame = drawn(ARMS)
    place = frame[(frame.arm == "agenda") & (frame.seed == 2)].index[0]
    frame.at[place, "outcome"] = None
    table = tk.initiative(frame)
    assert table.row("goals", "agenda").estimate.n == 47
    assert table.row("goals", "agenda").difference.n == 47  # type: ignore[union-attr]
    assert table.row("goals", "polled").difference.n == 48  # type: ignore[union-attr]
    assert "1 episodes have no outcome and are left out." in table.notes
    task = frame.task[place]
    kept = frame[~((frame.arm == "static") & (frame.task == task) & (frame.seed == 2))]
    again = tk.initiative(kept)
    assert again.row("f1", "agenda").difference == table.row("f1", "agenda").difference


def test_a_stream_without_ticks_and_questions_has_no_such_rows_and_says_so() -> None:
    rows = [(arm, seed, str(task), came(reached=float((task + seed) % 2), steps=3)) for arm in ("a", "b")
            for seed in range(3) for task in range(5)]  # fmt: skip
    table = tk.initiative(episodes(rows))
    shown = {row.measure for row in table.shown}
    assert shown == {"goals", "prompts", "unauthorised", "invalid", "pass^1", "pass^2"}
    assert "offer precision" not in [cells[0] for cells in table.table()[1]]
    assert any(
        note.startswith("n/a for every arm, and left out: steps per step of the oracle,") for note in table.notes
    )
    assert set(table.frame.reason[table.frame.measure == "precision"]) == {"no offer was made"}
    with pytest.raises(tk.ToolkitError, match="utility needs ticks"):
        tk.utility(episodes(rows))


def test_it_shows_as_text_html_and_latex(found: tk.Initiative) -> None:
    assert "offer F1" in str(found)
    assert found._repr_html_().count("<tr>") == len(found.shown) + 1
    latex = found.to_latex()
    assert r"\label{tab:frame-initiative}" in latex
    assert r"pass\textasciicircum{}2" in latex
    assert len(found.frame) == len(found.rows) == 3 * (len(MEASURES) + 3)


def test_wrong_names_are_told() -> None:
    frame = drawn(ARMS, seeds=2, tasks=3)
    table = tk.initiative(frame)
    with pytest.raises(KeyError, match="no measure is called 'askf1'"):
        table.row("askf1", "agenda")
    with pytest.raises(KeyError, match="no arm is called 'agend'"):
        table.row("ask_f1", "agend")
    with pytest.raises(tk.ToolkitError, match="no arm 'polle' has an outcome"):
        tk.initiative(frame, baseline="polle")
    with pytest.raises(tk.SpecError, match="seed is missing"):
        tk.initiative(frame.drop(columns="seed"))
    with pytest.raises(tk.ToolkitError, match="no outcome of a world"):
        tk.initiative(frame.assign(outcome=pd.NA))


def test_sessions_are_clusters_where_there_are_any() -> None:
    frame = drawn(ARMS)
    frame["session"] = "s" + (frame.task.astype(int) // 3).astype(str)
    one = tk.initiative(frame).row("goals", "agenda").estimate
    assert one.clusters == 4
    assert "sessions" in one.target


@pytest.mark.parametrize(("missed", "factor"), [(0.0, 1.0), (0.5, 1.5)])
def test_over_silence_it_pays_below_hits_by_false_alarms(missed: float, factor: float) -> None:
    table = tk.utility(drawn(ARMS), missed=missed, costs=[0.0, 1.0])
    row = table.row("agenda")
    assert row.even.value == pytest.approx(factor * row.hits / row.false_alarms)
    assert row.pays == f"below {row.even.value:.3g}"
    events = row.hits + row.false_alarms + row.misses + row.silences
    assert row.worth[1].value == pytest.approx(100 * (row.hits - row.false_alarms - missed * row.misses) / events)
    assert row.gain[0].value == pytest.approx(100 * (1 + missed) * row.hits / events)
    silent = table.row("static")
    assert silent.pays == "n/a"
    assert silent.even.reason == "as many false alarms as the rival, and as much gained"


def test_over_a_rival_that_acts_more_it_pays_above_a_cost_and_the_other_way_round() -> None:
    frame = drawn(ARMS)
    less, more = tk.utility(frame, over="polled"), tk.utility(frame, over="agenda")
    assert [row.arm for row in less.rows] == ["static", "agenda"]
    own, other = less.row("agenda"), more.row("polled")
    assert own.pays == f"above {own.even.value:.3g}"
    assert other.pays == f"below {own.even.value:.3g}"
    assert (own.even.value, own.even.low, own.even.high) == pytest.approx(
        (other.even.value, other.even.low, other.even.high)
    )
    at = own.even.value
    meet = tk.utility(frame, over="polled", costs=[at]).row("agenda").gain[0]
    assert meet.value == pytest.approx(0, abs=1e-9)


def test_the_sweep_has_a_row_for_each_arm_and_cost_and_shows_a_few() -> None:
    table = tk.utility(drawn(ARMS))
    assert len(table.frame) == 3 * 31
    assert [name for name in table.table()[0] if name.startswith("at")] == ["at c/b 0.5", "at c/b 1", "at c/b 2"]
    own = table.frame[table.frame.arm == "agenda"]
    assert own.utility.is_monotonic_decreasing
    assert (own.low < own.utility).all()
    assert r"\label{tab:frame-utility}" in table.to_latex()
    assert [name for name in tk.utility(drawn(ARMS), costs=[7.0]).table()[0] if name.startswith("at")] == ["at c/b 7"]
    with pytest.raises(ValueError, match="at least one cost"):
        tk.utility(drawn(ARMS), costs=[])


def test_arms_that_never_raise_a_false_alarm_pay_at_every_cost() -> None:
    row = tk.utility(drawn({"static": (0, 0, 0), "careful": (0.8, 0, 0)}), costs=[1.0]).row("careful")
    assert math.isnan(row.even.value)
    assert row.even.reason == "as many false alarms as the rival, and more gained: it pays at every cost"
