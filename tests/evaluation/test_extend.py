"""A study grows by seeds, arms, orders and streams; finished runs stay, and equal runs of other studies are reused."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from errands import TABLES, Errands, finish, tables

from toolkit.agents.arm import Arm
from toolkit.analysis import compare, learning_curves
from toolkit.errors import SpecError
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.ledger.follow import Follower
from toolkit.ledger.log import LedgerError
from toolkit.report import write
from toolkit.traits.memory import Retrieval
from toolkit.widgets.progress import Progress
from toolkit.widgets.study_form import StudyForm

Make = Callable[..., Study]
MEMORY = Arm("memory", memory=Retrieval())


def files(study: Study) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in study.folder.glob("runs/*/*")}


def ran(study: Study) -> tuple[set[str], list[str]]:
    """Run a study: which runs had to be carried out, and the hashes of all."""
    seen: set[str] = set()
    records = study.run(watch=lambda run, episode: seen.add(run.id))
    assert {record.status for record in records} == {"finished"}
    return seen, sorted(record.hash for record in records)


@pytest.mark.parametrize(
    ("more", "new"),
    [
        ({"seeds": 2}, 4),
        ({"seeds": [5, 1]}, 2),
        ({"arms": [Arm("b", repeat=1)]}, 2),
        ({"orders": "given"}, 4),
        ({"streams": Errands(tasks=10)}, 4),
        ({"seeds": 1, "arms": [Arm("b", repeat=1)], "orders": "given", "streams": [Errands(tasks=10)]}, 3 * 3 * 4 - 4),
    ],
)
def test_more_of_each_keeps_what_is_finished(study: Make, more: dict, new: int) -> None:
    first = finish(study(Arm.static(), MEMORY))
    kept = files(first)
    second = first.extend(**more)
    assert {run.id for run in first.runs} <= {run.id for run in second.runs}
    fresh, hashes = ran(second)
    assert len(fresh) == new
    assert fresh.isdisjoint(run.id for run in first.runs)
    assert {path: found for path, found in files(second).items() if path in kept} == kept
    assert len(hashes) == 4 + new == len(set(hashes))


def test_a_grown_study_equals_one_that_was_large_from_the_start(study: Make) -> None:
    small = finish(study(Arm.static(), MEMORY))
    grown = small.extend(seeds=1, orders="given", streams=Errands(tasks=10))
    streams = [Errands(), Errands(tasks=10)]
    whole = Study(
        "whole", arms=[Arm.static(), MEMORY], lm=grown.lm, seeds=3, order=["shuffled", "given"], streams=streams,
        ledger=small.ledger, reuse=False,
    )  # fmt: skip
    assert [run.id for run in whole.runs] == [run.id for run in grown.runs]
    assert ran(grown)[1] == ran(whole)[1]
    frames = [made.compare().frame.drop(columns="seconds") for made in (grown, whole)]
    assert frames[0].equals(frames[1])


def test_an_edited_spec_extends_and_leaves_out(study: Make, tmp_path: Path) -> None:
    first = finish(study(Arm.static(), MEMORY, seeds=3))
    spec = save(first, tmp_path / "study.toml")
    text = spec.read_text(encoding="utf-8").replace("    0,\n    1,\n    2,\n", "    1,\n    7,\n")
    spec.write_text(text, encoding="utf-8")
    second = load(spec, ledger=first.ledger.root)
    fresh, _ = ran(second)
    assert {run.seed for run in second.runs if run.id in fresh} == {7}
    assert len(list(second.folder.glob("runs/*"))) == 8
    assert set(second.episodes().seed) == {1, 7}
    assert second.compare().row("static").runs == 2


def test_several_streams_and_orders_stand_in_the_file(study: Make, tmp_path: Path) -> None:
    made = study(Arm.static()).extend(orders="given", streams=Errands(tasks=10))
    spec = save(made, tmp_path / "study.toml")
    table = tomllib.loads(spec.read_text(encoding="utf-8"))
    assert ([stream["tasks"] for stream in table["streams"]], "stream" in table) == ([24, 10], False)
    again = load(spec, ledger=tmp_path)
    assert again.config() == made.config()
    assert [run.id for run in again.runs] == [run.id for run in made.runs]
    first, *rest = table.pop("streams")
    spec.write_text(tomli_w.dumps(table | {"stream": first, "streams": rest}), encoding="utf-8")
    assert [one.config() for one in load(spec, ledger=tmp_path).streams] == [one.config() for one in made.streams]
    table["study"]["order"] = ["given", "gvien"]
    spec.write_text(tomli_w.dumps(table), encoding="utf-8")
    with pytest.raises(SpecError, match=r"the table \[stream\] is missing; several are headed \[\[streams\]\]"):
        load(spec, ledger=tmp_path)


def test_streams_of_one_class_are_told_apart_and_pairs_stay_within_their_stream(study: Make) -> None:
    made = study(Arm.static(), MEMORY).extend(streams=Errands(tasks=10), orders="given")
    finish(made)
    rows = made.ledger.sql('SELECT stream, "order", count(*) AS n FROM episodes GROUP BY ALL ORDER BY ALL')
    assert rows.to_records(index=False).tolist() == [
        ("errands", "given", 4 * 24), ("errands", "shuffled", 4 * 24),
        ("errands-2", "given", 4 * 10), ("errands-2", "shuffled", 4 * 10),
    ]  # fmt: skip
    row = compare(made).row("memory")
    assert row.difference is not None
    assert (row.difference.n, row.difference.runs, row.runs) == (2 * 2 * 34, 8, 8)
    frame = made.episodes().pivot(index=["stream", "order", "seed", "task"], columns="arm", values="score")
    assert row.difference.value == pytest.approx((frame.memory - frame.static).mean())
    assert row.bounds == (row.difference.value, row.difference.value)
    one = compare(made, stream="errands-2").row("memory")
    assert one.difference is not None
    assert (one.difference.n, one.runs) == (2 * 2 * 10, 4)
    with pytest.raises(LedgerError, match="no stream called 'erands'; did you mean 'errands'"):
        compare(made, stream="erands")
    bands = learning_curves(made)
    assert len(bands["static"].t) == 10
    assert np.isfinite(bands["static"].mean).all()


def test_missing_pairs_are_counted_per_stream(study: Make) -> None:
    made = study(Arm.static(), MEMORY, seeds=1).extend(streams=Errands(tasks=10))
    made.workers = 1
    seen: list[str] = []

    def watch(run: object, episode: object) -> None:
        seen.append(getattr(run, "label", ""))
        if len(seen) == 40:
            made.stop()

    made.run(watch=watch)
    done = made.episodes().groupby(["stream", "seed", "task"]).arm.nunique()
    pairs = int((done == 2).sum())
    row = made.compare().row("memory")
    assert f"{34 - pairs} of 34 pairs missing" in "; ".join(row.doubts)


def test_live_view_and_report_know_how_long_each_stream_is(study: Make) -> None:
    made = finish(study(Arm.static(), MEMORY).extend(streams=Errands(tasks=10)))
    progress = Progress(Follower(made.ledger, made.name), 24)
    progress.look()
    for arm in progress.arms():
        assert (arm.done, arm.total, arm.finished, arm.runs) == (68, 68, 4, 4)
        assert arm.curve[-1][0] == 10
    text = write(made.ledger, made.name).read_text(encoding="utf-8")
    assert "errands, 24 tasks; errands-2, 10 tasks" in text
    assert "Episodes of errands, errands-2 are pooled" in text


def test_streams_that_are_one_and_orders_that_repeat_are_refused(study: Make) -> None:
    made = study(Arm.static())
    with pytest.raises(SpecError, match="hold the same tasks: leave one out"):
        made.extend(streams=Errands())
    with pytest.raises(SpecError, match=r"order must be one of shuffled, given, .* but is 'sideways'"):
        made.extend(orders="sideways")
    with pytest.raises(SpecError, match="two arms are called 'static'"):
        made.extend(arms=[Arm.static()])
    with pytest.raises(SpecError, match="how many more, at least 1"):
        made.extend(seeds=0)
    with pytest.raises(SpecError, match="needs a stream"):
        Study("none", arms=[Arm.static()], ledger=made.ledger)


def test_a_form_gives_back_an_extended_study(study: Make) -> None:
    made = study(Arm.static()).extend(orders="given", streams=Errands(tasks=10))
    again = StudyForm(made).value
    assert again.config() == made.config()
    assert [len(stream.pairs()) for stream in again.streams] == [24, 10]


@pytest.mark.usefixtures("form")
def test_equal_runs_of_another_study_are_reused_and_marked(study: Make) -> None:
    first = finish(study(Arm.static(), MEMORY, name="first"))
    renamed = Arm("plain")
    second = study(renamed, Arm("b", repeat=1), name="second", seeds=3, reuse=True)
    fresh, hashes = ran(second)
    assert {(run.arm.name, run.seed) for run in second.runs if run.id not in fresh} == {("plain", 0), ("plain", 1)}
    by_seed = {record.seed: record for record in second.records() if record.arm == "plain"}
    assert [by_seed[seed].reused_from for seed in (0, 1, 2)] == ["first", "first", ""]
    assert [by_seed[seed].hash for seed in (0, 1)] == [first.records()[seed].hash for seed in (0, 1)]
    assert {record.study for record in second.records()} == {"second"}
    assert len(set(hashes)) == len(hashes)
    counts = second.ledger.sql("SELECT study, arm, count(*) AS n FROM episodes GROUP BY ALL ORDER BY ALL")
    assert counts.to_records(index=False).tolist() == [
        ("first", "memory", 48), ("first", "static", 48), ("second", "b", 72), ("second", "plain", 72),
    ]  # fmt: skip
    kept = json.loads((second.folder / "plan.json").read_text(encoding="utf-8"))
    assert [run.get("reused_from", "") for run in kept["runs"]] == ["first", "first", "", "", "", ""]
    assert "2 of 6 runs reused from study first." in second.compare().notes
    assert "2 of 6 runs reused from study first." in second.report().read_text(encoding="utf-8")
    third = finish(study(Arm("x"), name="third", reuse=True))
    assert {record.reused_from for record in third.records()} == {"first"}


def test_what_is_reused_needs_no_room_where_nothing_is_renamed(study: Make, form: str) -> None:
    first = finish(study(Arm.static(), name="first"))
    second = study(Arm.static(), name="second", reuse=True)
    assert ran(second)[0] == set()
    for run in first.runs:
        own, other = (made.folder / "runs" / run.folder for made in (first, second))
        assert tables(own) == tables(other) == TABLES[form]
        assert all((own / name).samefile(other / name) for name in TABLES[form])
    shutil.rmtree(first.folder)
    assert len(second.episodes()) == 48


def test_reuse_can_be_switched_off(study: Make) -> None:
    finish(study(Arm.static(), name="first"))
    second = study(Arm.static(), name="second", reuse=False)
    assert len(ran(second)[0]) == 2
    assert {record.reused_from for record in second.records()} == {""}


def test_only_finished_runs_are_reused_and_a_begun_one_goes_on_here(study: Make) -> None:
    first = study(Arm.static(), name="first", seeds=1)
    first.run(watch=lambda run, episode: first.stop())
    assert first.records()[0].status == "stopped"
    second = study(Arm.static(), name="second", seeds=1, reuse=True)
    assert len(ran(second)[0]) == 1
    [record] = study(Arm.static(), name="first", seeds=1, reuse=True).run()
    assert (record.reused_from, record.replayed) == ("", 1)


def test_a_renamed_arm_keeps_its_runs(study: Make, form: str) -> None:
    finish(study(Arm.static(), Arm("b", repeat=1)))
    again = study(Arm("plain"), Arm("b", repeat=1))
    assert ran(again)[0] == set()
    assert set(again.episodes().arm) == {"plain", "b"}
    assert len(again.episodes()) == 96
    assert again.ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 96
    assert [tables(run) for run in again.folder.glob("runs/*")] == 4 * [TABLES[form]]
    assert again.replay().identical


@pytest.mark.usefixtures("form")
def test_streams_in_another_order_are_not_mixed_up(study: Make) -> None:
    long, short = Errands(), Errands(tasks=10)
    finish(study(Arm.static(), stream=long).extend(streams=short))
    turned = study(Arm.static(), MEMORY, stream=short).extend(streams=long)
    fresh, _ = ran(turned)
    assert len(fresh) == 4
    rows = turned.ledger.sql("SELECT stream, arm, count(*) AS n FROM episodes GROUP BY ALL ORDER BY ALL")
    assert rows.to_records(index=False).tolist() == [
        ("errands", "memory", 20), ("errands", "static", 20),
        ("errands-2", "memory", 48), ("errands-2", "static", 48),
    ]  # fmt: skip
    assert turned.compare().row("memory").bounds == pytest.approx([turned.compare().row("memory").difference.value] * 2)
