"""Following a study: every episode once, whatever happens to its run meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from errands import ROOT, TABLES, Errands, finish, tables
from held import study as held_study

from toolkit.agents.arm import Arm
from toolkit.evaluation.study import Study
from toolkit.ledger.follow import Follower, Glimpse
from toolkit.ledger.store import Ledger
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


def places(found: list[Glimpse]) -> list[tuple[str, int, int]]:
    return [(one.arm, one.seed, one.t) for one in found]


def test_a_study_that_has_not_begun_shows_nothing(ledger: Ledger) -> None:
    follower = Follower(ledger, "none")
    assert follower.runs == ()
    assert follower.poll() == []


@pytest.mark.usefixtures("form")
def test_a_finished_study_is_read_once_and_adds_up(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=10)))
    follower = Follower(made.ledger, made.name)
    found = follower.poll()
    assert sorted(places(found)) == sorted(
        (arm, seed, t) for arm in ("static", "memory") for seed in (0, 1) for t in range(10)
    )
    assert follower.poll() == []
    told = made.ledger.sql("SELECT sum(score) AS s, sum(acting_input_tokens + acting_output_tokens) AS n FROM episodes")
    assert sum(one.score for one in found) == told.s[0]
    assert sum(one.tokens for one in found) == told.n[0]
    assert {record.status for record in follower.records.values()} == {"finished"}


@pytest.mark.usefixtures("form")
def test_looking_at_every_episode_sees_each_once(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=30), seeds=1)
    follower, seen = Follower(made.ledger, made.name), list[Glimpse]()
    made.run(watch=lambda run, episode: seen.extend(follower.poll()))
    assert [one.t for one in seen] == list(range(30))
    seen += follower.poll()
    assert [one.t for one in seen] == list(range(30))


@pytest.mark.parametrize("again", ["resumed", "finished"])
def test_a_run_killed_and_resumed_is_seen_once(tmp_path: Path, again: str, form: str) -> None:
    ledger = Ledger(tmp_path)
    follower = Follower(ledger, "held")
    command = [sys.executable, str(ROOT / "tests" / "held.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"HELD_AFTER": "40"}) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    seen = follower.poll()
    assert [one.t for one in seen] == list(range(40))
    made = held_study(ledger)
    made.run(watch=(lambda run, episode: seen.extend(follower.poll())) if again == "resumed" else None)
    seen += follower.poll()
    assert [tables(run) for run in made.folder.glob("runs/*")] == [TABLES[form]]
    assert [one.t for one in seen] == list(range(150))


@pytest.mark.parametrize("seen_before", range(0, 31, 10))
def test_a_log_that_becomes_parquet_between_two_looks_is_seen_once(
    study: Make, monkeypatch: pytest.MonkeyPatch, seen_before: int
) -> None:
    monkeypatch.setattr("toolkit.ledger.store.LONG", 30)
    made = study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=30), seeds=1, workers=1)
    follower, seen = Follower(made.ledger, made.name), list[Glimpse]()
    made.run(watch=lambda run, episode: seen.extend(follower.poll()) if episode.t < seen_before else None)
    assert len(seen) == (0 if seen_before == 0 else 30 + seen_before)  # of the first run the rest, with the second
    assert [tables(run) for run in made.folder.glob("runs/*")] == 2 * [TABLES["parquet"]]
    seen += follower.poll()
    assert sorted(places(seen)) == [(arm, 0, t) for arm in ("memory", "static") for t in range(30)]
    assert follower.poll() == []


def test_a_log_that_goes_while_it_is_looked_at_is_found_by_the_next_look(
    study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is finished between the look at its record and the look at its log."""
    monkeypatch.setattr("toolkit.ledger.store.LONG", 1)
    made = study(Arm.static(), stream=Errands(tasks=5), seeds=1)
    follower, seen = Follower(made.ledger, made.name), list[Glimpse]()
    made.run(watch=lambda run, episode: seen.extend(follower.poll()) if episode.t < 2 else made.stop())
    record = made.ledger.record
    with monkeypatch.context() as patch:

        def just_before(folder: Path) -> object:
            found = record(folder)
            patch.undo()
            finish(made)
            return found

        patch.setattr(follower.ledger, "record", just_before)
        assert follower.poll() == []
    assert [tables(run) for run in made.folder.glob("runs/*")] == [TABLES["parquet"]]
    seen += follower.poll()
    assert [one.t for one in seen] == list(range(5))


def test_damage_is_counted_and_a_torn_tail_is_not(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=4), seeds=1)
    follower = Follower(made.ledger, made.name)

    def damage(run: object, episode: object) -> None:
        log = made.folder / "runs" / made.runs[0].folder / "episodes.jsonl"
        with open(log, "ab") as file:
            file.write(b'not a row\n{"torn')
        assert len(follower.poll()) == 1
        made.stop()

    made.run(watch=damage)
    assert follower.damaged == 1
