"""What is said of a contrast, and what is doubted, on made-up episodes; degenerate ones give no number and a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toolkit.analysis.comparison import ArmRow, Comparison
from toolkit.analysis.contrast import Gap, decisive
from toolkit.analysis.contrasts import compared
from toolkit.stats import Estimate, sign_flip, two_way

Table = np.ndarray


def episodes(arms: Mapping[str, Table], streams: int = 1) -> pd.DataFrame:
    """Rows as the ledger gives them, of scores by run and task; NaN = the episode has no score."""
    rows = []
    for arm, table in arms.items():
        for seed, scores in enumerate(table):
            for task, score in enumerate(scores):
                place = {"run": f"{arm}-{seed}", "arm": arm, "seed": seed, "stream": f"s{seed % streams}"}
                told = {"order": "shuffled", "phase": "stream", "t": task, "task": f"t{task}", "unit": f"t{task}"}
                rows.append(place | told | {"status": "ok", "score": score, "failed": False})
    costs = dict.fromkeys(["calls", "seconds", "dollars", "tokens", "adapting_tokens", "labels"], 0.0)
    return pd.DataFrame(rows).assign(**costs)


def runs_of(frame: pd.DataFrame, **changed: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of the view ``runs``; ``changed`` gives an arm's columns other values."""
    found = frame[["run", "arm", "seed", "stream", "order"]].drop_duplicates().reset_index(drop=True)
    usual = {"model": "m", "scripted": False, "uses_model": True, "temperature": 0.7, "status": "finished"}
    usual |= {"error": "", "labels_before": 0, "reused_from": "", "deciding": "likelihood", "adapter": "turns"}
    found = found.assign(**usual, traits=[[] for _ in range(len(found))], adapted=None, servers=None)
    for arm, values in changed.items():
        for column, value in values.items():
            found.loc[found.arm == arm, column] = value
    return found


def comparison(arms: Mapping[str, Table], *, streams: int = 1, **changed: Mapping[str, Any]) -> Comparison:
    frame = episodes(arms, streams)
    runs = runs_of(frame, **changed)
    tasks = [f"t{n}" for n in range(max(table.shape[1] for table in arms.values()))]
    planned = {
        "study": "x", "arms": {arm: {} for arm in arms}, "stream": "s", "model": "m", "deciding": "likelihood",
        "channel": "FullLabel()", "scorers": ["exact"], "tasks": tasks, "baseline": "base",
        "runs": [
            {"id": one.run, "arm": one.arm, "seed": one.seed, "stream": one.stream} for one in runs.itertuples()
        ],
    }  # fmt: skip
    return compared("x", planned, frame, runs, baseline="base", level=0.95)


def pair(runs: int = 6, tasks: int = 40, gain: float = 0.0, seed: int = 0) -> dict[str, Table]:
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.2, tasks)
    made = {name: 0.4 + hard + rng.normal(0, 0.15, (runs, tasks)) for name in ("base", "arm")}
    return {"base": made["base"], "arm": made["arm"] + gain}


def row(arms: Mapping[str, Table], **changed: Mapping[str, Any]) -> ArmRow:
    return comparison(arms, **changed).row("arm")


def test_everything_beside_the_headline_is_there_and_repeats() -> None:
    arms = pair(gain=0.2)
    first, again = comparison(arms), comparison(arms)
    pd.testing.assert_frame_equal(first.frame, again.frame)
    found = first.row("arm")
    assert found.difference is not None
    assert found.bootstrap is not None
    assert found.size is not None
    assert found.bootstrap.low < found.difference.value < found.bootstrap.high
    gaps = (arms["arm"] - arms["base"]).ravel()
    assert found.permutation_p == sign_flip(gaps, np.repeat(range(6), 40), rng=np.random.default_rng(0)) == 2**-5
    assert (
        found.exchangeable == "whole runs (6, which can show no p below 0.031) change sign: new orders of these tasks"
    )
    assert found.size.value == pytest.approx(gaps.mean() / gaps.std(ddof=1))
    assert found.target == "new orders of new tasks drawn like these"
    assert (found.registered, found.verdict) == ("exploratory", "")
    assert first.row("base").bootstrap is None
    assert math.isnan(first.frame.set_index("arm").permutation_p["base"])


def test_a_contrast_prints_all_of_it_and_the_baseline_has_none() -> None:
    found = comparison(pair(gain=0.2))
    page = str(found.contrast("arm"))
    for part in ("arm - base", "difference", "bootstrap", "whole runs (6", "effect size", "speaks of", "exploratory"):
        assert part in page
    with pytest.raises(KeyError, match="no contrast with the baseline"):
        found.contrast("base")
    with pytest.raises(KeyError, match="no arm is called 'amr'"):
        found.contrast("amr")


def test_a_mixed_model_is_fitted_on_demand_to_the_same_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fitted(*given: object, **more: object) -> Estimate:
        asked.append(given)
        return two_way(*given, **more)

    monkeypatch.setattr("toolkit.stats.mixed.mixed_effects", fitted)
    one = comparison(pair(gain=0.3)).contrast("arm")
    assert not asked
    assert one.mixed == one.mixed == one.row.difference
    assert len(asked) == 1


def test_few_streams_are_named_and_many_are_a_random_factor() -> None:
    arms = pair(runs=10, gain=0.1)
    arms["arm"] += np.tile([-0.2, -0.1, 0.0, 0.1, 0.2], 2)[:, None]  # by stream
    few, many = row(arms, streams=2), row(arms, streams=5)
    assert few.target.endswith("of these 2 streams")
    assert many.target == "new streams drawn like these 5, in new orders"
    gaps = (arms["arm"] - arms["base"]).mean(1).reshape(2, 5).mean(0)  # a stream has two runs
    half = (many.difference.high - many.difference.low) / 2
    assert many.difference.df == pytest.approx(4, rel=1e-3)
    assert half == pytest.approx(2.776445 * gaps.std(ddof=1) / math.sqrt(5), rel=1e-3)
    assert many.difference.runs == 10


