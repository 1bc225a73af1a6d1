"""Resume equals never having stopped (law 5), wherever the study was killed and however often."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mortal import Mortal

KINDS = ("call", "touch", "write")


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    process = Mortal()
    yield process
    process.end()


@pytest.fixture(scope="module")
def whole(mortal: Mortal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the study comes to where nothing happens to it, and how many moments it has to be killed at."""
    found = mortal.live(tmp_path_factory.mktemp("whole"), kind="count")
    assert found["errors"] == []
    assert len(found["hashes"]) == 2
    return found


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
        told = mortal.live(ledger, **moment(rng, whole))
        assert told["signal"] in (0, 9), told
        kills += told["signal"] == 9
        if rng.random() < 0.5:
            running = [path for path in (ledger / "studies").glob("*/runs/*") if not list(path.glob("*.parquet"))]
            for folder in running:
                cut_tails(rng, folder)
    found = mortal.live(ledger)
    assert (found["errors"], found["hashes"]) == ([], whole["hashes"]), f"seed {seed}"
    shutil.rmtree(ledger)
    return kills


def swept(mortal: Mortal, folder: Path, whole: dict[str, Any], kills: int) -> None:
    """As many studies as it takes for so many kills; a moment that a life on a tape never comes to is none."""
    seed = 0
    while kills > 0:
        kills -= killed_and_resumed(mortal, folder / str(seed), whole, seed)
        seed += 1


def test_a_study_killed_at_50_random_moments_always_comes_to_the_same_hash(mortal, whole, tmp_path: Path) -> None:
    swept(mortal, tmp_path, whole, 50)


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


def test_a_kill_reaches_every_part_of_a_life(mortal: Mortal, whole: dict[str, Any], tmp_path: Path) -> None:
    """The last operation on a file of a life is not in the loop: kills reach the finishing of runs, too."""
    last = mortal.live(tmp_path / "last", kind="touch", number=whole["touch"])
    assert last["signal"] == 9
    assert (tmp_path / "last").exists()
    assert list((tmp_path / "last").rglob("*.parquet"))
    assert mortal.live(tmp_path / "last")["hashes"] == whole["hashes"]
