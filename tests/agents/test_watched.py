"""A study whose learner and memory are under watch: alarms stand in the ledger, and a cut changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from errands import finish
from test_tuning import Falling

import toolkit as tk


def test_a_run_that_is_cut_off_rings_as_if_nothing_had_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nervous = tk.PageHinkley(min_instances=3, threshold=1.0)

    def made(name: str) -> tk.Study:
        arm = tk.Arm(
            "watched", learning=tk.Watched(tk.DemoBuffer(size=2), nervous), transcript=False,
            memory=tk.Renewed(tk.SlidingWindow(k=2), tk.Kswin(alpha=0.3, window_size=8, stat_size=4)),
        )  # fmt: skip
        return tk.Study(
            name, tk.Desk(tasks=30, queues=6, drift=1), lm=Falling(), arms=[arm], baseline="watched", seeds=[0],
            ledger=f"{tmp_path}/{name}", tracking="off",
        )  # fmt: skip

    whole = finish(made("whole"))
    rang = whole.ledger.sql("SELECT t, number, fate, why FROM changes WHERE kind = 'drift' ORDER BY t")
    assert set(rang.fate) == {"forget"}
    assert rang.why.str.startswith("earned 0").all()
    found = tk.detections(whole).row("watched")
    assert found.alarms == len(rang)
    cut = made("cut")
    with monkeypatch.context() as patched:
        patched.setattr(Falling, "calls", 13)
        assert [one.status for one in cut.run()] == ["suspended"]
    finish(cut)
    assert [one.hash for one in cut.records()] == [one.hash for one in whole.records()]
    assert cut.replay().identical
