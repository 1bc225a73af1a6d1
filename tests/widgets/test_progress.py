"""Progress of a study: the same figures as from the whole table, at the cost of what is new."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from made_up import episode, made_up, write_record

from toolkit.ledger.follow import Follower, Glimpse
from toolkit.ledger.rows import line
from toolkit.ledger.store import Ledger
from toolkit.stats import curve_band
from toolkit.widgets.frame import NOTE
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.looks import look, looks, looks_of_pairs
from toolkit.widgets.pace import ENOUGH, Pace
from toolkit.widgets.progress import LATEST, Progress
from toolkit.widgets.running import RunScores

SCORES = some.lists(some.one_of(some.floats(0, 1), some.just(math.nan)), min_size=1, max_size=30)


@given(SCORES, some.lists(some.integers(1, 7), max_size=10), some.integers(1, 40))
def test_means_added_bit_by_bit_are_those_of_the_whole(scores: list[float], looks: list[int], tasks: int) -> None:
    run, ends = RunScores(tasks), set(np.cumsum(looks).tolist())
    for t, score in enumerate(scores):
        run.score(t, score)
        if t in ends:  # a look, after which sums are kept
            assert run.last <= t + 1
    assert run.last == max((t + 1 for t, score in enumerate(scores) if not math.isnan(score)), default=0)
    told = curve_band([scores]).mean[: run.last]
    assert run.means(range(run.last)) == pytest.approx(told, nan_ok=True)
    if run.last:
        assert run.mean == pytest.approx(np.nanmean(scores))


def test_a_curve_is_the_band_of_the_whole_table(ledger: Ledger) -> None:
    folder = made_up(ledger, 1, 3, 50)
    (arm,) = drawn(ledger)
    planned = json.loads((folder / "plan.json").read_text(encoding="ascii"))["runs"]
    logs = [(folder / "runs" / run["folder"] / "episodes.jsonl").read_text(encoding="ascii") for run in planned]
    band = curve_band([[json.loads(row)["score"] for row in log.splitlines()] for log in logs])
    points = np.array(arm.curve, dtype=float)
    assert points[:, 0].tolist() == band.t.tolist()
    for column, part in enumerate((band.mean, band.low, band.high), start=1):
        assert points[:, column] == pytest.approx(part, abs=1e-4, nan_ok=True)


def drawn(ledger: Ledger) -> tuple:
    progress = Progress(Follower(ledger, "made"), 10)  # fewer tasks than there are
    progress.look()
    return progress.arms()


def test_a_frame_of_64_runs_and_50_000_episodes_is_bounded_and_a_look_reads_what_is_new(ledger: Ledger) -> None:
    hostile = "<script>\u202e\x1b[31m" * 400
    folder = made_up(ledger, 16, 4, 782, answer=hostile[:400])
    planned = json.loads((folder / "plan.json").read_text(encoding="ascii"))["runs"]
    for run in planned[:20]:
        write_record(folder / "runs" / run["folder"], run, status="failed", error=hostile)
    view = LiveStudy("made", ledger, every=1000)
    follower = view._progress.follower
    assert (follower.taken, sum(arm["done"] for arm in view.frame["arms"])) == (50_048, 50_048)
    assert len(json.dumps(view.frame, allow_nan=False)) < 64_000
    with open(folder / "runs" / planned[0]["folder"] / "episodes.jsonl", "ab") as file:
        file.write(line(episode(planned[0], 782)) + line(episode(planned[0], 783)))
    assert view.look()
    assert follower.taken == 50_050
    assert not view.look()
    assert follower.taken == 50_050
    assert len(view.frame["latest"]) == LATEST
    assert [one["t"] for one in view.frame["latest"][:2]] == [784, 783]
    assert max(map(len, view.frame["failures"])) <= NOTE
    told = json.dumps(view.frame, ensure_ascii=False)
    assert "\\\\u202e" in told
    assert "\u202e" not in told
    assert "\x1b" not in told
    view.close()


def test_records_that_stay_are_read_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_up(ledger, 1, 3, 4)
    read, record = list[str](), Ledger.record
    monkeypatch.setattr(Ledger, "record", lambda self, folder: (read.append(folder.name), record(self, folder))[1])
    follower = Follower(ledger, "made")
    follower.poll()
    follower.poll()
    assert read == ["arm0-0", "arm0-1", "arm0-2"]
    write_record(folder / "runs" / "arm0-1", {"id": "arm0-1", "arm": "arm0", "seed": 1, "tasks": 4}, status="finished")
    follower.poll()
    assert read[3:] == ["arm0-1"]
    assert follower.records["arm0-1"].status == "finished"


def test_lines_that_are_json_and_no_rows_are_damage(ledger: Ledger) -> None:
    folder = made_up(ledger, 1, 1, 2)
    with open(folder / "runs" / "arm0-0" / "episodes.jsonl", "ab") as file:
        file.write(b'7\n{"t": 3}\n\xff\n')
    follower = Follower(ledger, "made")
    assert len(follower.poll()) == 2
    assert follower.damaged == 3


def test_no_two_of_fifty_curves_look_alike() -> None:
    arms = [f"arm{place}" for place in range(50)]
    found = looks(arms, "arm3")
    assert len(set(found)) == 50
    assert found[3] == look(0)
    assert all(one.ink != two.ink and one.dash != two.dash for one, two in pairwise(found))


def test_differences_of_one_arm_to_several_are_told_apart() -> None:
    arms = ["a", "b", "c"]
    assert looks_of_pairs(["b", "c"], arms, "a") == looks(arms, "a")[1:]
    assert len(set(looks_of_pairs(["b", "b"], arms, "a"))) == 2


def test_time_left_is_that_of_the_arm_s_own_pace(ledger: Ledger) -> None:
    folder = made_up(ledger, 2, 2, 10, acting_seconds=3.0)
    lengthen(folder / "plan.json", 30)
    progress = Progress(Follower(ledger, "made"), 30)
    progress.look()
    assert progress.left("arm0") == 2 * 20 * 3.0 / 2  # two runs at once lack 20 tasks each
    first = {"id": "arm0-0", "arm": "arm0", "seed": 0, "tasks": 30}
    write_record(folder / "runs" / "arm0-0", first, status="failed")
    progress.look()
    assert progress.left("arm0") == 20 * 3.0  # the run that failed does not go on
    write_record(folder / "runs" / "arm0-1", first | {"id": "arm0-1", "seed": 1}, status="stopped")
    progress.look()
    assert progress.left("arm0") is None
    assert progress.left("arm1") == 60.0


def lengthen(plan: object, tasks: int) -> None:
    told = json.loads(plan.read_text(encoding="ascii"))
    told |= {"runs": [run | {"tasks": tasks} for run in told["runs"]]}
    plan.write_text(json.dumps(told), encoding="ascii")


def test_nothing_is_said_of_time_before_enough_is_known() -> None:
    pace = Pace()
    for number in range(ENOUGH):
        assert pace.left([10], 1) is None
        pace.seconds("a", 2.0)
        pace.seconds("a", math.nan)
        assert number < ENOUGH
    assert pace.left([10], 1) == 20.0
    nothing = Pace()
    for _ in range(2 * ENOUGH):
        nothing.seconds("a", 0.0)
    assert nothing.left([10], 1) is None


def test_pace_is_of_late() -> None:
    pace = Pace()
    for seconds in [100.0] * 50 + [1.0] * 20:
        pace.take(Glimpse("r", "a", 0, "stream", 0, "ok", 1.0, 1, "", 1, 1, seconds, 0.0))
    assert pace.left([7], 1) == 7.0


def test_a_study_that_is_made_longer_while_it_is_watched(ledger: Ledger) -> None:
    folder = made_up(ledger, 1, 2, 5)
    progress = Progress(Follower(ledger, "made"), 5)
    progress.look()
    lengthen(folder / "plan.json", 8)
    for seed in (0, 1):
        run = {"id": f"arm0-{seed}", "arm": "arm0", "seed": seed}
        with open(folder / "runs" / f"arm0-{seed}" / "episodes.jsonl", "ab") as file:
            file.write(b"".join(line(episode(run, t)) for t in range(5, 8)))
    progress.look()
    (arm,) = progress.arms()
    assert (progress.tasks, arm.done, arm.total, arm.curve[-1][0]) == (8, 16, 16, 8)
