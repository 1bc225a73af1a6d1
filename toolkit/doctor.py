"""What is installed here, what is missing, and the line that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "adaptive-agents-toolkit"
_NEEDED_BYTES = 500_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``remedy`` is a line to type, empty when all is well."""

    what: str
    well: bool
    told: str
    remedy: str = ""


def examine(folder: Path) -> list[Finding]:
    """Look at Python, every required package, the embedded model's weights, the ledger's folder and the disk."""
    return [_python(), *_packages(), _weights(), _ledger(folder), _disk(folder)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    well = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("python", well, version, "" if well else "use Python 3.11, 3.12 or 3.13")


def _packages() -> list[Finding]:
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        return [Finding(DISTRIBUTION, False, "not installed", "python -m pip install -e .")]
    found = []
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        remedy = f"python -m pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.append(Finding(requirement.name, False, f"absent; needed {requirement.specifier}", remedy))
            continue
        well = requirement.specifier.contains(version, prereleases=True)
        told = version if well else f"{version}; needed {requirement.specifier}"
        found.append(Finding(requirement.name, well, told, "" if well else remedy))
    return found


def _weights() -> Finding:
    from toolkit.lm.weights import location, present

    if present("smollm2-135m"):
        return Finding("model smollm2-135m", True, str(location("smollm2-135m")))
    return Finding("model smollm2-135m", False, "weights not downloaded yet (98 MB)", "toolkit lm get smollm2-135m")


def _ledger(folder: Path) -> Finding:
    from toolkit.ledger.store import Ledger

    root = Ledger().root
    place = root if root.exists() else root.parent if root.parent.exists() else folder
    well = os.access(place, os.W_OK)
    remedy = "" if well else "choose a folder that can be written: export TOOLKIT_LEDGER=FOLDER"
    return Finding("ledger", well, str(root) if well else f"{place} cannot be written", remedy)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    well = free >= _NEEDED_BYTES
    return Finding("disk", well, f"{free / 1e9:.1f} GB free", "" if well else "free at least 0.5 GB")