def test_a_contrast_is_doubted_exactly_if_leaving_out_one_run_or_one_task_turns_it() -> None:
    """Against leaving out each of them in turn, on borderline contrasts."""
    seen = set()
    for seed in range(60):
        arms = pair(runs=6, tasks=12, gain=0.03 * (seed % 5), seed=seed)
        run, task = (labels.astype(str) for labels in np.divmod(np.arange(72), 12))
        gap = Gap((arms["arm"] - arms["base"]).ravel(), run, task, np.full(72, "s"), "task")
        whole = gap.estimate(0.95)
        turned = {
            what
            for what, labels in (("run", run), ("task", task))
            for name in set(labels)
            if whole.excludes_zero
            and not two_way(*(one[labels != name] for one in (gap.values, run, task))).excludes_zero
        }
        told = {doubt.split()[3].rstrip(":") for doubt in decisive(gap, whole)}
        assert told == turned
        seen |= {*turned, whole.excludes_zero, not turned}
    assert seen == {"run", "task", True, False}


def test_what_decides_is_named_in_the_row() -> None:
    steady = row(pair(runs=8, tasks=60, gain=0.3))
    assert steady.difference.excludes_zero
    assert not any("decided by" in doubt for doubt in steady.doubts)
    borderline = [row(pair(runs=6, tasks=12, gain=0.05, seed=seed)).doubts for seed in range(12)]
    assert any("decided by one run: without s0 shuffled" in doubt for doubts in borderline for doubt in doubts)


def test_seeds_that_change_only_the_order_are_told() -> None:
    cold = {"temperature": 0.0}
    assert "seeds changed the order only: temperature 0" in row(pair(), arm=cold, base=cold).doubts
    given = cold | {"order": "given"}
    assert any("seeds changed nothing" in doubt for doubt in row(pair(), arm=given).doubts)
    assert not any("seeds changed" in doubt for doubt in row(pair()).doubts)
    assert not any("seeds changed" in doubt for doubt in row(pair(), arm=cold | {"uses_model": False}).doubts)


def test_another_way_of_answering_than_the_baseline_is_told() -> None:
    doubts = row(pair(), arm={"deciding": "grammar", "adapter": "json"}).doubts
    assert "answers in another way than the baseline: options are decided by grammar, there likelihood" in doubts
    assert "answers in another way than the baseline: prompts are made by json, there turns" in doubts
    assert not any("another way" in doubt for doubt in row(pair(), arm={"uses_model": False, "deciding": "x"}).doubts)


def test_outages_budget_stops_missing_pairs_few_runs_and_scripts_are_told() -> None:
    arms = pair(runs=3)
    arms["arm"][0, :30] = math.nan
    found = row(arms, arm={"scripted": True})
    told = "; ".join(found.doubts)
    assert "only 3 runs" in told or "3 runs, 40 tasks" in told
    assert "30 of 120 pairs missing (75% jointly completed)" in told
    assert "scripted model" in told
    assert found.bounds[0] < found.difference.value < found.bounds[1]
    assert "an outage cut off 3 runs" in row(arms, arm={"status": "suspended"}).doubts
    assert "budget stop: tokens" in row(arms, arm={"status": "stopped", "error": "budget stop: tokens: 5 of 4"}).doubts


def degenerate() -> dict[str, dict[str, Table]]:
    usual = pair()
    ties = {"base": usual["base"], "arm": usual["base"].copy()}
    nans = np.full((6, 40), math.nan)
    return {
        "one run": pair(runs=1),
        "one task": pair(tasks=1),
        "all ties": ties,
        "all failures": {"base": np.zeros((6, 40)), "arm": np.zeros((6, 40))},
        "constant scores": {"base": np.full((6, 40), 0.5), "arm": np.full((6, 40), 0.75)},
        "no scores": {"base": usual["base"], "arm": nans},
        "one pair": {"base": usual["base"], "arm": np.where(np.arange(240).reshape(6, 40) == 0, 0.3, nans)},
        "other tasks": {"base": usual["base"][:, :20], "arm": np.c_[nans[:, :20], usual["arm"][:, 20:]]},
    }


@pytest.mark.parametrize("name", degenerate())
def test_degenerate_results_give_no_number_and_a_reason(name: str) -> None:
    found = comparison(degenerate()[name])
    one = found.row("arm")
    for estimate in (one.difference, one.bootstrap):
        assert estimate is not None
        assert math.isnan(estimate.low)
        assert math.isnan(estimate.high)
        assert math.isnan(estimate.p_value)
        assert estimate.reason
        assert not estimate.excludes_zero
    assert one.size is not None
    assert math.isnan(one.size.low)
    assert any(one.difference.reason in doubt for doubt in one.doubts)
    assert "decided by" not in "; ".join(one.doubts)
    assert "n/a" in str(found)
    assert one.difference.reason in str(found.contrast("arm"))
    assert not found.frame.empty


def test_an_arm_that_misses_tasks_is_compared_on_the_others_with_bounds() -> None:
    arms = pair(gain=0.1)
    arms["arm"][:, 30:] = math.nan
    one = row(arms)
    assert one.difference.n == 180
    assert one.difference.value == pytest.approx((arms["arm"] - arms["base"])[:, :30].mean())
    assert one.bounds[0] == pytest.approx((one.difference.value * 180 - 60) / 240)
