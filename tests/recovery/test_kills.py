"""Resume equals never having stopped (law 5), wherever the study was killed and however often."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from errands import TABLES, tables
from mortal import Mortal

from toolkit.ledger.tables import count, rows

KINDS = ("call", "touch", "write")


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    process = Mortal()
    yield process
    process.end()


@pytest.fixture(scope="module", params=["logs", "parquet"])
def whole(request: pytest.FixtureRequest, mortal: Mortal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the study comes to where nothing happens to it, and how many moments it has to be killed at.

    Its runs are short, or as long as it takes to be packed as Parquet.
    """
    order = {"long": 24 if request.param == "parquet" else 25}
    ledger = tmp_path_factory.mktemp("whole")
    found = mortal.live(ledger, kind="count", **order)
    assert found["errors"] == []
    assert len(found["hashes"]) == 2
    assert found["write"] == 2 * (24 + 24)  # every call and every episode may be torn
    assert len(found["packing"]) == (12 if request.param == "parquet" else 0)  # of a table: opened, synced, renamed
    return found | {"order": order, "form": request.param, "rows": held(ledger)}


def held(ledger: Path) -> dict[str, list[int]]:
    """How many rows the tables of each run hold."""
    runs = sorted((ledger / "studies").glob("*/runs/*"))
    return {run.name: [count(run, name) for name in ("episodes", "calls")] for run in runs}


def moment(rng: np.random.Generator, whole: dict[str, Any]) -> dict[str, Any]:
    """Somewhere in a life: at a function call, at an operation on a file, or within the write of a row."""
    kind = KINDS[int(rng.integers(3))]
    return {"kind": kind, "number": int(rng.integers(1, whole[kind] + 1)), "share": float(rng.random())}


def cut_tails(rng: np.random.Generator, ledger: Path) -> None:
    """Take away the end of each log at any byte, as a power failure takes what was not on the disk yet."""
    for log in sorted(ledger.rglob("*.jsonl")):
        size = log.stat().st_size
        with open(log, "rb+") as file:
            file.truncate(size - int(rng.integers(0, min(size, 4000) + 1)))


def killed_and_resumed(mortal: Mortal, ledger: Path, whole: dict[str, Any], seed: int) -> int:
    """One study, killed up to three times, its logs cut every other time; how often it was killed."""
    rng, kills = np.random.default_rng([4, seed]), 0
    for _ in range(1 + seed % 3):
        told = mortal.live(ledger, **whole["order"], **moment(rng, whole))
        assert told["signal"] in (0, 9), told
        kills += told["signal"] == 9
        if rng.random() < 0.5:
            for folder in (ledger / "studies").glob("*/runs/*"):
                if not finished(folder):
                    cut_tails(rng, folder)
    resumed(mortal, ledger, whole, f"seed {seed}")
    shutil.rmtree(ledger)
    return kills


def finished(run: Path) -> bool:
    """Whether a run says so: its tables are on the disk then."""
    return (run / "run.json").exists() and json.loads((run / "run.json").read_text())["status"] == "finished"


def resumed(mortal: Mortal, ledger: Path, whole: dict[str, Any], told: object) -> None:
    """Let a study that was killed come to its end, which must be that of the one that was not."""
    found = mortal.live(ledger, **whole["order"])
    assert (found["errors"], found["hashes"]) == ([], whole["hashes"]), told
    assert held(ledger) == whole["rows"], told
    for run in (ledger / "studies").glob("*/runs/*"):
        assert set(TABLES[whole["form"]]) <= set(tables(run)), told
        assert not list(run.glob("*.parquet.part")), told


def swept(mortal: Mortal, folder: Path, whole: dict[str, Any], kills: int) -> None:
    """As many studies as it takes for so many kills; a moment that a life on a tape never comes to is none."""
    seed = 0
    while kills > 0:
        kills -= killed_and_resumed(mortal, folder / str(seed), whole, seed)
        seed += 1


def test_a_study_killed_at_30_random_moments_always_comes_to_the_same_hash(mortal, whole, tmp_path: Path) -> None:
    swept(mortal, tmp_path, whole, 30)


@pytest.mark.validate
def test_a_study_killed_at_1000_random_moments_always_comes_to_the_same_hash(mortal, whole, tmp_path: Path) -> None:
    swept(mortal, tmp_path, whole, 1000)


