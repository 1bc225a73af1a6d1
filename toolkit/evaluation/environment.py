"""What a study ran on, and the user's own code that it ran: recorded beside its results."""

from __future__ import annotations

import inspect
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from toolkit.agents.arm import Arm
from toolkit.component import Component, is_shipped, parts_of

PACKAGES = (
    "adaptive-agents-toolkit",
    "dspy",
    "duckdb",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "wordllama",
    "xllamacpp",
)


@cache
def environment() -> dict[str, object]:
    """Python, system, processor count, versions of the packages that matter, and the commit of the working folder."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def version(package: str) -> str:
    """The installed version of a package; empty if it is absent."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def copy_code(folder: Path, parts: Iterable[Component], arms: Sequence[Arm], files: Sequence[Path]) -> None:
    """Copy the source of everything that the user wrote into the study, so that it can be read and run again."""
    for file in files:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / file.name).exists() or not file.samefile(folder / file.name):
            shutil.copyfile(file, folder / file.name)
    copied = {f"study_code_{file.stem}" for file in files}
    for cls in {type(part) for part in _all_parts(parts, arms)}:
        if is_shipped(cls) or cls.__module__ in copied:
            continue
        try:
            source = inspect.getsource(cls)
        except (OSError, TypeError):
            continue  # typed at a prompt that keeps no source; the fingerprint says so too
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{cls.__name__}.py").write_text(source, encoding="utf-8")


def _all_parts(parts: Iterable[Component], arms: Sequence[Arm]) -> Iterator[Component]:
    waiting = [*parts, *(part for arm in arms for part in arm.parts)]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += parts_of(part)


def _commit() -> str:
    try:
        command = ["git", "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