def test_a_study_on_the_embedded_model_too(mortal: Mortal, tmp_path: Path) -> None:
    order = {"lm": "smollm2-135m", "tasks": 4}
    first = mortal.live(tmp_path / "whole", **order, kind="count")
    assert first["errors"] == []
    killed = mortal.live(tmp_path / "killed", **order, kind="write", number=first["write"] * 2 // 3)
    assert killed["signal"] == 9
    resumed = mortal.live(tmp_path / "killed", **order)
    assert resumed["replayed"] > 0
    assert resumed["hashes"] == first["hashes"]


def test_a_study_killed_within_its_second_pass_comes_to_the_same_hash(mortal: Mortal, tmp_path: Path) -> None:
    """At the last feedback, which is delivered between the passes, and at tasks of the second one."""
    order = {"tasks": 6, "second": 5}
    first = mortal.live(tmp_path / "whole", **order, kind="count")
    assert (first["errors"], first["write"]) == ([], 2 * 2 * (6 + 5))
    rows = held(tmp_path / "whole")
    for number in (13, 14, 17, 20, 22):  # of the first run: 12 writes, a call and an episode each, are its stream
        ledger = tmp_path / str(number)
        assert mortal.live(ledger, **order, kind="write", number=number)["signal"] == 9
        resumed = mortal.live(ledger, **order)
        assert (resumed["errors"], resumed["hashes"], held(ledger)) == ([], first["hashes"], rows), number
        assert resumed["replayed"] == number // 2


def test_a_study_killed_in_the_midst_of_a_compilation_comes_to_the_same_hash(mortal: Mortal, tmp_path: Path) -> None:
    """While the row of one of the optimiser's own calls is written, and again in the life that goes on from there."""
    order = {"optimiser": "gepa"}
    first = mortal.live(tmp_path / "whole", **order, kind="count")
    assert first["errors"] == []
    [run] = (tmp_path / "whole").glob("studies/*/runs/*")
    calls = rows(run, "calls")
    inside = [place for place, call in enumerate(calls) if call["step"] == "tune"]
    assert len(inside) > 6
    kills = [inside[len(inside) // 3], inside[-2]]
    done = 0
    for place in kills:
        number = place + 1 - done + calls[place]["t"]  # episodes are written anew in each life, calls only once
        assert mortal.live(tmp_path / "killed", **order, kind="write", number=number)["signal"] == 9
        [cut] = (tmp_path / "killed").glob("studies/*/runs/*")
        done = (cut / "calls.jsonl").read_bytes().count(b"\n")  # what is torn has no end of line
        assert done == place, "the call that was being written is torn, all before it are there"
        assert calls[place]["step"] == "tune"
    found = mortal.live(tmp_path / "killed", **order)
    assert (found["errors"], found["hashes"], found["replayed"]) == ([], first["hashes"], kills[-1])
    assert held(tmp_path / "killed") == held(tmp_path / "whole")


def test_a_kill_reaches_every_part_of_a_life(mortal: Mortal, whole: dict[str, Any], tmp_path: Path) -> None:
    """The last operation on a file of a life is not in the loop: kills reach the finishing of runs, too."""
    last = mortal.live(tmp_path, **whole["order"], kind="touch", number=whole["touch"])
    assert last["signal"] == 9
    assert [tables(run)[-1] for run in tmp_path.glob("studies/*/runs/*")] == 2 * [TABLES[whole["form"]][-1]]
    noted = sum(finished(run) for run in tmp_path.glob("studies/*/runs/*"))
    assert noted == (2 if whole["form"] == "parquet" else 1)  # what is left: removing logs, or renaming the last note
    resumed(mortal, tmp_path, whole, "the last")


@pytest.mark.parametrize("whole", ["parquet"], indirect=True)
def test_a_study_killed_at_any_step_of_packing_comes_to_the_same(
    mortal: Mortal, whole: dict[str, Any], tmp_path: Path
) -> None:
    """From before the first table is written until after the logs are removed."""
    left = list[list[str]]()
    for number in range(whole["packing"][0] - 1, whole["packing"][5] + 10):
        ledger = tmp_path / str(number)
        assert mortal.live(ledger, **whole["order"], kind="touch", number=number)["signal"] == 9
        [run] = ledger.glob("studies/*/runs/*")  # the first
        left.append(sorted(path.name for path in run.iterdir() if not path.name.startswith("run.json")))
        resumed(mortal, ledger, whole, number)
    (calls, episodes), (packed_calls, packed_episodes) = TABLES["logs"], TABLES["parquet"]
    assert [names for names, _ in itertools.groupby(left)] == [
        [calls, episodes],
        [calls, episodes, f"{packed_episodes}.part"],
        [calls, f"{packed_calls}.part", episodes, f"{packed_episodes}.part"],
        [calls, f"{packed_calls}.part", episodes, packed_episodes],
        [calls, packed_calls, episodes, packed_episodes],
        [calls, packed_calls, packed_episodes],
        [packed_calls, packed_episodes],
    ]


@pytest.mark.parametrize("whole", ["parquet"], indirect=True)
@pytest.mark.parametrize("size", [0, 4, 1000])
def test_a_study_killed_within_the_writing_of_parquet_comes_to_the_same(
    mortal: Mortal, whole: dict[str, Any], tmp_path: Path, size: int
) -> None:
    told = mortal.live(tmp_path, **whole["order"], kind="size", number=size)
    assert told["signal"] == signal.SIGXFSZ
    [part] = tmp_path.rglob("runs/*/*.part")
    assert part.stat().st_size <= size
    assert tables(part.parent) == TABLES["logs"]
    resumed(mortal, tmp_path, whole, size)
